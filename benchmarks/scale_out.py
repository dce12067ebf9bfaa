"""Processes beside threads: one training as one process of one thread, of two threads, and as two processes.

    python benchmarks/scale_out.py --bars

Every way trains the same rows in the same order, in a run of its own; repeats alternate, and of each way the
median is shown. Rows are of uneven lengths, so that their sharing is part of the figure. Beside it stands how
long the sum of the gradients alone takes, and what that and the step of one thread foretell for more
processes, each with a core of its own: compute / n + sum(n)."""

import argparse
import json
import multiprocessing
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import nn

from bars import Bar, finish, parser_of
from finewright.lm import runtime
from finewright.report.columns import table
from finewright.train.ranks import Ranks

_WARM_UP = 2  # steps: kernels are made and memory is taken in them
_LEAST = 0.9
"""Of the tokens a second that one process reaches with two threads."""
_SUMS = 10
SPEC = """\
name: scale
base_models: [{model}]
data: {{sources: [{{path: rows.jsonl}}]}}
train: {{batch_size: {rows}, max_steps: {steps}, max_length: 2048, dtype: {dtype}, prove_elsewhere: false}}
"""


class Way(NamedTuple):
    """So many processes of so many threads each."""

    processes: int
    threads: int


WAYS = (Way(1, 1), Way(1, 2), Way(2, 1))


def write_rows(file: Path, count: int) -> None:
    """Answers of 20 to 300 words, seeded."""
    drawn = random.Random("scale-out")  # noqa: S311 - no secret
    words = (
        "the",
        "contract",
        "pays",
        "each",
        "holder",
        "a",
        "share",
        "of",
        "what",
        "it",
        "earned",
    )
    rows = (
        {
            "prompt": f"Explain line {number}.",
            "completion": " ".join(drawn.choices(words, k=drawn.randint(20, 300))),
        }
        for number in range(count)
    )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def steps_of(folder: Path, way: Way, number: int) -> list[dict[str, float]]:
    """The steps of one training after those that warm up."""
    runs = folder / f"runs-{way.processes}-{way.threads}-{number}"
    command = [
        sys.executable,
        "-m",
        "finewright",
        "train",
        str(folder / "spec.yaml"),
        "--runs",
        str(runs),
    ]
    command += ["--processes", str(way.processes), "--set", f"train.threads={way.threads}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (metrics,) = runs.glob("*/train/*/metrics.jsonl")
    return [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()][
        _WARM_UP:
    ]


def _sum(number: int, size: int, numbers: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder / 'store'}", rank=number, world_size=size
    )
    trained = nn.Parameter(torch.zeros(numbers))
    trained.grad = torch.ones(numbers)
    ranks, seconds = Ranks(number, size), []
    for _ in range(_SUMS):
        started = time.perf_counter()
        ranks.sum_gradients([trained])
        seconds.append(time.perf_counter() - started)
    if ranks.is_first:
        (folder / "seconds").write_text(str(statistics.median(seconds)), encoding="utf-8")
    dist.destroy_process_group()


def seconds_to_sum(numbers: int, size: int) -> float:
    """The median of some sums of so many gradients over so many processes of this machine."""
    with tempfile.TemporaryDirectory() as name:
        context = multiprocessing.get_context("spawn")
        summing = [
            context.Process(target=_sum, args=(number, size, numbers, Path(name)))
            for number in range(size)
        ]
        for process in summing:
            process.start()
        for process in summing:
            process.join()
        return float((Path(name) / "seconds").read_text(encoding="utf-8"))


def trained_numbers(folder: Path) -> int:
    """How many numbers the trainings moved, by the report of one of them."""
    report = next(folder.glob("runs-*/*/train/report.json"))
    candidates = json.loads(report.read_text(encoding="utf-8"))["candidates"]
    return int(candidates[0]["trainable_parameters"])


def foretell(compute: float, one_sum: float, sizes: tuple[int, ...]) -> Iterator[list[str]]:
    """Speed-ups where each process has a core: of the sum over two, n take 2 (n - 1) / n times as long."""
    for size in sizes:
        seconds = compute / size + one_sum * 2 * (size - 1) / size
        yield [str(size), f"{compute / seconds:.2f}", f"{compute / seconds / size:.0%}"]


def main() -> int:
    """Measure, show, and hold the bar."""
    parser = parser_of(__doc__)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rows", type=int, default=8, help="rows of a step")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dtype", default="auto")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        return finish(list(_measure(Path(name), options)), options)


def _measure(folder: Path, options: argparse.Namespace) -> Iterator[Bar]:
    write_rows(folder / "rows.jsonl", options.rows * options.steps)
    spec = SPEC.format(
        model=options.model, rows=options.rows, steps=options.steps, dtype=options.dtype
    )
    (folder / "spec.yaml").write_text(spec, encoding="utf-8")
    speeds: dict[Way, list[float]] = {way: [] for way in WAYS}
    losses: dict[Way, list[float]] = {}
    busy: dict[Way, list[float]] = {way: [] for way in WAYS}
    seconds: list[float] = []
    for number in range(options.repeats):
        for way in WAYS:
            others = runtime.watch_others()
            steps = steps_of(folder, way, number)
            busy[way].append(others())
            took = sum(step["seconds"] for step in steps)
            speeds[way].append(sum(step["tokens"] for step in steps) / took)
            losses[way] = [step["loss"] for step in steps]
            seconds += [took / len(steps)] if way == WAYS[0] else []
    shown = [
        [
            str(way.processes),
            str(way.threads),
            f"{statistics.median(found):.0f}",
            f"{min(found):.0f} to {max(found):.0f}",
            f"{statistics.mean(busy[way]):.1f}",
            f"{max(abs(a - b) for a, b in zip(losses[way], losses[WAYS[0]], strict=True)):.1e}",
        ]
        for way, found in speeds.items()
    ]
    print(
        table(
            [
                "processes",
                "threads",
                "tokens/s",
                "of the repeats",
                "cores of others",
                "losses away",
            ],
            shown,
        )
    )
    numbers = trained_numbers(folder)
    one_sum = seconds_to_sum(numbers, 2)
    print(f"the sum of {numbers:,} gradients over 2 processes takes {1000 * one_sum:.1f} ms")
    found = foretell(statistics.median(seconds), one_sum, (2, 4, 8, 16))
    print(table(["processes", "times as fast", "of each core"], list(found)))
    ratio = statistics.median(
        two / one for two, one in zip(speeds[WAYS[2]], speeds[WAYS[1]], strict=True)
    )
    yield Bar("two processes beside one of two threads, tokens/s", ratio, _LEAST, on=options.model)


if __name__ == "__main__":
    sys.exit(main())
