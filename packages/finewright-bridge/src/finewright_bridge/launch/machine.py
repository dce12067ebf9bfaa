"""On which machine the run goes, by the figures of `cost`: does it fit, how long, how much."""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

from finewright.catalog.prices import gpu_named, own_folder, prices
from finewright.errors import SpecError
from finewright.report.cells import money, span
from finewright.schema.catalog import PriceCatalog
from finewright.schema.cost import CostReport, MachineEstimate, Range

NO_GPU = "none"
_TIERS = ("free", "on_demand", "secure")
"""What is rented where nobody asks for spot: not reserved for months, not billed by the request."""
_START_HOURS = 0.25
"""Of a machine that starts and installs torch, which `cost` leaves out; without it a short run would go to a
large machine, whose minutes of installing cost more than the run."""


class ChosenMachine(NamedTuple):
    """A machine, with what `cost` says of the run there. `gpu` is empty for CPUs alone; `hours` and `usd`
    are of all base models, None where they are not known."""

    provider: str
    sku: str
    gpu: str
    gpus: int
    hours: Range | None
    usd: Range | None
    usd_per_hour: float | None
    settings: tuple[str, ...] = ()
    """Of the spec, by which the run uses all of its GPUs."""

    def describe(self) -> str:
        """Machine, hours and money in one line."""
        if self is SERVICE:
            return f"{self.provider}: hours and price not known here"
        what = f"{self.gpus} x {self.gpu}" if self.gpu else "CPUs alone"
        whose = f" of {self.provider} ({self.sku})" if self.provider else ", your own"
        hours = _describe_hours(self.hours) if self.hours else "hours not known"
        if self.usd is not None:
            cost = f"{money(self.usd)} USD at {self.usd_per_hour:.4g} an hour"
        elif self.usd_per_hour:
            cost = f"{self.usd_per_hour:.4g} USD an hour"
        else:
            cost = "price not known"
        return f"{what}{whose}: {hours}, {cost}"


SERVICE = ChosenMachine("a service that trains by itself", "", "", 0, None, None, None)
"""Where nobody says which machine it is."""


def _describe_hours(hours: Range) -> str:
    if hours.high >= 1:
        return f"{span(hours)} h of steps"
    return f"{hours.low * 60:.2g} - {hours.median * 60:.2g} - {hours.high * 60:.2g} min of steps"


class MachineWish(NamedTuple):
    """What the machine is to be. `providers` empty: one's own, at `usd_per_hour` where that is known.
    `names`: the GPUs that the place has a name for, None for any."""

    gpu: str
    provider: str
    is_spot: bool
    providers: Mapping[str, str]
    names: frozenset[str] | None
    usd_per_hour: float | None


def choose_machine(report: CostReport, wish: MachineWish) -> ChosenMachine:
    """The cheapest machine that is asked for and holds every base model, on one GPU or on several.

    Raises SpecError where there is none, with what `cost` found instead."""
    catalog = prices(own_folder())
    gpu = gpu_named(catalog, wish.gpu).name if wish.gpu not in ("", NO_GPU) else wish.gpu
    if not wish.providers:
        return _own_machine(report, wish, gpu)
    if gpu == NO_GPU:
        raise SpecError("--gpu none: machines without a GPU are written for your own alone")
    found = list(_machines(report, wish._replace(gpu=gpu), catalog))
    whose = wish.provider or (next(iter(wish.providers)) if len(wish.providers) == 1 else "")
    if not found and gpu and gpu in (wish.names or ()) and whose in wish.providers:
        return _unpriced(report, gpu, wish.usd_per_hour)._replace(
            provider=whose, sku="no price known"
        )
    if not found:
        raise SpecError(_nothing_found(wish, gpu), hint="`finewright cost SPEC` shows what fits")
    return min(found, key=_price_of_run)


def _price_of_run(machine: ChosenMachine) -> float:
    hours = machine.hours.median if machine.hours else 0.0
    return (hours + _START_HOURS) * (machine.usd_per_hour or 0.0)


