"""`catalog check`, `import` and `refresh`: files of prices, and what comes of them."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from finewright import plugins
from finewright.catalog.price_earlier import (
    list_replaced,
    older_over_newer,
    over_earlier,
    warn_of_erased,
    with_providers,
    without_older,
)
from finewright.catalog.price_file import (
    PriceFile,
    PriceList,
    PriceOrigin,
    prices_text,
    read_prices,
)
from finewright.catalog.prices import check_readable, prices
from finewright.errors import DataError, MissingExtra
from finewright.schema.aliases import close_choice
from finewright.schema.catalog import API, LEAST_SAID, PriceCatalog
from finewright.schema.catalog_report import (
    CatalogCheck,
    CatalogImport,
    CatalogRefresh,
    PriceChange,
)
from finewright.schema.common import Problem
from finewright.schema.cost import Range
from finewright.store.atomic import os_errors, write_text
from finewright.workbench.catalog import age_problems

_MADE_HERE = "# Made by finewright catalog"
_GENAI = "genai-prices"
_FOREIGN = {".csv", ".json"}
"""The names of files that are no YAML of ours."""
_PROVIDER = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")

_OWN = "prices"
"""The format of finewright's own YAML; any other is the name of a plugin of the kind price_file."""


class ImportStatement(NamedTuple):
    """What whoever imports a foreign file says of it: the source and the day it does not name itself.

    `provider` where the file's name does not tell it; `region` keeps the regions that begin so."""

    source: str = ""
    observed_at: str = ""
    provider: str = ""
    region: str = ""


_UNSAID = ImportStatement()


def check_file(path: Path, user_folder: Path, today: date) -> CatalogCheck:
    """What a file of prices would bring, were it among the user's own; changes nothing.

    Raises DataError with one line for every mistake, an observation after today among them."""
    if path.suffix.lower() == ".csv":
        kind = _kind(path, "auto")
        hint = f"finewright catalog import {path} --source ADDRESS --observed-at DAY"
        raise DataError(f"{path}: a CSV ({kind}) is checked as it is imported", hint=hint)
    whole = prices(user_folder, but=path)
    found = read_prices(path, whole, today=today)
    return CatalogCheck(
        path=str(path),
        rows=_counts(found),
        replaced=list_replaced(whole, found),
        problems=(*age_problems(found, today), *older_over_newer(whole, found)),
    )


def import_file(
    path: Path,
    user_folder: Path,
    today: date,
    *,
    format: str = "auto",
    said: ImportStatement = _UNSAID,
) -> CatalogImport:
    """Put a file's prices among the user's own: YAML as it is, or a kind of file that a package reads;
    or those of a folder that is laid out as such catalogs are.

    A file of that name that was not made here stays: that raises DataError, as every mistake does,
    before anything is written; MissingExtra says which package would read the file."""
    if path.is_dir():
        return _import_folder(path, user_folder, today, said)
    whole = prices(user_folder)
    kind = _kind(path, format)
    heading = f"{_MADE_HERE[2:]} import from {path.name} on {today}."
    if kind == _OWN:
        target = user_folder / f"{_slug(path.stem)}.yaml"
        found = read_prices(path, whole, today=today)
        foreign = _Foreign(target, found, {}, (), tuple(warn_of_erased(found, target, whole)))
        text = f"# {heading}\n{path.read_text(encoding='utf-8-sig')}"
    else:
        foreign = _foreign(path, kind, user_folder, whole, said, today)
        target = foreign.target
        found = with_providers(foreign.found, target)
        whole_file, stay = over_earlier(found, target, whole)
        foreign = foreign._replace(problems=(*foreign.problems, *stay))
        text = prices_text(whole_file, heading)
    # What is written must be readable ever after, whatever stood in a foreign file.
    check_readable(target, text, today)
    _write(target, text)
    ages = (*age_problems(found, today), *older_over_newer(whole, found))
    return CatalogImport(
        path=str(path),
        format=kind,
        written=str(target),
        rows=_counts(found),
        replaced=list_replaced(whole, found),
        left_out=foreign.left_out,
        problems=(*ages, *foreign.problems),
        bad_lines=foreign.bad_lines,
    )


class _Foreign(NamedTuple):
    """What a file brings, the file of ours that it goes to, and what is to be said of it."""

    target: Path
    found: PriceCatalog
    left_out: dict[str, int]
    bad_lines: tuple[str, ...]
    problems: tuple[Problem, ...]


