"""Reports of repeats, of contamination, and of prepared files, as the text that a terminal shows."""

from collections.abc import Iterator, Mapping

from finewright.render.reports import text_of
from finewright.render.text import counted, table
from finewright.schema.common import Problem
from finewright.schema.duplicates import ContaminationReport, DuplicatesReport
from finewright.schema.scale import PrepareReport

_MOST_SHOWN = 5
_ROWS = ("row that repeats another", "rows that repeat others")


@text_of.register
def _(report: DuplicatesReport) -> str:
    lines = [_counts(report)]
    if report.found:
        kinds = ", ".join(f"{count} {kind}" for kind, count in report.found.items())
        groups = "1 group" if report.groups == 1 else f"{report.groups} groups"
        lines.append(
            f"repeats: {kinds}; {groups}, the largest of {counted(report.largest_group, 'row')}"
        )
        rows = [
            [e.kind, f"{e.file}:{e.row}", f"{e.of_file}:{e.of_row}", f"{e.similarity:.2f}"]
            for e in report.examples[:_MOST_SHOWN]
        ]
        lines.append(table(["kind", "row", "repeats", "alike"], rows))
        if more := sum(report.found.values()) - len(rows):
            hint = "" if report.out else "; --out leaves out those that are dropped"
            lines.append(f"and {more} more {_ROWS[more > 1]}{hint}")
    else:
        lines.append("no repeats")
    lines += [line for found in report.contamination for line in _contamination(found)]
    if report.out:
        lines.append(f"rows: {report.out}")
    return "\n".join([*lines, *map(_problem, report.problems)])


@text_of.register
def _(report: PrepareReport) -> str:
    lines = [_counts(report)]
    if report.rows_changed:
        lines.append(f"changed: {counted(report.rows_changed, 'row')}")
    if report.duplicates:
        kinds = ", ".join(f"{count} {kind}" for kind, count in report.duplicates.items())
        lines.append(f"repeats: {kinds}")
    if report.found:
        rows = [[kind, str(c.spans), str(c.rows)] for kind, c in report.found.items()]
        lines.append(table(["found", "times", "rows"], rows))
    lines += [f"{file.path}: {file.kind}, {file.bytes} bytes" for file in report.files]
    return "\n".join([*lines, *map(_problem, report.problems)])


def _counts(report: DuplicatesReport | PrepareReport) -> str:
    rows = counted(report.rows_in, "row")
    return f"{rows} in, {report.rows_kept} kept{_reasons(report.rows_dropped)}"


def _contamination(report: ContaminationReport) -> Iterator[str]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in report.found.items()) or "none"
    yield (
        f"{report.name}: of {counted(report.rows, 'row')} known from training: {kinds};"
        f" {report.mean_share:.1%} of the words in common runs of {report.ngram}"
    )
    rows = [
        [e.kind, f"{e.file}:{e.row}", f"{e.of_file}:{e.of_row}", f"{e.share:.2f}", *e.ngrams[:1]]
        for e in report.examples[:_MOST_SHOWN]
    ]
    if rows:
        header = ["kind", "row", "known from", "share", "a run in common"]
        yield table(header, [[*row, *[""] * (len(header) - len(row))] for row in rows])


def _reasons(dropped: Mapping[str, int]) -> str:
    return "".join(f", {count} {reason.replace('_', ' ')}" for reason, count in dropped.items())


def _problem(problem: Problem) -> str:
    return f"{problem.level}: {problem.line()}"
