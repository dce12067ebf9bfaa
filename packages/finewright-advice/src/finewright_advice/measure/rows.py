"""The rows of an experiment: what trains, what chooses the examples, and what is measured."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from finewright.data.decontaminate import remove_contaminated
from finewright.data.gather import gather, read_row_set
from finewright.data.measured import row_sets
from finewright.errors import DataError
from finewright.evaluate.arms import gold_of, order_by_chance
from finewright.schema.evaluate import Draw
from finewright.schema.load import LoadedSpec
from finewright.schema.rows import Row
from finewright.store.keys import digest
from finewright.store.stage import refuse
from finewright_advice.catalog.advice import general_questions
from finewright_advice.schema.measure import MeasureSpec
from finewright_advice.schema.measure_report import Decontaminated

_MOST_SHOWN = 5
"""Rows with a wrong `gold` that are told one by one."""


@dataclass(frozen=True, slots=True)
class ExperimentRows:
    """No row is in two of them, and no training or development row is known from the held-out ones."""

    train: tuple[Row, ...]
    dev: tuple[Row, ...]
    test: tuple[Row, ...]
    general: tuple[Row, ...]
    decontaminated: Decontaminated
    draws: tuple[Draw, ...] = ()

    @property
    def sha256(self) -> str:
        """Of all that they say and where each is from."""
        parts = (self.train, self.dev, self.test, self.general)
        return digest([[row.to_json() for row in rows] for rows in parts])


def _split_rows(
    loaded: LoadedSpec, spec: MeasureSpec, rows: Sequence[Row]
) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Those to train on, and those kept apart to choose by."""
    if len(rows) <= spec.dev_rows + max(spec.shots):
        raise DataError(
            f"{loaded.path}: data.sources: {len(rows)} rows are left to train on, and "
            f"measure.dev_rows keeps {spec.dev_rows} apart",
            hint="name more rows, or lower measure.dev_rows",
        )
    chosen = {id(row) for row in order_by_chance(rows, spec.seed, "dev")[: spec.dev_rows]}
    train = tuple(row for row in rows if id(row) not in chosen)
    return train, tuple(row for row in rows if id(row) in chosen)


def experiment_rows(loaded: LoadedSpec, spec: MeasureSpec) -> ExperimentRows:
    """Read the spec's rows through the door, take out what the held-out rows know, and split.

    Raises DataError where there is nothing to train on or to measure."""
    gathered = gather(loaded.spec.data, loaded.resolve)
    sets = row_sets(loaded.spec, gathered, loaded.resolve)
    refuse([*gathered.problems, *(problem for item in sets for problem in item.problems)])
    test = tuple(row for item in sets for row in item.rows)
    if not test:
        raise DataError(
            f"{loaded.path}: evaluate.data: there is nothing to measure",
            hint="name held-out files there, or set data.eval_fraction",
        )
    _require_answers(gathered.train)
    similarity = loaded.spec.data.duplicates.similarity
    cleaned = remove_contaminated(gathered.train, test, similarity=similarity)
    train, dev = _split_rows(loaded, spec, cleaned.rows)
    return ExperimentRows(
        train=train,
        dev=dev,
        test=test,
        general=general_rows(spec, loaded.resolve),
        decontaminated=Decontaminated(rows_before=len(gathered.train), removed=cleaned.removed),
        draws=tuple(item.draw for item in sets if item.draw),
    )


def general_rows(spec: MeasureSpec, resolve: Callable[[str], Path]) -> tuple[Row, ...]:
    """The user's general questions, else those that come with finewright."""
    if spec.general:
        found = read_row_set(resolve(spec.general))
        refuse(found.problems)
        return found.rows
    return tuple(
        _make_general_row(number, question, answer)
        for number, (question, answer) in enumerate(general_questions(), 1)
    )


def _make_general_row(number: int, question: str, answer: str) -> Row:
    messages = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Row(f"general-{number}", messages, None, "general questions", number)


def _require_answers(rows: Sequence[Row]) -> None:
    """Every training row must be a question with one answer: examples and tuning learn from them."""
    wrong = next((row for row in rows if row.rejected is not None or row.label is not None), None)
    wrong = wrong or next((row for row in rows if row.is_prompt), None)
    if wrong is not None:
        raise DataError(
            f"{wrong.file}:{wrong.row}: is no question with its answer",
            hint="decide --measure compares ways to give one answer: rows of `prompt` and `completion`",
        )


def require_column(name: str, rows: ExperimentRows) -> None:
    """Raise DataError for a row without the column that its metric reads: each must be solved or not."""
    every = (*rows.dev, *rows.test) if name else ()
    wrong = next((row for row in every if not isinstance(row.columns.get(name), str)), None)
    if wrong is not None:
        hint = "give it the column, or name another measure.solved.metric"
        raise DataError(f"{wrong.file}:{wrong.row}: {name}: there is no such text", hint=hint)


def check_gold(rows: ExperimentRows, ids: Set[str]) -> None:
    """Raise DataError, with a line for each of the first, for a `gold` that names no document."""
    every = (*rows.train, *rows.dev, *rows.test)
    wrong = [
        f"{row.file}:{row.row}: gold: {what}" for row in every if (what := _wrong_gold(row, ids))
    ]
    if wrong:
        more = [f"and {len(wrong) - _MOST_SHOWN} more"] if len(wrong) > _MOST_SHOWN else []
        hint = "`gold` holds ids of documents that rag.documents names and that can be read"
        raise DataError("\n".join([*wrong[:_MOST_SHOWN], *more]), hint=hint)


def _wrong_gold(row: Row, ids: Set[str]) -> str:
    given, named = row.columns.get("gold"), gold_of(row)
    if given is not None and len(named) != (len(given) if isinstance(given, list) else 1):
        return "must be the id of a document, or a list of such"
    unknown = next((id for id in named if id not in ids), None)
    return "" if unknown is None else f"there is no document {unknown!r}"
