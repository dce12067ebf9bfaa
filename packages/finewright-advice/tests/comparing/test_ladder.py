"""Who goes on, who wins: on answers whose scores are known, and against brute force."""

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finewright.compare.asking import read_answers_of_samples
from finewright.evaluate.score import PREFERENCE, ScoredSet, ScoreOptions
from finewright.schema.evaluate import Sample
from finewright_advice.compare.comparison import Comparison
from finewright_advice.compare.ladder import Burden, LadderVerdict, duels, fates, ladder, verdict

OPTIONS = ScoreOptions(confidence=0.95, resamples=1000, seed=0)
METRIC = "exact_match"
BURDENS = {"a": Burden(9_000_000, [9.0] * 20), "b": Burden(1_000_000, [1.0] * 20)}


def system(name: str, right: str) -> ScoredSet:
    """Answers to as many rows as `right` has signs, right where it has a 1."""
    samples = [
        Sample(
            system="tuned",
            data="test",
            row=i,
            prompt=f"Q{i}",
            expected="yes",
            answer="yes" if sign == "1" else "no",
            stopped=True,
            scores={},
        )
        for i, sign in enumerate(right, 1)
    ]
    return read_answers_of_samples(name, "held-out rows", samples).score((METRIC,), OPTIONS)


def of(systems: Mapping[str, ScoredSet]) -> Comparison:
    return Comparison(systems, METRIC, OPTIONS)


@pytest.mark.parametrize(
    ("num_models", "eta", "rungs", "shares"),
    [
        (2, 2, None, [1.0]),
        (3, 2, None, [1.0]),
        (4, 2, None, [0.5, 1.0]),
        (8, 2, None, [0.25, 0.5, 1.0]),
        (17, 4, None, [0.25, 1.0]),
        (2, 4, 2, [0.25, 1.0]),
        (5, 3, 1, [1.0]),
    ],
)
def test_each_rung_trains_eta_times_as_long_as_the_one_before(
    num_models: int, eta: int, rungs: int | None, shares: list[float]
) -> None:
    assert ladder(num_models, eta, rungs) == shares


@given(st.integers(2, 300), st.integers(2, 9))
def test_two_models_reach_the_last_rung(num_models: int, eta: int) -> None:
    num_rungs = len(ladder(num_models, eta, None))
    assert num_models // eta ** (num_rungs - 1) >= 2
    assert num_models // eta**num_rungs < 2


def test_only_who_is_shown_to_be_worse_is_dropped() -> None:
    systems = {
        "bad": system("bad", "1" * 4 + "0" * 36),
        "best": system("best", "1" * 36 + "0" * 4),
        "near": system("near", "1" * 30 + "0" * 10),
        "good": system("good", "0" + "1" * 35 + "0" * 4),
    }
    found = fates(of(systems), 4)
    assert [fate.system for fate in found] == ["best", "good", "near", "bad"]
    assert [fate.is_dropped for fate in found] == [False, False, True, True]
    # A resample is not below 0 if it misses all rows that near lost: (35/40)^40 = 0.5 % of them for 5 rows,
    # (38/40)^40 = 13 % for 2, and the upper end leaves 2.5 %.
    nearly = fates(of({**systems, "near": system("near", "1" * 34 + "0" * 6)}), 4)
    assert not next(fate for fate in nearly if fate.system == "near").is_dropped
    best = found[0]
    assert best.difference is None
    assert found[-1].difference is not None
    assert found[-1].difference.value == pytest.approx(-32 / 40)
    assert found[-1].why == "dropped: worse than best"


def test_the_better_part_goes_on_even_when_worse() -> None:
    systems = {"a": system("a", "1" * 40), "b": system("b", "0" * 40)}
    assert [f.is_dropped for f in fates(of(systems), 2)] == [False, True]
    three = {**systems, "c": system("c", "0" * 40)}
    # two of three are sure to go on; of equal ones the one that was named first
    assert [f.is_dropped for f in fates(of(three), 2)] == [False, False, True]


