"""Prices of machines from the CSV files of gpuhunt (dstack) and of the SkyPilot catalog.

Both name neither a source nor a day, so these come from whoever imports. The rows of a machine in
several regions become one row: its lowest, median and highest price. Read for gpuhunt 0.1.34 (columns
of its catalog v2 and v3) and the SkyPilot catalog v8; CPU-only machines and TPUs are left out."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import median
from typing import Literal, NamedTuple

from finewright.catalog.prices import folded
from finewright.errors import DataError
from finewright.schema.catalog import GPU, Machine, PriceCatalog
from finewright.schema.cost import Range

Format = Literal["gpuhunt", "skypilot"]
_COLUMNS: Mapping[Format, frozenset[str]] = {
    "gpuhunt": frozenset({"instance_name", "location", "price", "gpu_count", "gpu_name", "spot"}),
    "skypilot": frozenset(
        {"InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "Region"}
    ),
}
_PROVIDERS = {"lambdalabs": "lambda", "vastai": "vast"}
"""Names of these catalogs -> ours, where they differ."""
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
    """The machines of a file, and the rows that gave none by the reason."""

    machines: tuple[Machine, ...]
    left_out: dict[str, int]


class _Offer(NamedTuple):
    sku: str
    gpu: str
    num_gpus: int
    is_spot: bool
    region: str
    price: float


@dataclass(slots=True)
class _File:
    path: Path
    gpus: tuple[GPU, ...]
    left_out: Counter[str] = field(default_factory=Counter)

    def number(self, row: Mapping[str, str | None], column: str, line: int) -> float:
        text = (row.get(column) or "").strip()
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            what = f"must be a number that is not negative, not {text!r}"
            raise DataError(f"{self.path}:{line}: {column}: {what}")
        return value

    def gpu(self, name: str, memory: str | None) -> str | None:
        """Our name of a GPU that the file names with or without its memory; None and noted otherwise."""
        gib = float(memory) if memory and memory.replace(".", "", 1).isdigit() else None
        tries = [f"{name}-{gib:.0f}GB"] if gib else []
        for wanted in map(folded, [*tries, name]):
            for gpu in self.gpus:
                has = gib is None or abs(gpu.vram_gib - gib) <= _NEAR * gpu.vram_gib
                if has and wanted in map(folded, (gpu.name, *gpu.aliases)):
                    return gpu.name
        self.left_out[f"GPU not in the catalog: {name}{f' {gib:.0f} GB' if gib else ''}"] += 1
        return None


def format_of(path: Path) -> Format | None:
    """Which of the two a CSV file is, by its header; None for any other."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = set(next(csv.reader(file), []))
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    return next((name for name, columns in _COLUMNS.items() if columns <= header), None)


def provider_of(path: Path, format: Format) -> str:
    """The provider that the catalogs' own layout names: `lambdalabs.csv`, or `lambda/vms.csv`."""
    name = path.stem if format == "gpuhunt" else path.resolve().parent.name
    return _PROVIDERS.get(name, name)


def read_csv(path: Path, format: Format, origin: PriceOrigin, known: PriceCatalog) -> Imported:
    """The machines of a CSV file; raises DataError with file, line and column for a wrong figure."""
    file = _File(path, known.gpus)
    offers_of: Callable[[_File, Mapping[str, str | None], int], Iterator[_Offer]]
    offers_of = _of_gpuhunt if format == "gpuhunt" else _of_skypilot
    groups: dict[tuple[str, str, int, bool], list[_Offer]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            for row in reader:
                for offer in offers_of(file, row, reader.line_num):
                    if not offer.region.startswith(origin.region):
                        file.left_out[f"region is not {origin.region}..."] += 1
                        continue
                    groups.setdefault(offer[:4], []).append(offer)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file in UTF-8: {error}") from None
    machines = [_machine(offers, format, origin) for offers in groups.values()]
    return Imported(tuple(machines), dict(file.left_out))


def _of_gpuhunt(file: _File, row: Mapping[str, str | None], line: int) -> Iterator[_Offer]:
    name = row["gpu_name"]
    count = int(file.number(row, "gpu_count", line))
    if not name or not count or name.startswith("tpu-"):
        file.left_out["machines without a GPU"] += 1
        return
    gpu = file.gpu(name, row.get("gpu_memory"))
    if gpu:
        price = file.number(row, "price", line)
        is_spot = (row["spot"] or "").lower() == "true"
        yield _Offer(row["instance_name"] or "", gpu, count, is_spot, row["location"] or "", price)


def _of_skypilot(file: _File, row: Mapping[str, str | None], line: int) -> Iterator[_Offer]:
    name = row["AcceleratorName"]
    if not name or name.startswith("tpu-"):
        file.left_out["machines without a GPU"] += 1
        return
    count = file.number(row, "AcceleratorCount", line)
    if count != int(count) or not count:
        file.left_out["machines with a part of a GPU"] += 1
        return
    gpu = file.gpu(name, None)
    for column, is_spot in (("Price", False), ("SpotPrice", True)):
        if gpu and row.get(column):
            price = file.number(row, column, line)
            sku, region = row["InstanceType"] or name, row["Region"] or ""
            yield _Offer(sku, gpu, int(count), is_spot, region, price)


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
        tier="spot" if first.is_spot else "on_demand",
        region=regions.pop() if len(regions) == 1 else origin.region or "any",
        usd_per_hour=Range(low=min(prices), median=median(prices), high=max(prices)),
        method=f"{format}: prices in {where}",
        source=origin.source,
        observed_at=origin.observed_at,
    )
