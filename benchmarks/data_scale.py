"""`data prepare` on many chat rows: rows a second of each step, memory, and two others beside its duplicates.

    pip install datatrove orjson datasets datasketch
    python benchmarks/data_scale.py --rows 20000 --workers 2             # a minute
    python benchmarks/data_scale.py --rows 1000000 --workers 2           # a million: 1.2 GB, see --folder
    python benchmarks/data_scale.py --rows 20000 --rival none            # without the others
    python benchmarks/data_scale.py --engine ray --kill --rival none     # one of Ray's workers is killed

The rows are made up, of about 1.2 KB, seeded: conversations of words as frequent as in a language, 5 % exact
repeats, 5 % with about 8 % of their words replaced, 2 % with an e-mail address, IBAN or key in them,
0.2 % broken lines. Memory is the sum over all processes of what each had at its most, so it says too much.

With `--like FOLDER` the rows are those of its JSONL files, of any kinds, in any order, with two fifths of the
words of each exchanged for others of the same files that are written alike (in capitals, digits, letters of
one script), and 5 % exact repeats: real words, names, numbers, code, and keys, in as many rows as wanted.

Steps: `chunks` reads, checks, scans and signs; `duplicates` joins the chunks and finds repeats; `files`
writes. datatrove (its four MinHash steps, 5-grams in 14 bands of 8, as by default) does less: it neither
checks nor scans, and does not compare words; it is compared with `finewright, without the scan`. So is
`datasets`, whose `map` has datasketch sign the same 5-grams (128 hashes) in as many processes; its index then
takes row after row at a Jaccard similarity of 0.8.
"""

import argparse
import contextlib
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

from finewright.features.data.prepare import prepare
from finewright.report.text import table
from finewright.rows.texts import leaves
from finewright.schema.privacy import PersonalDataSpec, SecretsSpec
from finewright.schema.scale import PrepareReport, PrepareSpec

Kept = Callable[[Path, int], set[int]]
_SYLLABLES = [a + b for a in "bdfgklmnprst" for b in "aeiou"]
_LEXICON = [a + b + c for a in _SYLLABLES for b in _SYLLABLES for c in ("", "n", "s", "r", "ta")]
_WEIGHTS = list(accumulate(1 / (i + 3) for i in range(len(_LEXICON))))
_REMEMBERED = 10_000
_FOUND = (
    "write to {word}@{word}.org",
    "the account is DE89370400440532013000",
    "the key is AKIAIOSFODNN7EXAMPLE",
)


def main() -> None:
    options = parse()
    folder = options.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    try:
        kind = "like" if options.like else "made"
        file = folder / f"rows-{options.rows}-{kind}-{options.seed}.jsonl"
        if not file.exists():
            print("making the rows ...", file=sys.stderr)
            if options.like:
                make_like(file, options.like, options.rows, options.seed)
            else:
                make(file, options.rows, options.seed)
        figures = [ours(file, folder, options, "all steps", PrepareSpec())]
        off = PrepareSpec(
            personal_data=PersonalDataSpec(action="off"), secrets=SecretsSpec(action="off")
        )
        figures.append(ours(file, folder, options, "without the scan", off))
        for name, kept in RIVALS.items():
            if options.rival in ("all", name):
                figures.append(rival(file, folder, options, name, kept))
        print(report(figures, options.rows, file.stat().st_size))
        if options.json:
            told = vars(options) | {
                name: str(getattr(options, name)) for name in ("json", "folder", "like")
            }
            content = {"options": told, "figures": figures}
            options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    finally:
        if options.folder is None:
            shutil.rmtree(folder)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument("--kill", action="store_true", help="with Ray: kill a worker at a third")
    parser.add_argument("--rival", choices=("all", *RIVALS, "none"), default="all")
    parser.add_argument("--like", type=Path, help="a folder of JSONL, for rows that look like its")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep the made rows here, and work here")
    parser.add_argument("--json", type=Path, help="also write every figure here")
    return parser.parse_args()


