"""The reports of `data check` as text."""

from collections.abc import Mapping

from finewright.render.reports import text_of
from finewright.render.text import counted
from finewright.schema.data_check import DataCheckReport, FixReport


@text_of.register
def _(report: DataCheckReport) -> str:
    lines = [f"{problem.level}: {problem.line()}" for problem in report.problems]
    truncated = f", {report.rows_truncated} truncated" if report.rows_truncated else ""
    counts = (
        f"{counted(report.rows_in, 'row')}: {report.rows_kept} kept{truncated}{_dropped(report)}"
    )
    return "\n".join([*lines, f"{counts}; {_verdict(report)}"])


@text_of.register
def _(report: FixReport) -> str:
    lines = [f"{problem.level}: {problem.line()}" for problem in report.problems]
    lines.append(
        f"{counted(report.rows_in, 'row')}: {report.rows_written} written to {report.out}, "
        f"{report.rows_mended} of them mended"
        if report.out
        else f"{counted(report.rows_in, 'row')}: none can be used, so nothing was written"
    )
    lines += [_counted("rows", report.mends), _counted("files", report.file_mends)]
    if report.rejected:
        lines.append(f"{_counted('rejected', report.rows_rejected)}: {report.rejected}")
    return "\n".join(line for line in lines if line)


def _verdict(report: DataCheckReport) -> str:
    if report.passed:
        return "usable"
    return "not usable" + (" until the errors above are mended" if report.rows_kept else "")


def _dropped(report: DataCheckReport) -> str:
    if not report.rows_dropped:
        return ""
    reasons = ", ".join(f"{count} {reason}" for reason, count in report.rows_dropped.items())
    return f", {sum(report.rows_dropped.values())} dropped ({reasons})"


def _counted(what: str, counts: Mapping[str, int]) -> str:
    parts = [f"{name.replace('_', ' ')} {count}" for name, count in counts.items()]
    return f"{what}: {', '.join(parts)}" if parts else ""
