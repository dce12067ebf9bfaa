"""Fine-tune each base model in this process on the rows that passed the data door."""

from functools import partial

from finewright.errors import DataError
from finewright.lm import runtime
from finewright.lm.encode import EncodedRows
from finewright.lm.load_chat import chat_of
from finewright.lm.origin import origin_of
from finewright.lm.sources import locate_in
from finewright.schema.common import Artifact, Problem
from finewright.schema.data import DataReport
from finewright.schema.decisions import StoredDecider
from finewright.schema.label_methods import DecidingSettings, LinearSpec
from finewright.schema.methods import DistillSpec, GKDSpec, OnlineSettings
from finewright.schema.rows import parse_rows
from finewright.schema.train import OWN_BACKEND, Candidate, TrainReport
from finewright.store.atomic import write_json
from finewright.store.manifest import METRICS, PACE, REFERENCES, TAUGHT, describe
from finewright.store.stage import StageContext, StageResult, refuse
from finewright.train import rewards
from finewright.train.by_backend import LOG, train_by_backend
from finewright.train.candidate import TrainingOutcome, train_candidate
from finewright.train.held_out import left_out
from finewright.train.labelled import note_calibration
from finewright.train.linear import train_linear
from finewright.train.on_parent import with_kept_parent
from finewright.train.prepared import encode_held_out, prepare_rows
from finewright.train.privacy.units import near_repeats
from finewright.train.proof import Proved, prove
from finewright.train.ranks import ALONE, Ranks
from finewright.train.reward_runs import load_reward_model
from finewright.train.rows import MethodRows, rows_for
from finewright.train.teacher import find_teacher
from finewright.train.work import Work, refuse_disagreement, with_threads

# What is in the result's folder, beside the adapter or the model itself.
_KINDS = {
    METRICS: "metrics",
    "curves.svg": "plot",
    "curves.png": "plot",
    REFERENCES: "references",
    TAUGHT: "references",
    PACE: "pace",
    LOG: "log",
}


def train_here(context: StageContext, ranks: Ranks = ALONE) -> StageResult:
    """Train every base model of the spec, one after another. This process may be one of several: all give the
    same, and the first writes it."""
    data = context.run.read_report("data", DataReport)
    rows = _rows(context, data.train)
    refuse(near_repeats(context.spec.train, data.duplicates))
    eval_rows = _rows(context, data.eval) if data.eval else MethodRows([], [])
    train = _linear if context.spec.train.on_features else partial(_candidate, ranks=ranks)
    candidates = [train(context, name, rows, eval_rows) for name in context.spec.base_models]
    artifacts = tuple(a for candidate in candidates for a in candidate.artifacts)
    inputs = tuple(candidate.base_sha256 for candidate in candidates)
    read = (data.train, data.eval) if data.eval else (data.train,)
    return StageResult(
        TrainReport(candidates=tuple(candidates)), artifacts, (*inputs, *(a.sha256 for a in read))
    )


def _rows(context: StageContext, artifact: Artifact) -> MethodRows:
    rows = parse_rows((context.run.root / artifact.path).read_text(encoding="utf-8"))
    shaped = rows_for(context.spec.train.method, rows)
    refuse(shaped.problems)
    return shaped


def _linear(context: StageContext, name: str, rows: MethodRows, eval_rows: MethodRows) -> Candidate:
    runtime.require_runtime()
    spec = context.candidates[name]
    assert isinstance(spec, LinearSpec)
    return train_linear(context, name, spec, rows.rows, eval_rows.rows)


