"""Utilities are 1 at the target and 0 at the limit, and quality follows the gaps."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decide.advising import exactly, figures, spec
from finewright_advice.catalog.advice import read_packaged_advice
from finewright_advice.decide.arms import ARMS, Arm
from finewright_advice.decide.case import middle
from finewright_advice.decide.choice import weights_of
from finewright_advice.decide.criteria import CRITERIA, utilities, utility
from finewright_advice.schema.money import Method

ADVICE = read_packaged_advice()


def of(arm: Arm, measured: dict[Method, float] | None = None, **changes: Any) -> dict[str, float]:
    case = middle(spec(**changes), ADVICE)
    return dict(utilities(case, arm, figures(arm), ADVICE, measured or {}))


@pytest.mark.parametrize(
    ("value", "found"), [(0, 1), (2, 1), (4, 0.75), (6, 0.5), (10, 0), (99, 0)]
)
def test_a_straight_line_from_target_to_limit(value: float, found: float) -> None:
    assert utility(value, 2, 10) == pytest.approx(found)


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_less_is_never_worth_less(one: float, two: float) -> None:
    assert utility(min(one, two), 10, 1e5) >= utility(max(one, two), 10, 1e5)


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_every_utility_is_between_0_and_1(arm: Arm) -> None:
    for gap in (0, 3):
        found = of(arm, knowledge_gap=gap, behaviour_gap=gap, data_class="regulated")
        assert list(found) == list(CRITERIA)
        assert all(0 <= value <= 1 for value in found.values())


def test_without_gaps_every_method_at_an_api_is_as_good() -> None:
    found = {
        of(arm, knowledge_gap=0, behaviour_gap=0)["quality"] for arm in ARMS if arm.host == "api"
    }
    assert min(found) > 0.99  # the plain figures' model finds nothing hard


def test_knowledge_is_closed_by_documents_and_behaviour_by_training() -> None:
    def quality(method: Method, **gaps: int) -> float:
        return of(Arm(method, "api"), labelled_pairs=5000, **gaps)["quality"]

    know, act = {"knowledge_gap": 3, "behaviour_gap": 0}, {"knowledge_gap": 0, "behaviour_gap": 3}
    assert quality("rag", **know) > quality("ft", **know) > quality("prompt", **know)
    assert quality("ft", **act) > quality("rag", **act) == quality("prompt", **act)
    both = {"knowledge_gap": 3, "behaviour_gap": 3}
    assert quality("rag+ft", **both) > max(quality("rag", **both), quality("ft", **both))


def test_a_fine_tune_gains_with_pairs_from_50_to_5000() -> None:
    arm, act = Arm("ft", "self-hosted"), {"knowledge_gap": 0, "behaviour_gap": 3}
    found = [of(arm, labelled_pairs=n, **act)["quality"] for n in (50, 500, 5000, 50_000)]
    assert found[0] < found[1] < found[2] == found[3]
    # A factor of ten is half of the way from 50 to 5,000, and half of the gain.
    assert found[1] - found[0] == pytest.approx(found[2] - found[1], rel=0.01)


def test_what_was_measured_stands_in_place_of_the_prior() -> None:
    assert of(Arm("rag", "self-hosted"), {"rag": 0.31})["quality"] == 0.31


def test_latency_and_money_take_the_end_of_the_range_that_the_case_says() -> None:
    arm = Arm("rag", "api")
    wide = exactly(0).model_copy(update={"low": 100.0, "median": 500.0, "high": 900.0})
    case = middle(spec(month_budget_usd=1000), ADVICE)
    for point, found in (("low", 0.9), ("median", 0.5), ("high", 0.1)):
        there = replace(case, points={"api_price": point})
        got = utilities(there, arm, figures(arm, month_usd=wide), ADVICE, {})
        assert got["month_usd"] == pytest.approx(found)


@pytest.mark.parametrize("place", ["api", "rented", "own"])
def test_privacy_falls_with_the_class_of_the_data_except_at_home(place: str) -> None:
    arm = Arm("prompt", "api" if place == "api" else "self-hosted")
    found = []
    for kind in ("public", "internal", "confidential", "regulated"):
        case = middle(spec(data_class=kind), ADVICE)
        got = utilities(case, arm, figures(arm, place=place), ADVICE, {})
        found.append(got["privacy"])
    assert found == sorted(found, reverse=True)
    assert (place == "own") == (len(set(found)) == 1)


def test_weights_are_the_profiles_with_the_users_own_in_their_place() -> None:
    plain, own = (
        weights_of(spec(profile="edge", **w), ADVICE) for w in ({}, {"weights": {"privacy": 0}})
    )
    assert sum(own.values()) == pytest.approx(1)
    assert own["privacy"] == 0
    assert own["latency"] / own["quality"] == pytest.approx(plain["latency"] / plain["quality"])


def test_the_profiles_care_for_what_they_say() -> None:
    profiles = {name: each.weights for name, each in ADVICE.profiles.items()}
    assert max(profiles, key=lambda name: profiles[name]["privacy"]) == "regulated"
    assert max(profiles, key=lambda name: profiles[name]["latency"]) == "edge"
    assert max(profiles, key=lambda name: profiles[name]["month_usd"]) == "startup"
    assert max(profiles, key=lambda name: profiles[name]["update_delay"]) == "support-bot"
