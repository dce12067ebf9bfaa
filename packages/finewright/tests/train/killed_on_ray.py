"""A run of two ranks on a Ray cluster of its own, of which one is killed once: python killed_on_ray.py FOLDER

FOLDER has spec.yaml, and gets told.json. It is a process of its own, as Ray leaves some of its behind."""

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finewright.schema.load import load_spec
from finewright.train.launch import LOG
from finewright.workbench.up import up

KILLED, AFTER = 1, 3
"""A rank, and the step after which it is killed."""


def process_of(rank: int) -> int:
    """The process that writes that rank's log."""
    for descriptor in Path("/proc").glob("[0-9]*/fd/1"):
        try:
            if descriptor.readlink().name == f"{LOG}-{rank}.txt":
                return int(descriptor.parts[2])
        except OSError:
            continue  # it ended meanwhile, or is another user's
    raise AssertionError(f"no process is rank {rank}")


def main(folder: Path) -> None:
    """Train, kill, and tell."""
    events: list[tuple[str, Mapping[str, Any]]] = []

    def kill_once(kind: str, fields: Mapping[str, Any]) -> None:
        is_first = not any(k == "metric" and f["step"] == AFTER for k, f in events)
        events.append((kind, fields))
        if is_first and kind == "metric" and fields["step"] == AFTER:
            os.kill(process_of(KILLED), signal.SIGKILL)

    loaded = load_spec(folder / "spec.yaml", ["launch.processes=2", "launch.cluster=ray"])
    report = up(loaded, folder / "runs", on_event=kill_once, through="train")
    told = {
        "run": report.summary.run,
        "lost": [
            f["message"] for k, f in events if k == "problem" and f["key"] == "launch.cluster"
        ],
        "resumed": [fields["step"] for kind, fields in events if kind == "resumed"],
        "sigterm": signal.Handlers(signal.getsignal(signal.SIGTERM)).name,
    }
    (folder / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
