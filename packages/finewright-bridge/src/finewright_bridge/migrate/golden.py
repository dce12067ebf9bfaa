"""The golden set of a migration: recorded or asked once, then frozen with what parity will mean.

Recorded answers to a prompt that was there before: which rows they are, and where they contradict.

Which golden prompts are training rows with other values, and what is measured on the others."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

from finewright.data.templates import of_known_templates
from finewright.data.validate import read_validated
from finewright.errors import DataError
from finewright.evaluate.cautions import recall_problem
from finewright.evaluate.score import ScoreOptions, check_metrics
from finewright.fetch.endpoint import Endpoint
from finewright.judge.json_text import parse_json
from finewright.rows.identity import prompt_key, with_expected
from finewright.schema.common import Artifact, Model, Problem
from finewright.schema.listing import list_problems
from finewright.schema.rows import Row
from finewright.store.answers import AnswersLog
from finewright.store.atomic import read_json, sha256_file, write_json, write_text
from finewright.store.stage import refuse
from finewright_bridge.migrate.endpoints import EndpointAnswer, turns
from finewright_bridge.migrate.fit import GOLDEN, LOG, RECORD
from finewright_bridge.migrate.golden_rows import (
    GoldenRow,
    collect_expected,
    draw_golden,
    golden_row,
    golden_text,
    prompts_of,
    read_recorded,
    rows_to_measure,
    text_of,
    whole,
)
from finewright_bridge.migrate.non_inferiority import (
    GoldenAnswers,
    against_expected,
    check_measurable,
    too_few,
)
from finewright_bridge.migrate.report import Bound, Golden, ParityTerms


class Recall(NamedTuple):
    """The numbers of the golden rows that are nearly like a training row, and of the new ones."""

    repeated: tuple[int, ...]
    new: tuple[int, ...]

    def problems(self) -> Iterator[Problem]:
        """What must be said before anything is trained."""
        yield from recall_problem("the golden set", len(self.repeated), len(self.new))

    def bounds(
        self, answers: Sequence[GoldenAnswers], stated: ParityTerms, options: ScoreOptions
    ) -> dict[str, tuple[Bound, ...]]:
        """Old and new model against the right answers, on either kind of row."""
        parts = {"repeated_rows": self.repeated, "new_rows": self.new}
        return {
            name: against_expected([a for a in answers if a.row in rows], stated, options)
            for name, rows in parts.items()
        }


CONFIDENCE = 0.95
_JSON_METRICS = ("json_f1", "exact_match", "valid_json")
_TEXT_METRICS = ("token_f1", "exact_match")

OnAnswer = Callable[[int, int], None]
"""Called with prompts answered and prompts in all."""


class FrozenSet(Model):
    """What golden.json holds: the answers' digest, and what parity was said to be before training.

    `most_rows` is the --golden-rows of then, None in a record that is older than the key; `problems` is what
    reading the answers showed, for a later call's report."""

    golden: Golden
    stated: ParityTerms
    most_rows: int | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where the old model's answers come from, and what parity is to mean."""

    origin: str
    metrics: tuple[str, ...]
    margin: float
    most: int


class GoldenSet(NamedTuple):
    """The frozen set, its rows in the order of the file, and what must be said."""

    frozen: FrozenSet
    rows: tuple[GoldenRow, ...]
    problems: tuple[Problem, ...]


class _Answered(NamedTuple):
    rows: Sequence[GoldenRow]
    model: str
    problems: tuple[Problem, ...]


def golden_set(
    folder: Path,
    wanted: Wanted,
    rows: Sequence[Row],
    *,
    validation: Sequence[Row],
    today: date,
    on_answer: OnAnswer,
) -> GoldenSet:
    """The set that is frozen in the folder, or a new one, which then is.

    Asked are the questions of the validation rows, else some of the training rows'. Raises DataError for a
    set that was frozen otherwise or has changed, and for one without rows."""
    check_wanted(wanted)
    if (folder / RECORD).is_file():
        return _thaw(folder, wanted)
    known = {**collect_expected(rows), **collect_expected(validation)}
    if "://" in wanted.origin:
        found = _answers(folder, wanted, validation or rows, known, on_answer)
    else:
        golden, problems = read_recorded(Path(wanted.origin), known)
        refuse(problems)
        problems = (*problems, *repeats(Path(wanted.origin)))
        found = _Answered(draw_golden(golden, wanted.most), "", _cut(golden, wanted, problems))
    if not found.rows:
        raise DataError(
            f"{wanted.origin}: no answers to keep as the golden set",
            hint='a recorded row is {"prompt": ..., "answer": ...}',
        )
    return _freeze(folder, wanted, found, today)


def check_wanted(wanted: Wanted) -> None:
    """Raise DataError or UnknownPlugin for metrics and a margin that could say nothing."""
    check_metrics(wanted.metrics)
    check_measurable(wanted.metrics)
    if not 0 < wanted.margin < 1:
        raise DataError(f"margin {wanted.margin:g}: must be between 0 and 1, such as 0.05")


def _answers(
    folder: Path,
    wanted: Wanted,
    rows: Sequence[Row],
    known: dict[str, str],
    on_answer: OnAnswer,
) -> _Answered:
    """Every question once, at temperature 0, one after the other; a call that was cut goes on."""
    prompts = prompts_of(rows, wanted.most)
    log = AnswersLog(folder / LOG, EndpointAnswer)
    golden, models, unsaid = [], set(), 0
    on_answer(0, len(prompts))
    said = turns(Endpoint.parse(wanted.origin), prompts, log)
    for done, (prompt, turn) in enumerate(zip(prompts, said, strict=True), 1):
        models.add(turn.model)
        row = golden_row(prompt, turn.message, known.get(prompt_key(prompt)))
        if row.answer.strip():
            golden.append(row)
        else:
            unsaid += 1
        on_answer(done, len(prompts))
    message = f"{unsaid} answers are empty, or calls that cannot be read: left out"
    problems = (Problem(level="warning", file=wanted.origin, message=message),) if unsaid else ()
    return _Answered(golden, ", ".join(sorted(models)), problems)


