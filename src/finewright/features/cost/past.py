"""Runs of the past that did the same work on this machine: what they took is the best estimate there is."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from finewright.errors import FinewrightError
from finewright.features.cost.job import Job
from finewright.schema.train import Candidate, TrainReport
from finewright.store.environment import environment
from finewright.store.rundir import RunDir, list_runs
from finewright.store.speclock import lock_of

_MOST = 5
# What decides speed and memory of a step beside the rows.
_SAME = ("method", "adapter", "memory", "batch_size", "max_length")


class Past(NamedTuple):
    """A candidate of a finished run."""

    run: str
    tokens: int
    seconds: float
    peak_gib: float


def past_runs(root: Path, job: Job) -> list[Past]:
    """The newest runs of the same base model with the same settings on such a processor; damaged ones are
    passed over."""
    found: list[Past] = []
    for run in reversed(list_runs(root)):
        try:
            found += _of(run, job)
        except (FinewrightError, ValueError, OSError):
            continue  # `runs list` says what is wrong with it
        if len(found) >= _MOST:
            break
    return found[:_MOST]


def _of(run: RunDir, job: Job) -> Iterator[Past]:
    if not run.report_path("train").is_file() or not _same_processor(run):
        return
    settings = lock_of(run).candidates.get(job.base_model)
    if settings is None or any(getattr(settings, k) != getattr(job.train, k) for k in _SAME):
        return
    for candidate in run.read_report("train", TrainReport).candidates:
        if candidate.base_model == job.base_model and candidate.seconds > 0:
            yield _past(run, candidate)


def _past(run: RunDir, candidate: Candidate) -> Past:
    return Past(run.root.name, candidate.tokens, candidate.seconds, candidate.peak_gib)


def _same_processor(run: RunDir) -> bool:
    there, here = json.loads(run.env.read_text(encoding="utf-8")), environment()
    return all(there.get(key) == here[key] for key in ("cpu", "cores"))
