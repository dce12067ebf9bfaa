"""The arms and the figures that each has: five methods at an API or self-hosted, and two without a language
model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple, TypeAlias, get_args

from finewright.schema.cost import Range
from finewright_advice.decide.case import Case
from finewright_advice.decide.results import AdviceSource, Host
from finewright_advice.estimate.money import MachineSteps, ScaleToZero
from finewright_advice.schema.money import Method

METHODS: tuple[Method, ...] = get_args(Method)
HOSTS: tuple[Host, ...] = get_args(Host)
Place = Literal["api", "rented", "own"]


class Arm(NamedTuple):
    """A method and where its model runs."""

    method: Method
    host: Host

    @property
    def name(self) -> str:
        """`rag, self-hosted`."""
        return f"{self.method}, {self.host}"

    @property
    def is_tuned(self) -> bool:
        """Whether weights are trained."""
        return self.method in ("ft", "rag+ft")

    @property
    def is_trained(self) -> bool:
        """Whether it learns from labelled cases, be it a linear head alone."""
        return self.is_tuned or self.method == "classifier"

    @property
    def is_language_model(self) -> bool:
        """Whether a language model answers."""
        return self.method not in _NO_MODEL

    @property
    def is_searched(self) -> bool:
        """Whether an index is searched for each answer."""
        return self.method in ("rag", "rag+ft")

    @property
    def has_passages(self) -> bool:
        """Whether the documents are in the prompt, so that they can be cited, filtered and erased."""
        return self.method in ("prompt+long-context", "rag", "rag+ft")


NOTHING = Range(low=0.0, median=0.0, high=0.0)
_NO_MODEL: tuple[Method, ...] = ("classifier", "rule")
ARMS = tuple(
    Arm(method, host)
    for method in METHODS
    for host in HOSTS
    if host == "self-hosted" or method not in _NO_MODEL
)
AT_API = tuple(arm for arm in ARMS if arm.host == "api")
SELF_HOSTED = tuple(arm for arm in ARMS if arm.host == "self-hosted")
TUNED = tuple(arm for arm in ARMS if arm.is_tuned)
TRAINED = tuple(arm for arm in ARMS if arm.is_trained)
WITH_PASSAGES = tuple(arm for arm in ARMS if arm.has_passages)
WITH_MODEL = tuple(arm for arm in ARMS if arm.is_language_model)
WITHOUT_MODEL = tuple(arm for arm in ARMS if not arm.is_language_model)
ABLE = Range(low=100.0, median=100.0, high=100.0)
"""An ability beside which no work is hard."""


class Machines(NamedTuple):
    """What a model of one's own is served on, and how many of the machines can be had."""

    steps: MachineSteps
    most: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What an arm takes in a case, and whether it can be had at all.

    `month_usd` is `fixed_month_usd` and `request_usd` for each request. `update_days` of a tuned arm is
    how long it takes to train and release again."""

    once_usd: Range
    month_usd: Range
    latency_ms: Range
    update_days: Range
    effort_hours: Range
    fixed_month_usd: Range
    request_usd: Range
    place: Place
    model: str
    context_tokens: int
    request_tokens: float = 0.0
    """Tokens of a prompt, what is put into it, and its answer: what the context must hold."""
    ability: Range = ABLE
    """How able the model is for this kind of work, on the scale of `ability.py`."""
    ability_known: str = ""
    is_published: bool = True
    licence: str | None = None
    """The licence of the weights, by its id in the catalog, or unknown; None: nobody has them."""
    languages: tuple[str, ...] | None = None
    """What the model was made for; None: unknown."""
    pairs: float | None = None
    """Pairs to train on, with those that a teacher writes; None: the case's own."""
    run_usd: Range = NOTHING
    """One training run; `once_usd` holds a project's."""
    machines: Machines | None = None
    """Where it is served on machines of one's own or rented; more requests take more of them."""
    idle: ScaleToZero | None = None
    """What takes their place where that costs less; `request_usd` is its month by the requests."""
    misfit: str = ""
    """Why no machine at hand holds it, and which would; empty where one does."""
    is_held: bool = True
    """False: no machine at all holds it, so that its month and its latency are unknown."""
    ends: date | None = None
    """When the model is switched off, where that is within the horizon."""
    tuning_ends: date | None = None
    """When the provider takes no more jobs of fine-tuning, where that is within the horizon."""
    tuning_closes: str = ""
    """For whom, and since or from when, in words."""
    can_fine_tune: bool | None = None
    """None: nobody says."""
    trains_outside: bool = False
    """Whether it is trained on somebody else's machine, wherever it is served."""
    is_third_party: bool = False
    """Whether a host runs it that is not its maker."""
    others: tuple["Figures", ...] = ()
    """The same in an API's batches, where answers may come within a day, or with weights in 4 bits: what is
    worth more is taken."""
    is_rounded: bool = False
    """Whether its weights are held in fewer bits than its maker made them for."""
    how: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Other ways to have the same, with their prices."""
    facts: tuple[AdviceSource, ...] = ()
    """The rows of the catalog that the figures are made of."""

    @property
    def is_outside(self) -> bool:
        """Whether somebody else's machine sees the data, at an API or rented."""
        return self.place != "own" or self.trains_outside


Measure = Literal["once_usd", "month_usd", "latency_ms", "effort_hours"]


def figure_of(figures: Figures, measure: Measure) -> Range:
    """The figure of that name."""
    found = getattr(figures, measure)
    assert isinstance(found, Range)
    return found


def point_of(arm: Arm, measure: Measure) -> str:
    """Which of `case.POINTS` says at which end of its range an arm's figure is."""
    is_api = arm.host == "api"
    if measure == "effort_hours":
        return "effort"
    if measure == "latency_ms":
        return "api_speed" if is_api else "own_speed"
    return "api_price" if is_api else "machine_price"


FiguresOf: TypeAlias = Callable[[Case], Mapping[Arm, Figures]]
"""The figures of all arms in a case; the same case gives the same figures."""
