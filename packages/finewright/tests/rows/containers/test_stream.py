"""Archives and encodings become the bytes that Python's own gzip and codecs give; bombs are refused."""

import gzip
import random
from pathlib import Path

import pytest
import zstandard

from finewright.errors import DataError
from finewright.rows.containers.stream import open_stream
from finewright.rows.read import read_rows

RNG = random.Random(7)  # noqa: S311
TEXT = "".join(f'{{"a": {RNG.random()}, "b": "é"}}\n' for _ in range(20_000)).encode()


def packed(kind: str, content: bytes) -> bytes:
    if kind == "gzip":
        return gzip.compress(content)
    if kind == "gzip in two members":
        half = len(content) // 2
        return gzip.compress(content[:half]) + gzip.compress(content[half:]) + b"\0" * 512
    if kind == "zstd in two frames":
        half = len(content) // 2
        return zstandard.compress(content[:half]) + zstandard.compress(content[half:])
    return zstandard.compress(content)


@pytest.mark.parametrize("kind", ["gzip", "gzip in two members", "zstd", "zstd in two frames"])
@pytest.mark.parametrize("content", [TEXT, b"x\n", b"\n" * 2_000_000], ids=["rows", "x", "blank"])
def test_what_was_packed_is_unpacked(tmp_path: Path, kind: str, content: bytes) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(packed(kind, content))
    stream = open_stream(path)
    assert b"".join(stream.chunks) == content
    assert stream.packing == kind.partition(" ")[0]


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_rows_before_the_cut_of_an_archive_are_read_and_the_cut_is_said(tmp_path, kind):
    path = tmp_path / "rows.jsonl.gz"
    whole = packed(kind, TEXT)
    path.write_bytes(whole[: len(whole) // 2])
    found = read_rows(path)
    assert 5_000 < len(found.rows) < 15_000
    assert f"the {kind} archive is cut off" in found.problems[-1].message


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("unit", [b"\0", b"\n", b"{}\n"])
def test_a_bomb_is_refused_before_a_row_of_it_is_read(tmp_path, kind, unit):
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(packed(kind, unit * (30_000_000 // len(unit))))
    found = read_rows(path, name="f")
    assert found.rows == ()
    assert [p.line() for p in found.problems] == [
        "f: it unpacks to more than 200 times its size, as bombs do"
        " (if you trust it, unpack it and name the file inside)"
    ]


@pytest.mark.parametrize("magic", [b"\x1f\x8b", b"\x28\xb5\x2f\xfd"])
def test_random_bytes_with_the_magic_of_an_archive_are_one_clear_line(tmp_path, magic):
    path = tmp_path / "rows.gz"
    path.write_bytes(magic + RNG.randbytes(300))
    with pytest.raises(DataError, match=r"^(broken|the) (gzip|zstd) archive"):
        list(open_stream(path).chunks)


def test_an_archive_in_an_archive_is_refused(tmp_path):
    path = tmp_path / "rows.gz.gz"
    path.write_bytes(gzip.compress(gzip.compress(TEXT)))
    assert "a gzip archive in an archive" in read_rows(path).problems[0].message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_half_a_character_costs_its_row_and_no_other(tmp_path, encoding):
    path = tmp_path / "rows.jsonl"
    text = '{"a": 1}\n{"a": "\ud83d"}\n{"a": 3}\n'
    path.write_bytes(text.encode(encoding, "surrogatepass"))
    found = read_rows(path)
    assert [row.row for row in found.rows] == [1, 3]
    assert "not UTF-8" in found.problems[1].message


def test_a_cut_within_a_character_is_said(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes('{"a": 1}\n'.encode("utf-16") + b"\x41")
    found = read_rows(path)
    assert [row.row for row in found.rows] == [1]
    assert "broken UTF-16 text" in found.problems[-1].message
