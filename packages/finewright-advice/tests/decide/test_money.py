"""Hosts, batches, machines that scale to zero, and people's time: what they cost, and for whom."""

import math
from datetime import date
from pathlib import Path

import pytest

from decide.advising import TODAY, advise, dropped, exactly, of_rule, spec
from finewright.catalog.prices import api_named, read_packaged_prices
from finewright.report.show import text_of
from finewright.schema.catalog import API, Machine
from finewright.schema.cost import Range
from finewright_advice.catalog.advice import read_packaged_advice
from finewright_advice.decide.arms import Arm
from finewright_advice.decide.case import middle
from finewright_advice.decide.facts import Facts, market_with, trust_of
from finewright_advice.decide.figures import figures_with
from finewright_advice.decide.models import models_of
from finewright_advice.decide.packaged import adviser_for, collect_known_names
from finewright_advice.decide.results import ArmCost, DecideReport
from finewright_advice.decide.scale_to_zero import seat_on_serverless, workers
from finewright_advice.decide.serving import Demand, Need, month_usd, seat_model
from finewright_advice.decide.training import hosts_of, run_at

pytestmark = pytest.mark.usefixtures("few_cases")

PRICES = read_packaged_prices()
TAKEN = {
    name: Range(low=a.low, median=a.median, high=a.high)
    for name, a in read_packaged_advice().assumptions.items()
}
MODELS = models_of("unknown", Path, TODAY)
FACTS = Facts(PRICES, read_packaged_advice(), MODELS, TODAY)
NEED = Need(600, 0, 200, 1)
MONTH_SECONDS = 730 * 3600


def cost_of(report: DecideReport, arm: str) -> ArmCost:
    return next(cost for cost in report.costs if cost.arm == arm)


def demand(requests: float) -> Demand:
    return Demand(requests, 4, 128, TAKEN["prefill_utilisation"], TAKEN["decode_efficiency"])


def test_a_worker_is_paid_while_it_works_waits_and_starts() -> None:
    """By hand: 1,000 requests a month are one in 44 minutes, so that nearly each of them finds it off."""
    model = models_of("unknown", Path, PRICES.apis[0].observed_at)["Qwen2.5-7B"]
    hosts = market_with(PRICES)(12, False).serving
    seat = seat_model(model, NEED, hosts, demand(1000))
    assert seat is not None
    idle = seat_on_serverless(model, NEED, workers(PRICES), demand(1000), TAKEN, seat)
    assert idle is not None
    rate = 1000 / MONTH_SECONDS
    answer = (idle.latency_ms.median - 1000 * idle.start_seconds.median) / 1000
    cold = math.exp(-rate * (answer + TAKEN["idle_seconds"].median))
    assert idle.cold_share == pytest.approx(cold)
    assert idle.cold_share > 0.95
    hours = 730 * (1 - cold) + 1000 * cold * idle.start_seconds.median / 3600
    assert idle.hours == pytest.approx(hours)
    price = idle.seat.served.host.usd_per_hour.median
    assert idle.month_usd.median == pytest.approx(hours * price)
    assert idle.month_usd.median < month_usd(seat).median


def test_a_busy_model_is_not_served_by_the_second() -> None:
    busy, rare = (
        cost_of(advise(spec(requests_per_month=n, latency_p95_ms=120_000)), "prompt, self-hosted")
        for n in (3_000_000, 300)
    )
    assert "scales to zero" not in busy.how[0]
    assert "scales to zero" in rare.how[0]
    assert rare.month_usd.median < 0.2 * busy.month_usd.median


@pytest.mark.parametrize("changes", [{"data_class": "regulated"}, {"on_premise_only": True}])
def test_regulated_data_and_data_that_may_not_leave_go_to_no_host(
    changes: dict[str, object],
) -> None:
    report = advise(spec(**changes, requests_per_month=300, latency_p95_ms=120_000))
    own = cost_of(report, "ft, self-hosted")
    assert not any("scales to zero" in word or "trained at a host" in word for word in own.how)
    assert {"ft, api", "rag+ft, api"} <= dropped(report).keys()
    hosted = advise(spec(**changes, api_model="nebius/Llama-3.1-8B"))
    assert all(f"{method}, api" in dropped(hosted) for method in ("prompt", "rag", "ft"))


