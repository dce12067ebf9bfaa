"""CSV: what Python's csv writes in any dialect is read back, and a broken record costs no other."""

import csv
import io
import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.rows.containers.lines import lines_of
from finewright.rows.containers.table import cells_of, delimiter_of, table_rows
from finewright.rows.formats.propose import proposal_of
from finewright.rows.read import ReadRows, read_rows

CELL = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=12
).filter(lambda cell: cell.strip())


def read(folder: Path, content: bytes | str, name: str = "rows.csv") -> ReadRows:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_rows(path, name=name)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(CELL, CELL), min_size=1, max_size=5),
    st.sampled_from(",\t;|"),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_csv_writes_is_read_back(records, delimiter, end):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerows([("prompt", "completion"), *records])
    lines = lines_of([out.getvalue().encode()], with_blank=True)
    found = list(table_rows("f", lines, delimiter))
    assert [tuple(row.data.values()) for row in found] == records


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_the_delimiter_is_told_by_the_first_lines(delimiter):
    lines = ["prompt,x", "completion", "label"], ["a, b; c", "d", "1"], ["e | f", "g", "0"]
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(lines)
    assert delimiter_of(out.getvalue().encode(), ".csv") == delimiter


def test_rows_have_the_number_of_the_line_they_begin_at(tmp_path):
    found = read(tmp_path, 'prompt,completion\n"a\n\nb",c\n\nd,e\n')
    assert [(row.row, row.data) for row in found.rows] == [
        (2, {"prompt": "a\n\nb", "completion": "c"}),
        (6, {"prompt": "d", "completion": "e"}),
    ]


def test_a_broken_record_is_named_and_the_others_are_kept(tmp_path):
    found = read(tmp_path, 'a,b\n1,2\n3\n"x"y,5,6\n6,7,8\n9,10\n')
    assert [row.row for row in found.rows] == [2, 6]
    assert [(p.row, p.message) for p in found.problems] == [
        (3, "1 cells, and the header has 2"),
        (4, "broken CSV: ',' expected after '\"'"),
        (5, "3 cells, and the header has 2"),
    ]
    assert found.num_bad == 3


def test_an_open_quote_says_which_lines_it_takes(tmp_path):
    found = read(tmp_path, 'a,b\n1,2\n"3 4\n5,6\n')
    assert [row.row for row in found.rows] == [2]
    assert "rows.csv:3: broken CSV, with all up to line 4" in found.problems[0].line()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,a\n1,2\n", "the column 'a' is there twice"),
        ("a,\n1,2\n", "column 2 has no name"),
        ("a,b\n", "no rows"),
        (
            b"a,b\ncaf\xe9,2\n",
            "rows.csv:2: not UTF-8: byte 0xe9 in 'a' (it looks like cp1252",
        ),
        (b"a,Gel\xf6st\nx,2\ny,3\n", "rows.csv: not UTF-8: byte 0xf6 in the header, so no row"),
        (b"a,b\nx\0,2\n", "NUL"),
        ("# made in 2024,,\na,b,c\n1,2,3\n", "leave out what stands above their names"),
        ("# made in 2024\na,b,c\n1,2,3\n", "leave out what stands above their names"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, content, said):
    found = read(tmp_path, content)
    assert found.rows == ()
    assert said in " ".join(p.line() for p in found.problems)


@pytest.mark.parametrize(
    ("record", "cells"),
    [
        ('"say "hi" now",5', ('say "hi" now', "5")),
        ('"say "hi"",5', ('say "hi"', "5")),
        ('"hi" she said,5', ('"hi" she said', "5")),
        ('"a ""b"" "c" d",5', ('a "b" "c" d', "5")),
        ('"first "line"\n\nand third",5', ('first "line"\n\nand third', "5")),
    ],
)
def test_quotes_that_are_not_doubled_are_text(tmp_path, record, cells):
    found = read(tmp_path, f"a,b\n{record}\n6,7\n")
    assert [tuple(row.data.values()) for row in found.rows] == [cells, ("6", "7")]
    assert [len(row.repairs) for row in found.rows] == [1, 0]


