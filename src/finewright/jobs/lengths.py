"""Rows that are longer than a job would take, found before it is queued.

A row has a token for each of its bytes at most, so that only long lines are looked at, and of these so many
at most: a large file is answered in seconds, and what is left is checked again when the job begins."""

from collections.abc import Callable, Iterator
from pathlib import Path

from finewright.errors import DataError
from finewright.gateway.errors import ApiError
from finewright.lm.chat import Chat
from finewright.rows.fates import ReadOptions, RowFate, fates
from finewright.schema.train import TrainSettings
from finewright.store.atomic import os_errors

ChatOf = Callable[[str], Chat | None]
"""What a spec names -> its chat, None where that one is not on this machine yet."""
_MOST_LOOKED_AT = 1000
_SHOWN = 5
_ROOM = 2
"""Tokens of a template beside a line's own: as many again as the line has bytes is more than any writes."""


def check_lengths(
    path: Path, filename: str, chat: Chat, settings: TrainSettings, where: str
) -> None:
    """Raise ApiError that names the rows which are too long; `where` is the object of the hyperparameters."""
    if settings.on_overlong != "error":
        return
    found = list(_too_long(path, chat, settings.max_length))
    if not found:
        return
    shown = [f"{filename}:{line}: {n} tokens" for line, n in found[:_SHOWN]]
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    param = f"{where}.max_length"
    what = f"rows are longer than max_length, {settings.max_length} tokens"
    hint = f"raise {param}, or say what happens to them: {where}.on_overlong, drop or truncate"
    raise ApiError("\n".join([what, *shown, *more, hint]), param=param, code="invalid_file")


def _too_long(path: Path, chat: Chat, most: int) -> Iterator[tuple[int, int]]:
    """Lines with more tokens than that, and how many they have."""
    from finewright.lm.encode import encode_example

    lines = _long_lines(path, most // _ROOM)
    if not lines:
        return
    for fate in fates(path, ReadOptions()):
        if not isinstance(fate, RowFate) or fate.row not in lines:
            continue
        try:
            examples = [encode_example(chat, row) for row in fate.rows]
        except DataError:
            continue  # the job says what is wrong with it
        longest = max((s.num_tokens for each in examples for s in each.sequences), default=0)
        if longest > most:
            yield fate.row, longest


def _long_lines(path: Path, most_bytes: int) -> set[int]:
    """The first lines with more bytes than that."""
    found: set[int] = set()
    with os_errors(path), path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if len(line) > most_bytes:
                found.add(number)
                if len(found) == _MOST_LOOKED_AT:
                    break
    return found
