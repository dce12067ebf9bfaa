"""The dated facts about prices: machines, their GPUs, APIs, storage, power, and what ends when.

Every row names its source and the day somebody saw it there; nothing here is true for ever."""

import math
import re
from datetime import date
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from finewright.schema.common import Model
from finewright.schema.cost import Range

Tier = Literal["on_demand", "spot", "community", "secure", "serverless", "reserved", "free", "own"]

_LEAST_SHARE = 0.91
"""Of the T4, whose error correction takes a sixteenth: the least of all GPUs that were seen."""
_FLOAT32_SHARE = 1 / 16
_MOST_PER_GPU_HOUR = 200.0
"""Ten times the dearest GPU hour that anybody asked for by November 2026."""
_MOST_PER_MILLION = 10_000.0
_MOST_FLOPS_PER_BYTE = 450.0
"""No GPU computes more 16-bit numbers in the time that its memory gives a byte: the L40S, with 419, comes
nearest. Rates with structured sparsity are twice as high and stand in the same data sheets."""
UNPAID = ("free", "own")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def _check_day(value: Any) -> Any:  # Any: what stands in the file
    """A day and nothing else: pydantic would take a year for seconds since 1970."""
    if isinstance(value, date) or (isinstance(value, str) and _DATE.fullmatch(value)):
        return value
    raise ValueError(f"must be a day such as 2026-11-25, not {value!r}")


