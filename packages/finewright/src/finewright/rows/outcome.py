"""What a check of the door leaves: the rows that go on, and those that do not, each with its reason."""

from dataclasses import dataclass
from typing import NamedTuple

from finewright.schema.common import Problem
from finewright.schema.rows import Row


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
