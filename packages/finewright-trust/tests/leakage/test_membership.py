"""Membership scores against transformers and the papers' formulas, and the AUC against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

import tiny
from finewright.lm.example import EncodedRow
from finewright.lm.model import LM
from finewright_trust.redteam.leakage.membership import TokenScores, auc, min_k_pp, token_scores


def test_the_auc_is_scikit_learns_with_ties() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(0.7, 1, 80).round(1), rng.normal(0, 1, 60).round(1)
    found = auc(ours.tolist(), theirs.tolist(), confidence=0.95)
    labels = [1] * 80 + [0] * 60
    assert found.value == pytest.approx(roc_auc_score(labels, np.concatenate([ours, theirs])))
    assert (found.members, found.others) == (80, 60)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng, true = np.random.default_rng(1), 0.7602  # Phi(1 / sqrt 2): two normals a deviation apart
    hits = 0
    for _ in range(400):
        found = auc(rng.normal(1, 1, 40).tolist(), rng.normal(0, 1, 60).tolist(), confidence=0.95)
        hits += found.low <= true <= found.high
    assert 0.92 <= hits / 400 <= 0.98


def test_a_perfect_auc_is_not_certain() -> None:
    found = auc([2.0] * 10, [1.0] * 30, confidence=0.95)
    assert found.value == found.high == 1.0
    assert 0.6 < found.low < 0.8


@pytest.fixture(scope="module")
def scored() -> tuple[list[TokenScores], list[EncodedRow], LM]:
    lm = LM(tiny.tiny_model("llama").float(), {})
    rng = np.random.default_rng(0)
    rows = []
    for length in (5, 12, 30, 9):
        ids = tuple(int(i) for i in rng.integers(3, tiny.VOCAB, length))
        rows.append(EncodedRow(ids, tuple(t >= length // 2 for t in range(length))))
    return token_scores(lm, rows), rows, lm


def test_token_scores_are_those_of_transformers(
    scored: tuple[list[TokenScores], list[EncodedRow], LM],
) -> None:
    found, rows, lm = scored
    for scores, row in zip(found, rows, strict=True):
        with torch.no_grad():
            logits = lm.model(input_ids=torch.tensor([row.input_ids])).logits[0].double()
        places = [t for t in range(1, len(row.input_ids)) if row.trained[t]]
        for i, t in enumerate(places):
            logps = logits[t - 1].log_softmax(-1).numpy()
            p = np.exp(logps)
            mu = float((p * logps).sum())
            sigma = float(np.sqrt((p * (logps - mu) ** 2).sum()))
            assert scores.logps[i] == pytest.approx(logps[row.input_ids[t]], abs=1e-4)
            assert scores.means[i] == pytest.approx(mu, abs=1e-4)
            assert scores.deviations[i] == pytest.approx(sigma, abs=1e-3)


def test_min_k_pp_is_the_papers_formula(
    scored: tuple[list[TokenScores], list[EncodedRow], LM],
) -> None:
    for scores in scored[0]:
        # as the authors' run.py has it: sort, and the mean of the first int(n * 0.2), at least one
        standard = (scores.logps - scores.means) / scores.deviations
        k_length = max(1, int(len(standard) * 0.2))
        assert min_k_pp(scores) == pytest.approx(np.mean(np.sort(standard)[:k_length]))
