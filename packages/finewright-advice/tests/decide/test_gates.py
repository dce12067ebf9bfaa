"""Each gate does what its rule says, no more, and a dropped arm never ranks."""

from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decide.advising import (
    TODAY,
    advise,
    dropped,
    exactly,
    figures,
    hand_made,
    of_rule,
    spec,
)
from finewright.schema.cost import Range
from finewright_advice.catalog.advice import read_packaged_advice
from finewright_advice.decide.advise import Adviser
from finewright_advice.decide.arms import ARMS, Arm, Figures
from finewright_advice.decide.case import Case
from finewright_advice.decide.choice import Candidates
from finewright_advice.decide.spec import UNKNOWN
from finewright_advice.schema.money import Method

pytestmark = pytest.mark.usefixtures("few_cases")

API = {arm.name for arm in ARMS if arm.host == "api"}
TUNED = {arm.name for arm in ARMS if arm.is_tuned}
FT = {"ft, api", "ft, self-hosted"}
WITHOUT_MODEL = {arm.name for arm in ARMS if not arm.is_language_model}
LONG = {"prompt+long-context, api", "prompt+long-context, self-hosted"}


def by_rule(rule: str, **changes: Any) -> set[str]:
    found = dropped(hand_made(spec(**changes)))
    return {arm for arm, rules in found.items() if rule in rules}


def test_nothing_is_dropped_where_nothing_speaks_against_it() -> None:
    assert dropped(hand_made(spec(corpus_tokens=300_000))).keys() == WITHOUT_MODEL


def test_g1_on_premise_drops_every_api() -> None:
    assert by_rule("G1", on_premise_only=True) == API


@pytest.mark.parametrize(
    ("half_life", "gap", "found"), [(0.5, 2, FT), (0.5, 0, set()), (2, 2, set())]
)
def test_g2_volatile_facts_drop_weights_as_their_source(
    half_life: float, gap: int, found: set[str]
) -> None:
    assert by_rule("G2", fact_half_life_days=half_life, knowledge_gap=gap) == found


@pytest.mark.parametrize(("half_life", "gap", "warned"), [(1, 2, 1), (1, 0, 0), (2, 2, 0)])
def test_g2_what_changes_faster_than_documents_are_read_in_is_asked_of_its_source(
    half_life: float, gap: int, warned: int
) -> None:
    report = hand_made(spec(fact_half_life_days=half_life, knowledge_gap=gap))
    assert len(of_rule(report, "G2", "warning")) == warned


def test_g3_access_by_document_leaves_retrieval_alone() -> None:
    assert by_rule("G3", per_document_access=True) == FT | LONG
    assert by_rule("G3", erasure_duty=True) == FT
    assert by_rule("G3", erasure_duty=True, knowledge_gap=0) == set()
    (duty,) = of_rule(hand_made(spec(erasure_duty=True)), "G3", "duty")
    assert {*duty.arms} == TUNED - FT


def test_g4_citations_need_the_passages() -> None:
    without = {arm.name for arm in ARMS if not arm.has_passages}
    assert by_rule("G4", citations=True) == without


@pytest.mark.parametrize(
    ("tokens", "dropped_by_it", "warned", "advised"),
    [
        (200_000, set(), 0, 2),
        (200_001, set(), 2, 0),
        (500_000, set(), 2, 0),
        (500_001, LONG, 0, 0),
    ],
)
def test_g5_a_corpus_is_weighed_against_200k_and_half_of_the_context(
    tokens: int, dropped_by_it: set[str], warned: int, advised: int
) -> None:
    report = hand_made(spec(corpus_tokens=tokens))
    assert by_rule("G5", corpus_tokens=tokens) == dropped_by_it
    assert len(of_rule(report, "G5", "warning")) == warned
    assert len(of_rule(report, "G5", "advice")) == advised


def test_g5_without_documents_there_is_nothing_to_retrieve() -> None:
    assert by_rule("G5", corpus_tokens=0) == {arm.name for arm in ARMS if arm.has_passages}


@pytest.mark.parametrize(
    ("pairs", "is_dropped", "warned"), [(49, True, 0), (50, False, 1), (300, False, 0)]
)
def test_g6_pairs(pairs: int, is_dropped: bool, warned: int) -> None:
    assert by_rule("G6", labelled_pairs=pairs) == (TUNED if is_dropped else set())
    assert len(of_rule(hand_made(spec(labelled_pairs=pairs)), "G6", "warning")) == warned


def test_g7_what_fits_nowhere_is_dropped_with_what_would_hold_it() -> None:
    def too_large(case: Case, arm: Arm) -> dict[str, Any]:
        return {"misfit": "a larger one would hold it"} if arm.method == "ft" else {}

    found = dropped(hand_made(spec(), too_large))
    assert {arm for arm, rules in found.items() if "G7" in rules} == FT


