"""Classifiers and rules, against arithmetic by hand: what they read, speak, take and run on."""

from typing import Any

import pytest

from decide.advising import advise, dropped, of_rule, spec
from decide.test_figures import figured
from finewright_advice.decide.arms import Arm, Figures
from finewright_advice.decide.results import DecideReport

CLASSIFIER = Arm("classifier", "self-hosted")
LABELS: dict[str, Any] = {
    "task": "classify",
    "output": "label",
    "labelled_pairs": 3000,
    "corpus_tokens": 0,
    "tokens_in": 400,
    "tokens_out": 4,
}
MINILM_GFLOP = (2 * 6 * (4 * 384**2 + 2 * 384 * 1536) * 400 + 6 * 4 * 384 * 400**2) / 1e9
"""6 layers, 10.6 million weights, 400 tokens; the table of 11.7 million is looked up: 9.97."""


def classifier(**changes: Any) -> Figures:
    return figured(**{**LABELS, **changes})[CLASSIFIER]


def test_an_encoder_takes_its_layers_arithmetic_and_none_for_its_table() -> None:
    found = classifier()
    assert pytest.approx(9.968, abs=0.001) == MINILM_GFLOP
    assert found.latency_ms.median == pytest.approx(1000 * MINILM_GFLOP / 80)
    assert found.month_usd.median == 20


def test_another_language_takes_an_encoder_that_was_made_for_it_with_twice_the_layers() -> None:
    english, german = (classifier(languages=spoken) for spoken in (["en"], ["de", "en"]))
    assert english.model == "a linear head on all-MiniLM-L6-v2"
    assert german.model == "a linear head on multilingual-e5-small"
    assert german.latency_ms.median == pytest.approx(2 * english.latency_ms.median)
    report = advise(spec(**LABELS, languages=["mi"]))
    assert "G15" in dropped(report)[CLASSIFIER.name]


def test_a_gpu_that_costs_less_or_is_needed_for_the_limit_is_taken() -> None:
    """An L4 of one's own takes 72 W x 730 h at 0.2 USD, 10.5 a month, and 10 GFLOP at 0.65 of 121 TFLOP/s."""
    own = classifier(hardware=["L4"])
    assert "L4, yours, its power alone" in own.how[0]
    assert own.latency_ms.median == pytest.approx(MINILM_GFLOP / (121 * 0.65) + 5, rel=1e-3)
    assert own.month_usd.median == pytest.approx(72 * 730 / 1000 * 0.2)
    slow, fast = (classifier(latency_p95_ms=ms) for ms in (130, 120))
    assert "small machine" in slow.how[0]
    assert "rented all month" in fast.how[0]
    assert fast.latency_ms.median <= 120
    assert fast.place == "rented"


def reading(**changes: Any) -> DecideReport:
    return advise(spec(**{**LABELS, "tokens_in": 100, **changes}))


def test_a_classifier_that_reads_most_of_a_text_says_so_and_else_is_dropped() -> None:
    assert of_rule(reading(document_tokens=412), "G12", "warning") == []
    (said,) = of_rule(reading(document_tokens=900), "G12", "warning")
    assert said.reason.endswith("all-MiniLM-L6-v2 reads the first 512 of 1,000 tokens")
    for tokens in (925, 10**12):
        found = reading(document_tokens=tokens)
        assert "G12" in dropped(found)[CLASSIFIER.name]
        assert CLASSIFIER.name not in {row.arm for row in found.ranking}
