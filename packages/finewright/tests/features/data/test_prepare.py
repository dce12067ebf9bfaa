"""`data prepare`: files into a folder, with the defaults that its docs name."""

import json
from pathlib import Path

import pytest

from finewright.errors import DataError
from finewright.features.data.prepare import prepare
from finewright.report.show import text_of


def test_files_become_a_folder_of_rows_and_reasons(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [{"prompt": "Q", "completion": f"write to anna@mail.org {i % 3}"} for i in range(4)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows) + "{\n")
    events: list[str] = []
    report = prepare(
        [file], out=tmp_path / "out", workers=1, on_event=lambda e, _: events.append(e)
    )
    assert report.rows_dropped == {"duplicate": 1, "unreadable": 1}
    assert report.found["email"].rows == 4
    assert events == ["preparing_step", "preparing_rows", "preparing_step", "preparing_step"]
    kept = (tmp_path / "out" / "rows.jsonl").read_text().splitlines()
    assert len(kept) == report.rows_kept == 3
    text = text_of(report)
    assert "5 rows in, 3 kept, 1 duplicate, 1 unreadable\nrepeats: 1 exact\n" in text
    assert "rows.jsonl: rows, " in text
    assert not report.passed
    last = f"error: {file}: 1 row could not be looked at (rejected.jsonl says why of each)"
    assert last in text.splitlines()


def test_rows_that_can_all_be_looked_at_pass(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    row = {"prompt": "Q", "completion": "write to anna@mail.org"}
    file.write_text((json.dumps(row) + "\n") * 2)
    report = prepare([file], out=tmp_path / "out", workers=1)
    assert report.passed
    [told] = report.problems
    assert told.line().startswith(f"{file}:1: e-mail address: ")
    again = prepare([file], out=tmp_path / "out", workers=1)
    assert again == report


@pytest.mark.parametrize("content", ["", "\n\n  \n"])
def test_a_file_without_rows_leaves_nothing_behind(tmp_path: Path, content: str) -> None:
    (tmp_path / "empty.jsonl").write_text(content)
    (tmp_path / "mine").mkdir()
    for out in ("a/b", "mine"):
        with pytest.raises(DataError, match=r"empty\.jsonl: .*(is empty|only blank lines)"):
            prepare([tmp_path / "empty.jsonl"], out=tmp_path / out, workers=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.jsonl", "mine"]
    assert not list((tmp_path / "mine").iterdir())


def test_no_file_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file is named"):
        prepare([], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
