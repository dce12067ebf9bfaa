"""Whose rows are whose: the units that differential privacy protects, and what they must be.

A step draws units, not rows. Rows of a unit run side by side and are clipped as one."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from finewright.lm.example import Example
from finewright.schema.common import Problem
from finewright.schema.duplicates import DuplicatesReport
from finewright.schema.rows import Row
from finewright.schema.train import TrainSettings

ROW = "row"


@dataclass(frozen=True, slots=True)
class Unit:
    """Rows that are drawn, packed and clipped together."""

    rows: tuple[Example, ...]

    @property
    def num_tokens(self) -> int:
        """All tokens of its rows."""
        return sum(row.num_tokens for row in self.rows)


class Units(NamedTuple):
    """The units, the rows left out beyond `max_rows_per_unit`, and what is wrong."""

    units: list[Unit]
    left_out: int
    problems: tuple[Problem, ...]


def units_of(spec: TrainSettings, rows: Sequence[Example]) -> Units:
    """Group the rows by the unit that the spec names; without `train.privacy` each row is one.

    An error where rows lack the column, and where a row of one unit says what a row of another does: what
    one of them gives away the other does too, and the bound is of one."""
    privacy = spec.privacy
    if privacy is None or privacy.unit == ROW:
        units = [Unit((row,)) for row in rows]
        return Units(units, 0, tuple(_repeats(units)) if privacy else ())
    if missing := tuple(find_missing(privacy.unit, rows)):
        return Units([Unit((row,)) for row in rows], 0, missing)
    groups: dict[str, list[Example]] = {}
    for row in rows:
        groups.setdefault(json.dumps(row.columns[privacy.unit], sort_keys=True), []).append(row)
    most = privacy.max_rows_per_unit
    units = [Unit(tuple(_draw(name, group, most, spec.seed))) for name, group in groups.items()]
    left_out = sum(max(0, len(group) - most) for group in groups.values())
    return Units(units, left_out, (*_repeats(units), *_left_out(left_out, len(rows), most)))


def _draw(name: str, rows: list[Example], most: int, seed: int) -> list[Example]:
    """At most so many of the rows, in their order."""
    if len(rows) <= most:
        return rows
    kept = random.Random(f"{seed}/unit/{name}").sample(range(len(rows)), most)  # noqa: S311 - no secret
    return [rows[i] for i in sorted(kept)]


def find_missing(column: str, rows: Sequence[Example] | Sequence[Row]) -> Iterator[Problem]:
    """An error where rows have no such column."""
    without = [row for row in rows if row.columns.get(column) in (None, "")]
    if without:
        yield Problem(
            level="error",
            key="train.privacy.unit",
            message=f"{len(without)} of {len(rows)} rows have no column {column!r}, so nobody knows whose"
            " they are",
            hint="name a column that all rows have, or row",
        )


def _repeats(units: Sequence[Unit]) -> Iterator[Problem]:
    owners: dict[tuple[tuple[int, ...], ...], int] = {}
    repeated = 0
    for number, unit in enumerate(units):
        for row in unit.rows:
            says = tuple(sequence.input_ids for sequence in row.sequences)
            repeated += owners.setdefault(says, number) != number
    if repeated:
        yield Problem(
            level="error",
            key="data.duplicates.exact",
            message=f"{repeated} rows say the same as a row of another unit: train.privacy would protect one"
            " copy, and k copies spend k times the epsilon",
            hint="set data.duplicates.exact to drop",
        )


def near_repeats(spec: TrainSettings, report: DuplicatesReport | None) -> list[Problem]:
    """An error where `train.privacy` is asked for and rows that nearly repeat others still train; a warning
    where nobody looked."""
    if spec.privacy is None:
        return []
    key = "data.duplicates.near"
    if report is None:
        what = "nobody looked for repeats: rows that say the same spend the epsilon more than once"
        return [Problem(level="warning", key=key, message=what, hint="set it to drop")]
    left = sum(report.found.values()) - sum(report.rows_dropped.values())
    if left <= 0:
        return []
    message = (
        f"{left} rows say what an earlier row says, or nearly: train.privacy would protect one of them, and k"
        " of them together spend k times the epsilon"
    )
    return [Problem(level="error", key=key, message=message, hint="set exact and near to drop")]


def _left_out(left_out: int, rows: int, most: int) -> Iterator[Problem]:
    if left_out:
        yield Problem(
            level="warning",
            key="train.privacy.max_rows_per_unit",
            message=f"{left_out} of {rows} rows do not train: a unit gives {most} at most",
            hint="raise it to train on more, at more memory a step",
        )
