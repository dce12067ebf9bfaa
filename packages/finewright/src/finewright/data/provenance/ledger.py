"""The ledger of a run: one line for each row, which says where it came from, and one root over all.

The lines are the leaves of an RFC 6962 Merkle tree, so a row's line can be proved against the root
without the other lines, and no line can be changed, added or left out under the same root.

A Merkle tree over byte strings, hashed as in RFC 6962, section 2.1: what one root can prove.

    leaf hash  = SHA-256(0x00 || leaf)
    node hash  = SHA-256(0x01 || left || right), split at the largest power of two below the size

The prefixes keep a node from being passed off as a leaf. The root of nothing is SHA-256 of nothing."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import ValidationError

from finewright import __version__
from finewright.data.provenance.policy import StatedLicence, file_licence, licence_of, origin_of
from finewright.errors import StoreError
from finewright.rows.identity import canonical
from finewright.schema.data import SourceSpec
from finewright.schema.provenance import LedgerEntry, LedgerSummary
from finewright.schema.rows import Row, write_rows
from finewright.store.atomic import os_errors, sha256_file, write_bytes

LEDGER = "ledger.jsonl"
# The one step of the door that changes what rows say.
_CHANGED = "personal data and secrets replaced"
Split = Literal["train", "eval"]


@dataclass(frozen=True, slots=True)
class SourceRecords:
    """A source of the spec, where it lies, and the digests of its records by (file, row).

    `files` are the files that its rows name; `format` is how they were read."""

    spec: SourceSpec
    path: Path
    records: Mapping[tuple[str, int], str]
    format: str = "jsonl"


def record_digest(record: Mapping[str, Any]) -> str:  # Any: a record as it was read
    """sha256 of a record's canonical JSON, in hex: the same whatever container it lay in."""
    return hashlib.sha256(canonical(dict(record))).hexdigest()


def row_digest(row: Row) -> str:
    """sha256 of the row's line in `train.jsonl`, without its end."""
    return hashlib.sha256(write_rows([row]).rstrip("\n").encode()).hexdigest()


class RowOrigins:
    """What is known of the rows of some sources: the licence of each, and its ledger entry.

    Reads the head of each file once for its licence, and the whole of it for its digest."""

    def __init__(self, sources: Sequence[SourceRecords]) -> None:
        self._sources = {file: source for source in sources for file, _ in source.records}
        self._licenses: dict[str, str] = {}
        self._digests: dict[str, str] = {}

    def source_of(self, row: Row) -> SourceSpec:
        """The source that the row is of."""
        return self._sources[row.file].spec

    def is_held_out(self, row: Row) -> bool:
        """Whether the row's source is one that nothing is trained on."""
        return self.source_of(row).held_out

    def licence_of(self, row: Row) -> StatedLicence:
        """The row's licence, and who named it."""
        if row.file not in self._licenses:
            self._licenses[row.file] = file_licence(Path(row.file))
        return licence_of(row, self._sources[row.file].spec.license, self._licenses[row.file])

    def entry(self, row: Row, split: Split, position: int) -> LedgerEntry:
        """The ledger's line for a row at a position of its split, counted from 1."""
        source = self._sources[row.file]
        if row.file not in self._digests:
            path = Path(row.file)
            self._digests[row.file] = sha256_file(path) if path.is_file() else ""
        said = self.licence_of(row)
        return LedgerEntry(
            split=split,
            position=position,
            id=row.id,
            row_sha256=row_digest(row),
            source=source.spec.path,
            file=name_file(source.spec.path, source.path, row.file),
            file_sha256=self._digests[row.file],
            row=row.row,
            record_sha256=source.records[row.file, row.row],
            license=said.license,
            license_from=said.license_from,
            owner=source.spec.owner,
            collected_at=source.spec.collected_at,
            synthetic_by=source.spec.synthetic_by,
            origin=origin_of(row),
            importer=f"finewright {__version__}, {source.format}",
            id_before=row.id_before or row.id,
            changes=(_CHANGED,) if row.id_before else (),
        )

    def entries(self, train: Sequence[Row], held_out: Sequence[Row]) -> list[LedgerEntry]:
        """The ledger of a run: the rows that train, then those held out, each in its file's order."""
        splits: tuple[tuple[Split, Sequence[Row]], ...] = (("train", train), ("eval", held_out))
        return [
            self.entry(row, split, position)
            for split, rows in splits
            for position, row in enumerate(rows, 1)
        ]


