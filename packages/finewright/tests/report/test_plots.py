"""Plots are XML with titles, and what is more stands further."""

import itertools
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

import pytest

from finewright.report.blocks import Axis, Plot, Point
from finewright.report.plots import WIDTH, draw, log_ticks, round_ticks, spread

from .pages import ATTACK

SPACE = "{http://www.w3.org/2000/svg}"


def drawn(plot: Plot) -> ElementTree.Element:
    return ElementTree.fromstring(draw(plot))  # noqa: S314 - our own


def circles(root: ElementTree.Element) -> list[ElementTree.Element]:
    return list(root.iter(f"{SPACE}circle"))


def numbers(element: ElementTree.Element, *names: str) -> tuple[float, ...]:
    return tuple(float(element.attrib[name]) for name in names)


SCATTER = Plot(
    "Score by time", "scatter",
    [
        Point("slow", 0.8, 0.7, 0.9, x=900),
        Point("fast", 0.7, 0.6, 0.8, x=450, is_main=False),
        Point(ATTACK, 0.7, 0.6, 0.8, x=460),
    ],
    across=Axis("ms", is_log=True),
)  # fmt: skip
LINES = Plot(
    "Cost by volume", "lines",
    [Point("api", 1, x=10), Point("api", 100, x=1000), Point("own", 50, x=10), Point("own", 60, x=1000)],
    across=Axis("requests", is_log=True), up=Axis(is_log=True), marked=100,
)  # fmt: skip


@pytest.mark.parametrize("names", [("one",), ("a", "b"), ("a", "b", "c", ATTACK)])
@pytest.mark.parametrize("kind", ["bars", "intervals", "swings", "scatter", "lines"])
def test_every_plot_is_xml_with_its_title_and_lies_within_its_frame(kind, names) -> None:
    found = [Point(name, 0.1 * i, 0.05 * i, 0.2 * i, x=i + 1) for i, name in enumerate(names)]
    root = drawn(Plot(ATTACK, kind, found))
    assert root.attrib["aria-label"] == root[0].text
    assert "<script>" in (root[0].text or "")
    height = float(root.attrib["viewBox"].split()[3])
    for element in root.iter():
        for attribute, most in (
            ("x", WIDTH),
            ("cx", WIDTH),
            ("x1", WIDTH),
            ("y", height),
            ("cy", height),
        ):
            assert 0 <= float(element.get(attribute, 0)) <= most


def test_bars_are_in_proportion_and_link_to_their_rows() -> None:
    bars = [Point("none", 0), Point("a", 30, link="f-1"), Point("b", 60, link="f-2", is_main=False)]
    root = drawn(Plot("P", "bars", bars))
    links = root.findall(f"{SPACE}a")
    assert [link.attrib["href"] for link in links] == ["#f-1", "#f-2"]
    assert [link[0].text for link in links] == ["a: 30", "b: 60"]
    assert root.attrib["role"] == "group"
    rects = [rect for rect in root.iter(f"{SPACE}rect") if "bar" in rect.attrib["class"]]
    lengths = [float(rect.attrib["width"]) for rect in rects]
    assert lengths[0] == 0
    assert lengths[2] == pytest.approx(2 * lengths[1], abs=0.1)
    assert rects[2].attrib["class"] == "bar notable"


def test_a_small_bar_can_be_seen() -> None:
    assert 'width="1.0"' in draw(Plot("P", "bars", [Point("a", 1), Point("b", 1_000_000)]))


def test_what_is_faster_stands_further_left_and_what_is_better_higher() -> None:
    slow, fast, _ = (numbers(circle, "cx", "cy") for circle in circles(drawn(SCATTER)))
    assert slow[0] > fast[0]
    assert slow[1] < fast[1]
    assert [circle.attrib["class"] for circle in circles(drawn(SCATTER))] == ["dot", "ring", "dot"]


