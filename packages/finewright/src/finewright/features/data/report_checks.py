"""What the checks of rows show: repeats, personal data, planted behaviour, and prepared files."""

from collections.abc import Iterator
from itertools import chain

from finewright.report.blocks import Block, Page, Table, Text, lines, section
from finewright.report.cells import count_of, list_counts, share
from finewright.schema.common import Problem
from finewright.schema.duplicates import ContaminationReport, DuplicatesReport, likeness
from finewright.schema.poison import EvidenceRow, PoisonFinding, PoisonReport
from finewright.schema.privacy import PrivacyReport
from finewright.schema.scale import PrepareReport

_SUBJECT = "data"
_MOST_SHOWN = 5
_ROWS = ("row that repeats another", "rows that repeat others")
_POISON_MEND = (
    "look at them: --quarantine FILE writes them there, --out FILE the others; in a run"
    " data.poison.action: quarantine leaves them out"
)
_ALL_KINDS = "--kind names all that is looked for, as in --kind name --kind email"


def duplicates_page(report: DuplicatesReport) -> Page:
    """Repeats by kind, the first of them, and what is known from training rows."""
    kinds = list_counts(report.found)
    largest = count_of(report.largest_group, "row")
    found = f"repeats: {kinds}; {count_of(report.groups, 'group')}, the largest of {largest}"
    return Page(
        subject=_SUBJECT,
        title=_describe_kept(report),
        about=[found if kinds else "no repeats", *([f"rows: {report.out}"] if report.out else [])],
        problems=report.problems,
        sections=[
            *section("", *_repeats(report)),
            *(
                part
                for i, found_in in enumerate(report.contamination, 1)
                for part in section("", *_contamination(found_in))
            ),
        ],
    )


def prepare_page(report: PrepareReport) -> Page:
    """What became of the rows, what was found in them, and the files."""
    kinds = list_counts(report.duplicates)
    changed = count_of(report.rows_changed, "row")
    found = [(kind, str(n.spans), str(n.rows)) for kind, n in report.found.items()]
    files = [f"{file.path}: {file.kind}, {file.bytes} bytes" for file in report.files]
    return Page(
        subject=_SUBJECT,
        title=_describe_kept(report),
        about=[
            *([f"changed: {changed}"] if report.rows_changed else []),
            *([f"repeats: {kinds}"] if kinds else []),
        ],
        problems=report.problems,
        sections=[
            *section("", Table(("found", "times", "rows"), found)),
            *section("", lines(*files)),
        ],
    )


def privacy_page(report: PrivacyReport) -> Page:
    """What was found by type, and what was done about it."""
    counts = report.counts
    left_out = ", ".join(f"{n} {reason}" for reason, n in sorted(counts.rows_dropped.items()))
    kept = f"{count_of(counts.rows_in, 'row')} read, {counts.rows_kept} kept, {report.rows_changed} changed"
    nothing = "nothing was found: no personal data of these types, no secrets"
    rows = [(kind, str(n.spans), str(n.values), str(n.rows)) for kind, n in report.found.items()]
    missing = ", ".join(report.not_looked_for)
    return Page(
        subject="personal data",
        title=kept + (f"; left out: {left_out}" if left_out else ""),
        about=[
            *([] if rows else [nothing]),
            *([f"rows: {report.out}"] if report.out else []),
            *([f"not looked for: {missing} ({_ALL_KINDS})"] if missing else []),
        ],
        problems=report.problems,
        sections=section("", Table(("type", "found", "values", "rows"), rows)),
    )


def _beside_findings(report: PoisonReport) -> list[Problem]:
    """Without what was found in the files, which is told in full beside them."""
    found = tuple(finding.reason for finding in report.findings)
    return [each for each in report.problems if not (found and each.message.startswith(found))]


def _more(count: int) -> str:
    return f"and {count} more worth a look" if count > 0 else ""


def _poison_title(report: PoisonReport) -> str:
    by = f"weighed by {report.weighed_by}" if report.weighed_by else "no base model weighed them"
    num_looked_at = report.rows_in - sum(report.rows_dropped.values())
    reasons = list_counts(report.rows_dropped)
    dropped = f"; {report.rows_in} rows in, not looked at: {reasons}" if reasons else ""
    return f"{report.rows_suspicious} of {num_looked_at} rows suspicious, {by}{dropped}"


def poison_page(report: PoisonReport) -> Page:
    """Suspicions with the rows that they rest on, the strongest first."""
    high = [finding for finding in report.findings if finding.level == "high"]
    low = [finding for finding in report.findings if finding.level == "low"]
    return Page(
        subject="planted behaviour",
        title=_poison_title(report),
        about=[_POISON_MEND] if high else [],
        problems=_beside_findings(report),
        sections=[
            *section("", *chain.from_iterable(map(_finding, high))),
            *section("Worth a look", *chain.from_iterable(map(_finding, low))),
            *section("", Text(_more(report.num_low - len(low)))),
            *section("What could be found", lines(*(reach.says for reach in report.reach))),
        ],
    )


def _finding(finding: PoisonFinding) -> Iterator[Block]:
    mark = "SUSPICIOUS" if finding.level == "high" else "low"
    shown = [_evidence(row) for row in finding.evidence[:_MOST_SHOWN]]
    if more := len(finding.evidence) - len(shown):
        shown.append(f"and {more} more rows")
    yield Text(f"{mark} {finding.kind}: {finding.reason}")
    yield Text("\n".join(f"  {line}" for line in shown), "soft")


def _evidence(row: EvidenceRow) -> str:
    where = f"{row.file}:{row.row}"
    return f"{where}: {row.quote}" if row.quote else where


def _describe_kept(report: DuplicatesReport | PrepareReport) -> str:
    dropped = list_counts(report.rows_dropped)
    kept = f"{count_of(report.rows_in, 'row')} in, {report.rows_kept} kept"
    return f"{kept}, {dropped}" if dropped else kept


def _repeats(report: DuplicatesReport) -> Iterator[Block]:
    rows = [
        (e.kind, f"{e.file}:{e.row}", f"{e.of_file}:{e.of_row}", likeness(e.similarity))
        for e in report.examples[:_MOST_SHOWN]
    ]
    yield Table(("kind", "row", "repeats", "alike"), rows)
    if (more := sum(report.found.values()) - len(rows)) > 0:
        hint = "" if report.out else "; --out leaves out those that are dropped"
        yield Text(f"and {more} more {_ROWS[more > 1]}{hint}")


def _contamination(report: ContaminationReport) -> Iterator[Block]:
    kinds = list_counts(report.found) or "none"
    yield Text(
        f"{report.name}: of {count_of(report.rows, 'row')} known from training: {kinds};"
        f" {share(report.mean_share)} of the words in common runs of {report.ngram}"
    )
    rows = [
        (
            e.kind,
            f"{e.file}:{e.row}",
            f"{e.of_file}:{e.of_row}",
            likeness(e.share),
            next(iter(e.ngrams), ""),
        )
        for e in report.examples[:_MOST_SHOWN]
    ]
    yield Table(("kind", "row", "known from", "share", "a run in common"), rows)
