"""A job as it is kept: `job.json`, written once, and `state.json`, which changes.

queued -> running -> succeeded | failed | cancelled
running, queued -> paused;  paused, failed -> queued again, from the last checkpoint"""

import re
from collections.abc import Mapping
from typing import Any, Literal

from finewright.schema.common import Model

JobStatus = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]
OVER: frozenset[JobStatus] = frozenset({"succeeded", "cancelled"})
"""What nothing leads out of."""
_ORGANISATION = "finewright"
_NOT_A_NAME = re.compile(r"[^a-z0-9]+")


class TuningJob(Model):
    """What a client wants trained. `model` is the served id, `base` what the spec names; `train` is the
    spec's section, `hyperparameters` what was given. The job and its result are there for its `project` and
    for admins; None is of a version that knew no projects."""

    id: str
    created: float
    model: str
    base: str
    training_file: str
    validation_file: str | None = None
    method_type: str
    train: Mapping[str, Any]  # Any: keys of the spec
    hyperparameters: Mapping[str, Any]  # Any: as the client gave them
    learning_rate_multiplier: float | None = None
    suffix: str = ""
    seed: int = 0
    metadata: Mapping[str, str] = {}
    project: str | None = None

    @property
    def run_name(self) -> str:
        """The name of its run: no other job has it."""
        stem = _slug(self.suffix or self.model)[:48]
        return f"{stem or 'job'}-{self._short}"

    @property
    def tuned_model(self) -> str:
        """What clients call its result: ft:base:organisation:suffix:id."""
        return f"ft:{self.model}:{_ORGANISATION}:{_slug(self.suffix)[:40]}:{self._short}"

    @property
    def _short(self) -> str:
        return self.id[-8:]


class JobFailure(Model):
    """Why a job failed."""

    code: str
    message: str
    param: str | None = None


class JobNote(Model):
    """Something that happened to a job outside of its run."""

    time: float
    level: Literal["info", "warn", "error"]
    message: str


class TunedResult(Model):
    """What a job that succeeded made. `answers` is false for a reward model, which only rates."""

    trained_tokens: int
    fingerprint: str
    system_prompt: str
    context: int | None
    answers: bool
    results_file: str


class JobState(Model):
    """Where a job stands. `wish` is what its process was asked to do at the time `wished`, `end` where it
    took longer than jobs may; `run` is its folder's name; a result that is not `served` was unloaded for
    good. `used` are the numbers that the run takes for OpenAI's hyperparameters, where no other setting
    decides."""

    status: JobStatus = "queued"
    wish: Literal["", "pause", "cancel", "end"] = ""
    wished: float = 0.0
    started: float | None = None
    finished: float | None = None
    run: str = ""
    used: Mapping[str, int | float] = {}
    failure: JobFailure | None = None
    result: TunedResult | None = None
    served: bool = True
    notes: tuple[JobNote, ...] = ()

    def at(self, time: float, message: str, **changes: Any) -> "JobState":  # Any: its own fields
        """The state after something happened, with a note of it."""
        status = changes.get("status", self.status)
        level: Literal["info", "error"] = "error" if status == "failed" else "info"
        note = JobNote(time=time, level=level, message=message)
        return self.model_copy(update={**changes, "notes": (*self.notes, note)})


def _slug(text: str) -> str:
    return _NOT_A_NAME.sub("-", text.lower()).strip("-")
