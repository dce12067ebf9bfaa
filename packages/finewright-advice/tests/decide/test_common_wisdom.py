"""What a popular guide says about cost and memory, and the advice must contradict (with the arithmetic)."""

from datetime import date
from pathlib import Path

import pytest

from decide.advising import TODAY, advise, dropped, of_rule, spec
from finewright.catalog.prices import read_packaged_prices
from finewright.errors import DataError
from finewright.schema.adapter import FullSpec
from finewright_advice.catalog.advice import read_packaged_advice
from finewright_advice.decide.facts import Facts
from finewright_advice.decide.models import models_of, read_base_model, sizes_of
from finewright_advice.decide.request import list_rented
from finewright_advice.decide.results import ArmCost, DecideReport
from finewright_advice.estimate.memory import MemoryLoad, memory

GIB = 1024**3
DAYS_A_MONTH = 365 / 12


def cost_of(report: DecideReport, arm: str) -> ArmCost:
    return next(cost for cost in report.costs if cost.arm == arm)


def a_thousand_a_day(model: str) -> DecideReport:
    requests = round(1000 * DAYS_A_MONTH)
    return advise(
        spec(api_model=model, requests_per_month=requests, tokens_in=1000, tokens_out=300)
    )


def test_3_gib_do_not_hold_70b() -> None:
    tiny = {"name": "a card", "memory_gib": 3, "bandwidth_gb_s": 300, "tflops": 20, "watts": 100}
    report = advise(spec(base_model="Llama-3.1-70B", hardware=[tiny], on_premise_only=True))
    found = dropped(report)
    assert all("G7" in found[f"{method}, self-hosted"] for method in ("prompt", "ft", "rag+ft"))
    (finding,) = (f for f in of_rule(report, "G7", "dropped") if "ft, self-hosted" in f.arms)
    assert "takes 3" in finding.reason
    assert "more than a card holds" in finding.reason
    assert report.verdict == "nothing is left"


def test_4_bit_weights_of_65b_are_over_33_gb_and_70b_trains_on_48_gb() -> None:
    """65.2e9 x 0.516 bytes = 33.7e9; QLoRA's paper has 65B on one GPU of 48 GB, Unsloth 70B in 41 GB. Of
    Llama's 70.55e9 numbers 68.45e9 are in linears: x 0.516, and 2.10e9 x 2, are 39.5e9 bytes."""
    model = read_base_model("Llama-3.1-70B", Path, TODAY)
    assert model.shape.linear * 0.516 == pytest.approx(
        model.sizes.held[4] - 2 * (model.shape.parameters - model.shape.linear), rel=0.01
    )
    assert model.sizes.held[4] / 1e9 == pytest.approx(39.5, abs=0.1)
    assert 33 < model.sizes.held[4] * 65.2 / 70.6 / 1e9 < 37
    models = models_of("Llama-3.1-70B", Path, TODAY)
    step = Facts(read_packaged_prices(), read_packaged_advice(), models, TODAY).step_of(
        "Llama-3.1-70B", 1300
    )
    assert step.gib(4) == pytest.approx(44.8, abs=0.1)  # 36.8 of them weights


def test_lora_saves_memory_by_a_single_digit_factor_not_100() -> None:
    """7.62e9 x 2 bytes are 14.2 GiB, and all of them learned in float32 with two moments 128.7 GiB in all."""
    models = models_of("Qwen2.5-7B", Path, TODAY)
    facts = Facts(read_packaged_prices(), read_packaged_advice(), models, TODAY)
    step = facts.step_of("Qwen2.5-7B", 1300)
    load = MemoryLoad(
        adapter=FullSpec(), tokens=2048, learned=1024, longest=2048, lean=True, gpu=True
    )
    whole = memory(models["Qwen2.5-7B"].shape, load).tensors / GIB
    assert whole / step.gib(16) == pytest.approx(7.8, abs=0.1)
    assert whole / step.gib(4) == pytest.approx(17.1, abs=0.2)


@pytest.mark.parametrize(
    ("gpu", "usd"),
    # the cheapest offers of all 28 providers: yottalabs, vast, beam, vast, and vast again
    [
        *(("A100 80GB PCIe", 0.92), ("A100 80GB SXM", 1.14), ("H100 PCIe", 1.74)),
        *(("H100 SXM", 2.40), ("RTX 4090", 0.1348)),
    ],
)
def test_a_data_centre_gpu_of_80_gb_is_not_had_for_39_cents(gpu: str, usd: float) -> None:
    hosts = {host.name: host.usd_per_hour for host in list_rented(read_packaged_prices())}
    assert hosts[gpu].low == usd