def test_regulated_data_are_on_no_machine_of_a_market_or_a_private_person() -> None:
    of = market_with(PRICES)
    everybody, alone = of(12, "any"), of(12, "alone")
    sellers = {fact.key()[0] for host in everybody.serving for fact in host.facts[1:]}
    assert {"vast", "akash"} <= sellers
    for host in (*alone.serving, *alone.training):
        for fact in host.facts[1:]:
            assert fact.key()[0] not in ("vast", "akash", "openrelay")
            assert fact.key()[2] != "community"
    assert not alone.workers


def test_confidential_data_are_on_no_machine_of_a_private_person() -> None:
    """RunPod's community tier and Vast.ai's hosts, whichever tier; its secure tier and Lambda stay."""
    market = market_with(PRICES)(12, "companies")
    offers = {
        (fact.provider, fact.tier)
        for host in (*market.serving, *market.training)
        for fact in host.facts
        if isinstance(fact, Machine)
    }
    assert ("runpod", "secure") in offers
    assert ("lambda", "on_demand") in offers
    assert ("runpod", "community") not in offers
    assert "vast" not in {provider for provider, _ in offers}
    assert market.workers


@pytest.mark.parametrize(
    ("changes", "trust"),
    [
        ({"data_class": "public"}, "any"),
        ({"data_class": "internal", "personal_data": "personal"}, "any"),
        ({"data_class": "confidential"}, "companies"),
        ({"data_class": "public", "personal_data": "special"}, "companies"),
        ({"data_class": "regulated", "personal_data": "special"}, "alone"),
    ],
)
def test_the_class_of_the_data_says_whose_machines_see_them(
    changes: dict[str, str], trust: str
) -> None:
    assert trust_of(middle(spec(**changes), read_packaged_advice())) == trust


def test_the_tier_and_whose_it_is_are_named_and_what_is_shut_is_said() -> None:
    said = {
        name: next(c for c in report.costs if c.arm == "ft, self-hosted").how
        for name in ("internal", "confidential")
        if (report := advise(spec(data_class=name)))
    }
    for serving, training in said.values():
        assert " (" in serving.partition(" from ")[2]
        assert " (" in training.partition(" from ")[2]
    assert "private persons" in " ".join(said["internal"])
    assert "private persons" not in " ".join(said["confidential"])
    (shut,) = of_rule(advise(spec(data_class="confidential")), "G18", "advice")
    assert "no offers" in shut.reason
    assert not of_rule(advise(spec(data_class="internal")), "G18", "advice")


def test_what_is_reserved_is_an_offer_for_who_stays_as_long() -> None:
    of = market_with(PRICES)
    tiers = {
        months: {f.key()[2] for h in of(months, "any").serving for f in h.facts[1:]}
        for months in (3, 36)
    }
    assert "reserved" in tiers[36]
    assert "reserved" not in tiers[3]
    assert "spot" not in tiers[36]
    assert "spot" in {f.key()[2] for h in of(3, "any").training for f in h.facts[1:]}


def test_a_run_at_a_host_is_tokens_times_its_price() -> None:
    """7.6 billion parameters are of the size up to 16B: 15.36 M tokens at 0.48 dollars a million are 7.37."""
    tokens = exactly(15.36e6)
    runs = {run.row.provider: run.usd for run in hosts_of(FACTS, MODELS["Qwen2.5-7B"], tokens)}
    assert not {"tinker", "primeintellect"} & runs.keys()
    assert runs["together"] is not None
    assert runs["together"].median == pytest.approx(7.37, abs=0.01)
    assert runs["fireworks"] is not None
    assert runs["fireworks"].median == pytest.approx(7.68)
    large = {run.row.model for run in hosts_of(FACTS, MODELS["Llama-3.3-70B"], tokens)}
    assert large == {"open models of 70B to 100B"}


