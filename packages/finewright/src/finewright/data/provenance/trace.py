"""Questions to the ledger of a run: who added this row, and what is left without that source?"""

import difflib
import json
from collections.abc import Sequence

from finewright.data.provenance.ledger import (
    LEDGER,
    inclusion_proof,
    merkle_root,
    read_entries,
    read_leaves,
)
from finewright.data.provenance.verify import read_ledger_summary
from finewright.errors import DataError, StoreError
from finewright.schema.common import Problem
from finewright.schema.provenance import LedgerEntry, TraceReport, WithoutReport
from finewright.store.atomic import sha256_file
from finewright.store.manifest import read_manifest
from finewright.store.parents import walk_parents
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
    """The ids to train again on when a source or some rows must go, in their order.

    `source` is a source of the spec, a file in one, or rows by their ids or places with commas between. A
    row that another source says as well stays. What this run does not name is looked for in the runs that it
    builds on, whose rows may train here again; each of them that learned such rows is told. Raises StoreError
    where the ledger is not the one that the report of the run recorded."""
    ancestors = (each.run for each in walk_parents(run))
    parents = [each for each in ancestors if each and not read_manifest(each).is_merge]
    ledgers = [(each, read_entries(_leaves(each))) for each in (run, *parents)]
    own = ledgers[0][1]
    found = ((each, _find_left(entries, source)) for each, entries in ledgers)
    named, left = next(((each, left) for each, left in found if left is not None), (run, None))
    if left is None:
        names = {name for entry in own for name in (entry.source, entry.file)}
        close = difflib.get_close_matches(source, names, n=1)
        hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(sorted(names)[:5])}"
        raise DataError(f"{run.root.name}: no source {source!r} in the ledger", hint=hint)
    gone = {e.id for each, entries in ledgers if each is named for e in entries} - {
        e.id for e in left
    }
    if named is not run:
        old = {sha256_file(each.root / "data" / "train.jsonl") for each in parents}
        left = [e for e in own if not (e.id in gone and e.file_sha256 in old)]
    learned = {
        each.root.name: num
        for each, entries in ledgers[1:]
        if (num := sum(e.split == "train" and e.id in gone for e in entries))
    }
    return _without(run, source, own, left).model_copy(update={"ancestors": learned})


def _find_left(entries: Sequence[LedgerEntry], source: str) -> list[LedgerEntry] | None:
    """The entries without that source or those rows; None where the ledger knows none of the name."""
    if any(source in (e.source, e.file) for e in entries):
        return [e for e in entries if source not in (e.source, e.file)]
    rows = [each.strip() for each in source.split(",")]
    if not all(any(_is_named(e, row) for e in entries) for row in rows):
        return None
    gone = {e.id for e in entries if any(_is_named(e, row) for row in rows)}
    return [e for e in entries if e.id not in gone]


def _without(
    run: RunDir, source: str, entries: Sequence[LedgerEntry], left: Sequence[LedgerEntry]
) -> WithoutReport:
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
        if read_manifest(run).is_merge:
            raise StoreError(
                f"{run.root.name}: a merge of two runs trained on no rows of its own",
                hint="take the rows out of both runs, train them again, then merge anew",
            )
        raise StoreError(f"{path}: this run has no ledger", hint="run the stage 'data' again")
    leaves = read_leaves(path)
    summary = read_ledger_summary(run)
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
