"""The command's function: from a file to a report, the rows to keep, and those to look at."""

import json
from pathlib import Path

import pytest

from finewright.errors import DataError
from finewright.workbench.data_poison import scan


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
    report = scan(source, base_model="", out_clean=clean, out_quarantine=aside)
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
        scan(path, base_model="")
    with pytest.raises(DataError, match="no such file"):
        scan(tmp_path / "none.jsonl", base_model="")


def test_rows_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write(path, "fine")
    path.write_text(path.read_text() + "{broken\n")
    assert [p.row for p in scan(path, base_model="").problems] == [2]
