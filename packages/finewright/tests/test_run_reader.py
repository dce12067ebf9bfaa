"""A run folder is read without finewright, as finewright itself reads it, and as its schema says."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from finewright import run_reader
from finewright.run_reader import RunFormatError, find_runs, read_run
from finewright.schema.evaluate import EvaluateReport
from finewright.store.events import read_events, state
from finewright.store.manifest import read_manifest, verify
from finewright.store.rundir import open_run
from tiny_run import trained

HERE = Path(__file__).parent
KEPT = HERE / "golden" / "kept" / "2026-11-27-tiny-293e"
SCHEMA = json.loads((HERE.parents[2] / "docs" / "run-1.schema.json").read_text(encoding="utf-8"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of a run that an earlier version made."""
    return Path(shutil.copytree(KEPT, tmp_path / KEPT.name))


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of this version, trained and not measured."""
    return trained(tmp_path_factory.mktemp("fresh"), "{type: lora, r: 4}")


def test_what_it_reads_is_what_the_store_reads(run: Path) -> None:
    found, ours = read_run(run), open_run(run)
    manifest = read_manifest(ours)
    assert found.key == manifest.key
    assert found.stages == {name: each.finished for name, each in manifest.stages.items()}
    paths = [(file.path, file.sha256, file.bytes, file.stage) for file in found.files]
    assert paths == [(row.path, row.sha256, row.bytes, row.stage) for row in manifest.artifacts]
    assert found.state() == state(ours)
    assert [event["type"] for event in found.events()] == [e.type for e in read_events(ours).events]
    report = ours.read_report("evaluate", EvaluateReport)
    assert [(s.system, s.metric, s.value, s.low, s.rows) for s in found.scores()] == [
        (s.system, s.metric, s.value, s.low, s.n) for s in report.scores
    ]


def test_answers_rows_and_steps_are_all_there(run: Path) -> None:
    found = read_run(run)
    answers = list(found.answers())
    for score in found.scores():
        own = [a["scores"][score.metric] for a in answers if a["system"] == score.system]
        assert sum(own) / len(own) == pytest.approx(score.value)
    assert found.parts() == ["train", "test"]
    assert len(list(found.rows("train"))) == found.report("data")["rows_train"]
    (candidate,) = found.candidates()
    steps = [step["step"] for step in found.steps(candidate)]
    assert steps == list(range(1, len(steps) + 1))


def test_a_run_of_today_is_read_before_it_is_measured(fresh: Path) -> None:
    found = read_run(fresh)
    assert found.stages.keys() == {"run", "data", "train"}
    assert (found.scores(), list(found.answers()), found.damage()) == ([], [], [])
    assert len(list(found.steps(found.candidates()[0]))) == 6
    with pytest.raises(RunFormatError, match="'evaluate' has not finished"):
        found.report("evaluate")


@pytest.mark.parametrize("name", ["kept", "fresh"])
def test_the_schema_fits_every_file(name: str, fresh: Path) -> None:
    folder = KEPT if name == "kept" else fresh
    validator = jsonschema.Draft202012Validator(SCHEMA)
    parts = list(of_schema(folder))
    assert {"manifest.json", "train/report.json", "events.jsonl", "env.json"} <= {
        p for p, _ in parts
    }
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for path, part in parts:
        validator.validate({"manifest.json": manifest, path: part})
    del manifest["artifacts"][0]["sha256"]
    assert not validator.is_valid({"manifest.json": manifest})


def of_schema(folder: Path) -> Iterator[tuple[str, Any]]:
    """(path, a whole file or a line of it) of all that the schema describes."""
    for path in SCHEMA["properties"]:
        if not (folder / path).is_file():
            continue
        text = (folder / path).read_text(encoding="utf-8")
        texts = text.rstrip("\n").split("\n") if path.endswith(".jsonl") else [text]
        yield from ((path, json.loads(each)) for each in texts)


def test_damage_is_what_verify_finds(run: Path) -> None:
    samples, adapter = run / "evaluate/samples.jsonl", run / "train/base/adapter"
    content = bytearray(samples.read_bytes())
    content[100] ^= 1
    samples.write_bytes(content)
    (adapter / "adapter_config.json").unlink()
    lines = read_run(run).damage()
    verified = [p.file for p in verify(open_run(run)) if p.level == "error"]
    assert [line.partition(":")[0] for line in lines] == verified
    assert sorted(verified) == ["evaluate/samples.jsonl", "train/base/adapter/adapter_config.json"]


ALONE = """
import json, sys
sys.path.insert(0, sys.argv[1])
import reader
run = reader.read_run(sys.argv[2])
print(json.dumps([run.state(), run.damage(), len(run.scores()), len(list(run.answers()))]))
"""


def test_the_one_file_needs_nothing_else(run: Path, tmp_path: Path) -> None:
    shutil.copy(run_reader.__file__, tmp_path / "reader.py")
    command = [sys.executable, "-I", "-S", "-c", ALONE, str(tmp_path), str(run)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = read_run(run)
    counts = [len(found.scores()), len(list(found.answers()))]
    assert json.loads(done.stdout) == ["finished", [], *counts]


def test_a_folder_without_a_manifest_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunFormatError, match=r"not a run folder: it has no manifest\.json"):
        read_run(tmp_path)


BROKEN = {
    '{"format": "run-2"}': "the format is 'run-2', and this reader knows 'run-1'",
    '{"key": "1"}': "damaged: KeyError",
    "[]": "damaged: no JSON object",
    '{"key": ': "damaged: ",
}


@pytest.mark.parametrize(("text", "what"), BROKEN.items())
def test_a_manifest_that_is_none_is_one_line(text: str, what: str, run: Path) -> None:
    (run / "manifest.json").write_text(text)
    with pytest.raises(RunFormatError, match=what) as caught:
        read_run(run)
    assert str(caught.value).startswith(f"{run}/manifest.json: ")
    assert "\n" not in str(caught.value)


def test_a_path_that_leads_out_of_the_folder_is_refused(run: Path) -> None:
    path = run / "manifest.json"
    path.write_text(path.read_text().replace('"spec.yaml"', '"../spec.yaml"'))
    with pytest.raises(RunFormatError, match="leads out of the run folder"):
        read_run(run)


def test_runs_are_found_oldest_first(run: Path) -> None:
    later = shutil.copytree(run, run.parent / "2026-11-26-tiny-293e")
    path = later / "manifest.json"
    path.write_text(path.read_text().replace("2026-11-27T05:45:45", "2026-11-29T05:45:45"))
    assert [each.folder.name for each in find_runs(run.parent)] == [run.name, later.name]