def _machines(
    report: CostReport, wish: MachineWish, catalog: PriceCatalog
) -> Iterator[ChosenMachine]:
    counts: dict[tuple[str, str, str], int] = {
        (m.provider, m.sku, m.tier): m.num_gpus for m in catalog.machines
    }
    private = {(row.name, tier) for row in catalog.providers for tier in row.private_tiers}
    first, *others = [_rows(candidate.machines) for candidate in report.candidates]
    for key, row in first.items():
        provider, sku, tier = key
        rows = [row, *(each[key] for each in others if key in each)]
        comes_into_question = wish.provider == provider or (
            not wish.provider and key[::2] not in private
        )
        if (
            comes_into_question
            and provider in wish.providers
            and tier in (("spot",) if wish.is_spot else _TIERS)
            and wish.gpu in ("", row.gpu)
            and (wish.names is None or row.gpu in wish.names)
            and len(rows) == len(report.candidates)
            and all(each.fits == "yes" and (each.gpus_used == 1 or each.launch) for each in rows)
        ):
            # Base models that are fastest on other numbers of GPUs share one that nobody estimated.
            alike = all(each.launch == row.launch for each in rows)
            hours, usd = (_total(rows, what) if alike else None for what in ("hours", "usd"))
            yield ChosenMachine(
                provider,
                sku,
                row.gpu,
                counts.get(key, 1),
                hours,
                usd,
                row.usd_per_hour,
                max((each.launch for each in rows), key=len),
            )


def _rows(machines: tuple[MachineEstimate, ...]) -> dict[tuple[str, str, str], MachineEstimate]:
    """(provider, sku, tier) -> the estimate, the cheapest region first."""
    found: dict[tuple[str, str, str], MachineEstimate] = {}
    for row in machines:
        found.setdefault((row.provider, row.machine, row.tier), row)
    return found


def _total(rows: list[MachineEstimate], what: str) -> Range | None:
    """Of all base models, one after another; None where one of them is not known."""
    ranges: list[Range | None] = [getattr(row, what) for row in rows]
    known = [each for each in ranges if each is not None]
    if len(known) < len(ranges):
        return None
    low, median, high = (sum(getattr(r, end) for r in known) for end in ("low", "median", "high"))
    return Range(low=low, median=median, high=high)


def _own_machine(report: CostReport, wish: MachineWish, gpu: str) -> ChosenMachine:
    """One of the user's: its hours are those of the same GPU anywhere, and of CPUs not known."""
    if wish.provider:
        raise SpecError("--provider: here the machines are your own", hint="name the --gpu alone")
    if not gpu:
        hint = "--gpu NAME of the price catalog, or --gpu none for CPUs"
        raise SpecError("the GPU of your machines is not known", hint=hint)
    if gpu == NO_GPU:
        return ChosenMachine("", "", "", 0, None, None, wish.usd_per_hour)
    return _unpriced(report, gpu, wish.usd_per_hour)


def _unpriced(report: CostReport, gpu: str, price: float | None) -> ChosenMachine:
    """One of that GPU, at the price that the user says; raises SpecError where it does not hold the run."""
    rows = [
        next((row for row in candidate.machines if row.gpu == gpu and row.gpus_used == 1), None)
        for candidate in report.candidates
    ]
    known = [row for row in rows if row is not None]
    if len(known) == len(rows) and any(row.fits == "no" or row.unusable for row in known):
        worst = max(known, key=lambda row: row.needs.process_gib.median)
        raise SpecError(
            f"{gpu} holds {worst.memory_gib:.4g} GiB, and the run needs"
            f" {span(worst.needs.process_gib)} GiB"
            + (f"; {worst.unusable}" if worst.unusable else ""),
            hint="`finewright cost SPEC` says what would make it fit",
        )
    hours = _total(known, "hours") if len(known) == len(rows) else None
    usd = None
    if hours and price:
        usd = Range(low=hours.low * price, median=hours.median * price, high=hours.high * price)
    return ChosenMachine("", "", gpu, 1, hours, usd, price)


def _nothing_found(wish: MachineWish, gpu: str) -> str:
    words = [
        f"--provider {wish.provider}" if wish.provider else "",
        f"--gpu {gpu}" if gpu else "",
        "--spot" if wish.is_spot else "",
    ]
    wish_words = " ".join(filter(None, words)) or "any GPU"
    return (
        f"no machine of the price catalog holds the run there ({wish_words}; providers"
        f" {', '.join(sorted(wish.providers))}; hosts that are private persons by --provider alone)"
    )


def gpu_names(place: str) -> dict[str, Any]:  # Any: a name, or the names of two things
    """GPU of the catalog -> what it is called at skypilot, dstack or vertex."""
    text = files("finewright_bridge.launch").joinpath("machines.yaml").read_text(encoding="utf-8")
    table = yaml.load(text, Loader=yaml.CSafeLoader)  # noqa: TID251 - our own file
    return {gpu: row[place] for gpu, row in table.items() if place in row}