def test_a_price_that_nobody_found_is_taken_from_other_hosts_and_said() -> None:
    api = api_named(PRICES, "nebius/Llama-3.1-8B")
    run = run_at(FACTS, api, MODELS["Llama-3.1-8B"], exactly(1e6))
    assert run is not None
    assert run.usd is not None
    assert run.is_guessed
    # Of Together, Fireworks and Ori: neither reinforcement learning nor another model's price.
    assert run.usd == Range(low=0.46, median=0.48, high=1.35)
    said = cost_of(advise(spec(api_model="nebius/Llama-3.1-8B")), "ft, api")
    assert any("as other hosts ask for its size" in word for word in said.how)


def test_a_run_is_priced_by_the_apis_own_provider() -> None:
    api = api_named(PRICES, "gpt-4o-mini")
    own, other = (
        run_at(FACTS, api.model_copy(update={"provider": name}), None, exactly(1e6))
        for name in ("openai", "azure")
    )
    assert own is not None
    assert own.usd == exactly(3)
    assert other is None


@pytest.mark.parametrize(("api", "times"), [("gpt-4o-mini", 2.0), ("gpt-4o", 1.5)])
def test_a_tuned_model_costs_what_its_host_asks_for_its_tokens(api: str, times: float) -> None:
    report = advise(spec(api_model=api))
    base, tuned = (cost_of(report, arm) for arm in ("prompt, api", "ft, api"))
    assert tuned.request_usd.median == pytest.approx(times * base.request_usd.median)
    assert f"a token of the tuned model at {times:g} times the price" in tuned.how


def test_a_tuning_whose_row_ends_within_the_horizon_is_dropped() -> None:
    ends = date(2027, 1, 6)
    tunings = tuple(row.model_copy(update={"ends": ends}) for row in PRICES.tunings)
    prices = PRICES.model_copy(update={"deadlines": (), "tunings": tunings})
    for months, rules in ((1, None), (12, {"G9"})):
        of = spec(api_model="gpt-4o-mini", horizon_months=months)
        report = adviser_for(of, collect_known_names(prices, Path, TODAY)).advise("test", of)
        assert dropped(report).get("ft, api") == rules


def test_answers_that_may_wait_a_day_cost_half_in_batches() -> None:
    waits = {"target": 86_400_000, "limit": 90_000_000}
    now, later = (cost_of(advise(spec(latency_p95_ms=ms)), "prompt, api") for ms in (15_000, waits))
    assert later.month_usd.median == pytest.approx(now.month_usd.median / 2)
    assert later.latency_ms.median == 86_400_000
    assert any("in batches, within a day" in word for word in later.how)


def test_a_millisecond_more_to_wait_takes_nothing_from_an_arm() -> None:
    """A batch is one more way to answer: no score falls, and the first choice stays."""
    tight, loose = (
        advise(spec(latency_p95_ms={"target": 2000, "limit": ms}))
        for ms in (86_399_999, 86_400_000)
    )
    before, after = ({row.arm: row.score for row in each.ranking} for each in (tight, loose))
    assert all(after[arm] >= score - 1e-6 for arm, score in before.items())
    assert tight.winner == loose.winner


def test_peoples_time_is_hours_times_the_rate_and_ranks_nothing() -> None:
    stated, unknown = (advise(spec(people_usd_per_hour=rate)) for rate in (100.0, "unknown"))
    for cost in stated.costs:
        assert cost.people_usd.median == pytest.approx(100 * cost.effort_hours.median)
        assert cost.whole_usd.median == pytest.approx(
            cost.once_usd.median + cost.people_usd.median + 12 * cost.month_usd.median
        )
    for cost in unknown.costs:
        assert cost.people_usd.low == pytest.approx(40 * cost.effort_hours.low)
        assert cost.people_usd.high == pytest.approx(160 * cost.effort_hours.high)
    assert [row.score for row in stated.ranking] == [row.score for row in unknown.ranking]


def test_a_classifier_needs_cases_of_every_label() -> None:
    few, many = (
        dropped(advise(spec(task="classify", output="label", labelled_pairs=300, labels=n)))
        for n in (2, 77)
    )
    assert "classifier, self-hosted" not in few
    assert many["classifier, self-hosted"] == {"G13"}


def test_a_model_that_is_nearly_never_right_is_out_and_breaks_even_nowhere() -> None:
    report = advise(spec(task="code", difficulty="hard", base_model="SmolLM2-135M"))
    assert "G17" in dropped(report)["prompt, self-hosted"]
    assert not any(each.method == "prompt" for each in report.break_even)


