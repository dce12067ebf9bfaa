"""`data report`: one page about a data file or a run's data, with every row a click away."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finewright.data.duplicates.find import find
from finewright.data.privacy.apply import apply
from finewright.data.privacy.key_file import key_of
from finewright.data.provenance.card import Measured, Told, data_card
from finewright.data.provenance.ledger import LEDGER, read_entries, read_leaves
from finewright.data.provenance.licences import classes_of
from finewright.data.provenance.merkle import merkle_root
from finewright.data.provenance.stated import file_licence, licence_of
from finewright.data.quality.figures import bars, ref
from finewright.data.quality.languages import detector
from finewright.data.quality.measure import quality
from finewright.data.read import ReadRow, read_rows
from finewright.data.texts import passages
from finewright.data.validate import validate
from finewright.errors import DataError
from finewright.render.html.checks import duplicates_section, not_looked_for, personal_section
from finewright.render.html.page import Section, data_page
from finewright.render.html.sections import (
    counts_section,
    licences_section,
    problems_section,
    provenance_section,
    quality_section,
)
from finewright.schema.common import Problem, RowCounts
from finewright.schema.data import DataReport
from finewright.schema.duplicates import DuplicatesSpec
from finewright.schema.privacy import PersonalDataSpec, SecretsSpec
from finewright.schema.provenance import (
    CardLicence,
    CardSource,
    DataPageReport,
    LedgerEntry,
    LedgerSummary,
)
from finewright.schema.quality import Figure, RowRef
from finewright.schema.rows import Row, parse_rows
from finewright.store.atomic import os_errors, sha256_file, write_text
from finewright.store.rundir import RunDir, open_run

_MOST_NAMED = 50
_PAGE = "data.html"


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a page is about: the rows, and all that is known of them without looking."""

    name: str
    rows: tuple[Row, ...]
    counts: RowCounts
    problems: tuple[Problem, ...]
    unusable: tuple[ReadRow, ...] = ()
    entries: tuple[LedgerEntry, ...] = ()
    merkle_root: str = ""
    path: Path | None = None


def report(path_or_run: Path, *, out: Path) -> DataPageReport:
    """Write the page about a data file, a folder of them, or a run; `out` may be a folder.

    A run's page is about the rows that train and those held out, and reads its `data` folder alone.
    The page quotes rows as they are, so it is as confidential as they are."""
    is_run = (path_or_run / "manifest.json").is_file()
    subject = _of_run(open_run(path_or_run)) if is_run else _of_file(path_or_run)
    sections = _sections(subject)
    target = out / _PAGE if out.is_dir() else out
    about = f"{len(subject.rows)} usable rows of {subject.counts.rows_in} read"
    page = data_page(f"Data of {subject.name}", about, sections, _Texts(subject))
    write_text(target, page)
    return DataPageReport(
        path=str(target),
        about=subject.name,
        rows=len(subject.rows),
        sections=tuple(section.title for section in sections),
        problems=subject.problems,
    )


def _of_file(path: Path) -> _Subject:
    read = read_rows(path)
    if not read.rows:
        lines = "\n".join(p.line() for p in read.problems if p.level == "error")
        raise DataError(lines or f"{path}: no rows to report on", hint="name a file with rows")
    checked = validate(read.rows, "auto")
    dropped = dict(checked.counts.rows_dropped)
    dropped |= {"unreadable": read.num_bad} if read.num_bad else {}
    usable = {(row.file, row.row) for row in checked.rows}
    return _Subject(
        name=path.name,
        rows=checked.rows,
        counts=checked.counts.model_copy(
            update={"rows_in": checked.counts.rows_in + read.num_bad, "rows_dropped": dropped}
        ),
        problems=(*read.problems, *checked.problems),
        unusable=tuple(row for row in read.rows if (row.file, row.row) not in usable),
        path=path,
    )


def _of_run(run: RunDir) -> _Subject:
    stated = run.read_report("data", DataReport)
    ledger = run.root / "data" / LEDGER
    leaves = read_leaves(ledger) if ledger.is_file() else []
    rows: list[Row] = []
    for name in ("train.jsonl", "eval.jsonl"):
        path = run.root / "data" / name
        if path.is_file():
            with os_errors(path):
                rows += parse_rows(path.read_text(encoding="utf-8"))
    return _Subject(
        name=run.root.name,
        rows=tuple(rows),
        counts=stated.counts,
        problems=stated.problems,
        entries=tuple(read_entries(leaves)),
        merkle_root=merkle_root(leaves).hex() if leaves else "",
    )


