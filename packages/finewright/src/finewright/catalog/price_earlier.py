"""How the rows of an import meet what is there: the file that an earlier import wrote, and newer rows."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from finewright.catalog.price_file import read_prices
from finewright.catalog.prices import prices, read_packaged_prices
from finewright.errors import DataError
from finewright.schema.catalog import API, Fact, Machine, PriceCatalog, Provider
from finewright.schema.common import Problem

_SHOWN = 5
_SECTIONS = ("machines", "apis")
"""What a foreign file has."""
DATED = ("gpus", "machines", "apis", "storage")
"""The sections whose age says something: laws and yearly statistics are told with their own dates."""


class Newer(NamedTuple):
    """The rows of a file without those that somebody saw later, and these rows of the catalog."""

    found: PriceCatalog
    seen_later: tuple[Fact, ...]

    def problems(self, path: Path) -> Iterator[Problem]:
        """Which rows stay; raises DataError where the file brings nothing else."""
        if not self.seen_later:
            return
        what = f"stay as they are, for they were seen later: {_list_rows(self.seen_later)}"
        if not any(getattr(self.found, section) for section in _SECTIONS):
            hint = "nothing is written; --observed-at says the day of the file's prices"
            raise DataError(f"{path}: all its rows {what}", hint=hint)
        yield Problem(level="info", key="seen later", message=f"these rows {what}")


def without_older(found: PriceCatalog, known: PriceCatalog) -> Newer:
    """A foreign file's machines and APIs that are as new as the catalog's rows of the same keys."""
    kept: dict[str, tuple[Fact, ...]] = {}
    later: list[Fact] = []
    for section in _SECTIONS:
        there = {row.key(): row for row in getattr(known, section)}
        rows: Sequence[Fact] = getattr(found, section)
        over = {row.key(): there.get(row.key(), row) for row in rows}
        is_older = [over[row.key()].observed_at > row.observed_at for row in rows]
        later += (over[row.key()] for row, old in zip(rows, is_older, strict=True) if old)
        kept[section] = tuple(row for row, old in zip(rows, is_older, strict=True) if not old)
    return Newer(found.model_copy(update=kept), tuple(later))


def over_earlier(
    found: PriceCatalog, target: Path, known: PriceCatalog
) -> tuple[PriceCatalog, tuple[Problem, ...]]:
    """What the file is to hold: its rows, those found in the place of the same keys; and which stay."""
    if not target.is_file():
        return found, ()
    earlier = read_prices(target, known)
    stay = [row for section in _SECTIONS for row in _only_in(earlier, found, section)]
    what = f"these rows of earlier imports stay in {target.name}: {_list_rows(stay)}"
    hint = f"take them out of {target} where they are sold no more"
    problems = (Problem(level="info", key="earlier", message=what, hint=hint),) if stay else ()
    rows = {
        section: (*_only_in(earlier, found, section), *getattr(found, section))
        for section in PriceCatalog.model_fields
    }
    return PriceCatalog.model_validate(rows), problems


def warn_of_erased(found: PriceCatalog, target: Path, known: PriceCatalog) -> Iterator[Problem]:
    """A warning of the rows that a file taken as it is does not have, and the one it replaces has."""
    earlier = read_prices(target, known) if target.is_file() else PriceCatalog()
    sections = PriceCatalog.model_fields
    if gone := [row for section in sections for row in _only_in(earlier, found, section)]:
        what = f"these rows that {target.name} had are in it no more: {_list_rows(gone)}"
        hint = "a file of another name stands beside it"
        yield Problem(level="warning", key="earlier", message=what, hint=hint)


def with_providers(found: PriceCatalog, target: Path) -> PriceCatalog:
    """The rows with those of their providers that are not packaged, so that they need no other file.

    A provider of a file that is read before the target stays as it is there; another is new."""
    packaged = {row.name for row in read_packaged_prices().providers}
    known = {row.name: row for row in prices(target.parent, before=target).providers}
    sold: Sequence[Machine | API] = (*found.machines, *found.apis)
    own = (
        known.get(name)
        or Provider(
            name=name,
            title=name,
            sells=("machines",) if found.machines else ("answers",),
            source=row.source,
            observed_at=row.observed_at,
        )
        for name, row in {each.provider: each for each in sold}.items()
        if name not in packaged
    )
    return found.model_copy(update={"providers": tuple(own)})


def list_replaced(below: PriceCatalog, above: PriceCatalog) -> tuple[str, ...]:
    """The rows from below in whose place others come: section and key."""
    keys = {name: {row.key() for row in getattr(below, name)} for name in PriceCatalog.model_fields}
    return tuple(
        f"{section}: {' '.join(row.key())}"
        for section in PriceCatalog.model_fields
        for row in getattr(above, section)
        if row.key() in keys[section]
    )


def older_over_newer(below: PriceCatalog, above: PriceCatalog) -> Iterator[Problem]:
    """A warning where a row stands over one that somebody saw later, such as after an upgrade."""
    for section in DATED:
        newest = {row.key(): row.observed_at for row in getattr(below, section)}
        old = [
            f"{' '.join(row.key())} ({row.observed_at}, the catalog's {newest[row.key()]})"
            for row in getattr(above, section)
            if newest.get(row.key(), row.observed_at) > row.observed_at
        ]
        if old:
            more = f" and {len(old) - _SHOWN} more" if len(old) > _SHOWN else ""
            yield Problem(
                level="warning",
                key=section,
                message=f"your own rows stand over newer ones: {'; '.join(old[:_SHOWN])}{more}",
                hint="take them out of your file where they are no price of your own",
            )


def _only_in(earlier: PriceCatalog, found: PriceCatalog, section: str) -> list[Fact]:
    keys = {row.key() for row in getattr(found, section)}
    return [row for row in getattr(earlier, section) if row.key() not in keys]


def _list_rows(rows: Sequence[Fact]) -> str:
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return "; ".join(f"{' '.join(row.key())} ({row.observed_at})" for row in rows[:_SHOWN]) + more
