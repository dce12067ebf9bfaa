"""What it gains to compute a prompt once for all its completions, as preference methods and GRPO can.

    python benchmarks/shared_prompts.py                     # about 4 minutes

Forward and backward of the mean log-probability over the same rows, twice: packed with each group's
prompt there once (`LM.pack` of groups), and packed row by row. The two alternate; the ratio is the median
over the repeats, beside the ratio of the tokens, which would be reached if every token cost the same.
The largest difference of a row's log-probability shows that both compute the same.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from finewright.lm.runtime import share_cores
from finewright.report.text import table
from process import machine

if TYPE_CHECKING:
    from finewright.lm.batch import PackedBatch
    from finewright.lm.example import EncodedRow
    from finewright.lm.model import LM

TOKENS = range(256)


class Pass(NamedTuple):
    """One forward and backward: its seconds, and the summed log-probability of each row."""

    seconds: float
    of_rows: list[float]


def main() -> None:
    options = parse()
    share_cores()
    lm = load(options)
    results = [measured(lm, size, options) for size in map(int, options.groups.split(","))]
    print(report(results))
    if options.json:
        told = vars(options) | {"json": str(options.json)}
        content = {"options": told, "machine": machine(), "groups": results}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--groups", default="2,4,8", help="completions of a prompt")
    parser.add_argument("--rows", type=int, default=8, help="rows of a batch, all groups together")
    parser.add_argument("--prompt", type=int, default=400, help="tokens of a prompt")
    parser.add_argument("--completion", type=int, default=100, help="tokens of a completion")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=("auto", "bf16", "fp32"), default="auto")
    parser.add_argument("--json", type=Path, help="also write every figure here")
    return parser.parse_args()


def load(options: argparse.Namespace) -> "LM":
    """The model as `train` would have it."""
    from finewright.lm.sources import locate
    from finewright.schema.methods import SFTSpec
    from finewright.train.load import load_for_training
    from finewright.workbench.prepare import resolved_here

    base = locate(options.model, Path.cwd())
    spec = SFTSpec(threads=options.threads, dtype=options.dtype)
    lm = load_for_training(base, resolved_here(spec, base)[0])
    if not lm.packs_exactly:
        sys.exit(f"{options.model}: this family does not pack exactly, so prompts are never shared")
    lm.model.train()
    return lm


def groups_of(size: int, options: argparse.Namespace) -> "list[list[EncodedRow]]":
    """Groups of random completions of about the asked length, none like another, under one prompt."""
    from finewright.lm.example import EncodedRow

    rng = random.Random(0)  # noqa: S311 - not a secret
    groups = []
    for _ in range(max(1, options.rows // size)):
        prompt = rng.choices(TOKENS, k=options.prompt)
        group = []
        for first in range(size):
            length = max(2, round(options.completion * rng.uniform(0.7, 1.3)))
            # each begins with a token of its own, so that exactly the prompt is shared
            completion = [first, *rng.choices(TOKENS, k=length - 1)]
            learned = (False,) * len(prompt) + (True,) * len(completion)
            group.append(EncodedRow((*prompt, *completion), learned))
        groups.append(group)
    return groups


def measured(lm: "LM", size: int, options: argparse.Namespace) -> dict[str, Any]:
    """All figures of one group size; the first pass of each kind is warm-up."""
    groups = groups_of(size, options)
    rows = [row for group in groups for row in group]
    shared, alone = lm.pack(groups), lm.pack([[row] for row in rows])
    print(f"{size} completions of a prompt", file=sys.stderr)
    first = run(lm, shared, len(rows)), run(lm, alone, len(rows))
    passes = [
        (run(lm, shared, len(rows)), run(lm, alone, len(rows))) for _ in range(options.repeats)
    ]
    return {
        "completions": size,
        "groups": len(groups),
        "tokens_shared": shared.num_tokens,
        "tokens_alone": alone.num_tokens,
        "seconds_shared": [one.seconds for one, _ in passes],
        "seconds_alone": [other.seconds for _, other in passes],
        "largest_difference": largest_difference(*first),
    }


def run(lm: "LM", batch: "PackedBatch", num_rows: int) -> Pass:
    """Forward and backward over a batch."""
    import torch

    started = time.perf_counter()
    logps = lm.token_logps(batch)
    (-logps.mean()).backward()  # type: ignore[no-untyped-call]
    seconds = time.perf_counter() - started
    for parameter in lm.parameters():
        parameter.grad = None
    sums = torch.zeros(num_rows).index_add_(
        0, batch.sequence_of.cpu(), logps.detach().float().cpu()
    )
    return Pass(seconds, sums.tolist())


def largest_difference(one: Pass, other: Pass) -> float:
    """Over the rows, relative to the row's own log-probability."""
    pairs = zip(one.of_rows, other.of_rows, strict=True)
    return max(abs(a - b) / abs(b) for a, b in pairs)


def report(results: Sequence[dict[str, Any]]) -> str:
    """A line for each group size."""
    header = ["completions", "shared s", "alone s", "faster", "min", "max", "tokens", "differs by"]
    lines = []
    for result in results:
        shared, alone = result["seconds_shared"], result["seconds_alone"]
        ratios = [a / s for s, a in zip(shared, alone, strict=True)]
        lines.append(
            [
                str(result["completions"]),
                f"{statistics.median(shared):.2f}",
                f"{statistics.median(alone):.2f}",
                f"{statistics.median(ratios):.2f}x",
                f"{min(ratios):.2f}x",
                f"{max(ratios):.2f}x",
                f"{result['tokens_alone'] / result['tokens_shared']:.2f}x fewer",
                f"{result['largest_difference']:.1e}",
            ]
        )
    return table(header, lines)


if __name__ == "__main__":
    main()
