"""One process of a training with `launch`: the program that torchrun's agent starts for each, and what an
actor of a Ray cluster runs.

It reads the run as any process could, trains with the others, and leaves what it has to tell in the order's
folder: events and the result, both of the first rank alone, and why it failed."""

import json
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from finewright.errors import FinewrightError
from finewright.lm.runtime import has_gpu
from finewright.store.atomic import write_json
from finewright.store.rundir import open_run
from finewright.store.speclock import lock_of
from finewright.store.stage import StageContext
from finewright.train.here import train_here
from finewright.train.launch import (
    EVENTS,
    FAILURE,
    LOG,
    ORDER,
    RESULT,
    STOP,
    Order,
    RankFailure,
    by_file,
)
from finewright.train.ranks import Ranks

_LOOK_S = 0.2


def main(folder: Path) -> int:
    """Train as torchrun's agent asks; the exit code."""
    order = Order.model_validate_json((folder / ORDER).read_text("utf-8"))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is asked of all together: see launch.py
    number, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    return serve(order, folder, Ranks(number, size), by_file(folder))


def serve(order: Order, folder: Path, ranks: Ranks, meet: str) -> int:
    """Train with the others, who `meet` there (a URL of torch's); the exit code."""
    _write_to(folder / f"{LOG}-{ranks.number}.txt")
    threading.Thread(target=_end_with, args=(order.parent, folder), daemon=True).start()
    try:
        _join(ranks, meet)
        _train(order, ranks, folder)
        dist.destroy_process_group()
    except FinewrightError as error:
        _tell(folder, ranks.number, error, str(error))
        return error.exit_code
    except Exception as error:
        _tell(folder, ranks.number, error, traceback.format_exc())
        return 1
    return 0


def _write_to(log: Path) -> None:
    """Let standard output and error be this file: the terminal is the other process's."""
    with log.open("wb") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())


def _join(ranks: Ranks, meet: str) -> None:
    """Meet the other ranks."""
    loopback = "lo" if sys.platform == "linux" else "lo0"
    for backend in ("GLOO", "NCCL") if meet.startswith("file:") else ():
        os.environ.setdefault(f"{backend}_SOCKET_IFNAME", loopback)
    if has_gpu():
        torch.cuda.set_device(
            ranks.number % torch.cuda.device_count()
        )  # Ray shows each but its own
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if has_gpu() else "gloo",
        init_method=meet,
        rank=ranks.number,
        world_size=ranks.size,
    )


def _train(order: Order, ranks: Ranks, folder: Path) -> None:
    run = open_run(Path(order.run))
    lock = lock_of(run)

    def emit(event_type: str, /, **fields: object) -> None:
        if ranks.is_first:
            with (folder / EVENTS).open("a", encoding="utf-8") as file:
                file.write(json.dumps([event_type, fields]) + "\n")

    def should_stop() -> int:
        with suppress(FileNotFoundError):
            return int((folder / STOP).read_text("utf-8"))
        return 0

    context = StageContext(
        spec=lock.spec,
        candidates=lock.candidates,
        root=Path(lock.root),
        run=run,
        key=order.key,
        emit=emit,
        should_stop=should_stop,
        commits={name: lock.commit_of(name) for name in lock.spec.base_models},
    )
    result = train_here(context, ranks)
    if ranks.is_first:
        made: dict[str, Any] = {
            "report": result.report.model_dump(mode="json"),
            "artifacts": [artifact.model_dump(mode="json") for artifact in result.artifacts],
            "inputs": list(result.inputs),
        }
        write_json(folder / RESULT, made)


def _tell(folder: Path, number: int, error: Exception, text: str) -> None:
    hint = error.hint if isinstance(error, FinewrightError) else ""
    code = error.exit_code if isinstance(error, FinewrightError) else 1
    failure = RankFailure(
        rank=number,
        kind=type(error).__name__,
        message=text,
        hint=hint,
        exit_code=code,
        at=time.monotonic(),
    )
    with suppress(FinewrightError):  # the folder may be gone, with whoever would read it
        write_json(folder / f"{FAILURE}-{number}.json", failure.model_dump())


def _end_with(parent: int, folder: Path) -> None:
    """End this process when the one that started it has, or has given up: nobody else may write the run.
    0 is no parent: Ray ends its actors itself."""
    while parent in (0, os.getppid()) and folder.is_dir():
        time.sleep(_LOOK_S)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
