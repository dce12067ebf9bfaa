"""`catalog list`: the dated facts that estimates stand on, and how old they are."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from finewright.catalog.price_earlier import DATED, older_over_newer
from finewright.catalog.prices import (
    digest,
    gpu_named,
    machines_of,
    prices,
    read_packaged_prices,
    user_files,
)
from finewright.errors import DataError
from finewright.estimate.freshness import AGED, ends_within, freshness, oldest
from finewright.report.cells import count_of
from finewright.schema.aliases import close_choice
from finewright.schema.catalog import Fact, PriceCatalog
from finewright.schema.catalog_report import CatalogList
from finewright.schema.common import Problem

_HORIZON_DAYS = 365


def list_catalog(
    user_folder: Path, today: date, *, section: str = "", provider: str = "", gpu: str = ""
) -> CatalogList:
    """The packaged facts and the user's over them, how old they are, and what ends within a year.

    `section`, `provider` and `gpu` show a part. Raises DataError where one of them is unknown."""
    whole = prices(user_folder)
    shown = _part(whole, section, provider, gpu)
    sections = {name: getattr(shown, name) for name in DATED}
    ages = {name: age for name, rows in sections.items() if (age := oldest(rows, today))}
    return CatalogList(
        today=today,
        digest=digest(whole),
        files=tuple(str(path) for path in user_files(user_folder)),
        catalog=shown,
        ages=ages,
        ending=tuple(ends_within(shown.deadlines, today, _HORIZON_DAYS)),
        problems=(*age_problems(shown, today), *older_over_newer(read_packaged_prices(), shown)),
    )


def _part(whole: PriceCatalog, section: str, provider: str, gpu: str) -> PriceCatalog:
    if section and section not in PriceCatalog.model_fields:
        names = [*PriceCatalog.model_fields]
        near = close_choice(section, names) or f"; there are {', '.join(names)}"
        raise DataError(f"unknown section {section!r}{near}")
    wanted = (section,) if section else tuple(PriceCatalog.model_fields)
    shown = _find_sold(whole, provider, gpu) if provider or gpu else dict(whole)
    parts = {name: rows for name, rows in shown.items() if name in wanted}
    return PriceCatalog.model_validate(parts)


def _find_sold(whole: PriceCatalog, provider: str, gpu: str) -> dict[str, tuple[Fact, ...]]:
    """What a provider sells, or who has a GPU."""
    machines = {"machines": tuple(machines_of(whole, provider=provider, gpu=gpu))}
    if gpu:
        return {**machines, "gpus": (gpu_named(whole, gpu),)}
    others = {name: getattr(whole, name) for name in ("apis", "storage", "deadlines")}
    of_it = {k: tuple(row for row in v if row.provider == provider) for k, v in others.items()}
    return {**machines, **of_it}


def age_problems(catalog: PriceCatalog, today: date) -> Iterator[Problem]:
    """A warning for each section and level of age, with the rows it is about."""
    for section in DATED:
        old: dict[str, list[Fact]] = {"aging": [], "stale": []}
        for row in getattr(catalog, section):
            old.get(freshness(row.observed_at, today).level, []).append(row)
        for level, rows in old.items():
            if rows:
                yield _age_problem(section, level, rows, today)


def _age_problem(section: str, level: str, rows: Sequence[Fact], today: date) -> Problem:
    age = max((today - row.observed_at).days for row in rows)
    owners = dict.fromkeys(row.key()[0] for row in rows)
    count = count_of(len(rows), "row is", "rows are")
    return Problem(
        level="warning",
        key=section,
        message=f"{count} {AGED[level]} (the oldest {age} days): {', '.join(owners)}",
        hint="look the prices up and put them into a file of your own",
    )
