"""The report of `data raft` as text."""

from collections.abc import Mapping

from finewright.render.reports import text_of
from finewright.render.text import table
from finewright.schema.raft import RaftReport

_MEANS = {
    "with_gold": "the answer's passage is there, and quoted",
    "from_memory": "distractors alone, answered all the same",
    "unanswerable": "distractors alone, and the answer says so",
}


@text_of.register
def _(report: RaftReport) -> str:
    parts = ["\n".join(f"{problem.level}: {problem.line()}" for problem in report.problems)]
    left_out = f", {_said(report.rows_dropped)}" if report.rows_dropped else ""
    told = f"{report.rows_written} rows written to {report.out}" if report.out else _NONE
    parts.append(f"{report.rows_in} questions: {told}{left_out}")
    if report.out:
        rows = [[kind, str(count), _MEANS[kind]] for kind, count in sorted(report.kinds.items())]
        parts.append(table(["rows", "count", ""], rows))
        parts.append("\n".join(filter(None, _details(report))))
    return "\n\n".join(filter(None, parts))


_NONE = "none becomes a row, so nothing was written"


def _details(report: RaftReport) -> list[str]:
    mean = report.distractors_written / report.rows_written
    passed = _said(report.distractors_passed)
    fewer = _said(report.rows_with_fewer)
    groups = "all groups" if report.groups is None else ", ".join(report.groups)
    return [
        f"distractors: {mean:.1f} a row" + (f"; found and not taken: {passed}" if passed else ""),
        f"rows with fewer distractors: {fewer}" if fewer else "",
        f"licences: {_said(report.licenses)}",
        f"from documents of everyone and of {groups}" if groups else "",
    ]


def _said(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
