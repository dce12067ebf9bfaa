"""One candidate: a base model, its train settings, and the folder where its training is kept."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from finewright.errors import Interrupted, StageError
from finewright.lm import runtime
from finewright.lm.batch import Example
from finewright.lm.chat import Chat
from finewright.lm.model import LM
from finewright.lm.sources import BaseModel
from finewright.plugins import resolve
from finewright.schema.common import Problem
from finewright.schema.methods import AnyTrainSpec
from finewright.store.atomic import write_text
from finewright.store.stage import StageContext
from finewright.train import checkpoint
from finewright.train.checkpoint import Checkpoint, Progress
from finewright.train.curves import write_curves
from finewright.train.defaults import eval_steps, save_steps
from finewright.train.load import load_for_training
from finewright.train.loop import Method, Step, held_out_loss, rows_of_step, train
from finewright.train.memory import told_what_would_fit
from finewright.train.methods.setup import Setup
from finewright.train.optimizer import Optimizer
from finewright.train.references import References
from finewright.train.rewards import Rewards
from finewright.train.save import save_result
from finewright.train.schedule import Schedule, schedule_of
from finewright.train.state import make_optimizer, put_back, put_weights_back, state_of
from finewright.train.watch import Watch

# From here on it is not only the system's own small tasks.
_BUSY_CORES = 0.3
_BEST = "best"


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be trained, on what, and where it is kept."""

    context: StageContext
    spec: AnyTrainSpec
    base: BaseModel
    chat: Chat
    rows: Sequence[Example]
    eval_rows: Sequence[Example]
    rewards: Rewards | None = None

    @property
    def folder(self) -> Path:
        """train/<base model> in the run, made when missing."""
        name, slug = self.base.name, _slug(self.base.name)
        if any(_slug(other) == slug for other in self.context.spec.base_models if other != name):
            slug += "-" + hashlib.sha256(name.encode()).hexdigest()[:8]
        folder = self.context.run.stage_dir("train") / slug
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def schedule(self) -> Schedule:
        """Its steps."""
        return schedule_of(self.spec, [row.num_tokens for row in self.rows])


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-.")


class Outcome(NamedTuple):
    """How the training of a candidate went; held-out metrics are empty without held-out rows, and `stored` is
    what the result's folder should hold."""

    progress: Progress
    final_loss: float
    final_metrics: dict[str, float]
    eval_loss: float | None
    eval_metrics: dict[str, float]
    trainable_parameters: int
    stored: Mapping[str, Tensor]
    problems: tuple[Problem, ...]


@dataclass(slots=True)
class _Training:
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


def train_candidate(work: Work) -> Outcome:
    """Train from the newest good checkpoint, or from the start, and write the result.

    Raises Interrupted, with a checkpoint written, when asked to stop, and StageError when the loss
    leaves the finite numbers or memory does not suffice."""
    spec = work.spec
    with told_what_would_fit(spec):
        training = _begun(work)
        progress = _resumed(training)
        for problem in chain(_why_slower(work.base.name, training.lm), _busy(spec.threads)):
            training.say(problem)
        progress, last = _steps(training, progress)
        loss, metrics = last.metrics.get("eval_loss"), _held_out_of(last)
        if progress.best_step and _keeps_best(spec):
            _take_best(training, progress)
            loss, metrics = _looked_at(training)
        save_result(
            work.folder / "adapter", training.lm, training.method, work.base, work.chat, spec
        )
        write_curves(work.folder)
    return Outcome(
        progress=progress,
        final_loss=last.loss,
        final_metrics=last.metrics,
        eval_loss=loss,
        eval_metrics=metrics,
        trainable_parameters=sum(p.numel() for p in training.optimizer.parameters),
        stored={name: t.detach() for name, t in training.lm.stored_tensors().items()},
        problems=tuple(training.problems),
    )


