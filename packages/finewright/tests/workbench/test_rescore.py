"""Answers that a run keeps are scored by other metrics, and no model is asked."""

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from finewright.cli.commands import EvaluateOptions, evaluate
from finewright.errors import DataError
from finewright.feature import Session
from finewright.schema.evaluate import EvaluateReport, EvaluateSpec
from finewright.workbench.evaluate import spec_of
from finewright.workbench.rescore import rescore

NOBODY = Session(date(2026, 12, 2), lambda *_: None, lambda _: None, lambda _: "")
KEPT = Path(__file__).parents[1] / "golden" / "kept" / "2026-11-27-tiny-293e"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return shutil.copytree(KEPT, tmp_path / KEPT.name)


def by(*metrics: str) -> EvaluateSpec:
    return spec_of((), metrics, {}, max_new_tokens=8, seed=0)


def test_the_metrics_of_the_run_give_the_scores_of_the_run(run: Path) -> None:
    before = EvaluateReport.model_validate_json((run / "evaluate/report.json").read_text())
    after = rescore(str(run), by("exact_match", "token_f1"))
    assert after.scores == before.scores
    assert after.differences == before.differences


def test_another_metric_is_that_of_the_answers(run: Path) -> None:
    path = run / "evaluate/samples.jsonl"
    samples = [json.loads(line) for line in path.read_text().splitlines()]
    for number, sample in enumerate(samples):
        sample["answer"] = f"It is {sample['expected']}." if number % 4 else "none"
    path.write_text("".join(f"{json.dumps(sample)}\n" for sample in samples))
    report = rescore(str(run), by("mentions"))
    systems = dict.fromkeys(sample["system"] for sample in samples)
    assert [score.system for score in report.scores] == list(systems)
    # Of eight answers of each system the first and the fifth do not mention what is expected.
    assert {(score.value, score.n) for score in report.scores} == {(0.75, 8)}


@pytest.mark.parametrize("metric", ["perplexity", "bits_per_byte", "preference_accuracy"])
def test_what_needs_the_model_is_refused(run: Path, metric: str) -> None:
    with pytest.raises(DataError, match=f"{metric}: not to be had from answers"):
        rescore(str(run), by("exact_match", metric))


def test_answers_that_are_not_of_the_rows_are_refused(run: Path) -> None:
    path = run / "evaluate/samples.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(DataError, match="the answers of base are not of the rows"):
        rescore(str(run), by("exact_match"))


def test_a_run_that_was_not_measured_is_refused(run: Path) -> None:
    shutil.rmtree(run / "evaluate")
    with pytest.raises(DataError, match="was not measured"):
        rescore(str(run), by("exact_match"))


def test_the_command_takes_a_run_and_metrics_alone(run: Path) -> None:
    found = evaluate(EvaluateOptions(target=str(run), metrics=("mentions",)), NOBODY)
    assert isinstance(found, EvaluateReport)
    assert {score.metric for score in found.scores} == {"mentions"}
    with pytest.raises(DataError, match="--against, --limit: without --data nothing is asked"):
        evaluate(EvaluateOptions(target=str(run), against=("x",), limit=2), NOBODY)
    with pytest.raises(DataError, match="there is nothing to measure"):
        evaluate(EvaluateOptions(target=str(run)), NOBODY)
