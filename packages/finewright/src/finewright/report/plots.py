"""Plots as SVG: shapes with classes, so that the page's style colours them in light, in dark and on paper.

Nothing is told by colour alone. Who hears a page gets the plot's title, and each point's name and value."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from finewright.report.blocks import Axis, Plot, Point
from finewright.report.text import visible

WIDTH = 640
"""Of every plot, in units of its view box."""
_LABELS, _NOTES, _LINE, _THICK, _FOOT = 220, 130, 26, 16, 24
_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 320, 64, 30, 20, 48
_LEGEND = 20
_MOST_TICKS, _EXACT, _LEAST_STEP = 6, 1e-9, -3
_ROOM = 1.25
_LABEL_HEIGHT = 15
_LONGEST_LABEL = 34


class _Scale(NamedTuple):
    """Where the values from `low` to `high` stand between `first` and `last`."""

    low: float
    high: float
    first: float
    last: float
    is_log: bool = False

    def at(self, value: float) -> float:
        share = (
            math.log(value / self.low) / math.log(self.high / self.low)
            if self.is_log
            else (value - self.low) / (self.high - self.low)
        )
        return self.first + share * (self.last - self.first)


def draw(plot: Plot) -> str:
    """The plot as one SVG element with its title; every text in it is escaped and made visible."""
    draw_kind: Callable[[Plot], tuple[float, Iterator[str]]] = {
        "bars": _bars,
        "intervals": _intervals,
        "swings": _swings,
        "scatter": _plane,
        "lines": _plane,
    }[plot.kind]
    height, shapes = draw_kind(plot)
    role = "group" if any(point.link for point in plot.points) else "img"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {WIDTH} {height:g}"'
        f' role="{role}" aria-label={quoteattr(visible(plot.title))}>'
        f"<title>{_escape_text(plot.title)}</title>{''.join(shapes)}</svg>"
    )


def round_ticks(low: float, high: float, top: float = math.inf) -> list[float]:
    """2 to 6 round values, the first not above `low` and the last not below `high`, none above `top`."""
    for step in (digit * 10.0**power for power in range(_LEAST_STEP, 16) for digit in (1, 2, 5)):
        first, last = math.floor(low / step + _EXACT), math.ceil(high / step - _EXACT)
        if last - first < _MOST_TICKS:
            break
    if first == last:
        first, last = (first - 1, last) if (last + 1) * step > top else (first, last + 1)
    return [round(i * step, 6) for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten within, and more of their multiples where these are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1,), (1, 3), (1, 2, 5), range(1, 10)):
        values = [digit * 10.0**power for power in powers for digit in digits]
        inside = [value for value in values if low <= value <= high]
        if len(inside) > _MOST_TICKS // 2:
            break
    return inside[:: max(1, math.ceil(len(inside) / _MOST_TICKS))]


def spread(heights: Mapping[str, float]) -> dict[str, float]:
    """The heights of labels, the upper ones moved up until none covers another."""
    moved: dict[str, float] = {}
    above = math.inf
    for name, height in sorted(heights.items(), key=lambda item: -item[1]):
        above = moved[name] = min(height, above - _LABEL_HEIGHT)
    return moved


def _bars(plot: Plot) -> tuple[float, Iterator[str]]:
    most = max((point.y for point in plot.points), default=0) or 1
    scale = _Scale(0, most, _LABELS, WIDTH - _NOTES)

    def shapes() -> Iterator[str]:
        for i, point in enumerate(plot.points):
            length = max(scale.at(point.y) - _LABELS, 1.0) if point.y else 0.0
            note = point.note or f"{point.y:,.0f}"
            bar = _bar(i, _LABELS, length, "bar" if point.is_main else "bar notable")
            end = _draw_text(_LABELS + length + 6, _middle(i) + 4, "start", note)
            yield _add_link(i, point, _label(i, point.name) + bar + end, note)

    return _LINE * len(plot.points), shapes()


def _intervals(plot: Plot) -> tuple[float, Iterator[str]]:
    names = list(dict.fromkeys(point.name for point in plot.points))
    height = _LINE * len(names)
    ticks = _share_ticks(plot.points)
    scale = _Scale(ticks[0], ticks[-1], _LABELS, WIDTH - _RIGHT)

    def shapes() -> Iterator[str]:
        for tick in ticks:
            yield _upright("grid", scale.at(tick), 0, height)
            yield _draw_text(scale.at(tick), height + 16, "middle", f"{100 * tick:g} %")
        for i, name in enumerate(names):
            yield _label(i, name)
        for point in sorted(plot.points, key=lambda point: point.is_main):
            y = _middle(names.index(point.name))
            ends = [scale.at(end) for end in _ends(point)]
            whisker = _segment("whisker", ends[0], y, ends[1], y) if point.is_main else ""
            yield _add_title(point, whisker + _circle(point, scale.at(point.y), y))

    return height + _FOOT, shapes()


def _swings(plot: Plot) -> tuple[float, Iterator[str]]:
    reach = max((abs(end) for point in plot.points for end in _ends(point)), default=0.0) or 1.0
    scale = _Scale(-reach, reach, _LABELS + 10, WIDTH - 10)
    height, middle = _LINE * len(plot.points), scale.at(0)
    low, _, high = plot.across.title.partition("|")

    def shapes() -> Iterator[str]:
        for i, point in enumerate(plot.points):
            left, right = (scale.at(end) for end in _ends(point))
            bar = _bar(i, left, max(right - left, 1.5), "bar" if point.is_main else "bar notable")
            yield _add_title(point, _label(i, point.name) + bar)
        yield _upright("axis", middle, 0, height)
        yield _draw_text(middle - 6, height + 16, "end", low)
        yield _draw_text(middle + 6, height + 16, "start", high)

    return height + _FOOT, shapes()


def _plane(plot: Plot) -> tuple[float, Iterator[str]]:
    bottom = _HEIGHT - _BOTTOM
    room = _ROOM if plot.kind == "scatter" else 1.0
    across, columns = _axis(plot.across, [p.x for p in plot.points], (_LEFT, WIDTH - _RIGHT), room)
    heights = [end for point in plot.points for end in (point.y, *_ends(point))]
    up, rows = _axis(plot.up, heights, (bottom, _TOP), 1.0)
    series = list(dict.fromkeys(point.name for point in plot.points))

    def shapes() -> Iterator[str]:
        for tick in columns:
            yield _upright("grid", across.at(tick), _TOP, bottom)
            yield _draw_text(across.at(tick), bottom + 16, "middle", _tick(plot.across, tick))
        for tick in rows:
            yield _segment("grid", _LEFT, up.at(tick), WIDTH - _RIGHT, up.at(tick))
            yield _draw_text(_LEFT - 8, up.at(tick) + 4, "end", _tick(plot.up, tick))
        if plot.marked is not None and across.low <= plot.marked <= across.high:
            yield _upright("marked", across.at(plot.marked), _TOP, bottom)
        yield _draw_text((_LEFT + WIDTH - _RIGHT) / 2, bottom + 38, "middle", _title(plot.across))
        yield _draw_text(_LEFT, _TOP - 5, "start", _title(plot.up))
        if plot.kind == "scatter":
            yield from _draw_scatter(plot.points, across, up)
        else:
            yield from _draw_lines(plot.points, series, across, up)

    has_legend = plot.kind == "lines" and len(series) > 1
    return _HEIGHT + (_LEGEND * len(series) if has_legend else 0), shapes()


def _draw_scatter(points: Sequence[Point], across: _Scale, up: _Scale) -> Iterator[str]:
    front = sorted((point for point in points if point.is_main), key=lambda point: point.x)
    yield _polyline("front", front, across, up)
    labels = spread({point.name: up.at(point.y) - 8 for point in points})
    for point in points:
        x = across.at(point.x)
        anchor, shift = ("end", -10) if x > WIDTH / 2 else ("start", 10)
        label = _draw_text(x + shift, labels[point.name], anchor, _short(point.name))
        yield _add_title(point, _whisker(point, x, up) + _circle(point, x, up.at(point.y)) + label)


def _draw_lines(
    points: Sequence[Point], series: Sequence[str], across: _Scale, up: _Scale
) -> Iterator[str]:
    for i, name in enumerate(series):
        own = [point for point in points if point.name == name]
        yield _polyline(f"line l{i}", own, across, up)
        for point in (point for point in own if point.low is not None):
            x = across.at(point.x)
            yield _add_title(point, _whisker(point, x, up) + _circle(point, x, up.at(point.y)))
        if len(series) > 1:
            y = _HEIGHT + i * _LEGEND + 6
            yield _segment(f"line l{i}", _LEFT, y, _LEFT + 40, y)
            yield _draw_text(_LEFT + 48, y + 4, "start", name)


def _axis(
    axis: Axis, values: Sequence[float], ends: tuple[float, float], room: float
) -> tuple[_Scale, list[float]]:
    """Where values stand, and the values that are named."""
    if axis.is_log:
        low, high = min(values) / room, max(values) * room
        high = max(high, low * 10) if room == 1 else high
        return _Scale(low, high, *ends, is_log=True), log_ticks(low, high)
    low = min(values) if axis.is_share else 0.0
    ticks = round_ticks(low, max(values), 1.0 if axis.is_share else math.inf)
    return _Scale(ticks[0], ticks[-1], *ends), ticks


def _share_ticks(points: Sequence[Point]) -> list[float]:
    ends = [end for point in points for end in (point.y, *(_ends(point) if point.is_main else ()))]
    return round_ticks(min(ends), max(ends), 1.0)


def _ends(point: Point) -> tuple[float, float]:
    return (
        point.y if point.low is None else point.low,
        point.y if point.high is None else point.high,
    )


def _tick(axis: Axis, value: float) -> str:
    return f"{100 * value:g} %" if axis.is_share else f"{value:,.6g}"


def _title(axis: Axis) -> str:
    return f"{axis.title}, by its logarithm" if axis.title and axis.is_log else axis.title


def _add_title(point: Point, shapes: str) -> str:
    """The shapes with what is told of them."""
    return f"<g><title>{_escape_text(point.note or _describe_value(point))}</title>{shapes}</g>"


def _add_link(i: int, point: Point, shapes: str, note: str) -> str:
    if not point.link:
        return shapes
    hit = f'<rect class="hit" x="0" y="{i * _LINE}" width="{WIDTH}" height="{_LINE}"/>'
    title = f"<title>{_escape_text(point.name)}: {_escape_text(note)}</title>"
    return f"<a href={quoteattr('#' + point.link)}>{title}{hit}{shapes}</a>"


def _describe_value(point: Point) -> str:
    low, high = _ends(point)
    ends = f", {100 * low:.1f} to {100 * high:.1f}" if low < high else ""
    return f"{point.name}: {100 * point.y:.1f} %{ends}"


def _polyline(kind: str, points: Sequence[Point], across: _Scale, up: _Scale) -> str:
    places = " ".join(f"{across.at(point.x):.1f},{up.at(point.y):.1f}" for point in points)
    return f'<polyline class="{kind}" points="{places}"/>'


def _whisker(point: Point, x: float, up: _Scale) -> str:
    low, high = (up.at(end) for end in _ends(point))
    return _segment("whisker", x, low, x, high)


def _circle(point: Point, x: float, y: float) -> str:
    kind = "dot" if point.is_main else "ring"
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'


def _bar(i: int, x: float, width: float, kind: str) -> str:
    top = i * _LINE + (_LINE - _THICK) / 2
    return f'<rect class="{kind}" x="{x:.1f}" y="{top:g}" width="{width:.1f}" height="{_THICK}"/>'


def _label(i: int, text: str) -> str:
    return _draw_text(_LABELS - 10, _middle(i) + 4, "end", _short(text))


def _middle(i: int) -> float:
    return (i + 0.5) * _LINE


def _upright(kind: str, x: float, top: float, bottom: float) -> str:
    return _segment(kind, x, top, x, bottom)


def _segment(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _draw_text(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_escape_text(text)}</text>'


def _escape_text(text: str) -> str:
    """The text as a picture may hold it: escaped, and nothing in it unseen."""
    return escape(visible(text))


def _short(label: str) -> str:
    """Both ends of a label that is too long."""
    half = _LONGEST_LABEL // 2 - 2
    return label if len(label) <= _LONGEST_LABEL else f"{label[:half]}...{label[-half:]}"
