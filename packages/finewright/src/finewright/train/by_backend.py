"""A candidate that another framework trains: our rows go out, its adapter comes back as any result does."""

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from finewright.errors import DataError, ModelError, StageError
from finewright.lm import runtime
from finewright.lm.adapters.files import read_adapter_spec
from finewright.lm.adapters.kinds import save_adapter
from finewright.lm.chat import save_with_ends
from finewright.lm.load import load_lm
from finewright.lm.origin import origin_of
from finewright.schema.common import Problem
from finewright.schema.rows import Row
from finewright.store.atomic import replace_dir, write_text
from finewright.train.backends import BackendJob, BackendRow, BackendRun, backend_named
from finewright.train.candidate import TrainingOutcome
from finewright.train.checkpoint import CheckpointProgress
from finewright.train.curves import write_curves
from finewright.train.loop import TrainStep
from finewright.train.work import Work

LOG = "backend.log"
"""What the framework printed, in the result's folder."""


def train_by_backend(work: Work, rows: Sequence[Row]) -> TrainingOutcome:
    """Let the backend of the settings train, store its adapter, and say how it went.

    A cut run begins anew: the framework's own checkpoints are not kept. Raises StageError where it fails or
    gives back another adapter than was asked for, and DataError where it cannot be given base and rows."""
    spec = work.spec
    if work.base.adapter is not None:
        raise DataError(
            f"{work.base.name}: {spec.backend} trains whole models, and this is a run with its own adapter",
            hint="write it with `finewright export --to merged`, and name that folder",
        )
    scratch = work.folder / "backend"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    order = _order(work)
    by_id = {row.id: row for row in rows}
    job = BackendJob(
        name=work.base.name,
        spec=spec,
        run_spec=work.context.spec.model_copy(update={"train": spec}),
        base=work.base.folder.absolute(),
        origin=origin_of(work.base).name,
        rows=[
            BackendRow(sequence.input_ids, sequence.trained, by_id[sequence.row_id])
            for index in order
            for sequence in work.rows[index].sequences[:1]
        ],
        steps=work.schedule.steps,
        folder=work.folder.absolute(),
        scratch=scratch.absolute(),
        should_stop=work.context.should_stop,
    )
    try:
        run = backend_named(spec.backend).train(job)
        return _take_back(work, run, order)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _order(work: Work) -> list[int]:
    """The rows of every step, one after another. Raises DataError for those of several sequences."""
    for example in work.rows:
        if len(example.sequences) != (2 if example.is_pair else 1):
            raise DataError(
                f"{work.base.name}: its chat template writes earlier answers otherwise than they are asked"
                f" for, so a row is several, and {work.spec.backend} takes one",
                hint="train on rows of one answer, or with train.backend finewright",
            )
    schedule = work.schedule
    return [
        index
        for step in range(schedule.steps)
        for part in schedule.batches_of(step)
        for index in part
    ]


def _take_back(work: Work, run: BackendRun, order: Sequence[int]) -> TrainingOutcome:
    spec, base = work.spec, work.base
    assert spec.dtype != "auto"
    if not run.steps:
        raise StageError(
            f"{spec.backend} logged no step", hint=f"{work.folder / LOG} has its words"
        )
    try:
        found = read_adapter_spec(run.adapter)
        lm = load_lm(base, run.adapter, dtype=spec.dtype)
    except ModelError as error:
        raise StageError(f"the adapter of {spec.backend}: {error}") from None
    for name in ("r", "alpha", "use_dora", "use_rslora"):
        given, wanted = getattr(found, name), getattr(spec.adapter, name)
        if given != wanted:
            raise StageError(
                f"{spec.backend} gave back an adapter with {name} {given}, and {wanted} was asked for",
                hint="this is a fault of the translation; `finewright export-config` shows what it was given",
            )
    with replace_dir(work.folder / "adapter") as new:
        save_adapter(new, lm.model, lm.adapters, found, base=base)
        save_with_ends(new, work.chat)
    steps = _steps(work, run, order)
    lines = [json.dumps(_logged(step)) + "\n" for step in steps]
    write_text(work.folder / "metrics.jsonl", "".join(lines))
    write_curves(work.folder)
    stored = {name: tensor.detach() for name, tensor in lm.tensors_to_store().items()}
    return TrainingOutcome(
        progress=CheckpointProgress(
            step=len(steps),
            tokens=sum(step.tokens for step in steps),
            trained_tokens=sum(step.trained_tokens for step in steps),
            seconds=run.seconds,
            first_loss=steps[0].loss,
        ),
        final_loss=steps[-1].loss,
        final_metrics=steps[-1].metrics,
        eval_loss=None,
        eval_metrics={},
        trainable_parameters=sum(tensor.numel() for tensor in stored.values()),
        stored=stored,
        problems=tuple(_about(work, run, len(steps))),
        peak_gib=run.peak_gib,
    )


def _steps(work: Work, run: BackendRun, order: Sequence[int]) -> list[TrainStep]:
    """The framework's steps as our log has them; tokens are those of the rows that were to be in each."""
    per_step = work.spec.batch_size * work.spec.gradient_accumulation
    found = []
    for number, step in enumerate(run.steps):
        rows = [work.rows[i] for i in order[number * per_step : (number + 1) * per_step]]
        found.append(
            TrainStep(
                step=number + 1,
                loss=step.loss,
                learning_rate=step.learning_rate,
                grad_norm=step.grad_norm,
                tokens=sum(row.num_tokens for row in rows),
                trained_tokens=sum(row.num_trained for row in rows),
                seconds=run.seconds / len(run.steps),
                metrics=dict(step.metrics),
            )
        )
    return found


def _logged(step: TrainStep) -> dict[str, Any]:  # Any: JSON
    """What the framework logged of the step: what it does not log is left out, and never NaN."""
    fields = asdict(step).items()
    return {k: v for k, v in fields if not (isinstance(v, float) and not math.isfinite(v))}


def _about(work: Work, run: BackendRun, steps: int) -> list[Problem]:
    device = "" if runtime.device().type == "cpu" else ", without the device's"
    said = [
        Problem(
            level="info",
            message=f"{work.base.name}: trained by {run.versions}; seconds are of its training alone, and the"
            f" memory is its process's peak{device}",
        )
    ]
    if steps != work.schedule.steps:
        said.append(
            Problem(
                level="warning",
                message=f"{work.spec.backend} took {steps} steps, and {work.schedule.steps} were asked for",
            )
        )
    return said
