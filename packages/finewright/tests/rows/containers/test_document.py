"""Arrays, spread objects and objects that hold rows give the rows that json.loads finds in them."""

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.rows.containers.document import array_rows, object_rows, rows_within
from finewright.rows.containers.found import ReadRow, Unread
from finewright.rows.read import ReadRows, read_rows

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
ROW = st.dictionaries(
    TEXT, st.none() | st.integers() | TEXT | st.lists(TEXT, max_size=3), max_size=3
)


def read(folder: Path, text: str | bytes, name: str = "rows.json") -> ReadRows:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_rows(path, name=name)


def chunked(text: str, size: int) -> list[bytes]:
    content = text.encode()
    return [content[i : i + size] for i in range(0, len(content), size)]


@settings(max_examples=150, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=5), st.integers(1, 9), st.sampled_from([None, 2]))
def test_an_array_cut_anywhere_into_chunks_gives_its_items(rows, size, indent):
    found = list(array_rows("f", chunked(json.dumps(rows, indent=indent), size)))
    assert found == [ReadRow("f", i, row) for i, row in enumerate(rows, start=1)]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(ROW, max_size=3), min_size=2, max_size=4),
    st.integers(1, 9),
    st.sampled_from(["", "\n", " \n\n"]),
    st.sampled_from(["]", ",]", " , ]"]),
)
def test_arrays_one_after_the_other_are_one_wherever_chunks_end(arrays, size, between, end):
    texts = [json.dumps(rows)[:-1] + (end if rows else "]") for rows in arrays]
    *found, noted = array_rows("f", chunked(between.join(texts), size))
    rows = [row for rows in arrays for row in rows]
    assert found == [ReadRow("f", i, row) for i, row in enumerate(rows, start=1)]
    assert noted.message == f"{len(arrays)} arrays, one after the other, are read as one"


@settings(max_examples=150, deadline=None)
@given(st.lists(ROW, min_size=2, max_size=5), st.integers(1, 9), st.sampled_from([None, 2]))
def test_objects_one_after_the_other_are_rows_wherever_chunks_end(rows, size, indent):
    text = "\n".join(json.dumps(row, indent=indent, ensure_ascii=False) for row in rows)
    found = list(object_rows("f", chunked(text, size)))
    assert found == [ReadRow("f", i, row) for i, row in enumerate(rows, start=1)]


def test_one_bad_item_of_an_array_leaves_the_others(tmp_path):
    found = read(
        tmp_path, '[{"a": 1},\n {"a": NaN},\n 7,\n {"a": [{"b": 1, "b": 2}]}, {"a": }, {"a": 2}]'
    )
    assert [(row.row, row.data) for row in found.rows] == [
        (1, {"a": 1}),
        (2, {"a": None}),
        (6, {"a": 2}),
    ]
    assert [p.row for p in found.problems] == [3, 4, 5]
    assert found.num_bad == 3


@pytest.mark.parametrize(
    ("text", "num_rows", "num_bad", "said"),
    [
        ('[{"a": 1}, {"a": 2}', 2, 0, "closing bracket is missing"),
        ('[{"a": 1}, {"a": ', 1, 1, "closing bracket is missing"),
        ('[{"a": 1}, ', 1, 0, "closing bracket is missing"),
        ('[\n{"a": 1}]\n{"a": 2}', 1, 0, "after the end of the array"),
        ('[{"a": 1},]', 1, 0, ""),
        ('[{"a": 1},, {"a": 2}]', 2, 1, "nothing between two commas"),
        ('{\n"a": 1\n}\n{\n"a": \n', 1, 1, "broken JSON"),
    ],
)
def test_what_is_wrong_with_a_document_is_said(tmp_path, text, num_rows, num_bad, said):
    found = read(tmp_path, text)
    lines = " ".join(problem.line() for problem in found.problems)
    assert (len(found.rows), found.num_bad) == (num_rows, num_bad)
    assert said in lines
    assert bool(lines) == bool(said)


@pytest.mark.parametrize(
    "text",
    [
        '{\n  "a": 1\n}\n{\n  "a": 2\n}\n',
        '[\n{"a": 1},\n{"a": 2}\n]\n',
        '{"version": 1, "data": [{"a": 1}, {"a": 2}]}',
        '{\n"rows": [\n{"a": 1},\n{"a": 2}\n]}',
    ],
)
def test_rows_are_found_in_every_layout(tmp_path, text):
    found = read(tmp_path, text)
    assert found.rows == (ReadRow("rows.json", 1, {"a": 1}), ReadRow("rows.json", 2, {"a": 2}))
    assert found.problems == ()


