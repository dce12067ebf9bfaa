"""Measuring asks every row once, in order, and pairs systems on the same rows."""

import math

import pytest

import tiny
from finewright.errors import Interrupted
from finewright.evaluate.answers import expected_nll
from finewright.evaluate.measure import (
    Measured,
    RowSet,
    Settings,
    Subject,
    differences,
    measure,
    scores_of,
)
from finewright.evaluate.score import ScoreOptions
from finewright.lm.chat import Chat
from finewright.lm.model import LM
from finewright.schema.rows import Row

pytestmark = pytest.mark.torch

OPTIONS = ScoreOptions(confidence=0.9, resamples=100, seed=0)
SETTINGS = Settings(("exact_match", "perplexity"), max_new_tokens=4, batch_size=2, options=OPTIONS)
ROWS = [
    Row(
        str(i),
        ({"role": "user", "content": f"Q{i}"}, {"role": "assistant", "content": f"answer {i}"}),
        None,
        "test.jsonl",
        i + 1,
    )
    for i in range(5)
]


@pytest.fixture(scope="module")
def lms() -> dict[str, LM]:
    return {name: LM(tiny.tiny_model("llama", seed=s), {}) for s, name in enumerate("ab")}


@pytest.fixture(scope="module")
def chat() -> Chat:
    return tiny.tiny_chat()


@pytest.fixture(scope="module")
def measured(lms: dict[str, LM], chat: Chat) -> list[Measured]:
    return [
        measure(Subject(name, lm, chat), RowSet("test", ROWS), SETTINGS, lambda *_: None)
        for name, lm in lms.items()
    ]


def test_there_is_a_sample_of_each_row_in_order(measured: list[Measured]) -> None:
    samples = measured[0].samples
    assert [(s.system, s.data, s.row, s.prompt, s.expected) for s in samples] == [
        ("a", "test", i + 1, f"Q{i}", f"answer {i}") for i in range(5)
    ]
    assert all(s.scores.keys() == {"exact_match", "perplexity"} for s in samples)


def test_perplexity_is_over_all_expected_tokens(
    measured: list[Measured], lms: dict[str, LM], chat: Chat
) -> None:
    losses = [expected_nll(lms["a"], chat, row) for row in ROWS]
    score = next(s for s in scores_of(measured) if (s.system, s.metric) == ("a", "perplexity"))
    mean = sum(nll for nll, _ in losses) / sum(count for _, count in losses)
    assert score.value == pytest.approx(math.exp(mean), rel=1e-6)
    assert (score.n, score.low <= score.value <= score.high) == (5, True)


def test_differences_are_paired_and_only_those_asked_for(measured: list[Measured]) -> None:
    values = {(s.system, s.metric): s.value for s in scores_of(measured)}
    found = differences(measured, [("a", "b")], OPTIONS)
    assert [(d.system, d.against, d.metric, d.n) for d in found] == [
        ("a", "b", "exact_match", 5),
        ("a", "b", "perplexity", 5),
    ]
    gain = values["a", "perplexity"] - values["b", "perplexity"]
    assert found[1].value == pytest.approx(gain, rel=1e-9)
    assert differences(measured, [], OPTIONS) == ()


def test_progress_counts_up_to_all_rows(lms: dict[str, LM], chat: Chat) -> None:
    seen: list[tuple[str, str, int, int]] = []
    measure(Subject("a", lms["a"], chat), RowSet("test", ROWS), SETTINGS, lambda *p: seen.append(p))
    assert seen == [("a", "test", done, 5) for done in (0, 2, 4, 5)]


def test_whoever_watches_may_stop_it(lms: dict[str, LM], chat: Chat) -> None:
    def stop(system: str, data: str, done: int, total: int) -> None:
        if done:
            raise Interrupted("enough", signal_number=15)

    with pytest.raises(Interrupted, match="enough"):
        measure(Subject("a", lms["a"], chat), RowSet("test", ROWS), SETTINGS, stop)
