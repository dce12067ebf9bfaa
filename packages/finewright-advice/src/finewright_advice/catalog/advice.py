"""What `decide` takes from the world: rules and their sources, priors, assumptions, profiles.

How capable a model is, by published benchmarks: a score, ranks by kind of work, languages; all dated.

Sentence encoders for classifiers without a language model: what they compute, read and were made for.

Questions of general knowledge that come with finewright, to see what a training takes away.

Codes of languages, ISO 639-1 as Debian's package iso-codes has them, and what is written in error."""

import math
from datetime import date
from functools import cache
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from finewright.catalog.models import read_packaged
from finewright.schema.common import Model
from finewright.schema.cost import Range
from finewright_advice.schema.money import Criterion, Method, Profile

_CODES = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de
dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id
ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu
lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu
rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr
ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""


LANGUAGES = frozenset(_CODES.split())


# Countries' codes, and codes that were withdrawn.
_MEANT = {
    **{
        "cn": "zh",
        "cz": "cs",
        "dk": "da",
        "gb": "en",
        "gr": "el",
        "jp": "ja",
        "ua": "uk",
        "us": "en",
    },
    **{"in": "id", "iw": "he", "ji": "yi", "sh": "sr"},
}


_NAMES = """
arabic ar bulgarian bg chinese zh croatian hr czech cs danish da deutsch de dutch nl english en estonian et
finnish fi français fr french fr german de greek el hebrew he hindi hi hungarian hu indonesian id irish ga
italian it italiano it japanese ja korean ko latvian lv lithuanian lt maltese mt norwegian no persian fa
polish pl portuguese pt romanian ro russian ru serbian sr slovak sk slovene sl slovenian sl spanish es
español es swedish sv thai th turkish tr ukrainian uk vietnamese vi
"""


_WORDS = _NAMES.split()


_MEANT |= dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))


class GeneralQuestion(NamedTuple):
    """A question, and the words that a right answer holds."""

    question: str
    answer: str


class SentenceEncoder(Model):
    """A transformer encoder by its config; its embedding table is looked up, so that it computes nothing."""

    layers: int
    hidden: int
    intermediate: int
    context_tokens: int
    languages: tuple[str, ...]
    source: str
    observed_at: date

    def flop(self, tokens: float) -> float:
        """To encode one text: 2 for each token and weight of a layer (4 h^2 of attention, 2 h i of the
        feed-forward), and 4 h for each pair of tokens, which scores and weighs it."""
        weights = 4 * self.hidden**2 + 2 * self.hidden * self.intermediate
        return self.layers * (2 * weights * tokens + 4 * self.hidden * tokens**2)


class Capability(Model):
    """What was published of one model; None is said as unknown, and never guessed here."""

    score: float | None = None
    """On the scale of whatmodel.sh, with `plus_minus` and the number of `results` that it was fitted to."""
    plus_minus: float = 0.0
    results: int = 0
    code_rank: int | None = None
    chat_rank: int | None = None
    mmlu_pro: float | None = Field(default=None, ge=0, le=100)
    """Percent right of MMLU-Pro, by its maker or a report that the source names."""
    languages: tuple[str, ...] | None = None
    """ISO 639-1 codes that the maker names; None: unknown."""
    source: str
    observed_at: date


class Capabilities(Model):
    """Every row, and of how many models the ranks are."""

    ranked: dict[str, int]
    curve: tuple[tuple[float, float], ...]
    """(share of all models that stay below, score), both rising: places that were seen with their score."""
    models: dict[str, Capability]


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
    def _check_sources(self) -> Self:
        assert all(name in self.sources for rule in self.rules.values() for name in rule.sources)
        return self


@cache
def read_packaged_advice() -> Advice:
    """Everything that `decide` takes from the world beside prices and models."""
    return read_packaged("advice.yaml", Advice, "finewright_advice.catalog")


@cache
def read_packaged_capabilities() -> Capabilities:
    """The rows by the names that models have in the other catalogs."""
    return read_packaged("capability.yaml", Capabilities, "finewright_advice.catalog")


@cache
def sentence_encoders() -> dict[str, SentenceEncoder]:
    """Name -> encoder, the smallest first."""
    return read_packaged("encoders.yaml", dict[str, SentenceEncoder], "finewright_advice.catalog")


@cache
def general_questions() -> tuple[GeneralQuestion, ...]:
    """All of them, in one order. They are easy: a model that loses them has lost much."""
    return read_packaged("general.yaml", tuple[GeneralQuestion, ...], "finewright_advice.catalog")


def unknown_language(code: str) -> str:
    """What is wrong with a code, and how to mend it; empty where there is such a language."""
    if code in LANGUAGES:
        return ""
    folded = code.strip().casefold()
    main = folded.replace("_", "-").partition("-")[0]
    near = _MEANT.get(folded) or (main if main in LANGUAGES else "")
    meant = f"did you mean {near!r}?" if near else "such as en, de or zh"
    return f"unknown language {code!r}: codes are those of ISO 639-1; {meant}"