def make(path: Path, num_rows: int, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - no secrets are drawn
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines(rng, num_rows))


def make_like(path: Path, folder: Path, num_rows: int, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - no secrets are drawn
    files = [
        file.read_text(encoding="utf-8").split("\n")[:-1] for file in sorted(folder.glob("*.jsonl"))
    ]
    rows = [[json.loads(line) for line in lines] for lines in files]
    pools: dict[str, list[str]] = {}
    for word in _WORD.findall(json.dumps(rows, ensure_ascii=False)):
        pools.setdefault(_shape(word), []).append(word)
    remembered: list[str] = []
    with path.open("w", encoding="utf-8") as file:
        for _ in range(num_rows):
            if remembered and rng.random() < 0.05:  # noqa: PLR2004 - the share of the docstring
                line = rng.choice(remembered)
            else:
                line = json.dumps(
                    _reworded(rng.choice(rng.choice(rows)), rng, pools), ensure_ascii=False
                )
                remembered.append(line)
                del remembered[:-_REMEMBERED]
            file.write(line + "\n")


_WORD = re.compile(r"\w+")
_EXCHANGED = 0.4
_KEPT = {"role", "from", "type", "name", "tools"}


def _reworded(value: Any, rng: random.Random, pools: Mapping[str, list[str]]) -> Any:
    if isinstance(value, dict):
        return {k: v if k in _KEPT else _reworded(v, rng, pools) for k, v in value.items()}
    if isinstance(value, list):
        return [_reworded(each, rng, pools) for each in value]
    if not isinstance(value, str) or value[:1] in "{[":
        return value
    return _WORD.sub(
        lambda m: (
            rng.choice(pools.get(_shape(m[0]), [m[0]])) if rng.random() < _EXCHANGED else m[0]
        ),
        value,
    )


def _shape(word: str) -> str:
    kind = "digits" if word.isdigit() else "title" if word[0].isupper() else "lower"
    return kind if word.isascii() else f"{kind} {len(word)}"


def lines(rng: random.Random, num_rows: int) -> Iterator[str]:
    remembered: list[list[list[str]]] = []
    for _ in range(num_rows):
        draw = rng.random()
        if draw < 0.002:  # noqa: PLR2004 - the shares of the docstring
            yield '{"messages": [{"role": "user", "content": "cut o'
            continue
        if remembered and draw < 0.102:  # noqa: PLR2004
            turns = rng.choice(remembered)
            if draw < 0.052:  # noqa: PLR2004
                turns = [replaced(rng, turn, 0.08) for turn in turns]
        else:
            turns = [words(rng, rng.randint(20, 60)), words(rng, rng.randint(60, 200))]
            if len(remembered) < _REMEMBERED:
                remembered.append(turns)
            else:
                remembered[rng.randrange(_REMEMBERED)] = turns
        texts = [" ".join(turn) for turn in turns]
        if draw > 0.98:  # noqa: PLR2004
            texts[1] += ", " + rng.choice(_FOUND).format(word=rng.choice(_LEXICON))
        roles = zip(("user", "assistant"), texts, strict=True)
        yield json.dumps({"messages": [{"role": role, "content": text} for role, text in roles]})


def words(rng: random.Random, count: int) -> list[str]:
    return rng.choices(_LEXICON, cum_weights=_WEIGHTS, k=count)


def replaced(rng: random.Random, turn: list[str], share: float) -> list[str]:
    chosen = set(rng.sample(range(len(turn)), max(1, round(share * len(turn)))))
    return [rng.choice(_LEXICON) if i in chosen else word for i, word in enumerate(turn)]


def ours(
    file: Path, folder: Path, options: argparse.Namespace, name: str, spec: PrepareSpec
) -> dict[str, Any]:
    out = folder / "prepared"
    shutil.rmtree(out, ignore_errors=True)
    begun: dict[str, float] = {}
    killed: list[int] = []
    start, used = time.perf_counter(), cpu_seconds()

    def on_event(kind: str, fields: Mapping[str, Any]) -> None:
        if kind == "preparing_step":
            begun[fields["step"]] = time.perf_counter()
            return
        if options.kill and not killed and fields["done"] * 3 >= fields["total"]:
            killed.extend(killed_worker())
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{name}: {fields['done']} of {fields['total']}")

    report = prepare(
        [file],
        out=out,
        spec=spec,
        engine=options.engine,
        workers=options.workers,
        on_event=on_event,
    )
    end = time.perf_counter()
    times = [*begun.values(), end]
    steps = {step: times[i + 1] - times[i] for i, step in enumerate(begun)}
    shutil.rmtree(out)
    name += ", a worker killed" * len(killed)
    made = {"seconds": end - start, "cpu": cpu_seconds() - used, "steps": steps}
    return {"tool": f"finewright, {name}"} | made | facts(report, options.workers)


def killed_worker() -> Iterator[int]:
    """Kill a process of Ray's that has a slice in work, as the loss of its machine would."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cmdline").read_bytes().startswith(b"ray::Map"):
                os.kill(int(process.name), signal.SIGKILL)
                yield int(process.name)
                return


def facts(report: PrepareReport, workers: int) -> dict[str, Any]:
    return {
        "kept": report.rows_kept,
        "dropped": report.rows_dropped,
        "found": {kind: count.spans for kind, count in report.found.items()},
        "peak_gib": peak_gib(workers),
    }


def rival(
    file: Path, folder: Path, options: argparse.Namespace, name: str, kept_by: Kept
) -> dict[str, Any]:
    """Another tool on the same texts, in as many files as there are workers."""
    work = folder / name
    shutil.rmtree(work, ignore_errors=True)
    (work / "in").mkdir(parents=True)
    files = [
        (work / "in" / f"{i}.jsonl").open("w", encoding="utf-8") for i in range(options.workers)
    ]
    with file.open(encoding="utf-8") as source:
        for i, line in enumerate(source):
            if line.endswith("}\n"):
                text = "\n".join(text for _, text in leaves("", json.loads(line)))
                record = json.dumps({"id": str(i), "text": text})
                files[i * options.workers // options.rows].write(record + "\n")
    for opened in files:
        opened.close()
    start = time.perf_counter()
    kept = kept_by(work, options.workers)
    seconds = time.perf_counter() - start
    shutil.rmtree(work)
    return {"tool": name, "seconds": seconds, "kept": len(kept)}


def cpu_seconds() -> float:
    """Of this process and of the children that have ended."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in usage)


def datatrove_kept(work: Path, workers: int) -> set[int]:
    """The ids that datatrove's four MinHash steps keep of `work/in`."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import minhash as steps
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter
    from datatrove.utils.hashing import HashConfig
    from loguru import logger

    logger.remove()
    config = steps.MinhashConfig(
        n_grams=_GRAM,
        num_buckets=14,
        hashes_per_bucket=8,
        hash_config=HashConfig(hash_fc="sha1"),  # its xxhash call fails with xxhash 4
    )
    at = {name: str(work / name) for name in ("in", "signed", "buckets", "gone", "kept", "logs")}
    num_files = len(list((work / "in").iterdir()))
    left = [
        JsonlReader(at["in"]),
        steps.MinhashDedupFilter(at["gone"]),
        JsonlWriter(at["kept"], compression=None),
    ]
    signing = steps.MinhashDedupSignature(at["signed"], config, plain_words())
    pipelines = [
        (num_files, [JsonlReader(at["in"]), signing]),
        (14, [steps.MinhashDedupBuckets(at["signed"], at["buckets"], config=config)]),
        (1, [steps.MinhashDedupCluster(at["buckets"], at["gone"], config=config)]),
        (num_files, left),
    ]
    for number, (tasks, pipeline) in enumerate(pipelines):
        logs = f"{at['logs']}/{number}"
        with contextlib.redirect_stderr(io.StringIO()):
            LocalPipelineExecutor(pipeline, tasks=tasks, workers=workers, logging_dir=logs).run()
    kept = (line for path in Path(at["kept"]).iterdir() for line in path.open(encoding="utf-8"))
    return {int(json.loads(line)["id"]) for line in kept}


def plain_words() -> object:
    """datatrove's word splitter, as a plain pattern: faster than its spaCy one."""
    from datatrove.utils.word_tokenizers import WordTokenizer

    class Words(WordTokenizer):  # type: ignore[misc] # datatrove is not there for the checks
        def word_tokenize(self, text: str) -> list[str]:
            return _WORD.findall(text)

        def sent_tokenize(self, text: str) -> list[str]:
            return [text]

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            return [(0, len(text))]

    return Words()


def datasets_kept(work: Path, workers: int) -> set[int]:
    """The ids that `datasets` with datasketch keeps of `work/in`."""
    import datasets
    from datasketch import MinHash, MinHashLSH

    datasets.disable_progress_bars()
    files = sorted(map(str, (work / "in").iterdir()))
    cache = str(work / "cache")
    rows = datasets.load_dataset("json", data_files=files, split="train", cache_dir=cache)
    index = MinHashLSH(threshold=0.8, num_perm=_NUM_HASHES)
    kept: set[int] = set()
    for row in rows.map(signed, num_proc=workers, remove_columns=["text"]):
        found = MinHash(num_perm=_NUM_HASHES, hashvalues=row["signature"], scheme="affine32")
        if not index.query(found):
            index.insert(row["id"], found)
            kept.add(int(row["id"]))
    return kept


_NUM_HASHES, _GRAM = 128, 5


def signed(row: dict[str, str]) -> dict[str, Any]:
    from datasketch import MinHash

    made = MinHash(num_perm=_NUM_HASHES, scheme="affine32")
    words = _WORD.findall(row["text"].lower())
    grams = [" ".join(words[i : i + _GRAM]) for i in range(max(1, len(words) - _GRAM + 1))]
    made.update_batch([gram.encode() for gram in grams])
    return {"signature": made.hashvalues}


RIVALS: dict[str, Kept] = {"datatrove": datatrove_kept, "datasets": datasets_kept}


def peak_gib(workers: int) -> float:
    """This process at its most, and as much as the largest of its children for each worker."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return (usage[0].ru_maxrss + workers * usage[1].ru_maxrss) / 2**20


def report(figures: list[dict[str, Any]], num_rows: int, size: int) -> str:
    rows = []
    for found in figures:
        steps = found.get("steps", {})
        rows.append(
            [
                found["tool"],
                f"{found['seconds']:.1f}",
                f"{found['cpu']:.1f}" if "cpu" in found else "",
                f"{num_rows / found['seconds']:.0f}",
                *(
                    f"{num_rows / steps[step]:.0f}" if step in steps else ""
                    for step in ("chunks", "duplicates", "files")
                ),
                str(found["kept"]),
                f"{found['peak_gib']:.2f}" if "peak_gib" in found else "",
            ]
        )
    header = [
        "tool",
        "seconds",
        "CPU s",
        "rows/s",
        "chunks",
        "duplicates",
        "files",
        "kept",
        "peak GiB",
    ]
    ours = figures[0]
    lines = [f"{num_rows} rows, {size / 1e9:.2f} GB", table(header, rows)]
    lines.append(f"dropped: {ours['dropped']}; found: {ours['found']}")
    for other in figures[2:]:
        ratio = other["seconds"] / figures[1]["seconds"]
        lines.append(
            f"{other['tool']} takes {ratio:.1f} times as long as finewright without the scan"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
