"""The packaged prices of machines that are kept as a table: `machines.csv`, and who says them.

`benchmarks/machine_prices.py` makes most of its rows again. A price alone is one without a range."""

import csv
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable

import yaml

from finewright.schema.catalog import Machine

COLUMNS = (
    *("provider", "sku", "gpu", "num_gpus", "tier", "term_months", "region"),
    *("low", "usd_per_hour", "high", "seen"),
)


def machine_rows(folder: Traversable) -> tuple[Machine, ...]:
    """The rows of the table in a folder, each with the source, the day and the method of its observation."""
    text = folder.joinpath("machines_seen.yaml").read_text(encoding="utf-8")
    seen = yaml.load(text, Loader=yaml.CSafeLoader)  # noqa: TID251 - our own file
    table = folder.joinpath("machines.csv").read_text(encoding="utf-8")
    return tuple(_machines(csv.DictReader(table.splitlines()), seen))


def _machines(
    rows: Iterator[Mapping[str, str]], seen: Mapping[str, Mapping[str, object]]
) -> Iterator[Machine]:
    for row in rows:
        price = float(row["usd_per_hour"])
        ends = {"low": float(row["low"] or price), "high": float(row["high"] or price)}
        yield Machine.model_validate(
            {
                **{key: row[key] for key in ("provider", "sku", "gpu", "tier", "region")},
                "num_gpus": int(row["num_gpus"]),
                "term_months": int(row["term_months"]) if row["term_months"] else None,
                "usd_per_hour": {**ends, "median": price},
                **seen[row["seen"]],
            }
        )
