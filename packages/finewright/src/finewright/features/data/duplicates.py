"""`data duplicates`: rows of files that repeat each other or rows that measure; a copy without them."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal

from finewright.data.contamination import Contamination, contamination
from finewright.data.decontaminate import without_leaks
from finewright.data.duplicates import find
from finewright.features.data.rows import problems_of, usable_rows, write_rows
from finewright.rows.fates import ReadOptions
from finewright.rows.tally import Tally, UsableRows
from finewright.schema.common import Problem
from finewright.schema.duplicates import DuplicatesReport, DuplicatesSpec
from finewright.schema.rows import Row
from finewright.workbench.outputs import check_outputs


def duplicates(
    paths: Sequence[Path],
    *,
    spec: DuplicatesSpec | None = None,
    against: Sequence[Path] = (),
    out: Path | None = None,
    fail_on: Literal["nothing", "leak"] = "nothing",
    options: ReadOptions = ReadOptions(),  # noqa: B008 - a tuple that nobody changes
) -> DuplicatesReport:
    """Repeats among the usable rows of all files together, and which rows of `against` are known from them.

    With `out`, a new file, the rows that go on are written there, without those from which a row of
    `against` is known (other values of one template aside). With `fail_on` "leak" every known row is an
    error. Rows that cannot be used are not compared, and are counted among the dropped. Raises DataError
    where one of the paths, also of `against`, is not there or has no usable row."""
    check_outputs([out], [*paths, *against])
    spec = spec or DuplicatesSpec()
    read = [usable_rows(path, options) for path in paths]
    held_out = [usable_rows(path, options) for path in against]
    _share_columns([found.tally for found in (*read, *held_out)])
    outcome, report = find([row for found in read for row in found.rows], spec)
    measured = [
        contamination(outcome.rows, path.name, found.rows, similarity=spec.similarity)
        for path, found in zip(against, held_out, strict=True)
    ]
    kept = outcome.rows
    if out is not None:
        kept = _without_known(kept, held_out, spec.similarity)
        write_rows(out, kept)
    pairs = zip([*paths, *against], [*read, *held_out], strict=True)
    of_files = chain.from_iterable(problems_of(path, found.tally) for path, found in pairs)
    leaks = len(outcome.rows) - len(kept)
    tally = _join_tallies([found.tally for found in read], {**report.rows_dropped, "leak": leaks})
    known = _problems_of_measured(measured, is_error=fail_on == "leak")
    return report.model_copy(
        update={
            "rows_in": tally.rows_in,
            "rows_kept": len(kept),
            "rows_dropped": dict(tally.dropped),
            "contamination": tuple(
                found.report.model_copy(update={"repeated": None}) for found in measured
            ),
            "out": "" if out is None else str(out),
            "problems": (*of_files, *report.problems, *known),
        }
    )


def _share_columns(tallies: Sequence[Tally]) -> None:
    """Named columns hold for the files that have them: one that any file has is missed in none."""
    whole = _join_tallies(tallies, {})
    for tally in tallies:
        tally.columns = {name: whole.columns[name] for name in tally.columns}


def _problems_of_measured(measured: Sequence[Contamination], *, is_error: bool) -> list[Problem]:
    level = {"level": "error"} if is_error else {}
    return [each.model_copy(update=level) for found in measured for each in found.problems]


def _without_known(
    rows: tuple[Row, ...], held_out: Sequence[UsableRows], similarity: float
) -> tuple[Row, ...]:
    measuring = [row for found in held_out for row in found.rows]
    return without_leaks(rows, measuring, similarity=similarity).rows if held_out else rows


def _join_tallies(tallies: Sequence[Tally], dropped: Mapping[str, int]) -> Tally:
    """One tally of all files, with what was dropped of them together."""
    whole = Tally()
    for tally in tallies:
        whole.join(tally)
    whole.drop({reason: count for reason, count in dropped.items() if count})
    return whole
