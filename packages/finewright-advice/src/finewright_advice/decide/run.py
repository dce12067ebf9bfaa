"""`decide`: whether to prompt, retrieve, fine-tune or combine, before there is data or a model."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from finewright.catalog.prices import prices
from finewright.errors import DataError, SpecError
from finewright.schema.catalog import PriceCatalog
from finewright.schema.load_section import load_section
from finewright.store.atomic import write_text
from finewright_advice.decide.check import KnownNames, wrongs
from finewright_advice.decide.models import Resolve
from finewright_advice.decide.packaged import adviser_for, collect_known_names
from finewright_advice.decide.questions import Reply, interview, spec_text
from finewright_advice.decide.results import DecideReport
from finewright_advice.decide.spec import DecideSpec


def decide(
    spec: DecideSpec, *, today: date, name: str = "decision", user_prices: Path | None = None
) -> DecideReport:
    """The advice for a spec by the packaged facts, with the prices of the user's own folder over them.

    Raises DataError where the spec names a model, a GPU or a domain that nobody knows, and for a day before
    the oldest fact."""
    known = _collect_known_names(Path, today, user_prices)
    return adviser_for(spec, known).advise(name, spec)


def decide_file(
    path: Path, overrides: Sequence[str] = (), *, today: date, user_prices: Path | None = None
) -> DecideReport:
    """The advice for the `decide` section of a file; a file of `name` and `decide` alone will do.

    Raises SpecError with file, line and key for every mistake."""
    loaded = load_section("decide", DecideSpec, path, overrides)
    known = _collect_known_names(loaded.resolve, today, user_prices)
    loaded.refuse(wrongs(loaded.spec, known))
    return adviser_for(loaded.spec, known).advise(loaded.name, loaded.spec)


def ask(reply: Reply, path: Path) -> Path:
    """Ask the questions and write the spec of the answers to a file that is not there yet.

    Nothing is written before the last answer. Raises SpecError where the file is there."""
    _refuse_to_overwrite(path)
    answers = interview(reply)
    _refuse_to_overwrite(path)
    write_text(path, spec_text(path, answers))
    return path


def _collect_known_names(resolve: Resolve, today: date, user_prices: Path | None) -> KnownNames:
    """The facts; a day before all of them has none that held."""
    found = prices(user_prices)
    sections = (getattr(found, name) for name in PriceCatalog.model_fields)
    oldest = min(row.observed_at for rows in sections for row in rows)
    if today < oldest:
        what = f"today, {today}, is before the oldest fact of the catalog, seen {oldest}"
        raise DataError(what, hint=f"take a day from {oldest} on")
    return collect_known_names(found, resolve, today)


def _refuse_to_overwrite(path: Path) -> None:
    if path.exists():
        raise SpecError(
            f"{path}: is already there", hint=f"finewright decide {path}, or another name"
        )
