"""`data trace` and `data without`: who added a row, and what is left without a source."""

from pathlib import Path

from finewright.data.provenance import trace as ledger
from finewright.schema.provenance import TraceReport, WithoutReport
from finewright.store.rundir import open_run


def trace(run: Path, row: str) -> TraceReport:
    """Where a row of a run came from, with its proof; `row` is an id, or a place such as train:12."""
    return ledger.trace(open_run(run), row)


def without(run: Path, source: str) -> WithoutReport:
    """The ids of the rows that are left when a source, or a file of one, must go."""
    return ledger.without(open_run(run), source)
