"""Conditions in three values, days, fines, and the rules that come with finewright."""

import itertools
from datetime import date
from pathlib import Path
from typing import get_args

import pytest

from finewright.errors import SpecError
from finewright.sdk import load_section
from finewright_trust.comply.assess import judge
from finewright_trust.comply.controls import find_regimes, regimes, uses
from finewright_trust.comply.law import (
    FineTier,
    Grace,
    facts_in,
    holds,
    in_force,
    most_it_costs,
    status,
)
from finewright_trust.comply.spec import ComplySpec, Role, SystemFacts, faults

VALUES = (True, False, None)
COMPUTED = {"roles", "use_classes", "over_third", "over_1e25", "modification_flops"}
DAY = date(2026, 12, 2)


@pytest.mark.parametrize("word", ["all", "any"])
def test_what_is_known_under_unknown_facts_stays_whatever_they_are(word: str) -> None:
    condition = {word: [{"a": True}, {"not": {"b": True}}, {"c": True, "a": True}]}
    for facts in itertools.product(VALUES, repeat=3):
        known = holds(condition, dict(zip("abc", facts, strict=True)))
        filled = itertools.product(*([v] if v is not None else [True, False] for v in facts))
        results = {holds(condition, dict(zip("abc", each, strict=True))) for each in filled}
        assert known is None or results == {known}


def test_words_of_a_list_days_and_unless() -> None:
    assert holds({"roles": ["provider"]}, {"roles": ["deployer", "provider"]}) is True
    assert holds({"roles": ["provider"]}, {"roles": ["deployer"]}) is False
    assert holds({"roles": ["provider"]}, {}) is None
    before = {"on": {"before": date(2026, 8, 2)}}
    assert holds(before, {"on": date(2026, 8, 1)}) is True
    assert holds(before, {"on": date(2026, 8, 2)}) is False
    assert holds({"unless": {"a": True}}, {}) is True
    assert holds({"unless": {"a": True}}, {"a": True}) is False


def test_a_rule_is_later_until_its_day_and_grace_needs_certainty() -> None:
    start = date(2026, 8, 2)
    assert status(True, start, date(2026, 8, 1)) == "later"
    assert status(True, start, start) == "applies"
    assert status(None, start, start) == "unknown"
    grace = [Grace(when={"old": True}, day=date(2026, 12, 2))]
    assert in_force(start, grace, {"old": True}) == date(2026, 12, 2)
    assert in_force(start, grace, {}) == start, "the earlier day, where nobody knows"


@pytest.mark.parametrize(
    ("turnover", "is_small", "most"),
    [(1e10, False, 7e8), (1e8, False, 3.5e7), (1e8, True, 7e6), (None, True, None)],
)
def test_the_higher_of_two_fines_and_for_small_companies_the_lower(
    turnover: float | None, is_small: bool, most: float | None
) -> None:
    tier = FineTier(article="99(3)", eur=35e6, turnover_share=0.07)
    assert most_it_costs(tier, {"turnover_eur": turnover, "sme": is_small}) == most


@pytest.mark.parametrize("name", [name for name, each in regimes().items() if not each.gone])
def test_rules_ask_for_facts_that_exist_and_name_their_source(name: str) -> None:
    regime = regimes()[name]
    known = {*SystemFacts.model_fields, *COMPUTED, *regime.facts}
    conditions = [regime.when, *regime.facts.values(), *(c.when for c in regime.controls)]
    conditions += [grace.when for control in regime.controls for grace in control.grace]
    assert {fact for each in conditions for fact in _all_facts(each)} <= known
    for control in regime.controls:
        assert control.evidence, control.id
        assert control.duty.endswith("."), control.id
        assert not control.fine or control.fine in regime.fines, control.id


def _all_facts(condition: dict[str, object]) -> set[str]:
    unless = condition.get("unless", {})
    assert isinstance(unless, dict)
    return facts_in(condition) | set(unless)


def test_every_use_counts_as_something_that_the_rules_know() -> None:
    classes = {"prohibited", "annex-iii", "annex-i-a", "medical-device", "annex-i-b"}
    assert {use.counts_as for use in uses().values()} == classes | {"excepted", "none"}


def test_the_page_names_every_use_and_regime() -> None:
    page = (Path(__file__).parents[4] / "docs" / "comply.md").read_text(encoding="utf-8")
    assert not [name for name in uses() if f"`{name}`" not in page]
    for regime in regimes().values():
        many = str(len(regime.controls)) if regime.controls else regime.gone.partition(" by ")[0]
        against = {"source": "the source", "copies": "copies"}[regime.reviewed_against]
        row = f"| `{regime.id}` | [{regime.title}]({regime.source}) | {many} | {regime.reviewed_at}"
        assert f"{row} | {against} | {regime.review} |" in page, row


def test_the_example_of_answers_is_read_and_names_only_what_is_known() -> None:
    path = Path(__file__).parents[4] / "examples" / "comply.yaml"
    found = load_section("comply", ComplySpec, path).spec
    assert list(faults(found)) == []
    assert found.system.on_market == date(2026, 9, 1)


def test_ids_of_controls_are_unique() -> None:
    ids = [control.id for regime in regimes().values() for control in regime.controls]
    assert len(ids) == len(set(ids))


def test_a_rescinded_regime_says_so_and_an_unknown_one_is_refused() -> None:
    with pytest.raises(SpecError, match="rescinded on 2026-04-17"):
        find_regimes(["sr-11-7"])
    with pytest.raises(SpecError, match="no regime 'eu-ai-akt'") as raised:
        find_regimes(["eu-ai-akt"])
    assert "did you mean 'eu-ai-act'?" in raised.value.hint
    assert "sr-11-7" not in [regime.id for regime in find_regimes(["all"])]


@pytest.mark.parametrize("role", get_args(Role))
def test_nothing_is_decided_by_a_role_alone_that_a_fact_could_turn(role: str) -> None:
    states = {s.id: s for s in judge(regimes()["eu-ai-act"], {"roles": [role]}, DAY)}
    assert states["R10"].status == "unknown"
    assert "uses" in states["R10"].asks
    outside = {"roles": [role], "eu_market": False}
    assert {s.status for s in judge(regimes()["eu-ai-act"], outside, DAY)} == {"no"}
