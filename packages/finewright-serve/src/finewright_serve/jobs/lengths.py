"""Rows that are longer than a job would take, found before it is queued.

A row has a token for each of its bytes at most, so that only long lines are looked at, and of these so many
and so many bytes at most: any file is answered in seconds, and the job itself looks at all."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from finewright.errors import DataError
from finewright.lm.chat import Chat
from finewright.rows.containers.card import StatedFile
from finewright.rows.containers.lines import Line, json_lines, lines_of
from finewright.rows.fates import ReadOptions, RowFate, fates_in
from finewright.rows.read import as_stated, container_of
from finewright.schema.train import TrainSettings
from finewright.store.atomic import os_errors
from finewright.train.rows import rows_for
from finewright_serve.gateway.errors import ApiError

ChatOf = Callable[[str], Chat | None]
"""What a spec names -> its chat, None where that one is not on this machine yet."""
_MOST_LINES, _MOST_BYTES = 1000, 2 << 20
"""How much is looked at: a core turns about a megabyte a second into tokens."""
_SHOWN = 5
_ROOM = 2
"""Tokens of a template beside a line's own: as many again as the line has bytes is more than any writes."""


def fitting_bytes(settings: TrainSettings) -> int:
    """A line of so many bytes is a row that is not too long, whatever is in it."""
    return settings.max_length // _ROOM


def check_lengths(
    part: StatedFile, long: "LongLines", chat: Chat, settings: TrainSettings, where: str
) -> None:
    """Raise ApiError that names the rows which are too long, of the lines beyond `fitting_bytes`; `where` is
    the object of the hyperparameters."""
    if settings.on_overlong != "error":
        return
    found = list(_too_long(part, long.lines, chat, settings))
    if not found:
        return
    shown = [f"{part.name}:{line}: {n} tokens" for line, n in found[:_SHOWN]]
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


@dataclass(slots=True)
class LongLines:
    """The first lines with more than `most_bytes`, as far as they are to be looked at: a thousand, 2 MiB.
    `is_all`: no other line of the file is long."""

    most_bytes: int
    lines: list[Line] = field(default_factory=list)
    is_all: bool = True
    _left: int = _MOST_BYTES

    @property
    def is_full(self) -> bool:
        """Would no other line be taken?"""
        return not self.is_all and len(self.lines) == _MOST_LINES

    def add(self, line: Line) -> None:
        """Take the line, if it is one of them."""
        content = line.content
        if content is not None and len(content) <= self.most_bytes:
            return
        if content is None or len(content) > self._left or len(self.lines) == _MOST_LINES:
            self.is_all = False
            return
        self.lines.append(line)
        self._left -= len(content)


def long_lines(path: Path, *most_bytes: int) -> list[LongLines]:
    """The lines of the file that are longer than each of the bounds; it is read once for all."""
    found = [LongLines(each) for each in most_bytes]
    with os_errors(path):
        for line in lines_of(container_of(StatedFile(path, path.name))[1].chunks):
            for each in found:
                each.add(line)
            if all(each.is_full for each in found):
                break
    return found
