"""The sentence at the end, for each way an experiment can end."""

from finewright_advice.compare.best_arm import Standing, recommend
from finewright_advice.judge.pairwise import Pair
from finewright_advice.schema.measure_report import Power, RowShare

POWER = Power(rows=100, difference=0.05, discordant=0.2, rows_needed=626, detectable=0.124)


def standing(arm, value: float, p_best: float, cost: float | None) -> Standing:
    share = RowShare(value=value, low=max(0.0, value - 0.1), high=value + 0.1, n=100)
    return Standing(arm, share, p_best, cost, f"{cost} s a solved request")


def test_one_that_beats_all_others_is_taken_whatever_it_costs():
    found = recommend(
        [standing("0-shot", 0.1, 0.0, 1.0), standing("rag", 0.6, 0.97, 9.0)],
        [Pair("rag", "0-shot", 50, 0, 1e-9, 1e-9)],
        POWER,
        0.05,
    )
    assert (found.arm, found.kind, found.p_best) == ("rag", "better", 0.97)
    assert found.sentence == (
        "Take rag: it solves 60.0 % (50-70), significantly more than every other option (largest p < 0.001"
        " after Holm's correction, level 0.05), at 9.0 s a solved request; it is the best in 97.0 % of the"
        " resamples."
    )


def test_of_those_that_are_not_told_apart_the_cheapest_is_taken():
    arms = [
        standing("0-shot", 0.1, 0.0, 0.5),
        standing("rag", 0.5, 0.2, 2.0),
        standing("rag+ft", 0.55, 0.8, 3.0),
    ]
    pairs = [
        Pair("rag", "0-shot", 40, 0, 1e-9, 3e-9),
        Pair("rag+ft", "0-shot", 45, 0, 1e-9, 3e-9),
        Pair("rag+ft", "rag", 10, 5, 0.3, 0.3),
    ]
    found = recommend(arms, pairs, POWER, 0.05)
    assert (found.arm, found.kind, found.equals) == ("rag", "cheapest of equals", ("rag", "rag+ft"))
    assert found.sentence == (
        "No significant difference between rag and rag+ft on 100 rows (these rows show 12 points and"
        " more), so take the cheapest: rag, which solves 50.0 % (40-60) at 2.0 s a solved request; rag+ft is"
        " the best in 80.0 % of the resamples, rag in 20.0 %."
    )


def test_an_arm_that_solves_nothing_is_never_the_cheapest():
    arms = [standing("0-shot", 0.0, 0.1, None), standing("rag", 0.02, 0.9, 5.0)]
    found = recommend(arms, [Pair("rag", "0-shot", 2, 0, 0.5, 0.5)], POWER, 0.05)
    assert found.arm == "rag"
    assert "rag is the cheapest of them and solves the most" in found.sentence


def test_where_no_arm_solves_anything_nothing_is_recommended():
    arms = [standing("0-shot", 0.0, 0.5, None), standing("rag", 0.0, 0.5, None)]
    found = recommend(arms, [Pair("rag", "0-shot", 0, 0, 1.0, 1.0)], POWER, 0.05)
    assert found.kind == "none works"
    assert found.sentence.startswith(
        "No option solved any of the 100 rows (the share that each solves is below 10.0 %)"
    )