def test_larger_documents_take_more_hours() -> None:
    small, large = (
        cost_of(advise(spec(corpus_tokens=n)), "rag, api").effort_hours for n in (10**6, 10**9)
    )
    assert large.median - small.median == pytest.approx(3 * TAKEN["text_hours"].median)


def test_a_sliding_window_keeps_a_long_prompt_small() -> None:
    """Of gemma-3-12b's 48 layers 40 keep 1,024 tokens: 60,000 take (8 x 60,000 + 40 x 1,024) / 48."""
    model = models_of("unknown", Path, PRICES.apis[0].observed_at)["gemma-3-12b"]
    assert model.sizes.reach(60_000) == pytest.approx((8 * 60_000 + 40 * 1024) / 48)
    assert model.sizes.reach(500) == 500


def test_an_input_at_its_end_is_looked_at_with_the_model_that_is_best_there() -> None:
    report = advise(
        spec(
            task="code",
            api_model="unknown",
            base_model="unknown",
            month_budget_usd="unknown",
            requests_per_month="unknown",
            knowledge_gap=0,
            difficulty="hard",
        )
    )
    swing = next(each for each in report.swings if each.key == "requests_per_month")
    assert swing.low_model == "claude-opus-5-5"
    assert swing.high_model not in ("", "claude-opus-5-5", report.ranking[0].model)
    assert "at 1,000: prompt, api with claude-opus-5-5" in text_of(report)


def test_facts_know_their_hosts() -> None:
    facts = Facts(PRICES, read_packaged_advice(), {}, PRICES.apis[0].observed_at)
    assert {"nebius", "together", "openrouter", "hosted-open"} <= facts.hosts
    assert not {"openai", "anthropic", "google"} & facts.hosts


def test_a_rented_machine_is_told_with_who_rents_it_out() -> None:
    report = advise(spec(base_model="Qwen2.5-7B", personal_data="personal"))
    (how,) = [row.how[0] for row in report.costs if row.arm == "prompt, self-hosted"]
    gpu = how.partition(" on ")[2].partition(",")[0]
    sellers = {row.provider for row in read_packaged_prices().machines if row.gpu == gpu}
    assert how.partition(" from ")[2].partition(" ")[0] in sellers


def context_of(row: API) -> tuple[int, str]:
    """What a model at an API reads at once, and how that is said."""
    prices = read_packaged_prices()
    prices = prices.model_copy(update={"apis": (*prices.apis, row)})
    facts = Facts(prices, read_packaged_advice(), models_of("Qwen2.5-7B", Path, TODAY), TODAY)
    case = middle(spec(api_model=row.model), read_packaged_advice())
    found = figures_with(facts)(case)[Arm("prompt", "api")]
    return found.context_tokens, found.how[1] if len(found.how) > 1 else ""


def test_an_api_reads_what_the_open_model_behind_it_reads_or_says_that_nobody_knows() -> None:
    row = api_named(read_packaged_prices(), "qwen/qwen3-14b")
    assert row.context_tokens is None
    assert context_of(row) == (40_960, "")
    tokens, said = context_of(row.model_copy(update={"model": "nobody/knows-1b"}))
    assert tokens == 128_000
    assert said == "its context is not known, 128,000 tokens are taken for it"


def test_a_cheaper_model_is_named_with_its_arm_its_host_and_what_is_lost() -> None:
    said = advise(
        spec(
            task="extract",
            output="json",
            corpus_tokens=0,
            knowledge_gap=0,
            document_tokens=90_000,
            labelled_pairs=0,
            data_class="confidential",
            requests_per_month=500,
            tokens_out=1500,
            latency_p95_ms=600_000,
            base_model="gemma-3-12b",
            api_model="unknown",
            profile="regulated",
        )
    ).cheaper
    assert said.startswith("a cheaper model does the same: ")
    assert " at nebius (prompt, api) with quality " in said
    assert "what is lost: privacy 0.35, not 0.70" in said
    assert said.endswith("a third party hosts it, so that it is none for regulated data")
