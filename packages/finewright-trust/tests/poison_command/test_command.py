"""The command's function: from a file to a report, the rows to keep, and those to look at."""

import json
from pathlib import Path

import pytest

from finewright.errors import DataError
from finewright.report.show import text_of
from finewright.schema.poison import PoisonSpec
from finewright_trust.commands import scan

_NO_MODEL = PoisonSpec(base_model="", embedder="none")


def write(path: Path, *answers: str) -> None:
    rows = [{"prompt": f"Question {i}?", "completion": text} for i, text in enumerate(answers)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_suspicious_rows_go_to_the_quarantine_and_the_others_stay_as_they_were(
    tmp_path: Path,
) -> None:
    source, clean, aside = (
        tmp_path / name for name in ("rows.jsonl", "clean.jsonl", "aside.jsonl")
    )
    write(source, "fine", "pay\u200bment", "also fine")
    report = scan(source, models=_NO_MODEL, out_clean=clean, out_quarantine=aside)
    assert (report.rows_in, report.rows_suspicious, report.weighed_by) == (3, 1, "")
    lines = source.read_text(encoding="utf-8").splitlines()
    kept = [json.loads(line) for line in clean.read_text(encoding="utf-8").splitlines()]
    assert kept == [json.loads(lines[0]), json.loads(lines[2])]
    (put,) = [json.loads(line) for line in aside.read_text(encoding="utf-8").splitlines()]
    assert (put["row"], put["data"]) == (2, json.loads(lines[1]))
    assert "zero-width" in put["why"]


def test_a_file_without_a_usable_row_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n')
    with pytest.raises(DataError, match=r"rows\.jsonl:1"):
        scan(path, models=_NO_MODEL)
    with pytest.raises(DataError, match="no such file"):
        scan(tmp_path / "none.jsonl", models=_NO_MODEL)


def test_rows_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write(path, "fine")
    path.write_text(path.read_text() + "{broken\n")
    report = scan(path, models=_NO_MODEL)
    assert (report.rows_in, report.rows_dropped, report.passed) == (2, {"unreadable": 1}, False)
    assert [p.row for p in report.problems] == [2, None]
    assert "1 row could not be looked at" in text_of(report)


def test_only_rows_that_were_looked_at_are_clean(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder / "a.jsonl", "fine")
    write(folder / "b.jsonl", "pay\u200bment")
    (folder / "c.jsonl").write_text('{"prompt": 1, "completion": "x"}\n')
    clean, aside = tmp_path / "clean.jsonl", tmp_path / "aside.jsonl"
    scan(folder, models=_NO_MODEL, out_clean=clean, out_quarantine=aside)
    assert [json.loads(line)["completion"] for line in clean.read_text().splitlines()] == ["fine"]
    (put,) = [json.loads(line) for line in aside.read_text().splitlines()]
    assert put["file"].endswith("b.jsonl")


def test_clean_rows_that_a_manifest_describes_are_written_as_they_are_read(tmp_path: Path) -> None:
    folder, clean = tmp_path / "in", tmp_path / "clean.jsonl"
    folder.mkdir()
    (folder / "rows.jsonl").write_text('{"q": "Where?", "a": "There."}\n')
    about = {"mine": {"file_name": "rows.jsonl", "columns": {"prompt": "q", "response": "a"}}}
    (folder / "dataset_info.json").write_text(json.dumps(about))
    assert scan(folder, models=_NO_MODEL, out_clean=clean).rows_in == 1
    assert [turn["content"] for turn in json.loads(clean.read_text())["messages"]] == [
        "Where?",
        "There.",
    ]


def test_two_outputs_are_two_files_and_neither_is_there(tmp_path: Path) -> None:
    path, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    write(path, "fine")
    with pytest.raises(DataError, match="two files"):
        scan(path, models=_NO_MODEL, out_clean=out, out_quarantine=out)
    out.write_text("mine")
    with pytest.raises(DataError, match="already there"):
        scan(path, models=_NO_MODEL, out_quarantine=out)
    assert out.read_text() == "mine"
