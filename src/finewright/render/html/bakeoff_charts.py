"""The pictures of a bake-off as SVG: each finalist's score with its interval, and score against time.

Plain shapes with classes, so that the page's style colours them in light and dark. Nothing is told by colour
alone, and every figure stands in a table beside the picture."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from finewright.render.html.svg import WIDTH, mark, shown, svg
from finewright.schema.bakeoff_report import BakeoffReport, Finalist
from finewright.schema.evaluate import Score

_LABELS = 210
_LINE = 28
_FOOT = 22
_PLOT_HEIGHT = 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 14, 44
_LONGEST_LABEL = 34
_MARGIN = 0.25
_LABEL = 15
Scale = Callable[[float], float]
"""A value -> where it stands on an axis."""
_FEWEST_TICKS = 3
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)
_MOST_TICKS, _EXACT = 6, 1e-9
_PERCENTS = (0, 25, 50, 75, 100)


def score_chart(report: BakeoffReport) -> str:
    """A line for each finalist from the low to the high end of its interval, a dot at its score, and a ring
    at that of the untuned model."""
    shapes = [
        f'<line class="grid" x1="{_across(p / 100):.1f}" y1="0" x2="{_across(p / 100):.1f}"'
        f' y2="{_LINE * len(report.finalists)}"/>'
        + mark(_across(p / 100), _LINE * len(report.finalists) + 15, "middle", f"{p} %")
        for p in _PERCENTS
    ]
    for i, each in enumerate(report.finalists):
        shapes.append(_interval(i, each, report.metric))
    height = _LINE * len(report.finalists) + _FOOT
    return svg("score-chart", f"{report.metric} of each finalist", height, shapes)


def frontier_chart(report: BakeoffReport) -> str:
    """Score upwards, time of an answer to the right by its logarithm; a ring marks who is beaten in both."""
    values = {each.base_model: _score(each.scores, report.metric) for each in report.finalists}
    times = [each.speed.answer_ms_mean for each in report.finalists]
    low, high = _spread(min(times), max(times))
    heights_at = round_ticks(
        min(score.low for score in values.values()), max(score.high for score in values.values())
    )
    bottom, top = heights_at[0], heights_at[-1]
    room = WIDTH - _LEFT - _RIGHT

    def across(ms: float) -> float:
        return _LEFT + room * math.log(ms / low) / math.log(high / low)

    def up(value: float) -> float:
        height = _PLOT_HEIGHT - _TOP - _BOTTOM
        return _TOP + height * (top - value) / (top - bottom)

    shapes = [*_axes(across, up, (low, high), heights_at)]
    heights = _apart({name: up(score.value) - 8 for name, score in values.items()})
    for each in report.finalists:
        score = values[each.base_model]
        x, y = across(each.speed.answer_ms_mean), up(score.value)
        kind = "dot" if each.base_model in report.frontier else "ring"
        told = f"{each.base_model}: {100 * score.value:.1f} %, {each.speed.answer_ms_mean:,.0f} ms"
        anchor, shift = ("end", -10) if x > WIDTH / 2 else ("start", 10)
        shapes.append(
            f"<g><title>{shown(told)}</title>"
            f"{_whisker(x, up(score.low), x, up(score.high))}"
            f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
            f"{mark(x + shift, heights[each.base_model], anchor, _short(each.base_model))}</g>"
        )
    return svg("frontier-chart", "Score by time of an answer", _PLOT_HEIGHT, shapes)


def _apart(heights: Mapping[str, float]) -> dict[str, float]:
    """The heights of labels, the upper ones moved up until none covers another."""
    placed: dict[str, float] = {}
    above = math.inf
    for name, height in sorted(heights.items(), key=lambda item: -item[1]):
        above = placed[name] = min(height, above - _LABEL)
    return placed


def _interval(i: int, each: Finalist, metric: str) -> str:
    score, y = _score(each.scores, metric), i * _LINE + _LINE / 2
    untuned = [found for found in each.untuned if found.metric == metric]
    rings = "".join(
        f'<circle class="ring" cx="{_across(found.value):.1f}" cy="{y}" r="4"/>'
        for found in untuned
    )
    told = f"{each.base_model}: {100 * score.value:.1f} %, {100 * score.low:.1f} to {100 * score.high:.1f}"
    return (
        f"<g><title>{shown(told)}</title>"
        f'<text class="label" x="{_LABELS - 10}" y="{y}" text-anchor="end">'
        f"{shown(_short(each.base_model))}</text>"
        f"{_whisker(_across(score.low), y, _across(score.high), y)}"
        f'{rings}<circle class="dot" cx="{_across(score.value):.1f}" cy="{y}" r="5"/></g>'
    )


def _across(share: float) -> float:
    return _LABELS + (WIDTH - _LABELS - _RIGHT) * share


def _axes(
    across: Scale, up: Scale, times: tuple[float, float], shares: Sequence[float]
) -> Iterator[str]:
    bottom = _PLOT_HEIGHT - _BOTTOM
    for value in _ticks(*times):
        x = across(value)
        yield f'<line class="grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>'
        yield mark(x, bottom + 16, "middle", f"{value:,.0f}")
    for value in shares:
        y = up(value)
        yield f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{WIDTH - _RIGHT}" y2="{y:.1f}"/>'
        yield mark(_LEFT - 6, y + 4, "end", f"{100 * value:g} %")
    yield mark((_LEFT + WIDTH) / 2, bottom + 36, "middle", "ms an answer, by its logarithm")


def round_ticks(low: float, high: float) -> list[float]:
    """Shares on round percentages, the first not above `low` and the last not below `high`, 2 to 6 of them
    where that can be."""
    for step in _STEPS:
        first, last = math.floor(low / step + _EXACT), math.ceil(high / step - _EXACT)
        if last - first < _MOST_TICKS:
            break
    if first == last:
        first, last = (first, last + 1) if (last + 1) * step <= 1 else (first - 1, last)
    return [round(i * step, 6) for i in range(first, last + 1)]


def _spread(low: float, high: float) -> tuple[float, float]:
    """Ends of the axis with some room on both sides, also around a single value."""
    return low * (1 - _MARGIN), high * (1 + _MARGIN)


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten within, or where these are few 1 to 9 times."""
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 5), range(1, 10)):
        found = [digit * 10.0**power for power in powers for digit in digits]
        inside = [value for value in found if low <= value <= high]
        if len(inside) >= _FEWEST_TICKS:
            break
    return inside


def _score(scores: Sequence[Score], metric: str) -> Score:
    return next(score for score in scores if score.metric == metric)


def _whisker(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="whisker" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"...{label[3 - _LONGEST_LABEL :]}"