@pytest.mark.parametrize("head", ["sep=;\r\n", '"sep=;"\n', "\ufeffsep=;\n"])
def test_a_first_line_may_name_the_delimiter(tmp_path, head):
    found = read(tmp_path, f"{head}a;b\n1,5;2\n")
    assert [(row.row, row.data) for row in found.rows] == [(3, {"a": "1,5", "b": "2"})]


def test_a_list_of_messages_in_a_cell_is_one_and_other_text_stays_text(tmp_path):
    messages = [{"role": "user", "content": "x"}]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([("messages", "meta", "label"), (json.dumps(messages), "[1]", "TRUE")])
    found = read(tmp_path, out.getvalue())
    assert found.rows[0].data == {"messages": messages, "meta": "[1]", "label": True}


def cells(tmp_path: Path, *records: dict[str, str]) -> ReadRows:
    out = io.StringIO()
    writer = csv.DictWriter(out, records[0])
    writer.writeheader()
    writer.writerows(records)
    return read(tmp_path, out.getvalue())


ASKED, CALLS = {"role": "user", "content": "it's"}, {"role": "assistant", "tool_calls": []}


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (json.dumps([ASKED, CALLS]), [ASKED, CALLS]),
        (json.dumps([{"role": "boss", "content": "x"}]), [{"role": "boss", "content": "x"}]),
        ("[]", []),
        ('[{"name": "Bob", "name": "Ann"}]', '[{"name": "Bob", "name": "Ann"}]'),
        (str([ASKED, CALLS]), [ASKED, CALLS]),
        (str([{"role": "boss", "content": "x"}]), "[{'role': 'boss', 'content': 'x'}]"),
        ("[{'role': 'user', 'role': 'user'}]", "[{'role': 'user', 'role': 'user'}]"),
        ("[{'role': 'user', 'content': nan}]", "[{'role': 'user', 'content': nan}]"),
        ("[{'role': 'user'}  ]", "[{'role': 'user'}  ]"),
        (str([{**ASKED, "content": "x" * 100_000}]), str([{**ASKED, "content": "x" * 100_000}])),
        ("[{'a': " + "-" * 90_000 + "1}]", "[{'a': " + "-" * 90_000 + "1}]"),
        ("[{'a':" * 10_000, "[{'a':" * 10_000),
        ("[{'\\d': 1 is 1}]", "[{'\\d': 1 is 1}]"),
    ],
)
def test_a_cell_of_a_side_is_messages_only_where_it_names_who_speaks(tmp_path, cell, value):
    found = cells(tmp_path, {"prompt": cell, "completion": "A"})
    assert [row.data["prompt"] for row in found.rows] == [value]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (r'[{"role": "user", "content": "\ud800"}]', "half of a character"),
        (r"[{'role': 'user', 'content': '\ud800'}]", "half of a character"),
        (r'[{"role": "user", "content": "\u0000"}]', "NUL"),
        ('[{"role": "user", "content": NaN}]', "NaN is not JSON"),
        ('[{"role": "user", "role": "user"}]', "key 'role' occurs twice"),
        ('[{"role": "user", "x": ' + "[" * 200 + "]" * 200 + "}]", "nested deeper"),
    ],
)
@pytest.mark.parametrize("column", ["messages", "prompt"])
def test_json_in_a_cell_keeps_the_rules_of_json(tmp_path, column, cell, said):
    found = cells(tmp_path, {column: cell, "completion": "A"})
    assert found.rows == ()
    assert said in found.problems[0].message


def test_rows_of_json_under_the_name_of_a_table_are_read_as_json(tmp_path):
    assert read(tmp_path, '{"a": 1}\n{"a": 2}\n').rows[1].data == {"a": 2}


def test_a_table_under_another_name_is_known_by_its_cells(tmp_path):
    assert read(tmp_path, "a\tb\n1\t2\n", "rows.data").rows[0].data == {"a": "1", "b": "2"}
    assert read(tmp_path, "\ufeffa;b\n1;2\n").rows[0].data == {"a": "1", "b": "2"}


