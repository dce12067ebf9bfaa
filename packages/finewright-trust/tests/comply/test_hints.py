"""What would bring missing evidence: every command is taken, for the very run that is asked to give it."""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Finewright
from release import linear_run

pytestmark = pytest.mark.torch


@pytest.fixture(scope="session")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return linear_run.trained(tmp_path_factory.mktemp("linear"))


@pytest.fixture(params=["trained", "linear"])
def kind(request: pytest.FixtureRequest, project: Path) -> tuple[str, Path]:
    """A language model or a linear one: its name, and a copy of its run beside its spec and rows."""
    run: Path = request.getfixturevalue(request.param)
    shutil.copytree(run.parents[1], project, dirs_exist_ok=True)
    if not (run.parents[1] / "test.jsonl").is_file():
        shutil.copyfile(project / "rows.jsonl", project / "test.jsonl")
    return request.param, project / "runs" / run.name


def lacking(report: dict[str, Any]) -> dict[str, str]:
    """Query -> the hint, of what is missing; the last of each."""
    found = [each for control in report["controls"] for each in control["evidence"]]
    return {each["query"]: each["hint"] for each in found if each["kind"] == "missing"}


def test_every_command_is_one_that_this_run_takes(
    kind: tuple[str, Path], finewright: Finewright
) -> None:
    name, run = kind
    asked = finewright("comply", str(run), "--regime", "all", "--role", "provider", "--json")
    report = json.loads(asked.out)
    hints = lacking(report)
    assert all(hints.values())
    fields = [f for d in report["documents"] for part in d["sections"] for f in part["fields"]]
    told = {*hints.values(), *(f["source"] for f in fields if f["kind"] == "missing")}
    commands = {each for each in told if "finewright " in each}
    assert commands
    for command in commands:
        program, verb, target, *rest = shlex.split(command)
        assert program == "finewright"
        if verb == "release":  # judged, and refused by rules alone
            judged = finewright("release", str(run), "--json")
            assert (target, rest, judged.code) == ("RUN", [], 1)
            continue
        assert (verb, target, rest[0]) == ("up", "SPEC", "--set")
        typed = [word.replace("FILE", "test.jsonl") for word in rest]
        checked = finewright("check", "spec.yaml", *typed)
        assert checked.code == 0, (command, checked.out, checked.err)
    is_linear = name == "linear"
    assert any("redteam" in each for each in commands) is not is_linear
    assert any("train.privacy" in each for each in commands) is not is_linear


def test_what_a_linear_model_cannot_be_asked_a_person_answers(
    linear: Path, project: Path, finewright: Finewright
) -> None:
    run = Path(shutil.copytree(linear, project / "runs" / linear.name))
    text = (
        "name: x\ncomply: {roles: [provider], evidence: {R02: [{text: it gives labels alone}]}}\n"
    )
    Path("answers.yaml").write_text(text)
    for answers, state in ((), "missing"), (("--answers", "answers.yaml"), "human"):
        asked = finewright("comply", str(run), "--role", "provider", *answers, "--json")
        (control,) = [each for each in json.loads(asked.out)["controls"] if each["id"] == "R02"]
        assert {each["kind"] for each in control["evidence"]} == {state}
        if state == "missing":
            hint = control["evidence"][0]["hint"]
            assert "a linear model of labels writes no text" in hint
            assert hint.endswith("a person writes it, as evidence.R02 in the answers")


def test_a_linear_model_has_an_origin(linear: Path) -> None:
    report = json.loads((linear / "train" / "report.json").read_text())
    assert report["candidates"][0]["base_origin"] == "words"


def test_nothing_is_said_of_text_and_tokens_that_a_linear_model_has_not(
    linear: Path, project: Path, finewright: Finewright
) -> None:
    run = Path(shutil.copytree(linear, project / "runs" / linear.name))
    asked = finewright("comply", str(run), "--role", "provider", "--json")
    report = json.loads(asked.out)
    (marking,) = [each for each in report["controls"] if each["id"] == "R16"]
    assert marking["status"] == "no"
    fields = [f for d in report["documents"] for part in d["sections"] for f in part["fields"]]
    for name in ("tokens seen in training", "1.3 size in tokens seen", "training compute in FLOP"):
        assert {f["kind"] for f in fields if f["name"] == name} == {"missing"}, name
