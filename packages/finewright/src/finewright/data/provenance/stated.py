"""Which licence and origin a row has, by whoever speaks most closely of it."""

from pathlib import Path
from typing import Literal, NamedTuple

from finewright.data.provenance.licences import (
    UNKNOWN,
    all_of,
    same_licence,
    spdx_line,
    states_nothing,
)
from finewright.rows.texts import passages
from finewright.schema.rows import Row
from finewright.store.atomic import os_errors

# Files of rows: what one row says is no statement about the file.
_CONTAINERS = {
    ".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".parquet", ".arrow", ".gz", ".zst", ".zip",
}  # fmt: skip
_HEAD_BYTES = 4096


class StatedLicence(NamedTuple):
    """A licence, who named it, and what else was said that does not agree with it."""

    license: str
    license_from: Literal["row", "text", "file", "source"]
    conflict: str = ""


def licence_of(row: Row, source_license: str, file_license: str = "") -> StatedLicence:
    """The row's licence: its own `license` (or `meta.license`), else its file's, else the source's.

    SPDX lines in the row's text are terms as well: where they say something else, both hold (AND),
    and that is noted as a conflict. Only where nothing else is known do they stand alone."""
    own = _column(row, "license")
    outer: StatedLicence = (
        StatedLicence(own, "row")
        if own
        else StatedLicence(file_license, "file")
        if file_license
        else StatedLicence(source_license, "source")
    )
    inner = spdx_line("\n".join(passage.text for passage in passages(row)))
    if not inner:
        return outer
    if states_nothing(outer.license):
        return StatedLicence(inner, "text")
    if same_licence(outer.license, inner):
        return outer
    conflict = f"{outer.license} is stated, its text says {inner}"
    return StatedLicence(all_of([outer.license, inner]), outer.license_from, conflict)


def origin_of(row: Row) -> str:
    """What the row says of its own source: `source`, `source_file`, or `meta.source`."""
    return _column(row, "source") or _column(row, "source_file")


def file_licence(path: Path) -> str:
    """The licence that a file names in its head, or in FILE.license beside it (REUSE 3.3), or "".

    A file of rows, such as JSONL, speaks only through the file beside it."""
    beside = path.with_name(path.name + ".license")
    for place in (beside, path):
        if place.is_file() and (place == beside or path.suffix.lower() not in _CONTAINERS):
            with os_errors(place), place.open("rb") as file:
                found = spdx_line(file.read(_HEAD_BYTES).decode(errors="replace"))
            if found:
                return found
    return ""


def _column(row: Row, name: str) -> str:
    meta = row.columns.get("meta")
    for holder in (row.columns, meta if isinstance(meta, dict) else {}):
        value = holder.get(name)
        if isinstance(value, str) and value.strip() and value.strip().casefold() != UNKNOWN:
            return value.strip()
    return ""
