"""Prices of machines from CSV files: gpuhunt's (dstack), the SkyPilot catalog's, and plain ones.

They name neither a source nor a day, so these come from whoever imports. The rows of a machine in
several regions become one row: its lowest, median and highest price. Read for gpuhunt 0.1.34 (columns
of its catalog v2 and v3) and the SkyPilot catalog v8; a plain file has the names of the YAML's keys.
CPU-only machines and TPUs are left out. A row with a cell that is wrong is left out alone, counted, and told
with its line.

The price of a GPU's hour below which a row of a foreign file is taken for a mistake."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple, cast, get_args

from finewright.catalog.price_file import ImportedPrices, PriceOrigin
from finewright.catalog.prices import fold_gpu_name
from finewright.schema.catalog import UNPAID, Machine, PriceCatalog, Tier, implausible_price
from finewright.schema.common import Problem
from finewright.schema.cost import Range
from finewright_advice.prices.cells import (
    CsvFile,
    CsvRow,
    LeftOut,
    WrongCellError,
    cell,
    cell_count,
    cell_number,
    walk,
)

_LEAST_SHARE = 0.2
"""Of the lowest price known at the tier: a price war halves prices, a wrong column divides them by more."""


_LEAST_SHARE_OF_ON_DEMAND = 0.1
"""Where the tier is not known for the GPU: the large clouds' spot prices go down to a tenth."""


_LEAST_USD = 0.02
"""An hour of a GPU that nobody known sells."""


_PROVIDERS = {"lambdalabs": "lambda", "vastai": "vast"}
"""Names of these catalogs -> ours, where they differ."""
_TPU = "TPUs: not by us, for finewright runs on GPUs and processors"
_SHOWN = 5
_NEAR = 0.07
"""GPUs whose memory differs by less are taken for the same: drivers tell less than data sheets."""


class _Offer(NamedTuple):
    sku: str
    gpu: str
    num_gpus: int
    tier: Tier
    term_months: int | None
    region: str
    price: float


@dataclass(frozen=True, slots=True)
class _Import:
    """One file on its way in."""

    known: PriceCatalog
    origin: PriceOrigin
    left_out: LeftOut

    def offers(self, read: "_Reader", row: CsvRow) -> Iterator[_Offer]:
        """What a row offers in the regions that are wanted."""
        for offer in [_check_offer(offer, self.known) for offer in read(self, row)]:
            if offer.region.startswith(self.origin.region):
                yield offer
            else:
                self.leave_out(f"region is not {self.origin.region}...")

    def leave_out(self, why: str) -> None:
        """Count a row that gives nothing."""
        self.left_out.reasons[why] += 1

    def gpu(self, name: str, memory: str | None) -> str | None:
        """Our name of a GPU that the file names with or without its memory; None and noted otherwise."""
        gib = float(memory) if memory and memory.replace(".", "", 1).isdigit() else None
        tries = [f"{name}-{gib:.0f}GB"] if gib else []
        for wanted in map(fold_gpu_name, [*tries, name]):
            for gpu in self.known.gpus:
                has = gib is None or abs(gpu.vram_gib - gib) <= _NEAR * gpu.vram_gib
                if has and wanted in map(fold_gpu_name, (gpu.name, *gpu.aliases)):
                    return gpu.name
        self.leave_out(f"GPU not in the catalog: {name}{f' {gib:.0f} GB' if gib else ''}")
        return None


_Reader = Callable[[_Import, CsvRow], Iterator[_Offer]]


