"""`--fix` changes the spelling and never the content; what it cannot mend goes aside unchanged."""

import base64
import copy
import csv
import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from finewright.data.mend import mend_row
from finewright.errors import DataError
from finewright.features.data.check import check, fix
from finewright.features.data.rows import read_options
from finewright.report.show import text_of
from finewright.rows.fates import ReadOptions, fate_of
from finewright.rows.read import read_rows

USER = {"role": "user", "content": "Q"}
ANSWER = {"role": "assistant", "content": "A"}
GOOD = {"messages": [USER, ANSWER]}


def lines(path: Path) -> list[object]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def call(arguments: object) -> dict[str, object]:
    return {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}


@pytest.mark.parametrize(
    ("row", "wanted", "names"),
    [
        (
            {"messages": [{"role": "Human", "content": "Q"}, {"role": "gpt", "content": "A"}]},
            GOOD,
            ("roles",),
        ),
        (
            {
                "messages": [
                    USER,
                    {"role": "assistant", "content": None, "tool_calls": [call("{}")]},
                ]
            },
            {"messages": [USER, {"role": "assistant", "content": "", "tool_calls": [call("{}")]}]},
            ("null_content",),
        ),
        (
            {"messages": [USER, {**ANSWER, "tool_calls": [call({"a": "é", "b": [1]})]}]},
            {"messages": [USER, {**ANSWER, "tool_calls": [call('{"a": "é", "b": [1]}')]}]},
            ("arguments",),
        ),
        (
            {"messages": [USER, {**ANSWER, "weight": "0"}, USER, {**ANSWER, "weight": 1.0}]},
            {"messages": [USER, {**ANSWER, "weight": 0}, USER, {**ANSWER, "weight": 1}]},
            ("weight",),
        ),
        (
            {"messages": [USER, ANSWER, {"role": "user", "content": " "}]},
            GOOD,
            ("empty_turns",),
        ),
        (
            {"prompt": "Q", "completion": "A", "label": "True"},
            {"prompt": "Q", "completion": "A", "label": True},
            ("label",),
        ),
    ],
)
def test_each_mend_is_what_it_says(row, wanted, names):
    before = copy.deepcopy(row)
    found = mend_row(row)
    assert json.dumps(found.data) == json.dumps(wanted)
    assert found.mends == names
    assert row == before


@pytest.mark.parametrize(
    "row",
    [
        GOOD,
        {"text": "x", "label": "true"},
        {"prompt": "Q", "completion": "A", "label": "1"},
        {"messages": [USER, {"role": "tool", "content": "", "tool_call_id": "1"}]},
        {"messages": [{"role": "assistant", "content": ""}]},
        {"messages": [USER, {"role": "critic", "content": "A"}]},
        {"messages": [USER, {**ANSWER, "weight": 0.5}]},
        {"messages": "text"},
        {"messages": [USER, {"role": "assistant", "content": None}, 7]},
    ],
)
def test_what_is_not_safe_is_left_as_it_is(row):
    assert mend_row(row).data is row


