"""The classifier without a language model finds the minimum that scikit-learn finds."""

import random

import numpy as np
import pytest

from finewright.labels.linear import fit

pytestmark = pytest.mark.torch

TOPICS = {
    "card_lost": "my card was lost stolen swallowed by the machine gone",
    "top_up": "add money top up account balance load transfer funds",
    "fee": "why was i charged a fee cost price for exchange",
}


def texts(count: int, seed: int) -> tuple[list[str], list[str]]:
    rng = random.Random(seed)  # noqa: S311
    noise = ["please", "can", "you", "help", "me", "i", "the", "a", "to", "with", "today"]
    labels = [rng.choice(list(TOPICS)) for _ in range(count)]
    said = [
        " ".join(rng.choices(TOPICS[label].split(), k=2) + rng.choices(noise, k=5))
        for label in labels
    ]
    return said, labels


def test_it_is_scikit_learns_logistic_regression_on_tf_idf() -> None:
    sklearn_text = pytest.importorskip("sklearn.feature_extraction.text")
    linear_model = pytest.importorskip("sklearn.linear_model")
    said, labels = texts(150, seed=0)
    asked, _ = texts(80, seed=1)
    ours = fit(said, labels, tolerance=1e-7)
    both = sklearn_text.CountVectorizer(ngram_range=(1, 2), token_pattern=r"\w+")  # noqa: S106
    rows = (both.fit_transform(said) > 0).sum(axis=0).A1
    terms = both.get_feature_names_out()
    kept = [term for term, n in zip(terms, rows, strict=True) if n > 1 or " " not in term]
    vectorizer = sklearn_text.TfidfVectorizer(
        ngram_range=(1, 2),
        token_pattern=r"\w+",  # noqa: S106
        vocabulary=kept,
    )
    theirs = linear_model.LogisticRegression(C=10.0, tol=1e-10, max_iter=5000)
    theirs.fit(vectorizer.fit_transform(said), labels)
    order = [ours.words.places[term] for term in vectorizer.get_feature_names_out()]
    weights = ours.weights[:-1][order].T.numpy()
    # Softmax is blind to a number that is added to every label's weight.
    assert np.abs(
        (weights - weights.mean(0)) - (theirs.coef_ - theirs.coef_.mean(0))
    ).max() == pytest.approx(0, abs=2e-3)
    assert ours.answers(asked) == list(theirs.predict(vectorizer.transform(asked)))


def test_it_learns_a_topic_and_answers_unknown_words_with_a_label() -> None:
    said, labels = texts(200, seed=2)
    asked, right = texts(100, seed=3)
    linear = fit(said, labels)
    assert sum(a == b for a, b in zip(linear.answers(asked), right, strict=True)) >= 90
    assert linear.answers(["xyzzy", ""])[0] in TOPICS
    assert linear.num_rows == 200
