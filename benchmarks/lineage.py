"""Runs on runs: SFT, then DPO, then GRPO; and a refresh with new rows beside a full training.

    python benchmarks/lineage.py --bars                  # 25 minutes on 2 quiet cores
    python benchmarks/lineage.py --part refresh --bars   # 10 of them

`chain` tunes one model three times, each run on the one before by a spec of ten lines. Each must be better
than what it started from by its own metric, and on the held-out rows of the earlier ones at most 2 points
worse: there the bar is on the point estimate, and the interval stands beside it. Each spec names what it
learns from and how long; all else is the default. `refresh` has a run on all but the last rows of a set, to
which those are added: trained anew on all of them, and gone on from the run with a replay of its rows."""

import resource
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from bars import Bar, parser_of, run_parts
from finewright.data.sets.build import build_set
from finewright.schema.evaluate import BASE, TUNED, Difference, EvaluateReport, Score
from finewright.schema.train import TrainReport
from finewright.store.rundir import open_run

NEW = 100
BETTER = 0.05
"""Points: what is not the same."""
OWNED = {"license": "CC0-1.0", "owner": "benchmark"}
FORMAT: dict[str, Any] = {
    "method": "sft",
    "learning_rate": 2e-3,
    "batch_size": 4,
}


def run(folder: Path, name: str, base: str, options: Namespace, spec: Mapping[str, Any]) -> Path:
    """One run by the command line, its training cut to the options' smaller sizes."""
    fixed = {"threads": options.threads, "max_length": options.max_length}
    train = {"prove_elsewhere": False, **fixed, **spec["train"]}
    if options.steps:
        train["max_steps"] = options.steps
    whole = {"name": name, "base_models": [base], **spec, "train": train}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    command = [sys.executable, "-m", "finewright", "up", f"{name}.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name}: {done.stderr[-2000:]}")
    return max((folder / "runs").glob(f"*-{name}-*"), key=lambda path: path.stat().st_mtime)


def sources(*paths: str, **more: Any) -> dict[str, Any]:
    """The `data` section of files; `more` is of the last one."""
    found = [{"path": path, **OWNED} for path in paths]
    found[-1] |= more
    return {"sources": found}


def measured(path: str, metric: str, options: Namespace) -> dict[str, Any]:
    """The `evaluate` section of a held-out file."""
    rows = {"path": path, "limit": options.rows, "name": "own"}
    return {"data": [rows], "metrics": [metric], "max_new_tokens": 96}


def change(report: EvaluateReport, data: str) -> Difference:
    """What a run changed on a set, against what it started from."""
    return next(
        d for d in report.differences if d.data == data and (d.system, d.against) == (TUNED, BASE)
    )


def interval(found: Difference | Score) -> str:
    """In points, with n."""
    return f"{100 * found.low:+.1f} to {100 * found.high:+.1f}, n = {found.n}"


def chain(folder: Path, options: Namespace) -> Iterator[Bar]:
    """SFT, DPO and GRPO, each on the run before."""
    build_set("erc7730", folder / "rows")
    own = {
        "sft": {
            "data": sources("rows/train.jsonl"),
            "train": {**FORMAT, "max_steps": 60},
            "evaluate": measured("rows/test_seen.jsonl", "json_f1", options),
        },
        "dpo": {
            "data": sources("rows/preference_train.jsonl"),
            "train": {"method": "dpo", "learning_rate": 1e-4, "max_steps": 20},
            "evaluate": measured("rows/preference_test.jsonl", "preference_accuracy", options),
        },
        "grpo": {
            "data": sources("rows/prompts_train.jsonl"),
            "train": {
                "method": "grpo",
                "rewards": [{"function": "json_f1"}],
                "batch_size": 4,
                "num_generations": 4,
                "max_new_tokens": 96,
                "max_steps": 10,
            },
            "evaluate": measured("rows/prompts_test.jsonl", "json_f1", options),
        },
    }
    base, seconds, before = options.model, 0.0, cpu_minutes()
    for name, spec in own.items():
        started = time.perf_counter()
        made = run(folder, name, base, options, spec)
        seconds += time.perf_counter() - started
        report = open_run(made).read_report("evaluate", EvaluateReport)
        for data in dict.fromkeys(score.data for score in report.scores):
            found = change(report, data)
            is_own = data == "own"
            what = "its own" if is_own else f"of {data.split('-')[3]}"
            on = f"{name}: {found.metric} on rows {what}, in points; {interval(found)}"
            limit = BETTER if is_own else -2.0
            yield Bar(f"{name}: change, {what}", 100 * found.value, limit, False, on)
        base = f"runs/{made.name}"
    on = f"{options.threads} threads; {cpu_minutes() - before:.1f} minutes of the processor"
    yield Bar("minutes of the three", seconds / 60, 15.0, True, on)


def refresh(folder: Path, options: Namespace) -> Iterator[Bar]:
    """All rows anew, against the last ones and a replay on the run before."""
    build_set("erc7730", folder / "rows")
    lines = (folder / "rows" / "train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    new = min(NEW, len(lines) // 2)
    (folder / "old.jsonl").write_text("".join(lines[:-new]), encoding="utf-8")
    (folder / "new.jsonl").write_text("".join(lines[-new:]), encoding="utf-8")
    asked = measured("rows/test_seen.jsonl", "json_f1", options)
    train = {**FORMAT, "epochs": 1.0}
    before = run(
        folder, "before", options.model, options,
        {"data": sources("old.jsonl"), "train": train, "evaluate": asked},
    )  # fmt: skip
    anew = run(
        folder, "anew", options.model, options,
        {"data": sources("old.jsonl", "new.jsonl"), "train": train, "evaluate": asked},
    )  # fmt: skip
    rate, adapter = FORMAT["learning_rate"] / 4, {"continue": True}
    fresh = run(
        folder, "fresh", f"runs/{before.name}", options,
        {
            "data": sources("new.jsonl", f"runs/{before.name}/data/train.jsonl", share=0.3),
            "train": {**train, "learning_rate": rate, "adapter": adapter},
            "evaluate": asked,
        },
    )  # fmt: skip
    scores = {run.name: score_of(run) for run in (before, anew, fresh)}
    gap = scores[fresh.name].value - scores[anew.name].value
    said = ", ".join(f"{n[11:-5]} {100 * s.value:.1f} ({interval(s)})" for n, s in scores.items())
    yield Bar("points over a full retrain", 100 * gap, -2.0, False, f"json_f1: {said}")
    share = tokens_of(fresh) / tokens_of(anew)
    yield Bar("tokens over a full retrain's", share, 0.4, True, f"{new} new rows, replay 30 %")


def cpu_minutes() -> float:
    """Of the runs so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) / 60


def score_of(run: Path) -> Score:
    """The tuned model's on its own held-out rows."""
    report = open_run(run).read_report("evaluate", EvaluateReport)
    return next(s for s in report.scores if s.system == TUNED and s.data == "own")


def tokens_of(run: Path) -> int:
    """Trained on."""
    return open_run(run).read_report("train", TrainReport).candidates[0].tokens


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--rows", type=int, default=90, help="held-out rows of each metric")
    parser.add_argument("--steps", type=int, help="of each training; default: as each needs")
    parser.add_argument("--max-length", type=int, default=512, help="in tokens")
    parser.add_argument("--threads", type=int, default=2)
    return run_parts(parser, {"chain": chain, "refresh": refresh})


if __name__ == "__main__":
    sys.exit(main())
