"""Seconds from the start of a command to its first finished training step.

    python benchmarks/startup.py                     # about 2 minutes

`finewright train` and `finewright up` on a fresh run of a few short rows, each in a process of its own;
caches are warm, because one run that is not counted comes first. The times of a run's own events are read:
when it was asked for, when the train stage began, and when the first step was done.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from finewright.report.text import table
from finewright.store.events import Event, read_events
from finewright.store.rundir import open_run
from process import machine, thread_settings

COMMANDS = ("train", "up")
NUM_ROWS = 16
SPEC = """\
version: 1
name: startup
base_models: [{model}]
data: {{sources: [{{path: rows.jsonl}}]}}
train: {{max_steps: 1, batch_size: 4, threads: {threads}}}
evaluate: {{data: [{{path: rows.jsonl, limit: 1}}], max_new_tokens: 1}}
"""


def main() -> None:
    options = parse()
    seconds: dict[str, list[dict[str, float]]] = {command: [] for command in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        write_project(Path(folder), options)
        timed(Path(folder), "train", options)
        for repeat in range(options.repeats):
            for command in COMMANDS:
                print(f"repeat {repeat + 1}/{options.repeats}: {command}", file=sys.stderr)
                seconds[command].append(timed(Path(folder), command, options))
    print(report(seconds))
    if options.json:
        told = vars(options) | {"json": str(options.json)}
        content = {"options": told, "machine": machine(), "seconds": seconds}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write every figure here")
    return parser.parse_args()


def write_project(folder: Path, options: argparse.Namespace) -> None:
    """A spec of one step and rows for it."""
    rows = [{"prompt": f"What is {i} + 1?", "completion": str(i + 1)} for i in range(NUM_ROWS)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(text, encoding="utf-8")
    spec = SPEC.format(model=options.model, threads=options.threads)
    (folder / "spec.yaml").write_text(spec, encoding="utf-8")


def timed(folder: Path, command: str, options: argparse.Namespace) -> dict[str, float]:
    """Seconds from the command's start to events of its new run, by name, and to its end."""
    runs = Path(tempfile.mkdtemp(dir=folder))
    arguments = [
        sys.executable,
        "-m",
        "finewright.cli.main",
        command,
        "spec.yaml",
        "--new",
        "--json",
    ]
    started = datetime.now(UTC)
    done = subprocess.run(
        [*arguments, "--runs", str(runs)],
        cwd=folder,
        env={**os.environ, **thread_settings(options.threads)},
        capture_output=True,
        text=True,
        check=False,
    )
    ended = datetime.now(UTC)
    if done.returncode:
        sys.exit(f"finewright {command}: {done.stderr.strip()}")
    (run,) = (path.parent for path in runs.rglob("events.jsonl"))
    events = read_events(open_run(run)).events
    moments = {
        "train stage": moment(events, "stage_started", stage="train"),
        "first step": moment(events, "metric"),
        "end": ended,
    }
    return {name: round((at - started).total_seconds(), 3) for name, at in moments.items()}


def moment(events: tuple[Event, ...], event_type: str, **fields: str) -> datetime:
    """When the first event of that type and with these fields was written."""
    found = (e for e in events if e.type == event_type and fields.items() <= e.fields.items())
    return datetime.fromisoformat(next(found).time)


def report(seconds: dict[str, list[dict[str, float]]]) -> str:
    """A line for each command: medians, and for the first step also the extremes."""
    header = ["command", "train stage starts", "first step done", "min", "max", "command ends"]
    lines = []
    for command, runs in seconds.items():
        first = [run["first step"] for run in runs]
        stage, end = (statistics.median(run[key] for run in runs) for key in ("train stage", "end"))
        figures = (stage, statistics.median(first), min(first), max(first), end)
        lines.append([f"finewright {command}", *(f"{figure:.2f} s" for figure in figures)])
    return table(header, lines)


if __name__ == "__main__":
    main()
