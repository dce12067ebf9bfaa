"""One candidate trained from start to end: its steps, its log, and its result."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import NamedTuple, cast

from torch import Tensor
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

from finewright.errors import Interrupted, StageError
from finewright.estimate.data_parallel import gradients_line, shards_line
from finewright.lm import runtime
from finewright.lm.model import LM
from finewright.lm.sharded import count_bytes, gather_whole
from finewright.schema.common import Problem
from finewright.schema.differential_privacy import PrivacySpent
from finewright.train.checkpoint import CheckpointProgress
from finewright.train.curves import write_curves
from finewright.train.defaults import save_steps
from finewright.train.held_out import (
    best_of,
    ends_early,
    keeps_best,
    look_at,
    metrics_of_look,
    report_early_end,
    with_look,
)
from finewright.train.loop import TrainStep, train
from finewright.train.memory import memory_advice
from finewright.train.pace import fit_minutes
from finewright.train.privacy.noise import forget_chance, keep_chance
from finewright.train.privacy.spending import find_spending
from finewright.train.privacy.steps import ByRow, train_private
from finewright.train.save import save_result
from finewright.train.training import Training, begin, keep, keep_best, resume, take_best
from finewright.train.watch import Watch
from finewright.train.work import Work

# From here on it is not only the system's own small tasks.
_BUSY_CORES = 0.3
_LEAST_LOOK_SECONDS = 0.2
_FORECAST_AFTER = 3


class TrainingOutcome(NamedTuple):
    """How the training of a candidate went; held-out metrics are empty without held-out rows, and `stored` is
    what the result's folder should hold."""

    progress: CheckpointProgress
    final_loss: float
    final_metrics: dict[str, float]
    eval_loss: float | None
    eval_metrics: dict[str, float]
    trainable_parameters: int
    stored: Mapping[str, Tensor]
    problems: tuple[Problem, ...]
    privacy: PrivacySpent | None = None
    peak_gib: float | None = None
    """Where another process trained; else it is this one's."""


def train_candidate(work: Work) -> TrainingOutcome:
    """Train from the newest good checkpoint, or from the start, and write the result.

    Raises Interrupted, with a checkpoint written, when asked to stop, and StageError when the loss
    leaves the finite numbers or memory does not suffice."""
    spec = work.spec
    assert (work.private is None) == (
        spec.privacy is None
    )  # never without the noise that was promised
    with memory_advice(spec):
        work, cut = fit_minutes(work)
        others = runtime.watch_others(least_seconds=_LEAST_LOOK_SECONDS)
        training = begin(work)
        progress = resume(training)
        busy = (
            _busy(others(), spec.stated_threads) if work.ranks.size == 1 else ()
        )  # ranks are others too
        shared = _describe_ranks(training) if work.ranks.size > 1 else ()
        for problem in chain(cut, _why_slower(work.base.name, training.lm), busy, shared):
            training.say(problem)
        progress, last = _steps(training, progress)
        loss, metrics = last.metrics.get("eval_loss"), metrics_of_look(last)
        if progress.best_step and keeps_best(spec):
            take_best(training, progress)
            loss, metrics = look_at(training)
        privacy = find_spending(training, progress.step)
        lm, method, is_first = training.lm, training.method, work.ranks.is_first
        stored = gather_whole(lm.tensors_to_store(), keep=is_first)
        if is_first:
            folder = work.folder / "adapter"
            save_result(folder, lm, method, work.base, work.chat, spec, stored=stored)
            write_curves(work.folder)
            forget_chance(work.folder / "checkpoints")
    return TrainingOutcome(
        progress=progress,
        final_loss=last.loss,
        final_metrics=last.metrics,
        eval_loss=loss,
        eval_metrics=metrics,
        trainable_parameters=sum(p.numel() for p in training.optimizer.parameters),
        stored={name: tensor.detach() for name, tensor in stored.items()},
        problems=tuple(training.problems),
        privacy=privacy,
    )


def _steps(
    training: Training, progress: CheckpointProgress
) -> tuple[CheckpointProgress, TrainStep]:
    """Run the remaining steps, logging each and keeping a checkpoint now and then."""
    work, schedule = training.work, training.work.schedule
    every = work.spec.save_steps or save_steps(schedule.steps)[0]
    past = _past(work.folder / "metrics.jsonl")
    watch = Watch(work.spec)
    training.problems += _problems_before_cut(work, watch, past, progress)
    last, first = past[-1] if past else None, progress.step
    try:
        for trained in _remaining(training, progress):
            step = with_look(training, trained)
            progress = _advance(progress, step)
            _log(work, step, schedule.steps)
            if step.step == first + _FORECAST_AFTER:
                _forecast(work, step, schedule.steps)
            for problem in watch.look(step):
                training.say(problem)
            if progress.best_step == step.step and keeps_best(work.spec):
                keep_best(training, progress)
            last = step
            stop = work.ranks.agree(work.context.should_stop())
            ends = ends_early(work.spec, progress, schedule)
            if stop or ends or step.step % every == 0 or step.step == schedule.steps:
                keep(training, progress)
            if stop:
                raise _interrupt(work, step.step, stop)
            if ends:
                training.say(report_early_end(progress, step.step, schedule.steps))
                break
    except FloatingPointError as error:
        raise StageError(f"training diverged: {error}", hint="lower train.learning_rate") from None
    assert last is not None
    return progress, last


