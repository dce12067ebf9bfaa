"""The privacy report as the text that a terminal shows."""

from finewright.render.reports import text_of
from finewright.render.text import counted, table
from finewright.schema.privacy import PrivacyReport


@text_of.register
def _(report: PrivacyReport) -> str:
    counts = report.counts
    left_out = ", ".join(f"{n} {reason}" for reason, n in sorted(counts.rows_dropped.items()))
    parts = [f"{problem.level}: {problem.line()}" for problem in report.problems]
    if report.found:
        rows = [
            [type_, str(n.spans), str(n.values), str(n.rows)] for type_, n in report.found.items()
        ]
        parts.append(table(["type", "found", "values", "rows"], rows))
    else:
        parts.append("nothing was found: no personal data of these types, no secrets")
    kept = f"{counted(counts.rows_in, 'row')} read, {counts.rows_kept} kept, {report.rows_changed} changed"
    parts.append(kept + (f"; left out: {left_out}" if left_out else ""))
    if report.out:
        parts.append(f"rows: {report.out}")
    if report.not_looked_for:
        hint = "--kind names all that is looked for, as in --kind name --kind email"
        parts.append(f"not looked for: {', '.join(report.not_looked_for)} ({hint})")
    return "\n".join(parts)