def test_one_object_on_the_one_line_of_a_jsonl_file_is_a_row(tmp_path):
    found = read(tmp_path, '{"choices": [{"a": 1}, {"a": 2}]}\n', "rows.jsonl")
    assert [row.data for row in found.rows] == [{"choices": [{"a": 1}, {"a": 2}]}]


CHAT = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
CALL = [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": []}]


@pytest.mark.parametrize(
    ("lines", "rows"),
    [
        ([[{"a": 1}], [{"a": 2}, {"a": 3}]], [{"a": 1}, {"a": 2}, {"a": 3}]),
        ([CALL, CHAT], [{"messages": CHAT}]),
        ([[], {"a": 1}], [{"a": 1}]),
        ([[{"a": 1}], {"a": 2}], [{"a": 2}]),
        ([[{"a": 1}], [{"a": 2}], {"a": 3}], [{"a": 3}]),
    ],
)
def test_arrays_on_lines_hold_the_rows_where_all_do_and_no_turns(tmp_path, lines, rows):
    found = read(tmp_path, "\n".join(map(json.dumps, lines)), "rows.jsonl")
    assert [row.data for row in found.rows] == rows


def test_an_object_with_texts_and_lists_that_may_be_its_own_is_a_row(tmp_path):
    row = {"question": "q", "reply": "a", "passages": [{"t": 1}], "sources": [{"u": 1}]}
    assert [each.data for each in read(tmp_path, json.dumps(row, indent=1)).rows] == [row]


def test_columns_become_rows():
    columns = {"prompt": ["p", "q"], "completion": ["c", "d"]}
    held = [{"prompt": "p", "completion": "c"}, {"prompt": "q", "completion": "d"}]
    assert rows_within(columns) == held
    by_index = {key: {str(i): v for i, v in enumerate(column)} for key, column in columns.items()}
    assert rows_within(by_index) == held


def test_objects_under_their_ids_become_rows_that_have_them():
    by_id = {"7": {"question": "q", "answer": "a"}, "9": {"question": "r", "answer": "b", "n": 1}}
    assert rows_within(by_id) == [
        {"id": "7", "question": "q", "answer": "a"},
        {"id": "9", "question": "r", "answer": "b", "n": 1},
    ]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": {"role": "user", "content": "x"}, "completion": {"role": "a", "content": "y"}},
        {"name": {"a": 1, "b": 2}, "other": {"c": 1, "d": 2}},
        {"one": {"a": 1, "b": 2}},
        {"messages": [{"role": "user", "content": "x"}]},
        {"chosen": [{"role": "user"}], "rejected": [{"role": "user"}]},
        {"input_ids": [1, 2], "labels": [1, 2]},
        {"prompt": "p", "completion": "c"},
        {"prompt": "p", "completions": ["a"], "labels": [True]},
        {"prompt": "p", "completion": "c", "passages": [{"t": 1}]},
        {"prompt": "p", "completion": "c", "train": [{"t": 1}], "sources": [{"u": 1}]},
        {"system": "s", "conversations": [[{"role": "user", "content": "x"}]]},
        {"columns": ["a"], "data": [["x"]], "name": "n"},
        {},
    ],
)
def test_a_row_is_not_taken_for_rows(row):
    assert rows_within(row) is None


def test_an_array_of_any_size_is_read_item_by_item(tmp_path):
    item = json.dumps({"a": "x" * 1000})
    chunks = (b"[" if i == 0 else (item + ",").encode() for i in range(20_000))
    tracemalloc.start()
    count = sum(isinstance(found, ReadRow) for found in array_rows("f", chunks))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 19_999
    assert peak < 1_000_000


def test_an_item_that_is_too_long_is_counted_and_the_others_are_read():
    long = b'{"a": "' + b'x\\"[' * 3_000_000 + b'"}'
    chunks = [b'[{"a": 1}, ', *(long[i : i + 65_537] for i in range(0, len(long), 65_537))]
    found = list(array_rows("f", [*chunks, b', {"a": 3}]']))
    assert [type(item) for item in found] == [ReadRow, Unread, ReadRow]
    assert [item.row for item in found if isinstance(item, ReadRow)] == [1, 3]


def test_rows_inside_an_object_may_hold_what_json_does_not_have(tmp_path):
    found = read(tmp_path, '{\n"data": [{"a": 1}, {"a": NaN}]\n}')
    assert [row.data for row in found.rows] == [{"a": 1}, {"a": None}]
    assert ["read as null" in problem.message for problem in found.problems] == [True]
