"""One slice made into a chunk: its rows checked and scanned, with all that duplicates are found by.

A pure function of the slice's bytes and the options, so an engine may run it anywhere, twice, in any
order."""

import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from finewright.data.privacy import apply
from finewright.data.row_warnings import RowWarnings
from finewright.data.scale.repeats import repeat_columns
from finewright.data.scale.slices import Slice, fates_of
from finewright.guard.duplicates.signed import Array
from finewright.rows.containers.found import ReadRow
from finewright.rows.fates import RowFate
from finewright.rows.identity import to_user_json
from finewright.rows.notes import Dropped, Json
from finewright.rows.tally import Tally, UsableRows
from finewright.schema.common import errors_of
from finewright.schema.privacy import FoundType, PrivacyFinding
from finewright.schema.rows import Row
from finewright.schema.scale import FoundCount, PrepareSpec

# Made once: it is called several times a row.
_ENCODER = json.JSONEncoder(ensure_ascii=False)


class Options(NamedTuple):
    """What is done with each slice. Without a `key` of the user's, findings carry no digests."""

    spec: PrepareSpec
    key: bytes
    has_own_key: bool


@dataclass(slots=True)
class SliceTally:
    """What became of the rows of one slice, or of several, and what was found in them."""

    rows: Tally = field(default_factory=Tally)
    num_changed: int = 0
    found: dict[FoundType, FoundCount] = field(default_factory=dict)
    warnings: RowWarnings = field(default_factory=RowWarnings)

    def to_json(self) -> Json:
        """The tally as it lies in a chunk."""
        found = {kind: count.model_dump() for kind, count in self.found.items()}
        return {
            "rows": self.rows.to_json(),
            "num_changed": self.num_changed,
            "found": found,
            "warnings": self.warnings.to_json(),
        }

    def join(self, later: Json) -> None:
        """Add what `to_json` says of the slice that comes after."""
        self.rows.join(Tally.from_json(later["rows"]))
        self.num_changed += later["num_changed"]
        self.warnings.join(later["warnings"])
        for kind, stored in later["found"].items():
            count = FoundCount.model_validate(stored)
            before = self.found.setdefault(kind, count)
            if before is not count:
                sums = {
                    name: getattr(before, name) + getattr(count, name)
                    for name in ("spans", "rows", "retyped")
                }
                self.found[kind] = before.model_copy(update=sums)


def make_chunk(part: Slice, options: Options) -> bytes:
    """The slice as a chunk: one uncompressed .npz without pickled objects.

    It has text lines as bytes, what duplicates are found by in columns, and the counts."""
    read, tally = UsableRows(), SliceTally()
    tally.rows = read.tally
    rejected: list[Json] = []
    for item in fates_of(part):
        read.add(item)
        if isinstance(item, RowFate):
            tally.warnings.add(item.rows)
            rejected += _records_of_rejected(item)
    scanned = _scan_rows(read.rows, options)
    rows = scanned.rows
    tally.rows.drop(Counter(reason for _, reason, _ in scanned.dropped))
    tally.num_changed, tally.found = scanned.num_changed, _counts(scanned.findings)
    # What holds a secret is not written down a second time.
    rejected += (reject(row.file, row.row, reason, [why]) for row, reason, why in scanned.dropped)
    columns = {
        "rows": _lines(to_user_json(row) for row in rows),
        "rejected": _lines(rejected),
        "findings": _lines(_finding(found, options) for found in scanned.findings),
        "places": np.array([row.row for row in rows], np.int64),
        "tally": np.frombuffer(json.dumps(tally.to_json()).encode(), np.uint8),
        **repeat_columns(rows, options.spec.duplicates),
    }
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **columns)
    return buffer.getvalue()


def _records_of_rejected(fate: RowFate) -> Iterator[Json]:
    """The record of a row of which something does not go on."""
    if fate.dropped:
        lines = [problem.line() for problem in errors_of(fate.problems)]
        is_read = isinstance(fate.origin, ReadRow)
        why = lines if is_read else [problem.message for problem in fate.problems]
        count = {"rows": sum(fate.dropped.values())} if is_read else {}
        yield reject(fate.file, fate.row, fate.reason, why) | fate.as_it_stands() | count


class _Scanned(NamedTuple):
    rows: Sequence[Row]
    dropped: Sequence[Dropped]
    findings: Sequence[PrivacyFinding]
    num_changed: int


def _scan_rows(rows: Sequence[Row], options: Options) -> _Scanned:
    personal, secrets = options.spec.personal_data, options.spec.secrets
    if not personal.actions and secrets.action == "off":
        return _Scanned(rows, (), (), 0)
    outcome, report = apply(rows, personal, secrets, options.key)
    return _Scanned(outcome.rows, outcome.dropped, report.findings, report.rows_changed)


def _counts(findings: Sequence[PrivacyFinding]) -> dict[FoundType, FoundCount]:
    spans = Counter(found.type for found in findings)
    rows = Counter(kind for kind, _ in {(found.type, found.row) for found in findings})
    retyped = Counter(found.type for found in findings if found.is_retyped)
    first = {found.type: found for found in reversed(findings)}
    return {
        kind: FoundCount(
            spans=spans[kind],
            rows=rows[kind],
            file=first[kind].file,
            row=first[kind].row,
            retyped=retyped[kind],
        )
        for kind in sorted(spans)
    }


def _finding(found: PrivacyFinding, options: Options) -> Json:
    return found.model_dump(exclude=None if options.has_own_key else {"digest"})


def reject(file: str, row: int | None, reason: str, why: Sequence[str]) -> Json:
    """The record of a row that does not go on; what else is known of the row is added to it."""
    return {"file": file, "row": row, "reason": reason, "why": list(why)}


def _lines(records: Iterator[Json] | Sequence[Json]) -> Array:
    text = "".join(_ENCODER.encode(record) + "\n" for record in records)
    return np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
