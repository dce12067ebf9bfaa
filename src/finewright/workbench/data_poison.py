"""`data poison`: look for planted behaviour in a file of rows, and part the suspicious rows from the rest."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from finewright.data.poison.base_model import BaseSurprisal, OnProgress
from finewright.data.poison.scan import search
from finewright.data.read import ReadRow, read_rows
from finewright.data.validate import validate
from finewright.errors import DataError
from finewright.schema.poison import PoisonReport
from finewright.store.atomic import write_text


def scan(
    path: Path,
    *,
    base_model: str = "smollm2-135m-instruct",
    out_clean: Path | None = None,
    out_quarantine: Path | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> PoisonReport:
    """What may have been planted in the file. With an empty `base_model` nothing is weighed.

    `out_clean` gets the file's rows without the suspicious ones, `out_quarantine` those, each as {"file",
    "row", "why", "data"}. Raises DataError when there is no usable row."""
    read = read_rows(path)
    checked = validate(read.rows, "auto")
    problems = (*read.problems, *checked.problems)
    if not checked.rows:
        raise DataError(problems[0].line() if problems else f"{path}: no rows in it")
    surprisal = BaseSurprisal(base_model, Path.cwd(), on_progress) if base_model else None
    found = search(checked.rows, surprisal=surprisal, base_model=base_model)
    why = {checked.rows[i].row: reason for i, reason in found.why.items()}
    if out_clean:
        write_text(out_clean, _lines(row.data for row in read.rows if row.row not in why))
    if out_quarantine:
        write_text(
            out_quarantine, _lines(_set_aside(r, why[r.row]) for r in read.rows if r.row in why)
        )
    return found.report.model_copy(update={"problems": (*problems, *found.report.problems)})


def _set_aside(row: ReadRow, why: str) -> dict[str, Any]:  # Any: a line of JSON
    return {"file": row.file, "row": row.row, "why": why, "data": row.data}


def _lines(rows: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
