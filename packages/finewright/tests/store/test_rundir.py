import errno
import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel

from finewright.errors import StoreError
from finewright.store.manifest import read_manifest
from finewright.store.rundir import RunDir, open_run
from finewright.store.runs import create_run, find_run, list_runs

from .conftest import KEY, NOW


class Report(BaseModel):
    rows: int


def create(root: Path, name: str = "bot", key: str = KEY, now: datetime = NOW) -> RunDir:
    return create_run(root, name, key, "spec", "lock", now)


def test_a_run_folder_is_named_by_date_name_and_key(run: RunDir) -> None:
    assert run.root.name == "2026-11-24-support-bot-7f3a"


def test_a_new_run_holds_spec_lock_environment_and_manifest(run: RunDir) -> None:
    assert run.spec.read_text() == "name: support-bot\n"
    assert run.spec_lock.read_text() == "lock: 1\n"
    assert "packages" in json.loads(run.env.read_text())
    assert sorted(path.name for path in run.root.iterdir()) == [
        "env.json",
        "manifest.json",
        "spec.lock.yaml",
        "spec.yaml",
    ]


def test_the_named_paths_are_those_of_the_documentation(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    named = (run.spec, run.spec_lock, run.manifest, run.events, run.env, run.lock)
    assert [path.relative_to(tmp_path).as_posix() for path in named] == [
        "spec.yaml",
        "spec.lock.yaml",
        "manifest.json",
        "events.jsonl",
        "env.json",
        "run.lock",
    ]


def test_the_same_name_and_key_on_one_day_get_numbers(tmp_path: Path) -> None:
    names = [create(tmp_path).root.name for _ in range(3)]
    stem = "2026-11-24-bot-7f3a"
    assert names == [stem, f"{stem}-2", f"{stem}-3"]


def test_an_existing_folder_or_file_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "2026-11-24-bot-7f3a").mkdir()
    (tmp_path / "2026-11-24-bot-7f3a" / "mine").write_text("x")
    (tmp_path / "2026-11-24-bot-7f3a-2").write_text("a file")
    assert create(tmp_path).root.name == "2026-11-24-bot-7f3a-3"
    assert (tmp_path / "2026-11-24-bot-7f3a" / "mine").read_text() == "x"
    assert (tmp_path / "2026-11-24-bot-7f3a-2").read_text() == "a file"


def test_a_full_disk_leaves_no_run_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StoreError, match="the disk is full"):
        create(tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_runs_root_that_is_a_file_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("x")
    with pytest.raises(StoreError, match="File exists"):
        create(tmp_path / "runs")


def test_a_stage_folder_is_made_once(run: RunDir) -> None:
    assert run.stage_dir("data") == run.stage_dir("data") == run.root / "data"
    assert (run.root / "data").is_dir()


def test_a_report_is_read_back_as_written(run: RunDir) -> None:
    path = run.write_report("data", Report(rows=3))
    assert path == run.root / "data" / "report.json"
    assert json.loads(path.read_text()) == {"rows": 3}
    assert run.read_report("data", Report) == Report(rows=3)


def test_a_missing_report_names_the_stage(run: RunDir) -> None:
    with pytest.raises(StoreError, match="stage 'train' has not finished"):
        run.read_report("train", Report)


def test_a_damaged_report_names_the_file_and_the_field(run: RunDir) -> None:
    run.write_report("data", Report(rows=3)).write_text('{"rows": "many"}')
    with pytest.raises(StoreError, match=r"data/report\.json: damaged.*: rows: "):
        run.read_report("data", Report)


def test_a_run_is_found_by_name_and_key(tmp_path: Path) -> None:
    wanted = create(tmp_path)
    create(tmp_path, name="other")
    create(tmp_path, key="0" * 64)
    assert find_run(tmp_path, "bot", KEY) == wanted


def test_a_key_with_the_same_start_is_another_run(tmp_path: Path) -> None:
    create(tmp_path)
    assert find_run(tmp_path, "bot", KEY[:-1] + "1") is None


def test_a_name_that_extends_another_is_another_run(tmp_path: Path) -> None:
    create(tmp_path, name="bot-7f3a")
    assert find_run(tmp_path, "bot", KEY) is None


def test_the_newest_run_is_found_even_when_names_sort_otherwise(tmp_path: Path) -> None:
    runs = [create(tmp_path, now=NOW + timedelta(minutes=i)) for i in range(11)]
    assert runs[-1].root.name.endswith("-11")
    assert find_run(tmp_path, "bot", KEY) == runs[-1]


def test_nothing_is_found_where_no_runs_are(tmp_path: Path) -> None:
    assert find_run(tmp_path / "no", "bot", KEY) is None
    assert list_runs(tmp_path / "no") == []


def test_runs_are_listed_oldest_first_and_nothing_else_is(tmp_path: Path) -> None:
    late = create(tmp_path, name="a", now=NOW + timedelta(hours=1))
    early = create(tmp_path, name="b")
    (tmp_path / "2026-11-24-notes-7f3a").mkdir()
    (tmp_path / ".2026-11-24-bot-7f3a.0123abcd.tmp").mkdir()
    (tmp_path / "README.md").write_text("x")
    assert list_runs(tmp_path) == [early, late]


def test_a_run_with_a_damaged_manifest_is_still_listed(tmp_path: Path) -> None:
    run = create(tmp_path)
    run.manifest.write_text("{")
    assert list_runs(tmp_path) == [run]


def test_a_time_without_zone_is_local_time(tmp_path: Path) -> None:
    naive = datetime(2026, 11, 24, 9, 30)
    assert read_manifest(create(tmp_path, now=naive)).created == naive.astimezone(UTC)


def test_a_moved_run_opens(run: RunDir, tmp_path: Path) -> None:
    shutil.move(run.root, tmp_path / "elsewhere")
    assert open_run(tmp_path / "elsewhere").spec.read_text() == "name: support-bot\n"


@pytest.mark.parametrize(
    ("name", "words"),
    [("no", "no such run folder"), ("file", "is a file"), ("empty", "lacks spec.yaml, spec.lock")],
)
def test_what_is_no_run_folder_is_told(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match=words):
        open_run(tmp_path / name)


def test_the_missing_file_of_a_run_folder_is_named(run: RunDir) -> None:
    run.manifest.unlink()
    with pytest.raises(StoreError, match=r"it lacks manifest\.json$"):
        open_run(run.root)
