"""`evaluate RUN` without rows: the answers that a run keeps, scored by other metrics. No model is loaded."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel

from finewright.errors import DataError
from finewright.evaluate.answered import AnsweredRow
from finewright.evaluate.measured import Measured, differences, scores_of, settings_of
from finewright.evaluate.own import OwnMetrics, name_code, score_by_own
from finewright.evaluate.samples import read_samples, row_of_sample
from finewright.evaluate.score import (
    PREFERENCE,
    check_metrics,
    find_speechless,
    score_answers,
)
from finewright.judge.answer import answer_of
from finewright.judge.calls import due_of
from finewright.judge.user_function import Resolve
from finewright.schema.evaluate import LOSS_METRICS, EvaluateReport, EvaluateSpec, Sample
from finewright.schema.rows import Row, parse_rows
from finewright.store.rundir import RunDir, open_run
from finewright.store.speclock import lock_of
from finewright.workbench.evaluate import spec_of

_OF_MODELS = (*LOSS_METRICS, PREFERENCE)


def rescore(target: str, spec: EvaluateSpec, *, resolve: Resolve = Path) -> EvaluateReport:
    """Every system of the run's score card by the metrics of `spec`, compared as the card compares them.

    The answers are those of `evaluate/samples.jsonl`, with the rows that were asked; `finewright verify` says
    whether both are as they were. Raises DataError for a metric that needs the model, and where the run has
    no answers."""
    check_metrics(spec.metric_names)
    if wanted := [name for name in spec.metric_names if name in _OF_MODELS]:
        raise DataError(
            f"{', '.join(wanted)}: not to be had from answers, as it is of what the model finds likely",
            hint="name rows with --data, and the model reads them",
        )
    run = open_run(Path(target))
    if not run.report_path("evaluate").is_file():
        raise DataError(f"{target}: was not measured", hint="name rows with --data")
    before = run.read_report("evaluate", EvaluateReport)
    options = lock_of(run).spec.evaluate
    kept = {"metrics": spec.metrics, "confidence": options.confidence, "seed": options.seed}
    settings = settings_of(options.model_copy(update=kept), resolve)
    rows = _read_rows(run)
    measured = []
    for (system, data), samples in _samples_by_set(run).items():
        if any(row.is_text for row in rows.get(data, ())):
            continue  # nothing was answered
        answered = _answered(system, data, samples, rows.get(data, ()), settings.own)
        due = [each.due for each in answered if each.due]
        for metric in settings.metrics:
            if problem := find_speechless(metric, data, due):
                raise DataError(problem.message, hint=problem.hint)
        scored = score_answers(system, data, settings.metrics, answered, settings.options)
        measured.append(Measured(system, data, scored, tuple(samples)))
    pairs = list(dict.fromkeys((each.system, each.against) for each in before.differences))
    return EvaluateReport(
        confidence=options.confidence,
        draws=before.draws,
        scores=scores_of(measured),
        differences=differences(measured, pairs, settings.options),
        samples=before.samples,
        problems=tuple(name_code(settings.own)),
    )


def rescore_by(
    options: BaseModel, target: str, metrics: Sequence[str], *, seed: int
) -> EvaluateReport:
    """The same by a command's options. Raises DataError for one that is of rows or of asking, and without a
    metric."""
    usual = {
        name: field.get_default(call_default_factory=True)
        for name, field in type(options).model_fields.items()
        if name not in ("target", "metrics", "seed")
    }
    given = [name for name, value in usual.items() if getattr(options, name) != value]
    if of_rows := [f"--{name.replace('_', '-')}" for name in given]:
        raise DataError(
            f"{', '.join(sorted(of_rows))}: without --data nothing is asked",
            hint="name rows with --data, or give a run and --metric alone",
        )
    if not metrics:
        hint = "name rows with --data; or --metric NAME, by which the run's own answers are scored"
        raise DataError("there is nothing to measure", hint=hint)
    most = EvaluateSpec().max_new_tokens  # nothing is asked
    return rescore(target, spec_of((), metrics, {}, max_new_tokens=most, seed=seed))


def _samples_by_set(run: RunDir) -> dict[tuple[str, str], list[Sample]]:
    """(system, set) -> its answers in the order of the rows."""
    path = run.root / "evaluate" / "samples.jsonl"
    found: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in read_samples(path):
        found[sample.system, sample.data].append(sample)
    return found


def _read_rows(run: RunDir) -> dict[str, list[Row]]:
    """Set -> the rows that were asked."""
    files = sorted((run.root / "data" / "evaluate").glob("*.jsonl"))
    return {file.stem: parse_rows(file.read_text(encoding="utf-8")) for file in files}


def _answered(
    system: str, data: str, samples: Sequence[Sample], rows: Sequence[Row], own: OwnMetrics
) -> list[AnsweredRow]:
    """The answers beside their rows: what was due is read from the row, which has its tools and columns."""
    if [sample.row for sample in samples] != [row.row for row in rows]:
        raise DataError(
            f"{data}: the answers of {system} are not of the rows in data/evaluate/{data}.jsonl",
            hint="`finewright verify` says what was changed; `finewright up` measures again",
        )
    found = []
    for sample, row in zip(samples, rows, strict=True):
        due = due_of(answer_of(row.messages[row.answer_at or 0]), row.tools, row.columns)
        known = score_by_own(own, sample.answer, row)
        found.append(replace(row_of_sample(sample), due=due, known=known))
    return found
