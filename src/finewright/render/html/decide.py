"""The advice of `decide` as one self-contained page: no script, nothing from elsewhere, readable in print."""

from markupsafe import Markup

from finewright.render.decide import COST_HEADER, changes, cost_rows, next_step
from finewright.render.html.decide_charts import cost_chart, ranking_chart, tornado_chart
from finewright.render.html.fill import filled
from finewright.schema.decide_report import DecideReport

_SWINGS = 15
_VOLUME_IF_UNKNOWN = 0.0


def decide_page(report: DecideReport) -> str:
    """The page as HTML. Every text of the spec is escaped, and made visible where it would hide."""
    values = {
        "report": report,
        "swings": report.swings[:_SWINGS],
        "changes": changes(report),
        "next_step": next_step(report),
        "cost_header": COST_HEADER,
        "cost_rows": cost_rows(report),
        "charts": _charts(report),
    }
    return filled("decide.html", ("style.css", "decide.css"), values)


def _charts(report: DecideReport) -> dict[str, Markup]:
    """The pictures that there is something to draw for."""
    volume = report.spec.requests_per_month
    requests = float(volume) if isinstance(volume, int) else _VOLUME_IF_UNKNOWN
    found = {}
    if report.ranking:
        found["ranking"] = ranking_chart(report.ranking)
    if report.swings:
        found["tornado"] = tornado_chart(report.swings[:_SWINGS])
    if report.curves:
        found["cost"] = cost_chart(report.curves, requests)
    return {name: Markup(svg) for name, svg in found.items()}  # noqa: S704 - decide_charts.py escapes
