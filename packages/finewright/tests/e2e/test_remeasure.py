"""What is measured, and how, decides over no training: the run is measured again and keeps both."""

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Finewright, row, write_jsonl, write_spec

pytestmark = pytest.mark.torch


def trained(runs: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and time of writing of all that the one run's training made; the model card has scores."""
    (run,) = runs.iterdir()
    files = [path for path in (run / "train").rglob("*") if path.is_file()]
    files = [path for path in files if path.name != "README.md"]
    assert files
    return {str(f): (f.read_bytes(), f.stat().st_mtime_ns) for f in files}


def up(finewright: Finewright) -> Any:
    ended = finewright("up", "spec.yaml", "--json")
    assert ended.code == 0, ended.err
    return ended.json


@pytest.fixture
def before(after_up: None, runs: Path) -> dict[str, tuple[bytes, int]]:
    return trained(runs)


def test_another_metric_is_measured_without_training(
    project: Path, runs: Path, finewright: Finewright, before: dict[str, tuple[bytes, int]]
) -> None:
    (run,) = runs.iterdir()
    first = (run / "evaluate/report.json").read_bytes()
    write_spec(
        project,
        rest="evaluate: {data: [{path: test.jsonl}], max_new_tokens: 8, metrics: [rouge_l]}",
    )
    report = up(finewright)
    assert report["ran"] == ["evaluate"]
    assert trained(runs) == before
    assert {s["metric"] for s in report["evaluate"]["scores"]} == {"rouge_l"}
    (earlier,) = report["earlier"]
    assert {s["metric"] for s in earlier["report"]["scores"]} == {"exact_match", "token_f1"}
    kept = run / earlier["path"]
    assert (kept / "report.json").read_bytes() == first
    assert sorted(f.name for f in kept.iterdir()) == [
        "report.json",
        "samples.jsonl",
        "spec.lock.yaml",
    ]
    verified = finewright("verify", str(run), "--json")
    assert (verified.code, verified.json["problems"]) == (0, [])
    shown = finewright("runs", "show", str(run)).out
    assert "rouge_l" in shown
    assert f"kept in {earlier['path']}" in shown
    assert "exact_match" in shown


def test_another_test_file_or_limit_is_measured_without_training(
    project: Path, runs: Path, finewright: Finewright, before: dict[str, tuple[bytes, int]]
) -> None:
    write_jsonl(project / "test.jsonl", [row(i) for i in range(200, 220)])
    assert up(finewright)["ran"] == ["data", "evaluate"]
    write_spec(
        project,
        rest="evaluate: {data: [{path: test.jsonl, name: other, limit: 5}], max_new_tokens: 8}",
    )
    report = up(finewright)
    assert report["ran"] == ["data", "evaluate"]
    assert trained(runs) == before
    assert {(s["data"], s["n"]) for s in report["evaluate"]["scores"]} == {("other", 5)}
    assert [{s["n"] for s in e["report"]["scores"]} for e in report["earlier"]] == [{4}, {20}]
    (run,) = runs.iterdir()
    assert [f.name for f in (run / "data/evaluate").iterdir()] == ["other.jsonl"]
    assert finewright("verify", str(run)).code == 0


def test_going_back_measures_again_and_lists_nothing_twice(
    project: Path, runs: Path, finewright: Finewright, before: dict[str, tuple[bytes, int]]
) -> None:
    write_spec(project, rest="evaluate: {data: [{path: test.jsonl}], metrics: [rouge_l]}")
    up(finewright)
    write_spec(project)
    report = up(finewright)
    assert report["ran"] == ["evaluate"]
    assert [{s["metric"] for s in e["report"]["scores"]} for e in report["earlier"]] == [
        {"rouge_l"}
    ]
    assert trained(runs) == before
    assert up(finewright)["ran"] == []


def test_another_training_is_another_run(
    project: Path, runs: Path, finewright: Finewright, before: dict[str, tuple[bytes, int]]
) -> None:
    assert finewright("up", "spec.yaml", "--set", "train.max_steps=2").code == 0
    assert len(list(runs.iterdir())) == 2


def test_train_alone_takes_no_earlier_measurement_for_its_own(
    project: Path, runs: Path, finewright: Finewright, before: dict[str, tuple[bytes, int]]
) -> None:
    changed = ("--set", "evaluate.metrics=[rouge_l]", "--json")
    report = finewright("train", "spec.yaml", *changed).json
    assert (report["ran"], report["evaluate"]) == ([], None)
    assert len(report["earlier"]) == 1
    (run,) = runs.iterdir()
    lines = (run / report["earlier"][0]["path"] / "samples.jsonl").read_text().splitlines()
    assert {json.loads(line)["system"] for line in lines} >= {"base", "tuned"}


def test_a_call_that_the_base_cannot_make_is_refused_before_the_training(
    project: Path, runs: Path, finewright: Finewright
) -> None:
    call = {"type": "function", "function": {"name": "look", "arguments": "{}"}}
    answer = {"role": "assistant", "content": None, "tool_calls": [call]}
    held_out = {"messages": [{"role": "user", "content": "the red 99?"}, answer]}
    write_jsonl(project / "test.jsonl", [row(51), held_out])
    planned = finewright("plan", "spec.yaml", "--json")
    assert planned.code == 2
    (problem,) = [p for p in planned.json["candidates"][0]["problems"] if p["level"] == "error"]
    assert (problem["file"].endswith("test.jsonl"), problem["row"]) == (True, 2)
    ended = finewright("up", "spec.yaml")
    assert ended.code == 2
    assert "test.jsonl:2" in ended.err
    assert "no words for tool calls" in ended.err
    (run,) = runs.iterdir()
    assert not (run / "train").exists()
