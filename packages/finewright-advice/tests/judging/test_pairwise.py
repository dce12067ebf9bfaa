"""Exact tests between all systems, against scipy and a hand-computed correction."""

import numpy as np
import pytest
from scipy import stats

from finewright.judge.statistics import holm
from finewright_advice.judge.pairwise import pairwise


def test_holm_is_the_published_step_down_procedure():
    # Hand-computed: 4 x 0.01, 3 x 0.02, then 2 x 0.03 and 1 x 0.04, which may not fall below 0.06.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_each_pair_is_tested_exactly_as_scipy_tests_its_discordant_rows():
    rng = np.random.default_rng(4)
    solved = {name: (rng.random(60) < share).tolist() for name, share in SHARES.items()}
    pairs = pairwise(solved)
    assert [(p.system, p.against) for p in pairs] == [("b", "a"), ("c", "a"), ("c", "b")]
    for pair in pairs:
        both = list(zip(solved[pair.system], solved[pair.against], strict=True))
        assert (pair.won, pair.lost) == (both.count((True, False)), both.count((False, True)))
        wanted = stats.binomtest(pair.won, pair.won + pair.lost).pvalue
        assert pair.p_value == pytest.approx(wanted, rel=1e-12)
    assert [p.p_holm for p in pairs] == holm([p.p_value for p in pairs])


SHARES = {"a": 0.2, "b": 0.5, "c": 0.55}


def test_systems_that_never_differ_have_no_difference():
    (pair,) = pairwise({"a": [True, False], "b": [True, False]})
    assert pair == ("b", "a", 0, 0, 1.0, 1.0)


def test_rows_must_be_the_same():
    with pytest.raises(ValueError, match=r"shorter|longer"):
        pairwise({"a": [True], "b": [True, False]})
