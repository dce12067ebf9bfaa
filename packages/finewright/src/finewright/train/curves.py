"""The curves of a training, drawn from its metrics: `curves.svg` and `curves.png`, and one line of text.

Drawn without a display; the same metrics give the same bytes with the same matplotlib."""

from __future__ import annotations

import io
import json
import math
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from finewright.errors import MissingExtra
from finewright.plugins import install_command
from finewright.store.atomic import write_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = {
    "loss": "training loss",
    "eval_loss": "held-out loss",
    "learning_rate": "learning rate",
    "grad_norm": "gradient norm",
    "kl": "KL to the base (nats)",
    "length": "answer length (tokens)",
    "stopped": "share of answers that end",
    "clip_fraction": "share of tokens clipped",
    "sampler_k1": "sampler from trainer, k1 (nats)",
    "sampler_k2": "sampler from trainer, k2 (nats)",
    "logps_chosen": "log p of chosen",
    "logps_rejected": "log p of rejected",
}
_FIRST = ("loss", "eval_loss", "learning_rate", "grad_norm")
_MOST_POINTS = 300
"""More steps are drawn as a band from least to most: a panel has no room to tell them apart."""
_TREND_POINTS = 50
"""Twice as many steps get the means over so many parts on top, for the eye to follow."""
_FEW_POINTS = 30
"""So few are marked, so that even one step is seen."""
_COLUMNS = 3
_WIDTH, _HEIGHT = 3.6, 2.4
_LEFT, _RIGHT, _BOTTOM, _TOP = 0.6, 0.15, 0.45, 0.35
"""Inches of a panel and of what is around it; fixed, for a layout that is found takes as long as drawing."""
_STYLE = {
    "axes.formatter.limits": (-3, 4),
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "font.size": 8,
    "grid.alpha": 0.3,
    "svg.fonttype": "none",
    "svg.hashsalt": "finewright",
}


class MetricCurve(NamedTuple):
    """One metric over the steps that had it; only finite values, the others are counted."""

    name: str
    steps: list[int]
    values: list[float]
    num_left_out: int


class Bucket(NamedTuple):
    """Neighbouring steps as one point."""

    step: float
    low: float
    mean: float
    high: float


def read_curves(text: str) -> list[MetricCurve]:
    """The curves in the text of a metrics.jsonl: what every run has first, then by name.

    A last line without its end is of a run that was cut while writing, and is left out."""
    found: dict[str, MetricCurve] = {}
    for line in text[: text.rfind("\n") + 1].splitlines():
        record = json.loads(line)
        values = {name: record[name] for name in _FIRST if name in record} | record["metrics"]
        for name, value in values.items():
            curve = found.setdefault(name, MetricCurve(name, [], [], 0))
            if math.isfinite(value):
                curve.steps.append(record["step"])
                curve.values.append(value)
            else:
                found[name] = curve._replace(num_left_out=curve.num_left_out + 1)
    order = {name: i for i, name in enumerate(_FIRST)}
    return sorted(found.values(), key=lambda c: (order.get(c.name, len(order)), c.name))


def write_curves(folder: Path) -> list[Path]:
    """Draw `metrics.jsonl` of the folder as `curves.svg` and `curves.png` beside it; none without a step.

    Raises MissingExtra without matplotlib, which is imported here and nowhere else."""
    curves = read_curves((folder / "metrics.jsonl").read_text(encoding="utf-8"))
    if not curves:
        return []
    files = [folder / "curves.svg", folder / "curves.png"]
    for path, content in zip(files, draw(curves), strict=True):
        write_bytes(path, content)
    return files


class Drawn(NamedTuple):
    """One picture in two formats."""

    svg: bytes
    png: bytes


def draw(curves: Sequence[MetricCurve]) -> Drawn:
    """A panel for each curve, at most three in a row."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise MissingExtra(
            "drawing curves needs matplotlib", hint=install_command("[train]")
        ) from None
    with mpl.rc_context():
        mpl.rcdefaults()  # not the user's style, or the same run would look different elsewhere
        mpl.rcParams.update(_STYLE)
        figure = _figure(curves)
        svg = _save(figure, "svg", {"Creator": None, "Date": None})
        return Drawn(svg, _save(figure, "png", {"Software": None}))


def _part(values: Sequence[float], i: int, parts: int) -> Sequence[float]:
    return values[i * len(values) // parts : (i + 1) * len(values) // parts]


def buckets(curve: MetricCurve, most: int) -> list[Bucket]:
    """The curve in at most so many points."""
    number = min(most, len(curve.steps))
    made = []
    for i in range(number):
        values = _part(curve.values, i, number)
        step = fmean(_part(curve.steps, i, number))
        made.append(Bucket(step, min(values), fmean(values), max(values)))
    return made


def _figure(curves: Sequence[MetricCurve]) -> Figure:
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, len(curves))
    rows = math.ceil(len(curves) / columns)
    width, height = _WIDTH * columns, _HEIGHT * rows
    figure = Figure(figsize=(width, height), dpi=150)
    last_step = max((step for curve in curves for step in curve.steps), default=1)
    for i, curve in enumerate(curves):
        row, column = divmod(i, columns)
        left, bottom = column * _WIDTH + _LEFT, (rows - 1 - row) * _HEIGHT + _BOTTOM
        size = (_WIDTH - _LEFT - _RIGHT) / width, (_HEIGHT - _BOTTOM - _TOP) / height
        panel = figure.add_axes((left / width, bottom / height, *size))
        _draw_panel(panel, curve)
        _set_steps(panel, last_step)
        if i >= len(curves) - columns:
            panel.set_xlabel("step")
    return figure


def _draw_trend(panel: Axes, curve: MetricCurve) -> None:
    trend = buckets(curve, _TREND_POINTS)
    panel.plot([p.step for p in trend], [p.mean for p in trend], color="C0", linewidth=1.5)


def _draw_panel(panel: Axes, curve: MetricCurve) -> None:
    all_of_it = buckets(curve, _MOST_POINTS)
    has_trend = len(curve.steps) >= 2 * _TREND_POINTS
    steps = [point.step for point in all_of_it]
    means = [point.mean for point in all_of_it]
    if len(curve.steps) > _MOST_POINTS:
        low, high = [p.low for p in all_of_it], [p.high for p in all_of_it]
        panel.fill_between(steps, low, high, color="C0", alpha=0.25, linewidth=0)
    else:
        marker = "o" if len(steps) <= _FEW_POINTS else ""
        alpha = 0.35 if has_trend else 1.0
        panel.plot(steps, means, color="C0", alpha=alpha, marker=marker, markersize=3, linewidth=1)
    if has_trend:
        _draw_trend(panel, curve)
    panel.set_title(_title(curve))


def _title(curve: MetricCurve) -> str:
    left_out = f" ({curve.num_left_out} not finite)" if curve.num_left_out else ""
    return TITLES.get(curve.name, curve.name.replace("_", " ")) + left_out


def _set_steps(panel: Axes, last_step: int) -> None:
    """The same steps under every panel, whole numbers only."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    margin = max(0.5, 0.02 * last_step)
    panel.set_xlim(1 - margin, last_step + margin)
    panel.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    panel.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _save(figure: Figure, kind: str, metadata: Mapping[str, str | None]) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()
