"""The evaluate stage: each tuned model against its base, on rows that were not trained on."""

from collections.abc import Sequence
from pathlib import Path

from finewright.errors import DataError, Interrupted
from finewright.evaluate.answers import Rate
from finewright.evaluate.measure import (
    Measured,
    OnProgress,
    RowSet,
    Settings,
    Subject,
    differences,
    measure,
    scores_of,
)
from finewright.evaluate.score import ScoreOptions
from finewright.lm.load import load_chat, load_lm
from finewright.lm.model import LM
from finewright.lm.score_head import load_head, scores
from finewright.lm.sources import locate
from finewright.schema.evaluate import EvaluateReport, EvaluateSpec
from finewright.schema.rows import parse_rows
from finewright.schema.train import Candidate, TrainReport
from finewright.store.atomic import write_text
from finewright.store.manifest import describe
from finewright.store.stage import StageContext, StageResult


def run(context: StageContext) -> StageResult:
    """Measure base and tuned model of every candidate on every row set."""
    spec = context.spec.evaluate
    settings = settings_of(spec)
    row_sets = _row_sets(context)
    trained = context.run.read_report("train", TrainReport)
    measured: list[Measured] = []
    pairs: list[tuple[str, str]] = []
    for candidate in trained.candidates:
        prefix = f"{candidate.base_model} " if len(trained.candidates) > 1 else ""
        found = _measure_candidate(context, candidate, prefix, row_sets, settings)
        measured += found
        if "base" in spec.compare_with:
            pairs.append((f"{prefix}tuned", f"{prefix}base"))
    samples = context.run.stage_dir("evaluate") / "samples.jsonl"
    write_text(samples, samples_text(measured))
    artifact = describe(context.run, samples, "samples")
    report = EvaluateReport(
        confidence=spec.confidence,
        scores=scores_of(measured),
        differences=differences(measured, pairs, settings.options),
        samples=artifact,
    )
    adapters = tuple(a.sha256 for c in trained.candidates for a in c.artifacts)
    return StageResult(report, (artifact,), adapters)


def settings_of(spec: EvaluateSpec) -> Settings:
    """The spec's numbers, as the measuring functions take them."""
    options = ScoreOptions(spec.confidence, spec.resamples, spec.seed)
    return Settings(spec.metrics, spec.max_new_tokens, spec.batch_size, options)


def samples_text(measured: Sequence[Measured]) -> str:
    """samples.jsonl: one line per row and system."""
    return "".join(sample.model_dump_json() + "\n" for m in measured for sample in m.samples)


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


def _measure_candidate(
    context: StageContext,
    candidate: Candidate,
    prefix: str,
    row_sets: Sequence[RowSet],
    settings: Settings,
) -> list[Measured]:
    consent = context.spec.remote_code.get(candidate.base_model, "")
    base = locate(candidate.base_model, context.root)
    chat = load_chat(base, consent=consent)
    dtype = context.candidates[candidate.base_model].dtype
    assert dtype != "auto"
    adapter = context.run.root / candidate.adapter
    watch = _watch(context)

    def each(name: str, lm: LM, rate: Rate | None = None) -> list[Measured]:
        subject = Subject(f"{prefix}{name}", lm, chat, rate)
        return [measure(subject, rows, settings, watch) for rows in row_sets]

    measured: list[Measured] = []
    compared = "base" in context.spec.evaluate.compare_with
    has_adapter = context.candidates[candidate.base_model].adapter.type != "none"
    if compared and not has_adapter:
        measured += each("base", load_lm(base, None, dtype=dtype, consent=consent))
    lm = load_lm(base, adapter, dtype=dtype, consent=consent)
    if compared and has_adapter:
        with lm.reference():
            measured += each("base", lm)
    return measured + each("tuned", lm, rating(adapter, lm))


def rating(folder: Path, lm: LM) -> Rate | None:
    """How the reward model in a folder rates a batch; None for a model that only writes."""
    head = load_head(folder, lm.device)
    return None if head is None else lambda model, batch: scores(model, head, batch)


def _watch(context: StageContext) -> OnProgress:
    def watch(system: str, data: str, done: int, total: int) -> None:
        context.emit("progress", stage="evaluate", system=system, data=data, done=done, total=total)
        if stop := context.should_stop():
            raise Interrupted(
                "stopped while measuring; nothing of this stage is kept",
                signal_number=stop,
                hint=f"finewright up {context.run.root} measures again",
            )

    return watch
