"""What a regression without the row says, by fitting it again without the row."""

import numpy as np
import pytest

from finewright_trust.misfits.likeness import regressions, vectors


def test_rows_and_groups_are_left_out_as_by_fitting_again() -> None:
    rng = np.random.default_rng(0)
    rows, targets = rng.normal(size=(12, 4)), rng.normal(size=(12, 3))
    kernel = rows @ rows.T + 1.0
    group = [2, 5, 7]
    ridges = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0]
    for ridge, regression in zip(ridges, regressions(kernel, targets), strict=True):
        for left, found in (
            (group, regression.without(group)),
            ([4], regression.without_each()[[4]]),
        ):
            kept = np.setdiff1d(np.arange(12), left)
            weights = np.linalg.solve(
                kernel[np.ix_(kept, kept)] + ridge * np.eye(len(kept)), targets[kept]
            )
            assert found == pytest.approx(kernel[np.ix_(left, kept)] @ weights)


def test_features_of_all_dimensions_have_the_products_of_the_rows_and_few_nearly() -> None:
    rows = np.random.default_rng(2).normal(size=(12, 4)) * [9, 5, 3, 0.1]
    (found, *_) = regressions(rows @ rows.T, np.ones((12, 1)))
    for most, off in ((12, 1e-9), (3, 0.5)):
        features = found.features(most)
        assert features.shape == (12, most)
        assert features @ features.T == pytest.approx(rows @ rows.T, abs=off)


def test_texts_of_common_words_or_meaning_are_alike_in_any_script() -> None:
    texts = [
        "the old stone bridge",
        "an old stone bridge",
        "stock prices fell",
        "猫在睡觉",
        "猫睡觉了",
        "股票下跌",
    ]
    rows = vectors(texts)
    alike = rows @ rows.T
    assert alike[0, 1] > alike[0, 2]
    assert alike[3, 4] > alike[3, 5]
