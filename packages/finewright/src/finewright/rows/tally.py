"""What became of rows, counted: kept, dropped by reason, by type and format, and what must be said."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from finewright.rows.containers.found import ReadRow
from finewright.rows.fates import RowFate
from finewright.rows.formats.columns import has_column
from finewright.rows.notes import Json
from finewright.schema.common import Problem, RowCounts
from finewright.schema.data import DataType
from finewright.schema.listing import Listing
from finewright.schema.rows import Row


class ColumnUse(NamedTuple):
    """What a column of the file is taken for, and whether any row has it."""

    ours: str
    is_met: bool


@dataclass(slots=True)
class Tally:
    """What became of the rows so far: rows in = kept + dropped, each of these under one reason."""

    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    types: Counter[DataType] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    listing: Listing = field(default_factory=Listing)
    columns: dict[str, ColumnUse] = field(default_factory=dict)

    def add(self, item: RowFate | Problem) -> None:
        """Count one more row, or list what must be said of a file."""
        if isinstance(item, Problem):
            self.listing.add(item)
            return
        self.kept += len(item.rows)
        self.dropped.update(item.dropped)
        self.types.update(item.types)
        if item.form:
            self.formats[item.form.family] += 1
        for problem in item.problems:
            self.listing.add(problem)
        self.use_columns(item)

    def use_columns(self, item: RowFate) -> None:
        """Note which of the named columns the row has."""
        data = item.origin.data if isinstance(item.origin, ReadRow) else {}
        for ours, theirs in item.options.columns.items():
            before = self.columns.get(theirs)
            is_met = (before is not None and before.is_met) or has_column(data, theirs)
            self.columns[theirs] = ColumnUse(ours, is_met)

    def unmet(self) -> list[Problem]:
        """Named columns that no row has, where rows are kept all the same, in a form of their own."""
        return [
            Problem(
                level="error",
                key=theirs,
                message=f"no row has this column, which is taken for `{use.ours}`",
                hint="`finewright data show` lists the keys; leave the column out, or name one of them",
            )
            for theirs, use in self.columns.items()
            if self.kept and not use.is_met
        ]

    def problems(self) -> tuple[Problem, ...]:
        """All that is to be said of the rows."""
        return (*self.listing.problems(), *self.unmet())

    def drop(self, reasons: Mapping[str, int]) -> None:
        """Of the kept rows so many do not go on, after all."""
        self.dropped.update(reasons)
        self.kept -= sum(reasons.values())

    def join(self, later: "Tally") -> None:
        """Count the rows of a later part of the same work: all is as if one had read them."""
        self.kept += later.kept
        self.dropped.update(later.dropped)
        self.types.update(later.types)
        self.formats.update(later.formats)
        self.listing.join(later.listing)
        for theirs, use in later.columns.items():
            before = self.columns.get(theirs, use)
            self.columns[theirs] = ColumnUse(use.ours, use.is_met or before.is_met)

    @property
    def rows_in(self) -> int:
        """Rows that were there, usable or not."""
        return self.kept + self.dropped.total()

    def counts(self) -> RowCounts:
        """The counts as a report has them."""
        return RowCounts(rows_in=self.rows_in, rows_kept=self.kept, rows_dropped=dict(self.dropped))

    def to_json(self) -> Json:
        """The tally as it comes from who counted a slice."""
        return {
            "kept": self.kept,
            "dropped": dict(self.dropped),
            "types": dict(self.types),
            "formats": dict(self.formats),
            "listing": self.listing.to_json(),
            "columns": self.columns,
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "Tally":  # Any: free JSON
        """The tally of `to_json`."""
        return cls(
            saved["kept"],
            Counter(saved["dropped"]),
            Counter(saved["types"]),
            Counter(saved["formats"]),
            Listing.from_json(saved["listing"]),
            {theirs: ColumnUse(*use) for theirs, use in saved["columns"].items()},
        )


@dataclass(slots=True)
class UsableRows:
    """The rows that are kept, in memory, and the tally of them all."""

    rows: list[Row] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    def add(self, item: RowFate | Problem) -> None:
        """Take one more."""
        self.tally.add(item)
        if isinstance(item, RowFate):
            self.rows += item.rows


def usable(items: Iterable[RowFate | Problem]) -> UsableRows:
    """The rows of these fates that are kept."""
    found = UsableRows()
    for item in items:
        found.add(item)
    return found
