"""A bake-off and a search as text and as a page: what must be read is there, and no name can act."""

import base64
import hashlib
import itertools
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from finewright.render.bakeoff import leaderboard_rows, licence, takes_rows
from finewright.render.html.bakeoff import bakeoff_page
from finewright.render.html.bakeoff_charts import _apart, frontier_chart, round_ticks, score_chart
from finewright.render.reports import text_of
from finewright.schema.bakeoff_report import (
    Attempt,
    BakeoffReport,
    Conduct,
    Duel,
    Finalist,
    Rung,
    Share,
    Speed,
)
from finewright.schema.common import Problem
from finewright.schema.cost import Range
from finewright.schema.evaluate import Difference, Score
from finewright.schema.tune_report import Trial, TuneReport

ATTACK = '</svg><script>alert(1)</script><img src="http://evil/x" onerror=a(2)> & "q" \u202e\u200b'
HALF = Share(count=6, n=12, low=0.25, high=0.75)


def score(name: str, value: float, metric: str = "json_f1") -> Score:
    low, high = max(0.0, value - 0.1), min(1.0, value + 0.1)
    return Score(system=name, data="rows", metric=metric, value=value, low=low, high=high, n=12)


def difference(name: str, other: str, value: float) -> Difference:
    return Difference(
        system=name,
        against=other,
        data="rows",
        metric="json_f1",
        value=value,
        low=value - 0.05,
        high=value + 0.05,
        p_value=0.2,
        n=12,
    )


def finalist(name: str, value: float, ms: float) -> Finalist:
    return Finalist(
        base_model=name,
        run="runs/x",
        parameters=135_000_000,
        license="Apache-2.0",
        license_classes=("permissive",),
        end_of_turn="<|im_end|>",
        scores=(score(name, value), score(name, 0.5, "valid_json")),
        untuned=(score(f"{name} untuned", 0.1),),
        gain=difference(name, f"{name} untuned", value - 0.1),
        train_seconds=81.6,
        train_tokens_per_second=430.0,
        peak_gib=1.234,
        usd=Range(low=0.01, median=0.02, high=0.05),
        usd_on="provider X",
        speed=Speed(
            answers=20,
            first_token_ms_p50=50,
            first_token_ms_p95=80,
            answer_ms_p50=ms,
            answer_ms_p95=2 * ms,
            answer_ms_mean=ms,
            answer_ms=(ms,) * 20,
            tokens_per_answer=40,
            tokens_per_second=25.5,
        ),
        conduct=Conduct(
            ended=HALF,
            looped=HALF,
            other_script=HALF,
            other_language=None,
            valid_json=None,
            strays=(f"rows:3: Cyrillic: {name}",),
        ),
    )


def report(*names: str) -> BakeoffReport:
    best, *others = names
    finalists = [finalist(name, 0.8 - 0.1 * i, 900 / (i + 1)) for i, name in enumerate(names)]
    attempts = [
        Attempt(
            base_model=name,
            run="runs/y",
            score=score(name, 0.4),
            difference=None if name == best else difference(name, best, -0.1),
            is_dropped=False,
            why="goes on: the best of the rung",
            steps=20,
            train_seconds=12,
        )
        for name in names
    ]
    return BakeoffReport(
        name="cup",
        folder="runs/bakeoff-cup",
        metric="json_f1",
        confidence=0.95,
        rows_train=400,
        rows_development=40,
        rows_held_out=12,
        rungs=(Rung(number=1, share=0.25, attempts=tuple(attempts)),),
        finalists=tuple(finalists),
        duels=tuple(
            Duel(difference=difference(best, o, 0.1), p_adjusted=0.4, is_significant=False)
            for o in others
        ),
        frontier=(best,),
        winner="",
        choice=names[-1],
        verdict=f"No significant difference: take {names[-1]}.",
        problems=(Problem(level="warning", message=f"{best}: licence"),),
    )


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_terminal_shows_every_part() -> None:
    text = text_of(report("small", "large"))
    assert text.startswith("cup: No significant difference: take large.")
    for part in ("rung 1, 0.25 of the budget", "leaderboard by json_f1", "what each takes"):
        assert part in text
    assert "80.0 % (70-90)" in text
    assert "-10.0 (-15.0 to -5.0)" in text  # behind the best, with both ends turned
    assert "0.01 - 0.02 - 0.05 (provider X)" in text
    assert "not looked for" in text
    assert "none expected" in text
    assert "warning: small: licence" in text


def test_the_best_is_behind_nobody() -> None:
    first, second = leaderboard_rows(report("small", "large"))
    assert first[2:4] == ("the best", "")
    assert second[3] == "0.4"


def test_no_licence_and_no_price_are_said_to_be_unknown() -> None:
    unknown = {"license": "unknown", "license_classes": ("unknown",), "usd": None}
    made = finalist("own", 0.5, 1).model_copy(update=unknown)
    assert licence(made) == "none known"
    told = report("a", "b").model_copy(update={"finalists": (made,)})
    assert takes_rows(told)[0][-1] == "not known"
    cheap = made.model_copy(update={"usd": Range(low=1e-6, median=1e-5, high=1e-4)})
    told = told.model_copy(update={"finalists": (cheap,)})
    assert takes_rows(told)[0][-1].startswith("under 0.01")


