import hashlib
import json
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel

from finewright.errors import StoreError
from finewright.schema.common import Artifact
from finewright.store.actor import read_actor
from finewright.store.events import emit
from finewright.store.lock import run_lock
from finewright.store.manifest import cover, describe, is_fresh, read_manifest, record_stage, verify
from finewright.store.rundir import RunDir
from finewright.store.signing import own_key

from .conftest import KEY, NOW


class Report(BaseModel):
    rows: int = 3


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def add(run: RunDir, path: str, content: bytes) -> Artifact:
    target = run.root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return describe(run, target, "rows")


@pytest.fixture
def finished(run: RunDir) -> RunDir:
    artifact = add(run, "data/train.jsonl", b"{}\n")
    run.write_report("data", Report())
    record_stage(run, "data", "k1", [artifact], NOW, inputs=["ab"])
    return run


def lines(run: RunDir) -> list[str]:
    return [f"{problem.level} {problem.line()}" for problem in verify(run)]


def test_the_first_manifest_covers_spec_lock_and_environment(run: RunDir) -> None:
    content = json.loads(run.manifest.read_text())
    assert content["key"] == KEY
    assert content["stages"]["run"].pop("signature")["key"] == own_key()
    actor = read_actor().model_dump(exclude_none=True)
    finished = {"key": KEY, "finished": "2026-11-24T09:30:00Z", "actor": actor}
    assert content["stages"] == {"run": finished}
    assert content["artifacts"] == [
        {
            "path": name,
            "kind": kind,
            "sha256": sha((run.root / name).read_bytes()),
            "bytes": len((run.root / name).read_bytes()),
            "stage": "run",
            "inputs": [],
        }
        for name, kind in [
            ("spec.yaml", "spec"),
            ("spec.lock.yaml", "spec_lock"),
            ("env.json", "environment"),
        ]
    ]


def test_a_file_is_described_by_path_digest_and_size(run: RunDir) -> None:
    artifact = add(run, "train/m/adapter/x.bin", b"abc")
    expected = Artifact(path="train/m/adapter/x.bin", kind="rows", sha256=sha(b"abc"), bytes=3)
    assert artifact == expected


def test_a_finished_stage_is_recorded_with_its_artifacts_and_report(finished: RunDir) -> None:
    manifest = read_manifest(finished)
    assert manifest.stages["data"].key == "k1"
    assert manifest.stages["data"].finished == NOW
    rows = {row.path: row for row in manifest.artifacts if row.stage == "data"}
    assert set(rows) == {"data/train.jsonl", "data/report.json"}
    assert rows["data/train.jsonl"].inputs == ("ab",)
    assert rows["data/report.json"].kind == "report"


def test_a_report_among_the_artifacts_is_not_recorded_twice(run: RunDir) -> None:
    report = describe(run, run.write_report("data", Report()), "report")
    record_stage(run, "data", "k1", [report], NOW)
    assert [row.path for row in read_manifest(run).artifacts if row.stage == "data"] == [
        "data/report.json"
    ]


def test_recording_a_stage_again_replaces_its_rows_and_no_others(finished: RunDir) -> None:
    artifact = add(finished, "data/other.jsonl", b"1")
    later = NOW + timedelta(hours=1)
    record_stage(finished, "data", "k2", [artifact], later)
    manifest = read_manifest(finished)
    paths = [row.path for row in manifest.artifacts if row.stage == "data"]
    assert paths == ["data/other.jsonl", "data/report.json"]
    assert (manifest.stages["data"].key, manifest.stages["data"].finished) == ("k2", later)
    assert len([row for row in manifest.artifacts if row.stage == "run"]) == 3
    assert manifest.created == NOW


def test_a_stage_is_fresh_while_key_and_files_are_the_same(finished: RunDir) -> None:
    assert is_fresh(finished, "data", "k1")


def test_a_stage_is_stale_with_another_key(finished: RunDir) -> None:
    assert not is_fresh(finished, "data", "k2")


def test_a_stage_that_never_ran_is_stale(finished: RunDir) -> None:
    assert not is_fresh(finished, "train", "k1")


def test_a_stage_is_stale_without_one_of_its_files(finished: RunDir) -> None:
    (finished.root / "data" / "train.jsonl").unlink()
    assert not is_fresh(finished, "data", "k1")


def test_a_stage_is_stale_when_a_file_has_another_size(finished: RunDir) -> None:
    (finished.root / "data" / "train.jsonl").write_bytes(b"{}\n\n")
    assert not is_fresh(finished, "data", "k1")


