"""A byte changed anywhere in the chain is found, and what it belongs to is named."""

import json
from pathlib import Path

import pytest

from finewright.data.provenance.verify import verify_chain

from .made import made_run


def test_a_whole_chain_has_no_problem(tmp_path: Path) -> None:
    made = made_run(tmp_path)
    assert verify_chain(made.run, made.resolve) == []


@pytest.mark.parametrize("name", ["train.jsonl", "eval.jsonl"])
def test_any_byte_of_the_rows(tmp_path: Path, name: str) -> None:
    made = made_run(tmp_path)
    path = made.run.root / "data" / name
    whole = path.read_bytes()
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
        problems = verify_chain(made.run, made.resolve)
        at = whole[:i].count(b"\n") + 1
        assert (problems[0].level, problems[0].file) == ("error", f"data/{name}")
        assert at in {p.row for p in problems}, (i, problems)


def test_any_byte_of_the_ledger(tmp_path: Path) -> None:
    made = made_run(tmp_path)
    path = made.run.root / "data" / "ledger.jsonl"
    whole = path.read_bytes()
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
        problems = verify_chain(made.run, made.resolve)
        assert ("error", "data/ledger.jsonl") in {(p.level, p.file) for p in problems}, i


def test_any_byte_of_a_raw_file(tmp_path: Path) -> None:
    made = made_run(tmp_path)
    path = made.raw / "a.jsonl"
    whole = path.read_bytes()
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
        first = verify_chain(made.run, made.resolve)[0]
        assert (first.level, first.file, first.row) == ("error", "a.jsonl", None)
        assert first.message.startswith("changed: recorded sha256")


def test_the_changed_record_of_a_raw_file_is_named(tmp_path: Path) -> None:
    made = made_run(tmp_path)
    path = made.raw / "a.jsonl"
    path.write_text(path.read_text().replace('"2"', '"3"'))
    problems = verify_chain(made.run, made.resolve)
    assert [(p.file, p.row) for p in problems] == [("a.jsonl", None), ("a.jsonl", 2)]


def test_a_raw_file_that_is_gone_is_a_warning(tmp_path: Path) -> None:
    made = made_run(tmp_path)
    (made.raw / "a.jsonl").unlink()
    assert [(p.level, p.file) for p in verify_chain(made.run, made.resolve)] == [
        ("warning", "a.jsonl")
    ]


def test_rows_added_removed_and_moved(tmp_path: Path) -> None:
    made = made_run(tmp_path)
    path = made.run.root / "data" / "train.jsonl"
    first, second = path.read_text().splitlines(keepends=True)
    path.write_text(first + second + first.replace("one?", "new?"))
    assert [(p.row, p.message) for p in verify_chain(made.run, made.resolve)] == [
        (3, "this row is not in the ledger")
    ]
    path.write_text(first)
    assert [p.row for p in verify_chain(made.run, made.resolve)] == [2]
    path.write_text(second + first)
    assert [p.message for p in verify_chain(made.run, made.resolve)] == [
        "moved: the ledger has this row at 2",
        "moved: the ledger has this row at 1",
    ]
    path.unlink()
    assert [p.message for p in verify_chain(made.run, made.resolve)] == ["missing"]


def test_a_ledger_line_left_out_is_found(tmp_path: Path) -> None:
    made = made_run(tmp_path)
    path = made.run.root / "data" / "ledger.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    problems = verify_chain(made.run, made.resolve)
    assert problems[0].file == "data/ledger.jsonl"
    assert "2 lines" in problems[0].message
    path.unlink()
    assert [p.message for p in verify_chain(made.run, made.resolve)] == ["missing"]


def test_an_owner_rewritten_in_the_ledger_is_found(tmp_path: Path) -> None:
    made = made_run(tmp_path)
    path = made.run.root / "data" / "ledger.jsonl"
    path.write_text(path.read_text().replace('"owner":"A"', '"owner":"B"'))
    assert [p.file for p in verify_chain(made.run, made.resolve)] == ["data/ledger.jsonl"]


@pytest.mark.parametrize(
    ("report", "level"),
    [("{}", "warning"), ("{", "error"), ("[]", "error"), ('{"ledger": {"rows": 1}}', "error")],
)
def test_a_report_without_a_usable_root_is_said(tmp_path: Path, report: str, level: str) -> None:
    made = made_run(tmp_path)
    (made.run.root / "data" / "report.json").write_text(report)
    problems = verify_chain(made.run, made.resolve)
    assert [(p.level, p.file) for p in problems] == [(level, "data/report.json")]


def test_many_changed_rows_are_counted(tmp_path: Path) -> None:
    made = made_run(tmp_path)
    path = made.run.root / "data" / "train.jsonl"
    path.write_text(path.read_text() + "".join(json.dumps({"n": n}) + "\n" for n in range(30)))
    problems = verify_chain(made.run, made.resolve)
    assert len(problems) == 21
    assert problems[-1].message == "and 10 more rows like these"
