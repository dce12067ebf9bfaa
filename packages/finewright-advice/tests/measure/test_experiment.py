"""A whole experiment with a tiny model: every arm, the probes, and that it goes on where it was."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from finewright.report.show import write_page
from finewright.rows.read import read_rows
from finewright.schema.load import load_spec
from finewright.workbench.runs import list_runs, verify
from finewright_advice.measure.experiment import measure
from finewright_advice.schema.measure import WITH_ONE_MODEL
from finewright_advice.schema.measure_report import MeasureReport

from .measuring import write_base, write_experiment

pytestmark = pytest.mark.torch


class Done(NamedTuple):
    """An experiment that was run: its folder, its report, and what was told on the way."""

    project: Path
    report: MeasureReport
    told: list[tuple[str, dict[str, Any]]]

    @property
    def folder(self) -> Path:
        return Path(self.report.folder)


def run(project: Path) -> Done:
    told: list[tuple[str, dict[str, Any]]] = []
    loaded = load_spec(project / "spec.yaml")
    report = measure(
        loaded, project / "runs", on_event=lambda kind, fields: told.append((kind, dict(fields)))
    )
    return Done(project, report, told)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    project = tmp_path_factory.mktemp("experiment")
    write_base(project)
    write_experiment(project)
    return run(project)


def test_every_arm_answers_the_same_rows_and_is_tested_against_every_other(done: Done) -> None:
    report = done.report
    assert tuple(arm.arm for arm in report.arms) == WITH_ONE_MODEL
    assert {arm.solved.n for arm in report.arms} == {report.rows_test} == {4}
    assert (report.rows_train, report.rows_dev) == (10, 2)
    assert len(report.pairs) == 10
    assert sum(arm.p_best for arm in report.arms) == pytest.approx(1.0)
    assert all(pair.p_holm >= pair.p_value for pair in report.pairs)
    assert report.solved_by == "numeric at least 1"


def said_by(line: str) -> tuple[str, str]:
    """The system and the set of a line of the log."""
    sample = json.loads(line)["reply"]["sample"]
    return sample["system"], sample["data"]


def samples(done: Done, system: str, data: str) -> list[dict[str, Any]]:
    lines = (done.folder / "answers.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines if said_by(line) == (system, data)]
    return [each["reply"]["sample"] for each in found]


def test_what_the_rows_can_show_is_told_before_anything_is_asked(done: Done) -> None:
    kinds = [kind for kind, _ in done.told]
    _, first = done.told[0]
    assert kinds[0] == "problem"
    assert first["message"].startswith("4 held-out rows: a difference of 5 points needs 626 ")
    assert done.report.power.detectable is None


def test_trainings_are_ordinary_runs_on_rows_that_lie_in_the_folder(done: Done) -> None:
    runs = list_runs(done.folder / "runs").runs
    assert {r.name for r in runs} == {"fees-ft", "fees-rag-ft", "fees-ft-50"}
    by_arm = {arm.arm: arm.training for arm in done.report.arms if arm.training}
    assert {arm: t.steps for arm, t in by_arm.items()} == {"ft": 2, "rag+ft": 2}
    assert verify(done.folder / by_arm["ft"].run).passed
    rows = read_rows(done.folder / "rows" / "rag-ft.jsonl").rows
    assert len(rows) == by_arm["rag+ft"].rows
    assert all("[2] " in row.data["messages"][0]["content"] for row in rows)
    assert by_arm["rag+ft"].max_length >= 1024


def test_passages_and_examples_are_paid_for_in_tokens(done: Done) -> None:
    tokens = {arm.arm: arm.tokens.prompt for arm in done.report.arms}
    assert tokens["0-shot"] == tokens["ft"] < tokens["k-shot"] < tokens["rag"] == tokens["rag+ft"]
    cost = {arm.arm: arm.cost for arm in done.report.arms}
    assert cost["0-shot"].training_seconds == 0
    assert cost["ft"].seconds > done.report.arms[3].latency.mean / 1000
    assert cost["rag"].usd == pytest.approx(
        cost["rag"].seconds / 3600 * (900 / 36 / 730 + 0.065 * 0.3)
    )
    assert cost["0-shot"].usd_per_solved is None
    assert cost["rag"].api_usd is not None
    assert cost["ft"].api_usd is None


def test_facts_change_in_the_experiments_own_index_and_only_there(done: Done) -> None:
    report = done.report
    assert len(report.changed) == 2
    assert {probe.arm for probe in report.facts} == set(WITH_ONE_MODEL)
    assert {probe.follows_new.n for probe in report.facts} == {2}
    before, after = (samples(done, "rag", f"facts-{when}") for when in ("before", "after"))
    assert len(before) == len(after) == 2
    for change in report.changed:
        (old,), (new,) = (
            [s["prompt"] for s in said if change.question in s["prompt"]]
            for said in (before, after)
        )
        assert f" {change.new}" in new
        assert change.old not in new
        assert change.old in old
    assert not (done.project / "index.sqlite").exists()


def test_a_question_is_unanswerable_once_its_documents_are_gone(done: Done) -> None:
    assert [each.arm for each in done.report.abstention] == ["rag", "rag+ft"]
    said = samples(done, "rag", "unanswerable")
    assert len(said) == 2
    assert all(sample["expected"] not in sample["prompt"] for sample in said)


def test_the_curve_the_shots_retrieval_and_forgetting_are_in_the_report(done: Done) -> None:
    report = done.report
    assert report.curve is not None
    assert [(point.share, point.rows) for point in report.curve.points] == [(0.5, 5), (1.0, 10)]
    assert [tried.shots for tried in report.shots] == [1, 2]
    assert report.retrieval is not None
    assert (report.retrieval.passages, report.retrieval.documents) == (2, 16)
    assert [each.system for each in report.forgetting] == ["base", "ft", "rag+ft"]


def test_an_experiment_that_was_cut_goes_on_and_comes_to_the_same_end(done: Done) -> None:
    log = done.folder / "answers.jsonl"
    lost = {("rag", "test"), ("ft", "facts-kept")}
    left = [line for line in log.read_text().splitlines(keepends=True) if said_by(line) not in lost]
    log.write_text("".join(left))
    again = run(done.project)
    assert again.report == done.report
    asked = [
        (fields["system"], fields["data"]) for kind, fields in again.told if kind == "progress"
    ]
    assert set(asked) == lost
    assert not any(kind == "stage_started" for kind, _ in again.told)


def test_the_page_is_whole_and_loads_nothing(done: Done, tmp_path: Path) -> None:
    write_page(done.report, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert done.report.recommendation.sentence in page
    assert page.count("<svg") == 3
    assert "<script" not in page
    assert "src=" not in page
