"""The figures of a data set's quality, for a terminal."""

from finewright.render.reports import text_of
from finewright.render.text import table
from finewright.schema.quality import Figure, QualityReport

_WIDTH = 24
_LONGEST = 48


@text_of.register
def _(report: QualityReport) -> str:
    figures = [_figure(figure) for figure in report.figures]
    problems = [f"{problem.level}: {problem.line()}" for problem in report.problems]
    return "\n\n".join([f"{report.rows} rows", *figures, *problems])


def _figure(figure: Figure) -> str:
    told = ", ".join(f"{name} {value:,.4g}" for name, value in figure.summary.items())
    head = f"{figure.title}, {figure.rows} rows" + (f": {told}" if told else "")
    if not figure.bars:
        return f"{head}: none"
    most = max(bar.count for bar in figure.bars) or 1
    rows = [[_short(b.label), f"{b.count:,}", _bar(b.count, most)] for b in figure.bars]
    return f"{head}\n{table(['what', 'rows', ''], rows)}"


def _bar(count: int, most: int) -> str:
    return "█" * max(round(_WIDTH * count / most), 1) if count else ""


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else label[: _LONGEST - 3] + "..."
