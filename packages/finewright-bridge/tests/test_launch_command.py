"""What leaves is listed and no secret; a limit is money over price; a stopped run goes on from its place."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import tomllib
from datetime import date
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

from finewright import trust
from finewright.errors import DataError, FinewrightError, SpecError
from finewright.schema.load import load_spec
from finewright.schema.run import RunSpec
from finewright.workbench.trust import trust_code
from finewright_bridge.launch.install import packages_of, plan_install
from finewright_bridge.launch.report import launch_page
from launching import make_project, start

pytestmark = pytest.mark.torch
# Built like one, and nobody's: of the documentation of the service.
TOKEN = "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project"))


@pytest.fixture
def spec(project: Path, tmp_path: Path) -> Path:
    """The project, as this test may change it."""
    shutil.copytree(project.parent, tmp_path / "project")
    return tmp_path / "project" / "spec.yaml"


def test_all_that_leaves_is_listed_before_anything_is_written(spec: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told: list[str] = []
    report = start(spec, "compose", out, told)
    there = {
        path.relative_to(out).as_posix() for path in (out / "upload").rglob("*") if path.is_file()
    }
    assert there == {file.to for file in report.uploads} | {"upload/SHA256SUMS"}
    for file in report.uploads:
        content = (out / file.to).read_bytes()
        assert (file.bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert f"{file.to}  " in told[0]
    assert "L4" in told[0]
    assert f"To upload: {len(report.uploads)} files" in told[0]
    assert "Uploaded" not in f"{told[0]}{launch_page(report)}"
    assert (out / "upload/work/spec.yaml").read_text() == spec.read_text()


def test_files_from_elsewhere_are_named_where_they_go(spec: Path, tmp_path: Path) -> None:
    shutil.move(spec.parent / "rows.jsonl", tmp_path / "rows.jsonl")
    shutil.move(spec.parent / "base", tmp_path / "models")
    text = spec.read_text().replace("path: rows.jsonl", "path: ../rows.jsonl")
    spec.write_text(text.replace("[./base]", f"[{tmp_path}/models]"))
    report = start(spec, "compose", tmp_path / "out")
    there = tmp_path / "out/upload/work"
    found = RunSpec.model_validate(yaml.safe_load((there / "spec.yaml").read_text()))
    assert (there / found.data.sources[0].path).read_bytes() == (
        tmp_path / "rows.jsonl"
    ).read_bytes()
    assert (there / found.base_models[0] / "config.json").is_file()
    assert found.evaluate.data[0].path == "held/test.jsonl"
    assert {file.key for file in report.uploads if "outside" in file.to} == {
        "data.sources.0.path",
        "base_models.0",
    }


@pytest.mark.parametrize("where", ["spec", "value", "file"])
def test_a_secret_is_refused_and_nothing_is_written(spec: Path, tmp_path: Path, where: str) -> None:
    more: dict[str, object] = {}
    if where == "spec":
        spec.write_text(spec.read_text() + f"# HF_TOKEN={TOKEN}\n")
    if where == "value":
        more = {"values": {"partition": TOKEN}}
    if where == "file":
        metric = spec.parent / "metric.py"
        metric.write_text(f"KEY = '{TOKEN}'\n\ndef score(answer, row):\n    return 1.0\n")
        spec.write_text(spec.read_text().replace("[token_f1]", "['python:metric.py:score']"))
    told: list[str] = []
    with pytest.raises(SpecError, match="a secret") as refused:
        start(spec, "slurm", tmp_path / "out", told, **more)
    assert TOKEN not in str(refused.value)
    assert not told
    assert not (tmp_path / "out").exists()


def test_a_variable_is_passed_by_its_name_alone(spec: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="takes a name, never a value"):
        start(spec, "slurm", tmp_path / "out", env=("HF_HOME=/models",))
    with pytest.raises(SpecError, match="would hold the value"):
        start(spec, "vertex", tmp_path / "out", env=("HF_TOKEN",))


def test_code_goes_along_when_this_user_trusts_it(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    metric = spec.parent / "metric.py"
    metric.write_text("def score(answer, row):\n    return 1.0\n")
    spec.write_text(spec.read_text().replace("[token_f1]", "['python:metric.py:score']"))
    with pytest.raises(SpecError, match="has not said to trust"):
        start(spec, "compose", tmp_path / "out")
    trust_code(metric, date(2026, 12, 2))
    assert trust.is_trusted("code", trust.code_digest(metric))
    start(spec, "compose", tmp_path / "out")
    assert (
        "\nfinewright trust add work/metric.py > /dev/null\n"
        in (tmp_path / "out/upload/run.sh").read_text()
    )


def test_the_limit_is_the_money_over_the_price(spec: Path, tmp_path: Path) -> None:
    report = start(spec, "slurm", tmp_path / "out", max_usd=3.0, usd_per_hour=2.0, max_hours=4.0)
    assert report.limit_hours == 1.5
    assert "limit=5400 " in (tmp_path / "out/upload/run.sh").read_text()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"max_usd": 3.0}, "what your machine costs an hour is not known"),
        ({"max_usd": 0.1, "usd_per_hour": 2.0}, "the limit is 180 s"),
        ({"gpu": ""}, "the GPU of your machines is not known"),
        ({"gpu": "P100"}, "compute capability"),
        ({"spot": True}, "no machines that are taken away"),
        ({"place": "s3://ours"}, "keeps the run by itself"),
        ({"place": "/shared/fw"}, "leave --place out"),
        ({"values": {"partiton": "gpu"}}, "did you mean 'partition'"),
        ({"install": "git+https://git.example/finewright"}, "names no revision"),
    ],
)
def test_what_cannot_be_is_refused(
    spec: Path, tmp_path: Path, more: dict[str, object], why: str
) -> None:
    with pytest.raises(FinewrightError) as refused:
        start(spec, "slurm", tmp_path / "out", **more)
    assert why in f"{refused.value} {refused.value.hint}"
    assert list(tmp_path.iterdir()) == [spec.parent]


def test_vertex_says_every_reason_why_its_tuning_is_another(spec: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"it tunes one of .*; it counts passes") as refused:
        start(spec, "vertex-tuning", tmp_path / "out")
    assert "--to vertex" in refused.value.hint


def test_nothing_is_submitted_without_the_client(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="no `sbatch` on PATH"):
        start(spec, "slurm", tmp_path / "out", submit=True)
    assert (tmp_path / "out/job.sbatch").is_file()
    client = tmp_path / "sbatch"
    client.write_text(f'#!{sys.executable}\nimport sys\nopen("sent", "w").write(sys.argv[1])\n')
    client.chmod(0o755)
    assert start(spec, "slurm", tmp_path / "again", submit=True).is_submitted
    assert (tmp_path / "again/sent").read_text() == "job.sbatch"
    client.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(DataError, match="ended with code 3"):
        start(spec, "slurm", tmp_path / "third", submit=True)


def test_wheels_of_the_clone_are_what_is_installed(project: Path, tmp_path: Path) -> None:
    plan = plan_install("", {"finewright": {"train"}}, tmp_path)
    (wheel,) = plan.wheels
    assert plan.requirements == f"./wheels/{wheel.name}[train]\n"
    names = ZipFile(wheel).namelist()
    assert {"finewright/cli/main.py", "finewright/packages.json"} <= set(names)
    assert "torch==" not in plan.constraints
    assert f"transformers=={version('transformers')}\n" in plan.constraints


def test_a_run_brings_the_packages_of_its_sections_and_trackers(spec: Path) -> None:
    spec.write_text(spec.read_text() + "cost: {seeds: 2}\ntrackers: [mlflow]\n")
    found = packages_of(load_spec(spec))
    assert found == {
        "finewright": {"train"},
        "finewright-advice": set(),
        "finewright-bridge": {"mlflow"},
    }
    folder = Path(__file__).parents[2] / "finewright"
    core = tomllib.loads((folder / "pyproject.toml").read_text())
    assert set(core["project"]["optional-dependencies"]) >= {"train", "ray", "privacy"}


class Machine:
    """A folder that stands for a machine: its disk is lost with it, and the mounted place stays."""

    def __init__(self, out: Path, disk: Path, place: Path) -> None:
        self.runs = disk / "runs"
        bin_folder = disk / "bin"
        bin_folder.mkdir(parents=True)
        script = bin_folder / "finewright"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m finewright "$@"\n')
        script.chmod(0o755)
        environment = {
            **os.environ,
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "FINEWRIGHT_PYTHON": "ready",
            "FINEWRIGHT_RUNS": str(self.runs),
            "FINEWRIGHT_PLACE": str(place),
        }
        self.process = subprocess.Popen(
            ["bash", out / "upload/run.sh"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_for(self, event: str) -> None:
        """Until the run has told of it."""
        for _ in range(2400):
            events = [path.read_text() for path in self.runs.glob("*/events.jsonl")]
            if any(f'"{event}"' in text for text in events):
                return
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.05)
        raise AssertionError(event)


def test_a_run_whose_machine_is_taken_goes_on_elsewhere(spec: Path, tmp_path: Path) -> None:
    spec.write_text(spec.read_text().replace("max_steps: 40", "max_steps: 60"))
    start(spec, "compose", tmp_path / "out", max_hours=1.0)
    place = tmp_path / "place"
    first = Machine(tmp_path / "out", tmp_path / "first", place)
    first.wait_for("metric")
    first.process.send_signal(signal.SIGTERM)
    output, _ = first.process.communicate(timeout=120)
    assert first.process.returncode not in (0, 124), output
    with tarfile.open(place / "runs.tar") as archive:
        names = archive.getnames()
    assert names[0].endswith("/manifest.json")
    shutil.rmtree(tmp_path / "first")
    second = Machine(tmp_path / "out", tmp_path / "second", place)
    output, _ = second.process.communicate(timeout=120)
    assert second.process.returncode == 0, output
    (run,) = second.runs.glob("2*")
    assert run.name in names[0]
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    steps = [event["step"] for event in events if event["type"] == "metric"]
    (resumed,) = [event["step"] for event in events if event["type"] == "resumed"]
    # No step is taken twice, and none is left out.
    assert steps == list(range(1, 61))
    assert 1 <= resumed < 60
    with tarfile.open(place / "runs.tar") as archive:
        manifest = json.load(archive.extractfile(f"./{run.name}/manifest.json"))  # type: ignore[arg-type]
    assert {"data", "train", "evaluate"} <= manifest["stages"].keys()


def test_a_spent_limit_and_a_changed_file_start_nothing(spec: Path, tmp_path: Path) -> None:
    start(spec, "compose", tmp_path / "out", max_hours=1.0)
    place = tmp_path / "place"
    disk = tmp_path / "disk"
    (disk / "runs").mkdir(parents=True)
    (disk / "runs/.launch-seconds").write_text("3500")
    machine = Machine(tmp_path / "out", disk, place)
    output, _ = machine.process.communicate(timeout=90)
    assert machine.process.returncode == 124
    assert "the limit of 3600 s is spent" in output
    (tmp_path / "out/upload/work/rows.jsonl").write_text("{}\n")
    changed = Machine(tmp_path / "out", tmp_path / "other", place)
    output, _ = changed.process.communicate(timeout=90)
    assert changed.process.returncode == 1
    assert "work/rows.jsonl: FAILED" in output
