"""The files that go out: rows that are kept, the others with their reasons, and what was found where."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from finewright.data.duplicates import REASONS
from finewright.data.scale.chunk import reject
from finewright.data.scale.columns import RowPlaces
from finewright.data.scale.repeats import Repeats
from finewright.schema.common import Artifact
from finewright.schema.duplicates import DuplicateRow, how_alike, round_share
from finewright.store.atomic import os_errors, sha256_file

ROWS, REJECTED, FINDINGS, REPEATS = (
    "rows.jsonl",
    "rejected.jsonl",
    "findings.jsonl",
    "repeats.jsonl",
)
_MOST_SHOWN = 20
_KINDS = {ROWS: "rows", REJECTED: "rejected rows", FINDINGS: "findings", REPEATS: "repeats"}


class Joined(NamedTuple):
    """All chunks with what was found between them; `files` names each chunk's file."""

    chunks: Sequence[Path]
    files: Sequence[str]
    places: RowPlaces
    repeats: Repeats


def write_files(joined: Joined, out: Path) -> Counter[str]:
    """Write the four files to `out`, chunk after chunk, and count what was left out as a repeat."""
    dropped: Counter[str] = Counter()
    with (
        os_errors(out),
        _open(out, ROWS) as rows,
        _open(out, REJECTED) as rejected,
        _open(out, FINDINGS) as findings,
        _open(out, REPEATS) as repeats,
    ):
        for i in range(len(joined.repeats.rows)):
            repeats.write(f"{json.dumps(_example(joined, i).model_dump())}\n".encode())
        for number, path in enumerate(joined.chunks):
            with np.load(path) as chunk:
                findings.write(chunk["findings"].tobytes())
                rejected.write(chunk["rejected"].tobytes())
                text = chunk["rows"].tobytes()
            gone = _find_dropped(joined, number)
            for i, line in enumerate(text.split(b"\n")[:-1]):
                if i in gone:
                    reason, record = _repeat(joined, gone[i], line)
                    dropped[reason] += 1
                    rejected.write(record)
                else:
                    rows.write(line + b"\n")
        for file in (rows, rejected, findings, repeats):
            file.flush()
            os.fsync(file.fileno())
    return dropped


def examples(joined: Joined) -> Iterator[DuplicateRow]:
    """The first repeats of each kind; REPEATS has all."""
    repeats = joined.repeats
    for flag in (True, False):
        for i in np.flatnonzero(repeats.is_exact == flag)[:_MOST_SHOWN].tolist():
            yield _example(joined, i)


def _example(joined: Joined, i: int) -> DuplicateRow:
    repeats = joined.repeats
    file, row = _place(joined, int(repeats.rows[i]))
    of_file, of_row = _place(joined, int(repeats.of[i]))
    return DuplicateRow(
        kind=repeats.kind(i),
        file=file,
        row=row,
        of_file=of_file,
        of_row=of_row,
        similarity=round_share(float(repeats.similarity[i])),
        dropped=bool(repeats.dropped[i]),
    )


def artifacts(out: Path) -> tuple[Artifact, ...]:
    """The written files, by name, with their digests."""
    return tuple(
        Artifact(
            path=name,
            kind=kind,
            sha256=sha256_file(out / name),
            bytes=(out / name).stat().st_size,
        )
        for name, kind in _KINDS.items()
    )


def _open(out: Path, name: str) -> BinaryIO:
    return (out / name).open("wb")


def _find_dropped(joined: Joined, number: int) -> dict[int, int]:
    """Of one chunk: the row in it -> its place among the repeats, for those that do not go on."""
    repeats, offsets = joined.repeats, joined.places.offsets
    start, end = np.searchsorted(repeats.rows, offsets[number : number + 2])
    here = np.arange(start, end)[repeats.dropped[start:end]]
    return {int(repeats.rows[i] - offsets[number]): int(i) for i in here}


def _repeat(joined: Joined, i: int, line: bytes) -> tuple[str, bytes]:
    repeats = joined.repeats
    file, row = _place(joined, int(repeats.rows[i]))
    of_file, of_row = _place(joined, int(repeats.of[i]))
    much = how_alike(repeats.kind(i), float(repeats.similarity[i]))
    reason = REASONS[repeats.kind(i)]
    head = json.dumps(
        reject(file, row, reason, [f"repeats {of_file}:{of_row}{much}"]), ensure_ascii=False
    )
    # The row's line is JSON already.
    return reason, head[:-1].encode() + b', "data": ' + line + b"}\n"


class _Place(NamedTuple):
    file: str
    row: int


def _place(joined: Joined, i: int) -> _Place:
    places = joined.places
    return _Place(joined.files[places.chunk_of(i)], int(places.rows[i]))
