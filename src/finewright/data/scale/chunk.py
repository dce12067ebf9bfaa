"""One slice made into a chunk: its rows checked and scanned, with all that duplicates are found by.

A pure function of the slice's bytes and the options, so an engine may run it anywhere, twice, in any
order."""

import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.data.check import asked_of
from finewright.data.scale.slices import Slice, found_in
from finewright.data.validate import Asked, checked
from finewright.guard.controls import ControlTokens
from finewright.guard.duplicates.minhash import (
    NUM_HASHES,
    band_hashes,
    bands_for,
    signatures,
)
from finewright.guard.duplicates.words import Wordings, wordings
from finewright.guard.privacy.apply import apply
from finewright.rows.containers.found import ReadRow, Unread, raw_of
from finewright.rows.formats.table import family_named
from finewright.rows.user_rows import to_user_json
from finewright.schema.listing import Listing
from finewright.schema.privacy import Finding, FoundType
from finewright.schema.rows import Row
from finewright.schema.scale import FoundCount, Listed, NotListed, PrepareSpec, SliceTally

Json = dict[str, Any]  # Any: free JSON
Array = NDArray[Any]  # Any: of the type its name says


class Options(NamedTuple):
    """What is done with each slice. Without a `key` of the user's, findings carry no digests."""

    spec: PrepareSpec
    key: bytes
    has_own_key: bool


class Chunk(NamedTuple):
    """What a slice became: text lines as bytes, what duplicates are found by in columns, and the counts."""

    columns: dict[str, Array]
    tally: SliceTally

    def to_bytes(self) -> bytes:
        """As one uncompressed .npz, without pickled objects."""
        buffer = io.BytesIO()
        tally = np.frombuffer(self.tally.model_dump_json().encode(), np.uint8)
        np.savez(buffer, allow_pickle=False, tally=tally, **self.columns)
        return buffer.getvalue()


def made_of(part: Slice, options: Options) -> bytes:
    """The slice as a chunk's bytes."""
    spec = options.spec
    asked = Asked(spec.type, family_named(spec.format) or "auto", spec.columns)
    reading = _Reading(asked_of(part.part, asked))
    for found in found_in(part):
        reading.add(found)
    scanned = _scanned(reading, options)
    rows, worded = scanned.rows, wordings(scanned.rows)
    columns = {
        "rows": _lines(to_user_json(row) for row in rows),
        "rejected": _lines(reading.rejected),
        "findings": _lines(_finding(found, options) for found in scanned.findings),
        "places": np.array([row.row for row in rows], np.int64),
        "ids": np.array([int(row.id, 16) for row in rows], np.uint64),
        **_near(worded, options),
    }
    return Chunk(columns, _tally(reading, scanned)).to_bytes()


@dataclass(slots=True)
class _Reading:
    """The usable rows so far, and what became of the others."""

    asked: Asked
    rows: list[Row] = field(default_factory=list)
    rejected: list[Json] = field(default_factory=list)
    listing: Listing = field(default_factory=Listing)
    dropped: Counter[str] = field(default_factory=Counter)
    controls: ControlTokens = field(default_factory=ControlTokens)
    types: Counter[Any] = field(default_factory=Counter)  # Any: DataType

    def add(self, found: object) -> None:
        if isinstance(found, ReadRow):
            self._check(found)
        elif isinstance(found, Unread):
            problem = found.problem
            self.dropped["unreadable"] += 1
            self.listing.add(problem)
            raw = raw_of(found.content)
            self.rejected.append(
                reject(problem.file, problem.row, "unreadable", [problem.message]) | raw
            )
        else:
            self.listing.add(found)  # type: ignore[arg-type] # the third of what reading gives

    def _check(self, row: ReadRow) -> None:
        result = checked(row, self.asked)
        self.rows += result.rows
        for usable in result.rows:
            self.controls.add(usable)
        self.types.update(result.types)
        self.dropped.update(result.dropped)
        for problem in result.problems:
            self.listing.add(problem)
        if result.dropped:
            reasons = [p.line() for p in result.problems if p.level == "error"]
            reason = next(iter(result.dropped))
            told = {"data": row.data, "rows": sum(result.dropped.values())}
            self.rejected.append(reject(row.file, row.row, reason, reasons) | told)


class _Scanned(NamedTuple):
    rows: Sequence[Row]
    findings: Sequence[Finding]
    num_changed: int


def _scanned(reading: _Reading, options: Options) -> _Scanned:
    personal, secrets = options.spec.personal_data, options.spec.secrets
    if personal.action == secrets.action == "off":
        return _Scanned(reading.rows, (), 0)
    outcome, report = apply(reading.rows, personal, secrets, options.key)
    for row, reason, why in outcome.dropped:
        reading.dropped[reason] += 1
        # What holds a secret is not written down a second time.
        reading.rejected.append(reject(row.file, row.row, reason, [why]))
    return _Scanned(outcome.rows, report.findings, report.rows_changed)


def _near(worded: Wordings, options: Options) -> dict[str, Array]:
    """The columns that near-duplicates are found by; of a row the words, so that the check is exact."""
    texts = {"texts": worded.texts, "facts": worded.facts}
    if options.spec.duplicates.near == "off":
        return texts
    bands = bands_for(options.spec.duplicates.similarity)
    signed = signatures(worded)
    parts = [signed[i * bands.size : (i + 1) * bands.size] for i in range(bands.number)]
    hashed = [band_hashes(part, worded.keys) for part in parts]
    return texts | {
        "keys": worded.keys,
        "words": worded.words,
        "starts": worded.starts,
        "answers": worded.answers,
        "bands": np.stack(hashed) if hashed else np.empty((0, len(worded)), np.uint64),
        # The lowest byte of each hash: enough to tell unlike rows (Li and König 2010, b-bit minwise hashing).
        "sketch": np.ascontiguousarray(signed.T.astype(np.uint8)).reshape(-1, NUM_HASHES),
    }


def _tally(reading: _Reading, scanned: _Scanned) -> SliceTally:
    return SliceTally(
        rows_in=len(scanned.rows) + reading.dropped.total(),
        rows_kept=len(scanned.rows),
        rows_changed=scanned.num_changed,
        rows_dropped=dict(reading.dropped),
        types=dict(reading.types),
        found=_counts(scanned.findings),
        problems=tuple(
            Listed(problem=problem, number=number) for problem, number in reading.listing.counted()
        ),
        more=tuple(
            NotListed(file=file, level=level, count=count)
            for (file, level), count in reading.listing.more.items()
        ),
        controls=tuple(reading.controls.seen.values()),
    )


def _counts(findings: Sequence[Finding]) -> dict[FoundType, FoundCount]:
    spans = Counter(found.type for found in findings)
    rows = Counter(kind for kind, _ in {(found.type, found.row) for found in findings})
    first = {found.type: found for found in reversed(findings)}
    return {
        kind: FoundCount(
            spans=spans[kind], rows=rows[kind], file=first[kind].file, row=first[kind].row
        )
        for kind in sorted(spans)
    }


def _finding(found: Finding, options: Options) -> Json:
    return found.model_dump(exclude=None if options.has_own_key else {"digest"})


def reject(file: str, row: int | None, reason: str, why: Sequence[str]) -> Json:
    """The record of a row that does not go on; what else is known of the row is added to it."""
    return {"file": file, "row": row, "reason": reason, "why": list(why)}


def _lines(records: Iterator[Json] | Sequence[Json]) -> Array:
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    return np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
