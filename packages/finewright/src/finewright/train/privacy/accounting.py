"""What a training by DP-SGD spends: epsilon for noise, sampling rate and steps, by two accountants.

The first is here: the privacy loss distribution of the Poisson-subsampled Gaussian on a grid, discretised so
that nothing is understated (connect the dots: Doroshenko et al. 2022, arXiv:2207.04380) and composed by FFT
(Koskela et al. 2020, arXiv:1906.03049). The second is Opacus' accountant by privacy random variables (Gopi
et al. 2021, arXiv:2106.02848). The larger of both is told; where they are more than 2 % apart, neither is.
Accounts by Renyi divergence are no second opinion: they lie up to 18 % above both.

Neighbours differ by one unit that is there or not (add or remove)."""

import math
import warnings
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.errors import MissingExtra, StageError

Floats = NDArray[np.float64]

APART = 0.02
"""The accountants' largest disagreement; they agree within 0.4 % where it was measured."""
LEAST_NOISE, MOST_NOISE = 0.3, 20.0
"""Multipliers that are searched. With less, one step alone may spend an epsilon of 15; with more, a step's
noise is ten times what the literature trains with (0.5 to 2: arXiv:2110.05679, arXiv:2110.06500)."""
_GRID = 1 << 15  # points; epsilon comes out 1e-4 too large at most where it was measured
_POINTS = 1 << 12  # of x, for the moments that say how wide the grid must be
_TAIL = 1e-4  # of delta: mass that may lie outside of the grid; it is counted as lost
_MOST_EPSILON = 500.0  # e^epsilon is a float64
_FINE = 5e-3  # of sigma, in the search
_PRV_ERROR = 2e-3  # of epsilon


class Mechanism(NamedTuple):
    """Steps that see each unit with probability `rate`, and add noise of `sigma` times the clipping norm."""

    sigma: float
    rate: float
    steps: int


def find_epsilon(mechanism: Mechanism, delta: float) -> float:
    """The epsilon that holds for this delta. Raises StageError when the two accountants disagree, and
    MissingExtra without the second one."""
    first, second = pld_epsilon(mechanism, delta), prv_epsilon(mechanism, delta)
    refuse_apart(first, second)
    return max(first, second)


def refuse_apart(first: float, second: float) -> None:
    """Raise StageError where two accounts of the same training are more than APART."""
    if not (math.isfinite(first) and abs(first - second) <= APART * max(first, second)):
        raise StageError(
            f"two accountants disagree on what the training spends: epsilon {first:.4g} by its privacy loss"
            f" distribution, {second:.4g} by Opacus; none of both can be told",
            hint="choose another train.batch_size, train.epochs or train.privacy.epsilon, and report it",
        )


