"""The advice as text and as a page that is whole, loads nothing and lets nothing act."""

import json
import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from html import unescape
from typing import Any, cast

import pytest

from finewright.report.blocks import Plot
from finewright.report.cells import number
from finewright.report.layouts import page_of
from finewright.report.show import html_of, text_of
from finewright_advice.decide.results import DecideReport
from finewright_advice.decide.run import decide
from finewright_advice.decide.spec import DecideSpec
from report.pages import ATTACK, check_page

TODAY = date(2026, 11, 25)
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def report(name: str = "bot", **changes: Any) -> DecideReport:
    return decide(DecideSpec.model_validate(changes), today=TODAY, name=name)


@cache
def ranked() -> DecideReport:
    return report()


@cache
def nothing_left() -> DecideReport:
    return report(on_premise_only=True, hardware="none")


@pytest.fixture(params=[ranked, nothing_left], ids=["ranked", "nothing left"])
def of(request: pytest.FixtureRequest) -> DecideReport:
    return cast("DecideReport", request.param())


def plots_of(report: DecideReport) -> dict[str, Plot]:
    blocks = [block for section in page_of(report).sections for block in section.blocks]
    return {block.title: block for block in blocks if isinstance(block, Plot)}


def test_the_text_has_the_answer_its_reasons_and_what_would_change_it() -> None:
    text = text_of(ranked())
    assert f"bot: {ranked().answer}" in text.splitlines()
    for title in ("Ranking", "What it takes", "What would change the answer", "Cheapest next step"):
        assert f"\n{title}" in text
    assert "as of 2026-11-25" in text
    assert "G12 dropped" in text
    assert "rag, api: gains most by" in text
    assert max(map(len, text.splitlines())) < 400


def test_every_reason_of_the_json_stands_in_the_text(of: DecideReport) -> None:
    text = text_of(of)
    assert all(finding.reason in text for finding in of.findings)
    assert all(note in text for cost in of.costs for note in cost.notes)
    assert all(f"{row.arm}: {reason}" in text for row in of.ranking[:2] for reason in row.reasons)


def test_every_number_of_the_page_is_one_of_the_json(of: DecideReport) -> None:
    """As it stands there, rounded, or in percent; the axes of the pictures have their own."""
    page = re.sub(r"<(svg|style)\b.*?</\1>|<[^>]+>", " ", html_of(of), flags=re.DOTALL)
    report = json.loads(of.model_dump_json())
    assert strange(unescape(page), report) == set()
    assert strange("costs 31,415.9 USD, 73.19 % of it", report) == {"31,415.9", "73.19"}


def strange(text: str, report: Any) -> set[str]:
    """The numbers of a text that a report has not."""
    leaves = list(leaves_of(report))
    known = [x for x in leaves if isinstance(x, int | float) and not isinstance(x, bool)]
    said = {each for leaf in leaves if isinstance(leaf, str) for each in NUMBER.findall(leaf)}
    said |= {number(x) for x in known}

    def is_known(found: str) -> bool:
        digits = len(found.partition(".")[2])
        return found in said or any(
            f"{k * x:,.{digits}f}" == found for x in known for k in (1, 100)
        )

    return {found for found in NUMBER.findall(text) if not is_known(found)}


def leaves_of(value: Any) -> Iterator[Any]:
    inner = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list):
        yield value
    elif isinstance(value, dict):
        yield from value
    for each in inner if isinstance(value, dict | list) else ():
        yield from leaves_of(each)


def test_the_text_of_a_decision_with_nothing_left_says_so() -> None:
    text = text_of(nothing_left())
    assert "nothing is left" in text
    assert "loosen what a dropped option names" in text


def test_the_page_is_whole(of: DecideReport) -> None:
    parsed = check_page(html_of(of))
    assert parsed.tags["svg"] == (4 if of.ranking else 0)
    for source in of.sources:
        assert source.reference in parsed.text
    for ranked in of.ranking:
        assert ranked.arm in parsed.text


def test_nothing_that_a_spec_says_can_act() -> None:
    device = {"name": ATTACK, "memory_gib": 64, "bandwidth_gb_s": 500, "tflops": 20, "watts": 100}
    of = report(name=ATTACK, hardware=[device])
    assert "alert(1)" in check_page(html_of(of)).text


def test_the_decision_is_a_picture_first_with_every_interval_and_the_limit() -> None:
    of = report(month_budget_usd=500, task="answer")
    first = page_of(of).sections[0]
    (plot,) = first.blocks
    assert isinstance(plot, Plot)
    assert plot.marked == 500
    assert {point.name.strip("()") for point in plot.points} >= {row.arm for row in of.ranking}
    assert all(p.low is not None and p.low <= p.y <= (p.high or 0) for p in plot.points)
    front = sorted((p for p in plot.points if p.is_main), key=lambda p: p.x)
    assert [p.y for p in front] == sorted(p.y for p in front)


def test_a_header_cell_never_breaks_inside_a_word() -> None:
    style = html_of(ranked()).partition("<style>")[2].partition("</style>")[0]
    rule = style.partition("thead th {")[2].partition("}")[0]
    assert "overflow-wrap: normal" in rule
    assert "word-break: keep-all" in rule


def test_the_cost_plot_has_every_arms_curve_and_marks_the_volume() -> None:
    plot = plots_of(report(requests_per_month=30_000))["USD a month by requests a month"]
    assert plot.marked == 30_000
    drawn = {(point.name, point.x): point.y for point in plot.points}
    for curve in ranked().curves:
        assert [drawn[curve.arm, x] for x, _ in curve.usd_by_requests] == [
            max(usd, 1.0) for _, usd in curve.usd_by_requests
        ]


def test_a_swing_reaches_between_its_leads_and_one_that_flips_stands_out() -> None:
    points = plots_of(ranked())["Lead of the first choice by input"].points
    leads = [(s.low_lead, s.high_lead) for s in ranked().swings]
    whole = [
        (p, (low, high)) for p, (low, high) in zip(points, leads, strict=False) if low and high
    ]
    assert len(whole) > 5
    assert all((p.low, p.high) == (min(ends), max(ends)) for p, ends in whole)
    assert [point.is_main for point in points] == [not s.flips for s in ranked().swings[:15]]
