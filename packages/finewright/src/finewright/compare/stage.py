"""The evaluate stage: each tuned model against its base, on rows that were not trained on."""

from finewright.compare.asking import OnProgress, RowAnswer
from finewright.compare.card import ScoreCard
from finewright.compare.local import LoadedModel
from finewright.errors import DataError, Interrupted
from finewright.evaluate.answers import rating
from finewright.evaluate.baselines.label_task import label_task
from finewright.evaluate.baselines.rivals import find_json_task, list_ways
from finewright.evaluate.measured import RowSet, row_set_of, settings_of
from finewright.labels.decider import load_linear
from finewright.labels.on_lm import decider_on
from finewright.lm.load import load_lm
from finewright.lm.load_chat import chat_of
from finewright.lm.model import LM
from finewright.lm.sources import locate_in
from finewright.schema.data import DataReport
from finewright.schema.evaluate import BASE, BASE_WITH_LABELS, LINEAR, TUNED, WITH_LABELS
from finewright.schema.label_methods import gives_one_answer
from finewright.schema.rows import Row, parse_rows
from finewright.schema.train import Candidate, TrainReport
from finewright.store.answers import AnswersLog
from finewright.store.keys import digest
from finewright.store.manifest import describe
from finewright.store.stage import StageContext, StageResult


def run(context: StageContext) -> StageResult:
    """Measure base and tuned model of every candidate, and the baselines, on every row set."""
    folder = context.run.stage_dir("evaluate")
    log = AnswersLog(folder / "asked.jsonl", RowAnswer)
    spec = context.spec.evaluate
    settings = settings_of(spec, context.resolve)
    sets, repeated = _row_sets(context), _read_repeated(context)
    train = _training_rows(context)
    json_task, problems = find_json_task(train, spec, context.resolve)
    task = label_task(train) if gives_one_answer(context.spec.train) else None
    card = ScoreCard(spec, settings, sets, task, json_task, repeated, log, _watch(context))
    card.problems += problems
    trained = context.run.read_report("train", TrainReport)
    for candidate in trained.candidates:
        prefix = f"{candidate.base_model} " if len(trained.candidates) > 1 else ""
        if context.candidates[candidate.base_model].on_features:
            adapter = context.run.root / candidate.adapter
            decider = load_linear(adapter, candidate.base_model, context.root)
            key = digest(context.key, candidate.base_model, TUNED)
            card.add_decider(decider, key, prefix + TUNED)
        else:
            _measure(context, candidate, prefix, card)
        ways = ("", WITH_LABELS, *list_ways(spec.compare_with, tuned=False))
        others = (*(prefix + BASE + way for way in ways), LINEAR)
        for way in ("", *list_ways(spec.compare_with, tuned=True)):
            card.pairs += [(prefix + TUNED + way, other) for other in others]
    report = card.report(folder / "samples.jsonl")
    artifact = describe(context.run, folder / "samples.jsonl", "samples")
    draws = context.run.read_report("data", DataReport).draws
    adapters = tuple(a.sha256 for c in trained.candidates for a in c.artifacts)
    whole = report.model_copy(update={"draws": draws, "samples": artifact})
    return StageResult(whole, (artifact,), adapters)


def _training_rows(context: StageContext) -> list[Row]:
    path = context.run.root / "data" / "train.jsonl"
    return parse_rows(path.read_text(encoding="utf-8")) if path.is_file() else []


def _read_repeated(context: StageContext) -> dict[str, tuple[int, ...]]:
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
    metrics = _read_metrics_of_ancestors(context)
    order = {name: i for i, name in enumerate(context.spec.evaluate.names())}
    sets = [
        row_set_of(f.stem, parse_rows(f.read_text(encoding="utf-8")), metrics.get(f.stem, ()))
        for f in files
    ]
    return sorted(sets, key=lambda row_set: order.get(row_set.name, len(order)))


def _read_metrics_of_ancestors(context: StageContext) -> dict[str, tuple[str, ...]]:
    """Set -> the metrics that it is measured by, of the runs that this one builds on."""
    if not context.run.report_path("data").is_file():
        return {}
    ancestors = context.run.read_report("data", DataReport).ancestors
    return {each.name: each.metrics for each in ancestors}


def _measure(context: StageContext, candidate: Candidate, prefix: str, card: ScoreCard) -> None:
    """The base as it is and with help, where it is compared with, then the tuned model."""
    consent = context.spec.remote_code.get(candidate.base_model, "")
    name, commit = candidate.base_model, candidate.base_revision
    base = locate_in(context.run, name, context.root, commit=commit)
    chat = chat_of(base, context.spec)
    dtype = context.candidates[candidate.base_model].dtype
    assert dtype != "auto"
    adapter = context.run.root / candidate.adapter
    compare_with = context.spec.evaluate.compare_with
    is_compared = not {"base", "base_with_labels", "examples", "schema"}.isdisjoint(compare_with)
    has_adapter = context.candidates[candidate.base_model].adapter.type != "none"

    def key(name: str) -> str:
        return digest(context.key, candidate.base_model, name)

    def before(lm: LM) -> None:
        model = LoadedModel(prefix + BASE, lm, chat)
        if "base" in compare_with:
            card.add(model, key(BASE))
        if "base_with_labels" in compare_with:
            card.add_with_labels(model, key(BASE), prefix + BASE_WITH_LABELS)
        card.add_rivals(model, key(BASE))

    if is_compared and not has_adapter:
        before(load_lm(base, None, dtype=dtype, consent=consent))
    lm = load_lm(base, adapter, dtype=dtype, consent=consent)
    if is_compared and has_adapter:
        with lm.reference():
            before(lm)
    if context.candidates[candidate.base_model].decides:
        card.add_decider(decider_on(adapter, name, lm, chat), key(TUNED), prefix + TUNED)
        return
    model = LoadedModel(prefix + TUNED, lm, chat, rating(adapter, lm))
    card.add(model, key(TUNED))
    card.add_rivals(model, key(TUNED), tuned=True)


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
