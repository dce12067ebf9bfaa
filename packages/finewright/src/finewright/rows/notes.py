"""What is wrong with one row, in words: the notes that every check of it writes to; and what a check of many
leaves: the rows that go on, and those that do not, each with its reason."""

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from finewright.schema.common import Problem
from finewright.schema.rows import Row

Json = dict[str, Any]  # Any: a row is free JSON until it has passed

_LONGEST_SHOWN = 40


@dataclass(slots=True)
class RowNotes:
    """What is wrong with one row."""

    file: str
    row: int
    problems: list[Problem] = field(default_factory=list)
    has_error: bool = False

    def error(self, key: str, message: str, hint: str = "") -> None:
        """The row cannot be used."""
        self.has_error = True
        self._say("error", key, message, hint)

    def warning(self, key: str, message: str, hint: str = "") -> None:
        """The row is used, and its owner may not mean it so."""
        self._say("warning", key, message, hint)

    def info(self, key: str, message: str, hint: str = "") -> None:
        """The row is used as it stands."""
        self._say("info", key, message, hint)

    def _say(
        self, level: Literal["error", "warning", "info"], key: str, message: str, hint: str
    ) -> None:
        self.problems.append(
            Problem(level=level, file=self.file, row=self.row, key=key, message=message, hint=hint)
        )


class Turn(NamedTuple):
    """A message and the key it stands at."""

    key: str
    message: Json


def kind_of_json(value: object) -> str:
    """What a user calls such a value."""
    if value is None:
        return "null"
    names = {list: "a list", dict: "an object", str: "text", bool: "a boolean"}
    return names.get(type(value), "a number")


def show_value(value: object) -> str:
    """The value as Python writes it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


class Dropped(NamedTuple):
    """A row that does not go on: a reason to count it under, such as `near_duplicate`, and why."""

    row: Row
    reason: str
    why: str


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """Rows in = rows kept + rows dropped. Kept rows may be changed; then they have another id."""

    rows: tuple[Row, ...]
    dropped: tuple[Dropped, ...] = ()
    problems: tuple[Problem, ...] = ()
