"""Where the lines of cost cross, worked out by hand and seen on the curves."""

from typing import Any

import pytest

from decide.advising import advise, exactly, hand_made, spec
from finewright.report.show import text_of
from finewright_advice.decide.arms import Arm, Machines
from finewright_advice.decide.case import Case
from finewright_advice.estimate.money import MachineSteps, ScaleToZero

pytestmark = pytest.mark.usefixtures("few_cases")


def priced(case: Case, arm: Arm) -> dict[str, Any]:
    """A machine of 300 a month and 1,200 at first, against an API at 2 cents a request."""
    if arm.host == "self-hosted":
        month = exactly(300)
        return {"month_usd": month, "fixed_month_usd": month, "once_usd": exactly(1200)}
    request = exactly(0.02)
    return {"request_usd": request, "month_usd": exactly(0.02 * case.requests_per_month)}


def test_break_even_by_hand() -> None:
    """(300 + 1,200 / 12 months) / 0.02 = 20,000 requests."""
    report = hand_made(spec(horizon_months=12), priced)
    found = next(each for each in report.break_even if each.method == "prompt")
    assert found.requests_per_month is not None
    assert found.requests_per_month.median == pytest.approx(20_000)


def test_the_curves_cross_between_the_volumes_around_it() -> None:
    report = hand_made(spec(horizon_months=12, labelled_pairs=0), priced)
    by_arm = {curve.arm: dict(curve.usd_by_requests) for curve in report.curves}
    for volume in by_arm["rag, api"]:
        assert (by_arm["rag, api"][volume] > by_arm["rag, self-hosted"][volume]) == (
            volume > 15_000
        )


def test_an_api_that_costs_nothing_is_never_beaten() -> None:
    report = hand_made(spec())
    assert {each.requests_per_month for each in report.break_even} == {None}


def test_a_method_with_one_host_left_has_no_break_even() -> None:
    report = hand_made(spec(on_premise_only=True), priced)
    assert report.break_even == ()


def stepped(price: float) -> Any:
    """Machines of 300 a month that carry 20,000 requests each, against an API at this price a request."""

    def make(case: Case, arm: Arm) -> dict[str, Any]:
        if arm.host == "self-hosted":
            machines = Machines(MachineSteps(exactly(300), exactly(20_000)), float("inf"))
            return {"machines": machines, "fixed_month_usd": exactly(300), "once_usd": exactly(0)}
        return {"request_usd": exactly(price)}

    return make


def test_break_even_stands_on_whole_machines() -> None:
    """At 2 cents k machines pay off from 15,000 k requests on, and from 20,000 (k - 1) on k are needed: the
    third is needed from 40,000 on and pays off from 45,000, the fourth at once from 60,000."""
    report = hand_made(spec(labelled_pairs=0), stepped(0.02))
    found = next(each for each in report.break_even if each.method == "prompt")
    assert found.requests_per_month is not None
    assert found.requests_per_month.median == pytest.approx(45_000)
    curve = next(dict(each.usd_by_requests) for each in report.curves if "self" in each.arm)
    assert curve[10_000] == 300
    assert curve[100_000] == 5 * 300


def test_a_full_machine_that_is_dearer_than_the_api_never_pays_off() -> None:
    report = hand_made(spec(labelled_pairs=0), stepped(0.014))
    found = next(each for each in report.break_even if each.method == "prompt")
    assert found.requests_per_month is None
    assert "full costs 15 USD for 1,000 requests, and the API 14" in found.reason


def test_a_machine_that_scales_to_zero_is_paid_as_one_of_all_month_at_the_most() -> None:
    """What a request costs at 1,000 of them is not what it costs at five millions."""
    rare, busy = (
        advise(
            spec(
                requests_per_month=n, latency_p95_ms=120_000, api_model="gpt-4.1", labelled_pairs=0
            )
        )
        for n in (1000, 5_000_000)
    )
    one, many = (
        next(dict(c.usd_by_requests) for c in each.curves if c.arm == "prompt, self-hosted")
        for each in (rare, busy)
    )
    assert one[1000] < 0.5 * many[1000]
    assert one[5_000_000] == pytest.approx(many[5_000_000], rel=0.5)
    found = next(each for each in rare.break_even if each.method == "prompt")
    assert found.requests_per_month is not None, found.reason


def test_what_is_cheaper_from_the_first_request_on_is_so_at_any_volume() -> None:
    """Each request keeps a worker of 1 USD an hour up for 70 s, 2 cents, against 10 at the API."""
    idle = ScaleToZero(exactly(1), 60, exactly(10), exactly(20_000))

    def make(case: Case, arm: Arm) -> dict[str, Any]:
        whole = stepped(0.1)(case, arm)
        return {**whole, "idle": idle} if arm.host == "self-hosted" else whole

    report = hand_made(spec(labelled_pairs=0), make)
    found = next(each for each in report.break_even if each.method == "prompt")
    assert found.requests_per_month == exactly(0)
    text = text_of(report)
    assert "prompt: self-hosted is cheaper at any volume; " in text


def test_no_age_is_said_of_facts_that_are_not_there() -> None:
    report = hand_made(spec())
    assert report.facts.oldest is None
    text = text_of(report)
    assert "days ago" not in text
    assert "each assumption has its own day" in text
