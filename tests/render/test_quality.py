"""Figures as text."""

from finewright.render import quality  # noqa: F401 - registers the layout
from finewright.render.reports import text_of
from finewright.schema.common import Problem
from finewright.schema.quality import Bar, Figure, QualityReport


def test_figures_have_their_bars_in_proportion() -> None:
    figure = Figure(
        name="f", title="Languages", about="", kind="bars", rows=30, summary={"median": 2.0},
        bars=(Bar(label="en", count=24), Bar(label="de", count=12), Bar(label="fr", count=0)),
    )  # fmt: skip
    empty = Figure(name="e", title="Refusals", about="", kind="bars", rows=30, bars=())
    problem = Problem(level="warning", file="a.jsonl", row=3, message="look")
    text = text_of(QualityReport(rows=30, figures=(figure, empty), problems=(problem,)))
    assert text.splitlines() == [
        "30 rows",
        "",
        "Languages, 30 rows: median 2",
        "what  rows",
        "en      24  " + "█" * 24,
        "de      12  " + "█" * 12,
        "fr       0",
        "",
        "Refusals, 30 rows: none",
        "",
        "warning: a.jsonl:3: look",
    ]