def test_the_files_of_other_stages_do_not_make_a_stage_stale(finished: RunDir) -> None:
    finished.env.unlink()
    assert is_fresh(finished, "data", "k1")


def test_an_untouched_run_verifies(finished: RunDir) -> None:
    emit(finished, "run_ended")
    with run_lock(finished):
        assert verify(finished) == []


def test_a_missing_file_is_an_error(finished: RunDir) -> None:
    (finished.root / "data" / "train.jsonl").unlink()
    assert [line.partition(" (")[0] for line in lines(finished)] == [
        "error data/train.jsonl: missing"
    ]


def test_a_changed_byte_is_an_error_with_both_digests(finished: RunDir) -> None:
    finished.spec.write_text("name: support-bOt\n")
    (problem,) = verify(finished)
    assert (problem.level, problem.file) == ("error", "spec.yaml")
    assert sha(b"name: support-bot\n") in problem.message
    assert sha(b"name: support-bOt\n") in problem.message


@pytest.mark.parametrize("path", ["notes.txt", "data/extra/x.jsonl", "data/checkpoints.txt"])
def test_a_file_that_no_row_covers_is_a_warning(finished: RunDir, path: str) -> None:
    target = finished.root / path
    target.parent.mkdir(exist_ok=True)
    target.write_text("x")
    (problem,) = verify(finished)
    assert (problem.level, problem.file) == ("warning", path)


def test_a_link_that_no_row_covers_is_a_warning(finished: RunDir, tmp_path: Path) -> None:
    (finished.root / "data" / "link").symlink_to(tmp_path)
    (problem,) = verify(finished)
    assert (problem.level, problem.file) == ("warning", "data/link")


@pytest.mark.parametrize(
    "path", ["train/m/checkpoints/checkpoint-1/x.bin", ".a.tmp/x", "data/.b.0123abcd.tmp"]
)
def test_checkpoints_and_temporary_files_need_no_row(finished: RunDir, path: str) -> None:
    target = finished.root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("x")
    assert verify(finished) == []


@pytest.mark.parametrize("name", ["metrics.jsonl", "references.json"])
def test_what_training_goes_on_from_needs_a_row_once_it_has_ended(
    finished: RunDir, name: str
) -> None:
    path = finished.root / "train" / "m" / name
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert verify(finished) == []  # interrupted: it goes on from there
    record_stage(finished, "train", "k2", [], NOW)
    assert [problem.file for problem in verify(finished)] == [f"train/m/{name}"]


def test_a_runs_own_pace_needs_no_row(finished: RunDir) -> None:
    """Runs of before have none for it."""
    for folder in ("train", "data"):
        (finished.root / folder / "m").mkdir(parents=True, exist_ok=True)
        (finished.root / folder / "m" / "pace.json").write_text("{}")
    record_stage(finished, "train", "k2", [], NOW)
    assert [problem.file for problem in verify(finished)] == ["data/m/pace.json"]


def test_all_problems_are_told_at_once(finished: RunDir) -> None:
    finished.spec.unlink()
    finished.env.write_text("{}")
    (finished.root / "x").write_text("x")
    assert [problem.file for problem in verify(finished)] == ["spec.yaml", "env.json", "x"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"spec.yaml"', '"../spec.yaml"'),
        ('"spec.yaml"', '"/etc/passwd"'),
        ('"run": {', '"ran": {'),
        ('"bytes"', '"size"'),
        ('"artifacts"', "artifacts"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_a_store_error(run: RunDir, old: str, new: str) -> None:
    text = run.manifest.read_text()
    assert old in text
    run.manifest.write_text(text.replace(old, new, 1))
    with pytest.raises(StoreError, match=r"manifest\.json: damaged"):
        verify(run)


def test_a_card_is_covered_and_makes_no_stage_stale(finished: RunDir) -> None:
    def put(text: bytes) -> None:
        artifact = add(finished, "data/README.md", text)
        cover(finished, "data", artifact.model_copy(update={"kind": "card"}))

    put(b"one")
    put(b"two")
    assert verify(finished) == []
    assert is_fresh(finished, "data", "k1")
    (finished.root / "data" / "README.md").write_bytes(b"cut between two writes")
    assert is_fresh(finished, "data", "k1")
    assert [problem.file for problem in verify(finished)] == ["data/README.md"]
