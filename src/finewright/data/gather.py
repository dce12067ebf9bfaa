"""From the spec's files to training rows: read, validate, split, and count every row's fate."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from finewright.data.read import read_rows
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
    """A warning when rows that measure are also trained on: then the score says nothing of new rows."""
    trained = {row.id for row in train}
    both = [row for row in held_out if row.id in trained]
    if not both:
        return []
    return [
        Problem(
            level="warning",
            file=both[0].file,
            row=both[0].row,
            message=f"{len(both)} of {len(held_out)} rows of {name} are also trained on, this one first",
            hint="take them out of one of the two",
        )
    ]


def read_row_set(path: Path, limit: int | None = None) -> RowSetFile:
    """A file of held-out rows, or its first `limit`. Problems are returned, never raised."""
    read = read_rows(path)
    checked = validate(read.rows[:limit], "auto")
    unasked = [_nothing_asked(row) for row in checked.rows if not _answers(row)]
    return RowSetFile(tuple(checked.rows), (*read.problems, *checked.problems, *unasked))


def _answers(row: Row) -> bool:
    return any(message["role"] == "assistant" for message in row.messages[1:])


def _nothing_asked(row: Row) -> Problem:
    return Problem(
        level="error",
        file=row.file,
        row=row.row,
        key="messages",
        message="nothing is asked before the answer",
        hint="add the question",
    )
