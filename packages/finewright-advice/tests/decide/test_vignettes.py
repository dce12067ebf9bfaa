"""125 cases whose advice was written down before they were run: `vignettes.yaml`, with reasons."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from finewright_advice.decide.gates import LIMITED
from finewright_advice.decide.results import DecideReport
from finewright_advice.decide.run import decide
from finewright_advice.decide.spec import UNKNOWN, DecideSpec

TODAY = date(2026, 11, 27)
pytestmark = pytest.mark.usefixtures("middle_alone")

FILE = yaml.safe_load((Path(__file__).parent / "vignettes.yaml").read_text())
CASES: Mapping[str, Mapping[str, Any]] = FILE["cases"]
LEAST_RIGHT = 0.9


def spec_of(name: str) -> DecideSpec:
    given = CASES[name]["spec"]
    return DecideSpec() if given == "unknown" else DecideSpec(**{**FILE["defaults"], **given})


@cache
def advice(name: str) -> DecideReport:
    return decide(spec_of(name), today=TODAY)


def is_right(name: str) -> bool:
    """The first arm, clear or to be measured, and the model where the case names some; what must be said."""
    report, case = advice(name), CASES[name]
    model = report.ranking[0].model if report.ranking else ""
    said = "\n".join(finding.reason for finding in report.findings)
    where = " ".join(cost.how[0] for cost in report.costs if cost.arm == report.winner and cost.how)
    return (
        (report.winner or "none") in case["expected"]
        and model in case.get("model", [model])
        and model not in case.get("not_model", [])
        and all(text in said for text in case.get("says", []))
        and not any(text in said for text in case.get("says_not", []))
        and all(text in where for text in case.get("on", []))
        and not any(text in where for text in case.get("not_on", []))
        and case.get("better", bool(report.better)) == bool(report.better)
    )


def test_nine_of_ten_cases_get_the_advice_that_was_expected() -> None:
    wrong = [name for name in CASES if not is_right(name)]
    assert len(CASES) == 125
    assert len(wrong) <= (1 - LEAST_RIGHT) * len(CASES), wrong
    assert {name for name in wrong if "argued" not in CASES[name]} == set()


@pytest.mark.parametrize("name", CASES)
def test_no_first_choice_is_over_a_stated_limit_or_beyond_its_context(name: str) -> None:
    report = advice(name)
    if not report.ranking:
        return
    spec = report.spec
    first = next(cost for cost in report.costs if cost.arm == report.winner)
    for key, _, field in LIMITED:
        given = getattr(spec, key)
        if given != UNKNOWN:
            limit = given if isinstance(given, int | float) else given.limit
            assert getattr(first, field).median <= limit
    assert not any(
        f.rule in ("G11", "G12") and f.certain and report.winner in f.arms
        for f in report.findings
        if f.effect == "dropped"
    )


def test_the_same_case_gives_the_same_bytes() -> None:
    for name in list(CASES)[::25]:
        again = decide(spec_of(name), today=TODAY)
        assert again.model_dump_json() == advice(name).model_dump_json()


def test_a_corpus_of_a_million_million_tokens_costs_what_it_costs() -> None:
    """Embedding 10^12 tokens at 2 cents a million is 20,000 dollars, and the advice knows."""
    small, large = (
        decide(
            DecideSpec(corpus_tokens=tokens, knowledge_gap=3, api_model="gpt-6-luna"), today=TODAY
        )
        for tokens in (5_000_000, 10**12)
    )
    first, last = (next(c for c in r.costs if c.arm == "rag, api") for r in (small, large))
    assert first.once_usd.high == 0
    assert last.once_usd.median == pytest.approx(20_000)
    assert last.month_usd.median > first.month_usd.median + 1000
    assert last.latency_ms.median > first.latency_ms.median


def test_a_stated_model_is_told_the_cheaper_one_that_does_the_same() -> None:
    report = decide(
        DecideSpec(
            task="write",
            behaviour_gap=0,
            knowledge_gap=0,
            corpus_tokens=0,
            labelled_pairs=0,
            requests_per_month=100_000,
            tokens_in=500,
            tokens_out=200,
            month_budget_usd=5000,
            api_model="claude-opus-5-5",
        ),
        today=TODAY,
    )
    assert report.ranking[0].model == "claude-opus-5-5"
    assert report.cheaper.startswith("a cheaper model does the same: ")
    tried = [row.model for row in report.models if row.arm == report.winner]
    assert {"gpt-6-luna", "claude-haiku-5-5", "gpt-6.1-sol", "gemini-3.5-flash"} <= set(tried)


def test_every_model_has_its_ability_said_and_twenty_open_ones_are_tried() -> None:
    report = advice("house-style-at-volume")
    own = [row for row in report.models if row.arm.endswith("self-hosted")]
    assert len(own) >= 20
    assert all(row.known for row in report.models)
    assert any(row.known.startswith("unknown") for row in report.models if row.arm.endswith("api"))
