"""A migration as one self-contained page."""

from finewright.render.html.page import Entry, Section, Table, data_page
from finewright.render.migrate import (
    BOUND_HEADER,
    CARRIED_HEADER,
    RECALL_HEADER,
    RECALL_TITLE,
    agreement_rows,
    agreement_title,
    bound_rows,
    carried_rows,
    expected_title,
    facts,
    recall_rows,
)
from finewright.schema.migrate import MigrateReport


def migrate_page(report: MigrateReport) -> str:
    """The page as HTML; every text of a row or a job is escaped."""
    sections = [
        Section("verdict", "Verdict", report.sentence, entries=tuple(map(Entry, facts(report)))),
        *_expected(report),
        Section(
            "agreement",
            "Agreement",
            f"{agreement_title(report)}.",
            (Table(("metric", "agreement"), tuple(agreement_rows(report))),),
        ),
        *_apart(report),
        *_carried(report),
        Section("files", "Files", tables=(_files(report),)),
        *_problems(report),
    ]
    about = f"{report.old_model} -> {report.base_model}"
    return data_page(
        report.name, about, sections, lambda ref: "", notice="; ".join(report.deadlines)
    )


def _expected(report: MigrateReport) -> list[Section]:
    if not report.against_expected:
        return []
    rows = Table(BOUND_HEADER, tuple(bound_rows(report)))
    found = [Section("expected", "Quality", f"Scores {expected_title(report)}.", (rows,))]
    if by_rows := tuple(recall_rows(report)):
        table = Table(RECALL_HEADER, by_rows)
        found.append(Section("recall", "What of it is recall", f"Scores {RECALL_TITLE}.", (table,)))
    return found


def _apart(report: MigrateReport) -> list[Section]:
    if not report.apart:
        return []
    rows = tuple((str(a.row), a.prompt, a.expected or "", a.old, a.new) for a in report.apart)
    header = ("row", "prompt", "right answer", "old", "new")
    told = "Some of the golden prompts that the two models answer otherwise."
    return [Section("apart", "Where they differ", told, (Table(header, rows),))]


def _carried(report: MigrateReport) -> list[Section]:
    if not report.carried:
        return []
    rows = Table(CARRIED_HEADER, tuple(carried_rows(report)))
    return [Section("settings", "The job's settings", "", (rows,))]


def _files(report: MigrateReport) -> Table:
    golden = report.golden.file
    rows = [(source.path, source.sha256) for source in report.files]
    return Table(("file", "sha256"), (*rows, (golden.path, golden.sha256)))


def _problems(report: MigrateReport) -> list[Section]:
    if not report.problems:
        return []
    entries = tuple(Entry(p.line(), level=p.level) for p in report.problems)
    return [Section("problems", "To look at", entries=entries)]
