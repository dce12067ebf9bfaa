"""How far estimates are from what was measured: memory by tier, and time.

    python benchmarks/estimator.py                          # two models, 14 runs, about 25 minutes
    python benchmarks/estimator.py --only smollm2 --first 2 # a try
    python benchmarks/estimator.py --specs quickstart.yaml ...  # predicted and real seconds of runs
    python benchmarks/estimator.py --published --bars       # other frameworks beside published figures, 2 s

Each run is a process of its own. Memory is the peak of the tensors: by the closed formula, by a trace without
weights, and as the allocator counts it; and the process's own peak beside the formula's expectation of it.
Time: ten seconds of steps predict how long the next thirty seconds' worth of steps take."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from bars import finish, parser_of
from finewright.estimate.families import shape_of
from finewright.feature import ask_day
from finewright.lm import runtime
from finewright.schema.cost import Range
from finewright.schema.methods import DPOSpec, SFTSpec
from finewright_advice.cost.job import Rows, TrainingJob
from finewright_advice.cost.model import describe_model
from finewright_advice.cost.needs import formula
from finewright_advice.estimate.memory import memory
from process import RowError, figures_of, machine, thread_settings
from published_training import residuals

GIB = 2**30
MODELS = {"smollm2": "smollm2-135m-instruct", "gemma": "gemma3-270m"}
RUNS = [
    {"adapter": {"type": "lora"}, "length": 256},
    {"adapter": {"type": "lora"}, "length": 512},
    {"adapter": {"type": "lora"}, "length": 1024},
    {"adapter": {"type": "lora"}, "length": 512, "memory": "lean"},
    {"adapter": {"type": "lora", "quantization": "nf4"}, "length": 512},
    {"adapter": {"type": "none"}, "length": 256},
    {"adapter": {"type": "lora"}, "length": 512, "method": "dpo", "memory": "lean"},
]
BATCH_TOKENS = 1024
MEASURED_SECONDS = 30.0


def main() -> None:
    runtime.share_cores()  # before torch
    parser = parser_of(__doc__)
    parser.add_argument("--only", choices=MODELS, help="one of the models")
    parser.add_argument("--first", type=int, default=len(RUNS), help="only the first runs of each")
    parser.add_argument(
        "--specs", nargs="+", type=Path, default=[], help="runs to predict and make"
    )
    parser.add_argument("--published", action="store_true", help="published peaks and steps")
    parser.add_argument("--one", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(figures(options.one)))
        return
    if options.published:
        sys.exit(finish(residuals.bars(), options))
    print(json.dumps(machine()))
    if options.specs:
        report_specs(options.specs)
    else:
        names = [options.only] if options.only else list(MODELS)
        report_runs([{"model": name, **run} for name in names for run in RUNS[: options.first]])


def report_runs(runs: Sequence[dict[str, Any]]) -> None:
    print(
        "| run | formula GiB | trace GiB | measured GiB | formula off | trace off | process GiB:"
        " formula, measured | seconds: predicted, measured | off |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    environment = thread_settings(runtime.physical_cores()) | {"GOMP_SPINCOUNT": "2000"}
    for run in runs:
        name = " ".join(str(v) if k != "adapter" else "/".join(v.values()) for k, v in run.items())
        try:
            found = figures_of([sys.executable, __file__, "--one", json.dumps(run)], environment)
        except RowError as error:
            print(f"| {name} | {error} |")
            continue
        tensors, seconds = found["measured"], found["seconds"]
        print(
            f"| {name} | {found['formula']:.3f} | {found['trace']:.3f} | {tensors:.3f}"
            f" | {off(found['formula'], tensors)} | {off(found['trace'], tensors)}"
            f" | {found['process_formula']:.2f}, {found['process']:.2f}"
            f" | {found['predicted_seconds']:.1f}, {seconds:.1f}"
            f" | {off(found['predicted_seconds'], seconds)} |",
            flush=True,
        )


def off(predicted: float, measured: float) -> str:
    return f"{100 * (predicted / measured - 1):+.1f} %"


def figures(run: dict[str, Any]) -> dict[str, float]:
    """One run, predicted and measured."""
    from finewright.train.bench import trial_steps
    from finewright.train.load import load_for_training
    from finewright.workbench.prepare import resolve_here
    from finewright_advice.cost import steps as cost_steps
    from finewright_advice.lm.microsteps import micro_steps

    described = describe_model(MODELS[run["model"]], Path.cwd())
    assert described.base is not None
    kind = DPOSpec if run.get("method") == "dpo" else SFTSpec
    count = max(1, BATCH_TOKENS // run["length"])
    given = kind(
        adapter=run["adapter"],
        memory=run.get("memory", "fast"),
        batch_size=count,
        max_length=2 * run["length"],
        learning_rate=1e-5,
    )
    spec, _ = resolve_here(given, described.base)
    rows = alike(run["length"], count * run["length"])
    job = TrainingJob(
        run["model"], shape_of(described.config), spec, rows, 100, _span(1000 * run["length"])
    )
    number = 2 if spec.dtype == "bf16" else 4
    load = job.load(gpu=False, number=number)
    needs = formula(job, gpu=False, number=number)
    traced = cost_steps.trace_bytes(job, described.folder, gpu=False, number=number)
    steps_spec = cost_steps._for_steps(spec, load)
    lm = load_for_training(described.base, steps_spec)
    examples = cost_steps.largest_rows(job, load)
    micro = micro_steps(lm, lambda: trial_steps(lm, steps_spec, examples))
    usual = cost_steps.usual_rows(job)
    speed = cost_steps._speed(lm, steps_spec, usual)
    tokens, seconds = _go_on(trial_steps(lm, steps_spec, usual))
    return {
        "formula": memory(job.shape, load).tensors / GIB,
        "trace": traced / GIB,
        "measured": micro.tensors / GIB,
        "process_formula": needs.process_gib.median,
        "process": micro.process / GIB,
        "predicted_seconds": tokens / speed.median,
        "seconds": seconds,
    }


def alike(length: int, batch_tokens: int) -> Rows:
    """A thousand rows of one length, of which three fifths are learned."""
    return Rows(1000, length, length, length, batch_tokens, 0.6, "counted")


def _span(value: float) -> Range:
    return Range(low=value, median=value, high=value)


def _go_on(steps: Iterator[Any]) -> tuple[int, float]:
    """Tokens and seconds of the steps that follow."""
    tokens, seconds, started = 0, 0.0, time.perf_counter()
    for step in islice(steps, 1, None):
        tokens, seconds = tokens + step.tokens, seconds + step.seconds
        if time.perf_counter() - started > MEASURED_SECONDS:
            break
    return tokens, seconds


def report_specs(paths: Sequence[Path]) -> None:
    """What `cost --calibrate` says of each run, and what its steps then took."""
    from finewright.schema.load import load_spec
    from finewright.workbench.up import up
    from finewright_advice.cost.forecast import cost

    print("| run | predicted s | measured s | off | in the interval |\n|---|---|---|---|---|")
    for path in paths:
        loaded = load_spec(path)
        with tempfile.TemporaryDirectory() as folder:
            runs = Path(folder)
            told = cost(loaded, trace=False, calibrate=True, runs=runs, today=ask_day())
            done = up(loaded, runs, on_event=lambda *_: None, through="train")
        assert done.train is not None
        for candidate, estimate in zip(done.train.candidates, told.candidates, strict=True):
            hours = estimate.machines[0].hours
            assert hours is not None
            seconds = candidate.seconds
            inside = 3600 * hours.low <= seconds <= 3600 * hours.high
            print(
                f"| {path}: {candidate.base_model} | {3600 * hours.median:.0f} | {seconds:.0f}"
                f" | {off(3600 * hours.median, seconds)} | {'yes' if inside else 'no'} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
