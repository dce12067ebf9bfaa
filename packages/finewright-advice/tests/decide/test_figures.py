"""Money, time and fit of an arm, against figures worked out by hand."""

import math
import random
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from decide.advising import TODAY, spec
from finewright.catalog.prices import read_packaged_prices
from finewright_advice.catalog.advice import read_packaged_advice
from finewright_advice.decide.arms import ARMS, Arm, Figures
from finewright_advice.decide.case import middle, swings
from finewright_advice.decide.facts import Facts
from finewright_advice.decide.figures import figures_with
from finewright_advice.decide.models import Bits, models_of, read_base_model
from finewright_advice.decide.request import list_rented
from finewright_advice.decide.serving import (
    Demand,
    Host,
    Need,
    Seat,
    Served,
    answer_ms,
    fits,
    list_owned,
    memory_gib,
    month_usd,
    seat_model,
)
from finewright_advice.estimate.money import exact, product

ADVICE, PRICES = read_packaged_advice(), read_packaged_prices()
PROMPT, LONG, RAG = (Arm(m, "api") for m in ("prompt", "prompt+long-context", "rag"))
FT, PROMPT_AT_HOME = (Arm(m, "self-hosted") for m in ("ft", "prompt"))
GIB = 1024**3


def figured(**changes: Any) -> Mapping[Arm, Figures]:
    of = spec(**changes)
    models = models_of(of.base_model, Path, TODAY)
    return figures_with(Facts(PRICES, ADVICE, models, TODAY))(middle(of, ADVICE))


def test_an_api_costs_its_tokens() -> None:
    """1,000 requests of 1,000 + 300 tokens at 1 and 5 dollars a million: 1 + 1.5 dollars."""
    found = figured(
        api_model="gpt-6.1-terra", requests_per_month=1000, tokens_in=1000, tokens_out=300
    )
    assert found[PROMPT].month_usd.median == pytest.approx(2.5)
    added = ADVICE.assumptions["retrieved_tokens"].median
    assert found[RAG].request_usd.median == pytest.approx((1000 + added) / 1e6 + 300 * 5 / 1e6)


def test_a_cached_corpus_is_cheap_when_it_is_asked_often_and_dear_when_not() -> None:
    """Of a Poisson stream the chance of another request within 10 minutes is 1 - exp(-10 rate)."""
    minutes = 365 / 12 * 24 * 60
    for requests in (100, 1_000_000):
        found = figured(
            api_model="gpt-6.1-terra",
            corpus_tokens=100_000,
            requests_per_month=requests,
            tokens_in=1000,
            tokens_out=1,
        )
        share = 1 - math.exp(-10 * requests / minutes)
        by_hand = (share * 0.05 + (1 - share) * 1) * 0.1 + 0.001 + 5e-6
        assert found[LONG].request_usd.median == pytest.approx(by_hand, rel=1e-6)


def test_every_range_is_in_order_and_every_month_is_its_parts() -> None:
    for changes in (
        {},
        {"corpus_tokens": 100_000},
        {"hardware": ["RTX 4090"], "on_premise_only": True},
    ):
        for arm, each in figured(**changes).items():
            for name in ("once_usd", "month_usd", "latency_ms", "update_days", "effort_hours"):
                value = getattr(each, name)
                assert 0 <= value.low <= value.median <= value.high, (arm, name)
            month = each.fixed_month_usd.median + 30_000 * each.request_usd.median
            assert month == pytest.approx(each.month_usd.median)


def cheapest(least_gib: float) -> Host:
    """The machine for rent with at least so much memory whose middle price is the lowest."""
    hosts = [host for host in list_rented(read_packaged_prices()) if host.memory_gib >= least_gib]
    return min(hosts, key=lambda host: host.usd_per_hour.median)


def test_a_7b_model_is_served_from_the_cheapest_gpu_that_holds_it_in_16_bits() -> None:
    found = figured()[Arm("prompt", "self-hosted")]
    assert "Qwen2.5-7B, 16-bit" in found.how[0]
    host = cheapest(least_gib=17.5)
    assert host.name in found.how[0]
    assert found.month_usd == product(host.usd_per_hour, 730)


