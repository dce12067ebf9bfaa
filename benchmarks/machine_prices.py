"""Make the rows of `machines.csv` that come from two public collections again; the others stay.

    python benchmarks/machine_prices.py PRICES_JSON GPU_PRICING_RAW_CSV

The first is `data/prices.json` of github.com/hemgo-lexsi/gpu-price-dashboard, of new clouds and markets; the
second `gpu_pricing_raw.csv` of github.com/sooddvs/gpu-pricing, of the large clouds' price interfaces. Their
days stand in `machines_seen.yaml`, and are changed there by hand. Left out, and counted: parts of a GPU,
prices of a GPU without its machine (Google's), cards that the catalog does not know, and what a row that is
kept by hand in `machines.yaml` has for the same provider, GPU, number and tier."""

import argparse
import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from finewright.catalog.price_file import parse_prices
from finewright.catalog.prices import COLUMNS, fold_gpu_name, read_packaged_prices
from finewright.schema.catalog import Machine

FOLDER = Path(str(files("finewright.catalog").joinpath("prices")))
MADE = ("dashboard", "dashboard-market", "dashboard-list", "interfaces")
PROVIDERS = {
    "RunPod": "runpod",
    "Vast.ai": "vast",
    "Verda (DataCrunch)": "verda",
    "Nebius": "nebius",
    "Oracle OCI": "oci",
    "Hyperstack": "hyperstack",
    "YottaLabs.ai": "yottalabs",
    "E2E Networks": "e2e",
    "JarvisLabs": "jarvislabs",
    "DigitalOcean": "digitalocean",
    "Yotta Shakti Cloud": "shakti",
    "AWS EC2": "aws",
    "AWS SageMaker": "sagemaker",
    "Azure": "azure",
    "Vultr": "vultr",
}
OCI_GPUS = {"A10": 1, "L40S": 4}
"""GPUs of Oracle's smallest machine, where it is not the bare metal of eight."""
REGIONS = ("us-east-1", "eastus", "eastus2", "westus2", "global", "")
TIERS = {
    "on-demand": "on_demand",
    "on_demand": "on_demand",
    "spot": "spot",
    "community": "community",
    "secure": "secure",
}
_LEAST_SHARE = 0.25
"""Of the middle price of all offers of a card: below it an offer is a mistake, a lure or a part of a card."""
MIG = ("RTX 6000 Pro (Blackwell)", 90)
"""Below so many GB it is a part of the card."""
NAMES = {
    "RTX 6000 Pro (Blackwell)": "RTX PRO 6000 Server",
    "RTX Pro 6000": "RTX PRO 6000 Server",
    "A100": "A100 80GB PCIe",
    "NVIDIA B300 SXM6 AC": "B300",
    "NVIDIA H100 80GB HBM3": "H100 SXM",
}


class Row(NamedTuple):
    """A line of the table; the first four columns, the tier, the term and the region tell it apart."""

    provider: str
    sku: str
    gpu: str
    num_gpus: int
    tier: str
    term_months: str
    region: str
    price: float
    seen: str


