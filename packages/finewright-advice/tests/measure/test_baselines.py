"""Where answers are labels, an experiment measures the base that is told them and a bag of words too."""

from pathlib import Path

import pytest

from finewright.report.show import text_of
from finewright.schema.load import load_spec
from finewright_advice.measure.experiment import measure
from finewright_advice.schema.measure_report import MeasureReport

from .measuring import write_base, write_experiment, write_jsonl

pytestmark = pytest.mark.torch

WORDS = ("amber", "birch", "cedar", "denim", "ember", "flint", "grove", "heron", "ivory", "jetty")
SAID = {
    "fee": "what does the {} one cost by the {}",
    "block": "somebody stole my {} thing near {}",
}


def report_of(folder: Path, *, answer: str = "{label}") -> MeasureReport:
    rows = [
        {"prompt": said.format(a, b), "completion": answer.format(label=label, a=a, b=b)}
        for a, b in zip(WORDS * 3, (*WORDS[1:], *WORDS[3:], *WORDS), strict=False)
        for label, said in SAID.items()
    ]
    write_base(folder)
    spec = write_experiment(folder)
    write_jsonl(folder / "train.jsonl", rows[:36])
    write_jsonl(folder / "test.jsonl", rows[36:])
    changed = (
        "measure.arms=[0-shot, k-shot]",
        "rag=null",
        "measure.curve=[]",
        "evaluate.metrics=[label_accuracy]",
        "data.duplicates.similarity=1.0",
    )
    return measure(load_spec(spec, changed), folder / "runs", on_event=lambda *_: None)


def test_labels_have_baselines_and_the_bag_of_words_is_warned_of(tmp_path: Path) -> None:
    report = report_of(tmp_path)
    told, words = report.baselines
    assert (told.name, words.name) == ("base + labels", "bag of words")
    assert words.solved.value == 1.0
    assert words.difference.value < 0
    assert any("is worse than bag of words" in p.message for p in report.problems)
    assert "bag of words" in text_of(report)


def test_answers_that_are_no_labels_have_none(tmp_path: Path) -> None:
    assert report_of(tmp_path, answer="the {a} of the {b} for the {label}").baselines == ()
