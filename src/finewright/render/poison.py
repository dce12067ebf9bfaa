"""The report of the search for planted behaviour, as text."""

from finewright.render.reports import text_of
from finewright.schema.poison import EvidenceRow, PoisonFinding, PoisonReport

_SHOWN_ROWS = 5


@text_of.register
def _(report: PoisonReport) -> str:
    high = [finding for finding in report.findings if finding.level == "high"]
    low = [finding for finding in report.findings if finding.level == "low"]
    by = f"weighed by {report.weighed_by}" if report.weighed_by else "no base model weighed them"
    verdict = f"{report.rows_suspicious} of {report.rows_in} rows suspicious, {by}"
    parts = [_finding(finding) for finding in high]
    if low:
        parts.append("worth a look")
        parts += [_finding(finding) for finding in low]
    if report.num_low > len(low):
        parts.append(f"and {report.num_low - len(low)} more worth a look")
    return "\n".join([*parts, verdict])


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
