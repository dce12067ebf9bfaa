"""`data report`: one page about a data file or a run's data, with every row a click away."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from finewright.data.provenance.card import Measured, Told, data_card
from finewright.data.provenance.licences import classes_of
from finewright.data.quality.figures import bars
from finewright.data.quality.languages import detector
from finewright.data.quality.measure import quality
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
from finewright.schema.common import Problem
from finewright.schema.provenance import CardLicence, CardSource, DataPageReport, LedgerSummary
from finewright.schema.quality import Figure, QualityReport
from finewright.schema.rows import Row
from finewright.store.atomic import sha256_file, write_text
from finewright.store.rundir import open_run
from finewright.workbench.data_subject import Subject, Texts, subject_of_file, subject_of_run

_PAGE = "data.html"


def report(path_or_run: Path, *, out: Path) -> DataPageReport:
    """Write the page about a data file, a folder of them, or a run; `out` may be a folder.

    A file is looked at as a run with no settings would. A run's page is about the rows that train and
    those held out, and reads its `data` folder alone. The page quotes rows as they are, so it is as
    confidential as they are."""
    target = out / _PAGE if out.is_dir() else out
    if target.resolve() == path_or_run.resolve():
        raise DataError(f"{out}: this is the file that is read", hint="name another file for --out")
    is_run = (path_or_run / "manifest.json").is_file()
    subject = subject_of_run(open_run(path_or_run)) if is_run else subject_of_file(path_or_run)
    measured = quality(subject.rows, language_of=detector())
    problems = tuple(dict.fromkeys((*subject.problems, *measured.problems)))
    sections = _sections(subject, measured, problems)
    about = f"{len(subject.rows)} usable rows of {subject.counts.rows_in} read"
    page = data_page(f"Data of {subject.name}", about, sections, Texts(subject))
    write_text(target, page)
    return DataPageReport(
        path=str(target),
        about=subject.name,
        rows=len(subject.rows),
        sections=tuple(section.title for section in sections),
        problems=problems,
    )


def _sections(
    subject: Subject, measured: QualityReport, problems: Sequence[Problem]
) -> list[Section]:
    duplicates, privacy = subject.duplicates, subject.privacy
    return [
        counts_section(subject.counts, subject.behind()),
        problems_section(problems),
        quality_section(measured),
        duplicates_section(duplicates)
        if duplicates
        else not_looked_for("duplicates", "Duplicates"),
        personal_section(privacy) if privacy else not_looked_for("personal", "Personal data"),
        not_looked_for(
            "poison", "Poison", "Nobody looked: the search is asked for by data.poison."
        ),
        *(_of_ledger(subject) if subject.entries else _of_files(subject)),
    ]


def _of_ledger(subject: Subject) -> tuple[Section, Section]:
    ledger = LedgerSummary(
        path="", rows=len(subject.entries), merkle_root=subject.merkle_root, sources={}, licenses={}
    )
    card = data_card(Told(subject.name), Measured(subject.counts), subject.entries, ledger)
    licenses = {entry.id: entry.license for entry in subject.entries}
    figure = _by_licence(subject.rows, [licenses.get(row.id, "") for row in subject.rows])
    return (
        licences_section(card.licenses, figure),
        provenance_section(card.sources, subject.merkle_root, subject.entries),
    )


def _of_files(subject: Subject) -> tuple[Section, Section]:
    stated = [subject.licenses[row.file, row.row] for row in subject.rows]
    licences = [
        CardLicence(license=name, classes=classes_of(name), rows=num_rows)
        for name, num_rows in Counter(stated).most_common()
    ]
    sources = _files(subject.rows, stated)
    return (
        licences_section(licences, _by_licence(subject.rows, stated)),
        provenance_section(sources, ""),
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
