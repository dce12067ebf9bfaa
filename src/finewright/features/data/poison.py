"""`data poison`: look for planted behaviour in rows, and part the suspicious rows from the rest."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from finewright.data.validate import Asked
from finewright.features.data.rows import Record, usable_rows
from finewright.guard.poison.base_model import BaseSurprisal, OnProgress
from finewright.guard.poison.scan import search
from finewright.rows.containers.write import jsonl_at
from finewright.rows.user_rows import to_user_json
from finewright.schema.poison import PoisonReport
from finewright.workbench.outputs import check_outputs

_Json = dict[str, Any]  # Any: a line of JSON


def scan(
    path: Path,
    *,
    base_model: str = "smollm2-135m-instruct",
    out_clean: Path | None = None,
    out_quarantine: Path | None = None,
    asked: Asked = Asked(),  # noqa: B008 - a tuple that nobody changes
    on_progress: OnProgress = lambda done, total: None,
) -> PoisonReport:
    """What may have been planted in the rows. With an empty `base_model` nothing is weighed.

    `out_clean` gets the rows that were looked at and are not suspicious, as they stand in their file, or as
    they are read where a manifest states how; `out_quarantine` gets the suspicious, each as {"file", "row",
    "why", "data"}. Both are new files. Raises DataError when there is no usable row."""
    check_outputs([out_clean, out_quarantine], [path])
    records: list[Record] = []
    keeps = out_clean is not None or out_quarantine is not None
    read = usable_rows(path, asked, lambda row: _keep(records, row) if keeps else None)
    surprisal = BaseSurprisal(base_model, Path.cwd(), on_progress) if base_model else None
    found = search(read.rows, surprisal=surprisal, base_model=base_model)
    why = {(read.rows[i].file, read.rows[i].row): reason for i, reason in found.why.items()}
    if out_clean:
        _write(out_clean, (line for record in records for line in _clean(record, why)))
    if out_quarantine:
        _write(out_quarantine, (line for record in records for line in _set_aside(record, why)))
    return found.report.model_copy(
        update={
            "rows_in": read.rows_in,
            "rows_dropped": dict(read.dropped),
            "problems": (*read.problems(), *found.report.problems),
        }
    )


def _keep(records: list[Record], row: object) -> None:
    if isinstance(row, Record) and row.became.rows:
        records.append(row)


def _clean(record: Record, why: dict[tuple[str, int], str]) -> Iterator[_Json]:
    if (record.read.file, record.read.row) in why:
        return
    if record.is_stated:
        # Out of its folder the row has no manifest that says what its keys mean.
        yield from map(to_user_json, record.became.rows)
    else:
        yield record.read.data


def _set_aside(record: Record, why: dict[tuple[str, int], str]) -> Iterator[_Json]:
    read = record.read
    if (read.file, read.row) in why:
        reason = why[read.file, read.row]
        yield {"file": read.file, "row": read.row, "why": reason, "data": read.data}


def _write(path: Path, lines: Iterable[_Json]) -> None:
    with jsonl_at(path) as write:
        for line in lines:
            write(line)
