"""Signatures estimate the Jaccard similarity of bigrams, as those of a reference library do."""

import numpy as np
import pytest

from finewright.guard.duplicates.minhash import (
    NUM_HASHES,
    Bands,
    band_hashes,
    bands_for,
    bigram_jaccard,
    bigrams,
    signatures,
)
from finewright.guard.duplicates.words import words_in
from finewright.rows.texts import parts_of

from .made import chat, edited, seeded, words


def made(count: int) -> list:
    rng = seeded(1)
    rows = [chat(words(rng, 40), words(rng, 60), row=i) for i in range(count)]
    return rows + [edited(row, rng, rng.uniform(0, 0.6)) for row in rows]


def sets_of(rows) -> list[set[int]]:
    found = bigrams(rows)
    ends = [*found.starts[1:], len(found.grams)]
    return [set(found.grams[a:b].tolist()) for a, b in zip(found.starts, ends, strict=True)]


def jaccard(one: set[int], other: set[int]) -> float:
    return len(one & other) / len(one | other)


def test_the_bigrams_of_a_row_are_its_own() -> None:
    rows = [chat("a b", "c"), chat("", "d"), chat("a b", "c e")]
    together, alone = (
        sets_of(words_in(map(parts_of, rows))),
        [sets_of(words_in([parts_of(row)]))[0] for row in rows],
    )
    assert together == alone
    # asked-mark a, a b, b answer-mark, answer-mark c
    assert [len(found) for found in together] == [4, 2, 5]


def test_hashes_agree_as_often_as_the_jaccard_similarity_says() -> None:
    rows = words_in(map(parts_of, made(150)))
    features, signed = sets_of(rows), signatures(rows)
    errors = [
        (signed[:, i] == signed[:, i + 150]).mean() - jaccard(features[i], features[i + 150])
        for i in range(150)
    ]
    # The standard error of one estimate is sqrt(J (1 - J) / 128), at most 0.044.
    assert abs(np.mean(errors)) < 0.012
    assert np.std(errors) < 0.05


def test_the_estimates_are_those_of_datasketch() -> None:
    datasketch = pytest.importorskip("datasketch")
    rows = words_in(map(parts_of, made(60)))
    features, signed = sets_of(rows), signatures(rows)
    differences = []
    for i in range(60):
        reference = []
        for found in (features[i], features[i + 60]):
            minhash = datasketch.MinHash(num_perm=NUM_HASHES)
            minhash.update_batch([str(gram).encode() for gram in found])
            reference.append(minhash)
        estimate = (signed[:, i] == signed[:, i + 60]).mean()
        differences.append(estimate - reference[0].jaccard(reference[1]))
    assert abs(np.mean(differences)) < 0.025
    assert np.std(differences) < 0.08


def test_a_signature_does_not_depend_on_the_rows_around_it() -> None:
    rows = made(5)
    assert np.array_equal(
        signatures(words_in(map(parts_of, rows)))[:, 3],
        signatures(words_in([parts_of(rows[3])]))[:, 0],
    )
    assert signatures(words_in([])).shape == (NUM_HASHES, 0)


def test_the_chance_to_meet_is_that_of_the_formula() -> None:
    assert Bands(1, 1).chance(0.3) == pytest.approx(0.3)
    assert Bands(2, 3).chance(0.5) == pytest.approx(1 - (1 - 0.125) ** 2)
    # Ten words, one replaced: 7 of 9 bigrams remain of 11 distinct ones; (0.9^2) / (2 - 0.9^2) = 0.68.
    assert bigram_jaccard(0.9) == pytest.approx(0.81 / 1.19)


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_bands_fit_the_signature_and_find_what_is_clearly_near(similarity: float) -> None:
    bands = bands_for(similarity)
    assert bands.number * bands.size <= NUM_HASHES
    clear = bigram_jaccard(similarity + (1 - similarity) / 4)
    assert bands.chance(clear) >= 0.95


def test_the_default_bar_has_the_bands_that_the_docs_name() -> None:
    bands = bands_for(0.8)
    assert bands == Bands(32, 4)
    assert bands.chance(bigram_jaccard(0.85)) == pytest.approx(0.97, abs=0.005)
    assert bands.chance(bigram_jaccard(0.8)) == pytest.approx(0.80, abs=0.005)
    assert bands.chance(1 / 30) == pytest.approx(4e-5, abs=1e-5)


def test_rows_of_other_keys_never_meet() -> None:
    part = np.array([[1, 1, 2], [5, 5, 5]], np.uint32)
    keys = np.array([7, 8, 7], np.uint64)
    assert len(set(band_hashes(part, keys).tolist())) == 3
    same = band_hashes(part, np.zeros(3, np.uint64))
    assert same[0] == same[1] != same[2]
