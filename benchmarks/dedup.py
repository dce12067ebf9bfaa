"""Near-duplicates: edits found, distinct rows left alone, rows a second; side by side with two others.

    pip install datatrove orjson datasketch scikit-learn
    python benchmarks/dedup.py                       # about 2 minutes; builds the sets it needs

The rows are those of finewright's own sets. Of these the ones are taken that share less than 0.6 of their
words with any other, counted by scikit-learn; each gets one edit that leaves its meaning: the question two of
those of `door_parts.repeats` (a slip of the pen, case, punctuation, a greeting, articles, markup), the
answer, which is code or JSON, other spaces. Recall: edits that are taken out.
Precision: edits among what is taken out.

Templates: the rows of ERC-7730 as they are, all distinct: how many each tool takes out.

datatrove runs with a plain word splitter (faster than its spaCy one), SHA-1 (its xxhash call fails with
xxhash 4), and two settings: its own default, and the bands of finewright. All in one process, one after
another, on the same texts.
"""

import argparse
import contextlib
import io
import itertools
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from door_parts.repeats import PERTURBED
from finewright.data.validate import validate
from finewright.guard.duplicates.near import near_repeats
from finewright.report.text import table
from finewright.rows.identity import named_anew
from finewright.rows.read import read_rows
from finewright.rows.texts import parts_of, passages, with_texts
from finewright.schema.rows import Row, RowText

SETS = ("solidity", "erc7730")
TEMPLATES = "erc7730"
SIMILARITY = 0.8
APART = 0.6
_WORD = re.compile(r"\w+")
Tool = Callable[[Sequence[Row]], set[int]]


class Bands(NamedTuple):
    """How a rival cuts its signatures."""

    n_grams: int
    number: int
    size: int


OURS, DATATROVE_DEFAULT = Bands(2, 32, 4), Bands(5, 14, 8)


class Planted(NamedTuple):
    """Rows followed by one edit of each."""

    rows: list[Row]
    num_originals: int


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        data = options.data or Path(folder)
        rows = {name: read(data, name) for name in SETS}
    planted = {name: plant(apart(rows[name]), options) for name in SETS}
    figures = []
    for name, tool in list(TOOLS.items())[: 1 if options.rival == "none" else None]:
        print(f"{name} ...", file=sys.stderr)
        figures.append(measured(name, tool, planted, rows[TEMPLATES]))
    print(report(figures, planted, len(rows[TEMPLATES])))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a folder with the sets, each in its own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rival", choices=["all", "none"], default="all")
    parser.add_argument("--json", type=Path, help="also write every figure here")
    return parser.parse_args()


