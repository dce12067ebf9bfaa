"""The smallest weight change is where the winner changes, and the shares of wins behave as shares do."""

import random
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from decide.advising import advise, exactly, hand_made, only_middle, spec
from finewright_advice.catalog.advice import read_packaged_advice
from finewright_advice.decide.arms import ARMS, Arm
from finewright_advice.decide.case import Case, middle, swings
from finewright_advice.decide.choice import ranking, score, weights_of
from finewright_advice.decide.criteria import CRITERIA, Utilities
from finewright_advice.decide.sensitivity import (
    ArmStanding,
    Contender,
    Shares,
    draw_case,
    draw_weights,
    flips,
    lead,
    tornado,
    win_shares,
)
from finewright_advice.decide.spec import UNKNOWN, DecideSpec
from finewright_advice.schema.money import Criterion

BASE = middle(spec(), read_packaged_advice())
SWINGS = tuple(swings(spec(), BASE, read_packaged_advice()))
UNIT = st.floats(0, 1, allow_nan=False, allow_subnormal=False)


def reweighted(weights, name, value):
    """The weights with one set, the others in their old proportions, summing to 1."""
    rest = 1 - weights[name]
    return {
        other: value if other == name else weights[other] * (1 - value) / rest for other in CRITERIA
    }


def same(**values: float) -> Utilities:
    return {name: values.get(name, 0.5) for name in CRITERIA}


def with_one_model(table: dict[Arm, Utilities]) -> list[Contender]:
    return [Contender(arm, "a model", table[arm]) for arm in ARMS if arm in table]


def shares(weights: dict[Criterion, float], utilities: dict[Arm, Utilities]) -> Shares:
    return win_shares(weights, BASE, SWINGS, lambda case: with_one_model(utilities))


@st.composite
def tables(draw: st.DrawFn) -> dict[Arm, Utilities]:
    arms = draw(st.lists(st.sampled_from(ARMS), min_size=2, max_size=5, unique=True))
    return {arm: {name: draw(UNIT) for name in CRITERIA} for arm in arms}


@st.composite
def weightings(draw: st.DrawFn) -> dict[Criterion, float]:
    raw = [draw(st.floats(0.01, 1)) for _ in CRITERIA]
    return {name: value / sum(raw) for name, value in zip(CRITERIA, raw, strict=True)}


def test_the_smallest_change_of_a_weight_by_hand() -> None:
    """Two criteria that differ: 0.6 x 0.2 against 0.4 x 0.1, so they meet at x 0.2 = (1 - x) 0.1: x = 1/3."""
    one, other = ARMS[0], ARMS[1]
    weights = {name: {"quality": 0.6, "month_usd": 0.4}.get(name, 0.0) for name in CRITERIA}
    table = {one: same(quality=0.7, month_usd=0.5), other: same(quality=0.5, month_usd=0.6)}
    found = {flip.criterion: flip for flip in flips(weights, with_one_model(table))}
    assert found.keys() == {"quality", "month_usd"}
    assert {flip.new_winner for flip in found.values()} == {other.name}
    assert found["quality"].needed == pytest.approx(1 / 3)
    assert found["quality"].change == pytest.approx(1 / 3 - 0.6)
    assert found["month_usd"].needed == pytest.approx(2 / 3)


def test_an_arm_that_takes_another_model_keeps_its_first_place_for_longer() -> None:
    """With the dear model alone the rival wins from x 0.2 = (1 - x) 0.4 on, at x = 2/3 of the money's
    weight; but from 0.643 on the arm's cheap model is before the rival, from 0.659 on before the dear one."""
    one, other = ARMS[0], ARMS[1]
    weights = {name: {"quality": 0.6, "month_usd": 0.4}.get(name, 0.0) for name in CRITERIA}
    dear = Contender(one, "dear", same(quality=0.9, month_usd=0.3))
    cheap = Contender(one, "cheap", same(quality=0.32, month_usd=0.6))
    rival = Contender(other, "rival", same(quality=0.5, month_usd=0.5))
    alone = {flip.criterion: flip.needed for flip in flips(weights, [dear, rival])}
    assert alone["month_usd"] == pytest.approx(2 / 3)
    assert flips(weights, [dear, cheap, rival]) == []
    better = rival._replace(utilities=same(quality=0.55, month_usd=0.5))
    found = {flip.criterion: flip for flip in flips(weights, [dear, cheap, better])}
    assert found["month_usd"].needed == pytest.approx(0.35 / 0.55)
    assert {flip.model for flip in found.values()} == {"rival"}