def _read(
    format: str, reader: _Reader, path: Path, origin: PriceOrigin, known: PriceCatalog
) -> ImportedPrices:
    """The machines of a file, and what was left out of it; raises DataError where nothing is left."""
    file = _Import(known, origin, LeftOut())
    groups: dict[tuple[str, str, int, Tier, int | None], list[_Offer]] = {}
    for offer in walk(path, partial(file.offers, reader), file.left_out):
        groups.setdefault(offer[:5], []).append(offer)
    if not groups:
        raise file.left_out.nothing_left(path)
    machines = tuple(_machine(offers, format, origin) for offers in groups.values())
    problems = tuple(_spread([offers for offers in groups.values() if _is_spread(offers)]))
    left_out = file.left_out
    return ImportedPrices(machines, (), dict(left_out.reasons), tuple(left_out.bad_lines), problems)


def _check_offer(offer: _Offer, known: PriceCatalog) -> _Offer:
    if not offer.sku:
        raise WrongCellError("name", "the machine has none")
    if not offer.num_gpus:
        raise WrongCellError("num_gpus", "0 is no number from 1 on")
    price = Range(low=offer.price, median=offer.price, high=offer.price)
    if why := implausible_price(price, offer.num_gpus, offer.tier):
        raise WrongCellError("price", f"{offer.price:g} {why}")
    if why := too_low(offer.price / offer.num_gpus, offer.gpu, offer.tier, known):
        raise WrongCellError("too low a price", why)
    return offer


def _of_gpuhunt(file: _Import, row: CsvRow) -> Iterator[_Offer]:
    name = row["gpu_name"]
    count = cell_count(row, "gpu_count")
    if not name or not count or name.startswith("tpu-"):
        file.leave_out("machines without a GPU")
        return
    gpu = file.gpu(name, row.get("gpu_memory"))
    if gpu:
        tier: Tier = "spot" if (row["spot"] or "").lower() == "true" else "on_demand"
        sku, region = row["instance_name"] or "", row["location"] or ""
        yield _Offer(sku, gpu, count, tier, None, region, cell_number(row, "price"))


def _of_skypilot(file: _Import, row: CsvRow) -> Iterator[_Offer]:
    name = row["AcceleratorName"]
    if not name or name.casefold().startswith("tpu"):
        file.leave_out(_TPU if name else "machines without a GPU")
        return
    count = cell_number(row, "AcceleratorCount")
    if count != int(count) or not count:
        file.leave_out("machines with a part of a GPU")
        return
    if not row.get("Price") and not row.get("SpotPrice"):
        file.leave_out("machines without a price")
        return
    gpu = file.gpu(name, None)
    offered: tuple[tuple[str, Tier], ...] = (("Price", "on_demand"), ("SpotPrice", "spot"))
    for column, tier in offered:
        if gpu and row.get(column):
            sku, region = row["InstanceType"] or name, row["Region"] or ""
            yield _Offer(sku, gpu, int(count), tier, None, region, cell_number(row, column))


def _of_machines(file: _Import, row: CsvRow) -> Iterator[_Offer]:
    named, provider = cell(row, "provider").casefold(), file.origin.provider
    if named and _name_provider(named) != provider:
        raise WrongCellError("provider", f"{named!r} is not {provider!r}: --provider {named}")
    count = cell_count(row, "num_gpus") if row.get("num_gpus") else 1
    tier = cell(row, "tier") or "on_demand"
    if tier not in get_args(Tier):
        raise WrongCellError("tier", f"{tier!r} is none of {', '.join(get_args(Tier))}")
    term = _term(row, tier)
    if gpu := file.gpu(cell(row, "gpu"), None):
        sku, region = cell(row, "sku") or gpu, cell(row, "region")
        if term and f"{term} months" not in sku:
            sku = f"{sku}, {term} months"
        price = cell_number(row, "usd_per_hour")
        yield _Offer(sku, gpu, count, cast("Tier", tier), term, region, price)


def _term(row: CsvRow, tier: str) -> int | None:
    """The months that a reserved machine is paid for; no other has them."""
    has_term = bool(cell(row, "term_months"))
    if has_term != (tier == "reserved"):
        what = "a reserved machine needs its term_months, and no other has any"
        raise WrongCellError("term_months", what)
    if not has_term:
        return None
    if not (months := cell_count(row, "term_months")):
        raise WrongCellError("term_months", "0 is no number from 1 on")
    return months