def test_the_users_columns_are_mended_too():
    row = {"turns": [{"role": "human", "content": "Q"}, ANSWER]}
    assert mend_row(row, {"messages": "turns"}).data == {"turns": [USER, ANSWER]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", " ", "Q", "gpt", "true"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "weight", "tool_calls", "function", "arguments"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["messages", "prompt", "completion", "label"]), JSON))
def test_mending_twice_is_mending_once(row):
    once = mend_row(row).data
    assert mend_row(once).mends == ()


def test_every_row_is_written_or_set_aside_and_the_input_stays(tmp_path):
    path, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = [
        json.dumps(GOOD).encode(),
        b'{"prompt": "Q", "prompt": "Q", "completion": "A"}',
        b'{"prompt": "Q", "completion": "caf\xe9"}',
        b'{"prompt": "Q", "completion": ',
        b'{"prompt": "", "completion": "A"}',
        b'{"messages": [{"role": "user", "content": "Q"}, {"role": "bot", "content": "A"}]}',
    ]
    content = b"\xef\xbb\xbf" + b"\r\n".join(rows)
    path.write_bytes(content)
    report = fix(path, out)
    assert path.read_bytes() == content
    assert (report.rows_in, report.rows_written, report.rows_mended) == (6, 3, 2)
    assert report.rows_rejected == {"unreadable": 2, "invalid": 1}
    assert report.mends == {"repeated_keys": 1, "roles": 1}
    assert report.file_mends == {"byte_order_mark": 1, "line_ends": 1}
    assert lines(out) == [GOOD, {"prompt": "Q", "completion": "A"}, GOOD]
    aside = lines(tmp_path / "out.rejected.jsonl")
    assert [item["row"] for item in aside] == [3, 4, 5]
    assert base64.b64decode(aside[0]["raw_base64"]) == rows[2]
    assert aside[0]["raw"] == '{"prompt": "Q", "completion": "caf\\xe9"}'
    assert aside[1]["raw"] == rows[3].decode()
    assert aside[2]["data"] == {"prompt": "", "completion": "A"}
    assert aside[2]["reasons"] == ["prompt: empty: nothing is asked"]
    assert not report.passed


@pytest.mark.parametrize(
    ("name", "content", "mends"),
    [
        ("a.json", json.dumps([GOOD, GOOD], indent=1).encode(), {"array_to_lines"}),
        ("a.json", "\n".join([json.dumps(GOOD, indent=1)] * 2).encode(), {"objects_to_lines"}),
        ("a.jsonl", f"{json.dumps(GOOD)}\n".encode("utf-16"), {"encoding"}),
        ("a.csv", b"prompt,completion\r\nQ,A\r\n", {"table_to_lines", "line_ends"}),
        ("a.jsonl.gz", gzip.compress(json.dumps(GOOD).encode(), mtime=0), {"unpacked"}),
    ],
)
def test_every_container_becomes_clean_jsonl(tmp_path, name, content, mends):
    (tmp_path / name).write_bytes(content)
    report = fix(tmp_path / name, tmp_path / "out.jsonl")
    assert report.passed
    assert set(report.file_mends) == mends
    assert (tmp_path / "out.jsonl").read_bytes().isascii()
    assert [r.data for r in read_rows(tmp_path / "out.jsonl").rows] == [
        r.data for r in read_rows(tmp_path / name).rows
    ]
    assert not (tmp_path / "out.rejected.jsonl").exists()


def test_what_was_fixed_passes_the_check(tmp_path):
    with (tmp_path / "in.csv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerows([("prompt", "completion"), *((f"Q{i}", "A") for i in range(5)), ("", "A")])
    report = fix(tmp_path / "in.csv", tmp_path / "out.jsonl")
    checked = check(tmp_path / "out.jsonl")
    assert checked.passed
    assert checked.rows_kept == report.rows_written == 5
    assert "6 rows: 5 written to" in text_of(report)
    assert "rejected: invalid 1:" in text_of(report)


def test_the_input_is_never_written_to(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(GOOD))
    with pytest.raises(DataError, match="never written to"):
        fix(path, path)
    with pytest.raises(DataError, match="never written to"):
        fix(tmp_path, tmp_path / "out.jsonl")
    assert path.read_text() == json.dumps(GOOD)


def ids_of(path, **options):
    asked = ReadOptions(**options)
    return [r.id for row in read_rows(path).rows for r in fate_of(row, asked).rows]


def is_read_without_options(out, report):
    found = check(out)
    return found.passed and found.rows_kept == report.rows_written


@pytest.mark.parametrize(
    ("rows", "options", "written"),
    [
        (
            [{"Frage": "Q", "Antwort": "A", "id": 1}],
            {"columns": {"prompt": "Frage", "completion": "Antwort"}},
            [{"id": 1, "prompt": "Q", "completion": "A"}],
        ),
        (
            [{"turns": [USER, {"role": "bot", "content": "A"}]}],
            {"columns": {"messages": "turns"}},
            [GOOD],
        ),
        (
            [{"prompt": "x", "question": "Q", "completion": "A"}],
            {"columns": {"prompt": "question"}},
            [{"completion": "A", "prompt": "Q", "question": "x"}],
        ),
        (
            [{"prompt": "Q", "completion": "A", "chosen": "A", "rejected": "B"}],
            {"type": "preference"},
            [
                {
                    "chosen": [USER, ANSWER],
                    "rejected": [USER, {**ANSWER, "content": "B"}],
                    "completion": "A",
                }
            ],
        ),
        (
            [{"prompt": "Q", "completion": "A", "label": "news"}],
            {"type": "prompt_completion"},
            [{"prompt": "Q", "completion": "A", "label": "news"}],
        ),
    ],
)
def test_what_an_option_made_readable_is_read_without_it(tmp_path, rows, options, written):
    path, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = fix(path, out, read_options(**options))
    assert is_read_without_options(out, report)
    assert lines(out) == written
    if report.rows_mended == 0:
        assert ids_of(out) == ids_of(path, **options)


def test_the_turns_of_a_manifest_are_written_in_our_own_shape(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    turns = [{"wer": "kunde", "was": "Q"}, {"wer": "wir", "was": "A"}]
    (folder / "rows.json").write_text(json.dumps([{"dialog": turns, "no": i} for i in range(3)]))
    tags = {"role_tag": "wer", "content_tag": "was", "user_tag": "kunde", "assistant_tag": "wir"}
    entry = {
        "file_name": "rows.json",
        "formatting": "sharegpt",
        "columns": {"messages": "dialog"},
        "tags": tags,
    }
    (folder / "dataset_info.json").write_text(json.dumps({"mine": entry}))
    report = fix(folder, tmp_path / "out.jsonl")
    assert is_read_without_options(tmp_path / "out.jsonl", report)
    assert lines(tmp_path / "out.jsonl") == [{**GOOD, "no": i} for i in range(3)]
    assert report.rows_written == check(folder).rows_kept == 3


def test_windows_text_is_one_line_and_each_row_is_kept_aside(tmp_path):
    path, out = tmp_path / "in.csv", tmp_path / "out.jsonl"
    rows = [f'Frage {i}?,"schön\n{i}"' for i in range(60)]
    path.write_bytes("\n".join(["prompt,completion", *rows, "Q,A"]).encode("cp1252"))
    report = fix(path, out)
    assert [problem.line() for problem in report.problems] == [
        f"{path}:2: 60 lines are not UTF-8, this one first: byte 0xf6 in 'completion' (it looks like "
        "cp1252: --encoding cp1252, or in a spec the source's encoding)"
    ]
    aside = lines(tmp_path / "out.rejected.jsonl")
    assert [item["raw"] for item in aside] == [row.replace("ö", "\\xf6") for row in rows]
    assert base64.b64decode(aside[7]["raw_base64"]) == rows[7].encode("cp1252")


@pytest.mark.parametrize("name", ["in.csv", "in.jsonl"])
def test_an_encoding_that_is_named_is_read(tmp_path, name):
    path, out = tmp_path / name, tmp_path / "out.jsonl"
    row = {"prompt": "Gelöst: „ja“?", "completion": "100 €"}
    table = f"{','.join(row)}\n{','.join(row.values())}\n"
    text = table if name == "in.csv" else json.dumps(row, ensure_ascii=False)
    path.write_bytes(text.encode("cp1252"))
    report = fix(path, out, read_options(encoding="cp1252"))
    assert lines(out) == [row]
    assert report.passed
    assert report.file_mends["encoding"] == 1
    with pytest.raises(DataError, match="unknown encoding 'cp1251252'"):
        read_options(encoding="cp1251252")
    assert not (tmp_path / "other.jsonl").exists()


def test_where_none_can_be_used_nothing_is_written_and_the_mended_command_runs(tmp_path):
    path, out = tmp_path / "mails.csv", tmp_path / "mails.jsonl"
    path.write_text("mail,team\nMy card is lost.,cards\n")
    report = fix(path, out)
    assert (report.rows_rejected, report.out, report.rejected) == ({"invalid": 1}, "", "")
    assert list(tmp_path.iterdir()) == [path]
    assert fix(path, out, read_options(columns={"prompt": "mail", "completion": "team"})).passed


def test_a_table_row_that_is_set_aside_has_its_content(tmp_path):
    path, out = tmp_path / "in.csv", tmp_path / "out.jsonl"
    path.write_text('prompt,completion\nQ,A\nQ,"A\nB",C\n{"a": 1}\n')
    fix(path, out)
    aside = lines(tmp_path / "out.rejected.jsonl")
    assert [(item["row"], item["raw"]) for item in aside] == [(3, 'Q,"A\nB",C'), (5, '{"a": 1}')]


def test_what_a_check_of_the_written_rows_would_warn_of_is_told(tmp_path):
    turned = {"prompt": "<|im_end|><|im_start|>system", "completion": "A"}
    (tmp_path / "rows.csv").write_text(
        f"prompt,completion\n{turned['prompt']},A\nQ,A\nQ,A\n", encoding="utf-8"
    )
    report = fix(tmp_path / "rows.csv", tmp_path / "out.jsonl")
    assert report.passed
    told = [problem.message for problem in report.problems]
    assert [problem.row for problem in report.problems] == [2, 4]
    assert told[0].startswith("1 row spells control tokens")
    assert told[1].startswith("1 row repeats an earlier row exactly")
    again = check(tmp_path / "out.jsonl").problems
    assert [problem.message.split(",")[0] for problem in again] == [
        message.split(",")[0] for message in told
    ]


def test_what_is_lost_of_a_workbook_is_said_by_fix_as_by_check(tmp_path):
    book = Workbook()
    book.active.append(["prompt", "completion"])
    book.active.append(["Q", "A"])
    book.create_sheet("notes").append(["x"])
    book.save(tmp_path / "in.xlsx")
    found = fix(tmp_path / "in.xlsx", tmp_path / "out.jsonl").problems
    assert found == check(tmp_path / "in.xlsx").problems
    assert [p.message for p in found] == ["sheets with other columns are not read: notes"]
