"""The chance of being best, and who is on the frontier."""

import math

import pytest

from finewright_advice.judge.pareto import ParetoPoint, chances_of_best, frontier


def test_two_systems_alike_share_the_chance():
    rows = [True, False] * 20
    chances = chances_of_best({"a": rows, "b": rows}, resamples=200, seed=1)
    assert chances == {"a": 0.5, "b": 0.5}


def test_a_system_that_solves_more_on_every_row_is_always_best():
    rows = [True] * 30 + [False] * 10
    better = [True] * 40
    assert chances_of_best({"a": rows, "b": better}, resamples=500, seed=0)["b"] > 0.99


def test_one_row_of_difference_wins_as_often_as_it_is_drawn():
    # b wins where its row is drawn, 1 - (1 - 1/n)^n, and shares the rest.
    n = 40
    a, b = [False] * n, [True] + [False] * (n - 1)
    drawn = 1 - (1 - 1 / n) ** n
    found = chances_of_best({"a": a, "b": b}, resamples=20_000, seed=3)
    assert found["b"] == pytest.approx(drawn + (1 - drawn) / 2, abs=0.01)
    assert math.fsum(found.values()) == pytest.approx(1.0)


def test_the_same_seed_gives_the_same_chances_and_no_rows_give_none():
    rows = {"a": [True, False, True], "b": [False, True, True]}
    first = chances_of_best(rows, resamples=100, seed=5)
    assert first == chances_of_best(rows, resamples=100, seed=5)
    with pytest.raises(ValueError, match="no rows"):
        chances_of_best({"a": []}, resamples=10, seed=0)


def test_only_what_nothing_beats_is_on_the_frontier():
    points = {
        "cheap": ParetoPoint(1.0, 0.3),
        "good": ParetoPoint(5.0, 0.9),
        "between": ParetoPoint(3.0, 0.6),
        "dominated": ParetoPoint(4.0, 0.6),
        "worse": ParetoPoint(6.0, 0.8),
    }
    assert frontier(points) == {"cheap", "good", "between"}


def test_equal_points_are_on_the_frontier_together():
    assert frontier({"a": ParetoPoint(1.0, 0.5), "b": ParetoPoint(1.0, 0.5)}) == {"a", "b"}
