"""What `data raft` shows."""

from collections.abc import Iterator

from finewright.report.blocks import Page, Table, lines, section
from finewright.report.cells import named_counts
from finewright.schema.raft import RaftReport

_RAFT_KINDS = {
    "with_gold": "the answer's passage is there, and quoted",
    "from_memory": "distractors alone, answered all the same",
    "unanswerable": "distractors alone, and the answer says so",
}


def raft_page(report: RaftReport) -> Page:
    """The rows with documents that were written, by kind."""
    left_out = f", {named_counts(report.rows_dropped)}" if report.rows_dropped else ""
    written = f"{report.rows_written} rows written to {report.out}"
    kinds = [(kind, str(count), _RAFT_KINDS[kind]) for kind, count in sorted(report.kinds.items())]
    has_rows = bool(report.out)
    return Page(
        subject="data",
        title=f"{report.rows_in} questions",
        answer=(written if has_rows else "none becomes a row, so nothing was written") + left_out,
        problems=report.problems,
        sections=[
            *section("", Table(("rows", "count", ""), kinds if has_rows else [])),
            *section("", lines(*(_raft_details(report) if has_rows else ()))),
        ],
    )


def _raft_details(report: RaftReport) -> Iterator[str]:
    mean = report.distractors_written / report.rows_written
    passed = named_counts(report.distractors_passed)
    yield f"distractors: {mean:.1f} a row" + (f"; found and not taken: {passed}" if passed else "")
    if fewer := named_counts(report.rows_with_fewer):
        yield f"rows with fewer distractors: {fewer}"
    yield f"licences: {named_counts(report.licenses)}"
    if groups := "all groups" if report.groups is None else ", ".join(report.groups):
        yield f"from documents of everyone and of {groups}"
