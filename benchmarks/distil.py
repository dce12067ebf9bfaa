"""Distillation and raw text: what a student recovers of the gap to its teacher, and what documents teach.

    python benchmarks/distil.py --bars                # 20 minutes on 2 quiet cores
    python benchmarks/distil.py --part text --bars    # 7 of them

`student`: the teacher is SmolLM2 tuned on all rows of a set. The student is SmolLM2 again, with a LoRA of
rank 4 and few labelled rows. Alone it learns from these; distilled it learns from the teacher's answers to
other prompts of the set, for as many steps, by the teacher's likeliest next tokens. Both are measured on the
same held-out rows. The gap is that of the student alone to its teacher.

`text`: SmolLM2 reads pages of OpenZeppelin's contracts, and is measured on pages that it never saw: those of
its governance folder and of another project, ERC-4337's; the settings were chosen on two other folders. What
it forgets is counted on general questions, as `finewright decide --measure` asks them."""

import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bars import Bar, parser_of, run_parts
from finewright.data.sets.build import build_set
from finewright.schema.evaluate import TUNED, EvaluateReport, Score
from finewright.store.rundir import open_run
from finewright_advice.catalog.advice import general_questions
from lineage import change, interval, run, sources

LABELLED, ASKED = 16, 48
"""Rows that the student has labels of, and prompts that its teacher answers."""
RATE = 2e-3
DEV = ("finance", "metatx", "crosschain", "access")
"""The folders by which the text part's settings were chosen: neither trained nor reported."""


def scored(folder: Path, name: str) -> Score:
    """The tuned model's score in a run."""
    report = open_run(folder / "runs" / name).read_report("evaluate", EvaluateReport)
    return next(score for score in report.scores if score.system == TUNED)


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    """The rows as JSONL; the file's name."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path.name


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def student(folder: Path, options: Namespace) -> Iterator[Bar]:
    """Teacher, student alone and distilled student, on the same held-out rows."""
    build_set("erc7730", folder / "rows")
    rows = read(folder / "rows" / "train.jsonl")
    labelled, asked = rows[:: len(rows) // LABELLED], rows[1 :: max(1, len(rows) // ASKED)]
    few = write(folder / "few.jsonl", labelled[:LABELLED])
    prompts = write(folder / "prompts.jsonl", asked[: options.rows or ASKED])
    test = {"path": "rows/test_seen.jsonl", "limit": options.rows or 24, "name": "own"}
    asking = {"data": [test], "metrics": ["json_f1"], "max_new_tokens": 96, "compare_with": []}
    small = {"learning_rate": RATE, "batch_size": 4, "adapter": {"r": 4, "alpha": 8}}
    steps = {"max_steps": 20}

    def trained(name: str, path: str, train: Mapping[str, Any]) -> Score:
        spec = {"data": sources(path), "train": train, "evaluate": asking}
        return scored(folder, run(folder, name, options.model, options, spec).name)

    large = {"learning_rate": RATE, "batch_size": 4, "max_steps": 36}
    with ThreadPoolExecutor(2) as both:  # each in a process of its own
        waits = both.submit(trained, "teacher", "rows/train.jsonl", large)
        alone = trained("alone", few, {**small, **steps})
        teacher = waits.result()
    named = max((folder / "runs").glob("*-teacher-*"))
    answer(named, folder / prompts, folder / "taught.jsonl")
    learns = {"method": "distill", "teacher": f"runs/{named.name}", **small, **steps}
    distilled = trained("distilled", "taught.jsonl", learns)
    gap = teacher.value - alone.value
    on = (
        f"json_f1: teacher {100 * teacher.value:.1f} ({interval(teacher)}), student alone"
        f" {100 * alone.value:.1f} ({interval(alone)}), distilled {100 * distilled.value:.1f}"
        f" ({interval(distilled)})"
    )
    yield Bar(
        "gap of the student to its teacher, points",
        100 * gap,
        5.0,
        False,
        "else nothing to recover",
    )
    share = (distilled.value - alone.value) / gap if gap else 0.0
    yield Bar("share of the gap that is recovered", share, 0.5, False, on)


def answer(teacher: Path, prompts: Path, rows: Path) -> None:
    """Let the teacher answer, by the command line."""
    command = [sys.executable, "-m", "finewright", "predict", str(teacher), str(prompts)]
    more = [
        "--out",
        str(rows.with_suffix(".answers")),
        "--rows",
        str(rows),
        "--max-new-tokens",
        "96",
    ]
    done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"predict: {done.stderr[-2000:]}")


def text(folder: Path, options: Namespace) -> Iterator[Bar]:
    """Perplexity on unseen pages of the domain, and general questions, before and after."""
    build_set("natspec-docs", folder / "docs")
    parts: dict[str, list[dict[str, Any]]] = {"train": [], "dev": [], "test": []}
    for page in read(folder / "docs" / "documents.jsonl"):
        parts[_part_of(page["id"])].append(page)
    for name, pages in parts.items():
        write(folder / f"{name}.jsonl", pages)
    general = [{"prompt": q, "completion": a} for q, a in general_questions()]
    write(folder / "general.jsonl", general[: options.rows or len(general)])
    spec = {
        "data": {**sources("train.jsonl"), "type": "text"},
        "train": {"learning_rate": 1e-3, "batch_tokens": 1024, "max_steps": 30},
        "evaluate": {
            "data": [
                {
                    "path": "test.jsonl",
                    "type": "text",
                    "name": "unseen",
                    "limit": options.rows or 40,
                },
                {"path": "general.jsonl", "name": "general"},
            ],
            "metrics": ["mentions"],
            "max_new_tokens": 48,
        },
    }
    made = run(
        folder, "text", options.model, Namespace(**vars(options) | {"max_length": 512}), spec
    )
    report = open_run(made).read_report("evaluate", EvaluateReport)
    of = {(s.system, s.data, s.metric): s for s in report.scores}
    before, after = (of[system, "unseen", "perplexity"] for system in ("base", TUNED))
    on = (
        f"perplexity {before.value:.2f} ({before.low:.2f}-{before.high:.2f}) to {after.value:.2f}"
        f" ({after.low:.2f}-{after.high:.2f}), n = {after.n} documents"
    )
    yield Bar("perplexity falls by", 1 - after.value / before.value, 0.15, False, on)
    found = change(report, "general")
    on = f"mentions, in points; {interval(found)}; base {100 * of['base', 'general', 'mentions'].value:.1f}"
    yield Bar("general questions: change", 100 * found.value, -2.0, False, on)


def _part_of(page: str) -> str:
    project, _, path = page.partition("/contracts/")
    folder = path.partition("/")[0]
    if project != "@openzeppelin" or folder == "governance":
        return "test"
    return "dev" if folder in DEV else "train"


def main() -> int:
    """Run the parts and print the bars."""
    parser = parser_of(__doc__)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, help="fewer steps of each training")
    parser.add_argument("--rows", type=int, help="fewer held-out rows")
    parser.add_argument("--max-length", type=int, default=512)
    return run_parts(parser, {"student": student, "text": text})


if __name__ == "__main__":
    sys.exit(main())
