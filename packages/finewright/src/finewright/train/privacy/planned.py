"""How much noise a spec's epsilon takes with its rows and steps; said before anything is trained."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from finewright.lm.example import Example
from finewright.schema.common import Problem, errors_of
from finewright.schema.differential_privacy import DifferentialPrivacySpec, PrivacySpent
from finewright.schema.rows import Row
from finewright.schema.train import TrainSettings
from finewright.train.privacy.accounting import (
    APART,
    MOST_NOISE,
    Mechanism,
    noise_for,
    pld_epsilon,
    prv_epsilon,
    refuse_apart,
)
from finewright.train.privacy.units import ROW, Unit, find_missing, units_of
from finewright.train.schedule import count_steps

_DELTA_SHARE = 0.1  # of 1 / units, at which one unit may be given away whole


class PrivatePlan(NamedTuple):
    """The units, what protects them, and what the whole training spends."""

    units: list[Unit]
    mechanism: Mechanism
    expected_units: int
    spent: PrivacySpent


class Planned(NamedTuple):
    """The plan, None where it cannot be, and what is said of it."""

    plan: PrivatePlan | None
    problems: tuple[Problem, ...]


def plan_privacy(spec: TrainSettings, rows: Sequence[Example]) -> Planned:
    """Noise for `train.privacy` with these rows; neither plan nor problems without it.

    Raises StageError where the accountants disagree, and MissingExtra without the second."""
    privacy = spec.privacy
    if privacy is None or not rows:
        return Planned(None, ())
    units, left_out, problems = units_of(spec, rows)
    if errors_of(problems):
        return Planned(None, problems)
    found = find_mechanism(spec, privacy, len(units))
    if isinstance(found, Problem):
        return Planned(None, (*problems, found))
    delta = privacy.delta or _DELTA_SHARE / len(units)
    spent = account_spending(privacy, found, delta, len(units), left_out)
    expected = spec.batch_size * spec.gradient_accumulation
    return Planned(PrivatePlan(units, found, expected, spent), problems)


def find_mechanism(
    spec: TrainSettings, privacy: DifferentialPrivacySpec, count: int
) -> Mechanism | Problem:
    """What reaches the epsilon with so many units, or why nothing does."""
    expected, delta = spec.batch_size * spec.gradient_accumulation, privacy.delta
    if expected > count:
        what = f"draws {expected} of {count} units a step"
        return _error("train.batch_size", what, f"set it to {count} or less")
    if delta is not None and delta >= 1 / count:
        what = f"{delta:g} is not below 1 / {count}: one of the {count} units might be given away whole"
        return _error("train.privacy.delta", what, f"set it to {_DELTA_SHARE / count:.1g}")
    delta = delta or _DELTA_SHARE / count
    steps = count_steps(spec, count)
    rate = expected / count
    sigma = noise_for(privacy.epsilon, delta, rate, steps)
    if math.isinf(sigma):
        return _unreachable(privacy, delta, rate, steps)
    return Mechanism(sigma, rate, steps)


def privacy_ahead(spec: TrainSettings, rows: Sequence[Row]) -> Iterator[Problem]:
    """What can be said of `train.privacy` before a row is encoded: a column that is missing, an epsilon or a
    delta that cannot be had with so many units."""
    privacy = spec.privacy
    if privacy is None or not rows:
        return
    missing = list(find_missing(privacy.unit, rows)) if privacy.unit != ROW else []
    yield from missing
    if missing:
        return
    owners = {
        json.dumps(row.columns[privacy.unit], sort_keys=True) for row in rows if privacy.unit != ROW
    }
    found = find_mechanism(spec, privacy, len(owners) or len(rows))
    if isinstance(found, Problem):
        yield found


def account_spending(
    privacy: DifferentialPrivacySpec, mechanism: Mechanism, delta: float, units: int, left_out: int
) -> PrivacySpent:
    """By both accountants. Raises StageError where they disagree."""
    pld, prv = pld_epsilon(mechanism, delta), prv_epsilon(mechanism, delta)
    refuse_apart(pld, prv)
    return PrivacySpent(
        unit=privacy.unit,
        units=units,
        epsilon=max(pld, prv),
        delta=delta,
        target_epsilon=privacy.epsilon,
        epsilon_pld=pld,
        epsilon_prv=prv,
        sigma=mechanism.sigma,
        sampling_rate=mechanism.rate,
        steps=mechanism.steps,
        max_grad_norm=privacy.max_grad_norm,
        rows_left_out=left_out,
    )


def contradictions(spent: PrivacySpent) -> list[Problem]:
    """Errors where what is recorded of a training is not what its noise, rate and steps spend, or where the
    attack that is recorded proves more."""
    again = pld_epsilon(Mechanism(spent.sigma, spent.sampling_rate, spent.steps), spent.delta)
    claims = {
        "its noise, sampling rate and steps spend": again * (1 - APART),
        "the recorded attack proves": spent.audited or 0.0,
    }
    return [
        _error(
            "train.privacy",
            f"an epsilon of {spent.epsilon:.4g} is recorded, and {what} at least {least:.4g}",
            "do not rely on it; ask whoever made the run",
        )
        for what, least in claims.items()
        if spent.epsilon < least
    ]


def _unreachable(
    privacy: DifferentialPrivacySpec, delta: float, rate: float, steps: int
) -> Problem:
    least = pld_epsilon(Mechanism(MOST_NOISE, rate, steps), delta)
    return _error(
        "train.privacy.epsilon",
        f"{privacy.epsilon:g} cannot be reached in {steps} steps that each see {rate:.1%} of the units: with"
        f" {MOST_NOISE:g} times the clipping norm as noise, beyond which nothing is learned, they spend"
        f" {least:.3g}",
        f"set it to {math.ceil(least * 105) / 100:g} or more, or lower train.epochs or train.batch_size, or"
        " bring more rows",
    )


def _error(key: str, message: str, hint: str) -> Problem:
    return Problem(level="error", key=key, message=message, hint=hint)
