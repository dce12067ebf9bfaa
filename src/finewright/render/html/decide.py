"""The advice of `decide` as one self-contained page: no script, nothing from elsewhere, readable in print."""

import base64
import hashlib

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from finewright import __version__
from finewright.render.decide import COST_HEADER, changes, cost_rows, next_step
from finewright.render.html.decide_charts import cost_chart, ranking_chart, tornado_chart
from finewright.render.html.text import visible
from finewright.schema.decide_report import DecideReport

_SWINGS = 15
_VOLUME_IF_UNKNOWN = 0.0


def decide_page(report: DecideReport) -> str:
    """The page as HTML. Every text of the spec is escaped, and made visible where it would hide."""
    environment = Environment(
        loader=PackageLoader("finewright.render.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["visible"] = visible
    style = "".join(environment.get_template(name).render() for name in ("style.css", "decide.css"))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("decide.html").render(
        report=report,
        swings=report.swings[:_SWINGS],
        changes=changes(report),
        next_step=next_step(report),
        cost_header=COST_HEADER,
        cost_rows=cost_rows(report),
        charts=_charts(report),
        style=Markup(style),  # noqa: S704 - our own files
        style_digest=digest,
        version=__version__,
    )


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