def _sections(subject: _Subject) -> list[Section]:
    rows = subject.rows
    duplicates = find(rows, DuplicatesSpec()).report
    personal = apply(rows, PersonalDataSpec(), SecretsSpec(), key_of(None)).report
    measured = quality(rows, language_of=detector())
    problems = (*subject.problems, *duplicates.problems, *personal.problems)
    return [
        counts_section(subject.counts, _behind(subject)),
        problems_section(tuple(dict.fromkeys(problems))),
        quality_section(measured),
        duplicates_section(duplicates),
        personal_section(personal),
        not_looked_for(
            "poison", "Poison", "Nobody looked: the search is asked for by data.poison."
        ),
        *_origins(subject),
    ]


def _behind(subject: _Subject) -> Mapping[str, Sequence[RowRef]]:
    """Rows kept, and those not usable where one reason alone is counted."""
    refs = [RowRef(file=row.file, row=row.row, id="") for row in subject.unusable[:_MOST_NAMED]]
    reasons = [reason for reason in subject.counts.rows_dropped if reason != "unreadable"]
    found = {"kept": [ref(row) for row in subject.rows[:_MOST_NAMED]]}
    return found | ({reasons[0]: refs} if len(reasons) == 1 else {})


def _origins(subject: _Subject) -> tuple[Section, Section]:
    if subject.entries:
        ledger = LedgerSummary(
            path="",
            rows=len(subject.entries),
            merkle_root=subject.merkle_root,
            sources={},
            licenses={},
        )
        card = data_card(Told(subject.name), Measured(subject.counts), subject.entries, ledger)
        licenses = {entry.id: entry.license for entry in subject.entries}
        figure = _by_licence(subject.rows, [licenses.get(row.id, "") for row in subject.rows])
        return (
            licences_section(card.licenses, figure),
            provenance_section(card.sources, subject.merkle_root, subject.entries),
        )
    heads = {file: file_licence(Path(file)) for file in {row.file for row in subject.rows}}
    stated = [licence_of(row, "", heads[row.file]).license for row in subject.rows]
    counted: dict[str, list[Row]] = defaultdict(list)
    for row, licence in zip(subject.rows, stated, strict=True):
        counted[licence].append(row)
    licences = [
        CardLicence(license=name, classes=classes_of(name), rows=len(rows))
        for name, rows in counted.items()
    ]
    return (
        licences_section(licences, _by_licence(subject.rows, stated)),
        provenance_section(_files(subject, stated), ""),
    )


def _by_licence(rows: Sequence[Row], licenses: Iterable[str]) -> Figure:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row, licence in zip(rows, licenses, strict=True):
        groups[licence or "none stated"].append(row)
    return Figure(
        name="rows",
        title="Rows by licence",
        about="As stated; licence texts are not read.",
        kind="bars",
        rows=len(rows),
        bars=bars(groups),
    )


def _files(subject: _Subject, stated: Sequence[str]) -> list[CardSource]:
    rows: dict[str, list[str]] = defaultdict(list)
    for row, licence in zip(subject.rows, stated, strict=True):
        rows[row.file].append(licence)
    return [
        CardSource(
            path=Path(file).name,
            sha256=sha256_file(Path(file)) if Path(file).is_file() else "",
            licenses=tuple(sorted({licence for licence in licenses if licence})),
            owner="not stated",
            collected_at=None,
            synthetic_by="",
            rows=len(licenses),
        )
        for file, licenses in rows.items()
    ]


class _Texts:
    """What a row says: by its id, else by where it was read."""

    def __init__(self, subject: _Subject) -> None:
        self._by_id = {row.id: row for row in subject.rows}
        self._by_place = {(row.file, row.row): row for row in reversed(subject.rows)}
        self._unusable = {(row.file, row.row): row for row in subject.unusable}

    def __call__(self, ref: RowRef) -> str:
        row = self._by_id.get(ref.id) or self._by_place.get((ref.file, ref.row))
        if row is not None:
            return "\n".join(f"{p.role}: {p.text}" for p in passages(row))
        unusable = self._unusable.get((ref.file, ref.row))
        if unusable is None:
            return "(this row could not be read)"
        return json.dumps(unusable.data, ensure_ascii=False)