def _begun(work: Work) -> _Training:
    """The model with its adapter and the method, as before the first step."""
    spec = work.spec
    consent = work.context.spec.remote_code.get(work.base.name, "")
    lm = load_for_training(work.base, spec, consent=consent)
    watch = partial(_watch_references, work)
    references = References(work.folder / "references.json", key=work.context.key, watch=watch)
    setup = Setup(lm, work.chat, work.rewards, references)
    method: Method = resolve("method", spec.method)(spec, setup)
    schedule = work.schedule
    steps = (rows_of_step(schedule, work.rows, step) for step in range(schedule.steps))
    looks = (
        work.eval_rows[start : start + spec.batch_size]
        for start in range(0, len(work.eval_rows), spec.batch_size)
    )
    lm.model.train()
    method.prepare(lm, chain(steps, looks), spec.micro_batch_tokens)
    optimizer = make_optimizer(lm, method, weight_decay=spec.weight_decay)
    return _Training(work, lm, method, optimizer, [])


def _watch_references(work: Work, done: int, total: int) -> None:
    work.context.emit("references", stage="train", done=done, total=total)
    if stop := work.context.should_stop():
        raise Interrupted(
            "stopped before the first step; nothing is kept",
            signal_number=stop,
            hint=f"finewright up {work.context.run.root} begins again",
        )


def _resumed(training: _Training) -> Progress:
    """Put the newest good checkpoint back, and cut the metrics to where it stands."""
    work = training.work
    found, problems = checkpoint.latest(work.folder / "checkpoints", key=work.context.key)
    for problem in problems:
        training.say(problem)
    metrics = work.folder / "metrics.jsonl"
    if found is None:
        write_text(metrics, "")
        return Progress()
    put_back(found.state, training.lm, training.method, training.optimizer)
    lines = metrics.read_text(encoding="utf-8").splitlines(keepends=True)
    write_text(metrics, "".join(lines[: found.progress.step]))
    work.context.emit("resumed", stage="train", step=found.progress.step)
    return found.progress


def _steps(training: _Training, progress: Progress) -> tuple[Progress, Step]:
    """Run the remaining steps, logging each and keeping a checkpoint now and then."""
    work, schedule, watch = training.work, training.work.schedule, Watch()
    every = work.spec.save_steps or save_steps(schedule.steps)[0]
    past = _past(work.folder / "metrics.jsonl")
    for step in past:
        watch.look(step)
    last = past[-1] if past else None
    try:
        for trained in _remaining(training, progress):
            step = _with_look(training, trained)
            progress = _advanced(progress, step)
            _log(work, step, schedule.steps)
            for problem in watch.look(step):
                training.say(problem)
            if progress.best_step == step.step and _keeps_best(work.spec):
                checkpoint.write(
                    work.folder / "checkpoints" / _BEST,
                    key=work.context.key,
                    progress=progress,
                    state=state_of(training.lm, training.method, training.optimizer),
                )
            last = step
            stop = work.context.should_stop()
            ends = _ends_early(work.spec, progress, schedule)
            if stop or ends or step.step % every == 0 or step.step == schedule.steps:
                _save(training, progress)
            if stop:
                raise Interrupted(
                    f"stopped after step {step.step} of {schedule.steps}; a checkpoint is kept",
                    signal_number=stop,
                    hint=f"finewright up {work.context.run.root} goes on from there",
                )
            if ends:
                training.say(_ended(progress, step.step, schedule.steps))
                break
    except FloatingPointError as error:
        raise StageError(f"training diverged: {error}", hint="lower train.learning_rate") from None
    assert last is not None
    return progress, last


def _remaining(training: _Training, progress: Progress) -> Iterator[Step]:
    work = training.work
    if _ends_early(work.spec, progress, work.schedule):
        return iter(())  # it had ended when it was cut
    return train(
        training.lm,
        training.method,
        work.rows,
        work.schedule,
        training.optimizer,
        start_step=progress.step,
        max_grad_norm=work.spec.max_grad_norm,
        micro_batch_tokens=work.spec.micro_batch_tokens,
    )


