"""What quantised and DoRA adapters cost and save: speed, memory and loss beside plain LoRA, in one run.

    python benchmarks/quantized_speed.py --models smollm2-135m-instruct,gemma3-270m --json figures.json

Every row is a process of its own that trains the same batches in the same order (see train_speed.py), so
its peak memory is its own. Repeats alternate between the rows; a ratio is the median over the repeats of
the row's figure against plain LoRA's in the same repeat. "Weights" are the bytes of the linears under the
adapter against bfloat16, from the packed tensors themselves; "made whole" is how fast one thread unpacks
them. The bars, for NF4: at most 0.30 of the bytes, and at least 0.6 of the speed.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from finewright.lm.adapters.linears import target_paths
from finewright.lm.fast import library
from finewright.lm.fast.quantized import KINDS, PackedWeight
from finewright.lm.load import load_model
from finewright.lm.sources import locate
from finewright.report.text import table
from process import machine
from train_speed import OWN, Row, add_job_options, cells, run_row, write_job

PLAIN = "LoRA"
ADAPTERS: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "LoRA int8": {"quantization": "int8"},
    "LoRA NF4": {"quantization": "nf4"},
    "DoRA": {"use_dora": True},
    "DoRA NF4": {"use_dora": True, "quantization": "nf4"},
}
NF4 = "LoRA NF4"
MOST_BYTES, LEAST_SPEED = 0.30, 0.6
_TRIES = 5

Runs = Mapping[str, Sequence[Mapping[str, Any]]]


class Size(NamedTuple):
    """Packed bytes against bfloat16, of a model's linears and of all of it, and how fast they unpack."""

    of_linears: float
    of_model: float
    giga_weights_per_second: float


def main() -> None:
    options = parse()
    before, told = machine(), {}
    for model in options.models.split(","):
        runs = measure(model, options)
        sizes = {kind: size_of(model, kind) for kind in KINDS}
        print(report(model, runs, sizes), flush=True)
        told[model] = {"runs": runs, "sizes": {k: size._asdict() for k, size in sizes.items()}}
    if options.json:
        settings = {name: str(value) for name, value in vars(options).items()}
        content = {"options": settings, "machine": before, "models": told}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def parse() -> Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="smollm2-135m-instruct,gemma3-270m")
    add_job_options(parser)
    parser.add_argument("--memory", choices=("fast", "lean"), default="fast")
    return parser.parse_args()


def measure(model: str, options: Namespace) -> dict[str, list[dict[str, Any]]]:
    """Every row once in each repeat."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in ADAPTERS}
    with tempfile.TemporaryDirectory() as folder:
        job = write_job(Namespace(**vars(options) | {"model": model}), Path(folder))
        for repeat in range(options.repeats):
            for name, adapter in ADAPTERS.items():
                print(f"{model}, {repeat + 1}/{options.repeats}: {name}", file=sys.stderr)
                settings = {"threads": options.threads, "memory": options.memory}
                row = Row(name, OWN, settings | {"adapter": adapter})
                runs[name].append(run_row(sys.executable, row, job, options.threads))
    return runs


def size_of(name: str, kind: str) -> Size:
    """Pack every linear that the adapter would take, and make each whole again."""
    model = load_model(locate(name, Path.cwd()), dtype="bf16", place=False)
    weights = [
        model.get_submodule(path).weight.detach() for path in target_paths(model, "all-linear")
    ]
    every = sum(parameter.nbytes for parameter in model.parameters())
    whole, packed, seconds = 0, 0, 0.0
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for weight in weights:
        made = KINDS[kind].pack(weight)
        whole, packed = whole + weight.nbytes, packed + made.nbytes
        seconds += seconds_to_unpack(made)
    torch.set_num_threads(threads)
    numbers = sum(weight.numel() for weight in weights)
    return Size(packed / whole, (every - whole + packed) / every, numbers / seconds / 1e9)


def seconds_to_unpack(packed: PackedWeight) -> float:
    """The best of a few tries."""
    out = torch.empty(packed.shape, dtype=torch.bfloat16)
    tries = []
    for _ in range(_TRIES):
        started = time.perf_counter()
        packed.unpack(out)
        tries.append(time.perf_counter() - started)
    return min(tries)


def report(model: str, runs: Runs, sizes: Mapping[str, Size]) -> str:
    """The table of a model, what packing does to its weights, and the bars."""
    header = ["row", "tokens/s", "min", "max", "of LoRA", "peak GiB", "less", "loss"]
    lines = [line(name, of_row, runs[PLAIN]) for name, of_row in runs.items()]
    by = "the kernels" if library.status().library else "plain torch"
    packed = [
        f"{kind}: linears {size.of_linears:.3f} of bf16, the model {size.of_model:.3f}; "
        f"made whole by {by} at {size.giga_weights_per_second:.1f} G weights/s"
        for kind, size in sizes.items()
    ]
    speed, size = ratio(runs[NF4], runs[PLAIN], "tokens_per_second"), sizes["nf4"].of_linears
    bars = [
        bar(f"NF4 weights are {size:.3f} of bf16", f"at most {MOST_BYTES}", size <= MOST_BYTES),
        bar(f"NF4 trains at {speed:.2f} of LoRA", f"at least {LEAST_SPEED}", speed >= LEAST_SPEED),
    ]
    return "\n".join([f"\n{model}", table(header, lines), *packed, *bars])


def bar(found: str, wanted: str, met: bool) -> str:
    """A line for a bar."""
    return f"{found} ({wanted}): {'met' if met else 'MISSED'}"


def ratio(runs: Sequence[Mapping[str, Any]], plain: Sequence[Mapping[str, Any]], key: str) -> float:
    """The median over the repeats of the row's figure against plain LoRA's."""
    return float(statistics.median(r[key] / o[key] for r, o in zip(runs, plain, strict=True)))


def line(
    name: str, runs: Sequence[Mapping[str, Any]], plain: Sequence[Mapping[str, Any]]
) -> list[str]:
    """A row's cells."""
    saved = statistics.median(
        own["peak_gib"] - run["peak_gib"] for run, own in zip(runs, plain, strict=True)
    )
    speed = f"{ratio(runs, plain, 'tokens_per_second'):.2f}x"
    return cells(name, runs, speed, f"{saved:+.2f}")


if __name__ == "__main__":
    main()