@settings(max_examples=200)
@given(tables(), weightings())
def test_the_ranking_just_before_the_change_has_the_old_winner_and_just_after_it_the_new(
    table: dict[Arm, Utilities], weights: dict[Criterion, float]
) -> None:
    order = ranking(weights, table)
    assume(order[0].score - order[1].score > 1e-6)
    winner = order[0].arm
    for flip in flips(weights, with_one_model(table)):
        step = 1e-7 if flip.change > 0 else -1e-7
        before = reweighted(weights, flip.criterion, flip.needed - step)
        assert ranking(before, table)[0].score - score(before, table[winner]) < 1e-6
        after = reweighted(weights, flip.criterion, flip.needed + step)
        new = next(arm for arm in table if arm.name == flip.new_winner)
        assert score(after, table[new]) > score(after, table[winner]) - 1e-12
        assert ranking(after, table)[0].score - score(after, table[new]) < 1e-6


@settings(max_examples=100)
@given(tables(), weightings())
def test_no_smaller_change_of_a_weight_flips_the_winner(
    table: dict[Arm, Utilities], weights: dict[Criterion, float]
) -> None:
    order = ranking(weights, table)
    assume(order[0].score - order[1].score > 1e-6)
    smallest = {flip.criterion: abs(flip.change) for flip in flips(weights, with_one_model(table))}
    for name in CRITERIA:
        reach = smallest.get(name, 1.0)
        for share in (-0.99, -0.5, 0.5, 0.99):
            value = weights[name] + share * reach
            if 0 <= value < 1:
                now = ranking(reweighted(weights, name, value), table)
                top = score(reweighted(weights, name, value), table[order[0].arm])
                assert now[0].score - top < 1e-9


@given(weightings(), st.sampled_from(CRITERIA), UNIT)
def test_reweighting_keeps_the_sum_and_the_others_proportions(
    weights: dict[Criterion, float], name: Criterion, value: float
) -> None:
    changed = reweighted(weights, name, value)
    assert sum(changed.values()) == pytest.approx(1)
    assert changed[name] == value
    others = [other for other in CRITERIA if other != name]
    for one, two in pairwise(others):
        assert changed[one] * weights[two] == pytest.approx(changed[two] * weights[one])


def test_the_shares_sum_to_one_whatever_is_unknown() -> None:
    for of in (spec(), DecideSpec(), spec(on_premise_only=UNKNOWN, citations=UNKNOWN)):
        report = advise(of)
        assert sum(report.win_shares.values()) + report.none_share == pytest.approx(1)
        assert all(row.win_share == report.win_shares[row.arm] for row in report.ranking)
    nothing = win_shares(weights_of(spec(), read_packaged_advice()), BASE, SWINGS, lambda case: [])
    assert nothing.none == 1
    some = win_shares(
        weights_of(spec(), read_packaged_advice()),
        BASE,
        SWINGS,
        lambda case: [] if case.points else [Contender(ARMS[0], "a model", same())],
    )
    assert sum(some.wins.values()) + some.none == pytest.approx(1)
    assert 0 < some.none < 1


@settings(max_examples=15)
@given(tables(), weightings(), st.sampled_from(CRITERIA), st.floats(1.1, 5))
def test_raising_a_weight_never_lowers_the_share_of_the_arm_that_is_best_by_it(
    table: dict[Arm, Utilities], weights: dict[Criterion, float], name: Criterion, by: float
) -> None:
    best = max(table, key=lambda arm: table[arm][name])
    raised = {key: value * (by if key == name else 1) for key, value in weights.items()}
    whole = sum(raised.values())
    after = shares({key: value / whole for key, value in raised.items()}, table)
    assert after.wins[best] >= shares(weights, table).wins[best] - 1e-12


def test_an_arm_that_is_best_by_everything_always_wins_and_a_worse_one_never() -> None:
    weights = weights_of(spec(), read_packaged_advice())
    table = {ARMS[0]: same(), ARMS[3]: dict.fromkeys(CRITERIA, 0.9)}
    found = shares(weights, table)
    assert found.wins[ARMS[3]] == 1
    assert found.wins[ARMS[0]] == 0


def test_the_drawn_weights_have_the_given_ones_as_their_mean_and_vary_by_half() -> None:
    """A Gamma variable of shape 4 has mean 4 and standard deviation 2."""
    weights = weights_of(spec(), read_packaged_advice())
    rng = random.Random(7)  # noqa: S311 - no secret
    draws = [draw_weights(weights, rng)[0] for _ in range(20_000)]
    mean = sum(draws) / len(draws)
    spread = (sum((draw - mean) ** 2 for draw in draws) / len(draws)) ** 0.5
    assert mean == pytest.approx(4 * weights["quality"], rel=0.02)
    assert spread == pytest.approx(2 * weights["quality"], rel=0.03)


