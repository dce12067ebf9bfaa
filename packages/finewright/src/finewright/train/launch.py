"""Training in several processes of this machine, started and watched by torchrun's agent.

The stage's own process stays the run's one writer of events and asks for the end where somebody asks for it;
the ranks (rank.py) train, and the first of them writes checkpoints and the result."""

import json
import logging
import os
import signal
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import torch
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from finewright import errors
from finewright.errors import FinewrightError, Interrupted, ModelError, StageError
from finewright.lm import runtime
from finewright.schema.common import Artifact, Model
from finewright.schema.train import TrainReport
from finewright.store.atomic import read_json, write_json, write_text
from finewright.store.stage import StageContext, StageResult

ORDER, EVENTS, STOP, RESULT, STORE = "order.json", "events.jsonl", "stop", "result.json", "store"
FAILURE, LOG = "failure", "log"
"""Names in the order's folder: the order, what the first rank tells, the signal that asks to stop, what was
made, where ranks meet, and with a rank's number why it failed and what it and its libraries wrote."""
_LOOK_S = 0.1
_TORCHRUN = "torch.distributed.elastic"


class Order(Model):
    """What ranks are started for: a stage of a run, by whom."""

    run: str
    key: str
    parent: int


class RankFailure(Model):
    """Why a rank failed; `at` is monotonic time, which all processes of a machine share."""

    rank: int
    kind: str
    message: str
    hint: str
    exit_code: int
    at: float


class _Result(Model):
    report: TrainReport
    artifacts: tuple[Artifact, ...]
    inputs: tuple[str, ...]


class RankLost(StageError):  # noqa: N818 - reads as a claim where it is raised
    """A rank was killed, or its machine is gone."""


class Launcher(Protocol):
    """A thread that starts ranks for a folder's order, and ends them all where one fails."""

    folder: Path
    processes: int
    parent: int
    """The process that ranks end with; 0 where the launcher sees to that itself."""
    error: BaseException | None

    def start(self) -> None:
        """Begin."""
        ...

    def is_alive(self) -> bool:
        """Whether ranks may still be there."""
        ...

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end, at most so long."""
        ...

    def describe_lost(self) -> str:
        """Which rank was killed and how; empty where none was."""
        ...


def train_in_ranks(context: StageContext, processes: int) -> StageResult:
    """Run the stage in so many processes of this machine; raises as `run_ranks`."""
    runtime.require_runtime()
    refuse_processes(processes)
    with TemporaryDirectory(prefix="finewright-ranks-") as name:
        return run_ranks(context, Agent(Path(name), processes))


def run_ranks(context: StageContext, launcher: Launcher) -> StageResult:
    """Run the stage in the processes that are launched; when the launcher's folder is gone, ranks that are
    left end.

    Raises what a rank raised; RankLost where one was killed, and Interrupted where a stop was asked for.
    The last checkpoint is kept in each case."""
    folder = launcher.folder
    write_json(folder / ORDER, order_of(context, launcher.parent).model_dump())
    launcher.start()
    for event_type, fields in listen(context, folder, launcher):
        context.emit(event_type, **fields)
    if launcher.error is not None:
        raise reason(context, folder, launcher) from None
    made = read_json(folder / RESULT, _Result, hint="run the stage again")
    return StageResult(made.report, made.artifacts, made.inputs)


def order_of(context: StageContext, parent: int) -> Order:
    """The order for this stage."""
    return Order(run=str(context.run.root.resolve()), key=context.key, parent=parent)


def by_file(folder: Path) -> str:
    """Where ranks of one machine meet: nothing listens to other machines."""
    return f"file://{folder / STORE}"


def refuse_processes(processes: int) -> None:
    """Raise ModelError where this machine has no place for so many."""
    if not torch.distributed.is_available():
        raise ModelError(
            "launch.processes: this torch is built without torch.distributed",
            hint="set it to 1, or install torch from pytorch.org",
        )
    gpus = torch.cuda.device_count() if runtime.has_gpu() else processes
    refuse_without_gpus(processes, gpus, "there are")


def refuse_without_gpus(processes: int, gpus: int, there: str) -> None:
    """Raise ModelError where not each process gets a GPU of its own; `there` says who has them."""
    if gpus < processes:
        raise ModelError(
            f"launch.processes: {processes} processes need a GPU each, and {there} {gpus}",
            hint=f"set it to {gpus}",
        )


class Agent(threading.Thread):
    """torchrun's agent, which starts the ranks and ends them all where one fails."""

    def __init__(self, folder: Path, processes: int) -> None:
        super().__init__(daemon=True)
        self.folder, self.processes = folder, processes
        self.parent = os.getpid()
        self.error: BaseException | None = None
        self.failures: dict[int, ProcessFailure] = {}

    def run(self) -> None:
        """Until all ranks have ended."""
        logging.getLogger(_TORCHRUN).setLevel(
            logging.CRITICAL
        )  # what it says is said here, in one line
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=self.processes,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint=str(self.folder / "rendezvous"),
            rdzv_configs={"store_type": "file"},
            max_restarts=0,  # a run goes on from its checkpoint, when it is asked to
            local_addr="127.0.0.1",
            logs_specs=DefaultLogsSpecs(str(self.folder / "logs")),
            shutdown_timeout=5,
        )
        command = ("-m", "finewright.train.rank", str(self.folder))
        try:
            elastic_launch(config, sys.executable)(*command)
        except ChildFailedError as error:
            self.error, self.failures = error, dict(error.failures)
        except BaseException as error:  # for the thread that waits
            self.error = error

    def describe_lost(self) -> str:
        """Of those who were killed the one who was not by the agent, which ends the others by SIGTERM."""
        killed = {rank: -f.exitcode for rank, f in self.failures.items() if f.exitcode < 0}
        if not killed:
            return ""
        rank, number = min(killed.items(), key=lambda one: (one[1] == signal.SIGTERM, one[0]))
        why = ", as the system does where memory runs out" if number == signal.SIGKILL else ""
        return f"rank {rank} of {self.processes} was killed by signal {number}{why}"


