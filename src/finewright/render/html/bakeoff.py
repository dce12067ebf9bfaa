"""A bake-off as one self-contained page: no script, nothing from elsewhere, readable in print."""

from markupsafe import Markup

from finewright.render.bakeoff import (
    CONDUCT,
    LEADERBOARD,
    RECALL,
    RUNG,
    TAKES,
    conduct_rows,
    leaderboard_rows,
    recall_rows,
    rung_rows,
    takes_rows,
)
from finewright.render.html.bakeoff_charts import frontier_chart, score_chart
from finewright.render.html.fill import filled
from finewright.schema.bakeoff_report import BakeoffReport


def bakeoff_page(report: BakeoffReport) -> str:
    """The page as HTML. Every text of the spec or of an answer is escaped, and made visible."""
    values = {
        "report": report,
        "rungs": [(rung, rung_rows(report, rung.number)) for rung in report.rungs],
        "rung_header": RUNG,
        "leaderboard": (LEADERBOARD, leaderboard_rows(report)),
        "recall": (RECALL, recall_rows(report)),
        "takes": (TAKES, takes_rows(report)),
        "conduct": (CONDUCT, conduct_rows(report)),
        "scores": Markup(score_chart(report)),  # noqa: S704 - bakeoff_charts.py escapes
        "frontier": Markup(frontier_chart(report)),  # noqa: S704 - as above
    }
    return filled("bakeoff.html", ("style.css", "bakeoff.css"), values)
