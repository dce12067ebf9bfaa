"""Prices of machines from CSV files: gpuhunt's (dstack), the SkyPilot catalog's, and plain ones.

They name neither a source nor a day, so these come from whoever imports. The rows of a machine in
several regions become one row: its lowest, median and highest price. Read for gpuhunt 0.1.34 (columns
of its catalog v2 and v3) and the SkyPilot catalog v8; a plain file has the names of the YAML's keys.
CPU-only machines and TPUs are left out. A row with a cell that is wrong is left out alone, counted, and told
with its line."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import median
from typing import Literal, NamedTuple, cast, get_args

from finewright.catalog.price_floor import too_low
from finewright.catalog.prices import folded
from finewright.errors import DataError
from finewright.schema.catalog import API, Machine, PriceCatalog, Tier, implausible_price
from finewright.schema.common import Problem
from finewright.schema.cost import Range

Format = Literal["gpuhunt", "skypilot", "machines", "apis"]
_COLUMNS: Mapping[Format, frozenset[str]] = {
    "gpuhunt": frozenset({"instance_name", "location", "price", "gpu_count", "gpu_name", "spot"}),
    "skypilot": frozenset(
        {"InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "Region"}
    ),
    "machines": frozenset({"sku", "gpu", "usd_per_hour"}),
    "apis": frozenset({"model", "usd_per_million_in", "usd_per_million_out"}),
}
_PROVIDERS = {"lambdalabs": "lambda", "vastai": "vast"}
"""Names of these catalogs -> ours, where they differ."""
_TPU = "TPUs: not by us, for finewright runs on GPUs and processors"
_SHOWN = 5
_NEAR = 0.07
"""GPUs whose memory differs by less are taken for the same: drivers tell less than data sheets."""


class PriceOrigin(NamedTuple):
    """What the files do not say of themselves."""

    provider: str
    source: str
    observed_at: date
    region: str = ""
    """Only regions whose names begin so."""


class Imported(NamedTuple):
    """The machines or APIs of a file, and the rows that gave none by the reason."""

    machines: tuple[Machine, ...]
    left_out: dict[str, int]
    bad_lines: tuple[str, ...] = ()
    """Every line that a wrong cell made useless."""
    problems: tuple[Problem, ...] = ()
    apis: tuple[API, ...] = ()


class _Offer(NamedTuple):
    sku: str
    gpu: str
    num_gpus: int
    tier: Tier
    term_months: int | None
    region: str
    price: float


class WrongCellError(Exception):
    """A cell that makes its row useless; says the column and what is wrong."""


@dataclass(slots=True)
class _File:
    known: PriceCatalog
    provider: str
    left_out: Counter[str] = field(default_factory=Counter)
    first_wrong: dict[str, str] = field(default_factory=dict)
    bad_lines: list[str] = field(default_factory=list)

    def offers(self, read: "_Reader", row: Mapping[str, str | None], line: int) -> list[_Offer]:
        """What a row offers; nothing, and noted with the line of the first, where a cell is wrong."""
        try:
            check_width(row)
            return [_checked(offer, self.known) for offer in read(self, row)]
        except WrongCellError as wrong:
            column, what = wrong.args
            first = self.first_wrong.setdefault(column, f"{column}: first in line {line}: {what}")
            self.left_out[first] += 1
            self.bad_lines.append(f"line {line}: {column}: {what}")
            return []

    def gpu(self, name: str, memory: str | None) -> str | None:
        """Our name of a GPU that the file names with or without its memory; None and noted otherwise."""
        gib = float(memory) if memory and memory.replace(".", "", 1).isdigit() else None
        tries = [f"{name}-{gib:.0f}GB"] if gib else []
        for wanted in map(folded, [*tries, name]):
            for gpu in self.known.gpus:
                has = gib is None or abs(gpu.vram_gib - gib) <= _NEAR * gpu.vram_gib
                if has and wanted in map(folded, (gpu.name, *gpu.aliases)):
                    return gpu.name
        self.left_out[f"GPU not in the catalog: {name}{f' {gib:.0f} GB' if gib else ''}"] += 1
        return None


_Reader = Callable[[_File, Mapping[str, str | None]], Iterator[_Offer]]


def format_of(path: Path) -> Format | None:
    """Which of them a CSV file is, by its header; None for any other."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = set(next(csv.reader(file), []))
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    return next((name for name, columns in _COLUMNS.items() if columns <= header), None)


def provider_of(path: Path, format: Format) -> str:
    """The provider that the catalogs' own layout names: `lambdalabs.csv`, or `lambda/vms.csv`."""
    name = path.resolve().parent.name if format == "skypilot" else path.stem
    return _PROVIDERS.get(name, name)


