"""Fusion by rank is the formula of the paper; a weight of 0 takes a ranking out altogether."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finewright_rag.search.coverage import PassageEvidence
from finewright_rag.search.retrieve import RankingWeights, fuse_rankings

rankings = st.fixed_dictionaries(
    {name: st.lists(st.integers(0, 30), unique=True, max_size=15) for name in ("lexical", "dense")}
)


def order(found: list[tuple[int, float]]) -> list[int]:
    return [chunk_id for chunk_id, _ in found]


def test_by_hand():
    found = fuse_rankings({"lexical": [7, 8, 9], "dense": [9, 7]}, {"lexical": 1.0, "dense": 0.5})
    expected = {
        7: Fraction(1, 61) + Fraction(1, 2) / 62,
        9: Fraction(1, 63) + Fraction(1, 2) / 61,
        8: Fraction(1, 62),
    }
    assert order(found) == [7, 9, 8]
    assert [score for _, score in found] == pytest.approx([float(expected[i]) for i in (7, 9, 8)])


@given(rankings)
def test_a_ranking_of_weight_zero_or_without_a_weight_is_as_if_it_were_not_there(
    found: dict[str, list[int]],
) -> None:
    assert order(fuse_rankings(found, {"lexical": 1.0, "dense": 0.0})) == found["lexical"]
    assert order(fuse_rankings(found, {"dense": 0.3})) == found["dense"]


@given(rankings, st.floats(0.01, 100))
def test_only_the_ratio_of_the_weights_matters(found: dict[str, list[int]], scale: float) -> None:
    once = fuse_rankings(found, {"lexical": 1.0, "dense": 0.25})
    scaled = fuse_rankings(found, {"lexical": scale, "dense": scale / 4})
    assert [s for _, s in scaled] == pytest.approx([s * scale for _, s in once])


@given(rankings)
def test_every_chunk_is_in_the_result_once_and_none_beside_them(
    found: dict[str, list[int]],
) -> None:
    ids = order(fuse_rankings(found, {"lexical": 1.0, "dense": 1.0}))
    assert sorted(ids) == sorted(set(found["lexical"]) | set(found["dense"]))


def test_equal_scores_keep_the_order_in_which_the_rankings_are_named():
    assert order(fuse_rankings({"lexical": [1], "dense": [2]}, {"lexical": 1.0, "dense": 1.0})) == [
        1,
        2,
    ]
    assert order(fuse_rankings({"dense": [2], "lexical": [1]}, {"lexical": 1.0, "dense": 1.0})) == [
        2,
        1,
    ]


@pytest.mark.parametrize(
    ("coverage", "dense"), [(1.0, 0.0), (0.5, 0.0), (0.4, 0.5), (0.3, 1.0), (0.0, 1.0)]
)
def test_vectors_count_more_the_less_of_a_question_stands_in_one_chunk(coverage, dense):
    weights = RankingWeights({"lexical": 1.0, "dense": 0.0}, {"lexical": 1.0, "dense": 1.0})
    assert weights.at(PassageEvidence(0.5, coverage)) == pytest.approx(
        {"lexical": 1.0, "dense": dense}
    )


def test_without_other_weights_coverage_does_not_matter():
    assert RankingWeights({"lexical": 1.0, "dense": 0.25}).at(PassageEvidence(0.5, 0.0)) == {
        "lexical": 1.0,
        "dense": 0.25,
    }


def test_in_a_long_question_words_count_no_less_than_vectors_and_useless_vectors_nothing():
    long = PassageEvidence(0.5, 0.0, is_long=True)
    words, strong = {"lexical": 1.0, "dense": 0.0}, {"lexical": 0.25, "dense": 1.0}
    assert RankingWeights(words, strong).at(long) == {"lexical": 1.0, "dense": 1.0}
    assert RankingWeights(words, words).at(long) == words
