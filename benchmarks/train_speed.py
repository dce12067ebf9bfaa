"""Training speed and memory side by side: finewright and its peers on the same tokens, in one run.

    python benchmarks/train_speed.py --prepare --peers trl,unsloth,litgpt,llamafactory   # once, 5 min
    python benchmarks/train_speed.py --peers trl,unsloth,litgpt,llamafactory --json figures.json   # 40 min
    python benchmarks/train_speed.py --peers trl --bars --steps 6 --repeats 2   # 10 minutes
    python benchmarks/train_speed.py --peers tricks      # finewright with one trick of the engine taken away
    python benchmarks/train_speed.py --peers adapters    # finewright's quantised and DoRA adapters

Every row of the table is a process of its own that trains the same batches in the same order with the
same loss mask, LoRA r = 16 and alpha = 32 on all linear layers, AdamW, a constant learning rate. Rows
marked "by length" may sort the rows into batches of like length first. Repeats alternate between the
rows, so that a busy machine hits all alike; speeds count real tokens, not padding. A ratio is the median
over the repeats of finewright's figure against the row's in the same repeat; "of peak" is how much of a
square matrix product's speed the arithmetic of training reaches, as in `finewright bench`: ratios differ with
processors. A peer that this interpreter lacks gets an environment of its own in the cache; one that fails is
named with the reason.

All take the mean over the learned tokens of a batch, so first losses agree to two or three digits; what
is left is the rounding of bfloat16. (Seen on a batch of 51 learned tokens: float32 1.494, finewright
1.498, LitGPT 1.497, TRL, Unsloth and LLaMA-Factory 1.489.) Later ones drift with each draw of A.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bars import Bar, finish, parser_of
from finewright.data.gather import read_row_set
from finewright.data.sets.build import build_set
from finewright.fetch.cache import cache_dir
from finewright.lm.encode import encode_rows
from finewright.lm.load_chat import load_chat
from finewright.lm.sources import LocalBase, locate
from finewright.report.columns import table
from peers import PEERS, python_of
from process import (
    Figures,
    RowError,
    Runs,
    figures_of,
    in_turns,
    machine,
    thread_settings,
    write_figures,
)

ROWS = Path(__file__).parent / "rows"
OWN = "finewright"
DATA_SET = "solidity"
LEAST_TIMES: Mapping[str, float] = {"trl": 2.7, "unsloth": 1.6, "litgpt": 2.8}
"""As fast as each row of a peer at least: the lowest that was measured, on a Zen 4 without a matrix unit."""
TRICKS = (
    "packing", "attention kernel", "wide products", "thin products", "all kernels",
    "whole blocks of rows", "linear and MLP nodes", "MLP node", "norm node", "rope node", "head", "heap",
)  # fmt: skip
ADAPTERS: Mapping[str, Mapping[str, Any]] = {
    "LoRA int8": {"quantization": "int8"},
    "LoRA NF4": {"quantization": "nf4"},
    "DoRA": {"use_dora": True},
    "DoRA NF4": {"use_dora": True, "quantization": "nf4"},
}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: whose it is, and what is set differently from its default."""

    name: str
    peer: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def rows_of(peer: str, threads: int) -> list[Row]:
    """The rows of a peer, its defaults first."""
    no_checkpointing = {"gradient_checkpointing": False}
    # TRL's packing is this with other batches. It warns that documents see each other without flash
    # attention, which no CPU has; transformers' mask keeps them apart by their positions all the same, as
    # the first loss shows. There is no padding to cut off, so nothing is asked of `max_length`.
    padding_free = no_checkpointing | {"padding_free": True, "max_length": None}
    known = {
        OWN: [
            Row("finewright", OWN, {"threads": threads}),
            Row("finewright lean", OWN, {"threads": threads, "memory": "lean"}),
        ],
        "trl": [
            Row("TRL default", "trl"),
            Row("TRL no checkpointing", "trl", no_checkpointing),
            Row("TRL no checkpointing, by length", "trl", no_checkpointing | {"by_length": True}),
            Row("TRL no checkpointing, padding-free", "trl", padding_free),
        ],
        "unsloth": [
            Row("Unsloth default", "unsloth"),
            Row(
                "Unsloth compiled, no checkpointing",
                "unsloth",
                {"checkpointing": False},
                {"UNSLOTH_CPU_COMPILE": "1"},
            ),
        ],
        "litgpt": [
            Row(
                "LitGPT",
                "litgpt",
                {"checkpoints": str(cache_dir() / "benchmarks" / "litgpt-models")},
            )
        ],
        "llamafactory": [Row("LLaMA-Factory default", "llamafactory")],
        "tricks": [
            Row(f"without {name}", "without", {"threads": threads, "without": name})
            for name in TRICKS
        ],
        "adapters": [
            Row(name, OWN, {"threads": threads, "adapter": adapter})
            for name, adapter in ADAPTERS.items()
        ],
    }
    return known[peer]


def main() -> int:
    options = parse()
    peers = [name for name in options.peers.split(",") if name]
    if unknown := set(peers) - {*PEERS, "tricks", "adapters"}:
        sys.exit(
            f"unknown peer {', '.join(sorted(unknown))}; known: {', '.join(PEERS)}, tricks, adapters"
        )
    if options.prepare:
        for name in filter(PEERS.__contains__, peers):
            try:
                print(name, python_of(PEERS[name]))
            except RowError as error:
                print(f"{name}: {error}")
        return 0
    rows = {row.name: row for peer in (OWN, *peers) for row in rows_of(peer, options.threads)}
    words = options.only.split(",")
    wanted = [name for name in rows if name == OWN or any(word in name for word in words)]
    before = machine()
    with tempfile.TemporaryDirectory() as folder:
        job = write_job(options, Path(folder))
        found = in_turns(
            wanted, options.repeats, lambda name: run_row(rows[name], job, options.threads)
        )
    print(report(found))
    write_figures(options, machine=before, rows=found._asdict())
    if OWN not in found.of:
        return 1
    return finish([*bars(found, [rows[name] for name in wanted])], options)