def test_any_number_of_blank_lines_is_counted_between_rows_and_kept_within_cells(tmp_path):
    many = "\r\n" * 400_000
    found = read(tmp_path, f'a,b\n{many}1,2\n"3{many}",4\n')
    assert [(row.row, len(row.data["a"])) for row in found.rows] == [
        (400_002, 1),
        (400_003, 400_001),
    ]


@pytest.mark.parametrize(
    "record",
    [
        'q1,"broken answer\nq2,good\nq3,"quoted"',
        '"Mail","Dear all\nfirst, press the "Start" button',
    ],
)
def test_a_quote_that_may_be_left_open_makes_no_rows_of_its_lines(tmp_path, record):
    found = read(tmp_path, f"prompt,completion\n{record}\nq4,fine\n")
    assert [row.data["prompt"] for row in found.rows] == ["q4"]
    (problem,) = [problem for problem in found.problems if problem.level == "error"]
    assert (problem.row, problem.message[:31]) == (2, "broken CSV, with all up to line")


def test_an_index_without_a_name_takes_no_name_of_another(tmp_path):
    found = read(tmp_path, ",column 1,prompt\n0,x,q\n")
    assert found.rows[0].data == {"column 2": "0", "column 1": "x", "prompt": "q"}


@pytest.mark.parametrize(
    ("content", "is_table"),
    [
        ("a\tb\n1\t2\n3\t4\n", True),
        ("a\tb\n1\t2\n", False),
        ("a\tb\n1\t2\n3\t4\t5\n", False),
        ("1\tIntroduction\n2\tChapter\n3\tEnd\n", False),
        ("a\tb\n" + "1\t2\n" * 3 + f"3{'x' * (1 << 18)}\t4\n", True),
    ],
)
def test_text_with_tabs_is_a_table_where_all_its_whole_lines_have_as_many(
    tmp_path, content, is_table
):
    found = read(tmp_path, content, "rows.txt")
    assert (found.rows[0].data.keys() == {"a", "b"}) is is_table


def test_a_line_feed_after_the_head_belongs_to_its_return(tmp_path):
    header = "a,b" + "," + "x" * ((1 << 18) - 5)
    assert [row.row for row in read(tmp_path, f"{header}\r\n1,2,3\r\n4,5,6\r\n").rows] == [2, 3]


@pytest.mark.parametrize(
    ("content", "is_told"),
    [
        ("0,x7,I love this\n4,x8,I do not\n", True),
        ("Ada\t" + "she was too happy to be in such a request " * 3 + "\nBob\tno\n", True),
        ("0,1,2\na,b,c\n", False),
        ("question,answer in full\na,b\n", False),
    ],
)
def test_a_first_line_that_reads_like_a_row_is_told(tmp_path, content, is_told):
    found = read(tmp_path, content, "rows.tsv" if "\t" in content else "rows.csv")
    assert any("reads like a row" in problem.message for problem in found.problems) is is_told
    assert len(found.rows) == 1


@pytest.mark.parametrize(
    ("first", "is_row"),
    [
        ("How do I reset my PIN?,Open the app", True),
        ("I lost my card today.,Block it", True),
        ("怎么重置密码\uff1f,打开应用", True),
        ("Frage,Antwort", False),
        ("Customer question,Art. No.", False),
    ],
)
def test_a_short_first_row_without_a_header_is_no_header_to_follow(tmp_path, first, is_row):
    found = read(tmp_path, f"{first}\nWhere is it?,Here\n")
    assert [p.row for p in found.problems] == ([1] if is_row else [])
    assert (proposal_of(found.rows[0].data) is None) == is_row


def test_a_record_that_repeats_a_name_of_the_header_is_said_once(tmp_path):
    found = read(tmp_path, "what is my balance,balance\nhow much,balance\nhow rich,balance\n")
    assert [(p.level, p.row) for p in found.problems] == [("warning", 2)]
    assert len(found.rows) == 2


def test_a_long_cell_of_quotes_that_are_not_doubled_takes_no_time():
    began = time.process_time()
    assert cells_of('"' + 'a"b' * 100_000 + '",x', ",", 2) == ['a"b' * 100_000, "x"]
    assert time.process_time() - began < 2