def test_a_70b_model_is_served_in_4_bits_from_48_gib() -> None:
    may_wait = {"latency_p95_ms": 60_000}
    (found,) = figured(base_model="Llama-3.1-70B", **may_wait)[PROMPT_AT_HOME].others
    assert "4-bit" in found.how[0]
    host = cheapest(least_gib=40.5)
    assert host.name in found.how[0]
    assert found.month_usd == product(host.usd_per_hour, 730)


def test_no_machine_is_rented_whose_card_has_no_bfloat16() -> None:
    assert not any(
        "V100" in host.name or "T4" in host.name for host in list_rented(read_packaged_prices())
    )


def test_own_machines_cost_their_power() -> None:
    """An RTX 4090 of 450 W all month: 328.5 kWh at 20 cents."""
    found = figured(hardware=["RTX 4090"], on_premise_only=True)[Arm("prompt", "self-hosted")]
    assert found.place == "own"
    assert found.month_usd.median == pytest.approx(0.45 * 730 * 0.2)


def test_machines_that_are_alike_stand_together() -> None:
    hosts = list_owned(["L40S", "L40S", "RTX 4090"], PRICES, exact(0.2))
    assert [(host.name, host.count) for host in hosts] == [
        ("L40S", 2),
        ("RTX 4090", 1),
        ("2 x L40S", 1),
    ]
    one, _, two = hosts
    assert 44 < one.memory_gib < 48
    assert two.memory_gib == 2 * one.memory_gib
    assert two.usd_per_hour.median == pytest.approx(2 * 0.35 * 0.2)


def test_on_premise_without_a_machine_says_what_would_hold_the_model() -> None:
    found = figured(hardware="none", on_premise_only=True)[FT]
    assert "you have no machine" in found.misfit
    assert "holds it" in found.misfit


def test_memory_is_weights_and_cache_by_hand() -> None:
    """Qwen2.5-7B keeps 28 layers x 4 heads x 128 numbers x 2 (keys and values) x 2 bytes a token: 57,344."""
    model = read_base_model("Qwen2.5-7B", Path, TODAY)
    assert model.sizes.cache_per_token == 57_344
    need = Need(1000, 5000, 200, 3)
    weights = 7_615_616_512 * 2  # the model card's 7.61B
    by_hand = (weights + (5000 + 3 * 1200) * 57_344) / GIB
    assert memory_gib(model.sizes, 16, need) == pytest.approx(by_hand)


def test_an_answer_takes_its_reading_and_its_writing() -> None:
    """15.2 GB of weights at 1,008 GB/s x 0.5 and 100 tokens: 3.02 s; 2 x 7.07e9 x 1000 FLOPs at
    165 TFLOP/s x 0.5: 0.171 s."""
    model = read_base_model("Qwen2.5-7B", Path, TODAY)
    host = next(host for host in list_rented(PRICES) if host.name == "RTX 4090")
    fixed = replace(host, bandwidth_gb_s=1008, tflops=165)
    seat = Seat(Served(fixed, 16, 15), 1, 1, 1, exact(1))
    few = Demand(1e-6, 1.0, 16.0, exact(0.5), exact(0.5))
    found = answer_ms(model, seat, Need(1000, 0, 100, 1), few)
    reading = 2 * model.shape.computing * 1000 / (165e12 * 0.5)
    writing = 100 * (2 * model.shape.parameters + 1050 * 57_344) / (1008e9 * 0.5)
    # beside these attention (28 layers x 28 heads x 256 numbers a token met) and the arithmetic of writing
    attention = 28 * 28 * 256 * (1000**2 + 100 * 2 * 1050) / (165e12 * 0.5)
    written = 100 * 2 * model.shape.computing / (165e12 * 0.5)
    assert found.median == pytest.approx(1000 * (reading + writing + attention + written), rel=1e-4)
    assert 0.16 < reading < 0.18
    assert 3.0 < writing < 3.2


