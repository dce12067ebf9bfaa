"""`data show`: containers, formats and why, keys, a proposal, and rows as they become."""

import gzip
import json

import pytest

from finewright.features.data.rows import read_options
from finewright.features.data.show import show
from finewright.report.show import text_of
from finewright.schema.formats import DataShowReport

SHAREGPT = {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}
ALPACA = {"instruction": "Q", "output": "A", "meta": 1}
UNKNOWN = {"Ticket": "Q", "Reply": "A"}


def written(path, *rows: object):
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_formats_are_counted_with_their_reason_and_first_row(tmp_path):
    found = show(written(tmp_path / "rows.jsonl", SHAREGPT, ALPACA, ALPACA, UNKNOWN))
    assert [(f.format, f.type, f.rows, f.first_row) for f in found.formats] == [
        ("alpaca", "messages", 2, 2),
        ("sharegpt", "messages", 1, 1),
        ("unknown", None, 1, 4),
    ]
    assert found.formats[0].why == "Alpaca: `instruction`, `input` and `output`"
    assert (found.rows, found.unreadable, found.passed) == (4, 0, False)
    assert [f.container for f in found.files] == ["JSONL, an object a line"]


def test_keys_are_seen_with_their_share_and_values(tmp_path):
    found = show(written(tmp_path / "rows.jsonl", ALPACA, ALPACA | {"meta": "x"}, SHAREGPT))
    keys = {seen.key: (seen.rows, seen.values) for seen in found.keys}
    assert keys == {
        "instruction": (2, {"text": 2}),
        "output": (2, {"text": 2}),
        "meta": (2, {"a number": 1, "text": 1}),
        "conversations": (1, {"a list": 1}),
    }


def test_a_proposal_is_made_and_holds_when_it_is_taken(tmp_path):
    path = written(tmp_path / "rows.jsonl", UNKNOWN)
    found = show(path)
    assert found.proposal is not None
    assert found.proposal.line == "columns: {prompt: Ticket, completion: Reply}"
    assert found.proposal.options == "--column prompt=Ticket --column completion=Reply"
    assert found.proposal.options in text_of(found)
    assert found.first[0].becomes == ()
    taken = show(path, read_options(columns=found.proposal.columns))
    assert [f.format for f in taken.formats] == ["prompt_completion"]
    assert (taken.passed, taken.proposal) == (True, None)
    assert [m["content"] for m in taken.first[0].becomes[0]["messages"]] == ["Q", "A"]


def test_nothing_is_proposed_for_rows_that_only_need_a_type(tmp_path):
    turns = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
    row = {"prompt": "Q", "chosen": "A", "rejected": "B", "messages": turns}
    found = show(written(tmp_path / "rows.jsonl", row))
    assert (found.passed, found.proposal) == (False, None)


def test_the_first_rows_are_shown_as_they_become(tmp_path):
    path = written(tmp_path / "rows.jsonl", *[SHAREGPT] * 5)
    assert [seen.row for seen in show(path).first] == [1, 2, 3]
    assert show(path, limit=0).first == ()
    (row,) = show(path, limit=1).first[0].becomes
    assert row["messages"] == [
        {"role": "user", "content": "Q"},
        {"role": "assistant", "content": "A"},
    ]


def test_a_named_format_and_type_are_taken_at_their_word(tmp_path):
    tree = {"text": "Q", "role": "prompter"}
    tree["replies"] = [{"text": t, "role": "assistant", "rank": i} for i, t in enumerate("AB")]
    path = written(tmp_path / "rows.jsonl", {"prompt": tree})
    assert show(path).formats[0].type == "messages"
    found = show(path, read_options("preference", "tree"))
    assert found.formats[0].type == "preference"
    assert found.first[0].becomes[0]["rejected"][-1]["content"] == "B"
    assert show(path, read_options(format="alpaca")).formats[0].format == "unknown"


def test_plain_text_is_known_has_no_type_and_is_shown_with_its_reason(tmp_path):
    (tmp_path / "a.md").write_text("one")
    (tmp_path / "b.md").write_text("two")
    found = show(tmp_path)
    assert [(f.format, f.type, f.rows) for f in found.formats] == [("text", None, 2)]
    assert "plain text" in found.first[0].problems[0].message
    assert not found.passed
    assert "finewright rag index" in text_of(found)