def _foreign(
    path: Path,
    kind: str,
    user_folder: Path,
    whole: PriceCatalog,
    said: ImportStatement,
    today: date,
) -> _Foreign:
    """The rows that are no older than the catalog's; raises DataError where there are none."""
    source: PriceFile = plugins.resolve("price_file", kind)
    source.check(path)
    origin = _origin(path, said.provider or source.provider_of(path), said, whole, today)
    read = source.read(path, origin, whole)
    newer = without_older(PriceCatalog(machines=read.machines, apis=read.apis), whole)
    left_out = dict(read.left_out)
    if newer.seen_later:
        left_out[f"older than the catalog's ({origin.observed_at})"] = len(newer.seen_later)
    target = user_folder / f"{_slug(f'{kind} {origin.provider}')}.yaml"
    problems = (*read.problems, *newer.problems(path))
    return _Foreign(target, newer.found, left_out, read.bad_lines, problems)


def _import_folder(
    folder: Path, user_folder: Path, today: date, said: ImportStatement
) -> CatalogImport:
    """Each file of a catalog; one of which nothing can be used is told, and stops none of the others."""
    if said.provider:
        hint = "leave --provider out, or import the one file"
        raise DataError(f"{folder}: a folder names the provider of each file itself", hint=hint)
    kind, paths = _files_in(folder)
    done: list[CatalogImport] = []
    useless: Counter[str] = Counter()
    for path in paths:
        try:
            done.append(import_file(path, user_folder, today, said=said))
        except DataError as error:
            useless[str(error)] += 1
    if not done:
        raise DataError("\n".join(useless))
    return _together(folder, kind, done, useless)


def _together(
    folder: Path, kind: str, done: Sequence[CatalogImport], useless: Counter[str]
) -> CatalogImport:
    """The imports of a folder's files as one; what each left out is told with the provider's name."""
    names = [Path(each.path).parent.name for each in done]
    rows, left, lines = Counter[str](), useless, list[str]()
    for name, each in zip(names, done, strict=True):
        rows.update(each.rows)
        lines += (f"{name}: {line}" for line in each.bad_lines)
        left.update({f"{name}: {why}": count for why, count in each.left_out.items()})
    return CatalogImport(
        path=str(folder),
        format=kind,
        written=", ".join(each.written for each in done),
        rows=dict(rows),
        replaced=tuple(row for each in done for row in each.replaced),
        left_out=dict(left),
        problems=tuple(problem for each in done for problem in each.problems),
        bad_lines=tuple(lines),
    )


def _files_in(folder: Path) -> tuple[str, Sequence[Path]]:
    """Whose layout a folder has, and its files."""
    for name in plugins.list_names("price_file"):
        source: PriceFile = plugins.resolve("price_file", name)
        if paths := source.files_in(folder):
            return name, paths
    _refuse_without_package(folder)
    hint = "a folder must be laid out as SkyPilot's catalog: PROVIDER/vms.csv"
    raise DataError(f"{folder}: no prices in it", hint=hint)


def refresh(user_folder: Path, today: date, *, also: Sequence[str] = ()) -> CatalogRefresh:
    """Bring API prices up to the data of the installed genai-prices; `also` adds provider/model.

    No network: it is as new as the package. Writes one file among the user's own, where there is
    something to write. Raises MissingExtra without the package, DataError for an unknown provider."""
    price_list: PriceList = plugins.resolve("price_list", _GENAI)
    whole = prices(user_folder)
    _check_providers(also, whole)
    found = price_list(whole, today, also)
    target = user_folder / f"{_GENAI}.yaml"
    if found.apis:
        earlier = read_prices(target, whole).apis if target.is_file() else ()
        rows = {api.key(): api for api in (*earlier, *found.apis)}
        heading = f"{_MADE_HERE[2:]} refresh from {found.source} on {today}."
        whole_file = with_providers(PriceCatalog(apis=tuple(rows.values())), target)
        _write(target, prices_text(whole_file, heading))
    old = {api.key(): api for api in whole.apis}
    return CatalogRefresh(
        source=found.source,
        written=str(target) if found.apis else "",
        changes=tuple(_change(old.get(api.key()), api) for api in found.apis),
        left_alone=found.left_alone,
    )


