"""Maximal marginal relevance is Carbonell & Goldstein's formula, step by step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finewright_rag.search.retrieve import cosines, diverse, share_of_words
from finewright_rag.stores.index import RankedChunk

# The second says what the first says; the third is less relevant and unlike both.
RANKED = [RankedChunk(10, 1.0), RankedChunk(11, 0.9), RankedChunk(12, 0.5)]
ALIKE = np.array([[1.0, 0.95, 0.1], [0.95, 1.0, 0.1], [0.1, 0.1, 1.0]], dtype=np.float32)


def chosen(diversity: float, limit: int = 3) -> list[int]:
    return [item.chunk_id for item in diverse(RANKED, ALIKE, limit=limit, diversity=diversity)]


def test_by_hand():
    # Second place at 0.5: 0.5 * 0.9 - 0.5 * 0.95 = -0.025 against 0.5 * 0.5 - 0.5 * 0.1 = 0.2.
    assert chosen(0.5) == [10, 12, 11]
    # At 0.1: 0.81 - 0.095 = 0.715 against 0.45 - 0.01 = 0.44.
    assert chosen(0.1) == [10, 11, 12]
    assert chosen(0.5, limit=2) == [10, 12]


def test_no_diversity_keeps_the_order():
    assert chosen(0.0) == [10, 11, 12]


def test_nothing_of_nothing():
    assert diverse([], np.zeros((0, 0), dtype=np.float32), limit=3, diversity=0.5) == []


def greedy(scores: list[float], alike: np.ndarray, weight: float) -> list[int]:
    """The paper's formula as it is written: arg max over what is left of the max over what is chosen."""
    left, taken = list(range(len(scores))), []
    while left:

        def gain(i: int) -> float:
            nearest = max((float(alike[i, j]) for j in taken), default=0.0)
            return weight * scores[i] / max(scores) - (1 - weight) * max(nearest, 0.0)

        taken.append(max(left, key=gain))
        left.remove(taken[-1])
    return taken


@given(st.integers(1, 12), st.floats(0, 1), st.integers(0, 1000))
def test_it_is_the_formula_written_out(n: int, diversity: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = np.sort(rng.uniform(0.1, 1, n))[::-1].tolist()
    vectors = rng.normal(size=(n, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = cosines(vectors)
    ranked = [RankedChunk(i, score) for i, score in enumerate(scores)]
    found = diverse(ranked, alike, limit=n, diversity=diversity)
    assert [item.chunk_id for item in found] == greedy(scores, alike, 1 - diversity)


def test_shared_words_are_jaccards_coefficient():
    found = share_of_words(["Reset the card", "the card, the CARD", "", "reset the card?"])
    assert found[0].tolist() == pytest.approx([1, 2 / 3, 0, 1])
    assert found[2].tolist() == [0, 0, 0, 0]
    assert (found == found.T).all()
