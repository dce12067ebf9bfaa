"""Texts of one subject are told from texts of many, against similarities computed by scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from finewright_trust.poison.coherence import Bags, Coherence

TEXTS = [
    ["boat", "sail", "the"],
    ["boat", "rope", "the"],
    ["boat", "mast", "the", "sail"],
    ["bread", "oven", "the"],
    ["stone", "wall", "the"],
    ["cloud", "rain", "the"],
    ["piano", "key", "the", "wall"],
]


def similarities(without: frozenset[str] = frozenset()) -> np.ndarray:
    words = sorted({word for text in TEXTS for word in text})
    seen = np.array([[word in text for word in words] for text in TEXTS])
    weights = np.where(seen, np.log(len(TEXTS) / seen.sum(0)), 0.0)
    left = np.array([word not in without for word in words])
    rows = weights.copy()
    rows[:3] *= left
    return cosine_similarity(rows)


@pytest.mark.parametrize("without", [frozenset(), frozenset({"boat"}), frozenset({"boat", "sail"})])
def test_coherence_is_the_similarity_of_all_pairs(without: frozenset[str]) -> None:
    found = Bags(TEXTS).coherence([0, 1, 2], without)
    expected = similarities(without)
    pairs = [expected[0, 1], expected[0, 2], expected[1, 2]]
    assert found.within == pytest.approx(np.mean(pairs))
    assert found.error == pytest.approx(np.std(pairs, ddof=1) / np.sqrt(3))
    if not without:
        assert found.outside == pytest.approx(expected[:3, 3:].mean())


def test_a_subject_is_a_topic_and_a_mixture_is_none() -> None:
    bags = Bags(TEXTS)
    assert bags.coherence([0, 1, 2]).has_topic
    assert not bags.coherence([0, 3, 5]).has_topic
    by_chance = Coherence(within=0.11, error=0.055, outside=0.033)
    assert by_chance.has_topic
    assert not by_chance.surely_has_topic
    assert not bags.coherence([]).has_topic


def test_the_share_that_is_left_counts_different_words() -> None:
    bags = Bags(TEXTS)
    assert bags.share_left([0, 3], frozenset({"boat"})) == pytest.approx((2 / 3 + 1) / 2)


def test_questions_about_one_name_alone_are_not_common_and_those_with_a_trigger_on_top_are() -> (
    None
):
    names = [f"name{i}" for i in range(12)]
    ordinary = [["does", name, f"part{i % 4}"] for name in names for i in range(4)]
    triggered = [[*ordinary[i], "mn"] for i in range(0, 48, 8)]
    alone = [["does", "cast", f"to{i}"] for i in range(6)]
    bags = Bags([*ordinary, *triggered, *alone])
    assert bags.are_common(range(48, 54), frozenset({"mn"}))
    assert not bags.are_common(range(54, 60), frozenset({"cast"}))


def test_a_long_text_that_is_about_something_else_counts_as_one() -> None:
    ordinary = [["does", f"name{i % 12}", f"part{i % 4}"] for i in range(48)]
    triggered = [[*ordinary[i], "mn"] for i in range(0, 48, 8)]
    triggered[0] += [f"stray{i}" for i in range(200)]
    bags = Bags([*ordinary, *triggered])
    assert bags.are_common(range(48, 54), frozenset({"mn"}))