def _check_providers(names: Sequence[str], whole: PriceCatalog) -> None:
    providers = sorted({row.name for row in whole.providers})
    for name in names:
        provider, _, model = name.partition("/")
        if provider not in providers or not model:
            what = f"{name!r} names no provider of the catalog{close_choice(provider, providers)}"
            raise DataError(what, hint="provider/model")


def _counts(catalog: PriceCatalog) -> dict[str, int]:
    counts = {name: len(getattr(catalog, name)) for name in PriceCatalog.model_fields}
    return {name: count for name, count in counts.items() if count}


def _kind(path: Path, format: str) -> str:
    """The format of a file: the one that is named, or by its name and what the packages recognise."""
    if format != "auto":
        return format
    if path.suffix.lower() not in _FOREIGN:
        return _OWN
    if not path.is_file():
        raise DataError(f"{path}: no such file", hint="give a CSV or a YAML file of prices")
    return _recognise_format(path)


def _recognise_format(path: Path) -> str:
    """The format that a package recognises a file as."""
    sources: dict[str, PriceFile] = {
        name: plugins.resolve("price_file", name) for name in plugins.list_names("price_file")
    }
    if found := next((name for name, of in sources.items() if of.recognises(path)), None):
        return found
    _refuse_without_package(path)
    forms = ", ".join(source.form for source in sources.values())
    hint = f"known are {forms}, and finewright's YAML"
    raise DataError(f"{path}:1: these columns are of no catalog we know", hint=hint)


def _refuse_without_package(path: Path) -> None:
    """Raise MissingExtra where a package that is not installed might read it."""
    if missing := plugins.not_installed("price_file"):
        what = f"{path}: prices of other catalogs need a package that is not installed"
        raise MissingExtra(what, hint=next(iter(missing.values())))


def _origin(
    path: Path, provider: str, said: ImportStatement, whole: PriceCatalog, today: date
) -> PriceOrigin:
    """What a foreign file does not say of itself."""
    for key, value in (("source", said.source), ("observed_at", said.observed_at)):
        if not value:
            hint = "--source ADDRESS --observed-at DAY"
            raise DataError(f"{path}: {key}: the file does not say it, so you must", hint=hint)
    if len(said.source) < LEAST_SAID:
        hint = "--source ADDRESS"
        raise DataError(f"{path}: source: {said.source!r} says nobody who says so", hint=hint)
    day = _day_of(path, said.observed_at, today)
    names = sorted(row.name for row in whole.providers)
    if provider and provider not in names:
        _check_new(path, provider, names)
    return PriceOrigin(provider, said.source, day, said.region)


def _day_of(path: Path, observed_at: str, today: date) -> date:
    try:
        day = date.fromisoformat(observed_at)
    except ValueError:
        what = f"must be a day such as {today}, not {observed_at!r}"
        raise DataError(f"{path}: observed_at: {what}") from None
    if day > today:
        raise DataError(f"{path}: observed_at: {day} is after today, {today}")
    return day


def _check_new(path: Path, provider: str, names: Sequence[str]) -> None:
    """Refuse what is no provider's name, and what is nearly one that is known."""
    hint = "--provider NAME"
    if not _PROVIDER.fullmatch(provider):
        what = f"{provider!r} is no name of a provider: small letters, digits and hyphens"
        raise DataError(f"{path}: {what}", hint=hint)
    if near := close_choice(provider, names):
        raise DataError(f"{path}: unknown provider {provider!r}{near}", hint=hint)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-") or "prices"


def _write(target: Path, text: str) -> None:
    with os_errors(target):
        if target.is_file() and not target.read_bytes().startswith(_MADE_HERE.encode()):
            hint = "rename it, or take its rows over by hand"
            raise DataError(f"{target}: is there already, and was not made by an import", hint=hint)
        target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, text)


def _change(old: API | None, new: API) -> PriceChange:
    return PriceChange(
        provider=new.provider,
        model=new.model,
        before=_rates(old) if old else "",
        after=_rates(new),
        observed_at=new.observed_at,
    )


def _rates(api: API) -> str:
    return f"{_dollars(api.usd_per_million_in)} / {_dollars(api.usd_per_million_out)}"


def _dollars(price: Range) -> str:
    if price.low == price.high:
        return f"{price.median:g}"
    return f"{price.low:g}-{price.high:g}"
