"""A file as a stream of UTF-8 bytes: unpacked, re-encoded, and never in memory as a whole.

A broken archive or disk ends the stream with a DataError after all that could be read."""

import codecs
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from finewright.errors import DataError, MissingExtra
from finewright.plugins import install_command

CHUNK = 1 << 18
# A frame of zstd can stand for 30,000 times its size, so it is fed in small pieces.
_ZSTD_PIECE = 1 << 10
# Text packs 3 to 20 times, logs that repeat themselves up to 100 times; gzip's limit is 1,032.
_MOST_RATIO = 200
_SURELY_SMALL = 8 << 20
_LOOKED_AHEAD = 64 << 20

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_PACKED = {_GZIP: "gzip", _ZSTD: "zstd"}
# UTF-32 first: its mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class OpenedFile(NamedTuple):
    """The start of a file's bytes, unpacked and as UTF-8; all of them; and what was undone for it."""

    head: bytes
    is_whole: bool
    chunks: Iterator[bytes]
    packing: str
    encoding: str

    @property
    def has_returns_alone(self) -> bool:
        """Whether its lines end with a carriage return alone, as on a Mac of old."""
        # After the last byte of the head a line feed may come.
        looked_at = self.head if self.is_whole else self.head[:-1]
        return b"\r" in looked_at and b"\n" not in self.head


def check_encoding(name: str) -> None:
    """Raise DataError where Python knows no text encoding of that name; none named is well."""
    try:
        "".encode(name or "utf-8")
        codecs.getincrementaldecoder(name or "utf-8")
    except (LookupError, UnicodeError, ValueError):
        hint = "such as cp1252 (Windows), latin-1, cp850 (DOS), mac-roman, utf-16"
        raise DataError(f"unknown encoding {name!r}", hint=hint) from None


def open_stream(path: Path, encoding: str = "") -> OpenedFile:
    """The file as a stream; its text is UTF-8, what a mark at its start says, or the `encoding` named.

    Raises DataError where a bomb is seen ahead, or not one byte can be read."""
    start, _, raw = _read_head(_chunks(path), 1)
    packing = next((name for magic, name in _PACKED.items() if start.startswith(magic)), "")
    if packing:
        _look_ahead(path, packing)
        raw = _unpack(raw, packing)
    head, is_whole, chunks = _read_head(raw, CHUNK)
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), "")
    is_marked = marked or head.startswith(codecs.BOM_UTF8)
    encoding = (marked or "utf-8") if is_marked else (encoding or "utf-8")
    if encoding != "utf-8":
        head, is_whole, chunks = _read_head(_as_utf8(chunks, encoding), CHUNK)
    if not head:
        next(chunks, b"")  # raises what kept the first bytes away
    return OpenedFile(head, is_whole, chunks, packing, encoding)


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except OSError as error:
        raise DataError(
            f"cannot be read: {error.strerror}", hint="check the path and its permissions"
        ) from None


def _read_head(chunks: Iterator[bytes], size: int) -> tuple[bytes, bool, Iterator[bytes]]:
    """The first bytes, whether they are all, and the stream from its start."""
    head = bytearray()
    trouble: DataError | None = None
    is_whole = False
    while len(head) < size and not is_whole:
        try:
            chunk = next(chunks, b"")
        except DataError as error:
            trouble, chunk = error, b""
        is_whole = not chunk
        head += chunk

    def again() -> Iterator[bytes]:
        if head:
            yield bytes(head)
        if trouble:
            raise trouble
        yield from chunks

    return bytes(head), is_whole, again()


@dataclass(slots=True)
class _Guard:
    """Counts what an archive takes and gives, and refuses one that gives beyond all proportion."""

    taken: int = 0
    given: int = 0

    def check(self, taken: int, given: int) -> None:
        self.taken += taken
        self.given += given
        if self.given > max(_SURELY_SMALL, _MOST_RATIO * self.taken):
            raise DataError(
                f"it unpacks to more than {_MOST_RATIO} times its size, as bombs do",
                hint="if you trust it, unpack it and name the file inside",
            )


def _look_ahead(path: Path, packing: str) -> None:
    """Refuse a bomb before a row of it is read; any other trouble is met on the way."""
    num_seen = 0
    try:
        for chunk in _unpack(_chunks(path), packing):
            num_seen += len(chunk)
            if num_seen > _LOOKED_AHEAD:
                return
    except DataError as error:
        if "bombs" in str(error):
            raise


def _unpack(raw: Iterator[bytes], packing: str) -> Iterator[bytes]:
    return _gunzip(raw) if packing == "gzip" else _unzstd(raw)


def _cut_off(packing: str) -> DataError:
    return DataError(
        f"the {packing} archive is cut off; the rows after this are lost", hint="pack it anew"
    )


def _inflate(member: "zlib._Decompress", data: bytes) -> bytes:
    try:
        return member.decompress(data, CHUNK)
    except zlib.error as error:
        raise DataError(f"broken gzip archive: {error}", hint="pack it anew") from None


def _gunzip(raw: Iterator[bytes]) -> Iterator[bytes]:
    guard = _Guard()
    member = zlib.decompressobj(wbits=31)
    is_open = False
    for chunk in raw:
        data, out = chunk, b""
        while data or len(out) == CHUNK:
            is_open = True
            out = _inflate(member, data)
            rest = member.unused_data if member.eof else member.unconsumed_tail
            guard.check(len(data) - len(rest), len(out))
            if out:
                yield out
            data = rest
            if member.eof:
                # Tapes and some tools fill the end with zeros.
                data, out, is_open = rest.lstrip(b"\0"), b"", False
                member = zlib.decompressobj(wbits=31)
    if is_open:
        if tail := member.flush():
            yield tail
        if not member.eof:
            raise _cut_off("gzip")


def _unzstd(raw: Iterator[bytes]) -> Iterator[bytes]:
    try:
        import zstandard
    except ImportError:
        raise MissingExtra("reading zstd needs zstandard", hint=install_command("[data]")) from None
    guard = _Guard()
    frame = zstandard.ZstdDecompressor().decompressobj()
    is_open = False
    for chunk in raw:
        pieces = [chunk[i : i + _ZSTD_PIECE] for i in range(0, len(chunk), _ZSTD_PIECE)]
        for piece in pieces:
            data = piece
            while data:
                try:
                    out = frame.decompress(data)
                except zstandard.ZstdError as error:
                    what = str(error).partition(":")[2].strip() or str(error)
                    raise DataError(f"broken zstd archive: {what}", hint="pack it anew") from None
                rest = frame.unused_data if frame.eof else b""
                guard.check(len(data) - len(rest), len(out))
                if out:
                    yield out
                is_open, data = not frame.eof, rest
                if frame.eof:
                    frame = zstandard.ZstdDecompressor().decompressobj()
    if is_open:
        raise _cut_off("zstd")


def _as_utf8(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """UTF-8 of UTF-16 or UTF-32; half a character stays bytes that are no UTF-8, in their row."""
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    try:
        for chunk in chunks:
            yield decoder.decode(chunk).encode("utf-8", "surrogatepass")
        yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise DataError(
            f"broken {encoding.upper()} text: {error.reason}; the rows after this are lost",
            hint="save it as UTF-8",
        ) from None
