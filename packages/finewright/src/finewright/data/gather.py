"""From the spec's files to training rows: read, check, split, and count every row's fate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from finewright.data.canaries import make_canaries, place_canaries, records_of
from finewright.data.door import DoorSearch, Passed, PoisonSearch, pass_door, with_resolved
from finewright.data.mixture import mix
from finewright.data.provenance.ledger import RowOrigins
from finewright.data.scale.reading import read_sources
from finewright.data.source import source_path
from finewright.data.split import groups_by, split
from finewright.data.validate import read_validated
from finewright.errors import DataError
from finewright.rows.identity import with_expected
from finewright.rows.tally import Tally
from finewright.rows.texts import draw_rows
from finewright.schema.canaries import Canary
from finewright.schema.common import Problem, RowCounts, Source
from finewright.schema.data import DataSpec, DataType, SourceShare
from finewright.schema.evaluate import Draw, EvalSetSpec
from finewright.schema.listing import list_problems
from finewright.schema.provenance import LedgerEntry
from finewright.schema.rows import Row


@dataclass(frozen=True, slots=True)
class Gathered:
    """All usable rows of the sources, split, with what was found on the way."""

    train: tuple[Row, ...]
    eval: tuple[Row, ...]
    counts: RowCounts
    types: dict[DataType, int]
    sources: tuple[Source, ...]
    problems: tuple[Problem, ...]
    passed: Passed
    provenance: RowOrigins
    canaries: tuple[Canary, ...] = ()
    shares: tuple[SourceShare, ...] = ()

    def entries(self) -> list[LedgerEntry]:
        """Where each row came from: those that train, then those held out."""
        return self.provenance.entries(self.train, self.eval)


class RowSetFile(NamedTuple):
    """One file's usable rows, what was found in it, and how its rows were drawn, if not all are here."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]
    draw: Draw | None = None


def gather(
    spec: DataSpec,
    resolve: Callable[[str], Path],
    *,
    search: PoisonSearch | None = None,
    tells: bool = True,
) -> Gathered:
    """Read every source of the spec and let its rows through the door. Problems are returned, not raised.

    Canaries, where the spec asks for some, are among the rows that train. Planted behaviour is looked for
    where a `search` is given. Without `tells`, what would be looked for only
    to tell of it is not: the rows that pass are the same."""
    paths = [source_path(source.path, resolve) for source in spec.sources]
    sources, private = read_sources(spec, paths, with_resolved(spec.personal_data, resolve))
    rows = [row for source in sources for row in source.rows]
    canaries = make_canaries(spec.canaries)
    provenance = RowOrigins([*(source.for_ledger() for source in sources), records_of(canaries)])
    passed = pass_door(rows, spec, provenance, resolve, DoorSearch(search, private, tells))
    apart, others = list[Row](), list[Row]()
    for row in passed.rows:
        (apart if provenance.is_held_out(row) else others).append(row)
    groups = groups_by(others, spec.group_by) if spec.group_by else None
    names = groups.names if groups else None
    train, held_out = split(others, spec.eval_fraction, spec.shuffle_seed, groups=names)
    tally = Tally()
    for source in sources:
        tally.join(source.tally)
    tally.drop(passed.num_dropped)
    problems = [problem for source in sources for problem in source.tally.problems()]
    mixed = mix(train, spec, provenance.source_of)
    tally.drop({"not drawn": mixed.num_left_out} if mixed.num_left_out else {})
    problems += [*passed.problems, *mixed.problems, *(groups.problems if groups else ())]
    if others and spec.eval_fraction and not held_out:
        problems.append(_none_held_out(len(others)))
    if apart and not train:
        problems.append(_none_to_train(len(apart)))
    placed = place_canaries(canaries, mixed.rows, (*held_out, *apart), spec.canaries.seed)
    return Gathered(
        train=placed.rows,
        eval=(*held_out, *apart),
        counts=tally.counts(),
        types=dict(tally.types),
        sources=tuple(source.describe() for source in sources),
        problems=(*problems, *placed.problems),
        passed=passed,
        provenance=provenance,
        canaries=placed.canaries,
        shares=mixed.shares,
    )


def _none_held_out(num_rows: int) -> Problem:
    return Problem(
        level="error",
        key="data.eval_fraction",
        message=f"none of the {num_rows} rows fell into the held-out share",
        hint="raise it, change data.shuffle_seed, or set it to 0",
    )


def _none_to_train(num_apart: int) -> Problem:
    return Problem(
        level="error",
        key="data.sources",
        message=f"no row is left to train: the {num_apart} that are there are of sources with held_out: true",
        hint="name a source of rows to train on, or fix the one whose rows are refused",
    )


def read_row_set(path: Path, spec: EvalSetSpec | None = None, *, seed: int = 0) -> RowSetFile:
    """A file of held-out rows, read as the spec says, or those of them that its `limit` draws by the seed.
    Every row of the file is checked. Problems are returned, never raised.

    A prompt's `answer` is its last turn. Disliked answers are left out, with a warning."""
    spec = spec or EvalSetSpec(path=str(path))
    try:
        checked = read_validated(
            path, spec.type, format=spec.format, columns=spec.columns, encoding=spec.encoding
        )
    except DataError as error:
        what = str(error).removeprefix(f"{path}: ")
        problem = Problem(level="error", file=str(path), message=what, hint=error.hint)
        return RowSetFile((), (problem,))
    expected = [(row, with_expected(row)) for row in checked.rows]
    unmeasured = [row for row, found in expected if found is None]
    disliked = [row for row in unmeasured if row.label is False]
    problems = list(checked.problems)
    problems += list_problems(_not_expected(row) for row in unmeasured if row.label is not False)
    problems += [_report_disliked(disliked)] if disliked else []
    rows = tuple(found for _, found in expected if found)
    return _draw_measured(rows, spec, seed, tuple(problems))


def _draw_measured(
    rows: tuple[Row, ...], spec: EvalSetSpec, seed: int, problems: tuple[Problem, ...]
) -> RowSetFile:
    if spec.limit is None or spec.limit >= len(rows):
        return RowSetFile(rows, problems)
    drawn = draw_rows(rows, spec.limit, seed)
    draw = Draw(
        data=spec.title,
        rows=spec.limit,
        rows_in_file=len(rows),
        seed=seed,
        is_stratified=drawn.is_stratified,
    )
    return RowSetFile(drawn.rows, problems, draw)


def measure_held_out_share(held_out: Sequence[Row]) -> RowSetFile:
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


def _report_disliked(rows: Sequence[Row]) -> Problem:
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
    is_prompt = row.is_prompt
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