def bars(found: Runs, rows: Sequence[Row]) -> Iterator[Bar]:
    """How many times as fast as each row of a peer that has a bar; a row that failed misses it."""
    for row in rows:
        if least := LEAST_TIMES.get(row.peer):
            runs = found.of.get(row.name, [])
            times = times_as_fast(found.of[OWN], runs) if runs else 0.0
            yield Bar(
                f"times as fast as {row.name}", times, least, on=found.failures.get(row.name, "")
            )


def times_as_fast(own: Sequence[Figures], runs: Sequence[Figures]) -> float:
    """The median over the repeats."""
    pairs = zip(own, runs, strict=False)
    return float(
        statistics.median(o["tokens_per_second"] / r["tokens_per_second"] for o, r in pairs)
    )


def parse() -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--peers", default="", help=f"of {', '.join(PEERS)}, tricks, adapters")
    parser.add_argument("--data", type=Path, help=f"JSONL; by default the {DATA_SET} set")
    parser.add_argument("--steps", type=int, default=8, help="timed steps")
    parser.add_argument("--warm-up", type=int, default=2, help="steps before them, not timed")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--max-length", type=int, default=1024, help="longer rows are cut")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", help="only rows whose name holds one of these texts")
    parser.add_argument("--prepare", action="store_true", help="make the environments and end")
    parser.add_argument("--json", type=Path, help="also write every figure here")
    return parser.parse_args()


def write_job(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Tokenise once, so that every row trains exactly the same tokens."""
    base = locate(options.model, Path.cwd())
    data = options.data
    if data is None:
        build_set(DATA_SET, folder / DATA_SET)
        data = folder / DATA_SET / "train.jsonl"
    return {
        "model": str(base.folder),
        "model_name": options.model,
        "rows": encoded_rows(base, data, options),
        "batch_size": options.batch_size,
        "warm_up": options.warm_up,
        "max_length": options.max_length,
        "learning_rate": 2e-4,
        "scratch": str(folder),
    }


def encoded_rows(base: LocalBase, data: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The first usable rows of the file, as tokens with what is learned."""
    count = (options.warm_up + options.steps) * options.batch_size
    # spare ones, as a cut may leave nothing to learn
    rows = read_row_set(data).rows[: 2 * count]
    chat = load_chat(base)
    encoded = encode_rows(chat, rows, max_length=options.max_length, on_overlong="truncate").rows
    if len(encoded) < count:
        sys.exit(
            f"{data}: {len(encoded)} of the first {count} rows can be used, and all are needed"
        )
    return [
        {"input_ids": list(row.input_ids), "completion_mask": list(map(int, row.trained))}
        for example in encoded[:count]
        for row in example.sequences
    ]


def run_row(row: Row, job: dict[str, Any], threads: int) -> Figures:
    """One process in a folder of its own. It may not call home: that would be timed."""
    python = python_of(PEERS[row.peer]) if row.peer in PEERS else sys.executable
    with tempfile.TemporaryDirectory(dir=job["scratch"]) as scratch:
        path = Path(scratch) / "job.json"
        path.write_text(json.dumps(job | {"scratch": scratch}), encoding="utf-8")
        script = ROWS / f"{row.peer}_row.py"
        command = [python, str(script), str(path), json.dumps(dict(row.settings))]
        offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
        return figures_of(command, {**offline, **thread_settings(threads), **row.environment})


HEADER = (
    "row", "tokens/s", "min", "max", "of peak", "finewright is", "peak GiB", "finewright needs", "loss",
)  # fmt: skip


def report(found: Runs) -> str:
    """The table, and below it what failed."""
    own = found.of.get(OWN)
    if own is None:
        return f"{OWN}: {found.failures[OWN]}"
    lines = [line(name, runs, own) for name, runs in found.of.items()]
    failures = [f"{name}: failed: {why}" for name, why in found.failures.items()]
    return "\n".join([table(HEADER, lines), *failures])


def line(name: str, runs: Sequence[Figures], own: Sequence[Figures]) -> list[str]:
    """A row's cells: speed, how it compares, memory, how it compares, first and last loss."""
    speeds, losses = [run["tokens_per_second"] for run in runs], runs[0]["losses"]
    leaner = [o["peak_gib"] / run["peak_gib"] for o, run in zip(own, runs, strict=False)]
    share = statistics.median(map(share_of_peak, runs, own))
    return [
        name,
        f"{statistics.median(speeds):.0f}",
        f"{min(speeds):.0f}",
        f"{max(speeds):.0f}",
        f"{100 * share:.0f} %",
        f"{times_as_fast(own, runs):.2f}x as fast",
        f"{statistics.median(run['peak_gib'] for run in runs):.2f}",
        f"{statistics.median(leaner):.2f}x",
        f"{losses[0]:.4f} ... {losses[-1]:.4f}",
    ]


def share_of_peak(run: Figures, own: Figures) -> float:
    """The arithmetic that training needs, at the row's speed, against what a square matrix product reached in
    finewright's process of the same repeat, in its number format: ratios differ with processors."""
    return float(run["tokens_per_second"] * own["flops_per_token"] / own["gemm_gflops"] / 1e9)


if __name__ == "__main__":
    sys.exit(main())
