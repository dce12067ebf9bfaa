"""A search over a tiny model for real: every trial is a run, and the best one becomes a spec."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import tiny
from finewright.errors import SpecError, StageError
from finewright.schema.load import load_spec
from finewright.store.runs import list_runs
from finewright.workbench.runs import verify
from finewright_advice.tune.results import TuneReport
from finewright_advice.tune.run import tune

pytestmark = pytest.mark.torch
pytest.importorskip("optuna")

WORDS = ("red", "blue", "green", "white")
SPEC = """\
name: tiny
base_models: [./llama]
data:
  sources: [{path: rows.jsonl, license: CC0-1.0, owner: us}]
  eval_fraction: 0.25
train:
  adapter: {type: lora, r: 4, alpha: 8}
  learning_rate: 1.0e-4
  batch_size: 4
  max_steps: 12
  threads: 1
  prove_elsewhere: false
evaluate: {data: [{path: test.jsonl}], max_new_tokens: 6, metrics: [token_f1]}
tune:
  trials: 3
  parameters:
    learning_rate: {low: 5.0e-3, high: 5.0e-2, log: true}
    adapter.r: [2, 4]
"""


def write_rows(path: Path, numbers: range) -> None:
    rows = ({"prompt": f"the {WORDS[i % 4]} {i}", "completion": f"{WORDS[i % 4]}"} for i in numbers)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tune")
    tiny.tiny_model("llama").save_pretrained(folder / "llama")
    tiny.tiny_tokenizer().save_pretrained(folder / "llama")
    write_rows(folder / "rows.jsonl", range(48))
    write_rows(folder / "test.jsonl", range(100, 116))
    (folder / "spec.yaml").write_text(SPEC)
    return folder


class KilledError(Exception):
    """Stands for a kill in the middle of a training."""


def run(
    project: Path,
    *overrides: str,
    out: Path | None = None,
    stop_at: int | None = None,
    stop: Exception | None = None,
) -> TuneReport:
    """`stop_at`: the count of steps of the whole search at which it ends with `stop`."""
    steps = 0

    def watch(kind: str, fields: Mapping[str, Any]) -> None:
        nonlocal steps
        steps += kind == "metric"
        if kind == "metric" and steps == stop_at:
            raise stop or KilledError

    loaded = load_spec(project / "spec.yaml", overrides)
    return tune(loaded, project / "runs", out=out, on_event=watch)


@pytest.fixture(scope="module")
def finished(project: Path) -> TuneReport:
    """A search that was killed in its second trial, and went on."""
    with pytest.raises(KilledError):
        run(project, stop_at=18)
    return run(project)


def test_a_search_that_was_cut_goes_on_with_the_trial_it_was_in(
    project: Path, finished: TuneReport
) -> None:
    assert [trial.number for trial in finished.trials] == [0, 1, 2]
    assert finished.trials[0].values == {}
    for trial in finished.trials[1:]:
        assert trial.values.keys() == {"learning_rate", "adapter.r"}
        assert trial.state == "finished"
    runs = list_runs(Path(finished.folder) / "runs")
    assert len(runs) == 3  # the cut one is one of them
    assert all(verify(made.root).passed for made in runs)


def test_development_rows_choose_and_others_tell_the_gain(
    project: Path, finished: TuneReport
) -> None:
    scores = {trial.number: trial.score.value for trial in finished.trials if trial.score}
    assert scores[finished.best] == max(scores.values())
    assert all(
        trial.score.n == finished.rows_development for trial in finished.trials if trial.score
    )
    assert finished.rows_held_out == 16
    best, written, words = finished.held_out
    # The word in the question is the answer, and every held-out row trains with another number.
    assert (words.system, words.value) == ("bag of words", 1.0)
    told = [problem.message for problem in finished.problems]
    assert any(
        "16 of 16 rows of held-out rows are nearly like a training row" in line for line in told
    )
    assert (best.system, written.system) == (f"trial {finished.best}", "as written")
    assert finished.difference is not None
    assert finished.difference.value == pytest.approx(best.value - written.value)
    measured = [
        run for run in list_runs(Path(finished.folder) / "runs") if (run.root / "evaluate").is_dir()
    ]
    assert len(measured) == 2  # what was not chosen was never asked the untouched rows


def test_the_best_settings_become_a_spec_that_runs(project: Path, finished: TuneReport) -> None:
    path = project / "spec-tuned.yaml"
    assert finished.written_to == str(path)
    tuned, written = load_spec(path).spec, load_spec(project / "spec.yaml").spec
    best = finished.trials[finished.best]
    assert tuned.train.learning_rate == best.values["learning_rate"]
    assert tuned.train.adapter.r == best.values["adapter.r"]
    assert tuned.tune is None
    assert tuned.data == written.data
    assert tuned.evaluate == written.evaluate


def test_more_trials_keep_those_there_are(project: Path, finished: TuneReport) -> None:
    more = run(project, "tune.trials=4")
    assert more.folder == finished.folder
    assert more.trials[:3] == finished.trials
    assert len(more.trials) == 4


def test_a_trial_that_fails_is_told_and_the_search_goes_on(project: Path) -> None:
    fails = StageError("training diverged: loss is nan")
    short = ("tune.seed=5", "train.max_steps=4")
    report = run(project, *short, "tune.trials=2", stop_at=6, stop=fails)
    assert [trial.state for trial in report.trials] == ["finished", "failed"]
    assert report.best == 0
    assert report.difference is None
    messages = [problem.message for problem in report.problems if problem.level == "warning"]
    assert "trials that failed: 1" in messages[-1]
    assert run(project, *short, "tune.trials=2").trials == report.trials


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("tune=",), "tune: there is nothing to search"),
        (("base_models=[./llama, ./other]",), "a search is of one model's settings"),
        (
            ("tune.parameters={learning_rte: [0.1]}",),
            r"tune.parameters.learning_rte: train.learning_rte: unknown key; did you mean 'learning_rate'",
        ),
        (
            ("tune.parameters={adapter.r: [4, 0]}",),
            r"tune.parameters.adapter.r: train.adapter.r: must be greater than 0, not 0",
        ),
        (
            ("tune.parameters={warmup_ratio: {low: 0.5, high: 2.0}}",),
            "train.warmup_ratio: must be at most 1, not 2.0",
        ),
        (("tune.parameters={batch_size.x: [1]}",), "train.batch_size is a plain value"),
        (("tune.parameters={learning_rate: []}",), "there is nothing to choose from"),
        (("tune.parameters={epochs: {low: 3, high: 1}}",), "low must be below high"),
        (("data.eval_fraction=0",), "data.eval_fraction: no rows are held out"),
    ],
)
def test_a_search_that_could_not_run_is_refused_at_once(
    project: Path, overrides: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        run(project, *overrides)


def test_files_of_others_are_never_overwritten(project: Path) -> None:
    mine = project / "mine.yaml"
    mine.write_text("name: mine\n")
    with pytest.raises(SpecError, match="already there, and not written by a search"):
        run(project, out=mine)
    with pytest.raises(SpecError, match="paths in a spec start from its folder"):
        run(project, out=project / "runs" / "best.yaml")
    assert mine.read_text() == "name: mine\n"