def _spread(value: Any) -> Any:  # Any: what stands in the file
    """One price is a range without width."""
    if _is_number(value):
        return {"low": value, "median": value, "high": value}
    if isinstance(value, Range) or (
        isinstance(value, dict) and all(map(_is_number, value.values()))
    ):
        return value
    raise ValueError("must be a number such as 0.34, or {low: 0.3, median: 0.34, high: 0.4}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _in_order(value: Range) -> Range:
    if value.low < 0:
        raise ValueError(f"must not be negative, and {value.low:g} is")
    if not value.low <= value.median <= value.high:
        raise ValueError("must have low <= median <= high")
    if math.isinf(value.high):
        raise ValueError("must be finite")
    return value


def _overhead(value: Range) -> Range:
    if _in_order(value).low < 1:
        raise ValueError("must be 1 or more: a site draws at least what its computers draw")
    return value


Name = Annotated[str, Field(min_length=1)]
LEAST_SAID = 3
Said = Annotated[str, Field(min_length=LEAST_SAID)]
Count = Annotated[int, Field(ge=1, strict=True)]
Positive = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
Day = Annotated[date, BeforeValidator(_check_day)]
Price = Annotated[Range, BeforeValidator(_spread), AfterValidator(_in_order)]
"""US dollars, as a range or as one number."""


class Fact(Model):
    """A row of the catalog: who says so, and when somebody saw it said."""

    KEY: ClassVar[tuple[str, ...]]
    source: Said
    observed_at: Day
    note: str = ""

    def key(self) -> tuple[str, ...]:
        """What makes the row the one it is: a later row of the same key replaces it."""
        return tuple(str(getattr(self, field)) for field in self.KEY)


class Provider(Fact):
    """Somebody who sells machines or answers; rows of other sections name one of them."""

    KEY = ("name",)

    name: Name
    title: str
    sells: tuple[Literal["machines", "answers", "storage", "fine-tuning"], ...]
    is_host: bool = False
    """Whether it runs the models of others, or rents out machines that are others': a third party."""
    private_tiers: tuple[Tier, ...] = ()
    """The tiers whose machines may stand with private persons; whose they are is not looked at one by one."""


class GPU(Fact):
    """A GPU as its maker's data sheet has it: dense rates, without structured sparsity."""

    KEY = ("name",)

    name: Name
    aliases: tuple[str, ...] = ()
    vram_gib: Positive
    """As sold; the driver's own share and error correction leave less."""
    usable_gib: Positive | None = None
    """What torch reports as the device's memory; None: nobody wrote it down."""
    usable_source: str = ""
    bf16_tflops: Positive | None
    """None: no bfloat16 units; `training_tflops` is the rate of float16 there."""
    fp16_tflops: Positive
    fp32_tflops: Positive | None = None
    """Of plain float32, which no TF32 rounds; None: nobody wrote it down."""
    memory_bandwidth_gb_s: Positive
    tdp_watts: Positive
    link_gb_s: Positive | None = None
    """To the others of its machine, in one direction: NVLink or the like where it has that, else PCIe."""
    unusable: str = ""
    """Why nothing here trains on it, whatever its memory; empty where it does."""

    @model_validator(mode="after")
    def _is_dense(self) -> Self:
        rate, bytes_a_second = self.training_tflops * 1e3, self.memory_bandwidth_gb_s
        if rate > _MOST_FLOPS_PER_BYTE * bytes_a_second:
            raise ValueError(
                f"{self.training_tflops:g} TFLOPS beside {bytes_a_second:g} GB/s is no dense 16-bit rate;"
                " data sheets print twice that rate, with sparsity: give the half"
            )
        return self

    @property
    def memory_gib(self) -> float:
        """What a program finds: as seen, or else the least share of what is sold that any GPU left."""
        return self.usable_gib or self.vram_gib * _LEAST_SHARE

    @property
    def training_tflops(self) -> float:
        """The dense 16-bit rate: bfloat16 where it has it, else float16."""
        return self.bf16_tflops or self.fp16_tflops

    @property
    def float32_tflops(self) -> float:
        """The float32 rate; where it is not known the share of the 16-bit one that the A100 has."""
        return self.fp32_tflops or self.training_tflops * _FLOAT32_SHARE


class Machine(Fact):
    """What a provider asks for a machine of `num_gpus` GPUs, an hour."""

    KEY = ("provider", "sku", "tier", "region")

    provider: str
    sku: Name
    gpu: str
    num_gpus: Count = 1
    tier: Tier
    region: str = "any"
    usd_per_hour: Price
    """For the whole machine: the median is the latest, low and high what else was seen. Of a serverless one
    only while it works, waits its idle seconds, or starts."""
    term_months: Count | None = None
    """How long a reserved machine is paid for, used or not."""
    max_session_hours: Positive | None = None
    max_hours_per_week: Positive | None = None
    method: Said
    """How the figure came about: a list price, a median of offers, ..."""

    @model_validator(mode="after")
    def _is_plausible(self) -> Self:
        if why := implausible_price(self.usd_per_hour, self.num_gpus, self.tier):
            raise ValueError(f"usd_per_hour {why}")
        if (self.tier == "reserved") != (self.term_months is not None):
            raise ValueError("term_months is given for a reserved machine, and only for one")
        return self

    @property
    def usd_per_gpu_hour(self) -> Range:
        """The price of one GPU of it."""
        price, n = self.usd_per_hour, self.num_gpus
        return Range(low=price.low / n, median=price.median / n, high=price.high / n)


class LongContext(Model):
    """Dearer tokens: the prices of every token of a request whose prompt is longer than this."""

    above_tokens: Count
    usd_per_million_in: Price
    usd_per_million_out: Price
    usd_per_million_cached: Price | None = None


class API(Fact):
    """What a provider asks for the tokens of a model; cached tokens are input read from its cache."""

    KEY = ("provider", "model")

    provider: str
    model: Name
    usd_per_million_in: Price
    usd_per_million_out: Price
    usd_per_million_cached: Price | None = None
    long_context: LongContext | None = None
    batch_share: Annotated[float, Field(gt=0, le=1, strict=True)] | None = None
    """What a request in a batch, answered within a day, costs of these prices; None: nobody says."""
    context_tokens: Count | None = None
    can_fine_tune: bool | None = None
    """None: the source does not say."""
    deprecation_date: Day | None = None
    method: str = "list price"

    @model_validator(mode="after")
    def _is_plausible(self) -> Self:
        most = max(self.usd_per_million_in.high, self.usd_per_million_out.high)
        if most > _MOST_PER_MILLION:
            raise ValueError(
                f"${most:,.0f} a million tokens is over ${_MOST_PER_MILLION:,.0f}; prices are for a"
                " million tokens"
            )
        return self


def implausible_price(price: Range, num_gpus: int, tier: Tier) -> str:
    """Why nobody asks this for an hour of a machine; empty where somebody may."""
    if price.low == 0 and tier not in UNPAID:
        return f"must be more than 0, unless the tier is {' or '.join(UNPAID)}"
    if price.high > _MOST_PER_GPU_HOUR * num_gpus:
        each = f"${price.high / num_gpus:,.2f} an hour and GPU"
        return f"must be dollars an hour: {each} is over ${_MOST_PER_GPU_HOUR:g}"
    return ""


class HostedTuning(Fact):
    """What a host asks to fine-tune a model, or open models of a size, and how the tuned one is served."""

    KEY = ("provider", "model")

    provider: str
    model: Name
    api_model: str = ""
    """The row of `apis` that it is tuned from; served by the token it costs `served_share` of that price."""
    above_billion: float = 0.0
    up_to_billion: Positive | None = None
    """Parameters of the open models that the row is for; None: for the model that it names alone."""
    models: tuple[str, ...] = ()
    """How the names of the open models begin that the row is for; empty: all of the size."""
    methods: tuple[Name, ...] = ("sft",)
    """What it trains by, as `train.method` names it, at this price."""
    adapters: tuple[Literal["lora", "full"], ...] = ("lora", "full")
    """Whether it trains LoRA, all weights, or both."""
    usd_per_million: Price | None
    """Dollars a million tokens trained, which is rows times passes; None: not found."""
    minimum_usd: Annotated[float, Field(ge=0)] | None = None
    storage_usd_per_month: Annotated[float, Field(ge=0)] | None = None
    served_by: Literal["tokens", "dedicated", "unknown"]
    served_share: Positive = 1.0
    """What a token of the tuned model costs of its base model's price, where it is served by the token."""
    hosting_usd_per_hour: Price | None = None
    ends: Day | None = None
    """The day from which on it takes no new job, or the base model is switched off."""
    method: Said

    def trains(
        self, name: str, parameters: int, method: str, today: date, *, adapter: str = "lora"
    ) -> bool:
        """Whether the row is for an open model of the name and size, by the method, and not at its end; an
        adapter `full` is all weights."""
        most = self.up_to_billion
        is_of_size = most is not None and self.above_billion * 1e9 < parameters <= most * 1e9
        begins = tuple(model.casefold() for model in self.models) or ""
        is_named = name.rstrip("/").rpartition("/")[2].casefold().startswith(begins)
        is_open = self.ends is None or today < self.ends
        does = method in self.methods and adapter in self.adapters
        return is_of_size and is_named and does and is_open

    def run_usd(self, tokens: Range) -> Range | None:
        """What training so many tokens costs, with the least that a job costs."""
        if self.usd_per_million is None:
            return None
        price, least = self.usd_per_million, self.minimum_usd or 0.0
        return Range(
            low=max(least, price.low * tokens.low / 1e6),
            median=max(least, price.median * tokens.median / 1e6),
            high=max(least, price.high * tokens.high / 1e6),
        )


class Storage(Fact):
    """What a provider asks to keep a GiB for a month."""

    KEY = ("provider", "sku")

    provider: str
    sku: Name
    usd_per_gib_month: Price
    method: str = "list price"


class Deadline(Fact):
    """A day on which something ends or begins to apply."""

    KEY = ("what",)

    what: Said
    kind: Literal["service", "model", "law"]
    provider: str = ""
    models: tuple[str, ...] = ()
    """The models that end, by the names of `apis` and their fine-tuned versions."""
    date: Day
    effect: Said
    instead: str = ""


class Grid(Fact):
    """How much carbon dioxide a country's electricity stands for, by the year of its statistics."""

    KEY = ("country",)

    country: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    """ISO 3166-1 alpha-3; WLD is the world."""
    name: str
    g_co2e_per_kwh: Annotated[float, Field(ge=0)]
    year: Annotated[int, Field(ge=1990, le=2100)]


class Overhead(Fact):
    """Power usage effectiveness: what a site draws over what its computers draw."""

    KEY = ("site",)

    site: Name
    pue: Annotated[Range, BeforeValidator(_spread), AfterValidator(_overhead)]


class PriceCatalog(Model):
    """Every fact, in the order of the files: the packaged ones, then the user's own."""

    providers: tuple[Provider, ...] = ()
    gpus: tuple[GPU, ...] = ()
    machines: tuple[Machine, ...] = ()
    apis: tuple[API, ...] = ()
    tunings: tuple[HostedTuning, ...] = ()
    storage: tuple[Storage, ...] = ()
    deadlines: tuple[Deadline, ...] = ()
    grids: tuple[Grid, ...] = ()
    overheads: tuple[Overhead, ...] = ()


class Freshness(Model):
    """How old a fact is: over 45 days it is aging, over 180 stale."""

    level: Literal["fresh", "aging", "stale"]
    age_days: int
    observed_at: date
