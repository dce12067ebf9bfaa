"""Holm's adjustment, from the closure principle that it is a shortcut of."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finewright.judge.statistics import holm


def closed(p_values: list[float], i: int) -> float:
    """The largest Bonferroni p of any family of these hypotheses that `i` is in (Marcus et al. 1976)."""
    others = [j for j in range(len(p_values)) if j != i]
    families = ((i, *rest) for size in range(len(p_values)) for rest in combinations(others, size))
    return max(min(1.0, len(family) * min(p_values[j] for j in family)) for family in families)


@given(st.lists(st.floats(0, 1), max_size=6))
def test_holm_is_the_closed_bonferroni_test(p_values: list[float]) -> None:
    expected = [closed(p_values, i) for i in range(len(p_values))]
    assert holm(p_values) == pytest.approx(expected)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