def test_p_values_are_mcnemars_corrected_by_holm() -> None:
    systems = {
        "low": system("low", "0" * 20),
        "top": system("top", "1" * 12 + "0" * 8),
        "mid": system("mid", "1" * 7 + "0" * 13),
    }
    found = duels(of(systems))
    assert [duel.difference.against for duel in found] == ["mid", "low"]
    exact = [2 * 0.5**5, 2 * 0.5**12]  # all discordant rows on one side
    assert [duel.difference.p_value for duel in found] == pytest.approx(exact)
    assert [duel.p_adjusted for duel in found] == pytest.approx([exact[0], 2 * exact[1]])
    assert [duel.is_significant for duel in found] == [False, True]


def test_a_clear_winner_is_named_with_what_lies_between() -> None:
    systems = {"a": system("a", "1" * 18 + "00"), "b": system("b", "0" * 20)}
    told = verdict(systems["a"].scores[0], duels(of(systems)), BURDENS, OPTIONS)
    assert (told.winner, told.choice) == ("a", "a")
    assert told.sentence.startswith("a wins: exact_match 90.0 %")
    assert "+90.0 points (+55.0 to +99.0) against b, p < 0.001" in told.sentence


EQUALS = {
    "a": system("a", "1" * 18 + "00"),
    "b": system("b", "1" * 17 + "000"),
    "far": system("far", "0" * 20),
}


def told_of_equals(**burdens: Burden) -> LadderVerdict:
    far = Burden(1, [0.1] * 20)
    fought = duels(of(EQUALS))
    return verdict(EQUALS["a"].scores[0], fought, {**burdens, "far": far}, OPTIONS)


@pytest.mark.parametrize(("fast", "slow", "also"), [("b", "a", False), ("a", "b", True)])
def test_of_equals_the_faster_is_taken(fast: str, slow: str, also: bool) -> None:
    burdens = {fast: Burden(9_000_000, [2.0] * 20), slow: Burden(1_000_000, [3.0] * 20)}
    told = told_of_equals(**burdens)
    assert (told.winner, told.choice) == ("", fast)
    assert told.sentence.startswith("No significant difference in exact_match between a and b")
    assert "far" not in told.sentence
    assert ("scores highest as well" in told.sentence) is also


@pytest.mark.parametrize("answers", [1, 20])
def test_of_equals_that_are_as_fast_the_smaller_is_taken(answers: int) -> None:
    times = [2.0, 3.1] * (answers // 2) or [2.0]
    slower = [
        ms + 0.5 if n % 2 else ms - 0.4 for n, ms in enumerate(times, 1)
    ]  # by 0.05 in the mean
    told = told_of_equals(a=Burden(9_000_000, times), b=Burden(1_000_000, slower))
    assert told.choice == "b"
    assert "million parameters: a 9, b 1; ms an answer, no difference shown" in told.sentence


def test_who_alone_is_left_wins() -> None:
    alone = {"a": system("a", "1010")}
    assert duels(of(alone)) == []
    assert verdict(alone["a"].scores[0], [], BURDENS, OPTIONS).winner == "a"


def test_preferences_are_read_and_not_made_again() -> None:
    sample = Sample(
        system="s",
        data="d",
        row=1,
        prompt="Q",
        expected="A",
        answer="",
        stopped=True,
        scores={PREFERENCE: 1.0},
    )
    (score,) = read_answers_of_samples("s", "rows", [sample]).score((PREFERENCE,), OPTIONS).scores
    assert score.value == 1.0
    assert not math.isnan(score.low)


def test_times_of_a_busy_machine_do_not_say_who_is_cheaper() -> None:
    """The larger one seems four times as fast, while other work kept the machine busy."""
    fast, slow = [2.0, 2.1] * 10, [8.0, 8.1] * 10
    quiet = told_of_equals(a=Burden(9_000_000, fast), b=Burden(1_000_000, slow))
    assert quiet.choice == "a"
    busy = told_of_equals(
        a=Burden(9_000_000, fast), b=Burden(1_000_000, slow, is_of_busy_machine=True)
    )
    assert busy.choice == "b"
    assert "timed on a busy machine, which decides nothing" in busy.sentence
