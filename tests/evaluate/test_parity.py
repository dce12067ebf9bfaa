"""Parity is what was said beforehand, proved by a bound that covers as it promises."""

from datetime import date
from random import Random
from statistics import NormalDist

import pytest

from finewright.errors import DataError
from finewright.evaluate.parity import (
    Answers,
    against_expected,
    agreement,
    agreement_bound,
    check_measurable,
    judged,
    rows_at_least,
    rows_to_agree,
)
from finewright.evaluate.score import ScoreOptions
from finewright.schema.migrate import Stated

OPTIONS = ScoreOptions(confidence=0.95, resamples=400, seed=0)


def stated(*metrics: str, margin: float = 0.05) -> Stated:
    return Stated(
        metrics=metrics or ("exact_match",),
        margin=margin,
        confidence=0.95,
        golden_sha256="0",
        stated_on=date(2026, 11, 25),
    )


def answers(both: int, only_old: int, only_new: int, neither: int = 0) -> list[Answers]:
    cells = [("y", "y")] * both + [("y", "n")] * only_old + [("n", "y")] * only_new
    cells += [("n", "n")] * neither
    return [Answers(i, "y", old, new, "n") for i, (old, new) in enumerate(cells, 1)]


def verdict(rows: list[Answers], plan: Stated) -> str:
    bounds = against_expected(rows, plan, OPTIONS)
    return judged(bounds, agreement_bound(rows, plan.confidence), plan, len(rows)).verdict


def test_the_bound_of_zeros_and_ones_is_the_adjusted_wald_one():
    (bound,) = against_expected(answers(80, 6, 4), stated(), OPTIONS)
    n, won, lost = 90, 4, 6
    better, worse = (won + 1) / (n + 2), (lost + 1) / (n + 2)
    centre = better - worse
    half = NormalDist().inv_cdf(0.95) * ((better + worse - centre**2) / (n + 2)) ** 0.5
    assert bound.bound == pytest.approx(centre - half)
    assert bound.difference.value == pytest.approx(-2 / 90)
    assert (bound.old.value, bound.new.value, bound.base.value) == pytest.approx(
        (86 / 90, 84 / 90, 0)
    )
    # ((1.645 + 0.842) s / 0.05)^2 with s^2 = 10/90 - (2/90)^2
    assert bound.rows_needed == 274


def test_a_model_that_is_truly_at_the_margin_passes_about_one_time_in_twenty():
    """The error that the confidence promises, by simulation: 15 % of rows differ, new is 5 points worse."""
    rng, passed, trials = Random(1), 0, 400  # noqa: S311 - a simulation
    for _ in range(trials):
        draws = [rng.random() for _ in range(200)]
        rows = answers(
            sum(d >= 0.15 for d in draws),
            sum(d < 0.10 for d in draws),
            sum(0.10 <= d < 0.15 for d in draws),
        )
        plan = ScoreOptions(confidence=0.95, resamples=100, seed=0)
        passed += against_expected(rows, stated(), plan)[0].bound > -0.05
    assert passed / trials <= 0.05 + 2 * (0.05 * 0.95 / trials) ** 0.5


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
    same = [Answers(i, None, "y", "y", "n") for i in range(100)]
    assert against_expected(same, stated(), OPTIONS) == ()
    assert verdict(same, stated()) == "parity"
    apart = [a._replace(new="n") if a.row < 10 else a for a in same]
    assert verdict(apart, stated()) == "open"
    assert agreement(apart, stated("token_f1"), OPTIONS)[0].metric == "exact_match"
    assert agreement(apart, stated("token_f1"), OPTIONS)[0].value == pytest.approx(0.9)


def test_scores_between_zero_and_one_are_resampled():
    whole, part = "one two three four", "one two three"
    rows = [Answers(i, whole, whole, whole if i % 2 else part, "") for i in range(60)]
    (bound,) = against_expected(rows, stated("token_f1"), OPTIONS)
    assert bound.difference.low <= bound.bound < bound.difference.value < 0
    assert bound.difference.value == pytest.approx((6 / 7 - 1) / 2)


def test_so_few_rows_cannot_show_parity_and_one_more_can():
    needed = rows_at_least(0.05, 0.95)
    assert verdict(answers(needed, 0, 0), stated()) == "parity"
    assert verdict(answers(needed - 1, 0, 0), stated()) == "open"


@pytest.mark.parametrize("rows", [1, 8, 44])
@pytest.mark.parametrize("expected", ["one two", None])
@pytest.mark.parametrize(
    ("old", "new"), [("one two", "one two"), ("one two", "six"), ("six", "one")]
)
def test_fewer_rows_than_could_show_parity_show_nothing(rows, expected, old, new):
    """All differences are equal, so that resampling sees no width."""
    same = [Answers(i, expected, old, new, "") for i in range(rows)]
    plan = stated("token_f1")
    bounds = against_expected(same, plan, OPTIONS)
    found = judged(bounds, agreement_bound(same, plan.confidence), plan, rows)
    assert found.verdict == "open"
    assert found.sentence == (
        "Parity is not proved, as the rows are too few to tell:"
        f" {rows} golden row{'s' if rows > 1 else ''} cannot show parity within 5 points, even of models"
        f" that always agree: {45 if expected else 52} could."
    )


def test_by_agreement_as_many_rows_as_are_said_to_be_enough_are():
    needed = rows_to_agree(0.05, 0.95)
    same = [Answers(i, None, "y", "y", "n") for i in range(needed)]
    assert verdict(same, stated()) == "parity"
    assert verdict(same[1:], stated()) == "open"
    assert agreement_bound(same[1:], 0.95) < 0.95 <= agreement_bound(same, 0.95)


def test_rows_enough_are_judged_worse_where_all_lose_the_same():
    same = [Answers(i, "one two", "one two", "one", "") for i in range(45)]
    assert verdict(same, stated("token_f1")) == "worse"


@pytest.mark.parametrize("metric", ["perplexity", "preference_accuracy"])
def test_what_needs_probabilities_is_refused(metric):
    with pytest.raises(DataError, match="needs the old model's probabilities"):
        check_measurable(["exact_match", metric])