def name_file(spec_path: str, path: Path, file: str) -> str:
    """What a ledger calls a file, in the words of the spec and never by this machine's folders.

    The spec's own path; a file below it; a file beside it, as a manifest names them; else its name below
    the path (a hub's data set, whose files lie in a cache)."""
    inside = Path(file)
    if inside == path:
        return spec_path
    if inside.is_relative_to(path):
        return f"{spec_path.rstrip('/')}/{inside.relative_to(path).as_posix()}"
    if path.is_file() and inside.is_relative_to(path.parent):
        return (PurePosixPath(spec_path).parent / inside.relative_to(path.parent)).as_posix()
    return f"{spec_path.rstrip('/')}/{inside.name}"


def leaf(entry: LedgerEntry) -> bytes:
    """The line of an entry, without its end: canonical JSON, so equal entries are equal bytes."""
    return canonical(entry.model_dump(mode="json"))


def write_ledger(folder: Path, entries: Sequence[LedgerEntry]) -> LedgerSummary:
    """Put `ledger.jsonl` into the data folder of a run; what the report is to say of it."""
    leaves = [leaf(entry) for entry in entries]
    write_bytes(folder / LEDGER, b"".join(line + b"\n" for line in leaves))
    return LedgerSummary(
        path=f"{folder.name}/{LEDGER}",
        rows=len(entries),
        merkle_root=merkle_root(leaves).hex(),
        sources=dict(Counter(entry.source for entry in entries)),
        licenses=dict(Counter(entry.license for entry in entries)),
    )


def read_leaves(path: Path) -> list[bytes]:
    """The lines of a ledger file, as bytes; what stands after the last line's end is one more."""
    with os_errors(path):
        content = path.read_bytes()
    lines = content.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


def read_entries(leaves: Iterable[bytes]) -> list[LedgerEntry]:
    """The entries of a ledger; StoreError names the first line that is none."""
    entries = []
    for number, line in enumerate(leaves, 1):
        try:
            entries.append(LedgerEntry.model_validate(json.loads(line)))
        except (ValueError, ValidationError):
            raise StoreError(
                f"{LEDGER}:{number}: no ledger line", hint="run the stage 'data' again"
            ) from None
    return entries


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256 of a leaf, marked as one."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of two subtrees, marked as a node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """The root over the leaves in their order; memory grows with the logarithm of their number."""
    # Full subtrees from large to small; two of one size become one, as in binary addition.
    subtrees: list[bytes] = []
    for size, leaf in enumerate(leaves, 1):
        subtrees.append(leaf_hash(leaf))
        for _ in range((size & -size).bit_length() - 1):
            right = subtrees.pop()
            subtrees.append(node_hash(subtrees.pop(), right))
    if not subtrees:
        return hashlib.sha256().digest()
    root = subtrees.pop()
    while subtrees:
        root = node_hash(subtrees.pop(), root)
    return root


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The hashes beside the path from leaf `index` to the root, nearest first (RFC 6962, 2.1.1)."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"no leaf {index} in a tree of {len(leaves)}")
    return _path([leaf_hash(leaf) for leaf in leaves], index)


def _path(hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    if len(hashes) == 1:
        return ()
    split = 1 << (len(hashes) - 1).bit_length() - 1
    left, right = hashes[:split], hashes[split:]
    if index < split:
        return (*_path(left, index), _root(right))
    return (*_path(right, index - split), _root(left))


def _root(hashes: Sequence[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return node_hash(_root(hashes[:split]), _root(hashes[split:]))
