"""What `predict` shows: how many rows were answered, and where the answers are."""

from finewright.report.blocks import Page
from finewright.report.cells import counted
from finewright.schema.predict import PredictReport


def predict_page(report: PredictReport) -> Page:
    """The answers, and what is odd about them."""
    answer = f"{counted(report.rows, 'answer')} of {report.model}"
    if report.rows_answered_before:
        answer += f", {report.rows_answered_before} of them from an earlier call"
    about = [f"{report.draw.data}: {report.draw.line()}"] if report.draw else []
    if report.num_cut:
        about.append(f"{report.num_cut} cut after {counted(report.max_new_tokens, 'token')}")
    if report.num_thoughts_cut:
        most = counted(report.max_thought_tokens or 0, "token")
        about.append(f"{counted(report.num_thoughts_cut, 'thought')} closed after {most}")
    if report.num_faults:
        about.append(f"{report.num_faults} could not be read whole; `fault` says why")
    return Page("answers", report.out.path, answer, about, report.problems)
