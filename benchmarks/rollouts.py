"""Tokens a second of batched generation: finewright, transformers' own generate, and llama.cpp, in one run.

    python benchmarks/rollouts.py --peers llamacpp           # about 4 minutes
    python benchmarks/rollouts.py --answers 1000             # how long an evaluation's answers take

Questions of the erc7730 set, greedy, the same number of new tokens for every row, prompts included in the
time; each engine is a process of its own and repeats alternate. finewright and transformers run the same
bfloat16 weights; llama.cpp runs the 4-bit file that the model is packaged as, so it reads a quarter of the
bytes and computes another model. `--answers` times what `evaluate` does with so many held-out rows.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finewright.data.gather import read_row_set
from finewright.data.sets.build import build_set
from finewright.evaluate.answers import question_of
from finewright.lm import sources
from finewright.lm.load import load_chat
from finewright.report.text import table
from peers import LLAMA_CPP, PeerError, python_of
from process import RowError, figures_of, machine, thread_settings

ROWS = Path(__file__).parent / "rows"
OWN, PLAIN, LLAMA = "finewright", "transformers", "llamacpp"


def main() -> None:
    options = parse()
    pythons: dict[str, str | PeerError] = {OWN: sys.executable, PLAIN: sys.executable}
    if options.peers:
        try:
            pythons[LLAMA] = python_of(LLAMA_CPP)
        except PeerError as error:
            pythons[LLAMA] = error
    before = machine()
    with tempfile.TemporaryDirectory() as folder:
        job = write_job(options, Path(folder))
        if options.answers:
            print_answers(job, options)
            return
        runs = measure(job, pythons, options)
    print(report(runs, options.batches.split(",")))
    if options.json:
        content = {"machine": before, "model": options.model, "runs": runs}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m-instruct", help="a packaged one")
    parser.add_argument("--peers", choices=("", LLAMA), default="")
    parser.add_argument("--batches", default="1,8,32,64", help="rows generated together")
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--answers", type=int, default=0, help="time so many answers and end")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write every figure here")
    return parser.parse_args()


def write_job(options: argparse.Namespace, folder: Path) -> Path:
    """Prompts as tokens, and the files that the engines read."""
    base = sources.locate(options.model, Path.cwd())
    chat = load_chat(base)
    build_set("erc7730", folder / "set")
    files = sorted((folder / "set").glob("*.jsonl"))
    rows = [row for file in files for row in read_row_set(file, None).rows]
    sizes = [int(size) for size in options.batches.split(",")]
    count = options.answers or max(sizes)
    prompts = [question_of(chat, row).prompt_ids for row in rows]
    job = {
        "model": str(base.folder),
        "gguf": str(gguf_of(options.model, folder)) if options.peers else "",
        "prompts": (prompts * (1 + count // len(prompts)))[:count],
        "batches": sizes,
        "new_tokens": options.new_tokens,
        "threads": options.threads,
    }
    path = folder / "job.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    return path


def gguf_of(model: str, folder: Path) -> Path:
    """The file inside the packages, as llama.cpp reads it."""
    path = sources._join_members(model, sources.packaged_models()[model])
    return path.rename(folder / "model.gguf")


def measure(
    job: Path, pythons: dict[str, str | PeerError], options: argparse.Namespace
) -> dict[str, list[dict[str, Any]]]:
    """Every engine once in each repeat; one that fails is named and not tried again."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in pythons}
    failed: set[str] = set()
    for repeat in range(options.repeats):
        for name, python in pythons.items():
            if name in failed:
                continue
            print(f"repeat {repeat + 1}/{options.repeats}: {name}", file=sys.stderr)
            try:
                runs[name].append(run(python, name, job, options.threads))
            except (RowError, PeerError) as error:
                failed.add(name)
                print(f"{name}: {error}", file=sys.stderr)
    return runs


def run(python: str | PeerError, name: str, job: Path, threads: int) -> dict[str, Any]:
    """One process."""
    if isinstance(python, PeerError):
        raise python
    script = ROWS / ("llamacpp_row.py" if name == LLAMA else "generate_row.py")
    environment = {"HF_HUB_OFFLINE": "1", **thread_settings(threads)}
    return figures_of([python, str(script), str(job), name], environment)


def print_answers(job: Path, options: argparse.Namespace) -> None:
    """Seconds for all answers, in batches of the size that `evaluate` takes."""
    figures = run(sys.executable, "answers", job, options.threads)
    print(
        f"{options.answers} answers of {options.new_tokens} tokens to prompts of"
        f" {figures['prompt_tokens'] / options.answers:.0f} on average: {figures['seconds']:.0f} s"
    )


def report(runs: dict[str, list[dict[str, Any]]], sizes: Sequence[str]) -> str:
    """New tokens a second, and in brackets how many times as fast finewright is."""
    lines = []
    for name, of_engine in runs.items():
        if not of_engine:
            continue
        cells = []
        for size in sizes:
            speed = statistics.median(run[size] for run in of_engine)
            ratio = statistics.median(
                own[size] / run[size] for own, run in zip(runs[OWN], of_engine, strict=False)
            )
            cells.append(f"{speed:.0f} ({ratio:.2f}x)")
        peak = statistics.median(run["peak_gib"] for run in of_engine)
        lines.append([name, *cells, f"{peak:.2f}"])
    return table(["engine", *(f"batch {size}" for size in sizes), "peak GiB"], lines)


if __name__ == "__main__":
    main()
