"""Parity is what was said beforehand, proved by a bound that covers as it promises."""

from datetime import date
from random import Random

import numpy as np
import pytest

from finewright.errors import DataError
from finewright.evaluate.score import ScoreOptions
from finewright.judge.bounds import rows_without_loss
from finewright_bridge.migrate.non_inferiority import (
    GoldenAnswers,
    against_expected,
    agreement,
    agreement_bound,
    check_measurable,
    judge_parity,
)
from finewright_bridge.migrate.report import ParityTerms

OPTIONS = ScoreOptions(confidence=0.95, resamples=400, seed=0)


def stated(*metrics: str, margin: float = 0.05) -> ParityTerms:
    return ParityTerms(
        metrics=metrics or ("exact_match",),
        margin=margin,
        confidence=0.95,
        golden_sha256="0",
        stated_on=date(2026, 11, 25),
    )


def answers(both: int, only_old: int, only_new: int, neither: int = 0) -> list[GoldenAnswers]:
    cells = [("y", "y")] * both + [("y", "n")] * only_old + [("n", "y")] * only_new
    cells += [("n", "n")] * neither
    return [GoldenAnswers(i, "y", old, new, "n") for i, (old, new) in enumerate(cells, 1)]


def verdict(rows: list[GoldenAnswers], plan: ParityTerms) -> str:
    bounds = against_expected(rows, plan, OPTIONS)
    return judge_parity(bounds, agreement_bound(rows, plan.confidence), plan, len(rows)).verdict


def test_the_bound_of_zeros_and_ones_and_what_would_be_enough():
    (bound,) = against_expected(answers(80, 6, 4), stated(), OPTIONS)
    # Dirichlet(4, 80, 6 + 1) weights of +1, 0 and -1, by a sample of another seed.
    weights = np.random.default_rng(7).dirichlet([4, 80, 7], size=200_000)
    assert bound.bound == pytest.approx(np.quantile(weights[:, 0] - weights[:, 2], 0.05), abs=0.004)
    assert bound.difference.value == pytest.approx(-2 / 90)
    assert (bound.old.value, bound.new.value, bound.base.value) == pytest.approx(
        (86 / 90, 84 / 90, 0)
    )
    # 0.05 >= 1/n + 1.645 sqrt(s^2/n + 1/n^2) + 0.842 s/sqrt(n), s^2 = 10/90 - (2/90)^2
    assert bound.rows_needed == pytest.approx(316, abs=2)


MANY = ("a b c d e f g h i j k l m n o p q r s t", "a b c d e f g h i j k l m n o p q r s")
"""A text of twenty words, and of nineteen: token F1 2 * 0.95 / 1.95 = 38/39, so 1/39 is lost."""


@pytest.mark.parametrize(
    ("lost", "shape"),
    [
        (((0.05, ""),), "few rows lose all"),
        (((0.7, MANY[1]), (0.05 - 0.7 / 39, "")), "many lose a little, few all"),
        (((0.15, "a b c d e f g h i j"),), "some lose a third"),  # F1 2 * 0.5 / 1.5
    ],
)
@pytest.mark.parametrize("n", [50, 100])
def test_a_model_at_the_margin_is_rarely_proved_as_good(lost, shape, n):
    """Whatever the shape of the loss: its mean is the margin, so that each proof is false."""
    rng, proved, trials = Random(n), 0, 250  # noqa: S311 - a simulation
    texts, weights = [MANY[0]], [1 - sum(p for p, _ in lost)]
    for probability, text in lost:
        texts.append(text)
        weights.append(probability)
    for _ in range(trials):
        told = rng.choices(texts, weights, k=n)
        rows = [GoldenAnswers(i, MANY[0], MANY[0], new, "") for i, new in enumerate(told)]
        options = ScoreOptions(confidence=0.95, resamples=400, seed=0)
        proved += against_expected(rows, stated("token_f1"), options)[0].bound > -0.05
    assert proved / trials <= 0.06 + 2 * (0.05 * 0.95 / trials) ** 0.5, shape


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (answers(200, 1, 1), "parity"),
        (answers(10, 0, 0), "open"),
        (answers(80, 6, 4), "open"),
        (answers(50, 40, 0), "worse"),
        (answers(50, 0, 40), "parity"),
    ],
)
def test_the_verdict_follows_the_bound(rows, expected):
    assert verdict(rows, stated()) == expected


def test_without_right_answers_agreement_alone_decides():
    same = [GoldenAnswers(i, None, "y", "y", "n") for i in range(100)]
    assert against_expected(same, stated(), OPTIONS) == ()
    assert verdict(same, stated()) == "parity"
    apart = [a._replace(new="n") if a.row < 10 else a for a in same]
    assert verdict(apart, stated()) == "open"
    assert agreement(apart, stated("token_f1"), OPTIONS)[0].metric == "exact_match"
    assert agreement(apart, stated("token_f1"), OPTIONS)[0].value == pytest.approx(0.9)


def test_the_bound_of_scores_between_zero_and_one_is_below_their_mean():
    whole, part = "one two three four", "one two three"
    rows = [GoldenAnswers(i, whole, whole, whole if i % 2 else part, "") for i in range(60)]
    (bound,) = against_expected(rows, stated("token_f1"), OPTIONS)
    assert bound.difference.low <= bound.bound < bound.difference.value < 0
    assert bound.difference.value == pytest.approx((6 / 7 - 1) / 2)


def test_so_few_rows_cannot_show_parity_and_one_more_can():
    needed = rows_without_loss(0.05, 0.95)
    assert verdict(answers(needed, 0, 0), stated()) == "parity"
    assert verdict(answers(needed - 1, 0, 0), stated()) == "open"


@pytest.mark.parametrize("rows", [1, 8, 58])
@pytest.mark.parametrize("expected", ["one two", None])
@pytest.mark.parametrize(
    ("old", "new"), [("one two", "one two"), ("one two", "six"), ("six", "one")]
)
def test_fewer_rows_than_could_show_parity_show_nothing(rows, expected, old, new):
    same = [GoldenAnswers(i, expected, old, new, "") for i in range(rows)]
    plan = stated("token_f1")
    bounds = against_expected(same, plan, OPTIONS)
    found = judge_parity(bounds, agreement_bound(same, plan.confidence), plan, rows)
    assert found.verdict == "open"
    assert found.sentence == (
        "Parity is not proved, as the rows are too few to tell:"
        f" {rows} golden row{'s' if rows > 1 else ''} cannot show parity within 5 points, even of models"
        f" that always agree: 59 could."
    )


def test_by_agreement_as_many_rows_as_are_said_to_be_enough_are():
    needed = rows_without_loss(0.05, 0.95)
    same = [GoldenAnswers(i, None, "y", "y", "n") for i in range(needed)]
    assert verdict(same, stated()) == "parity"
    assert verdict(same[1:], stated()) == "open"
    assert agreement_bound(same[1:], 0.95) < 0.95 <= agreement_bound(same, 0.95)


def test_rows_enough_are_judged_worse_where_all_lose_the_same():
    same = [GoldenAnswers(i, "one two", "one two", "one", "") for i in range(59)]
    assert verdict(same, stated("token_f1")) == "worse"


@pytest.mark.parametrize("metric", ["perplexity", "preference_accuracy"])
def test_what_needs_probabilities_is_refused(metric):
    with pytest.raises(DataError, match="needs the old model's probabilities"):
        check_measurable(["exact_match", metric])
