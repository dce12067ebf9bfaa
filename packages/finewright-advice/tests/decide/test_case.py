"""Unknown inputs are widened, known ones doubled and halved, and nothing is guessed silently."""

from typing import get_args

import pytest

from decide.advising import spec
from finewright_advice.catalog.advice import read_packaged_advice
from finewright_advice.decide.case import POINTS, join_cases, list_assumptions, middle, swings
from finewright_advice.decide.spec import Aim, DecideSpec, Task

ADVICE = read_packaged_advice()
NOTHING = DecideSpec()


def test_everything_unknown_is_said_to_be_assumed() -> None:
    told = list_assumptions(NOTHING, ADVICE)
    fixed = {"horizon_months", "profile", "weights", "measured_quality"}
    assert told.keys() == DecideSpec.model_fields.keys() - fixed
    assert list_assumptions(spec(), ADVICE) == {}


def test_the_middle_case_has_what_is_stated() -> None:
    case = middle(spec(latency_p95_ms={"target": 100, "limit": 900}, once_budget_usd=70), ADVICE)
    assert case.labelled_pairs == 1000
    assert case.latency_p95_ms == Aim(target=100, limit=900)
    assert case.once_budget_usd == Aim(limit=70)
    assert case.hardware == ()
    assert middle(NOTHING, ADVICE).hardware is None
    assert "labelled_pairs" in case.stated
    assert "labelled_pairs" not in middle(NOTHING, ADVICE).stated


def test_each_swing_moves_its_own_input_alone() -> None:
    for of in (spec(), NOTHING):
        base = middle(of, ADVICE)
        for swing in swings(of, base, ADVICE):
            for case in (swing.low, swing.high):
                moved = {
                    key
                    for key in type(case).__slots__
                    if key not in {"points"} and getattr(case, key) != getattr(base, key)
                }
                assert moved <= {swing.key}
                assert {*case.points} <= {swing.key}


def test_known_counts_are_halved_and_doubled_and_known_degrees_moved_by_one() -> None:
    base = middle(spec(), ADVICE)
    found = {swing.key: swing for swing in swings(spec(), base, ADVICE)}
    assert (found["tokens_in"].low.tokens_in, found["tokens_in"].high.tokens_in) == (400, 1600)
    assert (
        found["knowledge_gap"].low.knowledge_gap,
        found["knowledge_gap"].high.knowledge_gap,
    ) == (0, 2)
    assert not found["tokens_in"].is_unknown
    assert {key for key, swing in found.items() if swing.is_unknown} == {*POINTS}


def test_unknown_inputs_go_to_the_ends_of_what_they_are_widened_to() -> None:
    found = {s.key: s for s in swings(NOTHING, middle(NOTHING, ADVICE), ADVICE)}
    assert found["on_premise_only"].high.on_premise_only is True
    assert found["data_class"].high.data_class == "regulated"
    assert (
        found["month_budget_usd"].low.month_budget_usd.limit == ADVICE.widened.month_limit_usd.low
    )
    assert all(swing.is_unknown for swing in found.values())


def test_cases_are_joined_input_by_input() -> None:
    base = middle(NOTHING, ADVICE)
    found = {s.key: s for s in swings(NOTHING, base, ADVICE)}
    chosen = {key: found[key].high for key in ("tokens_in", "api_price", "citations")}
    case = join_cases(base, chosen)
    assert (case.tokens_in, case.citations, dict(case.points)) == (
        4000,
        True,
        {"api_price": "high"},
    )
    assert case.tokens_out == base.tokens_out


def test_every_task_has_its_labelling_time() -> None:
    assert ADVICE.labelling_minutes.keys() == {*get_args(Task), "unknown"}


@pytest.mark.parametrize("name", list(ADVICE.assumptions))
def test_every_assumption_is_a_range_in_order_with_a_source(name: str) -> None:
    found = ADVICE.assumptions[name]
    assert found.low <= found.median <= found.high
    assert found.source
    assert found.about


def test_large_numbers_are_told_without_an_exponent() -> None:
    of = spec(requests_per_month=1_000_000, fact_half_life_days=0.5)
    found = {swing.key: swing for swing in swings(of, middle(of, ADVICE), ADVICE)}
    requests, days = found["requests_per_month"], found["fact_half_life_days"]
    assert (requests.low_text, requests.high_text) == ("500,000", "2,000,000")
    assert (days.low_text, days.high_text) == ("0.25", "1")