@pytest.mark.parametrize(("hardware", "warned"), [("none", 1), ([], 1), (["L4"], 0)])
def test_g7_on_premise_the_small_machine_of_a_classifier_must_be_yours_too(
    hardware: object, warned: int
) -> None:
    of = spec(task="classify", on_premise_only=True, hardware=hardware)
    found = [f for f in of_rule(advise(of), "G7", "warning") if "classifier, self-hosted" in f.arms]
    assert len(found) == warned


@pytest.mark.parametrize(
    ("knowledge", "behaviour", "warned"), [(2, 1, 1), (3, 0, 1), (2, 2, 0), (1, 0, 0)]
)
def test_g8_facts_by_training(knowledge: int, behaviour: int, warned: int) -> None:
    report = hand_made(spec(knowledge_gap=knowledge, behaviour_gap=behaviour))
    assert len(of_rule(report, "G8", "warning")) == warned


@pytest.mark.parametrize("can", [False, None])
def test_g9_a_model_that_cannot_be_fine_tuned_is_not(can: bool | None) -> None:
    report = hand_made(spec(), lambda case, arm: {"can_fine_tune": can})
    assert {a for a, rules in dropped(report).items() if "G9" in rules} == {
        "ft, api",
        "rag+ft, api",
    }


def test_g10_adds_duties_and_no_score() -> None:
    plain, risky = (hand_made(spec(domain=d)) for d in ("other", "employment"))
    assert [r.score for r in plain.ranking] == [r.score for r in risky.ranking]
    more = {f.reason for f in of_rule(risky, "G10", "duty")} - {
        f.reason for f in of_rule(plain, "G10", "duty")
    }
    assert any(reason.startswith("Article 6(2), Annex III, from 2027-12-02 on") for reason in more)


def test_g10_what_is_forbidden_leaves_nothing() -> None:
    report = hand_made(spec(domain="social-scoring"))
    assert report.verdict == "nothing is left"
    (found,) = of_rule(report, "G10", "dropped")
    assert "35 million EUR or 7 %" in found.reason


def test_g11_over_a_limit_in_the_middle_is_out_and_only_if_the_limit_was_stated() -> None:
    def dear(case: Case, arm: Arm) -> dict[str, Any]:
        month = Range(low=900.0, median=1000.4, high=1100.0)
        return {"month_usd": month} if arm.host == "self-hosted" else {}

    report = hand_made(spec(month_budget_usd=1000), dear)
    found = {a for a, rules in dropped(report).items() if "G11" in rules}
    assert found == {a.name for a in ARMS} - API - LONG - {"classifier, self-hosted"}
    first = of_rule(report, "G11", "dropped")[0]
    assert first.reason == "takes 1,000.4 USD a month, over your limit of 1,000.0; at best 900"
    assert dropped(hand_made(spec(month_budget_usd=UNKNOWN), dear)).keys() <= LONG | WITHOUT_MODEL


def test_where_limits_leave_nothing_the_nearest_arm_and_its_limit_are_told() -> None:
    def dear(case: Case, arm: Arm) -> dict[str, Any]:
        return {
            "month_usd": exactly(1200),
            "latency_ms": exactly(100 if arm.host == "api" else 9e6),
        }

    report = hand_made(spec(month_budget_usd=1000), dear)
    assert report.verdict == "nothing is left"
    assert (
        "nearest is prompt, api with gpt-6-luna, which takes 1,200 USD a month, over your limit of 1,000"
        in report.answer
    )


def test_the_nearest_is_the_cheapest_model_that_was_tried_not_the_best() -> None:
    months = {"able": 90_000, "cheap": 1100, "own": 5000}

    def figures_of(case: Case) -> dict[Arm, Figures]:
        names = {arm: case.models.get(arm.name, "own") for arm in ARMS}
        return {
            arm: figures(
                arm,
                model=name,
                month_usd=exactly(months[name]),
                ability=exactly(90 if name == "able" else 40),
            )
            for arm, name in names.items()
        }

    of = spec(api_model=UNKNOWN, base_model=UNKNOWN, month_budget_usd=1000, knowledge_gap=0)
    several = Candidates(("able", "cheap"), ("own",))
    report = Adviser(read_packaged_advice(), figures_of, "hand", TODAY, several).advise("test", of)
    wanted = "api with cheap, which takes 1,100 USD a month, over your limit of 1,000"
    assert report.answer.endswith(wanted)


def test_g11_says_no_figure_of_an_arm_that_cannot_be() -> None:
    dear = {"month_usd": exactly(5_000)}
    report = hand_made(spec(corpus_tokens=0, month_budget_usd=100), lambda case, arm: dear)
    over = {arm for f in of_rule(report, "G11", "dropped") for arm in f.arms}
    assert over == {arm.name for arm in ARMS if arm.method in ("prompt", "ft", "rule")}


def test_g12_each_arm_must_fit_its_own_context() -> None:
    def long(case: Case, arm: Arm) -> dict[str, Any]:
        return {
            "request_tokens": 90_250,
            "context_tokens": 32_768 if arm.host == "self-hosted" else 1_000_000,
        }

    report = hand_made(spec(tokens_in=90_000), long)
    assert {a for a, rules in dropped(report).items() if "G12" in rules} == {
        a.name for a in ARMS
    } - API
    assert report.winner.endswith(", api")


