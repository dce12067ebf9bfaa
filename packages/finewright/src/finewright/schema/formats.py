"""What `data show` tells: which containers and formats a path has, and the first rows as they become."""

from typing import Any

from finewright.schema.common import Model, Problem, errors_of
from finewright.schema.data import DataType


class FileSeen(Model):
    """A file that was read, and which container it is."""

    path: str
    container: str


class FormatSeen(Model):
    """A format, why rows are taken to have it, and how many do; `unknown` where nothing fits, or two do."""

    format: str
    type: DataType | None
    why: str
    rows: int
    first_row: int


class KeySeen(Model):
    """A key of the rows, in how many it stands, and what its values are there."""

    key: str
    rows: int
    values: dict[str, int]


class ProposalSeen(Model):
    """Columns that could make rows of no known format ours; to be confirmed in the spec, never assumed.

    `line` is how a spec says it, `options` how a command line does."""

    columns: dict[str, str]
    why: str
    line: str
    options: str


class RowSeen(Model):
    """A row of the file, and the training rows that it becomes (none: the problems say why)."""

    file: str
    row: int
    format: str
    becomes: tuple[dict[str, Any], ...]  # Any: free JSON
    problems: tuple[Problem, ...] = ()


class DataShowReport(Model):
    """A path as the data door sees it: rows = all of the formats' rows, unknown ones included.

    `refused` are those of a known format that cannot be used as they are. Where two readings fit, the user
    answers the `question` by one of the `choices`."""

    path: str
    files: tuple[FileSeen, ...]
    rows: int
    unreadable: int
    refused: int = 0
    formats: tuple[FormatSeen, ...]
    keys: tuple[KeySeen, ...]
    proposal: ProposalSeen | None = None
    question: str = ""
    choices: tuple[ProposalSeen, ...] = ()
    first: tuple[RowSeen, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """Is there a row, and can each of them be used, as a type to train on?"""
        can_be_read = self.rows > 0 and not self.unreadable and not self.refused
        is_said = bool(errors_of(self.problems))
        return can_be_read and not is_said and all(seen.type for seen in self.formats)