def test_the_page_is_whole_and_loads_nothing() -> None:
    page = bakeoff_page(report("small", "large"))
    found = Tags(page)
    assert page.startswith("<!DOCTYPE html>")
    assert {"script", "img", "link", "iframe"}.isdisjoint(found.tags)
    assert found.tags.count("svg") == 2
    style = re.search(r"<style>(.*?)</style>", page, re.S)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page
    ids = [value for name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = [value for name, value in found.attributes if name == "href"]
    assert {f"#{name}" for name in ids} >= set(links)
    assert "take large" in found.text


def test_no_name_can_act_on_the_page() -> None:
    page = bakeoff_page(report(ATTACK, "large"))
    found = Tags(page)
    assert {"script", "img"}.isdisjoint(found.tags)
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert "\u202e" not in page
    assert "\\u{202e}" in page


@pytest.mark.parametrize("names", [("one",), ("a", "b"), ("a", "b", "c", ATTACK)])
def test_pictures_are_well_formed_and_hold_every_model(names: tuple[str, ...]) -> None:
    for chart in (score_chart(report(*names)), frontier_chart(report(*names))):
        svg = ElementTree.fromstring(chart)  # noqa: S314 - our own
        dots = [e for e in svg.iter() if e.tag.endswith("circle") and e.get("class") == "dot"]
        rings = [e for e in svg.iter() if e.tag.endswith("circle") and e.get("class") == "ring"]
        assert len(dots) + len(rings) >= len(names)
        for element in (*dots, *rings):
            assert 0 <= float(element.get("cx", "-1")) <= 640


def test_what_is_faster_stands_further_left_and_what_is_better_higher() -> None:
    svg = ElementTree.fromstring(frontier_chart(report("slow", "fast")))  # noqa: S314 - our own
    circles = [e for e in svg.iter() if e.tag.endswith("circle")]
    slow, fast = [(float(e.get("cx", "")), float(e.get("cy", ""))) for e in circles]
    assert slow[0] > fast[0]
    assert slow[1] < fast[1]


def test_a_search_shows_its_trials_best_first() -> None:
    states = [
        ("finished", 0.4, ""),
        ("stopped early", None, "stopped after 20 %"),
        ("finished", 0.6, ""),
    ]
    trials = [
        Trial(
            number=i,
            values={"learning_rate": 0.00123456, "adapter.r": 8} if i else {},
            run="r",
            state=state,  # type: ignore[arg-type]
            score=None if value is None else score("t", value),
            loss=None if value is None else 1.0,
            train_seconds=None if value is None else 9.0,
            why=why,
        )
        for i, (state, value, why) in enumerate(states)
    ]
    text = text_of(
        TuneReport(
            name="cup",
            folder="runs/tune-cup",
            base_model="small",
            metric="json_f1",
            confidence=0.95,
            rows_train=400,
            rows_development=40,
            rows_held_out=12,
            trials=tuple(trials),
            best=2,
            held_out=(score("trial 2", 0.55), score("as written", 0.4)),
            difference=difference("trial 2", "as written", 0.15),
            verdict="Trial 2 wins.",
            written_to="cup-tuned.yaml",
        )
    )
    table = text[text.index("trials of small") :].splitlines()[2:5]
    assert [line.split()[0] for line in table] == ["2", "0", "1"]
    assert "learning_rate 0.001235, adapter.r 8" in table[0]
    assert "as written" in table[1]
    assert "stopped after 20 %" in table[2]
    assert "best settings: cup-tuned.yaml" in text


def test_no_label_of_the_picture_covers_another() -> None:
    heights = _apart({"a": 100.0, "b": 100.0, "c": 98.0, "far": 20.0})
    assert heights["far"] == 20.0
    ordered = sorted(heights.values())
    assert all(upper + 15 <= lower for upper, lower in itertools.pairwise(ordered))


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
def test_ticks_are_round_and_hold_all_values(low, high, percents):
    assert [100 * tick for tick in round_ticks(low, high)] == pytest.approx(percents)


def test_each_point_stands_where_the_ticks_say():
    """Heights read back from the picture by its own marks."""
    chart = ElementTree.fromstring(frontier_chart(report("a", "b")))  # noqa: S314 - our own
    marks = {
        float(node.get("y")) - 4: float(node.text.removesuffix(" %"))
        for node in chart.iter()
        if node.text and node.text.endswith(" %") and node.get("y")
    }
    (y1, p1), (y2, p2) = sorted(marks.items())[0], sorted(marks.items())[-1]
    checked = 0
    for group in (node for node in chart.iter() if node.tag.endswith("}g") or node.tag == "g"):
        dots = [node for node in group if node.tag.endswith("circle")]
        titles = [node.text for node in group if node.tag.endswith("title")]
        if dots and titles:
            shown = p1 + (float(dots[0].get("cy")) - y1) * (p2 - p1) / (y2 - y1)
            told = float(re.search(r": ([0-9.]+) %", titles[0])[1])
            assert shown == pytest.approx(told, abs=0.2)
            checked += 1
    assert checked == 2
