"""Lines that each hold the hash of the one before, and whose heads are signed: none is changed unseen.

    {"n": 2, "at": "...", "prev": HASH OF LINE 1, ..., "hash": SHA-256 of this line without `hash`}

A head is a line of the kind `head` with an Ed25519 signature of its number and of the hash before it; the
newest one lies beside the file too. Covered: a line that is changed, deleted, moved or added, and a file that
is cut at either end, back to its newest head. Not covered: who acts as the user that signs; and lines after
the newest head that are cut off, which a kill leaves as well."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from finewright.errors import DataError
from finewright.store.atomic import os_errors
from finewright.store.signing import Signature, is_signed

NONE_BEFORE = "0" * 64
_END = re.compile(rb',"hash":"([0-9a-f]{64})"}\n')
_END_BYTES = len(',"hash":""}\n') + 64
_FIRST_LOOK = 64 * 1024


class Link(NamedTuple):
    """Where a chain stands: its last line's number and hash."""

    number: int = 0
    hash: str = NONE_BEFORE


class Break(NamedTuple):
    """The first line that is not as it was written, and what is wrong with it."""

    line: int
    why: str


class AuditLine(NamedTuple):
    """A line that is whole in itself."""

    link: Link
    prev: str
    fields: Mapping[str, Any]  # Any: JSON
    raw: bytes


def line_of(before: Link, at: str, fields: Mapping[str, Any]) -> tuple[bytes, Link]:
    """The next line, and where the chain stands with it."""
    record = {"n": before.number + 1, "at": at, "prev": before.hash, **fields}
    body = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    digest = hashlib.sha256(body).hexdigest()
    return body[:-1] + f',"hash":"{digest}"}}\n'.encode(), Link(before.number + 1, digest)


def signed_part(before: Link) -> bytes:
    """What a head signs."""
    return f"finewright audit head {before.number} {before.hash}".encode()


def head_fields(before: Link, signature: Signature) -> dict[str, Any]:
    """Of the line that is the head of a chain which stands there."""
    return {"kind": "head", "key": signature.key, "signature": signature.value}


def head_path(path: Path) -> Path:
    """Where the newest head lies."""
    return path.with_name(f"{path.stem}.head.json")


def older_path(path: Path, first: int) -> Path:
    """What an audit's file is called once another one has begun: by the number of its first line."""
    return path.with_name(f"{path.stem}.{first:012d}{path.suffix}")


def older_paths(path: Path) -> list[Path]:
    """The files before the one that is written, the oldest first."""
    return sorted(path.parent.glob(f"{path.stem}.{'[0-9]' * 12}{path.suffix}"))


def lines_of(files: Iterable[Path]) -> Iterator[bytes]:
    """The lines of all files, in order."""
    for each in files:
        with os_errors(each), each.open("rb") as file:
            yield from file


def read_line(raw: bytes) -> AuditLine | str:
    """The line, or what is wrong with it."""
    match = _END.fullmatch(raw[-_END_BYTES:])
    if match is None:
        return "it ends in the middle" if not raw.endswith(b"\n") else "it has no hash"
    body = raw[:-_END_BYTES] + b"}"
    if hashlib.sha256(body).hexdigest().encode() != match[1]:
        return "it was changed: its hash is of another line"
    try:
        fields = json.loads(body)
        link = Link(int(fields["n"]), match[1].decode())
        return AuditLine(link, str(fields["prev"]), fields, raw)
    except (ValueError, KeyError, TypeError, RecursionError):
        return "it is no line of an audit"


def checked_lines(lines: Iterable[bytes], *, is_part: bool = False) -> Iterator[AuditLine | Break]:
    """Each line as it follows from those before, until one does not. With `is_part` the first one may follow
    any."""
    before: Link | None = None if is_part else Link()
    for number, raw in enumerate(lines, 1):
        line = read_line(raw)
        why = line if isinstance(line, str) else _why_not_next(line, before)
        if isinstance(line, str) or why:
            yield Break(number, why)
            return
        yield line
        before = line.link


def _why_not_next(line: AuditLine, before: Link | None) -> str:
    if before is not None and line.link.number != before.number + 1:
        return f"line {before.number + 1} should be here, and it is line {line.link.number}"
    if before is not None and line.prev != before.hash:
        return "it does not follow the line before it, which was changed"
    if line.fields.get("kind") == "head" and not is_head_signed(line):
        return "its signature is not of this chain"
    return ""


def is_head_signed(line: AuditLine) -> bool:
    """Did the key that the head names sign it?"""
    try:
        signature = Signature(key=line.fields["key"], value=line.fields["signature"])
    except (ValueError, KeyError):
        return False
    return is_signed(signed_part(Link(line.link.number - 1, line.prev)), signature)


def last_line(file: BinaryIO) -> AuditLine | str | None:
    """The last line of a file, or what is wrong with it; None where there is none."""
    size, look = file.seek(0, 2), _FIRST_LOOK
    while size:
        file.seek(max(0, size - look))
        tail = file.read()
        begin = tail.rfind(b"\n", 0, len(tail) - 1)
        if begin >= 0 or look >= size:
            return read_line(tail[begin + 1 :])
        look *= 2
    return None


def newest_head(path: Path) -> AuditLine | None:
    """The head beside an audit. Raises DataError for one that is none."""
    beside = head_path(path)
    if not beside.exists():
        return None
    with os_errors(beside):
        line = read_line(beside.read_bytes())
    if isinstance(line, str) or not is_head_signed(line):
        why = line if isinstance(line, str) else "its signature is not of this chain"
        raise DataError(f"{beside}: {why}", hint="put it back from a copy")
    return line
