"""The chain raw file -> ledger -> training row -> Merkle root, checked link by link."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from finewright.data.provenance.ledger import (
    LEDGER,
    Split,
    leaf,
    merkle_root,
    read_leaves,
    record_digest,
)
from finewright.rows.read import ReadRow, read_rows
from finewright.schema.canaries import CANARY_SOURCE
from finewright.schema.common import Problem
from finewright.schema.provenance import LedgerEntry, LedgerSummary
from finewright.store.atomic import os_errors, sha256_file
from finewright.store.rundir import RunDir

_MOST_NAMED = 20
_AGAIN = "run the stage 'data' again, or restore the file from a copy"
_FILES: tuple[tuple[Split, str], ...] = (("train", "train.jsonl"), ("eval", "eval.jsonl"))

ReadRecords = Callable[[Path], Iterable[ReadRow]]


def verify_chain(
    run: RunDir,
    resolve: Callable[[str], Path],
    read_records: ReadRecords = lambda path: read_rows(path).rows,
) -> list[Problem]:
    """What is broken in the chain of a run whose data stage has ended.

    A changed raw file, ledger line or row is an error that names it; a raw file that is not there is
    a warning. `resolve` finds the files that the spec names; `read_records` reads a changed one, to
    say which records differ. Does not notice when all of raw file, ledger, rows and report were
    rewritten to fit each other: keep the root elsewhere. Does not make the rows anew from the file."""
    summary = read_ledger_summary(run)
    if isinstance(summary, Problem):
        return [summary]
    path = run.root / "data" / LEDGER
    if not path.is_file():
        return [_error(_name_in_run(LEDGER), None, "missing", _AGAIN)]
    leaves = read_leaves(path)
    entries, problems = _entries(leaves)
    if not problems:
        problems = _root(path, leaves, summary)
    for split, name in _FILES:
        problems += _check_rows(run, name, [entry for entry in entries if entry.split == split])
    return problems + _raw_files(entries, resolve, read_records)


def read_ledger_summary(run: RunDir) -> LedgerSummary | Problem:
    """What the report says of the ledger. Read as plain JSON: reports before the ledger lack it."""
    path = run.report_path("data")
    try:
        with os_errors(path):
            report = json.loads(path.read_bytes())
        if report.get("ledger") is None:
            message = "the data stage kept no ledger, so no row can be traced"
            return Problem(
                level="warning", file="data/report.json", message=message, hint="run it again"
            )
        return LedgerSummary.model_validate(report["ledger"])
    except (ValueError, AttributeError, ValidationError):
        return _error("data/report.json", None, "damaged", _AGAIN)


def _entries(leaves: Sequence[bytes]) -> tuple[list[LedgerEntry], list[Problem]]:
    entries, problems = [], []
    for number, line in enumerate(leaves, 1):
        entry = _entry(line)
        if entry is None:
            problems.append(_error(_name_in_run(LEDGER), number, "changed: no ledger line", _AGAIN))
        else:
            entries.append(entry)
    return entries, problems


def _entry(line: bytes) -> LedgerEntry | None:
    """The entry of a line; None for what is none, or is not written as `leaf` writes it."""
    try:
        entry = LedgerEntry.model_validate(json.loads(line))
    except (ValueError, ValidationError):
        return None
    return entry if leaf(entry) == line else None


def _root(path: Path, leaves: Sequence[bytes], summary: LedgerSummary) -> list[Problem]:
    found = merkle_root(leaves).hex()
    if found != summary.merkle_root:
        message = (
            f"changed: {len(leaves)} lines with the root {found}, "
            f"recorded {summary.rows} with {summary.merkle_root}"
        )
        return [_error(_name_in_run(LEDGER), None, message, _AGAIN)]
    with os_errors(path):
        whole = path.read_bytes()
    if whole != b"".join(line + b"\n" for line in leaves):
        return [
            _error(_name_in_run(LEDGER), len(leaves), "changed: its last line has no end", _AGAIN)
        ]
    return []


def _check_rows(run: RunDir, name: str, entries: Sequence[LedgerEntry]) -> list[Problem]:
    path = run.root / "data" / name
    if not path.is_file():
        return [_error(_name_in_run(name), None, "missing", _AGAIN)] if entries else []
    with os_errors(path):
        lines = path.read_bytes().split(b"\n")
    problems = list(_differing(name, lines[:-1] if lines[-1] == b"" else lines, entries))
    if lines[-1] != b"" and not problems:
        problems.append(
            _error(_name_in_run(name), len(lines), "changed: its last line has no end", _AGAIN)
        )
    return _cap_problems(problems, _name_in_run(name))


def _why(moved: LedgerEntry | None, entry: LedgerEntry | None) -> str:
    """What is wrong with a row that the ledger has elsewhere, or not at all; `entry` is what it has there."""
    if moved:
        return f"moved: the ledger has this row at {moved.position}"
    here = f", which has row {entry.id} of {entry.file}:{entry.row} here" if entry else ""
    return f"this row is not in the ledger{here}"


def _differing(
    name: str, lines: Sequence[bytes], entries: Sequence[LedgerEntry]
) -> Iterator[Problem]:
    recorded = {entry.row_sha256: entry for entry in entries}
    by_position = {entry.position: entry for entry in entries}
    for number, line in enumerate(lines, 1):
        digest = hashlib.sha256(line).hexdigest()
        entry = by_position.get(number)
        if entry is not None and entry.row_sha256 == digest:
            continue
        yield _error(_name_in_run(name), number, _why(recorded.get(digest), entry), _AGAIN)
    for entry in entries:
        if entry.position > len(lines):
            message = f"missing: row {entry.id} of {entry.file}:{entry.row}, which the ledger has"
            yield _error(_name_in_run(name), entry.position, message, _AGAIN)


def _raw_files(
    entries: Sequence[LedgerEntry], resolve: Callable[[str], Path], read_records: ReadRecords
) -> list[Problem]:
    by_file: dict[str, list[LedgerEntry]] = {}
    for entry in entries:
        by_file.setdefault(entry.file, []).append(entry)
    problems = []
    by_file.pop(CANARY_SOURCE, None)  # made by the run, of no file
    for file, of_file in by_file.items():
        path = resolve(file)
        recorded = of_file[0].file_sha256
        if not path.is_file() or not recorded:
            message = f"cannot be checked: the raw file of {len(of_file)} rows is not there"
            hint = "put it back where the spec names it"
            problems.append(Problem(level="warning", file=file, message=message, hint=hint))
            continue
        found = sha256_file(path)
        if found != recorded:
            message = f"changed: recorded sha256 {recorded}, found {found}"
            hint = "restore the file from a copy, or make a new run of what it says"
            problems.append(_error(file, None, message, hint))
            problems += _records(file, of_file, read_records(path))
    return problems


def _records(
    file: str, entries: Sequence[LedgerEntry], records: Iterable[ReadRow]
) -> list[Problem]:
    """The records of a changed file that rows were made from, and that are no more what they were."""
    found = {record.row: record_digest(record.data) for record in records}
    hint = "this row was trained as it was before"
    problems = [
        _error(
            file,
            entry.row,
            "gone or unreadable" if entry.row not in found else "changed: the record differs",
            hint,
        )
        for entry in entries
        if found.get(entry.row) != entry.record_sha256
    ]
    return _cap_problems(problems, file)


def _cap_problems(problems: list[Problem], file: str) -> list[Problem]:
    more = len(problems) - _MOST_NAMED
    if more <= 0:
        return problems
    return [
        *problems[:_MOST_NAMED],
        _error(file, None, f"and {more} more rows like these", _AGAIN),
    ]


def _name_in_run(name: str) -> str:
    return f"data/{name}"


def _error(file: str, row: int | None, message: str, hint: str) -> Problem:
    return Problem(level="error", file=file, row=row, message=message, hint=hint)
