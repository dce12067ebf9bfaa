"""What `decide` answers: the ranking, its reasons, what would change it, and what to measure next."""

from datetime import date
from typing import Literal

from finewright.schema.common import Model, Problem
from finewright.schema.cost import Range
from finewright_advice.decide.spec import DecideSpec
from finewright_advice.schema.money import Criterion, Method

Host = Literal["api", "self-hosted"]


class AdviceSource(Model):
    """Who says something, and when somebody read it there."""

    name: str
    reference: str
    observed_at: date


class RuleFinding(Model):
    """What a rule found; no arms means that it holds whatever is chosen."""

    rule: str
    effect: Literal["dropped", "duty", "warning", "advice"]
    arms: tuple[str, ...]
    reason: str
    sources: tuple[str, ...]
    cannot: bool = False
    """Whether such an arm cannot be at all, so that its money and its latency mean nothing."""
    certain: bool = True
    """False: an input that decides it is unknown, so that it holds only if that turns out so."""


class ArmCost(Model):
    """What an arm takes, as far as it is known, and how good it is held to be."""

    arm: str
    model: str
    quality: Range
    once_usd: Range
    month_usd: Range
    latency_ms: Range
    update_days: Range
    effort_hours: Range
    fixed_month_usd: Range
    """The part of the month's cost that is paid without any request."""
    request_usd: Range
    """What each request adds to it."""
    how: tuple[str, ...]
    """What the figures were made of: machine, model, prices; empty where it cannot be."""
    notes: tuple[str, ...]
    """Other ways to have the same, with their prices."""
    people_usd: Range
    """The hours of people's work, in dollars."""
    whole_usd: Range
    """All of it over the horizon: once, people, and every month."""
    dropped: tuple[str, ...] = ()
    """The rules that drop it."""
    is_possible: bool = True
    """False: no machine at all holds it, or it cannot be for another reason; its figures mean nothing."""


class RankedArm(Model):
    """An arm that no gate removed: its score is the sum of weight times utility."""

    arm: str
    method: Method
    host: Host
    score: float
    win_share: float
    """How often it wins when weights, prices and unknown inputs vary."""
    model: str
    licence: str = ""
    """Of the model's weights, by its id in the catalog; of an API, the terms of its provider."""
    quality: Range
    """Its quality at its worst, in the middle, and at its best."""
    utilities: dict[Criterion, float]
    reasons: tuple[str, ...]


class ModelFigure(Model):
    """A model in an arm: what it would be worth there, and why it is out, if it is."""

    arm: str
    model: str
    is_chosen: bool
    quality: Range
    month_usd: Range
    latency_ms: Range
    score: float
    known: str
    """How its ability is known."""
    dropped: str
    is_possible: bool = True
    """False: no machine at all holds it, or it cannot be for another reason."""


class Flip(Model):
    """The smallest change of one weight, the others keeping their proportions, that another arm wins by, with
    the model that is best for it there."""

    criterion: Criterion
    weight: float
    needed: float
    new_winner: str
    model: str

    @property
    def change(self) -> float:
        """How much the weight has to rise, or to fall."""
        return self.needed - self.weight


class Swing(Model):
    """One input at its low and at its high end, all others at their middle.

    A lead is the first choice's score less that of the best other arm; below 0 another arm wins."""

    key: str
    is_unknown: bool
    low: str
    high: str
    low_lead: float | None
    """None: a gate removes the arm there."""
    high_lead: float | None
    low_winner: str
    high_winner: str
    low_model: str = ""
    """The model that is best there, where that is another than the first choice's."""
    high_model: str = ""

    @property
    def flips(self) -> bool:
        """Whether another arm wins at an end."""
        return any(lead is None or lead < 0 for lead in (self.low_lead, self.high_lead))

    @property
    def turns(self) -> bool:
        """Whether another arm wins at an end, or another model."""
        return self.flips or bool(self.low_model or self.high_model)


class MethodBreakEven(Model):
    """From how many requests a month on self-hosting a method costs less than an API; None: never.

    V = (fixed costs a month + one-off difference over the horizon) / (price of a request at the API less
    the own)."""

    method: Method
    requests_per_month: Range | None
    reason: str


class CostCurve(Model):
    """Cost of a month by requests a month, at the median price."""

    arm: str
    usd_by_requests: tuple[tuple[float, float], ...]


class Experiment(Model):
    """The cheapest next step that could change or settle the answer."""

    what: str
    why: str
    command: str
    usd: Range
    hours: Range
    rows: int


class FactsUsed(Model):
    """Which facts the answer rests on: their digest, and the oldest one's age on the stated day.

    No age where no fact of the catalog is in the first two arms: assumptions have their own days."""

    sha256: str
    oldest: date | None = None
    age_days: int | None = None
    state: Literal["fresh", "aging", "stale"] | None = None


class DecideReport(Model):
    """The advice. The same spec, facts and day give the same bytes."""

    name: str
    today: date
    spec: DecideSpec
    verdict: Literal["clear", "too close, measure", "nothing is left"]
    answer: str
    winner: str
    win_share: float
    taken: str = ""
    """What the first choice is: its model with its licence, where it runs and who rents that out."""
    better: str = ""
    """What scores more with a model that the spec does not name; empty where nothing does."""
    weights: dict[Criterion, float]
    ranking: tuple[RankedArm, ...]
    findings: tuple[RuleFinding, ...]
    costs: tuple[ArmCost, ...]
    models: tuple[ModelFigure, ...]
    """The models that were tried in the first arm, and in the first of the other host."""
    cheaper: str
    """The cheapest model that does the same as the first choice's for less; empty where there is none."""
    flips: tuple[Flip, ...]
    swings: tuple[Swing, ...]
    break_even: tuple[MethodBreakEven, ...]
    curves: tuple[CostCurve, ...]
    experiment: Experiment | None
    assumptions: dict[str, str]
    """What was taken for an input that is unknown, and on whose word."""
    sources: tuple[AdviceSource, ...]
    facts: FactsUsed
    win_shares: dict[str, float]
    """Of every arm, those too that are dropped where unknown inputs are at their middle."""
    none_share: float
    """How often the gates leave no arm at all; with all of `win_shares` it sums to 1."""
    problems: tuple[Problem, ...] = ()
