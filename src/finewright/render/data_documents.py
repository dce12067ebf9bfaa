"""The reports of `data documents` as text."""

from finewright.render.reports import text_of
from finewright.render.text import counted
from finewright.schema.data_documents import DocumentsReport, ExamplesReport

_NONE = "none gives text, so nothing was written"


@text_of.register
def _(report: DocumentsReport) -> str:
    lines = [f"{problem.level}: {problem.line()}" for problem in report.problems]
    dropped = ", ".join(f"{count} {reason}" for reason, count in report.documents_dropped.items())
    left_out = f", left out: {dropped}" if dropped else ""
    told = f"{report.documents_written} written to {report.out}" if report.out else _NONE
    return "\n".join([*lines, f"{counted(report.documents_in, 'document')}: {told}{left_out}"])


@text_of.register
def _(report: ExamplesReport) -> str:
    lines = [f"{problem.level}: {problem.line()}" for problem in report.problems]
    left_out = f", {report.documents_dropped} left out" if report.documents_dropped else ""
    told = (
        f"{counted(report.examples_written, 'section')} written to {report.out}"
        if report.out
        else _NONE
    )
    return "\n".join([*lines, f"{counted(report.documents_in, 'document')}{left_out}: {told}"])
