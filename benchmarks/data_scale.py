"""`data prepare` on many chat rows: rows a second of each step, and memory.

    python benchmarks/data_scale.py --rows 20000 --workers 2             # a minute
    python benchmarks/data_scale.py --rows 1000000 --workers 2           # a million: 1.2 GB, see --folder
    python benchmarks/data_scale.py --engine ray --kill                  # one of Ray's workers is killed

The rows are made up, of about 1.2 KB, seeded: conversations of words as frequent as in a language, 5 % exact
repeats, 5 % with about 8 % of their words replaced, 2 % with an e-mail address, IBAN or key in them,
0.2 % broken lines. Memory is the sum over all processes of what each had at its most, so it says too much.

With `--like FOLDER` the rows are those of its JSONL files, of any kinds, in any order, with two fifths of the
words of each exchanged for others of the same files that are written alike (in capitals, digits, letters of
one script), and 5 % exact repeats: real words, names, numbers, code, and keys, in as many rows as wanted.

Steps: `chunks` reads, checks, scans and signs; `duplicates` joins the chunks and finds repeats; `files`
writes.
"""

import argparse
import contextlib
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
from finewright.report.columns import table
from finewright.schema.privacy import PersonalDataSpec, SecretsSpec
from finewright.schema.scale import PrepareReport, PrepareSpec
from process import write_figures

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
        print(report(figures, options.rows, file.stat().st_size))
        write_figures(options, figures=figures)
    finally:
        if options.folder is None:
            shutil.rmtree(folder)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument("--kill", action="store_true", help="with Ray: kill a worker at a third")
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
    return {"run": name} | made | facts(report, options.workers)


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


def cpu_seconds() -> float:
    """Of this process and of the children that have ended."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in usage)


def peak_gib(workers: int) -> float:
    """This process at its most, and as much as the largest of its children for each worker."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return (usage[0].ru_maxrss + workers * usage[1].ru_maxrss) / 2**20


HEADER = ("run", "seconds", "CPU s", "rows/s", "chunks", "duplicates", "files", "kept", "peak GiB")


def report(figures: list[dict[str, Any]], num_rows: int, size: int) -> str:
    rows = [
        [
            found["run"],
            f"{found['seconds']:.1f}",
            f"{found['cpu']:.1f}",
            f"{num_rows / found['seconds']:.0f}",
            *(f"{num_rows / found['steps'][step]:.0f}" for step in HEADER[4:7]),
            str(found["kept"]),
            f"{found['peak_gib']:.2f}",
        ]
        for found in figures
    ]
    lines = [f"{num_rows} rows, {size / 1e9:.2f} GB", table(HEADER, rows)]
    lines.append(f"dropped: {figures[0]['dropped']}; found: {figures[0]['found']}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
