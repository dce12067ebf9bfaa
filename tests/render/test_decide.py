"""The advice as text and as a page that is whole, loads nothing and lets nothing act."""

import base64
import hashlib
import re
from collections import Counter
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest

import finewright.render.decide  # noqa: F401 - registers the layout
from finewright.features.decide.run import decide
from finewright.render.html.decide import decide_page
from finewright.render.html.decide_charts import cost_chart, ranking_chart, tornado_chart
from finewright.render.reports import text_of
from finewright.schema.decide import DecideSpec
from finewright.schema.decide_report import DecideReport

TODAY = date(2026, 11, 25)
ATTACK = '</text><script>alert(1)</script><img src="http://evil/x" onerror=a(2)> & "q" \u202e\u200b'
VOID = {"meta", "br", "img", "link", "rect", "line", "polyline"}


def report(name: str = "bot", **changes: Any) -> DecideReport:
    return decide(DecideSpec.model_validate(changes), today=TODAY, name=name)


REPORT = report()
NOTHING = report(on_premise_only=True, hardware="none")


class Checked(HTMLParser):
    """Tags in their order of nesting, and all attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_text_has_the_answer_its_reasons_and_what_would_change_it() -> None:
    text = text_of(REPORT)
    assert text.splitlines()[0] == f"bot: {REPORT.answer}"
    for title in (
        "ranking",
        "why",
        "what it takes",
        "what would change the answer",
        "cheapest next step",
    ):
        assert f"\n{title}" in text
    assert "as of 2026-11-25" in text
    assert "G9 dropped" in text
    assert max(map(len, text.splitlines())) < 400


def test_the_text_of_a_decision_with_nothing_left_says_so() -> None:
    text = text_of(NOTHING)
    assert "nothing is left" in text
    assert "loosen what a dropped arm names" in text


@pytest.mark.parametrize("of", [REPORT, NOTHING], ids=["ranked", "nothing left"])
def test_the_page_is_whole_and_loads_nothing(of: DecideReport) -> None:
    page = decide_page(of)
    checked = Checked(page)
    assert checked.open == []
    assert not {"script", "img", "iframe", "link", "object", "form"} & checked.tags.keys()
    names = {name for _, name, _ in checked.attributes}
    assert names.isdisjoint({"src", "onclick", "onload", "style", "srcset"})
    hrefs = [value for _, name, value in checked.attributes if name == "href"]
    ids = {value for _, name, value in checked.attributes if name == "id"}
    assert hrefs
    assert all(href.startswith("#") and href[1:] in ids for href in hrefs)
    assert len(ids) == len([1 for _, name, _ in checked.attributes if name == "id"])


def test_the_page_allows_its_own_style_alone() -> None:
    page = decide_page(REPORT)
    style = re.search("<style>(.*?)</style>", page, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in page
    assert "@media print" in style[1]


def test_the_page_has_ranking_tornado_break_even_costs_and_sources() -> None:
    checked = Checked(decide_page(REPORT))
    assert checked.tags["svg"] == 3
    for part in (
        "Ranking",
        "What would change the answer",
        "Cost",
        "Sources",
        "Cheapest next step",
    ):
        assert part in checked.text
    for source in REPORT.sources:
        assert source.reference in checked.text
    for ranked in REPORT.ranking:
        assert ranked.arm in checked.text


def test_nothing_that_a_spec_says_can_act() -> None:
    device = {"name": ATTACK, "memory_gib": 64, "bandwidth_gb_s": 500, "tflops": 20, "watts": 100}
    of = report(name=ATTACK, hardware=[device])
    checked = Checked(decide_page(of))
    assert not {"script", "img"} & checked.tags.keys()
    assert "\u202e" not in decide_page(of)
    assert "alert(1)" in checked.text


def test_the_pictures_are_xml_with_a_title() -> None:
    for svg in (
        ranking_chart(REPORT.ranking),
        tornado_chart(REPORT.swings),
        cost_chart(REPORT.curves, 30_000),
    ):
        root = ElementTree.fromstring(svg)  # noqa: S314 - our own
        assert root[0].tag.endswith("title")
        assert root[0].text


def test_the_cost_lines_lie_within_the_picture_and_rise_with_volume() -> None:
    root = ElementTree.fromstring(cost_chart(REPORT.curves, 30_000))  # noqa: S314 - our own
    lines = [e for e in root if e.tag.endswith("polyline")]
    assert len(lines) == len(REPORT.curves)
    for line in lines:
        points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        assert all(60 <= x <= 640 and 0 <= y <= 320 for x, y in points)
        assert all(one[0] < two[0] and one[1] >= two[1] for one, two in pairwise(points))


def test_the_longest_bar_of_the_tornado_comes_first() -> None:
    root = ElementTree.fromstring(tornado_chart(REPORT.swings))  # noqa: S314 - our own
    widths = [float(rect.attrib["width"]) for rect in root.iter() if rect.tag.endswith("rect")]
    whole = [s for s in REPORT.swings if s.low_lead is not None and s.high_lead is not None]
    assert widths
    assert all(width > 0 for width in widths)
    assert whole == sorted(whole, key=lambda s: -abs((s.high_lead or 0) - (s.low_lead or 0)))
