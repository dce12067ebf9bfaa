"""The process of a job: `python -m finewright_serve.jobs.work FOLDER MOST_RUNNING LIMITS JOB DESCRIPTOR`.

It trains as `finewright train` does, writes down how that ended, and becomes the queue's own process
(queue.py), which starts what waits: so its memory is free for the next."""

import logging
import os
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from finewright.errors import DataError, FinewrightError, Interrupted, ModelError, StageError
from finewright.fetch.telemetry import turn_off_telemetry
from finewright.lm.runtime import share_cores
from finewright.lm.sources import locate, reads_of_files
from finewright.schema.load import load_spec
from finewright.schema.report import RunReport
from finewright.schema.train_section import settings_of
from finewright.store.atomic import write_text
from finewright.store.rundir import RunDir, open_run
from finewright.store.speclock import lock_of
from finewright.train.trained import find_trained_base
from finewright.workbench.prepare import resolve_here
from finewright.workbench.systems import candidate_of, system_prompt_of, target_sha256
from finewright.workbench.up import up
from finewright_serve.jobs.files import FileFolder
from finewright_serve.jobs.folder import JobFolder, late
from finewright_serve.jobs.job import JobFailure, JobState, TunedResult, TuningJob
from finewright_serve.jobs.limits import JobLimits
from finewright_serve.jobs.results import without_places, write_results
from finewright_serve.jobs.spec import spec_of

_CODES: Mapping[type[FinewrightError], str] = {
    DataError: "invalid_training_file",
    ModelError: "invalid_model",
    StageError: "training_failed",
}


def main() -> None:
    """Do what the arguments say."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    root, most, limits, number, descriptor = sys.argv[1:]
    folder, alive = JobFolder(Path(root)), int(descriptor)
    JobLimits.read(limits).bind()
    os.set_inheritable(alive, False)
    os.pwrite(alive, f"{os.getpid()}\n".encode(), 0)
    share_cores()
    turn_off_telemetry()
    _finish(folder, number, _outcome(folder, folder.job(number)))
    arguments = ["-m", "finewright_serve.jobs.queue", root, most, limits]
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606


def _outcome(folder: JobFolder, job: TuningJob) -> TunedResult | JobFailure | Interrupted:
    try:
        return _result(folder, job, _trained(folder, job))
    except Interrupted as stopped:
        return stopped
    except FinewrightError as error:
        code = next(
            (code for kind, code in _CODES.items() if isinstance(error, kind)), "job_failed"
        )
        hint = f" ({error.hint})" if error.hint else ""
        return JobFailure(code=code, message=without_places(f"{error}{hint}", job, folder.root))
    except Exception as error:
        traceback.print_exc()
        what = f"the job failed by a mistake of finewright's: {type(error).__name__}"
        return JobFailure(code="server_error", message=f"{what}; its output.txt says where")


def _trained(folder: JobFolder, job: TuningJob) -> RunReport:
    path = folder.path(job.id) / "spec.yaml"
    if not path.is_file():
        write_text(path, yaml.safe_dump(_spec(folder, job), sort_keys=False, allow_unicode=True))

    def watch(event: str, fields: Mapping[str, Any]) -> None:  # Any: an event's fields
        if event == "run":
            run = Path(fields["run"])
            changes = {"run": run.name, "used": _used(job, open_run(run))}
            folder.change(job.id, lambda state: state.model_copy(update=changes))

    return up(load_spec(path), folder.runs, on_event=watch, through="train")


def _used(job: TuningJob, run: RunDir) -> dict[str, int | float]:
    """What the run takes for OpenAI's three hyperparameters, without those that another setting decides."""
    settings = next(iter(lock_of(run).candidates.values()))
    found: dict[str, int | float] = {}
    if settings.max_steps is None and settings.minutes is None:
        epochs = settings.epochs
        found["n_epochs"] = int(epochs) if epochs.is_integer() else epochs
    if settings.batch_tokens is None:
        found["batch_size"] = settings.batch_size
    if "learning_rate" not in job.train:
        found["learning_rate_multiplier"] = 1.0
    return found


def _spec(folder: JobFolder, job: TuningJob) -> dict[str, Any]:  # Any: YAML
    """The run's spec, whose rate is the multiple of the one that finewright would choose."""
    made = spec_of(job)
    if job.learning_rate_multiplier is not None:
        from finewright.schema.run import RunSpec

        base = locate(job.base, folder.path(job.id))
        settled, _ = resolve_here(RunSpec.model_validate(made).train, base)
        assert settled.learning_rate is not None
        rate = settled.learning_rate * job.learning_rate_multiplier
        made["train"] = {**made["train"], "learning_rate": rate}
    return made


def _result(folder: JobFolder, job: TuningJob, report: RunReport) -> TunedResult:
    run = open_run(Path(report.summary.run))
    candidate = candidate_of(run, "")
    files = FileFolder(folder.root / "files")
    return TunedResult(
        trained_tokens=candidate.trained_tokens,
        fingerprint="fp_" + target_sha256(str(run.root))[:16],
        system_prompt=system_prompt_of(run),
        context=reads_of_files(find_trained_base(run, candidate)),
        answers=settings_of(candidate.method).gives_answers,
        results_file=write_results(files, run, job),
    )


def _finish(
    folder: JobFolder, number: str, outcome: TunedResult | JobFailure | Interrupted
) -> None:
    now = time.time()

    def changed(state: JobState) -> JobState:
        if isinstance(outcome, TunedResult):
            what = f"the job has succeeded: {folder.job(number).tuned_model}"
            return state.at(now, what, status="succeeded", finished=now, wish="", result=outcome)
        if isinstance(outcome, Interrupted) and state.wish == "end":
            return late(state, now)
        if isinstance(outcome, Interrupted) and state.wish:
            what, status = (
                ("cancelled", "cancelled") if state.wish == "cancel" else ("paused", "paused")
            )
            finished = now if status == "cancelled" else None
            return state.at(now, f"the job is {what}", status=status, finished=finished, wish="")
        failure = outcome if isinstance(outcome, JobFailure) else _stopped(outcome)
        changes = {"status": "failed", "finished": now, "wish": "", "failure": failure}
        return state.at(now, failure.message, **changes)

    folder.change(number, changed)


def _stopped(outcome: Interrupted) -> JobFailure:
    what = f"a signal stopped the job's process: {outcome}; resume goes on from there"
    return JobFailure(code="process_ended", message=what)


if __name__ == "__main__":
    main()