def noise_for(epsilon: float, delta: float, rate: float, steps: int) -> float:
    """The least multiplier, to half a per cent, that spends at most `epsilon`; infinity beyond MOST_NOISE."""

    def enough(sigma: float) -> bool:
        return pld_epsilon(Mechanism(sigma, rate, steps), delta) <= epsilon * (1 - _PRV_ERROR)

    low, high = LEAST_NOISE, MOST_NOISE
    if not enough(high):
        return math.inf
    if enough(low):
        return low
    while high > low * (1 + _FINE):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def prv_epsilon(mechanism: Mechanism, delta: float) -> float:
    """Opacus' upper bound, whose own error is held at a fifth of a per cent."""
    try:
        from opacus.accountants import PRVAccountant
    except ImportError:
        raise MissingExtra(
            "train.privacy needs a second accountant (opacus is not installed)",
            hint='pip install "finewright[privacy]"',
        ) from None
    accountant: Any = PRVAccountant()
    accountant.history = [mechanism]
    error = max(_PRV_ERROR * pld_epsilon(mechanism, delta), 1e-5)
    with np.errstate(divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that its domain is wider than it need be
        return float(accountant.get_epsilon(delta, eps_error=error))


@lru_cache(maxsize=256)
def pld_epsilon(mechanism: Mechanism, delta: float) -> float:
    """By the privacy loss distribution: the larger of a unit taken away and one put in."""
    return max(_epsilon(mechanism, delta, removed=removed) for removed in (True, False))


def _epsilon(mechanism: Mechanism, delta: float, *, removed: bool) -> float:
    """One step is P = (1 - q) N(0, s^2) + q N(1, s^2) against Q = N(0, s^2), or Q against P."""
    sigma, rate, steps = mechanism
    tail = _TAIL * delta
    reach = sigma * math.sqrt(
        2 * math.log(4 * steps / tail)
    )  # no step's x lies beyond, but for `tail`
    x = np.linspace(-reach, 1 + reach, _POINTS)
    weight = (1 - rate * removed) * np.exp(-((x / sigma) ** 2) / 2)
    weight += rate * removed * np.exp(-(((x - 1) / sigma) ** 2) / 2)
    with np.errstate(divide="ignore"):
        loss = np.logaddexp(np.log1p(-rate), np.log(rate) + (2 * x - 1) / (2 * sigma**2))
    loss = loss if removed else -loss
    low = -_bound(-loss, weight / weight.sum(), steps, tail)
    high = _bound(loss, weight / weight.sum(), steps, tail)
    if high > _MOST_EPSILON:
        return math.inf
    h = float(high - low) / _GRID
    first, last = math.floor(loss.min() / h) - 1, math.ceil(loss.max() / h) + 1
    profile = _profile(h * np.arange(first, last + 1), sigma, rate, removed=removed)
    masses, lost = _masses(profile, h), profile[-1]
    start = math.floor(low / h)
    total = _compose(masses, steps, start - steps * first)
    lost = 2 * tail - math.expm1(steps * math.log1p(-lost))
    losses = h * np.arange(start, start + _GRID, dtype=np.float64)
    return _first_within(losses, total, delta - lost)


def _bound(loss: Floats, weight: Floats, steps: int, tail: float) -> float:
    """What the sum of `steps` losses exceeds with probability `tail` at most (Chernoff)."""
    from scipy.special import logsumexp

    orders = np.geomspace(1e-3, 1e3, 61)
    moments = logsumexp(orders[:, None] * loss, b=weight, axis=1)
    return float(np.min((steps * moments - math.log(tail)) / orders))


def _profile(epsilon: Floats, sigma: float, rate: float, *, removed: bool) -> Floats:
    """delta(epsilon) of one step: P(S) - e^epsilon Q(S) of the x in S, whose loss is more than epsilon."""
    from scipy.special import ndtr

    ratio = np.expm1(epsilon if removed else -epsilon) + rate
    x = sigma**2 * np.log(np.maximum(ratio, 1e-300) / rate) + 0.5
    sign = -1 if removed else 1  # S is what lies above x, or below
    plain, moved = ndtr(sign * x / sigma), ndtr(sign * (x - 1) / sigma)
    mixed = (1 - rate) * plain + rate * moved
    p, q = (mixed, plain) if removed else (plain, mixed)
    beyond = -np.expm1(epsilon) if removed else np.zeros_like(epsilon)
    return np.maximum(np.where(ratio > 0, p - np.exp(epsilon) * q, beyond), 0.0)


def _masses(profile: Floats, h: float) -> Floats:
    """The distribution on the grid whose profile is linear in e^epsilon between its points: never below."""
    up = np.append(np.diff(profile), 0.0) / math.expm1(h)
    down = np.insert(np.diff(profile), 0, 0.0) / -math.expm1(-h)
    masses = up - down
    masses[0] += 1 - profile[0]
    return np.maximum(masses, 0.0)


def _compose(masses: Floats, steps: int, start: int) -> Floats:
    """The sum of so many losses, of which _GRID masses from `start` on."""
    folded = np.bincount(np.arange(len(masses)) % _GRID, masses, _GRID)
    total = np.fft.irfft(np.fft.rfft(folded) ** steps, _GRID)
    return np.maximum(np.roll(total, -(start % _GRID)), 0.0)


def _first_within(loss: Floats, masses: Floats, delta: float) -> float:
    """The smallest epsilon >= 0 of the grid with delta(epsilon) <= delta; infinity where none is."""
    above = np.append(np.cumsum(masses[::-1])[::-1][1:], 0.0)
    weighed = masses * np.exp(-loss)
    profile = above - np.exp(loss) * np.append(np.cumsum(weighed[::-1])[::-1][1:], 0.0)
    within = np.flatnonzero((profile <= delta) & (loss >= 0))
    return float(loss[within[0]]) if len(within) else math.inf
