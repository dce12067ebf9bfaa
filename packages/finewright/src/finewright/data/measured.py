"""The rows that measure: each file of `evaluate.data`, or the held-out share, and how new they are."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from finewright.data.ancestors import read_ancestor_rows
from finewright.data.canaries import collisions
from finewright.data.contamination import contamination
from finewright.data.door import with_resolved
from finewright.data.gather import Gathered, measure_held_out_share, read_row_set
from finewright.data.privacy import apply
from finewright.data.row_warnings import RowWarnings
from finewright.errors import DataError, MissingExtra
from finewright.schema.common import Problem
from finewright.schema.data import AncestorSet, DataSpec
from finewright.schema.duplicates import ContaminationReport
from finewright.schema.evaluate import Draw
from finewright.schema.rows import Row, write_rows
from finewright.schema.run import RunSpec
from finewright.store.parents import Ancestor

HELD_OUT_TEXT = "eval-text"
"""The name of the held-out share's documents, which other metrics are of than of its other rows."""
# More sets than a page shows; a column of so many values names rows, not domains.
_MOST_PARTS, _LONGEST_NAME = 20, 60


@dataclass(frozen=True, slots=True)
class MeasuredRows:
    """A set of rows under its name; `contamination` is None where nobody could look, `draw` where all rows of
    the file are there. `leaks` are those of the `problems` that compare it with the rows that train."""

    name: str
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]
    leaks: tuple[Problem, ...] = ()
    contamination: ContaminationReport | None = None
    draw: Draw | None = None
    ancestor: AncestorSet | None = None


def row_sets(
    spec: RunSpec,
    gathered: Gathered,
    resolve: Callable[[str], Path],
    ancestors: Iterable[Ancestor] = (),
) -> list[MeasuredRows]:
    """Every set that the run is measured on, those of the runs it builds on too, compared with the rows that
    train. Where nothing of its own measures, nothing does.

    Files come through the part of the door that is about what rows say: control tokens are told of, and
    personal data and secrets become what they become in the training rows, by the same key."""
    similarity = spec.data.duplicates.similarity
    own = _own_sets(spec, gathered, resolve)
    if not own:
        return []
    known = [hashlib.sha256(write_rows(each.rows).encode()).hexdigest() for each in own]
    found = read_ancestor_rows(ancestors, spec, known)
    own[0] = replace(own[0], problems=(*own[0].problems, *found.problems))
    of_ancestors = (MeasuredRows(of.name, rows, (), ancestor=of) for of, rows in found.sets)
    return own + [compare_with_training(each, gathered, similarity) for each in of_ancestors]


def _own_sets(
    spec: RunSpec, gathered: Gathered, resolve: Callable[[str], Path]
) -> list[MeasuredRows]:
    """Those that the spec names, or the held-out share."""
    similarity = spec.data.duplicates.similarity
    if not spec.evaluate.data:
        rows, problems, _ = measure_held_out_share(gathered.eval)
        texts = tuple(row for row in rows if row.is_text)
        others = tuple(row for row in rows if not row.is_text)
        shares = [MeasuredRows("eval", others, problems)] if others or problems else []
        shares += [MeasuredRows(HELD_OUT_TEXT, texts, ())] if texts else []
        return [compare_with_training(share, gathered, similarity) for share in shares]
    found = []
    for number, item in enumerate(spec.evaluate.data):
        rows, problems, draw = read_row_set(resolve(item.path), item, seed=spec.evaluate.seed)
        problems = tuple(_of_set(problem, number) for problem in problems)
        rows, seen = _private(rows, spec.data, resolve, gathered.passed.key)
        warnings = RowWarnings()
        warnings.add(rows)
        all_problems = (*problems, *warnings.problems(), *seen)
        read = MeasuredRows(item.title, rows, all_problems, draw=draw)
        found += [
            compare_with_training(part, gathered, similarity) for part in _parts(read, item.by)
        ]
    names = [each.name for each in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(
            f"two sets of evaluate.data are called {twice!r}", hint="give one another `name`"
        )
    return found


def _parts(read: MeasuredRows, by: str) -> Iterator[MeasuredRows]:
    """The set, or its rows by the value of a column, the first part with the problems of all."""
    if not by:
        yield read
        return
    parts: dict[str, list[Row]] = {}
    for row in read.rows:
        value = re.sub(r"[^\w.-]+", "-", str(row.columns.get(by, "none")))[:_LONGEST_NAME]
        parts.setdefault(f"{read.name}-{value}", []).append(row)
    problems = read.problems
    if len(parts) > _MOST_PARTS:
        what = f"the column {by!r} parts {read.name} into {len(parts)} sets, and {_MOST_PARTS} is the most"
        hint = "take a column of fewer values"
        problem = Problem(level="error", key="evaluate.data", message=what, hint=hint)
        yield replace(read, problems=(*problems, problem))
        return
    for name, rows in sorted(parts.items()):
        yield replace(read, name=name, rows=tuple(rows), problems=problems, draw=None)
        problems = ()


def _of_set(problem: Problem, number: int) -> Problem:
    """What is of no file is of the set's own keys in the spec."""
    if problem.file:
        return problem
    return problem.model_copy(update={"key": f"evaluate.data.{number}.{problem.key}"})


class _Private(NamedTuple):
    """Rows without personal data, and what was found."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]


def _private(
    rows: tuple[Row, ...], spec: DataSpec, resolve: Callable[[str], Path], key: bytes
) -> _Private:
    if not key:
        return _Private(rows, ())
    personal = with_resolved(spec.personal_data, resolve)
    outcome = apply(rows, personal, spec.secrets, key).outcome
    return _Private(outcome.rows, outcome.problems)


def compare_with_training(
    read: MeasuredRows, gathered: Gathered, similarity: float
) -> MeasuredRows:
    """The set with what is known of it from the rows that train; a warning where nobody could look."""
    train, rows = ([row.searched for row in each] for each in (gathered.train, read.rows))
    try:
        report, leaks = contamination(train, read.name, rows, similarity=similarity)
    except MissingExtra as error:
        message = f"{read.name} was not compared with the training rows: {error}"
        warning = Problem(level="warning", key="evaluate.data", message=message, hint=error.hint)
        report, leaks = None, (warning,)
    leaks = (*leaks, *collisions(gathered.canaries, read.rows))
    problems = (*read.problems, *leaks)
    return replace(read, problems=problems, leaks=leaks, contamination=report)