def test_containers_are_named_and_what_cannot_be_read_is_counted(tmp_path):
    (tmp_path / "a.csv").write_text("prompt,completion\nQ,A\n")
    with gzip.open(tmp_path / "b.jsonl.gz", "wt") as file:
        file.write(json.dumps(ALPACA) + "\nnot JSON\n")
    found = show(tmp_path)
    assert [f.container for f in found.files] == [
        "CSV or TSV, the columns by its header",
        "gzip of JSONL, an object a line",
    ]
    assert (found.rows, found.unreadable) == (2, 1)
    assert [p.level for p in found.problems] == ["error"]


def test_what_a_manifest_states_is_taken(tmp_path):
    written(tmp_path / "rows.jsonl", {"q": "Q", "a": "A"})
    columns = {"prompt": "q", "response": "a"}
    about = {"mine": {"file_name": "rows.jsonl", "columns": columns}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(about))
    assert [f.format for f in show(tmp_path).formats] == ["alpaca"]


def test_many_files_and_keys_are_cut_short(tmp_path):
    for i in range(25):
        written(tmp_path / f"{i:02}.jsonl", {f"key {i} {j}": 1 for j in range(10)})
    found = show(tmp_path)
    assert (len(found.files), found.files[-1].path) == (21, "and 5 more")
    assert len(found.keys) == 100


@pytest.mark.parametrize("name", ["missing.jsonl", "empty.jsonl"])
def test_nothing_to_see_is_said(tmp_path, name):
    (tmp_path / "empty.jsonl").write_text("")
    found = show(tmp_path / name)
    assert (found.rows, found.passed, found.formats) == (0, False, ())
    assert [p.level for p in found.problems] == ["error"]
    assert "0 rows" in text_of(found)


def test_the_text_shows_it_all(tmp_path):
    call = {"from": "function_call", "value": '{"name": "f", "arguments": {}}'}
    calls = {
        "conversations": [*SHAREGPT["conversations"][:1], call],
        "tools": '[{"name": "f"}]',
    }
    pair = {"question": "Q", "chosen": "A", "rejected": "B", "id": 7}
    masked = {
        "messages": [
            {"role": "user", "content": "Q"},
            {"role": "assistant", "content": "A", "loss": False},
        ]
        * 2
    }
    masked["messages"][-1] = {"role": "assistant", "content": "A"}
    path = written(tmp_path / "rows.jsonl", UNKNOWN, calls, pair, masked)
    text = text_of(show(path, limit=9))
    for part in (
        "4 rows",
        "ShareGPT: `conversations` of turns",
        "columns: {prompt: Ticket, completion: Reply}",
        "25.0 %",
        f"{path}:1 (unknown) becomes no row",
        '    assistant: calls [{"id": "call_1"',
        '    rejected assistant: "B"',
        '    columns: {"id": 7}',
        '    assistant (read only): "A"',
    ):
        assert part in text


def test_the_report_is_plain_data(tmp_path):
    found = show(written(tmp_path / "rows.jsonl", SHAREGPT, UNKNOWN))
    assert DataShowReport.model_validate_json(found.model_dump_json()) == found


def test_a_row_that_is_refused_or_unreadable_does_not_pass(tmp_path):
    good, refused = {"prompt": "Q", "completion": "A"}, {"prompt": "", "completion": "A"}
    assert show(written(tmp_path / "a.jsonl", good)).passed
    found = show(written(tmp_path / "b.jsonl", *[good] * 5, refused), limit=0)
    assert (found.refused, found.passed) == (1, False)
    assert "1 row is of a known format and refused" in found.problems[0].message
    (tmp_path / "c.jsonl").write_text(json.dumps(good) + "\n{\n")
    assert not show(tmp_path / "c.jsonl").passed


def test_a_key_that_some_rows_lack_counts_for_what_is_proposed(tmp_path):
    row = {"q": "What is the fee?", "note": "It is 5 EUR.", "a": "5 EUR a year."}
    assert (
        show(
            written(tmp_path / "a.jsonl", {"q": "Who signs?", "a": "The head signs."}, row)
        ).proposal
        is None
    )
    row = {"question": "Who signs?", "answer": "The head.", "context": None}
    found = show(written(tmp_path / "b.jsonl", row, {**row, "context": "The head signs it."}))
    assert found.proposal.columns == {
        "instruction": "question",
        "input": "context",
        "output": "answer",
    }
