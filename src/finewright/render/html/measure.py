"""A measured decision as one self-contained page: no script, nothing from elsewhere, readable in print."""

from markupsafe import Markup

from finewright.render import measure
from finewright.render.html.fill import filled
from finewright.render.html.measure_charts import cost_chart, curve_chart, latency_chart
from finewright.schema.measure_report import MeasureReport


def measure_page(report: MeasureReport) -> str:
    """The page as HTML. Every text of the spec, of a row or of an answer is escaped, and made visible."""
    scores = [(measure.arm_name(arm), *measure.score_cells(arm.scores)) for arm in report.arms]
    values = {
        "report": report,
        "about": measure.about(report).split("\n"),
        "arms": (measure.ARMS, measure.arm_rows(report)),
        "scores": (("arm", *(score.metric for score in report.arms[0].scores)), scores),
        "costs": (measure.COSTS, measure.cost_rows(report)),
        "pairs": (measure.PAIRS, measure.pair_rows(report)),
        "shots": (measure.SHOTS, measure.shot_rows(report)),
        "curve": (measure.CURVE, measure.curve_rows(report)),
        "facts": (measure.FACTS, measure.fact_rows(report)),
        "changes": (measure.CHANGES, measure.change_rows(report)),
        "abstentions": (measure.ABSTENTIONS, measure.abstention_rows(report)),
        "forgetting": (measure.FORGETTING, measure.forgetting_rows(report)),
        "retrieval": measure.retrieval_line(report),
        "charts": _charts(report),
    }
    return filled("measure.html", ("style.css", "measure.css"), values)


def _charts(report: MeasureReport) -> dict[str, Markup]:
    found = {"cost": cost_chart(report), "latency": latency_chart(report)}
    if report.curve:
        found["curve"] = curve_chart(report.curve)
    return {name: Markup(svg) for name, svg in found.items()}  # noqa: S704 - measure_charts.py escapes