def _is_spread(offers: list[_Offer]) -> bool:
    """Whether a region has several prices."""
    regions = {offer.region for offer in offers}
    return len({(offer.region, offer.price) for offer in offers}) > len(regions)


def _spread(machines: list[list[_Offer]]) -> Iterator[Problem]:
    """What is said of machines for which the file has several prices in one region."""
    if machines:
        ranges = [
            f"{offers[0].sku} {offers[0].tier} ({prices[0]:g} to {prices[-1]:g})"
            for offers in machines[:_SHOWN]
            for prices in [sorted(offer.price for offer in offers)]
        ]
        more = f" and {len(machines) - _SHOWN} more" if len(machines) > _SHOWN else ""
        what = f"several prices in one region became one row with their range: {'; '.join(ranges)}"
        yield Problem(level="info", key="machines", message=what + more)


def _machine(offers: list[_Offer], format: str, origin: PriceOrigin) -> Machine:
    first = offers[0]
    prices = [offer.price for offer in offers]
    regions = {offer.region for offer in offers}
    where = "1 region" if len(regions) == 1 else f"{len(regions)} regions"
    return Machine(
        provider=origin.provider,
        sku=first.sku,
        gpu=first.gpu,
        num_gpus=first.num_gpus,
        tier=first.tier,
        term_months=first.term_months,
        region=(regions.pop() if len(regions) == 1 else origin.region) or "any",
        usd_per_hour=Range(low=min(prices), median=median(prices), high=max(prices)),
        method=f"{format}: {f'{len(set(prices))} ' if _is_spread(offers) else ''}prices in {where}",
        source=origin.source,
        observed_at=origin.observed_at,
    )


def _name_provider(name: str) -> str:
    return _PROVIDERS.get(name, name)


GPUHUNT = CsvFile(
    form="the CSV files of gpuhunt",
    columns=frozenset({"instance_name", "location", "price", "gpu_count", "gpu_name", "spot"}),
    reader=partial(_read, "gpuhunt", _of_gpuhunt),
    provider_of=lambda path: _name_provider(path.stem),
)
SKYPILOT = CsvFile(
    form="the CSV files of the SkyPilot catalog",
    columns=frozenset({"InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "Region"}),
    reader=partial(_read, "skypilot", _of_skypilot),
    provider_of=lambda path: _name_provider(path.resolve().parent.name),
    layout="*/vms.csv",
)
MACHINES = CsvFile(
    form="a CSV with the columns sku, gpu and usd_per_hour (num_gpus, tier, term_months, region)",
    columns=frozenset({"sku", "gpu", "usd_per_hour"}),
    reader=partial(_read, "machines", _of_machines),
    provider_of=lambda path: _name_provider(path.stem),
)


def too_low(usd_per_gpu_hour: float, gpu: str, tier: Tier, known: PriceCatalog) -> str:
    """Why a price is absurdly low beside what the catalog knows of the GPU; empty where it is not."""
    if tier in UNPAID:
        return ""
    least, beside = _LEAST_USD, f"${_LEAST_USD:g}, the least for a GPU whose prices are not known"
    for share, its in ((_LEAST_SHARE, tier), (_LEAST_SHARE_OF_ON_DEMAND, "on_demand")):
        seen = [
            machine.usd_per_gpu_hour.low
            for machine in known.machines
            if (machine.gpu, machine.tier) == (gpu, its)
        ]
        if seen:
            least = share * min(seen)
            beside = f"{share:.0%} of the lowest known of {gpu} at {its}, ${min(seen):.4g}"
            break
    if usd_per_gpu_hour >= least:
        return ""
    mend = "if it is true, give the row in a YAML file of prices"
    return f"${usd_per_gpu_hour:.4g} an hour and GPU is under {beside}; {mend}"
