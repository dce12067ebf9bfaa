"""What `decide` takes from the world: rules and their sources, priors, assumptions, profiles."""

import math
from datetime import date
from functools import cache
from typing import Self

from pydantic import Field, model_validator

from finewright.catalog.packaged import packaged
from finewright.schema.common import Model
from finewright.schema.cost import Range
from finewright_advice.schema.decide import Criterion, Method, Profile

ASSUMPTION = "assumption"
"""The source of a figure that nobody measured."""


class Reference(Model):
    """Who says something, and when it was read there."""

    reference: str
    observed_at: date


class AdviceRule(Model):
    """A gate by its title, and the keys of the sources that it rests on."""

    title: str
    sources: tuple[str, ...] = Field(min_length=1)


class Prior(Model):
    """The share of each gap that a method closes, before anything was measured."""

    knowledge: Range
    behaviour: Range
    source: str


class Ordinal(Model):
    """Criteria that nobody can compute, from 0 worst to 1 best.

    `memorised` is taken off privacy where weights may hold confidential text; `at_api` multiplies at an
    API, and `tuned_at_api` is the independence of a model that cannot leave its provider."""

    privacy: dict[str, dict[str, float]]
    memorised: float
    customisation: dict[Method, float]
    reversibility: dict[Method, float]
    independence: dict[Method, float]
    at_api: dict[str, float]
    tuned_at_api: float
    source: str


class Assumption(Range):
    """A figure that is taken for granted; its source says whether somebody measured it."""

    about: str
    source: str
    observed_at: date


class ProfileWeights(Model):
    """A profile: what it cares for, and its weight of each criterion."""

    about: str
    weights: dict[Criterion, float]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        assert math.isclose(sum(self.weights.values()), 1)
        return self


class Widened(Model):
    """What an unknown input is taken for: its low end, its middle and its high end."""

    behaviour_gap: Range
    knowledge_gap: Range
    fact_half_life_days: Range
    corpus_tokens: Range
    labelled_pairs: Range
    requests_per_month: Range
    tokens_in: Range
    tokens_out: Range
    latency_limit_ms: Range
    once_limit_usd: Range
    month_limit_usd: Range
    effort_limit_hours: Range
    data_class: tuple[str, str, str]


class Advice(Model):
    """The packaged file as a whole."""

    sources: dict[str, Reference]
    rules: dict[str, AdviceRule]
    priors: dict[Method, Prior]
    ordinal: Ordinal
    assumptions: dict[str, Assumption]
    labelling_minutes: dict[str, Range]
    difficulty: dict[str, Range]
    tuning_gain: dict[str, Range]
    widened: Widened
    profiles: dict[Profile, ProfileWeights]

    @model_validator(mode="after")
    def _sourced(self) -> Self:
        assert all(name in self.sources for rule in self.rules.values() for name in rule.sources)
        return self


@cache
def packaged_advice() -> Advice:
    """Everything that `decide` takes from the world beside prices and models."""
    return packaged("advice.yaml", Advice, "finewright_advice.catalog")
