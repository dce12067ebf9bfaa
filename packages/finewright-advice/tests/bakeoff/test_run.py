"""A bake-off of tiny models for real: what is trained, dropped, compared, kept, and refused."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import tiny
from finewright.errors import DataError, SpecError
from finewright.report.show import text_of
from finewright.schema.load import load_spec
from finewright.store.runs import list_runs
from finewright.workbench.runs import list_runs as list_runs_of
from finewright.workbench.runs import verify
from finewright_advice.bakeoff.run import bakeoff
from finewright_advice.compare import contest
from finewright_advice.schema.bakeoff_report import BakeoffReport

pytestmark = pytest.mark.torch

TODAY = date(2026, 11, 25)
WORDS = ("red", "blue", "green", "white")
SPEC = """\
name: tiny
base_models: [./llama, ./gemma, ./deaf]
data:
  sources: [{path: rows.jsonl, license: CC0-1.0, owner: us}]
  eval_fraction: 0.25
train:
  adapter: {type: lora, r: 4, alpha: 8}
  learning_rate: 1.0e-2
  batch_size: 4
  max_steps: 24
  threads: 1
  prove_elsewhere: false
evaluate:
  data: [{path: test.jsonl}]
  max_new_tokens: 6
  metrics: [token_f1, valid_json]
bakeoff: {rungs: 2, timed_answers: 3}
"""
Events = list[tuple[str, Mapping[str, Any]]]


def row(number: int) -> dict[str, Any]:
    word = WORDS[number % len(WORDS)]
    return {"prompt": f"the {word} {number}", "completion": f"answer {word}"}


def write_rows(path: Path, numbers: range) -> None:
    path.write_text("".join(json.dumps(row(i)) + "\n" for i in numbers))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models of two templates, rows to train on, and rows that choose nothing."""
    folder = tmp_path_factory.mktemp("bakeoff")
    for name, family, template in (
        ("llama", "llama", "chatml"),
        ("gemma", "gemma3_text", "gemma"),
        ("deaf", "qwen2", "llama3"),
    ):
        tiny.tiny_model(family).save_pretrained(folder / name)
        tiny.tiny_tokenizer(template).save_pretrained(folder / name)
    write_rows(folder / "rows.jsonl", range(48))
    write_rows(folder / "test.jsonl", range(100, 116))
    (folder / "spec.yaml").write_text(SPEC)
    return folder


def run(project: Path, *overrides: str, events: Events | None = None) -> BakeoffReport:
    seen: Events = [] if events is None else events
    return bakeoff(
        load_spec(project / "spec.yaml", overrides),
        project / "runs",
        today=TODAY,
        on_event=lambda kind, fields: seen.append((kind, dict(fields))),
    )


@pytest.fixture(scope="module")
def heard() -> Events:
    """What the bake-off said on its way."""
    return []


@pytest.fixture(scope="module")
def finished(project: Path, heard: Events) -> BakeoffReport:
    return run(project, events=heard)


def test_the_finalists_are_timed_in_turns(finished: BakeoffReport, heard: Events) -> None:
    turns = [fields["system"] for kind, fields in heard if kind == "timing"]
    names = {each.base_model for each in finished.finalists}
    # there and back, so that whoever is slowed by the beginning is not always the same
    there = turns[: len(names)]
    assert set(there) == names
    assert turns == [*there, *there[::-1], *there]
    assert all(each.speed.cores_others_used >= 0 for each in finished.finalists)


def test_a_bakeoff_is_in_the_list_of_runs_with_its_report(
    project: Path, finished: BakeoffReport
) -> None:
    found = list_runs_of(project / "runs")
    (group,) = [each for each in found.groups if each.folder == finished.folder]
    assert group.report == f"{finished.folder}/report.html"
    runs = {attempt.run for rung in finished.rungs for attempt in rung.attempts}
    assert runs <= {each.run for each in group.runs}
    assert finished.folder in text_of(found)


def test_the_worst_is_dropped_early_and_the_others_train_to_the_end(
    finished: BakeoffReport,
) -> None:
    (rung,) = finished.rungs
    fates = {attempt.base_model: attempt.is_dropped for attempt in rung.attempts}
    assert sorted(fates) == ["./deaf", "./gemma", "./llama"]
    assert {attempt.steps for attempt in rung.attempts} == {12}
    dropped = {name for name, is_dropped in fates.items() if is_dropped}
    assert {each.base_model for each in finished.finalists} == fates.keys() - dropped
    for attempt in rung.attempts:
        worse = attempt.difference is not None and attempt.difference.high < 0
        assert worse or not attempt.is_dropped


def test_the_leaderboard_is_of_rows_that_chose_nothing(
    project: Path, finished: BakeoffReport
) -> None:
    assert finished.rows_held_out == 16
    assert finished.rows_train + finished.rows_development == 48
    scores = [each.scores[0].value for each in finished.finalists]
    assert scores == sorted(scores, reverse=True)
    for each in finished.finalists:
        samples = map(
            json.loads, (Path(each.run) / "evaluate/samples.jsonl").read_text().splitlines()
        )
        tuned = [s for s in samples if s["system"] == "tuned"]
        mean = sum(s["scores"]["token_f1"] for s in tuned) / len(tuned)
        assert each.scores[0].value == pytest.approx(mean)
        assert each.behaviour.ended.count == sum(s["stopped"] for s in tuned)
        assert each.gain is not None
        assert each.gain.value == pytest.approx(each.scores[0].value - each.untuned[0].value)


