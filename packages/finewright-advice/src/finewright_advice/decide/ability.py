"""How able a model is for a kind of work, and how often it succeeds: from published benchmarks alone.

The scale is that of `catalog/capability.yaml`. A rank in code or in chat becomes the score that as many
models stay below overall (equipercentile equating, Kolen and Brennan 2014). A model without a score is placed
by its MMLU-Pro, else by its size, each by least squares over the models that have both, 1.64 residual
deviations either way; else by nothing: it may be anywhere among the API models. The share of right answers
is 1 / (1 + exp(-(level - difficulty) / 10)), which four public benchmarks follow (docs/decide.md)."""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import cache
from statistics import linear_regression, stdev
from typing import NamedTuple

from finewright.catalog.models import open_models
from finewright.estimate.families import shape_of
from finewright.schema.cost import Range
from finewright_advice.catalog.advice import Capability, read_packaged_capabilities
from finewright_advice.decide.results import AdviceSource

WIDTH = 10.0
"""Points of the scale by which the odds of a right answer change e-fold."""
_P90 = 1.645
_RANK_ERROR = 3.0
"""Points that a place by kind of work is taken to be unsure by, beside the score's own error."""
_CODE, _CHAT = ("code",), ("write", "converse")


class Ability(NamedTuple):
    """A model's place on the scale for a kind of work, and how it is known."""

    level: Range
    known: str
    is_published: bool = True


class _Line(NamedTuple):
    slope: float
    intercept: float
    error: float

    def at(self, x: float) -> Range:
        middle = self.slope * x + self.intercept
        return _around(middle, self.error)


def success(level: float, difficulty: float) -> float:
    """The share of cases that a model of that level gets right without being trained for them."""
    return 1 / (1 + math.exp(-(level - difficulty) / WIDTH))


@cache
def ability_of(name: str, task: str, parameters: int | None = None) -> Ability:
    """A model's ability by its name, and by its number of parameters where no row has more.

    An API's name for an open model is the open model's: the last part of a path, in any case."""
    row = _find_capability(name)
    if row is None or (row.score is None and row.mmlu_pro is None):
        if parameters is None:
            why = f"unknown: nothing published of {name} is in the catalog"
            return Ability(_anywhere(), why, is_published=False)
        guessed = _by_size().at(math.log10(parameters))
        return Ability(guessed, f"by its size, for nothing published of {name} is in the catalog")
    if row.score is None:
        assert row.mmlu_pro is not None
        why = f"by MMLU-Pro {row.mmlu_pro:g} %, as it has no score"
        return Ability(_by_mmlu_pro().at(row.mmlu_pro), why)
    rank, kind = _rank(row, task)
    if rank is None:
        return Ability(
            _around(row.score, row.plus_minus), f"score {row.score:g} of {row.results} results"
        )
    level = _equate(rank, read_packaged_capabilities().ranked[kind])
    error = row.plus_minus + _RANK_ERROR
    return Ability(_around(level, error), f"place {rank} of its kind in {kind}: {level:.0f}")


def source_of(name: str) -> AdviceSource | None:
    """Who says how able a model is, and when it was read there."""
    row = _find_capability(name)
    if row is None:
        return None
    return AdviceSource(name=f"Ability: {name}", reference=row.source, observed_at=row.observed_at)


def languages_of(name: str) -> tuple[str, ...] | None:
    """The languages that a model was made for; None: unknown."""
    row = _find_capability(name)
    return row.languages if row else None


def _find_capability(name: str) -> Capability | None:
    rows = read_packaged_capabilities().models
    return rows.get(name) or _by_last_part().get(
        name.rpartition("/")[2].removeprefix("ft:").casefold()
    )


@cache
def _by_last_part() -> Mapping[str, Capability]:
    return {name.casefold(): row for name, row in read_packaged_capabilities().models.items()}


def _rank(row: Capability, task: str) -> tuple[int | None, str]:
    if task in _CODE:
        return row.code_rank, "code"
    return (row.chat_rank, "chat") if task in _CHAT else (None, "all")


def _around(middle: float, error: float) -> Range:
    return Range(low=middle - error, median=middle, high=middle + error)


def _equate(rank: int, of: int) -> float:
    """The score below which as large a share of all models stays as does of this kind."""
    share = 1 - rank / of
    shares, scores = _curve()
    i = bisect_left(shares, share)
    if i == 0 or i == len(shares):
        return scores[min(i, len(scores) - 1)]
    part = (share - shares[i - 1]) / (shares[i] - shares[i - 1])
    return scores[i - 1] + part * (scores[i] - scores[i - 1])


@cache
def _curve() -> tuple[Sequence[float], Sequence[float]]:
    """Shares of all models that stay below a score, and the scores, both rising."""
    known = read_packaged_capabilities().curve
    return tuple(share for share, _ in known), tuple(score for _, score in known)


@cache
def _by_mmlu_pro() -> _Line:
    rows = read_packaged_capabilities().models.values()
    return _fit_line([(r.mmlu_pro, r.score) for r in rows if r.mmlu_pro and r.score])


@cache
def _by_size() -> _Line:
    rows = read_packaged_capabilities().models
    return _fit_line(
        [
            (math.log10(shape_of(model.config, name).parameters), score)
            for name, model in open_models().items()
            if name in rows and (score := rows[name].score)
        ]
    )


def _fit_line(pairs: Sequence[tuple[float, float]]) -> _Line:
    xs, ys = zip(*pairs, strict=True)
    line = linear_regression(xs, ys)
    left = [y - line.slope * x - line.intercept for x, y in pairs]
    return _Line(line.slope, line.intercept, _P90 * stdev(left))


@cache
def _anywhere() -> Range:
    """From the least to the most able of the models without weights of their own, evenly."""
    rows = read_packaged_capabilities().models
    scores = sorted(
        row.score for name, row in rows.items() if row.score and name not in open_models()
    )
    return Range(low=scores[0], median=(scores[0] + scores[-1]) / 2, high=scores[-1])