def test_each_point_stands_where_the_ticks_say() -> None:
    """Heights read back from the picture by its own marks."""
    root = drawn(SCATTER)
    marks = {
        float(node.attrib["y"]) - 4: float((node.text or "").removesuffix(" %"))
        for node in root.iter(f"{SPACE}text")
        if (node.text or "").endswith(" %")
    }
    (y1, p1), (y2, p2) = min(marks.items()), max(marks.items())
    shown = [p1 + (float(c.attrib["cy"]) - y1) * (p2 - p1) / (y2 - y1) for c in circles(root)]
    assert shown == pytest.approx([80, 70, 70], abs=0.2)


def test_each_interval_reaches_from_its_low_to_its_high_end() -> None:
    root = drawn(
        Plot("P", "intervals", [Point("a", 0.5, 0.2, 1.0), Point("a", 0.4, is_main=False)])
    )
    (whisker,) = [line for line in root.iter(f"{SPACE}line") if line.attrib["class"] == "whisker"]
    low, high = numbers(whisker, "x1", "x2")
    ring, dot = (float(circle.attrib["cx"]) for circle in circles(root))
    assert (dot - low) / (high - low) == pytest.approx(0.375, abs=0.01)
    assert (ring - low) / (high - low) == pytest.approx(0.25, abs=0.01)


def test_swings_stand_on_both_sides_of_nothing() -> None:
    swings = [Point("price", 0, -0.2, 0.2, is_main=False), Point("rows", 0, 0.1, 0.4)]
    root = drawn(Plot("P", "swings", swings, across=Axis("others win|it leads")))
    (axis,) = [line for line in root.iter(f"{SPACE}line") if line.attrib["class"] == "axis"]
    middle = float(axis.attrib["x1"])
    first, second = (numbers(rect, "x", "width") for rect in root.iter(f"{SPACE}rect"))
    assert first[0] + first[1] / 2 == pytest.approx(middle, abs=0.1)
    assert second[0] > middle


def test_lines_rise_with_their_values_and_are_named() -> None:
    root = drawn(LINES)
    lines = [points(line) for line in root.iter(f"{SPACE}polyline")]
    assert len(lines) == 2
    assert all(one[0] < two[0] and one[1] > two[1] for one, two in lines)
    texts = [node.text for node in root.iter(f"{SPACE}text")]
    assert texts[-2:] == ["api", "own"]
    (marked,) = [line for line in root.iter(f"{SPACE}line") if line.attrib["class"] == "marked"]
    assert lines[0][0][0] < float(marked.attrib["x1"]) < lines[0][1][0]


def points(line: ElementTree.Element) -> list[tuple[float, ...]]:
    return [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]


def test_no_label_covers_another() -> None:
    heights = spread({"a": 100.0, "b": 100.0, "c": 98.0, "far": 20.0})
    assert heights["far"] == 20.0
    assert all(upper + 15 <= lower for upper, lower in pairs(sorted(heights.values())))


def pairs(values: Sequence[float]) -> Iterator[tuple[float, float]]:
    return itertools.pairwise(values)


@pytest.mark.parametrize(
    ("low", "high", "percents"),
    [
        (0.931, 0.989, [92, 94, 96, 98, 100]),
        (0.962, 0.9625, [96.2, 96.3]),
        (0.0, 1.0, [0, 20, 40, 60, 80, 100]),
        (1.0, 1.0, [99.9, 100]),
        (0.0, 0.0, [0, 0.1]),
        (0.41, 0.62, [40, 45, 50, 55, 60, 65]),
    ],
)
def test_ticks_are_round_and_hold_all_values(low, high, percents) -> None:
    assert [100 * tick for tick in round_ticks(low, high, 1.0)] == pytest.approx(percents)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.5, 5000, [1, 10, 100, 1000]),
        (9, 120, [10, 20, 50, 100]),
        (400, 1000, [400, 600, 800, 1000]),
    ],
)
def test_ticks_of_a_logarithm_are_multiples_of_powers_of_ten(low, high, ticks) -> None:
    assert log_ticks(low, high) == pytest.approx(ticks)