def test_a_bag_of_words_stands_beside_and_recall_is_told(finished: BakeoffReport) -> None:
    # The colour in the question is the answer, so words alone get every row right.
    assert finished.linear is not None
    assert finished.linear_score is not None
    assert finished.linear_score.value == 1.0
    best = finished.finalists[0]
    assert finished.linear.value == pytest.approx(best.scores[0].value - 1.0)
    told = [problem.message for problem in finished.problems]
    assert any("a linear classifier that needs no language model" in message for message in told)
    # Every held-out row is a training row with another number.
    for each in finished.finalists:
        assert each.new_rows is None
        assert each.repeated_rows is not None
        assert (each.repeated_rows.value, each.repeated_rows.n) == (each.scores[0].value, 16)
        assert each.behaviour.no_label is not None
        assert each.behaviour.no_label.n == 16
    assert any("what was learned by heart" in message for message in told)


def test_each_is_asked_with_its_own_template(finished: BakeoffReport) -> None:
    ends = {each.base_model: each.end_of_turn for each in finished.finalists}
    known = {"./llama": "<|im_end|>", "./gemma": "<end_of_turn>", "./deaf": "<|eot_id|>"}
    assert ends.items() <= known.items()


def test_what_each_takes_is_measured(finished: BakeoffReport) -> None:
    for each in finished.finalists:
        assert each.speed.answers == 3
        assert 0 < each.speed.first_token_ms_p50 <= each.speed.answer_ms_p95
        assert each.train_seconds > 0
        assert each.license == "unknown"
        assert each.usd is not None
        assert 0 < each.usd.low <= each.usd.high
    assert finished.choice in {each.base_model for each in finished.finalists}


def test_every_run_is_an_ordinary_one_that_can_be_verified(finished: BakeoffReport) -> None:
    runs = list_runs(Path(finished.folder) / "runs")
    assert len(runs) == 3 + len(finished.finalists)
    assert all(verify(made.root).passed for made in runs)


def test_a_second_call_trains_and_asks_nothing_anew(
    project: Path, finished: BakeoffReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contest, "load_system", None)  # nothing is asked or timed
    events: Events = []
    again = run(project, events=events)
    assert again == finished
    started = [fields["stage"] for kind, fields in events if kind == "stage_started"]
    assert started == []
    page = (Path(finished.folder) / "report.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    report = BakeoffReport.model_validate_json((Path(finished.folder) / "report.json").read_text())
    assert report == finished


def test_how_it_is_compared_changes_no_training(project: Path, finished: BakeoffReport) -> None:
    events: Events = []
    other = run(project, "bakeoff.metric=valid_json", "bakeoff.timed_answers=2", events=events)
    assert other.folder == finished.folder
    assert other.metric == "valid_json"
    assert {e.speed.answers for e in other.finalists} == {2}
    trained = [f for kind, f in events if kind == "metric" and f["step"] == 1]
    # all fail at JSON alike, so nobody is dropped, and who was may now train to the end
    assert len(trained) == 3 - len(finished.finalists)
    assert other.winner == ""


def test_a_template_that_refuses_the_rows_is_told_before_any_training(
    project: Path, tmp_path: Path
) -> None:
    rows = [
        {
            "messages": [
                {"role": "user", "content": "one"},
                {"role": "user", "content": f"two {i}"},
                {"role": "assistant", "content": "three"},
            ]
        }
        for i in range(20)
    ]
    path = project / "turns.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    loaded = load_spec(project / "spec.yaml", ["data.sources.0.path=turns.jsonl"])
    with pytest.raises(DataError, match=r"./gemma: .*Conversation roles must alternate"):
        bakeoff(loaded, tmp_path / "runs", today=TODAY, on_event=lambda *_: None)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("base_models=[./llama]",), "base_models: one model has nobody to compete with"),
        (("data.eval_fraction=0",), "data.eval_fraction: no rows are held out of training"),
        (("evaluate.data=[]",), "evaluate.data: there are no rows that chose nothing"),
        (("bakeoff.metric=rouge_l",), "bakeoff.metric: 'rouge_l' is not among evaluate.metrics"),
        (("evaluate.metrics=[perplexity]",), "bakeoff.metric: perplexity is by token"),
        (("train.method=reward",), "train.method: a reward model gives no answers"),
        (("bakeoff.eta=1",), "bakeoff.eta: must be at least 2, not 1"),
    ],
)
def test_what_could_say_nothing_is_refused_before_anything_runs(
    project: Path, tmp_path: Path, overrides: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SpecError, match=message.replace("'", ".")):
        bakeoff(
            load_spec(project / "spec.yaml", overrides),
            tmp_path / "runs",
            today=TODAY,
            on_event=lambda *_: None,
        )
    assert not (tmp_path / "runs").exists()
