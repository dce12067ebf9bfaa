"""Who trains when: so many jobs at once, the oldest first, each a process of its own session.

`advance` does all that is due, and may be called by anybody at any time: the server calls it each second,
and a job's process as its last deed, so that the queue goes on while no server is there."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from finewright.errors import FinewrightError
from finewright_serve.gateway.errors import ApiError
from finewright_serve.jobs.folder import JobFolder, is_over, refuse
from finewright_serve.jobs.job import JobFailure, JobState, JobStatus, TuningJob
from finewright_serve.jobs.limits import JobLimits, processes_of
from finewright_serve.jobs.results import without_places

_LOG = logging.getLogger(__name__)
_PAUSE_SECONDS = 1.0
_RUNS = "the job is running"
_PATIENCE_SECONDS = 60.0
"""How long a process may take to stop by itself."""
_MOST_WAITING = 100
"""Of each project, so that none takes the others' places."""


@dataclass(slots=True)
class JobQueue:
    """The jobs of a folder, of which at most so many run at once."""

    folder: JobFolder
    most_running: int
    limits: JobLimits = field(default_factory=JobLimits)
    _over: set[str] = field(default_factory=set)
    _children: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    _statuses: dict[str, JobStatus] = field(default_factory=dict)

    def advance(self) -> None:
        """Settle what ended without a word, end what does not stop, and start what may run."""
        with self.folder.lock():
            self._children = [child for child in self._children if child.poll() is None]
            states = self._open()
            running = [number for number, state in states.items() if state.status == "running"]
            for number in running:
                self._insist(number, self._limited(number, states[number]))
            waiting = [number for number, state in states.items() if state.status == "queued"]
            for number in self._turns(waiting, running)[: max(0, self.most_running - len(running))]:
                self._start(number, states[number])

    def check_room(self, project: str) -> None:
        """Raise ApiError where too many of the project's jobs wait."""
        queued = [number for number, state in self._states() if state.status == "queued"]
        waiting = sum(self.folder.job(number).project == project for number in queued)
        if waiting >= _MOST_WAITING:
            what = f"{waiting} jobs wait already"
            raise ApiError(what, status=429, code="rate_limit_exceeded", retry_after=60)

    def _turns(self, waiting: Sequence[str], running: Sequence[str]) -> list[str]:
        """Those that wait, in the order in which they begin: the projects take turns, that with the fewest
        that run first; a project's own jobs by their age."""
        jobs = sorted(map(self.folder.job, waiting), key=lambda job: (job.created, job.id))
        taken = Counter(self.folder.job(number).project for number in running)
        places: dict[str, tuple[int, float]] = {}
        for job in jobs:
            places[job.id] = (taken[job.project], job.created)
            taken[job.project] += 1
        return sorted(places, key=lambda number: (*places[number], number))

    def cancel(self, job: TuningJob) -> JobState:
        """End a job for good."""
        now = time.time()

        def changed(state: JobState) -> JobState:
            if is_over(state) or state.status == "failed":
                raise refuse(job, state, "there is nothing to cancel")
            if state.status == "running" and state.wish == "cancel":
                return state
            if state.status == "running":
                return self._ask(job, state, "cancel", now)
            return state.at(now, "the job is cancelled", status="cancelled", finished=now)

        return self.folder.change(job.id, changed)

    def pause(self, job: TuningJob) -> JobState:
        """Stop a job with a checkpoint."""
        now = time.time()

        def changed(state: JobState) -> JobState:
            if state.wish and state.status == "running":
                raise refuse(job, state, f"it was asked to {state.wish}")
            if state.status == "running":
                return self._ask(job, state, "pause", now)
            if state.status == "queued":
                return state.at(now, "the job is paused", status="paused")
            raise refuse(job, state, "only a job that is queued or running can be paused")

        return self.folder.change(job.id, changed)

    def resume(self, job: TuningJob) -> JobState:
        """Queue a job again that is paused or failed; it goes on from its last checkpoint."""

        def changed(state: JobState) -> JobState:
            if state.status not in ("paused", "failed"):
                raise refuse(job, state, "only a job that is paused or failed can be resumed")
            changes = {"status": "queued", "wish": "", "finished": None, "failure": None}
            return state.at(time.time(), "the job is resumed", **changes)

        found = self.folder.change(job.id, changed)
        self.advance()
        return found

    def _open(self) -> dict[str, JobState]:
        """The state of every job that may still change; what is found to have ended is written down."""
        found: dict[str, JobState] = {}
        for number, state in self._states():
            if state.status != "running":
                self._settle(number, state)
            self._log(number, state)
            if is_over(state):
                self._over.add(number)
            else:
                found[number] = state
        return found

    def _states(self) -> Iterator[tuple[str, JobState]]:
        """The jobs that were not over when last looked at; one whose record is damaged stops no other."""
        for number in [each for each in self.folder.ids() if each not in self._over]:
            try:
                yield number, self.folder.state(number)
            except FinewrightError as error:
                _LOG.error("%s: its job does not go on: %s", number, error)
                self._over.add(number)

    def _log(self, number: str, state: JobState) -> None:
        """Say how a job stands once that is another than before; what a client called it is not said."""
        before, self._statuses[number] = self._statuses.get(number), state.status
        if before in (None, state.status):
            return
        why = f": {state.failure.code}" if state.failure else ""
        _LOG.info("the job %s was %s and is %s%s", number, before, state.status, why)

    def _settle(self, number: str, state: JobState) -> None:
        if state != self.folder.written(number):
            self.folder.write(number, state)

    def _ask(self, job: TuningJob, state: JobState, wish: str, now: float) -> JobState:
        self._signal(job.id, signal.SIGTERM)
        return state.at(now, f"the job was asked to {wish}", wish=wish, wished=now)

    def _insist(self, number: str, state: JobState) -> None:
        """A process that was asked to stop and does not is ended; its last checkpoint is there."""
        if state.wish and time.time() - state.wished > _PATIENCE_SECONDS:
            self._kill(number)

    def _limited(self, number: str, state: JobState) -> JobState:
        """A job that takes longer than it may is asked to end; one with too many processes is ended."""
        now, leader = time.time(), self.folder.process(number)
        begun = max(note.time for note in state.notes if note.message == _RUNS)
        if now - begun > self.limits.seconds and state.wish != "end":
            return self.folder.write(number, self._ask(self.folder.job(number), state, "end", now))
        found = processes_of(leader) if leader else []
        if len(found) <= self.limits.processes:
            return state
        self._kill(number)
        what = f"the job had {len(found)} processes, and may have {self.limits.processes}"
        failure = JobFailure(code="too_many_processes", message=what)
        changes = {"status": "failed", "finished": now, "failure": failure}
        return self.folder.write(number, state.at(now, what, **changes))

    def _kill(self, number: str) -> None:
        """End a job's process, and those that it began."""
        leader = self.folder.process(number)
        for process in processes_of(leader) if leader else ():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def _signal(self, number: str, what: signal.Signals) -> None:
        process = self.folder.process(number)
        if process is not None:
            with suppress(ProcessLookupError):  # it ended since
                os.kill(process, what)

    def _start(self, number: str, state: JobState) -> None:
        alive, now = None, time.time()
        try:
            alive = self.folder.take_alive(number)
            if alive is None:
                return  # the process before it has not quite ended
            started = state.at(now, _RUNS, status="running", started=state.started or now)
            self.folder.write(number, started)
            self._log(number, started)
            process = self._process(number, alive)
            os.ftruncate(alive, 0)
            os.pwrite(alive, f"{process.pid}\n".encode(), 0)
            self._children.append(process)
        except (OSError, FinewrightError) as error:
            what = f"the job could not be started: {error}"
            what = without_places(what, self.folder.job(number), self.folder.root)
            failure = JobFailure(code="not_started", message=what)
            changes = {"status": "failed", "finished": now, "failure": failure}
            self.folder.write(number, state.at(now, failure.message, **changes))
        finally:
            if alive is not None:
                os.close(alive)

    def _process(self, number: str, alive: int) -> "subprocess.Popen[bytes]":
        """The job's process: its own session, so that no signal to the server's reaches it."""
        path = self.folder.path(number)
        arguments = [str(self.folder.root), str(self.most_running), str(self.limits)]
        with (path / "output.txt").open("ab") as output:
            return subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "finewright_serve.jobs.work",
                    *arguments,
                    number,
                    str(alive),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(alive,),
            )


@contextmanager
def advancing(queue: JobQueue) -> Iterator[None]:
    """Call `advance` now and each second, beside what is done meanwhile; the jobs go on after the end."""
    over = threading.Event()

    def work() -> None:
        while True:
            try:
                queue.advance()
            except FinewrightError as error:
                _LOG.error("jobs: %s", error)
            except Exception:
                _LOG.exception("jobs: a mistake of finewright's; it is tried again")
            if over.wait(_PAUSE_SECONDS):
                return

    thread = threading.Thread(target=work, name="jobs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def main() -> None:
    """`python -m finewright_serve.jobs.queue FOLDER MOST_RUNNING LIMITS`: what a job's process ends as.

    It imports no model runtime, which takes seconds."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    root, most, limits = sys.argv[1:]
    JobQueue(JobFolder(Path(root)), int(most), JobLimits.read(limits)).advance()


if __name__ == "__main__":
    main()
