"""Membership inference: can rows that trained be told from rows that did not, by what the model says?

Scores, each higher where a row is more likely to have trained:
  loss         the mean log p of its answer's tokens (Yeom et al. 2018, arXiv:1709.01604)
  reference    the same less the base model's, which says how likely the row is anyway (Carlini et al.
               2021, arXiv:2012.07805)
  min_k_pp     Min-K%++ (Zhang et al. 2024, arXiv:2404.02936): of each token (log p - mu) / sigma, with mu and
               sigma of log p over the whole vocabulary at that place; the mean of the lowest 20 %
AUC: the probability that a row that trained scores higher than one that did not; 0.5 is chance."""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.judge.statistics import wilson

if TYPE_CHECKING:
    from torch import Tensor

    from finewright.lm.example import EncodedRow
    from finewright.lm.model import LM

Floats = NDArray[np.float64]
_LOWEST = 0.2
"""K of Min-K%++: the paper's own."""
_AT_ONCE = 8
_PLACES = 128
"""Places whose logits over the vocabulary are held at once: 25 MB of 49,152 tokens."""


class TokenScores(NamedTuple):
    """Of each learned token of a row: log p, and the mean and deviation of log p over the vocabulary."""

    logps: Floats
    means: Floats
    deviations: Floats


class Auc(NamedTuple):
    """An AUC with its interval, and of how many rows on both sides."""

    value: float
    low: float
    high: float
    members: int
    others: int


def min_k_pp(scores: TokenScores) -> float:
    """Min-K%++ of a row: the mean of the lowest 20 % of the standardised log-probabilities, at least one."""
    spread = np.maximum(scores.deviations, 1e-6)  # a token that is certain has none
    standard = np.sort((scores.logps - scores.means) / spread)
    return float(standard[: max(1, int(len(standard) * _LOWEST))].mean())


def auc(
    members: Sequence[float] | Floats, others: Sequence[float] | Floats, *, confidence: float
) -> Auc:
    """The AUC with DeLong's interval (DeLong et al. 1988); of a perfect one, whose variance is none, with
    Wilson's of as many rows as the smaller side has. Ties count half."""
    ours, theirs = np.asarray(members, np.float64), np.asarray(others, np.float64)
    higher = (ours[:, None] > theirs[None]) + 0.5 * (ours[:, None] == theirs[None])
    value = float(higher.mean())
    m, n = higher.shape
    if value in (0.0, 1.0) or min(m, n) == 1:
        low, high = wilson(round(value * min(m, n)), min(m, n), confidence=confidence)
        return Auc(value, low, high, m, n)
    variance = higher.mean(1).var(ddof=1) / m + higher.mean(0).var(ddof=1) / n
    half = NormalDist().inv_cdf((1 + confidence) / 2) * sqrt(float(variance))
    return Auc(value, max(0.0, value - half), min(1.0, value + half), m, n)


def token_scores(lm: "LM", rows: "Sequence[EncodedRow]") -> list[TokenScores]:
    """The scores of the learned tokens of each row, under the model as it stands."""
    import torch

    found: list[TokenScores] = []
    lm.model.eval()
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        with torch.inference_mode():
            batch = lm.pack([[row] for row in some])
            states = lm.compute_states(batch)[batch.sources]
            parts = [
                _of_vocabulary(
                    lm.logits(states[at : at + _PLACES]), batch.targets[at : at + _PLACES]
                )
                for at in range(0, batch.num_trained, _PLACES)
            ]
        whole = torch.cat(parts).double().cpu().numpy()
        ends = np.cumsum([row.num_trained for row in some])
        found += [TokenScores(*part.T) for part in np.split(whole, ends[:-1])]
    return found


def _of_vocabulary(logits: "Tensor", targets: "Tensor") -> "Tensor":
    """log p of the targets, its mean and its deviation over the vocabulary: (n, V), (n,) -> (n, 3)."""
    import torch

    logps = logits.float().log_softmax(-1)
    p = logps.exp()
    mean = (p * logps).sum(-1)
    variance = (p * logps.square()).sum(-1) - mean.square()
    own = logps.gather(-1, targets[:, None])[:, 0]
    return torch.stack((own, mean, variance.clamp_min(0).sqrt()), -1)
