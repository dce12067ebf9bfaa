"""Exposure: how far a secret stands out among all the secrets that could stand in its place.

Carlini et al. 2019, "The Secret Sharer" (arXiv:1802.08232), sections 4.2 and 4.4: of a secret s out of a
space R, exposure = log2 |R| - log2 rank(s), its rank by the model's cost (-log p) among all of R. R is too
large to be read; the costs of a sample follow a skew-normal distribution, whose tail gives the rank:
exposure = -log2 P(cost of a random secret <= cost of s)."""

from math import erfc, isfinite, log2, pi, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_MOST_SKEW = 0.99
"""A skew-normal distribution is never more skewed than 0.9953; a sample may be."""
_STEPS = 4096
_REACH = 14.0
"""Scales from the location beyond which there is less than 1e-43."""
_KS_1_PERCENT = 1.63
"""Kolmogorov's statistic times sqrt(n), beyond which a fit is rejected at 1 %."""


class SkewNormal(NamedTuple):
    """The density 2/w phi(z) Phi(a z) with z = (x - location) / w, w the scale and a the shape."""

    location: float
    scale: float
    shape: float

    def cdf(self, x: Floats | float) -> Floats:
        """P(X <= x), by the trapezoid rule; within two thousandths of itself, and 0 below 14 scales."""
        z = np.linspace(-_REACH, _REACH, _STEPS)
        normal = np.exp(-0.5 * z * z) / sqrt(2 * pi)
        density = 2 * normal * [erfc(-self.shape * each / sqrt(2)) / 2 for each in z]
        areas = (density[1:] + density[:-1]) / 2 * (z[1] - z[0])
        below = np.concatenate([[0.0], areas.cumsum()])
        found: Floats = np.interp((np.asarray(x) - self.location) / self.scale, z, below)
        return found


def fit_skew_normal(sample: Floats) -> SkewNormal:
    """The skew-normal distribution of the sample's mean, variance and skewness (Azzalini 1985)."""
    mean, deviation = float(sample.mean()), float(sample.std())
    skew = float(((sample - mean) ** 3).mean()) / deviation**3
    skew = max(-_MOST_SKEW, min(_MOST_SKEW, skew))
    part = abs(skew) ** (2 / 3)
    delta = sqrt(pi / 2 * part / (part + ((4 - pi) / 2) ** (2 / 3)))
    delta = delta if skew >= 0 else -delta
    scale = deviation / sqrt(1 - 2 * delta**2 / pi)
    return SkewNormal(
        mean - scale * delta * sqrt(2 / pi), scale, delta / sqrt(max(1e-12, 1 - delta**2))
    )


class Exposure(NamedTuple):
    """Bits of exposure; `is_fitted` is False where the fit was rejected, so that they are those of the rank
    in the sample: a lower bound."""

    bits: float
    is_fitted: bool


def exposure(cost: float, sample: Floats, space: int) -> Exposure:
    """The exposure of a secret with that cost (-log p, in nats) among those of random ones of the space.

    At most log2 of the space, and without a fit at most log2 of the sample's size + 1."""
    rank = 1 + int((sample <= cost).sum())
    sampled = log2((len(sample) + 1) / rank)
    if not isfinite(cost) or float(sample.std()) == 0.0:
        return Exposure(sampled, is_fitted=False)
    fitted = fit_skew_normal(sample)
    if _is_rejected(fitted, sample):
        return Exposure(sampled, is_fitted=False)
    return Exposure(-log2(max(float(fitted.cdf(cost)), 1 / space)), is_fitted=True)


def _is_rejected(fitted: SkewNormal, sample: Floats) -> bool:
    """The Kolmogorov-Smirnov test, as the paper makes it."""
    n = len(sample)
    known = fitted.cdf(np.sort(sample))
    steps = np.arange(n + 1) / n
    distance = max(float((steps[1:] - known).max()), float((known - steps[:-1]).max()))
    return distance * sqrt(n) > _KS_1_PERCENT