def test_the_tornado_has_what_moves_the_lead_largest_first() -> None:
    weights = weights_of(spec(), read_packaged_advice())

    def utilities_of(case: Case) -> dict[Arm, Utilities]:
        moved = case.tokens_in / 16_000 + case.labelled_pairs / 200_000
        return {ARMS[0]: same(quality=0.6), ARMS[1]: same(quality=0.5 + moved)}

    def best_in(case: Case) -> dict[Arm, ArmStanding]:
        model = "another" if case.tokens_in > BASE.tokens_in else ""
        return {arm: ArmStanding(of, model) for arm, of in utilities_of(case).items()}

    found = tornado(weights, ARMS[0], SWINGS, best_in)
    assert (found[0].low_model, found[0].high_model) == ("", "another")
    assert [swing.key for swing in found] == ["tokens_in", "labelled_pairs"]
    first = found[0]
    assert (first.low, first.high, first.is_unknown) == ("400", "1,600", False)
    low = utilities_of(replace(BASE, tokens_in=400.0))
    assert first.low_lead == pytest.approx(lead(weights, ARMS[0], low))
    assert first.high_lead is not None
    assert not first.flips or first.high_lead < 0


def dear_at_home(case: Case, arm: Arm) -> dict[str, Any]:
    return {"month_usd": exactly(900)} if arm.host == "self-hosted" else {}


def test_an_input_that_drops_the_first_choice_leads_the_tornado() -> None:
    report = hand_made(
        spec(on_premise_only=UNKNOWN, knowledge_gap=3, labelled_pairs=0), dear_at_home
    )
    assert report.winner.endswith("api")
    swing = next(s for s in report.swings if s.key == "on_premise_only")
    assert swing.high_lead is None
    assert swing.flips
    assert swing.high_winner.endswith("self-hosted")


def test_a_lead_is_none_for_an_arm_that_is_not_there() -> None:
    weights = weights_of(spec(), read_packaged_advice())
    assert lead(weights, ARMS[1], {ARMS[0]: same()}) is None
    assert lead(weights, ARMS[0], {ARMS[0]: same()}) == pytest.approx(0.5)


CLAIMS = ("citations", "per_document_access", "erasure_duty")


@settings(max_examples=40)
@given(
    st.fixed_dictionaries(
        {
            "task": st.sampled_from(["classify", "extract", "answer"]),
            "output": st.sampled_from(["label", "json", "text"]),
            "corpus_tokens": st.sampled_from([0, 100_000, 5_000_000]),
            "document_tokens": st.sampled_from([0, 2000]),
            "knowledge_gap": st.sampled_from([0, 2]),
            "data_class": st.sampled_from([UNKNOWN, "internal"]),
            "on_premise_only": st.sampled_from([UNKNOWN, False]),
        }
    ),
    st.sets(st.sampled_from(CLAIMS)),
)
def test_no_draw_leaves_nothing_where_every_possible_answer_leaves_an_arm(
    stated: dict[str, Any], unknown: set[str]
) -> None:
    """Every combination of the answers is asked for itself: a label cites nothing, and where there are no
    documents none has rules, rights or a name."""
    asked = spec(**stated, hardware=UNKNOWN, **dict.fromkeys(unknown, UNKNOWN))
    open_claims = [*unknown, *(k for k in ("on_premise_only",) if stated[k] == UNKNOWN)]
    documents = stated["corpus_tokens"] > 0
    is_label = stated["task"] == "classify" or stated["output"] == "label"
    has_passages = documents or stated["document_tokens"] > 0
    truths = []
    for values in product((False, True), repeat=len(open_claims)):
        answers = dict(zip(open_claims, values, strict=True))
        cites = answers.get("citations", False)
        rights = answers.get("per_document_access", False) or answers.get("erasure_duty", False)
        if (cites and (is_label or not has_passages)) or (rights and not documents):
            continue
        with only_middle():
            truths.append(hand_made(spec(**{**stated, "hardware": UNKNOWN, **answers})))
    assume(all(report.ranking for report in truths))
    assert hand_made(asked).none_share == 0


def test_citations_of_a_label_are_not_tried() -> None:
    labels = {"task": "classify", "output": "label", "labels": 10, "labelled_pairs": 2000}
    report = advise(spec(**labels, knowledge_gap=0, corpus_tokens=0, citations=UNKNOWN))
    assert report.none_share == 0
    assert "citations" not in {swing.key for swing in report.swings}
    assert not any(f.rule == "G4" for f in report.findings)


def test_what_is_stated_is_believed_though_it_hardly_goes_together() -> None:
    """Who says that labels cite their source is told what drops every arm, in all draws."""
    labels = {"task": "classify", "output": "label", "knowledge_gap": 0, "corpus_tokens": 0}
    report = hand_made(spec(**labels, citations=True))
    assert report.none_share == 1


@pytest.mark.parametrize("seed", range(3))
def test_a_claim_is_true_in_a_quarter_of_the_draws(seed: int) -> None:
    of = spec(citations=UNKNOWN)
    base = middle(of, read_packaged_advice())
    found = [swing for swing in swings(of, base, read_packaged_advice()) if swing.is_unknown]
    rng = random.Random(seed)  # noqa: S311 - no secret
    drawn = [draw_case(base, found, rng).citations for _ in range(4000)]
    assert sum(drawn) / len(drawn) == pytest.approx(0.25, abs=0.03)
