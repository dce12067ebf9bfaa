"""Questions to the ledger of a run: who added this row, and what is left without that source?"""

import difflib
import json
from collections.abc import Sequence

from finewright.data.provenance.ledger import LEDGER, read_entries, read_leaves
from finewright.data.provenance.merkle import inclusion_proof, merkle_root
from finewright.data.provenance.verify import recorded
from finewright.errors import DataError, StoreError
from finewright.schema.common import Problem
from finewright.schema.provenance import LedgerEntry, TraceReport, WithoutReport
from finewright.store.rundir import RunDir


def trace(run: RunDir, row: str) -> TraceReport:
    """Who added a row, named by its id, or by its place: 12, train:12, eval:3.

    A repeat has several entries. Each comes with the proof that the root covers it. Raises StoreError where
    the ledger is not the one that the report of the run recorded."""
    leaves = _leaves(run)
    entries = read_entries(leaves)
    found = [i for i, entry in enumerate(entries) if _is_named(entry, row)]
    if not found:
        raise DataError(f"{run.root.name}: no row {row!r} in the ledger", hint=_near(entries))
    return TraceReport(
        run=run.root.name,
        entries=tuple(entries[i] for i in found),
        merkle_root=merkle_root(leaves).hex(),
        proofs=tuple(tuple(h.hex() for h in inclusion_proof(leaves, i)) for i in found),
    )


def without(run: RunDir, source: str) -> WithoutReport:
    """The ids to train again on when a source must go, in their order.

    `source` is a source of the spec, or a file in one. A row that another source says as well stays. Raises
    StoreError where the ledger is not the one that the report of the run recorded."""
    entries = read_entries(_leaves(run))
    names = {name for entry in entries for name in (entry.source, entry.file)}
    if source not in names:
        close = difflib.get_close_matches(source, names, n=1)
        hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(sorted(names)[:5])}"
        raise DataError(f"{run.root.name}: no source {source!r} in the ledger", hint=hint)
    left = [entry for entry in entries if source not in (entry.source, entry.file)]
    return WithoutReport(
        run=run.root.name,
        source=source,
        rows_removed=len(entries) - len(left),
        train=tuple(entry.id for entry in left if entry.split == "train"),
        eval=tuple(entry.id for entry in left if entry.split == "eval"),
    )


def _leaves(run: RunDir) -> list[bytes]:
    path = run.root / "data" / LEDGER
    if not path.is_file():
        raise StoreError(f"{path}: this run has no ledger", hint="run the stage 'data' again")
    leaves = read_leaves(path)
    summary = recorded(run)
    if isinstance(summary, Problem) or summary.merkle_root != merkle_root(leaves).hex():
        raise StoreError(
            f"{path}: the ledger is not the one that was recorded",
            hint=f"finewright verify {run.root} says what changed",
        )
    return leaves


def _is_named(entry: LedgerEntry, row: str) -> bool:
    place = f"{entry.split}:{entry.position}"
    return row in (entry.id, place) or (entry.split == "train" and row == str(entry.position))


def _near(entries: Sequence[LedgerEntry]) -> str:
    example = json.dumps(entries[0].id) if entries else "none: the ledger is empty"
    return f"name an id such as {example}, or a place such as train:1 or eval:1"
