"""The rows that measure: each file of `evaluate.data`, or the held-out share, and how new they are."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from finewright.data.contamination import contamination
from finewright.data.gather import Gathered, measured_share, read_row_set
from finewright.errors import MissingExtra
from finewright.schema.common import Problem
from finewright.schema.duplicates import ContaminationReport
from finewright.schema.evaluate import EvaluateSpec
from finewright.schema.rows import Row


@dataclass(frozen=True, slots=True)
class RowSet:
    """A set of rows under its name; `contamination` is None where nobody could look."""

    name: str
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]
    contamination: ContaminationReport | None


def row_sets(
    spec: EvaluateSpec, gathered: Gathered, resolve: Callable[[str], Path], similarity: float
) -> list[RowSet]:
    """Every set that the run is measured on, compared with the rows that train."""
    if not spec.data:
        rows, problems = measured_share(gathered.eval)
        return [_compared("eval", rows, problems, gathered, similarity)] if gathered.eval else []
    found = []
    for name, item in zip(spec.names(), spec.data, strict=True):
        rows, problems = read_row_set(resolve(item.path), item.limit)
        found.append(_compared(name, rows, problems, gathered, similarity))
    return found


def _compared(
    name: str,
    rows: tuple[Row, ...],
    problems: tuple[Problem, ...],
    gathered: Gathered,
    similarity: float,
) -> RowSet:
    try:
        report, leaked = contamination(gathered.train, name, rows, similarity=similarity)
    except MissingExtra as error:
        message = f"{name} was not compared with the training rows: {error}"
        told = Problem(level="warning", key="evaluate.data", message=message, hint=error.hint)
        return RowSet(name, rows, (*problems, told), None)
    return RowSet(name, rows, (*problems, *leaked), report)
