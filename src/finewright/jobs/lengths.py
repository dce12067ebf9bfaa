"""Rows that are longer than a job would take, found before it is queued.

A row has a token for each of its bytes at most, so that only long lines are looked at, and of these so many
and so many bytes at most: any file is answered in seconds, and the job itself looks at all."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from finewright.errors import DataError
from finewright.gateway.errors import ApiError
from finewright.lm.chat import Chat
from finewright.rows.containers.lines import Line, json_lines, lines_of
from finewright.rows.containers.manifest import StatedFile
from finewright.rows.containers.rows import as_stated, container_of
from finewright.rows.fates import ReadOptions, RowFate, fates_in
from finewright.schema.train import TrainSettings
from finewright.store.atomic import os_errors
from finewright.train.rows import rows_for

ChatOf = Callable[[str], Chat | None]
"""What a spec names -> its chat, None where that one is not on this machine yet."""
_MOST_LINES, _MOST_BYTES = 1000, 2 << 20
"""How much is looked at: a core turns about a megabyte a second into tokens."""
_SHOWN = 5
_ROOM = 2
"""Tokens of a template beside a line's own: as many again as the line has bytes is more than any writes."""


def check_lengths(
    path: Path, filename: str, chat: Chat, settings: TrainSettings, where: str
) -> None:
    """Raise ApiError that names the rows which are too long; `where` is the object of the hyperparameters."""
    if settings.on_overlong != "error":
        return
    long = long_lines(path, settings.max_length // _ROOM)
    found = list(_too_long(StatedFile(path, filename), long.lines, chat, settings))
    if not found:
        return
    shown = [f"{filename}:{line}: {n} tokens" for line, n in found[:_SHOWN]]
    more = [] if long.is_all else ["and perhaps more, not all long rows were looked at"]
    if len(found) > _SHOWN:
        more = [f"and {'' if long.is_all else 'at least '}{len(found) - _SHOWN} more"]
    param = f"{where}.max_length"
    what = f"rows are longer than max_length, {settings.max_length} tokens"
    hint = f"raise {param}, or say what happens to them: {where}.on_overlong, drop or truncate"
    raise ApiError("\n".join([what, *shown, *more, hint]), param=param, code="invalid_file")


def _too_long(
    part: StatedFile, lines: list[Line], chat: Chat, settings: TrainSettings
) -> Iterator[tuple[int, int]]:
    """Those of the lines that train with more than max_length tokens, and how many they have."""
    from finewright.lm.encode import encode_example

    for fate in row_fates(part, lines):
        try:
            examples = [encode_example(chat, r) for r in rows_for(settings.method, fate.rows).rows]
        except DataError:
            continue  # the job says what is wrong with it
        longest = max((s.num_tokens for each in examples for s in each.sequences), default=0)
        if longest > settings.max_length:
            yield fate.row, longest


def row_fates(part: StatedFile, lines: Iterable[Line]) -> Iterator[RowFate]:
    """The rows that these lines of the file are; what is no row is the job's to refuse."""
    for fate in fates_in(as_stated(json_lines(part.name, lines), part), ReadOptions()):
        if isinstance(fate, RowFate):
            yield fate


class LongLines(NamedTuple):
    """Lines to look at; `is_all`: no other line of the file is long."""

    lines: list[Line]
    is_all: bool


def long_lines(path: Path, most_bytes: int) -> LongLines:
    """The first lines with more bytes than that, as far as they are to be looked at: a thousand, 2 MiB."""
    found: list[Line] = []
    left, is_all = _MOST_BYTES, True
    with os_errors(path):
        for line in lines_of(container_of(StatedFile(path, path.name))[1].chunks):
            if line.content is not None and len(line.content) <= most_bytes:
                continue
            if line.content is None or len(line.content) > left:
                is_all = False
                continue
            if len(found) == _MOST_LINES:
                return LongLines(found, is_all=False)
            found.append(line)
            left -= len(line.content)
    return LongLines(found, is_all)
