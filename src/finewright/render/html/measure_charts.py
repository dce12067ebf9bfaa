"""The pictures of a measured decision as SVG: success against cost and against time, and the learning curve.

Plain shapes with classes, so that the page's style colours them in light and dark. Nothing is told by colour
alone, and every figure stands in a table beside the picture."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from finewright.render.html.svg import WIDTH, mark, shown, svg
from finewright.render.measure import arm_name
from finewright.schema.measure_report import Curve, MeasureReport, Share

_HEIGHT = 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 90, 16, 48
_WIDER = 1.25
_MOST_TICKS = 6


class _Dot(NamedTuple):
    name: str
    x: float
    share: Share
    is_frontier: bool


def cost_chart(report: MeasureReport) -> str:
    """Success over what a request costs, in dollars where the machine has a price, else in seconds."""
    has_price = all(arm.cost.usd is not None for arm in report.arms)
    dots = [
        _Dot(
            arm_name(arm),
            1000 * (arm.cost.usd or 0.0) if has_price else arm.cost.seconds,
            arm.solved,
            arm.is_cost_frontier,
        )
        for arm in report.arms
    ]
    unit = "USD a thousand requests" if has_price else "seconds of this machine a request"
    return _scatter("cost-chart", "Success by cost", unit, dots)


def latency_chart(report: MeasureReport) -> str:
    """Success over the median time of one request."""
    dots = [
        _Dot(arm_name(arm), arm.latency.p50, arm.solved, arm.is_latency_frontier)
        for arm in report.arms
    ]
    return _scatter("latency-chart", "Success by time", "median ms of one request", dots)


def curve_chart(curve: Curve) -> str:
    """Success over training rows; both axes begin at nothing."""
    most = max(point.rows for point in curve.points)

    def across(rows: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * rows / most

    ends = [(across(point.rows), point) for point in curve.points]
    line = " ".join(f"{x:.1f},{_up(point.solved.value):.1f}" for x, point in ends)
    shapes = [*_grid([(across(p.rows), str(p.rows)) for p in curve.points], "training rows")]
    shapes.append(f'<polyline class="line" points="{line}"/>')
    for x, point in ends:
        told = f"{point.rows} rows: {point.solved.value:.0%}"
        shapes.append(f"<g><title>{shown(told)}</title>{_point(x, point.solved, 'dot')}</g>")
    return svg("curve-chart", f"Learning curve of {curve.arm}", _HEIGHT, shapes)


def _scatter(name: str, title: str, unit: str, dots: Sequence[_Dot]) -> str:
    low = min(dot.x for dot in dots) / _WIDER
    high = max(dot.x for dot in dots) * _WIDER

    def across(value: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * math.log(value / low) / math.log(high / low)

    shapes = [
        *_grid([(across(v), f"{v:g}") for v in _ticks(low, high)], f"{unit}, by its logarithm")
    ]
    front = sorted((dot for dot in dots if dot.is_frontier), key=lambda dot: dot.x)
    line = " ".join(f"{across(d.x):.1f},{_up(d.share.value):.1f}" for d in front)
    shapes.append(f'<polyline class="front" points="{line}"/>')
    for dot in dots:
        told = f"{dot.name}: {dot.share.value:.0%}, {dot.x:.3g} {unit}"
        kind = "dot" if dot.is_frontier else "ring"
        x, y = across(dot.x), _up(dot.share.value)
        shapes.append(
            f"<g><title>{shown(told)}</title>{_point(x, dot.share, kind)}"
            f"{mark(x + 9, y - 7, 'start', dot.name)}</g>"
        )
    return svg(name, title, _HEIGHT, shapes)


def _point(x: float, share: Share, kind: str) -> str:
    return (
        f'<line class="whisker" x1="{x:.1f}" y1="{_up(share.low):.1f}" x2="{x:.1f}"'
        f' y2="{_up(share.high):.1f}"/>'
        f'<circle class="{kind}" cx="{x:.1f}" cy="{_up(share.value):.1f}" r="5"/>'
    )


def _up(value: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - value)


def _grid(ticks: Sequence[tuple[float, str]], unit: str) -> Iterator[str]:
    bottom = _HEIGHT - _BOTTOM
    for x, text in ticks:
        yield f'<line class="grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>'
        yield mark(x, bottom + 16, "middle", text)
    for percent in range(0, 101, 25):
        y = _up(percent / 100)
        yield f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{WIDTH - _RIGHT}" y2="{y:.1f}"/>'
        yield mark(_LEFT - 8, y + 4, "end", f"{percent} %")
    yield mark((_LEFT + WIDTH - _RIGHT) / 2, bottom + 38, "middle", unit)


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten within; fewer where these are many, more where they are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)):
        found = [digit * 10.0**power for power in powers for digit in digits]
        inside = [value for value in found if low <= value <= high]
        if len(inside) > _MOST_TICKS // 2:
            break
    return inside[:: max(1, math.ceil(len(inside) / _MOST_TICKS))]
