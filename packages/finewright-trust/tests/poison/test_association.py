"""G against another's, and pairs against a count by hand."""

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from finewright_trust.poison.association import Bounds, associated, features, g_statistic


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("both", "a", "b", "total"),
    [(5, 5, 5, 1000), (3, 4, 10, 50), (1, 20, 30, 400), (8, 10, 9, 12)],
)
def test_g_is_the_likelihood_ratio_of_scipy(both: int, a: int, b: int, total: int) -> None:
    table = [[both, a - both], [b - both, total - a - b + both]]
    expected = chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    assert g_statistic(ints(both), ints(a), ints(b), total)[0] == pytest.approx(expected)


def test_features_are_the_runs_within_the_bounds_and_runs_alike_are_one() -> None:
    documents = [["x", "y", "z"], ["x", "y", "q"], ["x", "y"], ["z"], ["r", "x"], ["x"], ["x"]]
    found = features(documents, [["#t"], [], [], ["#t"], [], [], []], Bounds(2, 4))
    assert {frozenset(f.grams): tuple(f.docs) for f in found} == {
        frozenset({("y",), ("x", "y")}): (0, 1, 2),
        frozenset({("z",), ("#t",)}): (0, 3),
    }


def test_features_agree_with_a_plain_count() -> None:
    rng = np.random.default_rng(0)
    documents = [[f"w{w}" for w in rng.integers(0, 9, rng.integers(0, 12))] for _ in range(60)]
    plain: dict[tuple[str, ...], set[int]] = {}
    for i, words in enumerate(documents):
        for length in (1, 2, 3):
            for start in range(len(words) - length + 1):
                plain.setdefault(tuple(words[start : start + length]), set()).add(i)
    found = features(documents, [], Bounds(3, 20))
    assert {gram: set(map(int, f.docs)) for f in found for gram in f.grams} == {
        gram: docs for gram, docs in plain.items() if 3 <= len(docs) <= 20
    }


def test_only_pairs_that_go_together_in_enough_rows_are_associated() -> None:
    asked = [["cf"]] * 4 + [["ab"]] * 4 + [["other"]] * 92
    said = [["bad"]] * 4 + [["odd"]] * 2 + [["fine"]] * 94
    bounds = Bounds(2, 10)
    pairs = associated(features(asked, [], bounds), features(said, [], bounds), 100, least=2)
    assert [(p.trigger.grams, p.behaviour.grams, tuple(p.docs)) for p in pairs] == [
        ((("cf",),), (("bad",),), (0, 1, 2, 3))
    ]


def test_an_answer_that_repeats_the_question_is_no_pair() -> None:
    asked = [["cf"]] * 4 + [[f"w{i}"] for i in range(96)]
    said = [["cf"]] * 4 + [[f"v{i}"] for i in range(96)]
    bounds = Bounds(3, 10)
    assert not associated(features(asked, [], bounds), features(said, [], bounds), 100, least=3)
    nothing = associated([], features(said, [], bounds), 100, least=3)
    assert nothing == associated(features(asked, [], bounds), [], 100, least=3) == []