def test_a_mixture_reads_its_chosen_experts_alone() -> None:
    sizes = read_base_model("Mixtral-8x7B", Path, TODAY).sizes
    assert sizes.held[16] / 2 == pytest.approx(46.7e9, rel=0.01)
    assert sizes.read[16] / 2 == pytest.approx(12.9e9, rel=0.01)


def test_experts_are_served_in_4_bits_as_their_gguf_has_them() -> None:
    """Files of Q4_K_M: 26.4 GB of Mixtral 8x7B, 18.6 GB of Qwen3-30B-A3B."""
    for name, gigabytes in (("Mixtral-8x7B", 26.4), ("Qwen3-30B-A3B", 18.6)):
        sizes = read_base_model(name, Path, TODAY).sizes
        assert sizes.held[4] / 1e9 == pytest.approx(gigabytes, rel=0.1)
        assert sizes.read_by(4, 1) == pytest.approx(sizes.read[4])
        assert sizes.read_by(4, 1e6) == pytest.approx(sizes.held[4], rel=0.01)


def demand(requests: float) -> Demand:
    return Demand(requests, 4.0, 128.0, exact(0.4), exact(0.6))


def test_more_requests_than_a_machine_carries_take_more_machines() -> None:
    """The audit's case: 1.5B, prompts of 2,800 tokens, 150 M requests a month. 2 x 1.54e9 x 2,800 FLOPs x 228
    requests a second are 1,970 TFLOP/s, more than eleven whole RTX 4090 have."""
    model = read_base_model("Qwen2.5-7B", Path, TODAY)
    only = [host for host in list_rented(PRICES) if host.name == "RTX 4090"]
    few, many = (
        seat_model(model, Need(1000, 0, 250, 4), only, demand(n)) for n in (1000, 10_000_000)
    )
    assert few is not None
    assert many is not None
    assert few.num == 1
    assert many.num > 3
    assert month_usd(many).median == pytest.approx(many.num * month_usd(few).median)
    small = read_base_model("Qwen2.5-1.5B", Path, TODAY)
    busy = seat_model(small, Need(2800, 0, 100, 4), only, demand(150_000_000))
    assert busy is not None
    peak = 150_000_000 / (730 * 3600) * 4
    flops = peak * 2 * small.shape.computing * 2800
    assert flops < busy.fewest * 165.2e12
    assert busy.num > 20


def test_no_drawn_case_asks_more_of_its_machines_than_their_arithmetic() -> None:
    """250 cases: 2 FLOPs for each parameter and token, attention aside, in the busiest of 730 hours."""
    draw = random.Random(21)  # noqa: S311 - a draw of cases
    models = models_of("unknown", Path, TODAY)
    hosts, asked = list_rented(PRICES), ADVICE.assumptions
    for _ in range(250):
        model = models[draw.choice(list(models))]
        need = Need(10 ** draw.uniform(1, 4.5), 0, 10 ** draw.uniform(0, 3.5), draw.randint(1, 16))
        wanted = demand(10 ** draw.uniform(1, 9))._replace(
            prefill=asked["prefill_utilisation"], decode=asked["decode_efficiency"]
        )
        if seat := seat_model(model, need, hosts, wanted):
            tokens = need.new_tokens + need.out_tokens
            flops = wanted.requests_per_month / (730 * 3600) * wanted.peak_over_mean
            flops *= 2 * model.shape.computing * tokens
            assert flops < seat.fewest * seat.served.host.tflops * 1e12


def test_your_own_machines_carry_no_more_than_they_are() -> None:
    plenty = {"requests_per_month": 10_000_000, "on_premise_only": True}
    one, ten = (figured(hardware=["RTX 4090"] * n, **plenty)[FT] for n in (1, 10))
    assert "cannot carry the busiest hour of 10,000,000 requests" in one.misfit
    assert ten.misfit == ""
    assert " x (RTX 4090)" in ten.how[0]


def test_what_is_too_small_at_home_is_rented_unless_it_must_stay() -> None:
    small = {"name": "laptop", "memory_gib": 4, "bandwidth_gb_s": 50, "tflops": 1, "watts": 30}
    may, must = (figured(hardware=[small], on_premise_only=stay)[FT] for stay in (False, True))
    assert may.misfit == ""
    assert may.place == "rented"
    assert "more than laptop holds" in must.misfit


