"""The duplicates of a set of rows, kind after kind, and what becomes of them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from finewright.guard.duplicates.layout import repeats
from finewright.rows.notes import CheckOutcome, Dropped
from finewright.schema.common import Problem
from finewright.schema.duplicates import (
    DuplicateKind,
    DuplicateRow,
    DuplicatesReport,
    DuplicatesSpec,
    how_alike,
    round_share,
)
from finewright.schema.rows import Row

REASONS: Mapping[DuplicateKind, str] = {
    "exact": "duplicate",
    "near": "near_duplicate",
}
_SAYS: Mapping[DuplicateKind, tuple[str, str]] = {
    "exact": ("says the same", "say the same"),
    "near": ("says nearly the same", "say nearly the same"),
}


class Repeat(NamedTuple):
    """How a row repeats another: in which way, which one (its place), how near, and if it is left out."""

    kind: DuplicateKind
    of: int
    similarity: float
    dropped: bool


class DuplicatesResult(NamedTuple):
    """The rows that go on and those that do not, and the report that says why."""

    outcome: CheckOutcome
    report: DuplicatesReport


def find(rows: Sequence[Row], spec: DuplicatesSpec) -> DuplicatesResult:
    """Look for repeats as the spec asks. The first row of a group stays; the order is kept.

    A row counts once, under the strictest kind, dropped or not. A repeat is told of or dropped as its
    kind says; it is dropped as well where the row it repeats is."""
    found, num_unfinished = _repeats(rows, spec)
    dropped = tuple(
        Dropped(rows[i], REASONS[repeat.kind], _why(rows, repeat))
        for i, repeat in found.items()
        if repeat.dropped
    )
    kept = tuple(row for i, row in enumerate(rows) if i not in found or not found[i].dropped)
    problems = (
        *_warn_of_retired_keys(spec),
        *report_uncompared(num_unfinished),
        *_problems(rows, found),
    )
    sizes = Counter(_root(found, i) for i in found)
    report = DuplicatesReport(
        rows_in=len(rows),
        rows_kept=len(kept),
        rows_dropped=dict(Counter(drop.reason for drop in dropped)),
        found=dict(Counter(repeat.kind for repeat in found.values())),
        groups=len(sizes),
        largest_group=max(sizes.values(), default=0) + bool(sizes),
        examples=tuple(_examples(rows, found)),
        problems=problems,
    )
    return DuplicatesResult(CheckOutcome(kept, dropped, problems), report)


def _warn_of_retired_keys(spec: DuplicatesSpec) -> Iterator[Problem]:
    if spec.semantic != "off":
        yield Problem(
            level="warning",
            key="data.duplicates.semantic",
            message="is no option any more: rows that mean the same are not looked for",
            hint="leave it out; `data duplicates --against` finds held-out questions in other words",
        )


class _Found(NamedTuple):
    """Place of each row that repeats an earlier one -> how, in order of the rows; see `Repeats`."""

    repeats: Mapping[int, Repeat]
    num_unfinished: int = 0


def _repeats(rows: Sequence[Row], spec: DuplicatesSpec) -> _Found:
    # numpy is loaded only where it is asked for.
    if spec.near == "off":
        exact = repeats(row.searched.id for row in rows)
        is_dropped = spec.exact == "drop"
        return _Found({i: Repeat("exact", first, 1.0, is_dropped) for i, first in exact.items()})
    # Says what is missing where numpy is.
    import finewright.guard.duplicates.words  # noqa: F401
    from finewright.data.scale.repeats import repeats_in, rows_in_memory

    found = repeats_in(rows_in_memory(rows, spec), spec)
    columns = (found.rows, found.of, found.similarity, found.is_exact, found.dropped)
    return _Found(
        {
            i: Repeat("exact" if is_exact else "near", of, share, dropped)
            for i, of, share, is_exact, dropped in zip(
                *(each.tolist() for each in columns), strict=True
            )
        },
        found.num_unfinished,
    )


def report_uncompared(num_rows: int) -> Iterator[Problem]:
    """That so many rows were not compared with all rows that are like them."""
    if num_rows:
        from finewright.guard.duplicates.near import MOST_COMPARED

        rows = "1 row is" if num_rows == 1 else f"{num_rows} rows are"
        most = f"compared with the {MOST_COMPARED} that are most so"
        yield Problem(level="info", message=f"{rows} like many others: {most}, not with all")


def _root(found: Mapping[int, Repeat], i: int) -> int:
    while i in found:
        i = found[i].of
    return i


def _why(rows: Sequence[Row], repeat: Repeat) -> str:
    first = rows[repeat.of]
    much = how_alike(repeat.kind, repeat.similarity)
    return f"repeats {first.file}:{first.row}{much}"


def _problems(rows: Sequence[Row], found: Mapping[int, Repeat]) -> Iterator[Problem]:
    for kind, (one, many) in _SAYS.items():
        staying, gone = (
            [i for i, each in found.items() if each.kind == kind and each.dropped == dropped]
            for dropped in (False, True)
        )
        if staying:
            in_spec = f"`data.duplicates.{kind}: drop` in a spec"
            hint = f"to leave such rows out: {in_spec}, or --{kind} drop of data prepare"
            yield _problem("warning", rows, staying, found, (one, many, "stays", "stay"), hint)
        if gone:
            yield _problem("info", rows, gone, found, (one, many, "is left out", "are left out"))


def _problem(
    level: str,
    rows: Sequence[Row],
    places: Sequence[int],
    found: Mapping[int, Repeat],
    says: tuple[str, str, str, str],
    hint: str = "",
) -> Problem:
    first, is_one = rows[places[0]], len(places) == 1
    what, fate = says[:2][not is_one], says[2:][not is_one]
    count = "1 row" if is_one else f"{len(places)} rows"
    which = "it" if is_one else "this one"
    message = (
        f"{count} {what} as an earlier one, and {fate}: {which} {_why(rows, found[places[0]])}"
    )
    fields = {"file": first.file, "row": first.row, "message": message, "hint": hint}
    return Problem.model_validate({"level": level, **fields})


def _examples(rows: Sequence[Row], found: Mapping[int, Repeat]) -> Iterator[DuplicateRow]:
    for kind in REASONS:
        alike = [(i, repeat) for i, repeat in found.items() if repeat.kind == kind]
        for i, repeat in alike:
            first = rows[repeat.of]
            yield DuplicateRow(
                kind=repeat.kind,
                file=rows[i].file,
                row=rows[i].row,
                of_file=first.file,
                of_row=first.row,
                similarity=round_share(repeat.similarity),
                dropped=repeat.dropped,
            )
