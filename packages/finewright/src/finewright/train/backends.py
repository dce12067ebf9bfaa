"""Training by another framework: it gets our rows in the order of our steps, and gives a PEFT adapter back.

A backend is a plugin of its own kind, by its name in `train.backend`: it says what it cannot do with the
settings, and trains in a process and an environment of its own. What it gives back is loaded here, stored as
any adapter is, and proved and measured like one: frameworks are compared on the same rows and means."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from finewright import plugins
from finewright.errors import FinewrightError
from finewright.schema.common import Problem
from finewright.schema.rows import Row
from finewright.schema.run import RunSpec
from finewright.schema.train import OWN_BACKEND, TrainSettings


class BackendRow(NamedTuple):
    """A row as tokens with what of it is learned, as finewright reads it, and as it was written."""

    input_ids: tuple[int, ...]
    trained: tuple[bool, ...]
    row: Row


@dataclass(frozen=True, slots=True)
class BackendJob:
    """What a framework is to train: a whole base model in a folder, and the rows of all steps in their order.

    `steps` of `spec.batch_size` rows in each of `spec.gradient_accumulation` parts, the last perhaps fewer.
    `run_spec` is the run's, with this base and these settings. Its files go into `folder`, and what others
    need not see into `scratch`; `should_stop` tells whether the user wants it to end."""

    name: str
    spec: TrainSettings
    run_spec: RunSpec
    base: Path
    origin: str
    rows: Sequence[BackendRow]
    steps: int
    folder: Path
    scratch: Path
    should_stop: Callable[[], int]


class BackendStep(NamedTuple):
    """What the framework logged of a step; NaN for what it does not log."""

    loss: float
    learning_rate: float
    grad_norm: float
    metrics: Mapping[str, float]


class BackendRun(NamedTuple):
    """How it went: each step, seconds of training alone, its process's peak of memory, the adapter."""

    steps: Sequence[BackendStep]
    seconds: float
    peak_gib: float
    adapter: Path
    versions: str


class Backend(Protocol):
    """A framework that trains in finewright's place."""

    def problems(self, spec: TrainSettings) -> Iterator[Problem]:
        """What it cannot do with these settings, or why it cannot run here; asked before rows are read."""
        ...

    def train(self, job: BackendJob) -> BackendRun:
        """Train, and say where the adapter lies. Raises StageError with the framework's own last words."""
        ...


def backend_problems(spec: TrainSettings) -> Iterator[Problem]:
    """Why the backend of the settings cannot train them; nothing for finewright's own loop."""
    if spec.backend == OWN_BACKEND:
        return
    for key, why in _NOT_GIVEN.items():
        if getattr(spec, key) != TrainSettings.model_fields[key].default:
            yield _refuse(key, f"{why}; {spec.backend} trains here by steps alone")
    if spec.decides:
        yield _refuse("backend", "models of labels are trained and calibrated by finewright alone")
        return
    if spec.adapter.type != "lora":
        yield _refuse("adapter.type", f"a LoRA adapter is taken back from {spec.backend}, no other")
    try:
        yield from backend_named(spec.backend).problems(spec)
    except FinewrightError as error:
        yield _refuse("backend", str(error), error.hint or "")


_NOT_GIVEN = {
    "early_stopping": "looks at held-out rows while it trains",
    "keep": "looks at held-out rows while it trains",
    "minutes": "times the first steps",
    "batch_tokens": "makes batches of unlike numbers of rows",
    "privacy": "is finewright's own optimiser",
}


def _refuse(key: str, message: str, hint: str = "leave it out") -> Problem:
    return Problem(level="error", key=f"train.{key}", message=message, hint=hint)


def backend_named(name: str) -> Backend:
    """The framework of that name. Raises UnknownPlugin, or MissingExtra where its package is not here."""
    found: Backend = plugins.resolve("backend", name)
    return found
