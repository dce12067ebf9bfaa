"""`predict` in a few lines."""

from finewright.render.reports import text_of
from finewright.render.text import counted
from finewright.schema.predict import PredictReport


@text_of.register
def _(report: PredictReport) -> str:
    lines = [f"{problem.level}: {problem.line()}" for problem in report.problems]
    if report.draw:
        lines.append(f"{report.draw.data}: {report.draw.line()}")
    said = f"{report.out.path}: {counted(report.rows, 'answer')} of {report.model}"
    if report.rows_answered_before:
        said += f", {report.rows_answered_before} of them from an earlier call"
    lines.append(said)
    if report.num_cut:
        lines.append(f"{report.num_cut} cut after {counted(report.max_new_tokens, 'token')}")
    if report.num_faults:
        lines.append(f"{report.num_faults} could not be read whole; `fault` says why")
    return "\n".join(lines)