def _candidate(
    context: StageContext, name: str, rows: MethodRows, eval_rows: MethodRows, ranks: Ranks
) -> Candidate:
    runtime.require_runtime()
    context.emit("device", stage="train", base_model=name, device=runtime.describe_device())
    runtime.forget_peak(give_back=True)  # the model before this one is not this one's need
    spec = with_threads(context, name, ranks)
    commit = context.commits.get(name, "")
    base = locate_in(context.run, name, context.root, commit=commit)
    if isinstance(spec, DistillSpec | GKDSpec):
        find_teacher(
            spec, base, context.root
        )  # one that cannot teach is refused before rows are read
    made = prepare_rows(base, spec, chat_of(base, context.spec), rows)
    refuse((*made.problems, *made.encoded.problems))
    if not made.encoded.rows:
        raise DataError("no row is left to train on")
    held_out = encode_held_out(made, eval_rows)
    scored = None
    if isinstance(spec, OnlineSettings):
        scored = rewards.build(spec.rewards, context.resolve, load_reward_model)
    rows_and_rewards = (made.encoded.rows, held_out.rows, scored)
    work = Work(
        context, spec, base, made.chat, *rows_and_rewards, made.private, ranks, made.labelled
    )
    refuse_disagreement(work)
    work = with_kept_parent(work) if ranks.is_first else work
    is_own = spec.backend == OWN_BACKEND
    outcome = train_candidate(work) if is_own else train_by_backend(work, rows.rows)
    proved = prove(work, outcome.stored) if ranks.is_first else Proved((), ())
    of_labels = [] if work.labelled is None else _calibrate(work)
    ranks.agree(None)  # what the report names is written
    unseen = left_out(held_out, spec.max_length)
    problems = (
        *made.problems,
        *made.encoded.problems,
        *unseen,
        *outcome.problems,
        *proved.problems,
        *of_labels,
    )
    return _report(work, made.encoded, outcome).model_copy(
        update={"proofs": proved.proofs, "problems": problems}
    )


def _report(work: Work, encoded: EncodedRows, outcome: TrainingOutcome) -> Candidate:
    run, progress = work.context.run, outcome.progress
    beside = [work.folder / name for name in _KINDS if (work.folder / name).is_file()]
    files = [*sorted((work.folder / "adapter").iterdir()), *beside]
    parent = [] if work.base.adapter is None else sorted(work.base.adapter.iterdir())
    artifacts = (
        *(describe(run, path, _KINDS.get(path.name, "adapter")) for path in files),
        *(describe(run, path, "parent") for path in parent),
    )
    return Candidate(
        base_model=work.base.name,
        base_sha256=work.base.sha256,
        base_origin=origin_of(work.base).name,
        base_license=work.base.license,
        base_revision=work.base.revision,
        method=work.spec.method,
        backend=work.spec.backend,
        adapter=(work.folder / "adapter").relative_to(run.root).as_posix(),
        artifacts=artifacts,
        counts=encoded.counts,
        steps=progress.step,
        tokens=progress.tokens,
        trained_tokens=progress.trained_tokens,
        first_loss=progress.first_loss,
        final_loss=outcome.final_loss,
        final_metrics=outcome.final_metrics,
        best_step=progress.best_step or None,
        eval_loss=outcome.eval_loss,
        eval_metrics=outcome.eval_metrics,
        seconds=round(progress.seconds, 3),
        tokens_per_second=round(progress.tokens / max(progress.seconds, 1e-9), 1),
        peak_gib=round(outcome.peak_gib or runtime.peak_gib(), 3),
        trainable_parameters=outcome.trainable_parameters,
        privacy=outcome.privacy,
    )


def _calibrate(work: Work) -> list[Problem]:
    """Calibrate the stored result, loaded afresh and never quantised, and write decisions.json beside it."""
    from finewright.labels.decider import DECISIONS_FILE
    from finewright.labels.on_lm import HeadScorer, scorer_on
    from finewright.lm.load import load_lm

    spec, labelled, folder = work.spec, work.labelled, work.folder / "adapter"
    assert isinstance(spec, DecidingSettings)
    assert labelled is not None
    assert spec.dtype != "auto"
    consent = work.context.spec.remote_code.get(work.base.name, "")
    lm = load_lm(work.base, folder, dtype=spec.dtype, consent=consent)
    targets, rows = labelled.targets, labelled.calibration
    scorer = scorer_on(folder, lm, work.chat, targets.labels, labelled.system_prompt)
    stored = StoredDecider(
        kind="head" if isinstance(scorer, HeadScorer) else "text",
        labels=targets.labels,
        system_prompt=labelled.system_prompt,
        calibration=targets.calibrate(scorer.logits(rows), rows, spec.decisions),
    )
    write_json(folder / DECISIONS_FILE, stored.model_dump(mode="json"))
    return [note_calibration(len(rows))]
