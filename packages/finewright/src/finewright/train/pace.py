"""How many steps fit into `train.minutes`: some real steps are timed and thrown away, once in a run.

A step is taken to last in proportion to the tokens of its rows. What was found is kept beside the training,
so that a run that was cut goes on with the same steps, and so with the same learning rates."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from finewright.lm import runtime
from finewright.schema.common import Problem
from finewright.store.atomic import write_text
from finewright.store.manifest import PACE
from finewright.train.loop import TrainStep, rows_of_step, train
from finewright.train.schedule import Schedule
from finewright.train.training import begin, stop_before_the_first_step
from finewright.train.work import Work

_SECONDS = 8.0
_WARM_UP_STEPS = 2
_MOST_STEPS = 100


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that a step takes for each token of its rows, and the steps that fit; `key` is the stage's."""

    key: str
    seconds_per_token: float
    steps: int


class Fitted(NamedTuple):
    """The work with as many steps as there is time for, and what must be said of that."""

    work: Work
    problems: tuple[Problem, ...]


def fit_minutes(work: Work) -> Fitted:
    """Give the work the steps that fit into its `minutes`, at least one; without minutes, all of them.

    Raises Interrupted when asked to stop; nothing is lost then."""
    minutes = work.spec.minutes
    if minutes is None:
        return Fitted(work, ())
    whole = work.schedule
    file = work.folder / PACE
    kept = work.ranks.agree(_read_kept(file, work.context.key) is not None)
    pace = _read_kept(file, work.context.key) if kept else _measure(work, 60 * minutes, whole)
    assert pace is not None
    if work.ranks.is_first:
        write_text(file, json.dumps(asdict(pace)) + "\n")
    if pace.steps >= whole.steps:
        return Fitted(work, ())
    fitted = replace(work, spec=work.spec.model_copy(update={"max_steps": pace.steps}))
    return Fitted(fitted, (_cut(minutes, pace.steps, whole),))


def _read_kept(file: Path, key: str) -> Pace | None:
    try:
        pace = Pace(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # measured anew
    return pace if pace.key == key else None


def _measure(work: Work, seconds: float, whole: Schedule) -> Pace:
    work.context.emit("calibrating", stage="train", seconds=_SECONDS)
    timed = list(_time_steps(work))
    tokens_of = cache(partial(_row_tokens, work, whole))
    tokens = sum(tokens_of(step.step - 1) for step in timed)
    per_token = work.ranks.agree(sum(step.seconds for step in timed) / tokens)
    runtime.forget_peak(give_back=True)
    used, steps = 0.0, 0
    while steps < whole.steps:
        used += per_token * tokens_of(steps)
        if used > seconds and steps:
            break
        steps += 1
    return Pace(work.context.key, per_token, steps)


def _time_steps(work: Work) -> Iterator[TrainStep]:
    """Real steps of the run without the first ones, which warm up; one at least."""
    most = min(_MOST_STEPS, work.schedule.steps)
    trial = replace(work, spec=work.spec.model_copy(update={"max_steps": most}))
    training = begin(trial)
    steps = train(
        training.lm,
        training.method,
        work.rows,
        trial.schedule,
        training.optimizer,
        max_grad_norm=work.spec.max_grad_norm,
        micro_batch_tokens=work.spec.micro_batch_tokens,
        ranks=work.ranks,
    )
    started = time.perf_counter()
    for step in steps:
        stop_before_the_first_step(work)
        enough = work.ranks.agree(time.perf_counter() - started >= _SECONDS)
        if step.step > _WARM_UP_STEPS or enough or step.step == most:
            yield step
        if enough:
            return


def _row_tokens(work: Work, schedule: Schedule, step: int) -> int:
    return sum(row.num_tokens for row in rows_of_step(schedule, work.rows, step))


def _cut(minutes: float, steps: int, whole: Schedule) -> Problem:
    return Problem(
        level="info",
        key="train.minutes",
        message=f"{minutes:g} minutes are enough for about {steps} of {whole.steps} steps here",
        hint="give more minutes for all of them; another machine may do another number",
    )