def listen(
    context: StageContext, folder: Path, agent: Launcher | threading.Thread
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the first rank tells, until the ranks have ended; a stop that is asked for is handed on."""
    read, is_stopping = 0, False
    while True:
        has_ended = not agent.is_alive()
        lines = _lines_after(folder / EVENTS, read)
        for line in lines:
            read += len(line)
            event_type, fields = json.loads(line)
            yield event_type, fields
        if has_ended:
            return
        if not is_stopping and (stop := context.should_stop()):
            write_text(folder / STOP, str(int(stop)))
            is_stopping = True
        agent.join(_LOOK_S)


def _lines_after(file: Path, start: int) -> list[bytes]:
    """Whole lines from that byte on."""
    if not file.is_file():
        return []
    with file.open("rb") as opened:
        opened.seek(start)
        return [line for line in opened.read().splitlines(keepends=True) if line.endswith(b"\n")]


def reason(context: StageContext, folder: Path, agent: Launcher) -> BaseException:
    """Why the training failed: what a rank refused or ran out of, else who was killed, else a fault; others
    only missed that rank."""
    files = sorted(folder.glob(f"{FAILURE}-*.json"))
    failures = sorted((read_json(f, RankFailure, hint="") for f in files), key=lambda each: each.at)
    for each in failures:
        if error := _as_raised(each, agent.processes, context):
            return error
    if stop := context.should_stop():
        return Interrupted(f"stopped; {_kept(context)}", signal_number=stop, hint=_goes_on(context))
    if lost := agent.describe_lost():
        return RankLost(f"{lost}; {_kept(context)}", hint=_goes_on(context))
    if isinstance(agent.error, FinewrightError):
        return agent.error
    if failures:
        return RuntimeError(f"rank {failures[0].rank} of {agent.processes}: {failures[0].message}")
    return StageError(
        f"the ranks ended early: {agent.error}; {_kept(context)}", hint=_log_ends(folder)
    )


def _as_raised(
    failure: RankFailure, processes: int, context: StageContext
) -> FinewrightError | None:
    """The error that the rank raised, where it is one of ours."""
    kind = getattr(errors, failure.kind, None)
    if kind is None:
        return None
    if kind is Interrupted:
        return Interrupted(
            failure.message, signal_number=failure.exit_code - 128, hint=failure.hint
        )
    message = failure.message
    if kind is StageError:
        message = f"rank {failure.rank} of {processes}: {message}; {_kept(context)}"
    error: FinewrightError = kind(message, hint=failure.hint)
    return error


def newest_checkpoint(context: StageContext) -> Path | None:
    """That of the candidate which trained last."""
    steps = (context.run.root / "train").glob("*/checkpoints/step-*")
    return max(steps, key=lambda path: path.stat().st_mtime, default=None)


def _kept(context: StageContext) -> str:
    """What of the training is safe."""
    newest = newest_checkpoint(context)
    if newest is None:
        return "no checkpoint was reached"
    return f"the checkpoint of step {int(newest.name.removeprefix('step-'))} is kept"


def _goes_on(context: StageContext) -> str:
    return f"finewright up {context.run.root} goes on from there"


def _log_ends(folder: Path) -> str:
    """The last line that each rank wrote to its standard error."""
    ends: Sequence[str] = [
        text.splitlines()[-1]
        for path in sorted(folder.glob(f"{LOG}-*.txt"))
        if (text := path.read_text("utf-8", errors="replace").strip())
    ]
    return "; ".join(dict.fromkeys(ends))
