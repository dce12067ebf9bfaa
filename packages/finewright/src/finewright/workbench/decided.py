"""Answers as a file: JSONL, JSON, CSV or Parquet by its suffix, with columns of the rows beside them."""

import csv
import io
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finewright.errors import DataError, MissingExtra
from finewright.plugins import install_command
from finewright.schema.common import Problem
from finewright.schema.decisions import DECISIONS, Decision
from finewright.schema.rows import Row
from finewright.store.atomic import write_bytes
from finewright.workbench.outputs import check_writable

if TYPE_CHECKING:
    from finewright.labels.decider import Decider


def is_table(out: Path) -> bool:
    """Whether the suffix asks for another form than lines of JSON."""
    return out.suffix in _FORMS and out.suffix != ".jsonl"


def check_form(out: Path) -> None:
    """Raise DataError for a file of no known form, one that is there, and a place that takes
    none."""
    if out.suffix not in _FORMS:
        known = ", ".join(_FORMS)
        raise DataError(
            f"{out}: answers are written as {known}", hint="name such a file with --out"
        )
    if out.exists():
        raise DataError(f"{out}: already there", hint="name another file with --out")
    if out.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise MissingExtra("writing Parquet needs pyarrow", hint=install_command("[data]"))
    if not out.parent.is_dir():
        raise DataError(f"{out.parent}: there is no such folder", hint="make it first")
    check_writable(out)


def decide_rows(
    decider: "Decider", rows: Sequence[Row], out: Path, keep: Sequence[str] = ()
) -> tuple[Sequence[Decision], list[Problem]]:
    """Decide the rows and write the file; what must be said of drift."""
    from finewright.compare.decider import drift_of

    kept = kept_columns(rows, keep, ("file", "row", *DECISIONS[decider.kind].model_fields))
    found = decider.decide(rows)
    lines = (
        {**values, "file": row.file, "row": row.row, **decision.model_dump(mode="json")}
        for values, row, decision in zip(kept, rows, found, strict=True)
    )
    write_table(out, list(lines))
    drift = drift_of([each.watched for each in found], decider.calibration)
    problems = []
    if drift and drift.alarm:
        hint = (
            "calibration and coverage hold for rows like those; label some of these and train again"
        )
        problems.append(Problem(level="warning", message=drift.line(), hint=hint))
    return found, problems


def kept_columns(
    rows: Sequence[Row], keep: Sequence[str], taken: Collection[str]
) -> list[dict[str, Any]]:
    """Of each row's other columns those that are asked for, and `id` where every row has one.

    Raises DataError for one that a row does not have, and one whose name an answer has."""
    for name in keep:
        if name in taken:
            raise DataError(f"--keep {name}: an answer has a value of that name")
        if lost := next((row for row in rows if name not in row.columns), None):
            has = ", ".join(lost.columns) or "none beside what is asked"
            what = f"{lost.file}:{lost.row}: --keep {name}: the row has no such column"
            raise DataError(what, hint=f"it has {has}")
    has_id = "id" not in taken and all("id" in row.columns for row in rows)
    names = dict.fromkeys(["id", *keep] if has_id else keep)
    return [{name: row.columns[name] for name in names} for row in rows]


def write_table(out: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of the same columns, in the form that the file's suffix says."""
    write_bytes(out, _FORMS[out.suffix](rows))


def _jsonl(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in rows).encode()


def _json(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return (json.dumps(list(rows), ensure_ascii=False) + "\n").encode()


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A text and a number stand as they are, anything else as JSON: labels may hold any separator."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue().encode()


def _cell(value: object) -> object:
    is_plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return value if value is None or is_plain else json.dumps(value, ensure_ascii=False)


def _parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    content = io.BytesIO()
    arrays = {name: _array(name, [row[name] for row in rows]) for name in rows[0]}
    pyarrow.parquet.write_table(pyarrow.table(arrays), content)
    return content.getvalue()


def _array(name: str, values: list[Any]) -> Any:  # Any: of pyarrow, and free JSON
    """A column; one of several types becomes JSON."""
    import pyarrow

    kinds = {
        "file": pyarrow.string(),
        "row": pyarrow.int64(),
        "set": pyarrow.list_(pyarrow.string()),
        "confidence": pyarrow.float64(),
    }
    try:
        return pyarrow.array(values, type=kinds.get(name))
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):
        return pyarrow.array([json.dumps(value, ensure_ascii=False) for value in values])


_FORMS: Mapping[str, Callable[[Sequence[Mapping[str, Any]]], bytes]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}
