"""However a file is cut, its slices together say what the whole file says."""

import gzip
import io
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.data.scale.slices import is_cut_where_it_lies, rows_of_slice, slices, unroll
from finewright.rows.containers.card import StatedFile
from finewright.rows.fates import ReadOptions, RowFile
from finewright.rows.read import rows_of

KINDS = [
    b'{"a": 1}',
    b"",
    b"  ",
    b"{",
    b"\xff",
    b'\xef\xbb\xbf{"b": 2}',
    b'{"c": "' + b"x" * 50 + b'"}',
]
LINES = st.lists(st.sampled_from(KINDS), max_size=12)


def parquet(columns: dict[str, list[str]]) -> bytes:
    """A file of these columns."""
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def test_what_was_repaired_is_known_after_unrolling(tmp_path: Path) -> None:
    path, lines = tmp_path / "a.parquet", tmp_path / "lines"
    path.write_bytes(parquet({"prompt": ["Q"], "score": [float("nan")]}))  # type: ignore[dict-item]
    file = RowFile(StatedFile(path, "f"), ReadOptions())
    unroll(file.part, lines)
    (row,) = [found for part in slices(file, lines, 0) for found in rows_of_slice(part)]
    assert [row] == list(rows_of(file.part))
    assert [repair.key for repair in row.repairs] == ["score"]


def whole(path: Path) -> list:
    return [found for found in rows_of(StatedFile(path, "f")) if "no rows" not in str(found)]


@settings(max_examples=200, deadline=None)
@given(LINES, st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.integers(1, 40))
def test_slices_say_what_the_file_says(tmp_path_factory, lines, end, ends_so, size) -> None:
    path = tmp_path_factory.mktemp("s") / "f.jsonl"
    path.write_bytes(end.join(lines) + (end if ends_so else b""))
    part = StatedFile(path, "f")
    cut = list(slices(RowFile(part, ReadOptions()), path, 0, size))
    content = path.read_bytes()
    assert b"".join(content[s.start : s.end] for s in cut) == content
    assert all(content[s.end - 1 : s.end] == b"\n" for s in cut[:-1])
    if is_cut_where_it_lies(part):
        assert [found for s in cut for found in rows_of_slice(s)] == whole(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("f.csv", b"prompt,completion\nQ,A\nR,B\n"),
        ("f.json", b'[{"a": 1}, {"a": 2}, 3]'),
        ("f.jsonl", '{"a": "\u00e9"}\n{"a": 2}\n'.encode("utf-16")),
        ("f.jsonl", b""),
        ("f.jsonl.gz", gzip.compress(b'{"a": 1}\n{"a": \n\xff\n', mtime=0)),
        ("f.csv", b"prompt,completion\nQ\n\xff,A\n"),
        ("f.parquet", parquet({"a": ["x" * 10_000_100, "y"]})),
    ],
    ids=count(),
)
def test_other_containers_are_unrolled_first(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    part = StatedFile(path, "f")
    assert not is_cut_where_it_lies(part)
    unroll(part, tmp_path / "lines")
    cut = list(slices(RowFile(part, ReadOptions()), tmp_path / "lines", 0, 30))
    found = [found for s in cut for found in rows_of_slice(s)]
    expected = list(rows_of(part))
    assert found == expected
