"""One candidate: a base model, its train settings, and the folder where its training is kept."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from finewright.errors import Interrupted, StageError
from finewright.lm import runtime
from finewright.lm.batch import Encoded
from finewright.lm.chat import Chat
from finewright.lm.lora import adapter_tensors, linear_paths, save_adapter, set_adapter_tensors
from finewright.lm.model import LM
from finewright.lm.sources import BaseModel
from finewright.plugins import resolve
from finewright.schema.common import Problem
from finewright.schema.train import SFTSpec
from finewright.store.atomic import replace_dir, write_text
from finewright.store.stage import StageContext
from finewright.train import checkpoint
from finewright.train.checkpoint import Progress
from finewright.train.defaults import save_steps
from finewright.train.load import load_for_training
from finewright.train.loop import Method, Step, make_optimizer, mean_loss, train
from finewright.train.schedule import schedule_of

# From here on it is not only the system's own small tasks.
_BUSY_CORES = 0.3


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be trained, on what, and where it is kept. `key` tells its checkpoints from others'."""

    context: StageContext
    spec: SFTSpec
    base: BaseModel
    chat: Chat
    rows: Sequence[Encoded]
    eval_rows: Sequence[Encoded]

    @property
    def folder(self) -> Path:
        """train/<base model> in the run, made when missing."""
        name, slug = self.base.name, _slug(self.base.name)
        if any(_slug(other) == slug for other in self.context.spec.base_models if other != name):
            slug += "-" + hashlib.sha256(name.encode()).hexdigest()[:8]
        folder = self.context.run.stage_dir("train") / slug
        folder.mkdir(exist_ok=True)
        return folder


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-.")


class Outcome(NamedTuple):
    """How the training of a candidate went."""

    progress: Progress
    final_loss: float
    eval_loss: float | None
    trainable_parameters: int
    problems: tuple[Problem, ...]


def train_candidate(work: Work) -> Outcome:
    """Train from the newest good checkpoint, or from the start, and write `adapter/`.

    Raises Interrupted, with a checkpoint written, when asked to stop, and StageError when the loss
    leaves the finite numbers."""
    spec = work.spec
    consent = work.context.spec.remote_code.get(work.base.name, "")
    lm = load_for_training(work.base, spec, consent=consent)
    method: Method = resolve("method", spec.method)()
    optimizer = make_optimizer(lm, method, weight_decay=spec.weight_decay)
    progress, problems = _resume(work, lm, optimizer)
    problems += [*_why_slower(work.base.name, lm), *_busy(spec.threads)]
    for problem in problems:
        work.context.emit("problem", stage="train", **problem.model_dump())
    progress, final_loss = _steps(work, lm, method, optimizer, progress)
    eval_loss = None
    if work.eval_rows:
        eval_loss = mean_loss(lm, method, work.eval_rows, batch_size=spec.batch_size)
    with replace_dir(work.folder / "adapter") as new:
        save_adapter(
            new,
            lm.adapters,
            spec.adapter,
            base_model=str(work.base.folder),
            linears=linear_paths(lm.model),
        )
        work.chat.tokenizer.save_pretrained(new)
    trainable = sum(p.numel() for p in lm.parameters())
    return Outcome(progress, final_loss, eval_loss, trainable, tuple(problems))


def _resume(work: Work, lm: LM, optimizer: torch.optim.AdamW) -> tuple[Progress, list[Problem]]:
    """Put the newest good checkpoint back, and cut the metrics to where it stands."""
    found, problems = checkpoint.latest(work.folder / "checkpoints", key=work.context.key)
    metrics = work.folder / "metrics.jsonl"
    if found is None:
        write_text(metrics, "")
        return Progress(0, 0, 0, 0.0, 0.0), problems
    set_adapter_tensors(lm.adapters, found.adapter, origin="checkpoint")
    checkpoint.restore_optimizer(optimizer, found.optimizer)
    lines = metrics.read_text(encoding="utf-8").splitlines(keepends=True)
    write_text(metrics, "".join(lines[: found.progress.step]))
    work.context.emit("resumed", stage="train", step=found.progress.step)
    return found.progress, problems


def _steps(
    work: Work, lm: LM, method: Method, optimizer: torch.optim.AdamW, progress: Progress
) -> tuple[Progress, float]:
    """Run the remaining steps, logging each and keeping a checkpoint now and then."""
    schedule = schedule_of(work.spec, [row.num_tokens for row in work.rows])
    every = work.spec.save_steps or save_steps(schedule.steps)[0]
    metrics = work.folder / "metrics.jsonl"
    final_loss = _last_loss(metrics)
    steps = train(
        lm,
        method,
        work.rows,
        schedule,
        optimizer,
        start_step=progress.step,
        max_grad_norm=work.spec.max_grad_norm,
        micro_batch_tokens=work.spec.micro_batch_tokens,
    )
    try:
        for step in steps:
            progress, final_loss = _advanced(progress, step), step.loss
            with metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(step)) + "\n")
            work.context.emit(
                "metric",
                stage="train",
                base_model=work.base.name,
                steps=schedule.steps,
                **asdict(step),
            )
            stop = work.context.should_stop()
            if stop or step.step % every == 0 or step.step == schedule.steps:
                _save(work, lm, optimizer, progress)
            if stop and step.step < schedule.steps:
                raise Interrupted(
                    f"stopped after step {step.step} of {schedule.steps}; a checkpoint is kept",
                    signal_number=stop,
                    hint=f"finewright up {work.context.run.root} goes on from there",
                )
    except FloatingPointError as error:
        raise StageError(f"training diverged: {error}", hint="lower train.learning_rate") from None
    return progress, final_loss


def _save(work: Work, lm: LM, optimizer: torch.optim.AdamW, progress: Progress) -> None:
    checkpoint.save(
        work.folder / "checkpoints",
        key=work.context.key,
        progress=progress,
        adapter=adapter_tensors(lm.adapters),
        optimizer=optimizer,
    )


def _advanced(progress: Progress, step: Step) -> Progress:
    return Progress(
        step=step.step,
        tokens=progress.tokens + step.tokens,
        trained_tokens=progress.trained_tokens + step.trained_tokens,
        seconds=progress.seconds + step.seconds,
        first_loss=progress.first_loss if progress.step else step.loss,
    )


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


def _last_loss(metrics: Path) -> float:
    lines = metrics.read_text(encoding="utf-8").splitlines()
    return float(json.loads(lines[-1])["loss"]) if lines else float("nan")
