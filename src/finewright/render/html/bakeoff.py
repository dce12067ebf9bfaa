"""A bake-off as one self-contained page: no script, nothing from elsewhere, readable in print."""

import base64
import hashlib

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from finewright import __version__
from finewright.render.bakeoff import (
    CONDUCT,
    LEADERBOARD,
    RUNG,
    TAKES,
    conduct_rows,
    leaderboard_rows,
    rung_rows,
    takes_rows,
)
from finewright.render.html.bakeoff_charts import frontier_chart, score_chart
from finewright.render.html.text import visible
from finewright.schema.bakeoff_report import BakeoffReport


def bakeoff_page(report: BakeoffReport) -> str:
    """The page as HTML. Every text of the spec or of an answer is escaped, and made visible."""
    environment = Environment(
        loader=PackageLoader("finewright.render.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["visible"] = visible
    style = "".join(environment.get_template(n).render() for n in ("style.css", "bakeoff.css"))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("bakeoff.html").render(
        report=report,
        rungs=[(rung, rung_rows(report, rung.number)) for rung in report.rungs],
        rung_header=RUNG,
        leaderboard=(LEADERBOARD, leaderboard_rows(report)),
        takes=(TAKES, takes_rows(report)),
        conduct=(CONDUCT, conduct_rows(report)),
        scores=Markup(score_chart(report)),  # noqa: S704 - bakeoff_charts.py escapes
        frontier=Markup(frontier_chart(report)),  # noqa: S704 - as above
        style=Markup(style),  # noqa: S704 - our own files
        style_digest=digest,
        version=__version__,
    )
