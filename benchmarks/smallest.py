"""Every benchmark and every example at its smallest size, as smallest.yaml lists them.

    python benchmarks/smallest.py                # all, two at a time: about 6 minutes, fetches sets
    python benchmarks/smallest.py rag train      # those whose names hold one of these words

What does not end as it should is shown with the last that it said, and the command ends with 1. The figures
mean nothing at such sizes. A benchmark that cannot run here is asked for --help, and says why."""

import argparse
import importlib
import json
import os
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from shutil import copytree
from typing import NamedTuple

import yaml

from finewright.report.columns import table

ROOT = Path(__file__).parents[1]
LISTED = yaml.safe_load((ROOT / "benchmarks" / "smallest.yaml").read_text(encoding="utf-8"))
SETS = (
    "erc7730",
    "solidity",
    "solidity-audit",
    "transaction-agent",
    "bank-docs",
    "bank-facts",
    "natspec-docs",
    "erc-standards",
)
SMOLLM2_TEMPLATE = files("finewright") / "catalog" / "templates" / "smollm2.jinja"
NUM_ROWS = 16  # of a set for an example: its splits need some
AT_ONCE = 2
CODE = re.compile(r"\d= ")
START = re.compile(r"^(\d= )?")
LONGEST_SECONDS = 900.0  # many times what any takes on a quiet machine: one that hangs is named


class Entry(NamedTuple):
    """A benchmark or an example: its commands, or why only its --help is run."""

    name: str
    commands: Sequence[str]
    why_not: str = ""


class Outcome(NamedTuple):
    """How it went; `fault` is the last that was said."""

    entry: Entry
    seconds: float
    fault: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only names that hold one of these")
    words = parser.parse_args().words
    wanted = [e for e in entries() if not words or any(word in e.name for word in words)]
    with tempfile.TemporaryDirectory() as folder:
        places = prepared(Path(folder))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            outcomes = list(pool.map(lambda entry: outcome(entry, places), wanted))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(table(["", "seconds", ""], [line(found) for found in outcomes]))
    print(f"{used.ru_utime + used.ru_stime:.0f} seconds of the processor in all")
    faults = [found for found in outcomes if found.fault]
    for found in faults:
        print(f"\n{found.entry.name}: {' && '.join(found.entry.commands)}\n{found.fault}")
    return int(bool(faults))


def entries() -> Iterator[Entry]:
    """Those of benchmarks/ are scripts with their arguments, those of examples/ command lines."""
    for name, given in LISTED["benchmarks"].items():
        script = f"{{python}} {ROOT / 'benchmarks' / name}"
        if isinstance(given, dict):
            yield Entry(f"benchmarks/{name}", [f"{script} --help"], given["why_not"])
        else:
            yield Entry(f"benchmarks/{name}", [f"{script} {given}"])
    for name, given in LISTED["examples"].items():
        path = f"{{examples}}/{name}"
        if isinstance(given, dict):
            yield Entry(f"examples/{name}", [], given["why_not"])
        else:
            commands = [START.sub(r"\1{python} -m finewright ", each) for each in given]
            yield Entry(f"examples/{name}", [c.replace("{example}", path) for c in commands])


def prepared(folder: Path) -> dict[str, str]:
    """What stands for the names in braces: a tiny model, the sets, and the examples with a part of them."""
    sys.path.insert(0, str(ROOT / "packages" / "finewright" / "tests"))
    tiny = importlib.import_module("tiny")
    model = tiny.tiny_model("llama")
    model.config.max_position_embeddings = 4096  # room for the prompts of every benchmark
    model.save_pretrained(folder / "model")
    tokenizer = tiny.tiny_tokenizer()
    tokenizer.chat_template = SMOLLM2_TEMPLATE.read_text(encoding="utf-8")  # it has words for tools
    tokenizer.save_pretrained(folder / "model")
    copytree(folder / "model", folder / "model-too")  # a bake-off has two
    copytree(ROOT / "examples", folder / "examples", ignore=lambda *_: SETS)
    for name in SETS:
        whole = folder / "sets" / name
        command = [sys.executable, "-m", "finewright", "data", "get", name, "--out", str(whole)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        part = folder / "examples" / name
        part.mkdir()
        for path in whole.glob("*.jsonl"):
            rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = rows if path.name == "documents.jsonl" else rows[:NUM_ROWS]  # which rows name
            (part / path.name).write_text("".join(kept), encoding="utf-8")
    names = {name: str(folder / name) for name in ("model", "sets", "examples")}
    return names | {"python": sys.executable, "root": str(ROOT), "folder": str(folder)}


def outcome(entry: Entry, places: Mapping[str, str]) -> Outcome:
    """Run its commands one after another in an empty folder."""
    started = time.perf_counter()
    work = tempfile.mkdtemp(dir=places["folder"])
    fault = ""
    for command in entry.commands:
        words = shlex.split(command.format(work=work, **places))
        code = int(words.pop(0)[0]) if CODE.match(command) else 0
        fault = fault or fault_of(words, work, code)
    seconds = time.perf_counter() - started
    print(
        json.dumps({"name": entry.name, "seconds": round(seconds, 1), "ok": not fault}), flush=True
    )
    return Outcome(entry, seconds, fault)


def fault_of(command: Sequence[str], work: str, code: int) -> str:
    """The last that a command said which did not end with the code in time."""
    environment = {
        **os.environ,
        **{"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        "XDG_CONFIG_HOME": str(
            Path(work).parent / "config"
        ),  # what is trusted here is not the user's
    }
    try:
        done = subprocess.run(
            list(command), cwd=work, env=environment, capture_output=True, text=True, check=False,
            timeout=LONGEST_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"not done after {LONGEST_SECONDS:.0f} s"
    return (done.stdout + done.stderr)[-2000:] if done.returncode != code else ""


def line(found: Outcome) -> list[str]:
    said = "FAILED" if found.fault else found.entry.why_not
    return [found.entry.name, f"{found.seconds:.1f}", said]


if __name__ == "__main__":
    sys.exit(main())