def _problems_before_cut(
    work: Work, watch: Watch, past: Sequence[TrainStep], progress: CheckpointProgress
) -> Iterator[Problem]:
    """What was said of the steps before a cut, which belongs into the report too."""
    for step in past:
        yield from watch.look(step)
    if ends_early(work.spec, progress, work.schedule):
        yield report_early_end(progress, progress.step, work.schedule.steps)


def _interrupt(work: Work, step: int, signal_number: int) -> Interrupted:
    return Interrupted(
        f"stopped after step {step} of {work.schedule.steps}; a checkpoint is kept",
        signal_number=signal_number,
        hint=f"finewright up {work.context.run.root} goes on from there",
    )


def _remaining(training: Training, progress: CheckpointProgress) -> Iterator[TrainStep]:
    work = training.work
    if ends_early(work.spec, progress, work.schedule):
        return iter(())  # it had ended when it was cut
    if progress.step == work.schedule.steps:
        return iter(())
    if work.private is not None:
        return train_private(
            training.lm,
            cast("ByRow", training.method),  # its settings say `by_rows`: see support.py
            work.private,
            keep_chance(work.folder / "checkpoints", work.context.key, step=progress.step),
            work.schedule,
            training.optimizer,
            start_step=progress.step,
            micro_batch_tokens=work.spec.micro_batch_tokens,
        )
    return train(
        training.lm,
        training.method,
        work.rows,
        work.schedule,
        training.optimizer,
        start_step=progress.step,
        max_grad_norm=work.spec.max_grad_norm,
        micro_batch_tokens=work.spec.micro_batch_tokens,
        ranks=work.ranks,
    )


def _advance(progress: CheckpointProgress, step: TrainStep) -> CheckpointProgress:
    best, best_step = best_of(progress, step)
    return CheckpointProgress(
        step=step.step,
        tokens=progress.tokens + step.tokens,
        trained_tokens=progress.trained_tokens + step.trained_tokens,
        seconds=progress.seconds + step.seconds,
        first_loss=progress.first_loss if progress.step else step.loss,
        best_loss=best,
        best_step=best_step,
    )


def _log(work: Work, step: TrainStep, steps: int) -> None:
    if not work.ranks.is_first:
        return
    with (work.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(step)) + "\n")
    work.context.emit(
        "metric", stage="train", base_model=work.base.name, steps=steps, **asdict(step)
    )


def _forecast(work: Work, step: TrainStep, steps: int) -> None:
    """Say how long the rest takes: at the start, when the first steps have warmed the machine up."""
    left = steps - step.step
    if left:
        seconds = round(left * step.seconds, 1)
        work.context.emit(
            "forecast", stage="train", base_model=work.base.name, steps=left, seconds=seconds
        )


def _past(metrics: Path) -> list[TrainStep]:
    lines = metrics.read_text(encoding="utf-8").splitlines()
    return [TrainStep(**json.loads(line)) for line in lines]


def _why_slower(name: str, lm: LM) -> Iterator[Problem]:
    for path in lm.slow_paths():
        yield Problem(level="info", message=f"{name}: {path}", hint="right, and slower")


def _describe_ranks(training: Training) -> Iterator[Problem]:
    size, numbers = training.work.ranks.size, sum(p.numel() for p in training.optimizer.parameters)
    if training.lm.is_sharded:
        yield _describe_shards(training.lm, size)
    in_shards = any(isinstance(p, DTensor) for p in training.optimizer.parameters)
    sent = gradients_line(numbers, size, in_shards=in_shards)
    yield Problem(
        level="info",
        key="launch.processes",
        message=f"{size} processes share each step's rows and sum {numbers:,} gradients; each {sent}",
    )


def _describe_shards(lm: LM, size: int) -> Problem:
    assert isinstance(lm.model, FSDPModule)
    line = shards_line(*count_bytes(lm.model), size)
    return Problem(level="info", key="launch.fsdp", message=line)


def _busy(used: float, threads: int | None) -> Iterator[Problem]:
    """What is said where others used so many cores while the model was loaded."""
    if used > _BUSY_CORES:
        is_many = threads is not None and threads > 1
        fewer = f", or set train.threads to auto or fewer than {threads}" if is_many else ""
        yield Problem(
            level="info",
            message=f"other programs keep {used:.1f} cores busy, and a step waits for its slowest thread",
            hint=f"stop them{fewer}",
        )
