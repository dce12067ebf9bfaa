"""The price catalog: the packaged facts, the user's own over them, and how a row is found by name.

The packaged prices of machines that are kept as a table: `machines.csv`, and who says them.

`benchmarks/machine_prices.py` makes most of its rows again. A price alone is one without a range."""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

import yaml

from finewright.catalog.price_file import parse_prices, read_prices
from finewright.errors import DataError
from finewright.schema.aliases import close_choice
from finewright.schema.catalog import API, GPU, Fact, Machine, PriceCatalog
from finewright.trust import config_folder

COLUMNS = (
    *("provider", "sku", "gpu", "num_gpus", "tier", "term_months", "region"),
    *("low", "usd_per_hour", "high", "seen"),
)


# The order in which rows may name each other.
_FILES = ("providers", "gpus", "machines", "apis", "tunings", "storage", "deadlines", "power")

Row = TypeVar("Row", bound=Fact)


@cache
def read_packaged_prices() -> PriceCatalog:
    """The facts that ship with finewright."""
    folder = files("finewright.catalog").joinpath("prices")
    catalog = PriceCatalog()
    for name in _FILES:
        text = folder.joinpath(f"{name}.yaml").read_text(encoding="utf-8")
        catalog = merge_prices(catalog, parse_prices(text, f"{name}.yaml", catalog))
        if name == "machines":
            catalog = merge_prices(catalog, PriceCatalog(machines=machine_rows(folder)))
    return catalog


def prices(
    user_folder: Path | None = None, *, but: Path | None = None, before: Path | None = None
) -> PriceCatalog:
    """The packaged facts, and over them the `*.yaml` files of a folder in the order of their names.

    A row of the user's replaces the row of the same key. A folder that is not there holds nothing; a
    file with a mistake raises DataError. `but` is a file to leave out, `before` one to stop at: its rows may
    name those that are read so far."""
    catalog = read_packaged_prices()
    for path in user_files(user_folder):
        if before is not None and path >= before:
            break
        if but is not None and path.resolve() == but.resolve():
            continue
        catalog = merge_prices(catalog, read_prices(path, catalog))
    return catalog


def own_folder(folder: Path | None = None) -> Path:
    """The folder of the user's own prices: the one that was named, or else `prices.d` in finewright's own."""
    return folder or config_folder() / "prices.d"


def user_files(folder: Path | None) -> list[Path]:
    """The user's files of prices in the order in which they are read."""
    return sorted(folder.glob("*.yaml")) if folder is not None and folder.is_dir() else []


def check_readable(path: Path, text: str, today: date) -> None:
    """Raise DataError where, with the text in the user's file `path`, it or a later one could not be read."""
    known = prices(path.parent, before=path)
    known = merge_prices(known, parse_prices(text, str(path), known, today=today))
    for later in user_files(path.parent):
        if later > path:
            known = merge_prices(known, read_prices(later, known))


def merge_prices(below: PriceCatalog, above: PriceCatalog) -> PriceCatalog:
    """Both catalogs' rows; where two have the same key, the one from above in the place of the other."""
    return PriceCatalog.model_validate(
        {
            section: _over(getattr(below, section), getattr(above, section))
            for section in PriceCatalog.model_fields
        }
    )


def digest(catalog: PriceCatalog) -> str:
    """Twelve hex digits that are others as soon as one fact is: estimates print them."""
    return hashlib.sha256(catalog.model_dump_json().encode()).hexdigest()[:12]


def gpu_named(catalog: PriceCatalog, name: str) -> GPU:
    """The GPU of that name or alias; case, spaces, hyphens and the maker's name do not matter.

    Raises DataError when there is none."""
    wanted = fold_gpu_name(name)
    for gpu in catalog.gpus:
        if wanted in map(fold_gpu_name, (gpu.name, *gpu.aliases)):
            return gpu
    raise _unknown("GPU", name, [gpu.name for gpu in catalog.gpus])


def fold_gpu_name(name: str) -> str:
    """A GPU's name without what does not tell it apart: case, spaces, hyphens, the maker."""
    words = name.casefold().replace("-", " ").replace("_", " ").split()
    return "".join(word for word in words if word not in {"nvidia", "amd"})


def machines_of(
    catalog: PriceCatalog, *, provider: str = "", gpu: str = "", tiers: Sequence[str] = ()
) -> list[Machine]:
    """The machines that fit what is asked, in the catalog's order; "" and () ask for nothing.

    Raises DataError for a provider or a GPU that the catalog does not know."""
    providers = [row.name for row in catalog.providers]
    if provider not in ("", *providers):
        raise _unknown("provider", provider, providers)
    name = gpu_named(catalog, gpu).name if gpu else ""
    return [
        machine
        for machine in catalog.machines
        if provider in ("", machine.provider)
        and name in ("", machine.gpu)
        and machine.tier in (tiers or (machine.tier,))
    ]


def check_tier(catalog: PriceCatalog, name: str) -> None:
    """Raise DataError for a tier that no machine of the catalog is rented at."""
    tiers = sorted({row.tier for row in catalog.machines})
    if name not in tiers:
        raise _unknown("tier", name, tiers)


def api_named(catalog: PriceCatalog, name: str) -> API:
    """The API of `model` or `provider/model`; raises DataError when there is none."""
    for api in catalog.apis:
        if name in (api.model, f"{api.provider}/{api.model}"):
            return api
    raise _unknown("API model", name, [api.model for api in catalog.apis])


def _over(below: Iterable[Row], above: Iterable[Row]) -> tuple[Row, ...]:
    rows = {row.key(): row for row in below}
    rows.update({row.key(): row for row in above})
    return tuple(rows.values())


def _unknown(kind: str, name: str, names: Sequence[str]) -> DataError:
    near = close_choice(name, names) or f"; known are {', '.join(names)}"
    return DataError(f"unknown {kind} {name!r}{near}", hint="or add it to a file of prices")


def check_user_folder(folder: Path | None) -> None:
    """Raise DataError, before anything is asked or run, where the prices of `--prices` are in no folder."""
    if folder is not None and not folder.is_dir():
        what = "is a file" if folder.exists() else "no such folder"
        hint = "--prices takes the folder that your *.yaml files of prices lie in"
        raise DataError(f"--prices {folder}: {what}", hint=hint)


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
