"""How speed and memory of finewright's training grow: with row length, micro-batch, rank, vocabulary, size.

    python benchmarks/cost_growth.py                                 # all axes, 5 to 8 minutes
    python benchmarks/cost_growth.py --axes length,rank --seconds 10

Each point is a process of its own: one step to warm up, then steps for about `--seconds`, at the defaults
of `train` but for what the axis varies. Length, micro-batch and rank use `--model`; vocabulary and size
use random weights in SmolLM2's shape, made on the fly.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from finewright.lm.runtime import peak_gib, share_cores
from process import RowError, figures_of, machine, thread_settings, write_figures

UNITS = {
    "length": "tokens of a row",
    "micro_batch": "micro_batch_tokens",
    "rank": "LoRA rank",
    "vocabulary": "tokens of the vocabulary",
    "size": "parameters",
}


class Shape(NamedTuple):
    """A Llama of random weights: SmolLM2-135M's shape but for these."""

    hidden: int = 576
    layers: int = 30
    mlp: int = 1536
    heads: int = 9
    kv_heads: int = 3
    vocabulary: int = 49152


SIZES = (
    Shape(384, 12, 1024, 6, 2),
    Shape(),
    Shape(960, 32, 2560, 15, 5),
    Shape(1280, 32, 3456, 20, 5),
)


@dataclass(frozen=True, slots=True)
class Point:
    """What is measured: `x` on the axis, a model, and the load on it."""

    axis: str
    x: int
    model: str
    length: int = 256
    step_tokens: int = 2048
    rank: int = 16
    micro_batch_tokens: int = 1024


def main() -> None:
    options = parse()
    if options.point:
        print("\n" + json.dumps(measured(Point(**json.loads(options.point)), options.seconds)))
        return
    measure_all(options)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--axes", default=",".join(UNITS), help="comma-separated")
    parser.add_argument("--lengths", default="256,512,1024,2048,4096,8192")
    parser.add_argument("--micro-batches", default="256,512,1024,2048,4096")
    parser.add_argument("--ranks", default="4,16,64,256")
    parser.add_argument("--vocabularies", default="8192,49152,131072,262144")
    parser.add_argument("--sizes", type=int, default=len(SIZES), help=f"how many of {len(SIZES)}")
    parser.add_argument("--step-tokens", type=int, default=2048, help="of a step, at least a row")
    parser.add_argument("--seconds", type=float, default=5.0, help="timed steps of a point")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write every figure here")
    parser.add_argument("--point", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure_all(options: argparse.Namespace) -> None:
    """Every point; one that fails is told and left out."""
    axes = options.axes.split(",")
    if unknown := set(axes) - set(UNITS):
        sys.exit(f"unknown axis {', '.join(sorted(unknown))}; known: {', '.join(UNITS)}")
    before, points = machine(), []
    with tempfile.TemporaryDirectory() as folder:
        for point in (p for axis in axes for p in points_of(axis, options, Path(folder))):
            command = [sys.executable, __file__, "--seconds", str(options.seconds)]
            command += ["--point", json.dumps(asdict(point))]
            try:
                figures = figures_of(command, thread_settings(options.threads))
            except RowError as error:
                print(f"{point.axis} {point.x}: {error}", file=sys.stderr)
                continue
            points.append(asdict(point) | {"model": Path(point.model).name} | figures)
            print(
                f"{point.x:>12,} {UNITS[point.axis]:24} {figures['tokens_per_second']:8,.0f} tokens/s "
                f"{figures['peak_gib']:6.2f} GiB"
            )
    write_figures(options, machine=before, points=points)


def points_of(axis: str, options: argparse.Namespace, folder: Path) -> Iterator[Point]:
    """The points of one axis; random models are made when their turn comes."""
    if axis == "vocabulary":
        shapes = [Shape(vocabulary=n) for n in numbers(options.vocabularies)]
    elif axis == "size":
        shapes = list(SIZES[: options.sizes])
    else:
        yield from loads_of(axis, options)
        return
    for number, shape in enumerate(shapes):
        made = make_model(shape, folder / f"random-{axis}-{number}")
        x = shape.vocabulary if axis == "vocabulary" else made.parameters
        yield Point(axis, x, str(made.folder), step_tokens=options.step_tokens)


def loads_of(axis: str, options: argparse.Namespace) -> Iterator[Point]:
    """The points of an axis that varies what is done with one model."""
    model, least = options.model, options.step_tokens
    if axis == "length":
        for n in numbers(options.lengths):
            yield Point(axis, n, model, length=n, step_tokens=max(least, n))
    elif axis == "micro_batch":
        for n in numbers(options.micro_batches):
            yield Point(axis, n, model, step_tokens=max(least, n), micro_batch_tokens=n)
    else:
        for n in numbers(options.ranks):
            yield Point(axis, n, model, step_tokens=least, rank=n)


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


class Made(NamedTuple):
    """A random model on the disk."""

    folder: Path
    parameters: int


def make_model(shape: Shape, folder: Path) -> Made:
    """Random weights in bfloat16 with a tied head, as a folder that `train` would take."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from finewright.lm.sources import num_parameters

    config = LlamaConfig(
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        intermediate_size=shape.mlp,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        vocab_size=shape.vocabulary,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        dtype="bfloat16",
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return Made(folder, num_parameters(folder))


def measured(point: Point, seconds: float) -> dict[str, Any]:
    """The figures of a point, in this process; the memory is that of the whole process."""
    share_cores()
    from finewright.lm.sources import locate
    from finewright.schema.adapter import LoraSpec
    from finewright.schema.methods import SFTSpec
    from finewright.train.bench import synthetic_row, trial_steps
    from finewright.train.load import load_for_training
    from finewright.workbench.prepare import resolved_here

    count = max(1, point.step_tokens // point.length)
    base = locate(point.model, Path.cwd())
    given = SFTSpec(
        adapter=LoraSpec(r=point.rank, alpha=2 * point.rank),
        batch_size=count,
        max_steps=10_000,
        max_length=point.length,
        micro_batch_tokens=point.micro_batch_tokens,
    )
    spec = resolved_here(given, base)[0]
    rng = random.Random(0)  # noqa: S311 - not a secret
    rows = [synthetic_row(point.length, rng) for _ in range(count)]
    speeds = []
    started = 0.0
    for step in trial_steps(load_for_training(base, spec), spec, rows):
        if step.step == 1:
            started = time.perf_counter()
            continue
        speeds.append(step.tokens / step.seconds)
        if time.perf_counter() - started >= seconds:
            break
    return {
        "tokens_per_second": statistics.median(speeds),
        "slowest": min(speeds),
        "fastest": max(speeds),
        "steps": len(speeds),
        "peak_gib": peak_gib(),
    }


if __name__ == "__main__":
    main()