def main() -> None:
    """Write the table again, and say what was left out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prices", type=Path, help="prices.json of gpu-price-dashboard")
    parser.add_argument("raw", type=Path, help="gpu_pricing_raw.csv of gpu-pricing")
    options = parser.parse_args()
    with (FOLDER / "machines.csv").open(newline="") as file:
        old = [row for row in csv.DictReader(file) if row["seen"] not in MADE]
    rows, left = made(options.prices, options.raw, old)
    with (FOLDER / "machines.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*old, *rows])
    print(
        f"{len(old) + len(rows)} rows of {len({row['provider'] for row in [*old, *rows]})} providers"
    )
    for why, count in left.items():
        print(f"left out: {count} {why}")


def made(
    prices: Path, raw: Path, old: Sequence[Mapping[str, str]]
) -> tuple[list[dict[str, object]], dict[str, int]]:
    """The rows of both collections beside old ones, and what was left out by the reason."""
    left: Counter[str] = Counter()
    kept = parse_prices(
        (FOLDER / "machines.yaml").read_text(), "machines.yaml", read_packaged_prices()
    )
    by_hand = {_offer(row) for row in kept.machines}
    by_hand |= {(row["provider"], row["gpu"], int(row["num_gpus"]), row["tier"]) for row in old}
    found = [*_dashboard(json.loads(prices.read_text()), left), *_interfaces(raw, left)]
    fair = list(_plausible(found, left))
    new = [row for row in fair if row[0:1] + row[2:5] not in by_hand or row.tier == "reserved"]
    left["kept by hand"] = len(fair) - len(new)
    rows = list(_lines(_newest(new, left)))
    return rows, {why: count for why, count in left.most_common() if count}


def _plausible(rows: Sequence[Row], left: Counter[str]) -> Iterator[Row]:
    middles = {
        gpu: median(row.price / row.num_gpus for row in rows if row.gpu == gpu)
        for gpu in {row.gpu for row in rows}
    }
    for row in rows:
        if row.price / row.num_gpus >= _LEAST_SHARE * middles[row.gpu]:
            yield row
        else:
            left[f"too cheap to be true: {row.provider}, {row.gpu} at {row.price:g}"] += 1


def _offer(row: Machine) -> tuple[str, str, int, str]:
    return row.provider, row.gpu, row.num_gpus, row.tier


def _dashboard(document: Mapping[str, Any], left: Counter[str]) -> Iterator[Row]:
    for each in document["prices"]:
        provider = PROVIDERS.get(each["provider"])
        if provider in (None, "aws", "azure"):  # a GPU's part of a machine of eight
            left[f"of {each['provider']}"] += 1
            continue
        label = each["gpu_label"]
        gpu = _gpu(label, each["vram_gb"])
        if gpu is None or (label == MIG[0] and each["vram_gb"] < MIG[1]):
            left[f"{label} {each['vram_gb']:g} GB"] += 1
            continue
        num = OCI_GPUS.get(gpu, 8) if provider == "oci" else 1
        seen = "dashboard-market" if provider == "vast" else "dashboard"
        yield Row(
            provider,
            gpu if num == 1 else f"{num} x {gpu}",
            gpu,
            num,
            TIERS[each["billing"]],
            "",
            "any",
            each["usd_per_hr"] * num,
            "dashboard-list" if each["source_kind"] == "list" else seen,
        )


def _interfaces(raw: Path, left: Counter[str]) -> Iterator[Row]:
    with raw.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        provider = PROVIDERS.get(row["provider"])
        if provider in (None, "oci") or row["region"] not in REGIONS:
            left[f"of {row['provider']} in {row['region'] or 'no region'}"] += 1
            continue
        gpu = _gpu(row["sku"] if provider == "runpod" else row["gpu_type"], None)
        if gpu is None:
            left[row["gpu_type"]] += 1
            continue
        tier, months = _term(row["price_tier"], provider)
        num = int(row["gpu_count"] or 1)
        price = float(row["total_hourly_usd"] or row["per_gpu_hourly_usd"])
        sku = f"{row['sku']}, {months} months" if months else row["sku"]
        region = "any" if row["region"] in ("global", "") else row["region"]
        yield Row(provider, sku, gpu, num, tier, months, region, price, "interfaces")


def _term(tier: str, provider: str) -> tuple[str, str]:
    if tier.endswith("mo"):
        return "reserved", tier.removesuffix("mo")
    if provider == "runpod":
        return ("community" if tier == "spot" else "secure"), ""
    return TIERS[tier], ""


def _gpu(label: str, vram_gb: float | None) -> str | None:
    """The catalog's name of a card; where it names its memory, that must be it too."""
    name = NAMES.get(label, label)
    for gpu in read_packaged_prices().gpus:
        if fold_gpu_name(name) in map(fold_gpu_name, (gpu.name, *gpu.aliases)):
            near = vram_gb is None or abs(gpu.vram_gib - vram_gb) < 0.1 * gpu.vram_gib
            return gpu.name if near else None
    return None


def _newest(rows: Iterable[Row], left: Counter[str]) -> list[list[Row]]:
    """The prices of an offer together; of one that both collections have, the newer one's."""
    offers: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        place = "any" if row.region.startswith(("east", "west", "us-")) else row.region
        offers[(*row[0:1], *row[2:6], place, row.sku if row.provider != "runpod" else "")].append(
            row
        )
    for each in offers.values():
        newest = min(MADE.index(row.seen) for row in each)
        older = [row for row in each if MADE.index(row.seen) != newest]
        left["older than another's"] += len(older)
        each[:] = [row for row in each if row not in older]
    return list(offers.values())


def _lines(offers: Sequence[Sequence[Row]]) -> Iterator[dict[str, object]]:
    for rows in offers:
        prices = [row.price for row in rows]
        wide = len(set(prices)) > 1
        yield {
            **{key: getattr(rows[0], key) for key in COLUMNS if key in Row._fields},
            "low": f"{min(prices):.4g}" if wide else "",
            "usd_per_hour": f"{median(prices):.6g}",
            "high": f"{max(prices):.4g}" if wide else "",
        }


if __name__ == "__main__":
    main()
