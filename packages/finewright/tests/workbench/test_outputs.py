"""No data command writes over a file, among what it reads, or into a run."""

from pathlib import Path

import pytest

from finewright.errors import DataError
from finewright.features.data.check import check, fix
from finewright.features.data.documents import documents, examples
from finewright.features.data.prepare import prepare
from finewright.workbench.outputs import check_outputs

GOOD = '{"prompt": "Q", "completion": "A"}\n'


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text(GOOD)
    return path


def refused(match: str, *outputs: Path, reads: Path) -> None:
    with pytest.raises(DataError, match=match) as error:
        check_outputs(outputs, [reads])
    assert "\n" not in str(error.value)
    assert error.value.hint


def test_a_new_file_beside_what_is_read_is_fine(rows: Path, tmp_path: Path) -> None:
    check_outputs([tmp_path / "out.jsonl", None, tmp_path / "other.jsonl"], [rows])


def test_whatever_is_there_stays(rows: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("mine.txt", "link", "."):
        refused("already there", tmp_path / name, reads=rows)


def test_what_is_read_is_never_written_to(rows: Path, tmp_path: Path) -> None:
    refused("which is read", rows, reads=rows)
    (tmp_path / "link.jsonl").symlink_to(rows)
    refused("which is read", tmp_path / "link.jsonl", reads=rows)
    refused("which is read", tmp_path / "inside.jsonl", reads=tmp_path)
    (tmp_path / "below").mkdir()
    refused("which is read", tmp_path / "below" / "inside.jsonl", reads=tmp_path)


def test_a_run_belongs_to_its_stages(rows: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "bot"
    (run / "data").mkdir(parents=True)
    for name in ("manifest.json", "spec.lock.yaml"):
        (run / name).write_text("{}")
    refused("it is in the run", run / "new.jsonl", reads=rows)
    refused("it is in the run", run / "data" / "new.jsonl", reads=rows)
    check_outputs([tmp_path / "runs" / "new.jsonl"], [rows])


def test_a_missing_folder_and_two_files_of_one_name_are_said(rows: Path, tmp_path: Path) -> None:
    refused("there is no folder", tmp_path / "none" / "out.jsonl", reads=rows)
    refused("two files", tmp_path / "a.jsonl", tmp_path / "." / "a.jsonl", reads=rows)


def test_check_and_fix_leave_files_alone(rows: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text("mine")
    with pytest.raises(DataError, match="already there"):
        check(rows, problems=mine)
    with pytest.raises(DataError, match="already there"):
        fix(rows, mine)
    beside = tmp_path / "out.rejected.jsonl"
    beside.write_text("mine")
    with pytest.raises(DataError, match="already there"):
        fix(rows, tmp_path / "out.jsonl")
    assert (mine.read_text(), beside.read_text()) == ("mine", "mine")
    assert not (tmp_path / "out.jsonl").exists()


def test_nothing_is_left_behind_where_nothing_can_be_read(tmp_path: Path) -> None:
    none, out = tmp_path / "none.jsonl", tmp_path / "out.jsonl"
    check(none, problems=out)
    assert fix(none, out).out == ""
    assert documents([none], out).out == ""
    with pytest.raises(DataError, match="there is no such file"):
        examples(none, out)
    assert list(tmp_path.iterdir()) == []


def test_fix_writes_nothing_where_no_row_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("{broken\n")
    report = fix(tmp_path / "bad.jsonl", tmp_path / "out.jsonl")
    assert (report.out, report.rows_rejected) == ("", {"unreadable": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["bad.jsonl"]


def test_documents_are_not_written_over_or_among_what_is_read(tmp_path: Path) -> None:
    folder, mine = tmp_path / "texts", tmp_path / "mine.jsonl"
    folder.mkdir()
    (folder / "a.md").write_text("# A\n\ntext")
    mine.write_text("mine")
    with pytest.raises(DataError, match="already there"):
        documents([folder], mine)
    with pytest.raises(DataError, match="which is read"):
        documents([folder], folder / "out.jsonl")
    with pytest.raises(DataError, match="already there"):
        examples(folder, mine)
    assert mine.read_text() == "mine"


def test_rows_are_not_prepared_among_what_is_read(rows: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="which is read"):
        prepare([tmp_path], out=tmp_path / "out", workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