def _with_look(training: _Training, step: Step) -> Step:
    """The step with what the held-out rows say, when it is time for a look."""
    work = training.work
    steps = work.schedule.steps
    every = work.spec.eval_steps or eval_steps(steps)[0]
    if not work.eval_rows or (step.step % every and step.step != steps):
        return step
    loss, seen = _looked_at(training)
    assert loss is not None
    found = {"eval_loss": loss, **{f"eval_{name}": value for name, value in seen.items()}}
    return replace(step, metrics={**step.metrics, **found})


def _held_out_of(step: Step) -> dict[str, float]:
    prefix = "eval_"
    named = ((n.removeprefix(prefix), v) for n, v in step.metrics.items() if n.startswith(prefix))
    return {name: value for name, value in named if name != "loss"}


def _looked_at(training: _Training) -> tuple[float | None, dict[str, float]]:
    work = training.work
    if not work.eval_rows:
        return None, {}
    return held_out_loss(
        training.lm,
        training.method,
        work.eval_rows,
        batch_size=work.spec.batch_size,
        max_tokens=work.spec.micro_batch_tokens,
    )


def _advanced(progress: Progress, step: Step) -> Progress:
    best, best_step = progress.best_loss, progress.best_step
    # An online method's loss says little; its held-out reward does.
    value = step.metrics.get("eval_loss")
    if value is not None and "eval_reward" in step.metrics:
        value = -step.metrics["eval_reward"]
    if value is not None and (best is None or value < best):
        best, best_step = value, step.step
    return Progress(
        step=step.step,
        tokens=progress.tokens + step.tokens,
        trained_tokens=progress.trained_tokens + step.trained_tokens,
        seconds=progress.seconds + step.seconds,
        first_loss=progress.first_loss if progress.step else step.loss,
        best_loss=best,
        best_step=best_step,
    )


def _keeps_best(spec: AnyTrainSpec) -> bool:
    return bool(spec.early_stopping) or spec.keep == "best+last"


def _ends_early(spec: AnyTrainSpec, progress: Progress, schedule: Schedule) -> bool:
    """Have there been `early_stopping` looks since the best one?"""
    if not spec.early_stopping or not progress.best_step:
        return False
    every = spec.eval_steps or eval_steps(schedule.steps)[0]
    looks = progress.step // every - progress.best_step // every
    return looks >= spec.early_stopping


def _ended(progress: Progress, step: int, steps: int) -> Problem:
    return Problem(
        level="info",
        message=f"stopped early after step {step} of {steps}: no held-out look was better than that of step"
        f" {progress.best_step}",
        hint="its weights are the result",
    )


def _take_best(training: _Training, progress: Progress) -> None:
    path = training.work.folder / "checkpoints" / _BEST
    found = checkpoint.read(path, key=training.work.context.key)
    if isinstance(found, Checkpoint):
        put_weights_back(found.state.weights, training.lm, training.method)
        return
    training.say(
        Problem(
            level="warning",
            file=str(path),
            message=f"the checkpoint of the best step, {progress.best_step}, cannot be used: {found}",
            hint="the last step's weights are the result",
        )
    )


def _save(training: _Training, progress: Progress) -> None:
    checkpoint.save(
        training.work.folder / "checkpoints",
        key=training.work.context.key,
        progress=progress,
        state=state_of(training.lm, training.method, training.optimizer),
    )


def _log(work: Work, step: Step, steps: int) -> None:
    with (work.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(step)) + "\n")
    work.context.emit(
        "metric", stage="train", base_model=work.base.name, steps=steps, **asdict(step)
    )


def _past(metrics: Path) -> list[Step]:
    lines = metrics.read_text(encoding="utf-8").splitlines()
    return [Step(**json.loads(line)) for line in lines]


def _why_slower(name: str, lm: LM) -> Iterator[Problem]:
    for path in lm.slow_paths():
        yield Problem(level="info", message=f"{name}: {path}", hint="right, and slower")


def _busy(threads: int | None) -> Iterator[Problem]:
    used = runtime.cores_others_use()
    if used > _BUSY_CORES:
        yield Problem(
            level="info",
            message=f"other programs keep {used:.1f} cores busy, and a step waits for its slowest thread",
            hint=f"stop them, or set train.threads to fewer than {threads}",
        )