def read(data: Path, name: str) -> list[Row]:
    """The training rows of one of finewright's sets, built if it is not there."""
    folder = data / name
    if not folder.exists():
        command = [sys.executable, "-m", "finewright", "data", "get", name, "--out", str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return list(validate(read_rows(folder / "train.jsonl").rows, "auto").rows)


def said(row: Row) -> str:
    return "\n".join(text for _, role, text in passages(row) if role not in {"system", "column"})


def apart(rows: Sequence[Row]) -> list[Row]:
    """The rows that share less than APART of their words with any row taken before."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.metrics.pairwise import manhattan_distances

    counts = CountVectorizer(analyzer=lambda row: _WORD.findall(said(row).lower())).fit_transform(
        rows
    )
    sizes = np.asarray(counts.sum(axis=1)).ravel()
    distances = manhattan_distances(counts)
    taken: list[int] = []
    for i in range(len(rows)):
        # |a - b| = |a| + |b| - 2 common.
        total = sizes[taken] + sizes[i]
        if not taken or ((total - distances[i, taken]) / total).max() < APART:
            taken.append(i)
    return [rows[i] for i in taken]


def plant(rows: Sequence[Row], options: argparse.Namespace) -> Planted:
    rng = random.Random(options.seed)  # noqa: S311 - no secrets are drawn
    return Planted([*rows, *(edit(row, rng) for row in rows)], len(rows))


def edit(row: Row, rng: random.Random) -> Row:
    """The row in other letters that say the same."""

    def change(passage: RowText) -> str:
        role, text = passage.role, passage.text
        if role in {"system", "column"}:
            return text
        if role != "user":
            return PERTURBED["spaces"](text, rng)
        for kind in rng.sample(list(PERTURBED), 2):
            text = PERTURBED[kind](text, rng)
        return text

    return named_anew(with_texts(row, change))


def finewright(rows: Sequence[Row]) -> set[int]:
    return set(near_repeats([parts_of(row) for row in rows], SIMILARITY))


def datasketch(rows: Sequence[Row]) -> set[int]:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=OURS.number * OURS.size, params=(OURS.number, OURS.size))
    gone = set()
    for i, row in enumerate(rows):
        words = _WORD.findall(said(row).lower())
        signature = MinHash(num_perm=OURS.number * OURS.size)
        pairs = itertools.pairwise(words)
        signature.update_batch([" ".join(pair).encode() for pair in pairs])
        if index.query(signature):
            gone.add(i)
        else:
            index.insert(str(i), signature)
    return gone


def datatrove(bands: Bands, workers: int = 1) -> Tool:
    def found(rows: Sequence[Row]) -> set[int]:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            (work / "in").mkdir()
            with (work / "in" / "rows.jsonl").open("w", encoding="utf-8") as file:
                for i, row in enumerate(rows):
                    file.write(json.dumps({"id": str(i), "text": said(row)}) + "\n")
            kept = datatrove_kept(work, bands, workers)
        return set(range(len(rows))) - kept

    return found


def datatrove_kept(work: Path, bands: Bands, workers: int) -> set[int]:
    """The ids that datatrove's four MinHash steps keep of `work/in`."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import minhash as steps
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter
    from datatrove.utils.hashing import HashConfig
    from loguru import logger

    logger.remove()
    config = steps.MinhashConfig(
        n_grams=bands.n_grams,
        num_buckets=bands.number,
        hashes_per_bucket=bands.size,
        hash_config=HashConfig(hash_fc="sha1"),
    )
    at = {name: str(work / name) for name in ("in", "signed", "buckets", "gone", "kept", "logs")}
    num_files = len(list((work / "in").iterdir()))
    pipelines = [
        (num_files, [JsonlReader(at["in"]), steps.MinhashDedupSignature(at["signed"], config, words())]),
        (bands.number, [steps.MinhashDedupBuckets(at["signed"], at["buckets"], config=config)]),
        (1, [steps.MinhashDedupCluster(at["buckets"], at["gone"], config=config)]),
        (
            num_files,
            [
                JsonlReader(at["in"]),
                steps.MinhashDedupFilter(at["gone"]),
                JsonlWriter(at["kept"], compression=None),
            ],
        ),
    ]  # fmt: skip
    for number, (tasks, pipeline) in enumerate(pipelines):
        logs = f"{at['logs']}/{number}"
        with contextlib.redirect_stderr(io.StringIO()):
            LocalPipelineExecutor(pipeline, tasks=tasks, workers=workers, logging_dir=logs).run()
    lines = (line for path in Path(at["kept"]).iterdir() for line in path.open(encoding="utf-8"))
    return {int(json.loads(line)["id"]) for line in lines}


def words() -> object:
    """datatrove's word splitter, as a plain pattern."""
    from datatrove.utils.word_tokenizers import WordTokenizer

    class Words(WordTokenizer):  # type: ignore[misc] # datatrove is not there for the checks
        def word_tokenize(self, text: str) -> list[str]:
            return _WORD.findall(text)

        def sent_tokenize(self, text: str) -> list[str]:
            return [text]

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            return [(0, len(text))]

    return Words()


TOOLS: dict[str, Tool] = {
    "finewright": finewright,
    "datasketch, our bands": datasketch,
    "datatrove, our bands": datatrove(OURS),
    "datatrove, its default": datatrove(DATATROVE_DEFAULT),
}


def measured(
    name: str, tool: Tool, planted: dict[str, Planted], templates: Sequence[Row]
) -> dict[str, object]:
    figures: dict[str, object] = {"tool": name}
    seconds, total, right, wrong, edits = 0.0, 0, 0, 0, 0
    for kind, (rows, num_originals) in planted.items():
        start = time.perf_counter()
        gone = tool(rows)
        seconds += time.perf_counter() - start
        hits = sum(i >= num_originals for i in gone)
        figures[f"recall {kind}"] = hits / num_originals
        total, edits = total + len(rows), edits + num_originals
        right, wrong = right + hits, wrong + len(gone) - hits
    return figures | {
        "recall": right / edits,
        "precision": right / max(1, right + wrong),
        "rows_per_s": total / seconds,
        "templates": len(tool(templates)),
    }


def report(
    figures: Sequence[dict[str, object]], planted: dict[str, Planted], num_templates: int
) -> str:
    ours = figures[0]["rows_per_s"]
    sets = ", ".join(f"{kind} {found.num_originals}" for kind, found in planted.items())
    header = ["tool", *(f"recall {kind}" for kind in planted), "recall", "precision"]
    header += ["distinct templated rows lost", "rows/s", "times finewright"]
    rows = [
        [
            str(found["tool"]),
            *(f"{found[f'recall {kind}']:.3f}" for kind in planted),
            f"{found['recall']:.3f}",
            f"{found['precision']:.3f}",
            f"{found['templates']} of {num_templates}",
            f"{found['rows_per_s']:.0f}",
            f"{found['rows_per_s'] / ours:.2f}",  # type: ignore[operator]
        ]
        for found in figures
    ]
    return f"planted edits: {sets}\n{table(header, rows)}"


if __name__ == "__main__":
    main()