def test_retrieval_costs_nothing_at_first_and_its_latency_is_that_of_its_tokens() -> None:
    report = advise(spec())
    for host in ("api", "self-hosted"):
        assert cost_of(report, f"rag, {host}").once_usd.high == 0
    rag, prompt = (cost_of(report, f"{m}, self-hosted").latency_ms for m in ("rag", "prompt"))
    search = read_packaged_advice().assumptions["retrieval_ms"]
    assert 1 <= search.low < search.high <= 20
    assert rag.median - prompt.median > 10 * search.median


def test_fine_tuning_does_not_recur_cheaply_below_the_break_even() -> None:
    """An RTX A5000 from 0.16 dollars an hour, 730 hours: 116.80, and the API takes 7.60."""
    report = a_thousand_a_day("gpt-6-luna")
    tuned, prompted = (cost_of(report, arm).month_usd for arm in ("ft, self-hosted", "prompt, api"))
    assert tuned.low == pytest.approx(116.80)
    assert tuned.low > 15 * prompted.high


@pytest.mark.parametrize(
    ("model", "volume"),
    # 0.215 dollars x 730 hours are 156.95 a month, over 0.25, 2.5, 5 and 10 dollars for 1,000 requests
    [
        *(("gpt-6-luna", 627_800), ("gpt-6.1-terra", 62_780)),
        *(("gpt-6.1-sol", 31_390), ("claude-opus-5-5", 15_695)),
    ],
)
def test_the_break_even_against_an_api_is_said(model: str, volume: int) -> None:
    report = a_thousand_a_day(model)
    found = next(each for each in report.break_even if each.method == "prompt")
    assert found.requests_per_month is not None
    assert found.requests_per_month.median == pytest.approx(volume, rel=0.001)


@pytest.mark.parametrize(
    ("model", "usd"), [("gpt-6-luna", 7.60), ("gpt-6.1-terra", 76.04), ("claude-opus-5-5", 304.2)]
)
def test_an_api_at_a_thousand_requests_a_day_costs_dollars_not_thousands(
    model: str, usd: float
) -> None:
    cost = cost_of(a_thousand_a_day(model), "prompt, api").month_usd
    assert cost.median == pytest.approx(usd, rel=0.001)


def test_there_is_no_deepseek_r1_of_7b() -> None:
    with pytest.raises(DataError, match="unknown model 'DeepSeek-R1-7B'"):
        read_base_model("DeepSeek-R1-7B", Path, TODAY)


def test_a_self_served_fine_tune_at_openai_closes_by_the_day() -> None:
    """Nobody new since 7 May 2026, nobody idle since 2 July, nobody at all from 6 January 2027 on."""
    asked = spec(api_model="gpt-4.1-mini", horizon_months=1)
    before, near = (advise(asked, today=date(2026, month, 10)) for month in (3, 4))
    assert "ft, api" not in dropped(before)
    assert any("from 2026-05-07 on" in f.reason for f in of_rule(near, "G9", "dropped"))
    after = advise(spec(api_model="gpt-4.1-mini"))
    assert dropped(after)["ft, api"] == {"G9"}
    said = " ".join(f.reason for f in of_rule(after, "G9", "dropped"))
    assert all(day in said for day in ("2026-05-07", "2026-07-02", "2027-01-06"))
    assert any("2027-01-14" in f.reason for f in of_rule(after, "G9", "warning"))


def test_old_prices_are_said_to_be_old() -> None:
    aging = advise(spec(), today=date(2027, 1, 25))
    assert any("over 45 days old" in p.message for p in aging.problems)
    late = advise(spec(), today=date(2027, 11, 25))
    assert late.facts.state == "stale"
    assert any("stale" in p.message for p in late.problems)


def test_nf4_is_sized_by_the_linear_layers_alone() -> None:
    shape = read_base_model("Qwen2.5-0.5B", Path, TODAY).shape
    sizes = sizes_of(shape)
    outside = 2 * (shape.parameters - shape.linear)
    assert outside / sizes.held[4] > 0.5  # of a small model the embedding is most of it
    assert sizes.held[16] == 2 * shape.parameters
