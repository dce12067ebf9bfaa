"""A text that shows a model nothing is unsure, whatever is decided."""

import pytest
import torch

from finewright.labels.decider import Decider, LinearScorer
from finewright.labels.features import TextFeatures
from finewright.labels.linear import WordFeatures
from finewright.schema.decisions import (
    Calibration,
    LabelCalibration,
    MultilabelCalibration,
    ScoreCalibration,
)
from finewright.schema.rows import Row

pytestmark = pytest.mark.torch
# Each is sure of whatever it is asked: the costs say so, or nobody stated a cutoff.
SURE: dict[str, Calibration] = {
    "single": LabelCalibration(
        rows=9,
        temperature=1.0,
        coverage=0.9,
        coverage_low=0.8,
        coverage_high=1.0,
        set_probability=0.1,
        threshold=0.0,
        confidences=(),
    ),
    "several": MultilabelCalibration(
        rows=9,
        slopes=(1.0, 1.0),
        offsets=(0.0, 0.0),
        thresholds=(0.5, 0.5),
        coverage=0.9,
        set_probability=0.1,
        cost_wrong=1.0,
        cost_missed=1.0,
        cost_ask=9.0,
        confidences=(),
    ),
    "score": ScoreCalibration(
        rows=9,
        mean=3.25,
        scale=1 / 3,
        coverage=0.9,
        half_width=0.5,
        cutoff=None,
        confidences=(),
    ),
}


def decider_of(kind: str) -> Decider:
    """On the words `card` and `fee`."""
    learned = WordFeatures.learn(["card", "fee"])
    labels = () if kind == "score" else ("card", "fee")
    weights = torch.zeros(3, max(1, len(labels)), dtype=torch.float64)
    scorer = LinearScorer(TextFeatures("words", [], learned), weights)
    return Decider("m", labels, scorer, SURE[kind], learned.places.keys())


def ask(text: str) -> Row:
    return Row("", ({"role": "user", "content": text},), tools=None, file="", row=1)


@pytest.mark.parametrize("kind", SURE)
def test_a_text_without_a_known_word_is_unsure(kind: str) -> None:
    decider = decider_of(kind)
    sure, *others = decider.decide([ask(text) for text in ("my FEE", "", " \n", "?!", "zzz qqq")])
    assert not sure.unsure
    assert [each.unsure for each in others] == [True] * 4


def test_a_score_has_seven_digits() -> None:
    (found,) = decider_of("score").decide([ask("fee")])
    assert (found.answer, f"{found}") == ("3.25", "score=3.25 low=2.75 high=3.75 unsure=None")
    decider = decider_of("score")
    assert isinstance(decider.scorer, LinearScorer)
    decider.scorer.weights += 1.0  # 3.25 + (1 + 1) / 3 of a text that is one known word
    (found,) = decider.decide([ask("fee")])
    assert found.answer == "3.916667"


def test_where_any_word_tells_only_texts_without_one_are_unsure() -> None:
    decider = decider_of("single")
    decider.known_words = None
    found = decider.decide([ask(text) for text in ("", "?!", "zzz qqq", "\u8fd9")])
    assert [each.unsure for each in found] == [True, True, False, False]
