"""The decisions of a model of labels as a file: JSONL, JSON, CSV or Parquet, by the file's suffix."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from finewright.errors import DataError, MissingExtra
from finewright.plugins import install_command
from finewright.schema.common import Problem
from finewright.schema.predict import DecidedRow
from finewright.schema.rows import Row
from finewright.store.atomic import write_bytes

if TYPE_CHECKING:
    from finewright.labels.decider import Decider

_COLUMNS = ("file", "row", "label", "confidence", "set", "unsure")


def check_form(out: Path) -> None:
    """Raise DataError for a file of no known form, one that is there, and one in no folder."""
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


def decide_rows(
    decider: "Decider", rows: Sequence[Row], out: Path
) -> tuple[list[DecidedRow], list[Problem]]:
    """Decide the rows and write the file; what must be said of drift."""
    from finewright.compare.decider import drift_of

    decisions = decider.decide(rows)
    both = zip(rows, decisions, strict=True)
    found = [DecidedRow(file=row.file, row=row.row, **each.model_dump()) for row, each in both]
    write_bytes(out, _FORMS[out.suffix](found))
    drift = drift_of([each.confidence for each in decisions], decider.calibration)
    problems = []
    if drift and drift.alarm:
        hint = (
            "calibration and coverage hold for rows like those; label some of these and train again"
        )
        problems.append(Problem(level="warning", message=drift.line(), hint=hint))
    return found, problems


def _values(decided: DecidedRow) -> dict[str, object]:
    said = decided.model_dump(mode="json")
    return {key: said[key] for key in _COLUMNS}


def _jsonl(decided: Sequence[DecidedRow]) -> bytes:
    lines = (json.dumps(_values(each), ensure_ascii=False) + "\n" for each in decided)
    return "".join(lines).encode()


def _json(decided: Sequence[DecidedRow]) -> bytes:
    return (json.dumps([_values(each) for each in decided], ensure_ascii=False) + "\n").encode()


def _csv(decided: Sequence[DecidedRow]) -> bytes:
    """The set is a JSON list in its cell: labels may hold any separator."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for each in decided:
        values = _values(each)
        labels = json.dumps(values["set"], ensure_ascii=False)
        writer.writerow({**values, "set": labels, "unsure": json.dumps(each.unsure)})
    return text.getvalue().encode()


def _parquet(decided: Sequence[DecidedRow]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    kinds = (
        pyarrow.string(),
        pyarrow.int64(),
        pyarrow.string(),
        pyarrow.float64(),
        pyarrow.list_(pyarrow.string()),
        pyarrow.bool_(),
    )
    schema = pyarrow.schema(list(zip(_COLUMNS, kinds, strict=True)))
    content = io.BytesIO()
    table = pyarrow.Table.from_pylist([_values(each) for each in decided], schema=schema)
    pyarrow.parquet.write_table(table, content)
    return content.getvalue()


_FORMS: Mapping[str, Callable[[Sequence[DecidedRow]], bytes]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}
