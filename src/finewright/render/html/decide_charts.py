"""The pictures of a decision as SVG: who leads, which input matters, and where the cost lines cross.

Plain shapes with classes, so that the page's style colours them in light and dark; lines differ by their
dashes as well, so that they can be told apart on paper. Each picture has a title and a table beside it."""

import math
from collections.abc import Iterator, Sequence

from finewright.render.html.svg import WIDTH, mark, shown, svg
from finewright.schema.decide_report import Curve, Ranked, Swing

_LABELS = 210
_LINE = 24
_THICK = 16
_PLOT_HEIGHT = 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 10, 40
_LEAST_USD = 1.0


def ranking_chart(ranked: Sequence[Ranked]) -> str:
    """A bar for each arm's score, and how often it wins."""
    room = WIDTH - _LABELS - 110
    shapes = [
        _label(i, row.arm)
        + _bar(i, _LABELS, room * row.score, "bar")
        + _count(i, _LABELS + room * row.score + 6, f"{row.score:.2f}, wins {row.win_share:.0%}")
        for i, row in enumerate(ranked)
    ]
    return svg("ranking-chart", "Score of each arm, 0 to 1", _LINE * len(ranked), shapes)


def tornado_chart(swings: Sequence[Swing]) -> str:
    """For each input the winner's lead between its two ends; left of the line another arm wins."""
    leads = [
        lead for swing in swings for lead in (swing.low_lead, swing.high_lead) if lead is not None
    ]
    reach = max((abs(lead) for lead in leads), default=0.0) or 1.0
    room = (WIDTH - _LABELS - 20) / 2
    middle = _LABELS + 10 + room
    height = _LINE * len(swings) + 22
    shapes = []
    for i, swing in enumerate(swings):
        # An end that drops the arm reaches the edge of the picture.
        ends = [-reach if e is None else e for e in (swing.low_lead, swing.high_lead)]
        left, right = (middle + room * end / reach for end in (min(ends), max(ends)))
        kind = "bar notable" if swing.flips else "bar"
        told = f"{swing.key}: {swing.low_winner or 'nothing'} at {swing.low}, "
        told += f"{swing.high_winner or 'nothing'} at {swing.high}"
        shapes.append(
            f"<g><title>{shown(told)}</title>{_label(i, swing.key)}"
            f"{_bar(i, left, max(right - left, 1.5), kind)}</g>"
        )
    shapes.append(
        f'<line class="axis" x1="{middle:.1f}" y1="0" x2="{middle:.1f}" y2="{height - 22}"/>'
    )
    shapes.append(mark(middle - 6, height - 6, "end", "another arm wins"))
    shapes.append(mark(middle + 6, height - 6, "start", "the first choice leads"))
    return svg("tornado-chart", "Lead of the first choice by input", height, shapes)


def cost_chart(curves: Sequence[Curve], requests: float) -> str:
    """Cost of a month over requests a month, both axes by their logarithms; the spec's volume is marked."""
    volumes = [volume for volume, _ in curves[0].usd_by_requests]
    usd = [max(cost, _LEAST_USD) for curve in curves for _, cost in curve.usd_by_requests]
    across = _Scale(min(volumes), max(volumes), _LEFT, WIDTH - _RIGHT)
    up = _Scale(min(usd), max(usd), _PLOT_HEIGHT - _BOTTOM, _TOP)
    shapes = [*_grid(across, up)]
    if across.low <= requests <= across.high:
        x = across.at(requests)
        shapes.append(
            f'<line class="now" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{_PLOT_HEIGHT - _BOTTOM}"/>'
        )
    legend = _PLOT_HEIGHT + 6
    for i, curve in enumerate(curves):
        points = " ".join(
            f"{across.at(volume):.1f},{up.at(max(cost, _LEAST_USD)):.1f}"
            for volume, cost in curve.usd_by_requests
        )
        shapes.append(f'<polyline class="line l{i}" points="{points}"/>')
        y = legend + i * 20
        shapes.append(f'<line class="line l{i}" x1="{_LEFT}" y1="{y}" x2="{_LEFT + 40}" y2="{y}"/>')
        shapes.append(mark(_LEFT + 48, y + 4, "start", curve.arm))
    title = "USD a month by requests a month"
    return svg("cost-chart", title, legend + 20 * len(curves), shapes)


class _Scale:
    """A logarithmic axis: a value -> where it stands."""

    def __init__(self, low: float, high: float, first: float, last: float) -> None:
        self.low, self.high = low, max(high, low * 10)
        self.first, self.last = first, last

    def at(self, value: float) -> float:
        """The place of a value."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.first + share * (self.last - self.first)

    def tens(self) -> list[float]:
        """The powers of ten on the axis."""
        first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        return [10.0**power for power in range(first, last + 1)]


def _grid(across: _Scale, up: _Scale) -> Iterator[str]:
    bottom = _PLOT_HEIGHT - _BOTTOM
    for value in across.tens():
        x = across.at(value)
        yield f'<line class="grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>'
        yield mark(x, bottom + 16, "middle", f"{value:,.0f}")
    for value in up.tens():
        y = up.at(value)
        yield f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{WIDTH - _RIGHT}" y2="{y:.1f}"/>'
        yield mark(_LEFT - 6, y + 4, "end", f"{value:,.0f}")
    yield mark((_LEFT + WIDTH) / 2, bottom + 34, "middle", "requests a month")


def _label(i: int, text: str) -> str:
    middle = i * _LINE + _LINE / 2
    return (
        f'<text class="label" x="{_LABELS - 8}" y="{middle}" text-anchor="end">{shown(text)}</text>'
    )


def _bar(i: int, x: float, width: float, kind: str) -> str:
    top = i * _LINE + (_LINE - _THICK) / 2
    return f'<rect class="{kind}" x="{x:.1f}" y="{top}" width="{max(width, 0):.1f}" height="{_THICK}"/>'


def _count(i: int, x: float, text: str) -> str:
    return f'<text class="count" x="{x:.1f}" y="{i * _LINE + _LINE / 2}">{shown(text)}</text>'
