"""A file of chat rows with repeats, mistakes and personal data in it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finewright.data.scale.prepare import PrepareSettings, prepare_rows
from finewright.rows.identity import to_user_json
from finewright.schema.scale import PrepareReport, PrepareSpec
from guard.duplicates.made import chat, seeded, words

KEYS = (b"0123456789abcdef", b"")


def lines(num_rows: int, seed: int = 0) -> list[str]:
    """Rows, of which about a third repeat others, hold an address, or are wrong."""
    rng = seeded(seed)
    rows = [chat(words(rng, 25), words(rng, 35))]
    made = []
    for _ in range(num_rows):
        kind = rng.choice(["new", "new", "new", "new", "same", "near", "mail", "broken", "empty"])
        if kind == "new":
            rows.append(chat(words(rng, 25), words(rng, 35)))
            row = rows[-1]
        else:
            row = rng.choice(rows)
        if kind == "near":
            question, answer = (turn["content"] for turn in row.messages)
            row = chat(f"Please, {question}", f"{answer} thanks")
        elif kind == "mail":
            row = chat(words(rng, 25), f"{words(rng, 35)} write to {words(rng, 1)}@example.org")
        text = json.dumps(to_user_json(row))
        made.append({"broken": text[:-3], "empty": '{"messages": []}'}.get(kind, text))
    return made


def write(path: Path, num_rows: int, seed: int = 0) -> Path:
    """The rows as a file."""
    path.write_text("".join(f"{line}\n" for line in lines(num_rows, seed)), encoding="utf-8")
    return path


def prepared(
    paths: list[Path],
    folder: Path,
    how: PrepareSettings | None = None,
    spec: PrepareSpec | None = None,
) -> PrepareReport:
    """The files prepared in small slices, without events."""
    return prepare_rows(
        paths, folder, spec or PrepareSpec(), how or PrepareSettings(slice_bytes=4000), KEYS, ignore
    )


def ignore(_event: str, _fields: Mapping[str, Any]) -> None:
    """Hears nothing."""


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