def read_csv(path: Path, format: Format, origin: PriceOrigin, known: PriceCatalog) -> Imported:
    """The machines of a CSV file, and what was left out of it; raises DataError where nothing is left."""
    file = _File(known, origin.provider)
    groups: dict[tuple[str, str, int, Tier, int | None], list[_Offer]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            for row in reader:
                for offer in file.offers(_READERS[format], row, reader.line_num):
                    if not offer.region.startswith(origin.region):
                        file.left_out[f"region is not {origin.region}..."] += 1
                        continue
                    groups.setdefault(offer[:5], []).append(offer)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file in UTF-8: {error}") from None
    if not groups:
        why = "; ".join(f"{reason} ({count})" for reason, count in file.left_out.items())
        raise DataError(f"{path}: no row can be used: {why or 'it has none'}")
    machines = tuple(_machine(offers, format, origin) for offers in groups.values())
    problems = tuple(_spread([offers for offers in groups.values() if _is_spread(offers)]))
    return Imported(machines, dict(file.left_out), tuple(file.bad_lines), problems)


def check_width(row: Mapping[str, str | None]) -> None:
    """Refuse a row with more cells than the header: a decimal comma without quotes moves the cells."""
    more = cast("Mapping[str | None, list[str]]", row).get(None, [])  # as DictReader has them
    if any(cell.strip() for cell in more):
        what = f"{len(more)} more than the header names; a comma in a cell needs quotes around it"
        raise WrongCellError("cells", what)


def cell_number(row: Mapping[str, str | None], column: str) -> float:
    """The number from 0 on in a cell; raises WrongCellError for any other text."""
    text = (row.get(column) or "").strip()
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise WrongCellError(column, f"{text!r} is no number from 0 on")
    return value


def _count(row: Mapping[str, str | None], column: str) -> int:
    value = cell_number(row, column)
    if value != int(value):
        raise WrongCellError(column, f"{value:g} is no whole number")
    return int(value)


def _checked(offer: _Offer, known: PriceCatalog) -> _Offer:
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


def _of_gpuhunt(file: _File, row: Mapping[str, str | None]) -> Iterator[_Offer]:
    name = row["gpu_name"]
    count = _count(row, "gpu_count")
    if not name or not count or name.startswith("tpu-"):
        file.left_out["machines without a GPU"] += 1
        return
    gpu = file.gpu(name, row.get("gpu_memory"))
    if gpu:
        tier: Tier = "spot" if (row["spot"] or "").lower() == "true" else "on_demand"
        sku, region = row["instance_name"] or "", row["location"] or ""
        yield _Offer(sku, gpu, count, tier, None, region, cell_number(row, "price"))


def _of_skypilot(file: _File, row: Mapping[str, str | None]) -> Iterator[_Offer]:
    name = row["AcceleratorName"]
    if not name or name.casefold().startswith("tpu"):
        file.left_out[_TPU if name else "machines without a GPU"] += 1
        return
    count = cell_number(row, "AcceleratorCount")
    if count != int(count) or not count:
        file.left_out["machines with a part of a GPU"] += 1
        return
    if not row.get("Price") and not row.get("SpotPrice"):
        file.left_out["machines without a price"] += 1
        return
    gpu = file.gpu(name, None)
    offered: tuple[tuple[str, Tier], ...] = (("Price", "on_demand"), ("SpotPrice", "spot"))
    for column, tier in offered:
        if gpu and row.get(column):
            sku, region = row["InstanceType"] or name, row["Region"] or ""
            yield _Offer(sku, gpu, int(count), tier, None, region, cell_number(row, column))


def _of_machines(file: _File, row: Mapping[str, str | None]) -> Iterator[_Offer]:
    named = (row.get("provider") or "").strip().casefold()
    if named and _PROVIDERS.get(named, named) != file.provider:
        raise WrongCellError("provider", f"{named!r} is not {file.provider!r}: --provider {named}")
    count = _count(row, "num_gpus") if row.get("num_gpus") else 1
    tier = (row.get("tier") or "on_demand").strip()
    if tier not in get_args(Tier):
        raise WrongCellError("tier", f"{tier!r} is none of {', '.join(get_args(Tier))}")
    term = _term(row, tier)
    if gpu := file.gpu((row["gpu"] or "").strip(), None):
        sku, region = (row["sku"] or gpu).strip(), (row.get("region") or "").strip()
        if term and f"{term} months" not in sku:
            sku = f"{sku}, {term} months"
        price = cell_number(row, "usd_per_hour")
        yield _Offer(sku, gpu, count, cast("Tier", tier), term, region, price)


def _term(row: Mapping[str, str | None], tier: str) -> int | None:
    """The months that a reserved machine is paid for; no other has them."""
    has_term = bool((row.get("term_months") or "").strip())
    if has_term != (tier == "reserved"):
        what = "a reserved machine needs its term_months, and no other has any"
        raise WrongCellError("term_months", what)
    if not has_term:
        return None
    if not (months := _count(row, "term_months")):
        raise WrongCellError("term_months", "0 is no number from 1 on")
    return months


_READERS: Mapping[str, _Reader] = {
    "gpuhunt": _of_gpuhunt,
    "skypilot": _of_skypilot,
    "machines": _of_machines,
}


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


def _machine(offers: list[_Offer], format: Format, origin: PriceOrigin) -> Machine:
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
