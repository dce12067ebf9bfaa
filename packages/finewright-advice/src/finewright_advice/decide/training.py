"""What a training run costs: on a machine, or at a host that asks by the million tokens."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from statistics import median_high
from typing import NamedTuple

from finewright.report.cells import span
from finewright.schema.catalog import API, Deadline, HostedTuning
from finewright.schema.cost import Range
from finewright_advice.decide.arms import NOTHING
from finewright_advice.decide.facts import Facts, LoraStep
from finewright_advice.decide.models import Bits, OpenModelFacts
from finewright_advice.decide.serving import USABLE, Host
from finewright_advice.estimate.money import spread


class TrainingCost(NamedTuple):
    """A training run: what it costs, how long it takes, and on which machine."""

    usd: Range
    hours: Range
    where: str
    """Empty where no machine holds it, so that what it costs is unknown."""
    misfit: str = ""
    """Why no machine that may be taken holds it."""
    is_rented: bool = False


UNTRAINED = TrainingCost(NOTHING, NOTHING, "")


class HostedRun(NamedTuple):
    """A run at a host, and how the tuned model is served there; `usd` None: the price was not found."""

    row: HostedTuning
    usd: Range | None
    is_guessed: bool = False
    """Whether the price is that of other hosts for models of the size."""


def training_host(step: LoraStep, hosts: Sequence[Host]) -> Host | None:
    """The cheapest machine that holds a step with weights in 16 bits, or else in 4."""
    kinds: tuple[Bits, ...] = (16, 4)
    for bits in kinds:
        held = {gpus: step.gib(bits, gpus) for gpus in {host.gpus for host in hosts}}
        fits = [h for h in hosts if held[h.gpus] <= h.memory_gib / h.gpus * USABLE]
        if fits:
            return min(fits, key=lambda host: host.usd_per_hour.median)
    return None


def hours_of(flops: Range, utilisation: Range, tflops: float) -> Range:
    """Hours of so much arithmetic; the high end of the utilisation is the fast one."""
    seconds = tflops * 1e12 * 3600
    return Range(
        low=flops.low / (seconds * utilisation.high),
        median=flops.median / (seconds * utilisation.median),
        high=flops.high / (seconds * utilisation.low),
    )


def hosts_of(facts: Facts, model: OpenModelFacts, tokens: Range) -> Iterator[HostedRun]:
    """The hosts that train an open model by examples today, with a price."""
    for row in facts.prices.tunings:
        is_offered = row.trains(model.name, model.sizes.parameters, "sft", facts.today)
        if is_offered and row.usd_per_million is not None:
            yield HostedRun(row, row.run_usd(tokens))


def run_at(facts: Facts, api: API, model: OpenModelFacts | None, tokens: Range) -> HostedRun | None:
    """A run at an API's own provider; where its price was not found, as other hosts ask for the size."""
    named = (api.provider, api.model)
    row = next(
        (row for row in facts.prices.tunings if (row.provider, row.api_model) == named), None
    )
    if row is None:
        return None
    if row.usd_per_million is not None or model is None:
        return HostedRun(row, row.run_usd(tokens))
    others = [run.usd for run in hosts_of(facts, model, tokens) if run.usd]
    if not others:
        return HostedRun(row, None)
    middle = median_high(each.median for each in others)
    usd = spread(others).model_copy(update={"median": middle})
    return HostedRun(row, usd, is_guessed=True)


def tuning_ends(ends: Iterable[Deadline], hosted: HostedRun | None, until: date) -> date | None:
    """The first day until then from which on the provider takes no new job."""
    days = [end.date for end in ends if end.kind == "service"]
    if hosted and hosted.row.ends:
        days.append(hosted.row.ends)
    return min((day for day in days if day <= until), default=None)


def closing_words(ends: Iterable[Deadline], today: date) -> str:
    """For whom a provider's fine-tuning closes, and since or from when."""
    services = sorted((end for end in ends if end.kind == "service"), key=lambda end: end.date)
    return "; ".join(
        f"{end.effect}, " + (f"since {end.date}" if end.date <= today else f"from {end.date} on")
        for end in services
    )


def host_words(runs: Sequence[HostedRun]) -> str:
    """What the hosts ask for a run, and how they serve it."""
    served = {"tokens": "served by the token", "unknown": "how it is served is not said"}
    said = [
        f"{run.row.provider} {span(run.usd)} USD a run,"
        f" {served.get(run.row.served_by, _by_the_hour(run.row))}"
        for run in runs
        if run.usd is not None
    ]
    return f"or trained at a host: {'; '.join(said)}" if said else ""


def _by_the_hour(row: HostedTuning) -> str:
    price = (
        f" from {row.hosting_usd_per_hour.low:g} USD an hour" if row.hosting_usd_per_hour else ""
    )
    return f"served on a machine of yours alone{price}"


def describe_tuning_price(hosted: HostedRun | None) -> Iterator[str]:
    """What training at an API's provider costs, and a token after it."""
    if hosted is None or hosted.usd is None:
        yield "the price of training is not known, and not counted"
    else:
        whose = "as other hosts ask for its size" if hosted.is_guessed else hosted.row.provider
        yield f"a training run there {span(hosted.usd)} USD ({whose})"
    if hosted and hosted.row.served_share != 1:
        yield f"a token of the tuned model at {hosted.row.served_share:g} times the price"