def test_g13_a_rule_and_a_classifier_are_options_where_the_spec_says_so() -> None:
    assert by_rule("G13", rule_share=0.95) == {"classifier, self-hosted"}
    assert by_rule("G13", task="classify", rule_share=0.5) == {"rule, self-hosted"}
    assert by_rule("G13", task="classify", labelled_pairs=10) == WITHOUT_MODEL


def test_g15_a_model_that_was_not_made_for_a_language_is_out() -> None:
    def made_for(case: Case, arm: Arm) -> dict[str, Any]:
        return {"languages": ("en", "de") if arm.host == "self-hosted" else None}

    found = dropped(hand_made(spec(languages=["de", "ja"]), made_for))
    assert {a for a, rules in found.items() if "G15" in rules} == {a.name for a in ARMS} - API


def test_an_unknown_that_would_drop_arms_is_told_as_such() -> None:
    report = hand_made(spec(on_premise_only=UNKNOWN))
    (finding,) = (f for f in report.findings if f.rule == "G1")
    assert not finding.certain
    assert finding.reason.startswith("if on_premise_only is true: ")
    assert {r.arm for r in report.ranking} >= {"prompt, api", "rag, api"}


def test_every_rule_has_a_title_and_a_source_with_a_day() -> None:
    advice = read_packaged_advice()
    assert list(advice.rules) == [f"G{i}" for i in range(1, 20)]
    for rule in advice.rules.values():
        assert rule.title
        assert all(advice.sources[name].observed_at.year >= 2026 for name in rule.sources)


@settings(max_examples=25)
@given(
    st.fixed_dictionaries(
        {
            "knowledge_gap": st.integers(0, 3),
            "behaviour_gap": st.integers(0, 3),
            "fact_half_life_days": st.sampled_from([0.5, 30, 1000]),
            "corpus_tokens": st.sampled_from([0, 100_000, 10_000_000]),
            "labelled_pairs": st.sampled_from([0, 100, 5000]),
            "citations": st.booleans(),
            "per_document_access": st.booleans(),
            "erasure_duty": st.booleans(),
            "on_premise_only": st.booleans(),
        }
    )
)
def test_a_dropped_arm_never_ranks_and_every_arm_ranks_or_is_dropped(
    inputs: dict[str, Any],
) -> None:
    report = hand_made(spec(**inputs))
    ranked = {row.arm for row in report.ranking}
    assert ranked.isdisjoint(dropped(report))
    assert ranked | dropped(report).keys() == {arm.name for arm in ARMS}
    assert all(finding.reason and finding.sources for finding in report.findings)


def test_there_are_five_methods_at_two_hosts_and_two_without_a_language_model() -> None:
    assert {arm.method for arm in ARMS} == {*get_args(Method)}
    assert len(ARMS) == 12


def test_a_document_that_comes_with_each_request_is_in_its_prompt_whatever_the_method() -> None:
    """60,800 tokens at 0.10 dollars a million, and 250 at 0.50."""
    few = {"corpus_tokens": 0, "citations": True, "knowledge_gap": 0}
    without = advise(spec(**few))
    report = advise(spec(**few, document_tokens=60_000))
    assert "G4" in dropped(without)["prompt, api"]
    assert "G4" not in dropped(report).get("prompt, api", set())
    cost = next(cost for cost in report.costs if cost.arm == "prompt, api")
    assert cost.request_usd.median == pytest.approx((60_800 * 0.1 + 250 * 0.5) / 1e6)
    beyond = advise(spec(document_tokens=2_000_000))
    assert "G12" in dropped(beyond)["prompt, api"]
    assert not next(cost for cost in beyond.costs if cost.arm == "prompt, api").is_possible


def test_an_arm_that_cannot_be_has_no_figures_and_one_that_may_not_has() -> None:
    report = advise(spec(corpus_tokens=0, labelled_pairs=10))
    costs = {cost.arm: cost for cost in report.costs}
    assert not costs["rag, api"].is_possible
    assert costs["rag, api"].how == ()
    assert costs["ft, self-hosted"].is_possible
    assert costs["ft, self-hosted"].dropped == ("G6",)
    assert costs["ft, self-hosted"].how


def test_a_linear_head_learns_from_what_a_teacher_labels() -> None:
    labels = {"task": "classify", "output": "label", "labelled_pairs": 0, "corpus_tokens": 0}
    without, taught = (advise(spec(**labels, unlabelled_inputs=n)) for n in (0, 50_000))
    name = "classifier, self-hosted"
    assert "G13" in dropped(without)[name]
    assert name not in dropped(taught)
    costs = {cost.arm: cost for cost in taught.costs}
    request_usd = costs["prompt, api"].request_usd.median
    most = read_packaged_advice().assumptions["pairs_wanted"].high
    assert costs[name].once_usd.median == pytest.approx(most * request_usd)
