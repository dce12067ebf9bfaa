"""The report of the search for planted behaviour, as text."""

from collections.abc import Iterator

from finewright.render.reports import text_of
from finewright.schema.poison import EvidenceRow, PoisonFinding, PoisonReport

_SHOWN_ROWS = 5
_MEND = (
    "look at them: --quarantine FILE writes them there, --out FILE the others; in a run"
    " data.poison.action: quarantine leaves them out"
)


@text_of.register
def _(report: PoisonReport) -> str:
    high = [finding for finding in report.findings if finding.level == "high"]
    low = [finding for finding in report.findings if finding.level == "low"]
    by = f"weighed by {report.weighed_by}" if report.weighed_by else "no base model weighed them"
    num_looked_at = report.rows_in - sum(report.rows_dropped.values())
    verdict = f"{report.rows_suspicious} of {num_looked_at} rows suspicious, {by}"
    if report.rows_dropped:
        reasons = ", ".join(f"{count} {reason}" for reason, count in report.rows_dropped.items())
        verdict += f"; {report.rows_in} rows in, not looked at: {reasons}"
    parts = [*_of_files(report), *(_finding(finding) for finding in high)]
    if low:
        parts.append("worth a look")
        parts += [_finding(finding) for finding in low]
    if report.num_low > len(low):
        parts.append(f"and {report.num_low - len(low)} more worth a look")
    if high:
        verdict += f"\n{_MEND}"
    return "\n".join([*parts, verdict])


def _of_files(report: PoisonReport) -> Iterator[str]:
    """What was said of the files; what was found in them is told in full."""
    found = tuple(finding.reason for finding in report.findings)
    for problem in report.problems:
        if not (found and problem.message.startswith(found)):
            yield f"{problem.level}: {problem.line()}"


def _finding(finding: PoisonFinding) -> str:
    mark = "SUSPICIOUS" if finding.level == "high" else "low"
    lines = [f"{mark} {finding.kind}: {finding.reason}"]
    lines += [f"  {_row(row)}" for row in finding.evidence[:_SHOWN_ROWS]]
    if len(finding.evidence) > _SHOWN_ROWS:
        lines.append(f"  and {len(finding.evidence) - _SHOWN_ROWS} more rows")
    return "\n".join(lines)


def _row(row: EvidenceRow) -> str:
    where = f"{row.file}:{row.row}"
    return f"{where}: {row.quote}" if row.quote else where
