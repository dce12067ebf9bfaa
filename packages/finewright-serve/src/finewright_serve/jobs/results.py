"""What a job's run says of itself, as OpenAI's events, checkpoints and result file have it."""

import csv
import io
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from finewright.schema.common import Problem
from finewright.store.atomic import os_errors
from finewright.store.events import Event, read_events
from finewright.store.rundir import RunDir
from finewright_serve.jobs.files import FileFolder
from finewright_serve.jobs.job import JobState, TuningJob

_LEVELS = {"error": "error", "warning": "warn", "info": "info"}
_NAMES = {
    "eval_loss": "valid_loss",
    "accuracy": "train_accuracy",
    "eval_accuracy": "valid_accuracy",
}
"""Our metrics -> what OpenAI calls them; the others keep their names."""

_FIXED = ("learning_rate", "grad_norm", "trained_tokens")
"""Another framework that trained may log fewer."""


def write_results(files: FileFolder, run: RunDir, job: TuningJob) -> str:
    """Keep the metrics of every step as a CSV file, of the job's project; returns its id."""
    steps = _steps(run)
    keys = list(dict.fromkeys(key for step in steps for key in step))
    text = io.StringIO()
    table = csv.DictWriter(text, keys)
    table.writeheader()
    table.writerows(steps)
    content = io.BytesIO(text.getvalue().encode())
    name = f"{job.id}-metrics.csv"
    return files.add(content, name, "fine-tune-results", job.project).id


def without_places(message: str, job: TuningJob, root: Path) -> str:
    """The message without the places of this machine; a base in a folder is called by its id."""
    places = {f"{root / 'jobs' / job.id}/": "", f"{root}/": ""}
    if "/" in job.base:
        places = {job.base: job.model, **places}
    for place, name in places.items():
        message = message.replace(place, name)
    return message


def events_of(job: TuningJob, state: JobState, run: RunDir | None) -> list[dict[str, Any]]:
    """Everything that happened, the newest first."""
    short = job.id.removeprefix("ftjob-")
    found = [
        (note.time, _event(f"ftevent-{short}-j{i}", note.time, note.level, note.message))
        for i, note in enumerate(state.notes)
    ]
    for i, event in enumerate(read_events(run).events if run else ()):
        if shown := _of_run(f"ftevent-{short}-r{i}", event):
            assert run is not None
            shown["message"] = without_places(shown["message"], job, run.root.parents[1])
            found.append((datetime.fromisoformat(event.time).timestamp(), shown))
    found.sort(key=lambda item: item[0])
    return [event for _, event in reversed(found)]


def checkpoints_of(job: TuningJob, state: JobState, run: RunDir | None) -> list[dict[str, Any]]:
    """The checkpoints that are on the disk, the newest first. The last one of a job that succeeded is its
    result; the others have no model's name, because nothing but a result is served."""
    if run is None:
        return []
    steps = {step["step"]: step for step in _steps(run)}
    found: list[dict[str, Any]] = []
    for path in sorted(run.root.glob("train/*/checkpoints/step-*"), reverse=True):
        number = int(path.name.removeprefix("step-"))
        is_result = not found and state.result is not None and state.result.answers
        found.append(
            {
                "id": f"ftckpt_{job.id.removeprefix('ftjob-')}-{number}",
                "object": "fine_tuning.job.checkpoint",
                "created_at": int(path.stat().st_mtime),
                "fine_tuning_job_id": job.id,
                "fine_tuned_model_checkpoint": job.tuned_model if is_result else None,
                "step_number": number,
                "metrics": steps.get(number, {"step": number}),
            }
        )
    return found


def estimated_finish(run: RunDir | None) -> int | None:
    """When training will have ended, in seconds since 1970, as the run last forecast it."""
    events = read_events(run).events if run else ()
    last = next((event for event in reversed(events) if event.type == "forecast"), None)
    if last is None:
        return None
    seconds = last.fields.get("seconds")
    assert isinstance(seconds, int | float)
    return int(datetime.fromisoformat(last.time).timestamp() + seconds)


def _steps(run: RunDir) -> list[dict[str, float]]:
    """The metrics of each step by OpenAI's names."""
    found = []
    for path in sorted(run.root.glob("train/*/metrics.jsonl")):
        with os_errors(path):
            lines = path.read_text(encoding="utf-8").split("\n")
        found += [_metrics(json.loads(line)) for line in lines[:-1]]
    return found


def _metrics(step: Mapping[str, Any]) -> dict[str, float]:
    own = {_NAMES.get(name, name): value for name, value in step["metrics"].items()}
    fixed = {name: step[name] for name in _FIXED if name in step}
    return {"step": step["step"], "train_loss": step["loss"], **own, **fixed}


def _of_run(number: str, event: Event) -> dict[str, Any] | None:
    """An event of the run, where it is one for clients."""
    time, fields = datetime.fromisoformat(event.time).timestamp(), event.fields
    if event.type == "metric":
        data = {**_metrics(fields), "total_steps": fields["steps"]}
        what = f"Step {fields['step']}/{fields['steps']}: training loss={fields['loss']:.4g}"
        if "valid_loss" in data:
            what += f", validation loss={data['valid_loss']:.4g}"
        return {**_event(number, time, "info", what), "type": "metrics", "data": data}
    if event.type == "problem":
        keys = {key: fields[key] for key in Problem.model_fields if key in fields}
        problem = Problem.model_validate({**keys, "file": Path(str(keys.get("file", ""))).name})
        return _event(number, time, _LEVELS[problem.level], problem.line())
    what = {
        "stage_started": "the stage {stage} has begun",
        "stage_ended": "the stage {stage} has ended",
        "resumed": "goes on from step {step}",
        "forecast": "about {seconds:.0f} s of training are left",
    }.get(event.type, "")
    return _event(number, time, "info", what.format(**fields)) if what else None


def _event(number: str, time: float, level: str, message: str) -> dict[str, Any]:
    return {
        "id": number,
        "object": "fine_tuning.job.event",
        "created_at": int(time),
        "level": level,
        "message": message,
        "type": "message",
        "data": None,
    }
