"""Reading JSONL: every kind of bad file is named, and no bytes end in a traceback."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.errors import DataError
from finewright.rows.containers.lines import Line, parse_line
from finewright.rows.fates import ReadOptions, fate_of, fates
from finewright.rows.read import ReadRow, ReadRows, read_rows, records
from finewright.schema.common import Problem
from finewright.schema.listing import list_problems


@pytest.fixture
def read(tmp_path: Path):
    def read(content: bytes | str) -> ReadRows:
        path = tmp_path / "rows.jsonl"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_rows(path, name="rows.jsonl")

    return read


def messages(found: ReadRows) -> str:
    return "\n".join(problem.line() for problem in found.problems)


def test_rows_keep_their_line_numbers_across_blank_lines(read):
    found = read('{"a": 1}\n\n   \n{"a": 2}\n')
    assert [(row.file, row.row, row.data) for row in found.rows] == [
        ("rows.jsonl", 1, {"a": 1}),
        ("rows.jsonl", 4, {"a": 2}),
    ]
    assert found.problems == ()


def test_windows_line_ends_are_taken(read):
    found = read(b'{"a": 1}\r\n{"a": 2}\r\n')
    assert [row.data["a"] for row in found.rows] == [1, 2]
    assert found.problems == ()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_other_encodings_are_read_by_their_mark_with_a_warning(read, encoding):
    found = read('{"a": "é"}\r\n{"a": "\U0001f600"}\n'.encode(encoding))
    assert [(row.row, row.data["a"]) for row in found.rows] == [(1, "é"), (2, "\U0001f600")]
    assert [(p.level, encoding.upper() in p.message) for p in found.problems] == [("warning", True)]


def test_a_row_longer_than_ten_megabytes_is_counted_and_the_others_are_kept(read):
    long = b'{"a": "' + b"x" * 10_000_000 + b'"}'
    found = read(b'{"a": 1}\n' + long + b'\n{"a": 2}\n' + long)
    assert [row.row for row in found.rows] == [1, 3]
    assert found.num_bad == 2
    assert "rows.jsonl:2: longer than 10 MB" in messages(found)
    assert "begins at byte 9" in messages(found)


def test_a_stream_of_rows_is_read_before_the_next_is_looked_at(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n' * 200_000)
    assert next(records(path)) == ReadRow(str(path), 1, {"a": 1})


def test_a_byte_order_mark_is_skipped_with_a_warning(read):
    found = read(b'\xef\xbb\xbf{"a": 1}\n')
    assert [row.data for row in found.rows] == [{"a": 1}]
    assert [(p.level, p.row) for p in found.problems] == [("warning", 1)]


@pytest.mark.parametrize(
    ("content", "said", "hint"),
    [
        (b"", "the file is empty", "one JSON object per line"),
        (b"\n \r\n\n", "only blank lines", "one JSON object per line"),
        (b"\xef\xbb\xbf\n", "only blank lines", "one JSON object per line"),
        (b"\n" * 400_000, "no rows", "put rows into it"),
        (b"[]\n", "no rows", "put rows into it"),
        ('{"a": 1}\n'.encode("utf-16-le"), "UTF-16", "--encoding utf-16-le"),
        ('{"a": 1}\n'.encode("utf-16-be"), "UTF-16", "--encoding utf-16-be"),
        (b"\x1f\x8b\x08\x00rest", "gzip", "pack it anew"),
        (b"PK\x03\x04rest", "zip", "unzip"),
        (b"PAR1rest", "broken Parquet", "write it anew"),
        (b"ARROW1\0\0rest", "broken Arrow", "write it anew"),
        (b"%PDF-1.7 rest", "a PDF", "finewright rag index"),
        (b"BZh91AY", "bzip2", "bunzip2 rows.jsonl"),
    ],
)
def test_a_file_of_another_kind_is_named_as_such(read, content, said, hint):
    found = read(content)
    assert found.rows == ()
    assert [p.level for p in found.problems] == ["error"]
    assert said in found.problems[0].message
    assert hint in found.problems[0].hint


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"a": 1 "b": 2}', "column 9: Expecting ',' delimiter"),
        ("{'a': 1}", "column 2: Expecting property name"),
        ('{"a": "b', "column 7: Unterminated string"),
        ('{"a": 1} {"a": 2}', "column 10: Extra data"),
        ('{"a": True}', "column 7: Expecting value"),
        ('["a"]', "an array, and a row is a JSON object"),
        ('"a"', "a string, and a row is a JSON object"),
        ("null", "null, and a row is a JSON object"),
        ("7", "a number, and a row is a JSON object"),
        ('{"a": 1e999}', "too large"),
        ('{"a": ' + "9" * 5000 + "}", "too many digits"),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', "key 'b' occurs twice"),
        ('{"a": ' + "[" * 101 + "]" * 101 + "}", "nested deeper than 100"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested deeper than 100"),
        (r'{"a": ["x\ud83d"]}', "lone surrogate"),
        (r'{"\udc00": 1}', "lone surrogate"),
        (r'{"a": "x\u0000"}', "NUL character"),
        ('{"a": "x\0"}', "NUL byte at column 9"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_kept(read, line, said):
    found = read(f'{{"ok": 1}}\n{line}\n{{"ok": 2}}\n')
    assert [row.row for row in found.rows] == [1, 3]
    assert found.num_bad == 1
    assert [(p.level, p.row) for p in found.problems] == [("error", 2)]
    assert said in found.problems[0].message


@pytest.mark.parametrize("line", ['{"a": 1,}', '{"a": [1,]}', "{'a': 1}", '{"a": True}'])
def test_what_is_nearly_json_gets_the_mend_by_every_python(read, line):
    (problem,) = read(f'{{"ok": 1}}\n{line}\n').problems
    assert "no comma after the last item" in problem.hint


def test_text_that_only_looks_like_an_escape_is_kept(read):
    found = read(r'{"a": "\\u0000 \\ud800 \ud83d\ude00"}')
    assert found.rows[0].data == {"a": r"\u0000 \ud800 " + "\N{GRINNING FACE}"}
    assert found.problems == ()


def test_a_byte_that_is_not_utf8_is_located(read):
    found = read(b'{"a": 1}\n{"a": "caf\xe9"}\n')
    assert [row.row for row in found.rows] == [1]
    assert "byte 0xe9 at column 11, offset 19 of the file" in messages(found)
    assert "--encoding cp1252" in messages(found)


def test_a_cut_first_line_is_not_taken_for_a_spread_object(read):
    found = read('{"a": [\n{"a": 2}\n')
    assert [row.row for row in found.rows] == [2]
    assert "rows.jsonl:1: broken JSON at column 8" in messages(found)
    assert "cut off" in messages(found)


def test_a_missing_file_is_named_with_the_one_that_was_meant(tmp_path):
    (tmp_path / "train.jsonl").touch()
    with pytest.raises(DataError, match=r"there is no such file \(did you mean train\.jsonl\?\)"):
        read_rows(tmp_path / "trian.jsonl")


@pytest.mark.parametrize(
    "read_all", [read_rows, lambda p: [*records(p)], lambda p: [*fates(p, ReadOptions())]]
)
def test_no_reader_of_rows_returns_nothing_where_a_file_is_missing(tmp_path, read_all):
    with pytest.raises(DataError, match=r"gone\.jsonl: there is no such file"):
        read_all(tmp_path / "gone.jsonl")


@pytest.mark.parametrize("path", ["no/such/folder/rows.jsonl", "a\0b", "x" * 5000, "\udcff.jsonl"])
def test_an_impossible_path_is_refused(tmp_path, path):
    with pytest.raises(DataError):
        read_rows(tmp_path / path)


def test_a_folder_without_data_is_named_as_such(tmp_path):
    assert "there is no data file in this folder" in messages(read_rows(tmp_path))


def test_a_file_that_is_not_regular_is_not_read():
    assert "not a regular file" in messages(read_rows(Path("/dev/zero")))


def test_many_mistakes_are_listed_in_part_and_counted_in_full(read):
    names = [a + b for a in "abcdefg" for b in "abcdefg"]
    lines = (f'{{"in": {{"{name}": 1, "{name}": 2}}}}\n' for name in names)
    found = read("{\n" + "".join(lines))
    assert found.num_bad == 50
    assert len(found.problems) == 21
    assert found.problems[-1].message == "and 30 more errors like these"


def test_errors_and_warnings_are_capped_apart():
    words = [a + b for a in "abcde" for b in "abcde"]
    problems = [Problem(level="warning", message=word, file="f") for word in words]
    problems += [Problem(level="error", message="e", file="f")] * 2
    levels = [problem.level for problem in list_problems(problems)]
    assert levels == ["warning"] * 20 + ["error"] * 2 + ["warning"]


PICTURE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\1\0\x08\6\0\0\0" + bytes(range(256)) * 4


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (PICTURE, "this is a picture (PNG), not a file of rows"),
        (b"\0" * 5000, "this is no text file"),
        (bytes(range(256)) * 40, "this is no text file"),
        (b"RIFF" + bytes(range(256)) * 40, "this is no text file"),
        (hashlib.sha512(b"x").digest() * 90, "this is no text file"),
    ],
)
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.md"])
def test_what_is_no_text_is_said_to_be_none(tmp_path, content, what, name):
    (tmp_path / name).write_bytes(content)
    found = read_rows(tmp_path / name)
    assert len(found.problems) == 1
    assert found.problems[0].message.startswith(what)
    assert "encoding" not in found.problems[0].hint


@pytest.mark.parametrize(
    "content", ["Ж" * 300, "漢字" * 300, "a\tb\n" * 300, "\x1b[1mbold\x1b[0m\n" * 300]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1251"])
def test_text_is_not_said_to_be_none(tmp_path, content, encoding):
    (tmp_path / "a.txt").write_bytes(content.encode(encoding, "ignore") or b"x")
    assert "no text file" not in messages(read_rows(tmp_path / "a.txt"))


PIECES = b'{ } [ ] " a : , 1 \\ \\ud800 \xff \0 \xef\xbb\xbf {"a":1} NaN e9999'.split(b" ")


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([*PIECES, b"\n", b"\r\n"]), max_size=40).map(b"".join)
)
def test_any_bytes_give_rows_or_problems(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(content)
    found = read_rows(path)
    assert found.rows or any(problem.level == "error" for problem in found.problems)
    json.dumps([row.data for row in found.rows], ensure_ascii=False, allow_nan=False).encode()


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
NUMBER = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUE = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
ROW = st.dictionaries(TEXT, VALUE, max_size=4)


@settings(max_examples=100, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=5), st.booleans())
def test_what_json_writes_is_read_back_whole(tmp_path_factory, rows, ensure_ascii):
    text = "".join(json.dumps(row, ensure_ascii=ensure_ascii) + "\n" for row in rows)
    path = tmp_path_factory.getbasetemp() / "whole.jsonl"
    path.write_bytes(text.encode())
    found = read_rows(path)
    assert [row.data for row in found.rows] == rows
    assert found.problems == ()


PAIR = '"prompt": "Q", "completion": "A"'


@pytest.mark.parametrize(
    ("line", "key", "said"),
    [
        (f'{{{PAIR}, "score": NaN}}', "score", "read as null"),
        (f'{{{PAIR}, "meta": {{"score": [1, -Infinity]}}}}', "meta", "read as null"),
        (f'{{{PAIR}, "completion": "A"}}', "completion", "with one value"),
        (f'{{{PAIR}, "id": 1, "id": 2}}', "id", "the last is read"),
    ],
)
def test_what_json_does_not_have_is_read_where_nobody_trains_on_it_and_named(line, key, said):
    (row,) = [parse_line("a", Line(1, 0, line.encode()))]
    fate = fate_of(row, ReadOptions())
    assert [turn["content"] for turn in fate.rows[0].messages] == ["Q", "A"]
    assert [(p.level, p.key) for p in fate.problems] == [("warning", key)]
    assert said in fate.problems[0].message


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('{"prompt": "Q", "completion": NaN}', "completion"),
        ('{"prompt": "Q", "completion": "A", "completion": "B"}', "completion"),
    ],
)
def test_it_is_refused_where_it_is_trained_on(line, key):
    fate = fate_of(parse_line("a", Line(1, 0, line.encode())), ReadOptions())
    assert fate.rows == ()
    assert key in [p.key for p in fate.problems if p.level == "error"]
