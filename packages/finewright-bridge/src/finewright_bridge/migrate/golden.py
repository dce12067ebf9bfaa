"""The golden set of a migration: recorded or asked once, then frozen with what parity will mean."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

from finewright.errors import DataError
from finewright.evaluate.score import check_metrics
from finewright.fetch.endpoint import Endpoint
from finewright.judge.json_text import parse_json
from finewright.rows.identity import prompt_key
from finewright.schema.common import Artifact, Model, Problem
from finewright.schema.rows import Row
from finewright.store.answers import AnswersLog
from finewright.store.atomic import read_json, sha256_file, write_json, write_text
from finewright.store.stage import refuse
from finewright_bridge.migrate.endpoints import EndpointAnswer, turns
from finewright_bridge.migrate.folder import GOLDEN, LOG, RECORD
from finewright_bridge.migrate.golden_rows import (
    GoldenRow,
    drawn_golden,
    expected_of,
    golden_row,
    golden_text,
    prompts_of,
    recorded,
)
from finewright_bridge.migrate.non_inferiority import check_measurable, too_few
from finewright_bridge.migrate.repeats import repeats
from finewright_bridge.migrate.results import Golden, ParityTerms

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
        return _thawed(folder, wanted)
    known = {**expected_of(rows), **expected_of(validation)}
    if "://" in wanted.origin:
        found = _answers(folder, wanted, validation or rows, known, on_answer)
    else:
        golden, problems = recorded(Path(wanted.origin), known)
        refuse(problems)
        problems = (*problems, *repeats(Path(wanted.origin)))
        found = _Answered(drawn_golden(golden, wanted.most), "", _cut(golden, wanted, problems))
    if not found.rows:
        raise DataError(
            f"{wanted.origin}: no answers to keep as the golden set",
            hint='a recorded row is {"prompt": ..., "answer": ...}',
        )
    return _frozen(folder, wanted, found, today)


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
    message = f"{wanted.most:,} of {len(golden):,} answers are used, drawn by seed 0"
    hint = "raise --golden-rows, in another --folder"
    return (*problems, Problem(level="warning", file=wanted.origin, message=message, hint=hint))


def _frozen(folder: Path, wanted: Wanted, found: _Answered, today: date) -> GoldenSet:
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


def _thawed(folder: Path, wanted: Wanted) -> GoldenSet:
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
                f"{record}: {option} was {_shown(then)} when the answers were frozen, and is {_shown(now)}",
                hint="what parity means is said before, not after; name another --folder",
            )
    rows, problems = recorded(path, {})
    return GoldenSet(frozen, tuple(rows), (*frozen.problems, *problems, *_too_few(frozen)))


def _shown(value: object) -> str:
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
