"""Runs of the past that did the same work on this machine: what they took is the best estimate there is."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from finewright.errors import FinewrightError
from finewright.schema.launch import LaunchSpec
from finewright.schema.train import Candidate, TrainReport, TrainSettings
from finewright.store.environment import environment
from finewright.store.rundir import RunDir
from finewright.store.runs import list_runs
from finewright.store.speclock import lock_of

_MOST = 5
_ALONE = LaunchSpec()
# What decides speed and memory of a step beside the rows.
_SAME = ("method", "adapter", "memory", "batch_size", "max_length")


class Past(NamedTuple):
    """A candidate of a finished run, and the settings it was trained with."""

    run: RunDir
    settings: TrainSettings
    candidate: Candidate


def past_runs(
    root: Path, base_model: str, settings: TrainSettings, *, launch: LaunchSpec = _ALONE
) -> list[Past]:
    """The newest runs of the same base model with the same settings on such a processor, in processes
    launched alike; damaged ones are passed over."""
    found: list[Past] = []
    for run in reversed(list_runs(root)):
        try:
            if lock_of(run).spec.launch == launch:
                found += _of(run, base_model, settings)
        except (FinewrightError, ValueError, OSError):
            continue  # `runs list` says what is wrong with it
        if len(found) >= _MOST:
            break
    return found[:_MOST]


def _decisive(settings: TrainSettings) -> list[object]:
    """What a step's time depends on."""
    return [getattr(settings, key) for key in _SAME]


def _of(run: RunDir, base_model: str, settings: TrainSettings) -> Iterator[Past]:
    if not run.report_path("train").is_file() or not _same_processor(run):
        return
    theirs = lock_of(run).candidates.get(base_model)
    if theirs is None or _decisive(theirs) != _decisive(settings):
        return
    for candidate in run.read_report("train", TrainReport).candidates:
        if candidate.base_model == base_model and candidate.seconds > 0:
            yield Past(run, theirs, candidate)


def _same_processor(run: RunDir) -> bool:
    there, here = json.loads(run.env.read_text(encoding="utf-8")), environment()
    return all(there.get(key) == here[key] for key in ("cpu", "cores"))