def _cut(
    golden: Sequence[GoldenRow], wanted: Wanted, problems: tuple[Problem, ...]
) -> tuple[Problem, ...]:
    if len(golden) <= wanted.most:
        return problems
    message = f"{wanted.most:,} of {len(golden):,} answers are used, sampled by seed 0"
    hint = "raise --golden-rows, in another --folder"
    return (*problems, Problem(level="warning", file=wanted.origin, message=message, hint=hint))


def _freeze(folder: Path, wanted: Wanted, found: _Answered, today: date) -> GoldenSet:
    path = folder / GOLDEN
    write_text(path, golden_text(found.rows))
    sha256 = sha256_file(path)
    golden = Golden(
        file=Artifact(path=GOLDEN, kind="golden", sha256=sha256, bytes=path.stat().st_size),
        origin=wanted.origin,
        model=found.model,
        rows=len(found.rows),
        rows_expected=sum(row.expected is not None for row in found.rows),
    )
    stated = ParityTerms(
        metrics=wanted.metrics or usual_metrics([row.answer for row in found.rows]),
        margin=wanted.margin,
        confidence=CONFIDENCE,
        golden_sha256=sha256,
        stated_on=today,
    )
    frozen = FrozenSet(golden=golden, stated=stated, most_rows=wanted.most, problems=found.problems)
    # The record comes last: a folder that has it has the answers.
    write_json(folder / RECORD, frozen.model_dump(mode="json"))
    return GoldenSet(frozen, tuple(found.rows), (*frozen.problems, *_too_few(frozen)))


def _thaw(folder: Path, wanted: Wanted) -> GoldenSet:
    record = folder / RECORD
    frozen = read_json(record, FrozenSet, hint="name another --folder, and freeze the answers anew")
    stated, golden = frozen.stated, frozen.golden
    path = folder / GOLDEN
    if not path.is_file() or sha256_file(path) != golden.file.sha256:
        raise DataError(
            f"{path}: changed since it was frozen on {stated.stated_on}",
            hint="put the old file back, or name another --folder",
        )
    terms = {
        "--golden": (wanted.origin, golden.origin),
        "--margin": (wanted.margin, stated.margin),
        "--metric": (wanted.metrics or stated.metrics, stated.metrics),
        "--golden-rows": (wanted.most, frozen.most_rows or max(wanted.most, golden.rows)),
    }
    for option, (now, then) in terms.items():
        if now != then:
            raise DataError(
                f"{record}: {option} was {_show_value(then)} when the answers were frozen,"
                f" and is {_show_value(now)}",
                hint="what parity means is said before, not after; name another --folder",
            )
    rows, problems = read_recorded(path, {})
    return GoldenSet(frozen, tuple(rows), (*frozen.problems, *problems, *_too_few(frozen)))


def _show_value(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def usual_metrics(answers: Sequence[str]) -> tuple[str, ...]:
    """For answers that all are JSON objects or arrays those of JSON, else those of text."""
    parsed = [parse_json(answer) for answer in answers]
    is_json = all(found and isinstance(found.value, dict | list) for found in parsed)
    return _JSON_METRICS if is_json else _TEXT_METRICS


def _too_few(frozen: FrozenSet) -> tuple[Problem, ...]:
    """Said before anything is trained: what so few rows cannot show."""
    known = frozen.golden.rows_expected
    message = too_few(known or frozen.golden.rows, frozen.stated)
    if not message:
        return ()
    hint = "record more, or state a wider margin"
    return (Problem(level="warning", file=GOLDEN, message=message, hint=hint),)


def repeats(path: Path) -> tuple[Problem, ...]:
    """A warning for each of the first rows whose prompt an earlier row of the file has, and how many more.

    It says the earlier row, whose answer is the one that is kept, and whether the two answers contradict."""
    checked = read_validated(path, change=whole)
    return list_problems(_report_repeats([row for row in map(with_expected, checked.rows) if row]))


def _report_repeats(rows: list[Row]) -> Iterator[Problem]:
    first: dict[str, Row] = {}
    for row in rows:
        if not _answer(row):
            continue  # nothing, which is no golden row and counted as such
        kept = first.setdefault(prompt_key(row), row)
        if kept is row:
            continue
        same = _answer(kept) == _answer(row)
        says = "is the same" if same else "contradicts it"
        yield Problem(
            level="warning",
            file=row.file,
            row=row.row,
            message=f"asks the same as row {kept.row}, whose answer is kept; this one {says}: left out",
            hint="" if same else "keep the row that is right",
        )


def _answer(row: Row) -> str:
    return text_of(row.answer or {}).strip()


def recall(train: Sequence[Row], golden: Sequence[GoldenRow]) -> Recall:
    """By the right answer where it is known, else the old model's: a wrong one has a template of its own."""
    right = [replace(row, answer=row.expected or row.answer) for row in golden]
    known = of_known_templates(train, list(rows_to_measure(right)))
    numbers = range(1, len(golden) + 1)
    return Recall(
        tuple(i for i in numbers if i - 1 in known), tuple(i for i in numbers if i - 1 not in known)
    )
