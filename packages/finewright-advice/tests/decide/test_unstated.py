"""What nobody states is wide enough that what is stated still decides."""

import pytest

from decide.advising import advise, spec
from finewright_advice.decide.results import DecideReport

LARGE = {
    "knowledge_gap": 2,
    "corpus_tokens": 50_000_000,
    "requests_per_month": 100_000_000,
    "tokens_in": 2000,
    "tokens_out": 500,
    "api_model": "unknown",
    "base_model": "unknown",
    "latency_p95_ms": "unknown",
}


@pytest.fixture(scope="module")
def without_budget() -> DecideReport:
    return advise(spec(**LARGE, month_budget_usd="unknown"))


def test_money_counts_where_every_model_is_over_the_usual_budget(
    without_budget: DecideReport,
) -> None:
    """100 million requests: 70,000 dollars a month at the cheapest able API, 2.8 million at the dearest."""
    (cost,) = (row for row in without_budget.costs if row.arm == "rag, api")
    assert cost.month_usd.median < 200_000
    assert next(r for r in without_budget.ranking if r.arm == "rag, api").utilities["month_usd"] > 0
    assert without_budget.assumptions["month_budget_usd"].startswith("a limit of ")


def test_a_stated_budget_stays_and_a_usual_volume_has_the_usual_one() -> None:
    assert advise(spec(**LARGE, month_budget_usd=500)).ranking == ()
    usual = advise(spec(month_budget_usd="unknown")).assumptions["month_budget_usd"]
    assert usual == "a limit of 600; 100 to 10,000 is tried"


def test_what_was_measured_with_a_model_that_nobody_named_is_warned_of() -> None:
    measured = {"measured_quality": {"rag": 0.9}, "api_model": "unknown"}
    found = [problem.message for problem in advise(spec(**measured)).problems]
    assert any("the quality that you measured is taken for" in message for message in found)
    named = advise(spec(**{**measured, "api_model": "gpt-6-luna"})).problems
    assert not any("rag, api: the quality" in problem.message for problem in named)
