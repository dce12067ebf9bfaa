"""The rows that the licence policy lets through, and the others with where they came from.

Which licence and origin a row has, by whoever speaks most closely of it."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from finewright.data.provenance.licences import (
    UNKNOWN,
    all_of,
    judge,
    policy_problems,
    read_expression,
    same_licence,
    spdx_line,
    states_nothing,
)
from finewright.rows.notes import CheckOutcome, Dropped
from finewright.rows.texts import passages
from finewright.schema.common import Problem
from finewright.schema.provenance import LicensePolicy
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


_MOST_NAMED = 8


def by_licence(
    rows: Sequence[Row], stated: Callable[[Row], StatedLicence], policy: LicensePolicy
) -> CheckOutcome:
    """The rows that may be used. The others are dropped for `license`; none without a policy.

    Blocked rows are errors, one for each file and licence, unless the policy says `drop`: then they
    are warnings. Ids that SPDX does not know, and texts that speak against the stated licence, are
    warnings. Without a policy, unknown licences are not spoken of."""
    faults = policy_problems(policy)
    if faults:
        return CheckOutcome(tuple(rows), problems=tuple(faults))
    found = [(row, stated(row)) for row in rows]
    why = {said.license: judge(said.license, policy) for _, said in found}
    kept, dropped = list[Row](), list[Dropped]()
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row, said in found:
        judged = why[said.license]
        if judged.allowed:
            kept.append(row)
        else:
            dropped.append(Dropped(row, "license", judged.why))
            groups[row.file, said.license, judged.why].append(row)
    problems = [*_report_blocked(groups, policy), *_misspelt(found), *_conflicts(found)]
    return CheckOutcome(tuple(kept), tuple(dropped), tuple(problems))


def _report_blocked(
    groups: Mapping[tuple[str, str, str], Sequence[Row]], policy: LicensePolicy
) -> Iterator[Problem]:
    for (file, license_, why), rows in groups.items():
        are = "1 row is" if len(rows) == 1 else f"{len(rows)} rows are"
        under = f"under {license_}" if license_ else "without a licence"
        yield Problem(
            level="error" if policy.on_blocked == "error" else "warning",
            file=file,
            row=rows[0].row,
            key="data.licenses",
            message=f"{are} {under} ({name_rows(rows)}): {why}",
            hint="take them out, correct their licence, or set data.licenses.on_blocked: drop"
            if policy.on_blocked == "error"
            else "left out, as data.licenses.on_blocked asks",
        )


def name_rows(rows: Sequence[Row]) -> str:
    """`row 3`, `rows 3, 7`, or the first of them and how many more."""
    numbers = [str(row.row) for row in rows[:_MOST_NAMED]]
    more = len(rows) - len(numbers)
    tail = f" and {more} more" if more else ""
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(numbers)}{tail}"


def _misspelt(found: Sequence[tuple[Row, StatedLicence]]) -> Iterator[Problem]:
    first: dict[tuple[str, str], Row] = {}
    for row, said in found:
        first.setdefault((row.file, said.license), row)
    for (file, license_), row in first.items():
        read = read_expression(license_)
        if read.fault:
            yield Problem(
                level="warning",
                file=file,
                row=row.row,
                key="license",
                message=f"{read.fault}: the licence counts as unknown",
                hint=read.hint,
            )


def _conflicts(found: Sequence[tuple[Row, StatedLicence]]) -> Iterator[Problem]:
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row, said in found:
        if said.conflict:
            groups[row.file, said.conflict].append(row)
    for (file, conflict), rows in groups.items():
        yield Problem(
            level="warning",
            file=file,
            row=rows[0].row,
            key="license",
            message=f"{conflict} ({name_rows(rows)}): both are taken to hold",
            hint="state the licence of each row in a `license` column",
        )


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
