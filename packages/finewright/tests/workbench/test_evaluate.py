"""What `evaluate` makes of a command line's words, and what it refuses before it loads a model."""

import sys
from pathlib import Path

import pytest

from finewright.compare.asking import RowAnswer
from finewright.errors import DataError, ModelError, UnknownPlugin
from finewright.schema.evaluate import EvaluateSpec
from finewright.store.answers import AnswersLog
from finewright.workbench.evaluate import evaluate, spec_of

ROW = '{"prompt": "Q", "completion": "A"}\n'


def spec(*paths: str, metrics: tuple[str, ...] = ()) -> EvaluateSpec:
    return spec_of(paths, metrics, {}, max_new_tokens=8, seed=0)


def test_what_is_not_said_keeps_its_default() -> None:
    assert spec("a.jsonl").metrics == EvaluateSpec().metrics
    assert spec("a.jsonl", metrics=("rouge_l",)).metrics == ("rouge_l",)
    assert spec("a.jsonl").max_new_tokens == 8


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (("a.jsonl", "b.jsonl"), ("a", "b")),
        (("x/a.jsonl", "y/a.jsonl"), ("x-a", "y-a")),
        (("a.jsonl", "x/a.jsonl", "b.jsonl"), ("a", "x-a", "b")),
        (("../a.jsonl", "a.jsonl.gz"), ("a", "a.jsonl")),
        (("a.jsonl", "./a.jsonl", "a.jsonl"), ("a",)),
    ],
)
def test_every_file_has_a_name_of_its_own(paths: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert spec(*paths).names() == names


@pytest.fixture
def rows(tmp_path: Path) -> str:
    (tmp_path / "test.jsonl").write_text(ROW)
    return str(tmp_path / "test.jsonl")


def test_an_unknown_metric_is_refused_first(tmp_path: Path) -> None:
    with pytest.raises(UnknownPlugin, match="no scorer named 'bleu'"):
        evaluate(["./none"], spec("gone.jsonl", metrics=("bleu",)), tmp_path / "samples.jsonl")


@pytest.mark.parametrize("targets", [["./none"], ["smollm2-135m-instruct", "./none"]])
def test_every_target_is_looked_at_before_any_is_measured(
    targets: list[str], rows: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "finewright.compare.local", None)
    with pytest.raises(ModelError, match=r"base model '\./none': there is no such file"):
        evaluate(targets, spec(rows), tmp_path / "samples.jsonl")


def test_a_target_is_not_measured_against_itself(rows: str, tmp_path: Path) -> None:
    twice = ["smollm2-135m-instruct"] * 2
    with pytest.raises(DataError, match="smollm2-135m-instruct: named twice"):
        evaluate(twice, spec(rows), tmp_path / "samples.jsonl")


def test_answers_that_are_there_are_never_overwritten(rows: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="already there"):
        evaluate(["smollm2-135m-instruct"], spec(rows), Path(rows))


def test_the_answers_need_a_folder(rows: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such folder"):
        evaluate(["smollm2-135m-instruct"], spec(rows), tmp_path / "no/samples.jsonl")


def test_two_measurings_never_write_the_same_answers(rows: str, tmp_path: Path) -> None:
    samples = tmp_path / "samples.jsonl"
    log = tmp_path / "samples.jsonl.asked"
    with (
        AnswersLog.hold(log, RowAnswer, hint=""),
        pytest.raises(DataError, match=r"another process is writing it") as refused,
    ):
        evaluate(["smollm2-135m-instruct"], spec(rows), samples)
    assert refused.value.hint == "wait for it, or name another file with --samples"
    assert not samples.exists()


@pytest.mark.torch
def test_answers_that_came_while_it_measured_are_not_overwritten(
    rows: str, tiny_folder: Path, tmp_path: Path
) -> None:
    samples = tmp_path / "samples.jsonl"
    with pytest.raises(DataError, match="already there"):
        evaluate(
            [str(tiny_folder)], spec(rows), samples, on_progress=lambda *_: samples.write_text("my")
        )
    assert samples.read_text() == "my"
    samples.unlink()
    assert evaluate([str(tiny_folder)], spec(rows), samples).scores[0].n == 1
    assert not (tmp_path / "samples.jsonl.asked").exists()
