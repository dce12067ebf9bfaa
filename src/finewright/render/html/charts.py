"""Figures as SVG: bars lying down for kinds, standing up for a distribution; every bar is a link to its rows.

Plain shapes with classes, so that the page's style colours them in light and dark and on paper.
Readers that speak pages get the figure's title and, for each bar, its label and count."""

from collections.abc import Callable
from xml.sax.saxutils import quoteattr

from finewright.render.html.svg import WIDTH, shown, svg
from finewright.schema.quality import Bar, Figure

_LABELS = 230
_COUNTS = 70
_LINE = 24
_THICK = 16
_LONGEST_LABEL = 34
_HEIGHT = 150
_FOOT = 72
_HEAD = 18


def chart(figure: Figure, anchor: Callable[[int], str]) -> str:
    """The figure's bars; bar `i`, if it has rows, is a link to `anchor(i)`."""
    is_standing = figure.kind == "histogram"
    draw = _standing if is_standing else _lying
    height = _HEIGHT + _FOOT if is_standing else _LINE * len(figure.bars)
    most = max((bar.count for bar in figure.bars), default=0) or 1
    shapes = [draw(i, bar, most, len(figure.bars)) for i, bar in enumerate(figure.bars)]
    parts = [
        f"<a href={quoteattr('#' + anchor(i))}>{_named(bar)}{shapes[i]}</a>"
        if bar.count
        else shapes[i]
        for i, bar in enumerate(figure.bars)
    ]
    title = f"{figure.title}, {figure.rows} rows"
    return svg(f"chart-{anchor(0)}", title, height, parts, role="group")


def _named(bar: Bar) -> str:
    return f"<title>{shown(bar.label)}: {bar.count} rows</title>"


def _lying(i: int, bar: Bar, most: int, num_bars: int) -> str:
    room = WIDTH - _LABELS - _COUNTS
    length = _length(bar.count, most, room)
    top = i * _LINE + (_LINE - _THICK) / 2
    middle = i * _LINE + _LINE / 2
    return (
        f'<rect class="hit" x="0" y="{i * _LINE}" width="{WIDTH}" height="{_LINE}"/>'
        f'<text class="label" x="{_LABELS - 8}" y="{middle}" text-anchor="end">'
        f"{shown(_short(bar.label))}</text>"
        f'<rect class="{_kind(bar)}" x="{_LABELS}" y="{top}" width="{length:.1f}" height="{_THICK}"/>'
        f'<text class="count" x="{_LABELS + length + 6:.1f}" y="{middle}">{bar.count:,}</text>'
    )


def _standing(i: int, bar: Bar, most: int, num_bars: int) -> str:
    step = WIDTH / num_bars
    height = _length(bar.count, most, _HEIGHT - _HEAD)
    middle = (i + 0.5) * step
    thick = min(step * 0.8, 80)
    return (
        f'<rect class="hit" x="{i * step:.1f}" y="0" width="{step:.1f}" height="{_HEIGHT + _FOOT}"/>'
        f'<rect class="{_kind(bar)}" x="{middle - thick / 2:.1f}" y="{_HEIGHT - height:.1f}"'
        f' width="{thick:.1f}" height="{height:.1f}"/>'
        f'<text class="count" x="{middle:.1f}" y="{_HEIGHT - height - 7:.1f}" text-anchor="middle">'
        f"{bar.count:,}</text>"
        f'<text class="label" x="{middle:.1f}" y="{_HEIGHT + 10}" text-anchor="end"'
        f' transform="rotate(-30 {middle:.1f} {_HEIGHT + 10})">{shown(_short(bar.label))}</text>'
    )


def _length(count: int, most: int, room: float) -> float:
    """In proportion; a bar of any rows can be seen."""
    return max(room * count / most, 1.0) if count else 0.0


def _kind(bar: Bar) -> str:
    return "bar notable" if bar.is_notable else "bar"


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 3] + "..."
