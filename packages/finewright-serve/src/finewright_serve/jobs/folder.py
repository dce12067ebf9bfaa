"""The folder of the jobs: every change of a state is one atomic write under one lock, and whether a job's
process lives is told by a lock that the kernel frees however it ends.

FOLDER/jobs/ID/{job.json, state.json, train.jsonl, valid.jsonl, spec.yaml, output.txt, alive.lock}
FOLDER/runs/      ordinary runs; `finewright runs list --runs FOLDER/runs` shows them"""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from finewright.store.appended import appending
from finewright.store.atomic import os_errors, read_json, replace_dir, write_json
from finewright.store.rundir import RunDir
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.steps import QuestionCaller
from finewright_serve.jobs.ids import is_id, readable, unknown
from finewright_serve.jobs.job import OVER, JobFailure, JobState, TuningJob

TRAIN, VALID = "train.jsonl", "valid.jsonl"
_JOB, _STATE, _ALIVE = "job.json", "state.json", "alive.lock"
_CHANGED = "jobs.changed"
_HINT = "move the job's folder away, and create the job again"
_DIED = "the job's process ended without a word: it was killed, or there was no memory left"


@dataclass(frozen=True, slots=True)
class JobFolder:
    """All jobs of a server."""

    root: Path
    _jobs: dict[str, TuningJob] = field(default_factory=dict)

    @property
    def runs(self) -> Path:
        """Where the runs of the jobs are."""
        return self.root / "runs"

    def path(self, number: str) -> Path:
        """The folder of a job."""
        return self.root / "jobs" / number

    def add(self, job: TuningJob, rows: Mapping[str, Path]) -> None:
        """A queued job with its own copies of the files, name -> where it is now."""
        with os_errors(self.root):
            self.path(job.id).parent.mkdir(parents=True, exist_ok=True)
        with replace_dir(self.path(job.id)) as folder, os_errors(self.root):
            for name, source in rows.items():
                _copy(source, folder / name)
            write_json(folder / _JOB, job.model_dump(mode="json"))
            state = JobState().at(job.created, f"created fine-tuning job {job.id}")
            write_json(folder / _STATE, state.model_dump(mode="json"))
        self._changed()

    def ids(self) -> list[str]:
        """The id of every job."""
        folder = self.root / "jobs"
        if not folder.is_dir():
            return []
        with os_errors(folder):
            return [name for name in os.listdir(folder) if is_id("ftjob", name)]  # noqa: PTH208 - names alone

    def job_for(self, asker: QuestionCaller, number: str) -> TuningJob:
        """The job of an id, which the asker may see. Raises ApiError as `job`."""
        found = self.job(number)
        if not asker.may_see(found.project):
            raise unknown("ftjob", number)
        return found

    def job(self, number: str) -> TuningJob:
        """The job of an id. Raises ApiError where there is none."""
        if number not in self._jobs:
            if not is_id("ftjob", number) or not (self.path(number) / _JOB).is_file():
                raise unknown("ftjob", number)
            self._jobs[number] = read_json(self.path(number) / _JOB, TuningJob, hint=_HINT)
        return self._jobs[number]

    def all(self) -> list[TuningJob]:
        """Every job that can be read, the newest first."""
        return sorted(readable(self.job, self.ids()), key=lambda job: (-job.created, job.id))

    def run(self, state: JobState) -> RunDir | None:
        """The run of a job that has begun."""
        found = self.runs / state.run
        return RunDir(found) if state.run and found.is_dir() else None

    def state(self, number: str) -> JobState:
        """Where a job stands; one whose process is gone is not running, whatever was written."""
        state = self.written(number)
        if state.status != "running" or self.is_alive(number):
            return state
        state = self.written(number)  # it may have ended well between the two looks
        return (
            without_process(state, self._last_sign(number)) if state.status == "running" else state
        )

    def written(self, number: str) -> JobState:
        """The state as it was last written, whether or not its process still lives."""
        self.job(number)
        return read_json(self.path(number) / _STATE, JobState, hint=_HINT)

    @property
    def stamp(self) -> int:
        """Another number after each change of any job."""
        path = self.root / _CHANGED
        return path.stat().st_mtime_ns if path.is_file() else 0

    def change(self, number: str, changed: Callable[[JobState], JobState]) -> JobState:
        """Write what `changed` makes of the state, with nobody between."""
        with self.lock():
            return self.write(number, changed(self.state(number)))

    def write(self, number: str, state: JobState) -> JobState:
        """Put a state in place; only under the lock."""
        write_json(self.path(number) / _STATE, state.model_dump(mode="json"))
        self._changed()
        return state

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only one, of all processes, who changes states."""
        with os_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(self.root / "jobs.lock", flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def led(self) -> Iterator[None]:
        """Be the one server whose jobs these are: another one, elsewhere, would signal processes that are not
        the jobs'. Raises DataError where there is one."""
        with os_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
        hint = (
            "another folder: --set serve.folder=..., or no jobs there: --set serve.jobs.at_once=0"
        )
        problem = f"{self.root}: another finewright server uses this folder"
        with appending(self.root / "server.lock", problem=problem, hint=hint):
            yield

    def take_alive(self, number: str) -> int | None:
        """A descriptor that holds the lock of a job's life, for its process to inherit; None while another
        process has it."""
        path = self.path(number) / _ALIVE
        with os_errors(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _locked(descriptor, fcntl.LOCK_EX):
            os.close(descriptor)
            return None
        return descriptor

    def is_alive(self, number: str) -> bool:
        """Is there a process that works on the job?"""
        path = self.path(number) / _ALIVE
        if not path.is_file():
            return False
        with os_errors(path):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return not _locked(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def process(self, number: str) -> int | None:
        """The id of the job's process, while it lives."""
        if not self.is_alive(number):
            return None
        text = (self.path(number) / _ALIVE).read_text(encoding="ascii").strip()
        return int(text) if text.isdigit() else None

    def _changed(self) -> None:
        path, now = self.root / _CHANGED, time.time_ns()
        with os_errors(path):
            path.touch()
            os.utime(path, ns=(now, now))

    def _last_sign(self, number: str) -> float:
        """When something was last heard of the job, in seconds since 1970."""
        run = self.run(self.written(number))
        paths = [self.path(number) / _STATE, *([run.events] if run else [])]
        return max(path.stat().st_mtime for path in paths if path.exists())


def without_process(state: JobState, at: float) -> JobState:
    """What a running job is once its process is gone: what it was asked to be, or failed."""
    if state.wish == "cancel":
        return state.at(at, "the job is cancelled", status="cancelled", finished=at)
    if state.wish == "pause":
        return state.at(at, "the job is paused", status="paused")
    if state.wish == "end":
        return late(state, at)
    failure = JobFailure(
        code="process_ended", message=f"{_DIED}; resume goes on from its last checkpoint"
    )
    return state.at(at, _DIED, status="failed", finished=at, failure=failure)


def late(state: JobState, at: float) -> JobState:
    """What a job is once it was ended for its time."""
    what = "the job took longer than jobs may here; resume goes on from its last checkpoint"
    failure = JobFailure(code="time_limit", message=what)
    return state.at(at, what, status="failed", finished=at, wish="", failure=failure)


def is_over(state: JobState) -> bool:
    """Will nothing change any more?"""
    return state.status in OVER


def refuse(job: TuningJob, state: JobState, what: str) -> ApiError:
    """The error of a wish that does not fit where the job stands."""
    return ApiError(f"the job {job.id} is {state.status}; {what}", code="invalid_job_state")


def _copy(source: Path, target: Path) -> None:
    """A second name of the same bytes, which nobody ever changes in place, or else a copy."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
