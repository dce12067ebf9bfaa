"""The live objects of a candidate's training: made, or made again from the newest good checkpoint."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

from torch.distributed.tensor import DTensor

from finewright.errors import Interrupted, StageError
from finewright.lm.by_sample import refuse_mixed
from finewright.lm.example import Example
from finewright.lm.model import LM
from finewright.lm.tensors import digest_of_tensors
from finewright.schema.common import Problem
from finewright.schema.methods import DistillSpec, GKDSpec
from finewright.store.atomic import write_text
from finewright.store.manifest import TAUGHT
from finewright.train import checkpoint
from finewright.train.checkpoint import Checkpoint, CheckpointProgress, State
from finewright.train.load import load_for_training
from finewright.train.loop import Method, rows_of_step
from finewright.train.methods.setup import Setup, method_of
from finewright.train.optimizer import Optimizer
from finewright.train.ranks import ALONE, find_disagreement
from finewright.train.references import References
from finewright.train.state import (
    gather_state,
    make_optimizer,
    put_back,
    put_weights_back,
    state_of,
)
from finewright.train.teacher import TaughtRows, load_teacher
from finewright.train.work import Work

_BEST = "best"
_METRICS = "metrics.jsonl"


@dataclass(slots=True)
class Training:
    """The live objects of a candidate's training."""

    work: Work
    lm: LM
    method: Method
    optimizer: Optimizer
    problems: list[Problem]

    def say(self, problem: Problem) -> None:
        """Keep it for the report, and show it now."""
        self.problems.append(problem)
        self.work.context.emit("problem", stage="train", **problem.model_dump())


def begin(work: Work) -> Training:
    """The model with its adapter and the method, as before the first step."""
    spec = work.spec
    consent = work.context.spec.remote_code.get(work.base.name, "")
    over = work.ranks if work.context.spec.launch.fsdp else ALONE
    lm = load_for_training(work.base, spec, consent=consent, sharded_over=over)
    watch = partial(_watch_references, work)
    key, ranks = work.context.key, work.ranks
    references = References(work.folder / "references.json", key, watch, ranks)
    targets = None if work.labelled is None else work.labelled.targets
    setup = Setup(lm, work.chat, work.rewards, references, ranks=ranks, targets=targets)
    if isinstance(spec, DistillSpec | GKDSpec):
        file = work.folder / TAUGHT
        setup = replace(
            setup,
            teacher=partial(load_teacher, spec, work.base, work.context.root),
            taught=TaughtRows(file, key, watch, ranks),
        )
    method = method_of(spec, setup)
    held_out = (
        work.eval_rows[start : start + spec.batch_size]
        for start in range(0, len(work.eval_rows), spec.batch_size)
    )
    lm.model.train()
    if work.private is not None:
        refuse_mixed(lm)
    method.prepare(lm, chain(_rows_ahead(work), held_out), spec.micro_batch_tokens)
    optimizer = make_optimizer(lm, method, weight_decay=spec.weight_decay)
    return Training(work, lm, method, optimizer, [])


def _rows_ahead(work: Work) -> Iterator[Sequence[Example]]:
    """The rows of each step to come; of a private training, whose chance draws them, all of them."""
    schedule = work.schedule
    if work.private is None:
        yield from (rows_of_step(schedule, work.rows, step) for step in range(schedule.steps))
    else:
        yield from (unit.rows for unit in work.private.units)


def _watch_references(work: Work, done: int, total: int) -> None:
    work.context.emit("references", stage="train", done=done, total=total)
    stop_before_the_first_step(work)


def stop_before_the_first_step(work: Work) -> None:
    """Raise Interrupted when asked to stop; nothing is trained that could be kept."""
    if stop := work.context.should_stop():
        raise Interrupted(
            "stopped before the first step; nothing is kept",
            signal_number=stop,
            hint=f"finewright up {work.context.run.root} begins again",
        )


def resume(training: Training) -> CheckpointProgress:
    """Put the newest good checkpoint back, and cut the metrics to where it stands."""
    work = training.work
    found, problems = checkpoint.latest(work.folder / "checkpoints", key=work.context.key)
    for problem in problems:
        training.say(problem)
    progress = CheckpointProgress() if found is None else found.progress
    if found is not None:
        put_back(found.state, training.lm, training.method, training.optimizer)
        work.context.emit("resumed", stage="train", step=progress.step)
    if work.ranks.is_first:
        _cut_metrics(work.folder / _METRICS, progress.step)
    refuse_other_weights(training, progress.step)  # when that is done
    return progress


def _cut_metrics(metrics: Path, step: int) -> None:
    lines = metrics.read_text(encoding="utf-8").splitlines(keepends=True) if step else []
    write_text(metrics, "".join(lines[:step]))


def refuse_other_weights(training: Training, step: int) -> None:
    """Raise StageError, on every rank, where what each has whole of what is trained is not the same bit by
    bit on all of them."""
    ranks = training.work.ranks
    if ranks.size == 1:
        return
    state = state_of(training.lm, training.method, training.optimizer)
    of_all = {name: t for name, t in state.weights.items() if not isinstance(t, DTensor)}
    found = find_disagreement(ranks.gather({"weights": digest_of_tensors(of_all)}))
    if found:
        raise StageError(
            f"after step {step} the ranks have come apart: {found}",
            hint="what was kept before is good; train on machines of one kind, or with launch.processes 1",
        )


def keep(training: Training, progress: CheckpointProgress) -> None:
    """Write a checkpoint of the training as it is, when the log of its steps is on the disk.

    The first rank writes, and the others wait for it: one that ended before would end all of them. Raises
    StageError, and writes nothing, where ranks have come apart."""
    refuse_other_weights(training, progress.step)
    work, state = training.work, _whole_state(training)
    if work.ranks.is_first:
        with (work.folder / _METRICS).open("rb") as metrics:
            os.fsync(metrics.fileno())
        folder = work.folder / "checkpoints"
        checkpoint.save(folder, key=work.context.key, progress=progress, state=state)
    work.ranks.agree(None)


def _whole_state(training: Training) -> State:
    """What a checkpoint has, on the first rank; all must call it."""
    state = state_of(training.lm, training.method, training.optimizer)
    return gather_state(state, keep=training.work.ranks.is_first)


def keep_best(training: Training, progress: CheckpointProgress) -> None:
    """Write the checkpoint of the best step so far, in place of the one before."""
    state = _whole_state(training)
    if not training.work.ranks.is_first:
        return
    folder = training.work.folder / "checkpoints" / _BEST
    checkpoint.write(folder, key=training.work.context.key, progress=progress, state=state)


def take_best(training: Training, progress: CheckpointProgress) -> None:
    """Put the best step's weights back; where its checkpoint is damaged, say so and leave the last."""
    training.work.ranks.agree(None)  # the first rank has written it
    path = training.work.folder / "checkpoints" / _BEST
    found = checkpoint.read(path, key=training.work.context.key)
    if isinstance(found, Checkpoint):
        if found.progress.step == progress.best_step:
            put_weights_back(found.state.weights, training.lm, training.method)
            return
        found = f"it is of step {found.progress.step}"
    training.say(
        Problem(
            level="warning",
            file=str(path),
            message=f"the checkpoint of the best step, {progress.best_step}, cannot be used: {found}",
            hint="the last step's weights are the result",
        )
    )