def test_memory_bounds_how_many_are_answered_at_once() -> None:
    """Beside 14.2 GiB of weights a prompt of 30,000 tokens takes 1.6 GiB: a 4090 holds five of them."""
    model = read_base_model("Qwen2.5-7B", Path, TODAY)
    only = [host for host in list_rented(PRICES) if host.name == "RTX 4090"]
    long = seat_model(model, Need(30_000, 0, 250, 4), only, demand(3_000_000))
    short = seat_model(model, Need(3_000, 0, 250, 4), only, demand(3_000_000))
    assert long is not None
    assert short is not None
    assert long.num > short.num


def test_a_limit_on_time_takes_the_cheapest_machines_that_answer_within_it() -> None:
    """15.2 GB of weights are read 100 times: 2 s at 768 GB/s and 0.45 s at 3,350, at the rates themselves,
    and 5.5 GB of 4 bits in 0.7 s and 0.16 s. The cheapest stays where none answers in time."""
    model = read_base_model("Qwen2.5-7B", Path, TODAY)
    slow = Host("slow", 48, 768, 100, exact(0.2), is_own=False)
    fast = Host("fast", 80, 3350, 990, exact(2), is_own=False)

    def taken(bits: Bits) -> list[str]:
        names = []
        for most_ms in (math.inf, 2100, 1900, 500, 100):
            wanted = demand(100)._replace(prefill=exact(1), decode=exact(1), most_ms=most_ms)
            seat = seat_model(model, Need(10, 0, 100, 1), [fast, slow], wanted, [bits])
            assert seat is not None
            assert seat.served.bits == bits
            names.append(seat.served.host.name)
        return names

    assert taken(16) == ["slow", "slow", "fast", "fast", "slow"]
    assert taken(4) == ["slow", "slow", "slow", "fast", "slow"]
    limits = (15_000, 2_000, 1)
    within = [figured(latency_p95_ms=ms)[PROMPT_AT_HOME] for ms in limits]
    assert within[1].latency_ms.median <= 2_000 < within[0].latency_ms.median
    assert within[2].month_usd == within[0].month_usd


def test_an_open_model_at_a_host_was_made_for_its_own_languages() -> None:
    found = figured(api_model="nebius/Llama-3.1-8B")[PROMPT].languages
    assert found is not None
    assert "de" in found
    assert "ja" not in found


def test_what_fits_nowhere_is_placed_nowhere() -> None:
    model = read_base_model("Qwen2.5-7B", Path, TODAY)
    assert fits(model, Need(1e9, 0, 0, 64), list_rented(PRICES)) is None
    assert seat_model(model, Need(1e9, 0, 0, 64), list_rented(PRICES), demand(1)) is None


def test_facts_are_updated_by_training_only_where_weights_hold_them() -> None:
    found = figured()
    assert found[FT].update_days.median > 5
    assert found[Arm("rag+ft", "self-hosted")].update_days == found[RAG].update_days


def test_missing_pairs_are_hours_of_labelling() -> None:
    """100 of 500 pairs are there, and a classification takes half a minute: 400 x 0.5 / 60 hours."""
    few, many = (figured(labelled_pairs=n, task="classify")[FT].effort_hours for n in (100, 500))
    assert few.median - many.median == pytest.approx(400 * 0.5 / 60)


def test_a_training_run_costs_dollars_and_a_project_its_runs() -> None:
    """Guide price of a 7B LoRA: 1 to 4 dollars a run; 5 to 20 runs make 10 to 100 dollars of a project.

    15.4 M tokens are 10,000 rows of 512 in three passes."""
    found = figured(labelled_pairs=10_000, tokens_in=400, tokens_out=112, hardware="none")[FT]
    assert 0.3 < found.run_usd.low < found.run_usd.high < 6
    assert found.once_usd.median == pytest.approx(10 * found.run_usd.median)


