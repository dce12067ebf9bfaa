"""A file of prices, read with the line of everything that is wrong in it.

Takes plain YAML of bounded size: no tags, aliases or merge keys. It says nothing about whether a price
is true; only that somebody is named who says so, and a day.

Where prices of others come from: a kind of file that is imported, and a list that a package carries."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import yaml
from pydantic import ValidationError

from finewright.errors import DataError
from finewright.schema.aliases import close_choice
from finewright.schema.catalog import API, Fact, Machine, PriceCatalog
from finewright.schema.common import Problem
from finewright.schema.cost import Range
from finewright.schema.explain import explain, group
from finewright.schema.nodes import Loc, SpecNotes, Tree, ValuePlace, read, short, walk

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class PriceOrigin(NamedTuple):
    """What the files do not say of themselves."""

    provider: str
    source: str
    observed_at: date
    region: str = ""
    """Only regions whose names begin so."""


class ImportedPrices(NamedTuple):
    """The machines or APIs of a file, and the rows that gave none by the reason."""

    machines: tuple[Machine, ...]
    apis: tuple[API, ...]
    left_out: dict[str, int]
    bad_lines: tuple[str, ...] = ()
    """Every line that a wrong cell made useless."""
    problems: tuple[Problem, ...] = ()


class PriceFile(Protocol):
    """A kind of file with prices. `check` and `read` raise DataError with one line for every mistake."""

    @property
    def form(self) -> str:
        """What such a file is, to go on `known are`."""

    def recognises(self, path: Path) -> bool:
        """Whether a file is one, by its name or its first line; reads no more of it."""

    def check(self, path: Path) -> None:
        """Refuse what is no such file, whatever is or is not said of it."""

    def provider_of(self, path: Path) -> str:
        """The provider that the place of the file names; empty where it names none."""

    def files_in(self, folder: Path) -> Sequence[Path]:
        """The files of a folder that is laid out as catalogs of this kind are; none of any other."""

    def read(self, path: Path, origin: PriceOrigin, known: PriceCatalog) -> ImportedPrices:
        """The rows that can be used, and why each other one is left out."""


class RefreshedPrices(NamedTuple):
    """Rows that are newer than the catalog's, and why each other one was left alone."""

    source: str
    apis: tuple[API, ...]
    left_alone: dict[str, str]
    """provider/model -> why."""


class PriceList(Protocol):
    """The prices of APIs that an installed package carries."""

    def __call__(
        self, catalog: PriceCatalog, today: date, also: Sequence[str] = ()
    ) -> RefreshedPrices:
        """The catalog's APIs, and `also` (provider/model), as the package has them on that day."""


_LARGEST_BYTES = 10_000_000
_MOST_MISTAKES = 50
_EXAMPLE = 'docs/cost.md has an example under "Your own prices"'
_MENDS = {
    "source": "say who says so, such as the address of the price page",
    "observed_at": "say the day you saw it, such as 2026-11-25",
    "method": "say how the figure came about, such as: list price",
}


def read_prices(path: Path, known: PriceCatalog, *, today: date | None = None) -> PriceCatalog:
    """The rows of a file; its machines and APIs may name what `known` or the file itself has.

    Raises DataError with one line for every mistake: `file:line: key: what`; with `today`, an
    observation of a later day is one."""
    return parse_prices(_text_of(path), str(path), known, today=today)


def parse_prices(
    text: str, name: str, known: PriceCatalog, *, today: date | None = None
) -> PriceCatalog:
    """`read_prices` for text that came from the file of that name."""
    notes = SpecNotes()
    tree = read(text, (), lambda line: ValuePlace(f"{name}:{line}", line), notes)
    if notes.mistakes:
        raise _error(notes)
    if not isinstance(tree, dict):
        sections = ", ".join(PriceCatalog.model_fields)
        empty = "the file is empty; it " if tree is None else ""
        notes.refuse(
            (), f"{empty}must be lists of rows under {sections}", ValuePlace(f"{name}:1", 1)
        )
        raise DataError(str(_error(notes)), hint=_EXAMPLE)
    _refuse_controls(tree, notes)
    catalog = _validate_catalog(tree, notes)
    _refuse_strangers(catalog, known, notes)
    _refuse_repeats(catalog, notes)
    if today is not None:
        _refuse_later(catalog, today, notes)
    if notes.mistakes:
        raise _error(notes)
    return catalog


def prices_text(catalog: PriceCatalog, heading: str) -> str:
    """The rows as a file that `read_prices` reads; the heading becomes its comment."""
    sections = catalog.model_dump(mode="json", exclude_defaults=True)
    text = yaml.safe_dump(
        _simplify_ranges(sections), sort_keys=False, allow_unicode=True, width=110
    )
    return "".join(f"# {line}\n" for line in heading.splitlines()) + text


