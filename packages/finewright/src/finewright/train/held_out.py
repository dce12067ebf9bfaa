"""Looks at the held-out rows while a candidate trains, and what follows: the best step, and an early end."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from finewright.lm.encode import EncodedRows
from finewright.schema.common import Problem, errors_of
from finewright.schema.train import TrainSettings
from finewright.train.checkpoint import CheckpointProgress
from finewright.train.defaults import eval_steps
from finewright.train.loop import TrainStep, measure_held_out_loss
from finewright.train.schedule import Schedule
from finewright.train.training import Training


def with_look(training: Training, step: TrainStep) -> TrainStep:
    """The step with what the held-out rows say, when it is time for a look."""
    work = training.work
    steps = work.schedule.steps
    every = work.spec.eval_steps or eval_steps(steps)[0]
    if not work.eval_rows or (step.step % every and step.step != steps):
        return step
    loss, seen = look_at(training)
    assert loss is not None
    found = {"eval_loss": loss, **{f"eval_{name}": value for name, value in seen.items()}}
    return replace(step, metrics={**step.metrics, **found})


def metrics_of_look(step: TrainStep) -> dict[str, float]:
    """What the look at a step saw beside the loss; empty when there was none."""
    prefix = "eval_"
    named = ((n.removeprefix(prefix), v) for n, v in step.metrics.items() if n.startswith(prefix))
    return {name: value for name, value in named if name != "loss"}


def look_at(training: Training) -> tuple[float | None, dict[str, float]]:
    """Held-out loss and metrics as the model is now; None without held-out rows."""
    work = training.work
    if not work.eval_rows:
        return None, {}
    return measure_held_out_loss(
        training.lm,
        training.method,
        work.eval_rows,
        batch_size=work.spec.batch_size,
        max_tokens=work.spec.micro_batch_tokens,
        ranks=work.ranks,
    )


def _reasons(dropped: Mapping[str, int], max_length: int, first: Problem | None) -> Iterator[str]:
    if "overlong" in dropped:
        yield f"{dropped['overlong']} longer than {max_length} tokens"
    if first:
        yield f"{dropped['error']} that cannot be learned, this one first: {first.message}"


def left_out(held_out: EncodedRows, max_length: int) -> list[Problem]:
    """A warning where looks do not see all held-out rows: how many are missing, and why."""
    dropped = held_out.counts.rows_dropped
    if not dropped:
        return []
    first = next(iter(errors_of(held_out.problems)), None)
    reasons = list(_reasons(dropped, max_length, first))
    missing = f"{sum(dropped.values())} of {held_out.counts.rows_in} held-out rows"
    return [
        Problem(
            level="warning",
            file=first.file if first else "",
            row=first.row if first else None,
            key="" if first else "train.max_length",
            message=f"{missing} are not in the held-out loss: {'; '.join(reasons)}",
            hint="raise train.max_length, or fix the rows",
        )
    ]


def keeps_best(spec: TrainSettings) -> bool:
    """Is the best step the result, and not the last?"""
    return bool(spec.early_stopping) or spec.keep == "best+last"


def ends_early(spec: TrainSettings, progress: CheckpointProgress, schedule: Schedule) -> bool:
    """Have there been `early_stopping` looks since the best one?"""
    if not spec.early_stopping or not progress.best_step:
        return False
    every = spec.eval_steps or eval_steps(schedule.steps)[0]
    num_since = progress.step // every - progress.best_step // every
    return num_since >= spec.early_stopping


def report_early_end(progress: CheckpointProgress, step: int, steps: int) -> Problem:
    """That it was, for the log and the report."""
    return Problem(
        level="info",
        message=f"stopped early after step {step} of {steps}: no held-out look was better than that of step"
        f" {progress.best_step}",
        hint="its weights are the result",
    )


def best_of(progress: CheckpointProgress, step: TrainStep) -> tuple[float | None, int]:
    """The best held-out loss after a step, and where it was. An online method's loss says little; there it
    is the reward, with its sign turned."""
    value = step.metrics.get("eval_loss")
    if value is not None and "eval_reward" in step.metrics:
        value = -step.metrics["eval_reward"]
    if value is not None and (progress.best_loss is None or value < progress.best_loss):
        return value, step.step
    return progress.best_loss, progress.best_step
