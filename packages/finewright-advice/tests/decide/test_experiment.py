"""The next step is the cheapest that could change the answer, with its cost."""

import math
from typing import Any

import pytest

from decide.advising import advise, exactly, hand_made, spec
from finewright_advice.decide.arms import Arm
from finewright_advice.decide.case import Case
from finewright_advice.decide.spec import UNKNOWN
from finewright_advice.judge.pairwise import DIFFERENCE, rows_needed


def test_rows_for_a_difference_of_five_points_by_the_formula() -> None:
    """(1.96 sqrt(.2) + .8416 sqrt(.2 - .0025))^2 / .0025 = 626 rows."""
    by_hand = (1.959964 * math.sqrt(0.2) + 0.841621 * math.sqrt(0.2 - 0.0025)) ** 2 / 0.0025
    assert rows_needed(DIFFERENCE, 0.2) == math.ceil(by_hand) == 626


def test_fewer_rows_show_a_larger_difference() -> None:
    assert rows_needed(0.1, 0.2) < rows_needed(0.05, 0.2) < rows_needed(0.02, 0.2)


def test_a_gap_that_nobody_measured_is_looked_at_first() -> None:
    report = advise(spec(knowledge_gap=UNKNOWN))
    step = report.experiment
    assert step is not None
    assert step.rows == 50
    assert "did not know" in step.what
    cost = next(cost for cost in report.costs if cost.arm == "prompt, api")
    assert step.usd.median == pytest.approx(50 * cost.request_usd.median)


def test_an_input_that_decides_and_can_be_asked_for_is_asked_for() -> None:
    report = advise(
        spec(
            requests_per_month=UNKNOWN,
            api_model="claude-opus-5-5",
            month_budget_usd=2000,
            weights={"month_usd": 1.0},
        )
    )
    assert next(s for s in report.swings if s.key == "requests_per_month").flips
    step = report.experiment
    assert step is not None
    assert "count a week's questions" in step.what
    assert step.usd.high == 0


CLOSE = 130


def close(case: Case, arm: Arm) -> dict[str, Any]:
    """What a model at home is less able by, an API costs more."""
    is_dear = arm == Arm("rag", "api")
    at_home = {} if arm.host == "api" else {"ability": exactly(59)}
    month = exactly(CLOSE if is_dear else 100)
    return {"request_usd": exactly(0.01), "month_usd": month, **at_home}


def test_two_arms_that_are_too_close_are_measured_on_the_same_rows() -> None:
    report = hand_made(spec(labelled_pairs=0, knowledge_gap=2), close)
    assert report.verdict == "too close, measure"
    step = report.experiment
    assert step is not None
    assert "`rag" in step.what
    assert step.rows == 626
    assert "too close" in step.why


def test_answers_of_a_machine_cost_its_hours() -> None:
    """626 answers of 3.6 s are 0.626 hours, at 730 dollars a month a dollar each."""

    def hourly(case: Case, arm: Arm) -> dict[str, Any]:
        return {
            "fixed_month_usd": exactly(730),
            "month_usd": exactly(730),
            "latency_ms": exactly(3600),
        }

    report = hand_made(spec(labelled_pairs=0, knowledge_gap=2), hourly)
    step = report.experiment
    assert step is not None
    assert step.rows == 626
    assert step.usd.median == pytest.approx(2 * 0.626)


def test_a_clear_fine_tune_is_tried_on_parts_of_its_pairs() -> None:
    report = advise(
        spec(
            knowledge_gap=0,
            behaviour_gap=3,
            labelled_pairs=5000,
            corpus_tokens=0,
            on_premise_only=True,
            hardware=["RTX 4090"],
        )
    )
    assert report.verdict == "clear"
    step = report.experiment
    assert step is not None
    assert "25, 50 and 100 %" in step.what
    assert step.usd.median < 10


def test_where_no_arm_is_left_there_is_no_step_but_to_loosen() -> None:
    report = advise(spec(on_premise_only=True, hardware="none"))
    assert report.verdict == "nothing is left"
    assert report.experiment is None
    assert report.ranking == ()
    assert "G1" in report.answer
    assert "G7" in report.answer
    assert any("loosen" in p.hint for p in report.problems)
