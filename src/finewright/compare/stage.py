"""The evaluate stage: each tuned model against its base, on rows that were not trained on."""

from collections.abc import Sequence
from typing import NamedTuple

from finewright.compare.asking import OnProgress, RowAnswer, measure
from finewright.compare.local import with_room
from finewright.compare.models import LoadedModel, loaded
from finewright.errors import DataError, Interrupted
from finewright.evaluate.answers import Rate, rating
from finewright.evaluate.baselines.card import label_card, strays
from finewright.evaluate.baselines.label_task import LabelTask, label_task, told_sets
from finewright.evaluate.cautions import linear_problems, recall_problems
from finewright.evaluate.measured import (
    Measured,
    RowSet,
    counts_of,
    differences,
    scores_of,
    settings_of,
)
from finewright.evaluate.parts import parts_of, with_repeated
from finewright.evaluate.samples import samples_text
from finewright.lm.load import chat_of, load_lm
from finewright.lm.model import LM
from finewright.lm.sources import locate
from finewright.schema.common import Problem
from finewright.schema.data import DataReport
from finewright.schema.evaluate import (
    BASE,
    BASE_WITH_LABELS,
    LINEAR,
    TUNED,
    EvaluateReport,
)
from finewright.schema.rows import parse_rows
from finewright.schema.train import Candidate, TrainReport
from finewright.store.answers import AnswersLog
from finewright.store.atomic import write_text
from finewright.store.keys import digest
from finewright.store.manifest import describe
from finewright.store.stage import StageContext, StageResult


def run(context: StageContext) -> StageResult:
    """Measure base and tuned model of every candidate, and the baselines, on every row set."""
    spec = context.spec.evaluate
    settings = settings_of(spec)
    row_sets = _row_sets(context)
    trained = context.run.read_report("train", TrainReport)
    task = _label_task(context)
    measured: list[Measured] = []
    unmeasured: list[Problem] = []
    pairs: list[tuple[str, str]] = []
    asked = AnswersLog(context.run.stage_dir("evaluate") / "asked.jsonl", RowAnswer)
    for candidate in trained.candidates:
        prefix = f"{candidate.base_model} " if len(trained.candidates) > 1 else ""
        found = _measure_candidate(context, candidate, prefix, row_sets, task, asked)
        measured += found.measured
        unmeasured += found.problems
        pairs += [(prefix + TUNED, prefix + base) for base in (BASE, BASE_WITH_LABELS)]
        pairs.append((prefix + TUNED, LINEAR))
    card = label_card(task if "linear" in spec.compare_with else None, row_sets, measured, settings)
    measured += card.measured
    repeated = _repeated(context)
    parts = parts_of(measured, repeated, pairs, settings.options)
    samples = context.run.stage_dir("evaluate") / "samples.jsonl"
    write_text(samples, samples_text(with_repeated(measured, repeated)))
    asked.remove()
    artifact = describe(context.run, samples, "samples")
    compared = differences(measured, pairs, settings.options)
    problems = [*unmeasured, *(problem for each in measured for problem in each.problems)]
    report = EvaluateReport(
        confidence=spec.confidence,
        draws=context.run.read_report("data", DataReport).draws,
        scores=scores_of(measured),
        differences=compared,
        strays=tuple(strays(task, row_sets, measured, spec.confidence)) if task else (),
        linear=card.fit,
        answers=counts_of(measured),
        parts=parts,
        samples=artifact,
        problems=(
            *problems,
            *linear_problems(compared, spec.confidence),
            *recall_problems(parts),
        ),
    )
    adapters = tuple(a.sha256 for c in trained.candidates for a in c.artifacts)
    return StageResult(report, (artifact,), adapters)


def _label_task(context: StageContext) -> LabelTask | None:
    """The task of the rows that trained, where their answers are labels."""
    path = context.run.root / "data" / "train.jsonl"
    return label_task(parse_rows(path.read_text(encoding="utf-8"))) if path.is_file() else None


def _repeated(context: StageContext) -> dict[str, tuple[int, ...]]:
    """Of each set that the data stage compared with the training rows: which rows repeat one."""
    if not context.run.report_path("data").is_file():
        return {}
    compared = context.run.read_report("data", DataReport).contamination
    return {each.name: each.repeated for each in compared if each.repeated is not None}


def _row_sets(context: StageContext) -> list[RowSet]:
    """The row sets that the data stage checked and put into the run."""
    folder = context.run.root / "data" / "evaluate"
    files = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
    if not files:
        raise DataError(
            "there is nothing to evaluate on",
            hint="name held-out files under evaluate.data, or set data.eval_fraction",
        )
    order = {name: i for i, name in enumerate(context.spec.evaluate.names())}
    sets = [RowSet(f.stem, parse_rows(f.read_text(encoding="utf-8"))) for f in files]
    return sorted(sets, key=lambda row_set: order.get(row_set.name, len(order)))


class _Found(NamedTuple):
    """What was measured of a candidate, and what must be said of what was not."""

    measured: list[Measured]
    problems: list[Problem]


def _measure_candidate(
    context: StageContext,
    candidate: Candidate,
    prefix: str,
    row_sets: Sequence[RowSet],
    task: LabelTask | None,
    log: AnswersLog[RowAnswer],
) -> _Found:
    settings = settings_of(context.spec.evaluate)
    consent = context.spec.remote_code.get(candidate.base_model, "")
    base = locate(candidate.base_model, context.root, commit=candidate.base_revision)
    chat = chat_of(base, context.spec)
    dtype = context.candidates[candidate.base_model].dtype
    assert dtype != "auto"
    adapter = context.run.root / candidate.adapter
    watch = _watch(context)

    def each(name: str, lm: LM, sets: Sequence[RowSet], rate: Rate | None = None) -> list[Measured]:
        subject = LoadedModel(f"{prefix}{name}", lm, chat, rate)
        system = loaded(subject, digest(context.key, subject.name))
        return [measure(system, rows, settings, log, watch) for rows in sets]

    problems: list[Problem] = []

    def before(lm: LM) -> list[Measured]:
        told = told_sets(chat, task, row_sets) if "base_with_labels" in compare_with else []
        subject = LoadedModel(f"{prefix}{BASE_WITH_LABELS}", lm, chat)
        told, overlong = with_room(subject, told, settings.max_new_tokens)
        problems.extend(overlong)
        plain = each(BASE, lm, row_sets) if "base" in compare_with else []
        return plain + each(BASE_WITH_LABELS, lm, told)

    measured: list[Measured] = []
    compare_with = context.spec.evaluate.compare_with
    is_compared = not {"base", "base_with_labels"}.isdisjoint(compare_with)
    has_adapter = context.candidates[candidate.base_model].adapter.type != "none"
    if is_compared and not has_adapter:
        measured += before(load_lm(base, None, dtype=dtype, consent=consent))
    lm = load_lm(base, adapter, dtype=dtype, consent=consent)
    if is_compared and has_adapter:
        with lm.reference():
            measured += before(lm)
    measured += each(TUNED, lm, row_sets, rating(adapter, lm))
    return _Found(measured, problems)


def _watch(context: StageContext) -> OnProgress:
    def watch(system: str, data: str, done: int, total: int) -> None:
        context.emit("progress", stage="evaluate", system=system, data=data, done=done, total=total)
        if stop := context.should_stop():
            raise Interrupted(
                "stopped while measuring; what was answered is kept",
                signal_number=stop,
                hint=f"finewright up {context.run.root} goes on from there",
            )

    return watch
