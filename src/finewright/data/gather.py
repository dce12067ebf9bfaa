"""From the spec's files to training rows: read, validate, split, and count every row's fate."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from finewright.data.prompts import (
    is_known_by_prompt,
    is_prompt_alone,
    prompt_key,
    with_expected,
)
from finewright.data.read import listed, read_rows
from finewright.data.split import split
from finewright.data.validate import validate
from finewright.schema.common import Problem, RowCounts, Source
from finewright.schema.data import DataSpec, DataType
from finewright.schema.rows import Row
from finewright.store.atomic import sha256_file


@dataclass(frozen=True, slots=True)
class Gathered:
    """All usable rows of the sources, split, with what was found on the way."""

    train: tuple[Row, ...]
    eval: tuple[Row, ...]
    counts: RowCounts
    types: dict[DataType, int]
    sources: tuple[Source, ...]
    problems: tuple[Problem, ...]


class RowSetFile(NamedTuple):
    """One file's usable rows and what was found in it."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]


def gather(spec: DataSpec, resolve: Callable[[str], Path]) -> Gathered:
    """Read every source of the spec. Problems are returned, never raised."""
    rows: list[Row] = []
    problems: list[Problem] = []
    types: Counter[DataType] = Counter()
    dropped: Counter[str] = Counter()
    sources = []
    rows_in = 0
    for item in spec.sources:
        path = resolve(item.path)
        read = read_rows(path)
        checked = validate(read.rows, spec.type)
        rows += checked.rows
        problems += [*read.problems, *checked.problems]
        types.update(checked.types)
        dropped.update(checked.counts.rows_dropped)
        rows_in += checked.counts.rows_in + read.num_bad
        dropped.update({"unreadable": read.num_bad} if read.num_bad else {})
        sha256 = sha256_file(path) if path.is_file() else ""
        sources.append(
            Source(path=item.path, sha256=sha256, license=item.license, owner=item.owner)
        )
    train, held_out = split(rows, spec.eval_fraction, spec.shuffle_seed)
    if rows and spec.eval_fraction and not held_out:
        problems.append(_none_held_out(len(rows)))
    return Gathered(
        train=tuple(train),
        eval=tuple(held_out),
        counts=RowCounts(rows_in=rows_in, rows_kept=len(rows), rows_dropped=dict(dropped)),
        types=dict(types),
        sources=tuple(sources),
        problems=tuple(problems),
    )


def _none_held_out(num_rows: int) -> Problem:
    return Problem(
        level="error",
        key="data.eval_fraction",
        message=f"none of the {num_rows} rows fell into the held-out share",
        hint="raise it, change data.shuffle_seed, or set it to 0",
    )


def leaks(train: Sequence[Row], name: str, held_out: Sequence[Row]) -> list[Problem]:
    """A warning when rows that measure are also trained on: then the score says nothing of new rows.

    Where one of the two is a pair, a labelled answer or a prompt, it is what is asked that counts."""
    ids = {row.id for row in train}
    asked = {prompt_key(row) for row in train}
    compared = {prompt_key(row) for row in train if is_known_by_prompt(row)}
    same = [row for row in held_out if row.id in ids]
    alike = [
        row
        for row in held_out
        if row.id not in ids
        # An `answer` is a prompt's: `read_row_set` has made it the last turn.
        and prompt_key(row)
        in (asked if is_known_by_prompt(row) or "answer" in row.columns else compared)
    ]
    return [
        Problem(
            level="warning",
            file=rows[0].file,
            row=rows[0].row,
            message=f"{len(rows)} of {len(held_out)} rows of {name} {what}, this one first",
            hint="take them out of one of the two",
        )
        for rows, what in ((same, "are also trained on"), (alike, "ask what is also trained on"))
        if rows
    ]


def read_row_set(path: Path, limit: int | None = None) -> RowSetFile:
    """A file of held-out rows, or its first `limit`. Problems are returned, never raised.

    A prompt's `answer` is its last turn. Disliked answers are left out, with a warning."""
    read = read_rows(path)
    checked = validate(read.rows[:limit], "auto")
    expected = [(row, with_expected(row)) for row in checked.rows]
    unmeasured = [row for row, found in expected if found is None]
    disliked = [row for row in unmeasured if row.label is False]
    problems = [*read.problems, *checked.problems]
    problems += listed(_not_expected(row) for row in unmeasured if row.label is not False)
    problems += [_disliked(disliked)] if disliked else []
    return RowSetFile(tuple(found for _, found in expected if found), tuple(problems))


def measured_share(held_out: Sequence[Row]) -> RowSetFile:
    """The held-out share's rows that say what is expected, and a warning that counts the others."""
    found = [(row, with_expected(row)) for row in held_out]
    others = [row for row, expected in found if expected is None]
    problem = Problem(
        level="warning",
        key="data.eval_fraction",
        message=f"{len(others)} of {len(held_out)} held-out rows are not measured:"
        " they do not say what answer is expected",
        hint="name a file with the expected answers under evaluate.data",
    )
    return RowSetFile(
        tuple(expected for _, expected in found if expected), (problem,) if others else ()
    )


def _disliked(rows: Sequence[Row]) -> Problem:
    return Problem(
        level="warning",
        file=rows[0].file,
        row=rows[0].row,
        key="label",
        message=f"{len(rows)} disliked answers are not measured, this one first:"
        " nobody expects them of the model",
        hint="leave them out of the files under evaluate.data",
    )


def _not_expected(row: Row) -> Problem:
    is_prompt = is_prompt_alone(row)
    return Problem(
        level="error",
        file=row.file,
        row=row.row,
        key="answer" if is_prompt else "messages",
        message="nothing says which answer is expected"
        if is_prompt
        else "nothing is asked before the answer",
        hint="add an `answer`" if is_prompt else "add the question",
    )
