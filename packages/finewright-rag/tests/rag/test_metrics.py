"""The metrics are those of their definitions, by hand and by scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from finewright.judge.statistics import mcnemar, wilson
from finewright_rag.search import metrics

RANKED = ["a", "b", "c", "d", "e"]
ranked_and_gold = st.tuples(
    st.permutations("abcdefghijkl"), st.sets(st.sampled_from("abcdefghijklxyz"), min_size=1)
)


def test_by_hand_with_one_right_document():
    found = metrics.measure_ranking(RANKED, {"c"})
    assert found == {
        "recall@1": 0.0,
        "recall@5": 1.0,
        "recall@10": 1.0,
        "mrr": pytest.approx(1 / 3),
        "ndcg@10": pytest.approx(1 / math.log2(4)),
    }


def test_by_hand_with_three_right_documents_of_which_one_is_not_found():
    gold = ["b", "d", "z"]
    assert metrics.recall(RANKED, gold, 1) == 0
    assert metrics.recall(RANKED, gold, 2) == 1 / 2
    assert metrics.recall(RANKED, gold, 5) == 2 / 3
    assert metrics.reciprocal_rank(RANKED, gold) == 1 / 2
    gain = 1 / math.log2(3) + 1 / math.log2(5)
    best = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert metrics.ndcg(RANKED, gold, 5) == pytest.approx(gain / best)


def test_what_is_not_ranked_counts_as_never_found():
    assert set(metrics.measure_ranking([], {"a"}).values()) == {0.0}


@given(ranked_and_gold, st.integers(1, 12))
def test_ndcg_is_that_of_scikit_learn(case: tuple[list[str], set[str]], k: int) -> None:
    ranked, gold = case
    # Right documents that were not ranked come after all that were.
    every = [*ranked, *sorted(gold - set(ranked))]
    truth = np.array([[float(name in gold) for name in every]])
    scores = np.array([[-float(place) for place in range(len(every))]])
    assert metrics.ndcg(ranked, gold, k) == pytest.approx(ndcg_score(truth, scores, k=k))


@given(ranked_and_gold)
def test_every_metric_is_1_for_the_best_ranking_and_never_more(
    case: tuple[list[str], set[str]],
) -> None:
    ranked, gold = case
    assert all(0 <= value <= 1 for value in metrics.measure_ranking(ranked, gold).values())
    best = [*sorted(gold), *(name for name in ranked if name not in gold)]
    assert list(metrics.measure_ranking(best, gold).values()) == pytest.approx([1.0] * 5)


def test_an_estimate_is_the_mean_and_has_wilsons_interval_for_shares():
    rows = [metrics.measure_ranking(RANKED, gold) for gold in ({"a"}, {"a"}, {"b"}, {"e"})]
    found = metrics.estimates(rows)
    assert found["recall@1"].value == 0.5
    assert found["recall@1"].interval == wilson(2, 4, confidence=0.95)
    assert found["mrr"].value == pytest.approx((1 + 1 + 1 / 2 + 1 / 5) / 4)
    assert found["mrr"].interval.low < found["mrr"].value < found["mrr"].interval.high
    assert list(found) == list(metrics.METRICS)


def test_a_difference_is_paired():
    ours = [metrics.measure_ranking(RANKED, gold) for gold in ({"a"}, {"a"}, {"a"}, {"b"})]
    theirs = [metrics.measure_ranking(RANKED, gold) for gold in ({"a"}, {"b"}, {"c"}, {"a"})]
    found = metrics.difference(ours, theirs, "recall@1")
    assert found.value == 0.25
    assert found.p_value == mcnemar(won=2, lost=1)
    assert found.low <= 0.25 <= found.high
