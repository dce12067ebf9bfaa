"""The reports of `data documents` as text."""

from finewright.render.reports import text_of
from finewright.schema.data_documents import DocumentsReport, ExamplesReport


@text_of.register
def _(report: DocumentsReport) -> str:
    lines = [f"{problem.level}: {problem.line()}" for problem in report.problems]
    dropped = ", ".join(f"{count} {reason}" for reason, count in report.documents_dropped.items())
    left_out = f", left out: {dropped}" if dropped else ""
    counts = f"{report.documents_in} documents: {report.documents_written} written to {report.out}"
    return "\n".join([*lines, counts + left_out])


@text_of.register
def _(report: ExamplesReport) -> str:
    lines = [f"{problem.level}: {problem.line()}" for problem in report.problems]
    left_out = f", {report.documents_dropped} left out" if report.documents_dropped else ""
    counts = f"{report.documents_in} documents{left_out}: {report.examples_written} sections"
    return "\n".join([*lines, f"{counts} written to {report.out}"])
