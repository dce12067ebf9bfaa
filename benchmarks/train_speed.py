"""Training speed side by side: finewright and its peers on the same tokens, in one run.

    python benchmarks/train_speed.py --model smollm2-135m-instruct --peers trl

Every row of the table is a process of its own that trains the same batches in the same order with the
same loss mask, LoRA r = 16 and alpha = 32 on all linear layers. The repeats alternate between the rows,
so that a busy machine hits all alike; medians are shown, and ratios to finewright. The first step is
warm-up and not timed. A peer that this interpreter lacks gets an environment of its own in the cache.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from finewright.data.gather import read_row_set
from finewright.data.sets import build_set
from finewright.fetch.cache import cache_dir
from finewright.lm.encode import encode_rows
from finewright.lm.load import load_chat
from finewright.lm.sources import locate
from finewright.render.text import table

HERE = Path(__file__).parent
PEERS = {"trl": ["trl>=1.13,<1.17", "peft>=0.21,<0.22", "transformers>=5.10,!=5.24.*,<5.25"]}
VARIANTS = {
    "trl": {"TRL default": {}, "TRL without checkpointing": {"gradient_checkpointing": False}}
}


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        job = write_job(options, Path(folder))
        rows = {"finewright": (sys.executable, "finewright_row.py", {})}
        for peer in filter(None, options.peers.split(",")):
            python = peer_python(peer)
            for name, settings in VARIANTS[peer].items():
                rows[name] = (python, f"{peer}_row.py", settings)
        results: dict[str, list[dict[str, Any]]] = {name: [] for name in rows}
        for repeat in range(options.repeats):
            for name, (python, script, settings) in rows.items():
                print(f"repeat {repeat + 1}/{options.repeats}: {name}", file=sys.stderr)
                results[name].append(run_row(python, script, job, settings))
    print(report(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2), encoding="utf-8")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--peers", default="", help="comma-separated: trl")
    parser.add_argument("--data", type=Path, help="JSONL; by default the erc7730 set")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--max-length", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write every figure here")
    return parser.parse_args()


def write_job(options: argparse.Namespace, folder: Path) -> Path:
    """Tokenise once, so that every row trains exactly the same tokens."""
    base = locate(options.model, Path.cwd())
    data = options.data
    if data is None:
        build_set("erc7730", folder / "erc7730")
        data = folder / "erc7730" / "train.jsonl"
    count = options.steps * options.batch_size
    rows = read_row_set(data, count).rows
    encoded = encode_rows(
        load_chat(base), rows, max_length=options.max_length, on_overlong="truncate"
    )
    if len(encoded.rows) < count:
        sys.exit(f"{data} has {len(encoded.rows)} usable rows, and {count} are needed")
    job = {
        "model": str(base.folder),
        "steps": options.steps,
        "batch_size": options.batch_size,
        "max_length": options.max_length,
        "threads": options.threads,
        "learning_rate": 2e-4,
        "rows": [
            {"input_ids": row.input_ids, "completion_mask": [int(t) for t in row.trained]}
            for row in encoded.rows
        ],
    }
    path = folder / "job.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    return path


def peer_python(peer: str) -> str:
    """An interpreter that has the peer: this one, or one in an environment made in the cache."""
    if find_spec(peer):
        return sys.executable
    folder = cache_dir() / "benchmarks" / peer
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"making an environment for {peer} in {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PEERS[peer]], check=True)
    return str(python)


def run_row(python: str, script: str, job: Path, settings: dict[str, Any]) -> dict[str, Any]:
    command = [python, str(HERE / "rows" / script), str(job), json.dumps(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{script} failed:\n{done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def report(results: dict[str, list[dict[str, Any]]]) -> str:
    header = ["row", "tokens/s", "min", "max", "ratio", "peak GiB", "ratio", "losses"]
    base_speed = statistics.median(r["tokens_per_second"] for r in results["finewright"])
    base_peak = statistics.median(r["peak_gib"] for r in results["finewright"])
    lines = []
    for name, runs in results.items():
        speeds = [run["tokens_per_second"] for run in runs]
        speed = statistics.median(speeds)
        peak = statistics.median(run["peak_gib"] for run in runs)
        lines.append(
            [
                name,
                f"{speed:.0f}",
                f"{min(speeds):.0f}",
                f"{max(speeds):.0f}",
                f"{base_speed / speed:.2f}x",
                f"{peak:.2f}",
                f"{base_peak / peak:.2f}x",
                " ".join(f"{loss:.4f}" for loss in runs[0]["losses"]),
            ]
        )
    return table(header, lines)


if __name__ == "__main__":
    main()