def _simplify_ranges(value: Tree) -> Tree:
    """Ranges without width as the one number that they are."""
    if isinstance(value, dict):
        if value.keys() == Range.model_fields.keys() and len(set(value.values())) == 1:
            return value["median"]
        return {key: _simplify_ranges(below) for key, below in value.items()}
    return [_simplify_ranges(below) for below in value] if isinstance(value, list) else value


def _text_of(path: Path) -> str:
    hint = "give a YAML file of prices"
    if path.is_dir():
        raise DataError(f"{path}: is a folder, not a file of prices", hint=hint)
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", hint=hint) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > _LARGEST_BYTES:
        raise DataError(f"{path}: over 10 MB is no file of prices", hint=hint)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}:{line}: is not UTF-8", hint="save the file as UTF-8") from None


def _refuse_controls(tree: Tree, notes: SpecNotes) -> None:
    """Names go to the terminal: what could steer it is no name."""
    for loc, value in walk(tree):
        if isinstance(value, str) and not value.isprintable():
            notes.refuse(loc, f"holds what cannot be printed: {short(value)!r}", notes.place(loc))
    if notes.mistakes:
        raise _error(notes)


def _validate_catalog(tree: Tree, notes: SpecNotes) -> PriceCatalog:
    try:
        return PriceCatalog.model_validate(tree)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    for loc, found in group(errors, tree).items():
        place = notes.place(loc)
        text = place.text if loc in notes.places else None
        notes.refuse(loc, _what(loc, found, text), place)
    raise _error(notes)


def _what(loc: Loc, errors: list["ErrorDetails"], text: str | None) -> str:
    kind, key = errors[0]["type"], str(loc[-1])
    if kind == "extra_forbidden":
        return f"unknown key{close_choice(key, _keys_at(loc))}"
    what = explain(loc, errors, text)
    return f"{what}; {_MENDS[key]}" if kind == "missing" and key in _MENDS else what


def _keys_at(loc: Loc) -> list[str]:
    if len(loc) == 1:
        return [*PriceCatalog.model_fields]
    annotation = PriceCatalog.model_fields[str(loc[0])].annotation
    row = annotation.__args__[0] if annotation is not None else Fact  # tuple[Row, ...]
    return [*row.model_fields]


def _refuse_strangers(catalog: PriceCatalog, known: PriceCatalog, notes: SpecNotes) -> None:
    """Note every row that names a provider or a GPU that nobody has told of."""
    providers = {row.name for row in (*known.providers, *catalog.providers)}
    gpus = {row.name for row in (*known.gpus, *catalog.gpus)}
    for loc, name, names in _names_in_rows(catalog, providers, gpus):
        if name not in names:
            near = close_choice(name, sorted(names)) or f"; known are {', '.join(sorted(names))}"
            what = f"unknown {loc[-1]} {name!r}{near}, or add it under `{loc[-1]}s:`"
            notes.refuse(loc, what, notes.place(loc))


def _names_in_rows(
    catalog: PriceCatalog, providers: set[str], gpus: set[str]
) -> Iterator[tuple[Loc, str, set[str]]]:
    for i, machine in enumerate(catalog.machines):
        yield ("machines", i, "provider"), machine.provider, providers
        yield ("machines", i, "gpu"), machine.gpu, gpus
    for i, api in enumerate(catalog.apis):
        yield ("apis", i, "provider"), api.provider, providers
    for i, tuning in enumerate(catalog.tunings):
        yield ("tunings", i, "provider"), tuning.provider, providers
    for i, storage in enumerate(catalog.storage):
        yield ("storage", i, "provider"), storage.provider, providers
    for i, deadline in enumerate(catalog.deadlines):
        if deadline.provider:
            yield ("deadlines", i, "provider"), deadline.provider, providers


def _refuse_repeats(catalog: PriceCatalog, notes: SpecNotes) -> None:
    for section in PriceCatalog.model_fields:
        first: dict[tuple[str, ...], int] = {}
        for i, row in enumerate(getattr(catalog, section)):
            if (j := first.setdefault(row.key(), i)) != i:
                there = notes.place((section, j)).where
                what = f"the same as {there} ({', '.join(row.key())}); keep one of them"
                notes.refuse((section, i), what, notes.place((section, i)))


def _refuse_later(catalog: PriceCatalog, today: date, notes: SpecNotes) -> None:
    for section in PriceCatalog.model_fields:
        for i, row in enumerate(getattr(catalog, section)):
            if row.observed_at > today:
                loc = (section, i, "observed_at")
                what = f"{row.observed_at} is after today, {today}; say the day you saw it"
                notes.refuse(loc, what, notes.place(loc))


def _error(notes: SpecNotes) -> DataError:
    listed = sorted(notes.mistakes, key=lambda mistake: mistake.place.rank)[:_MOST_MISTAKES]
    num_more = len(notes.mistakes) - len(listed)
    hint = f"and {num_more} more mistakes" if num_more else ""
    return DataError("\n".join(mistake.line() for mistake in listed), hint=hint)