def test_every_figure_names_the_rows_it_is_made_of() -> None:
    found = figured()
    for arm in (arm for arm in ARMS if arm.is_language_model):
        assert found[arm].facts
        assert all(fact.reference for fact in found[arm].facts)
    assert any(f.name == "API: openai, gpt-6-luna" for f in found[PROMPT].facts)
    assert any(f.name.startswith("GPU: ") for f in found[FT].facts)


def test_on_premise_trains_on_ones_own_machines_or_not_at_all() -> None:
    """70 billion weights of 4 bits are 33 GiB, and a step of their training is over 2 x 24 GiB."""
    two = {"on_premise_only": True, "hardware": ["RTX 4090", "RTX 4090"]}
    large = figured(base_model="Llama-3.3-70B", **two)
    assert large[PROMPT_AT_HOME].misfit == ""
    for arm in (FT, Arm("rag+ft", "self-hosted")):
        assert "nothing may leave your machines, and training Llama-3.3-70B" in large[arm].misfit
    (run,) = (how for how in figured(**two)[FT].how if "training run" in how)
    assert "4090" in run
    assert figured(**two)[FT].misfit == ""


def test_rows_with_a_long_document_take_memory_and_time_to_train_on() -> None:
    """A 7B keeps the input of each of 28 layers, 3,584 numbers of 2 bytes a token, in rows of 61,050 tokens
    that are 30 times 2,048; and a token meets half of its row, 28 heads of 128 + 128 in each layer."""
    facts = Facts(PRICES, ADVICE, models_of("unknown", Path, TODAY), TODAY)
    short, long = (facts.step_of("Qwen2.5-7B", tokens) for tokens in (1050, 61_050))
    assert long.gib(4) - short.gib(4) > 28 * 3584 * 2 * 29 * 2048 / GIB
    met = 28 * 28 * (128 + 128) * 29 * 2048 / 2
    assert long.flops_a_token - short.flops_a_token == pytest.approx(9 * met)
    yours = {"on_premise_only": True, "hardware": ["RTX 4090"], "requests_per_month": 100}
    plain, sent = (figured(**yours, document_tokens=n)[FT].misfit for n in (0, 60_000))
    assert plain == ""
    assert "training Qwen2.5-7B on rows of 61,440 takes" in sent


@pytest.mark.parametrize("tokens", [100, 90_000, 200_000])
def test_an_api_reads_a_prompt_at_its_speed(tokens: int) -> None:
    """First token, 10,000 tokens a second read, 80 a second written."""
    found = figured(tokens_in=tokens, tokens_out=80)[PROMPT].latency_ms
    assert found.median == pytest.approx(700 + tokens / 10 + 1000)
    assert found.low < found.median < found.high


def test_documents_are_read_anew_unless_most_requests_find_them_in_the_cache() -> None:
    rare, often = (
        figured(corpus_tokens=100_000, requests_per_month=n)[LONG].latency_ms.median
        for n in (100, 1_000_000)
    )
    assert rare - often == pytest.approx(10_000)


def test_caches_are_told_apart_from_weights_and_what_nothing_holds_has_no_figures() -> None:
    found = figured(corpus_tokens=10**12)[Arm("prompt+long-context", "self-hosted")]
    assert not found.is_held
    assert re.search(r"takes [\d,]+\.\d GiB, \d\.\d for 4-bit weights, [\d,]+", found.misfit)


def test_figures_that_are_kept_are_those_of_the_case_figured_alone() -> None:
    """Every input at both of its ends, and another model in one arm, by what was figured before and anew."""
    of = spec(labelled_pairs=100, unlabelled_inputs=5000)
    facts = Facts(PRICES, ADVICE, models_of(of.base_model, Path, TODAY), TODAY)
    base = middle(of, ADVICE)
    kept = figures_with(facts)
    kept(base)
    cases = [case for swing in swings(of, base, ADVICE) for case in (swing.low, swing.high)]
    for arm, model in ((PROMPT, "gpt-6.1-sol"), (FT, "SmolLM2-135M")):
        cases.append(replace(base, models={arm.name: model}))
    differing = [case for case in cases if kept(case) != figures_with(facts)(case)]
    assert differing == []
    assert any(kept(case) != kept(base) for case in cases)
