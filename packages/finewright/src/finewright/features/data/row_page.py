"""`data report`: one page about a data file or a run's data, with every row a click away."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from finewright.data.provenance.card import CardFigures, CardSubject, data_card
from finewright.data.provenance.licences import classes_of
from finewright.data.quality.figures import bars
from finewright.data.quality.measure import quality
from finewright.errors import DataError
from finewright.features.data.row_sections import (
    Says,
    counts_section,
    duplicates_section,
    licences_section,
    not_looked_for,
    personal_section,
    poison_section,
    problems_section,
    provenance_section,
    quality_section,
    rows_page,
)
from finewright.features.data.subject import DataSubject, Texts, subject_of_file, subject_of_run
from finewright.guard.privacy.replace import redact
from finewright.guard.quality.languages import detector
from finewright.report.blocks import Section
from finewright.report.html import PAGE_START, as_html
from finewright.rows.fates import ReadOptions
from finewright.schema.common import Problem
from finewright.schema.data_check import Bar, Figure, QualityReport
from finewright.schema.poison import PoisonReport
from finewright.schema.provenance import CardLicence, CardSource, DataPageReport, LedgerSummary
from finewright.schema.rows import Row
from finewright.store.atomic import os_errors, sha256_file, write_text
from finewright.store.rundir import is_run, open_run
from finewright.workbench.outputs import check_free, check_parent, check_place

_PAGE = "data.html"
_NOBODY_LOOKED = (
    "Nobody looked: `finewright data poison` does, or a run that is asked to by data.poison."
)
_NOTICE = (
    "Confidential: this page quotes rows of the data. Secrets and personal data that were found in them are"
    " masked, as [EMAIL] is; names, addresses, and what no check knows are not. Give it to those who may see"
    " the data."
)


def report(
    path_or_run: Path,
    *,
    out: Path,
    options: ReadOptions = ReadOptions(),  # noqa: B008 - a tuple that nobody changes
) -> DataPageReport:
    """Write the page about a data file, a folder of them, or a run; `out` may be a folder.

    A file is looked at as a run with no settings would, its rows read with these `options`. A run's page is
    about the rows that train and those held out, and reads its `data` folder alone. A page of this kind is
    replaced, any other file is not. Rows are quoted with what was found in them masked; nothing is hidden
    that no check knows."""
    target = out / _PAGE if out.is_dir() else out
    _check_target(target, path_or_run)
    subject = _subject(path_or_run, options)
    measured = quality(subject.rows, language_of=detector())
    problems = tuple(dict.fromkeys((*subject.problems, *measured.problems)))
    texts = Texts(subject)
    says = cache(lambda ref: redact(texts(ref)))
    sections = _sections(subject, _mask_quality(measured), _mask_problems(problems), says)
    about = f"{len(subject.rows)} usable rows of {subject.counts.rows_in} read"
    page = rows_page(f"Data of {subject.name}", about, sections, _NOTICE)
    write_text(target, as_html(page))
    return DataPageReport(
        path=str(target),
        about=subject.name,
        rows=len(subject.rows),
        sections=tuple(section.title for section in sections),
        problems=problems,
    )


def _check_target(target: Path, path_or_run: Path) -> None:
    check_place(target, [path_or_run])
    check_parent(target)
    with os_errors(target):
        start = PAGE_START.format(subject="data").encode()
        if not (target.is_file() and target.read_bytes().startswith(start)):
            check_free(target)


def _subject(path_or_run: Path, options: ReadOptions) -> DataSubject:
    if not is_run(path_or_run):
        return subject_of_file(path_or_run, options)
    if options != ReadOptions():
        what = f"{path_or_run}: a run's rows have their form already"
        raise DataError(what, hint="leave out --type, --format and --column")
    return subject_of_run(open_run(path_or_run))


def _mask_problems(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """A message may quote a row."""
    return tuple(p.model_copy(update={"message": redact(p.message)}) for p in problems)


def _mask_quality(report: QualityReport) -> QualityReport:
    figures = tuple(
        figure.model_copy(update={"bars": tuple(map(_mask_bar, figure.bars))})
        for figure in report.figures
    )
    return report.model_copy(
        update={"figures": figures, "problems": _mask_problems(report.problems)}
    )


def _mask_poison(report: PoisonReport) -> PoisonReport:
    """Triggers and payloads are words of rows."""
    findings = tuple(
        finding.model_copy(
            update={key: redact(getattr(finding, key)) for key in ("reason", "trigger", "payload")}
        )
        for finding in report.findings
    )
    return report.model_copy(update={"findings": findings})


def _mask_bar(bar: Bar) -> Bar:
    return bar.model_copy(update={"label": redact(bar.label)})


def _sections(
    subject: DataSubject, measured: QualityReport, problems: Sequence[Problem], says: Says
) -> list[Section]:
    duplicates, privacy = subject.duplicates, subject.privacy
    return [
        counts_section(subject.counts, subject.behind(), says),
        problems_section(problems, says),
        quality_section(measured, says),
        duplicates_section(duplicates, says) if duplicates else not_looked_for("Duplicates"),
        personal_section(privacy, says) if privacy else not_looked_for("Personal data"),
        poison_section(_mask_poison(subject.poison), says)
        if subject.poison
        else not_looked_for("Poison", _NOBODY_LOOKED),
        *(_of_ledger(subject, says) if subject.entries else _of_files(subject, says)),
    ]


def _of_ledger(subject: DataSubject, says: Says) -> tuple[Section, Section]:
    ledger = LedgerSummary(
        path="", rows=len(subject.entries), merkle_root=subject.merkle_root, sources={}, licenses={}
    )
    card = data_card(
        CardSubject(subject.name), CardFigures(subject.counts), subject.entries, ledger
    )
    licenses = {entry.id: entry.license for entry in subject.entries}
    figure = _by_licence(subject.rows, [licenses.get(row.id, "") for row in subject.rows])
    return (
        licences_section(card.licenses, figure, says),
        provenance_section(card.sources, subject.merkle_root, subject.entries, says),
    )


def _of_files(subject: DataSubject, says: Says) -> tuple[Section, Section]:
    stated = [subject.licenses[row.file, row.row] for row in subject.rows]
    licences = [
        CardLicence(license=name, classes=classes_of(name), rows=num_rows)
        for name, num_rows in Counter(stated).most_common()
    ]
    sources = _files(subject.rows, stated)
    return (
        licences_section(licences, _by_licence(subject.rows, stated), says),
        provenance_section(sources, "", (), says),
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


def _files(rows: Sequence[Row], stated: Sequence[str]) -> list[CardSource]:
    by_file: dict[str, list[str]] = defaultdict(list)
    for row, licence in zip(rows, stated, strict=True):
        by_file[row.file].append(licence)
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
        for file, licenses in by_file.items()
    ]
