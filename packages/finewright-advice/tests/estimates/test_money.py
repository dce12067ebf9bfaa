"""Money by hand: the anchors of the price survey of November 2026, and what the common wisdom has wrong."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from finewright.catalog.prices import api_named, machines_of, read_packaged_prices
from finewright.schema.catalog import API, Machine
from finewright.schema.cost import Range
from finewright_advice.estimate.money import (
    DAYS_A_MONTH,
    HOURS_A_MONTH,
    MachineSteps,
    ScaleToZero,
    api_request,
    break_even_requests,
    exact,
    own_hardware_run,
    product,
    project,
    total,
    training_run,
    whole_terms,
)
from finewright_advice.schema.money import OwnHardware

FACT = {"source": "a price page", "observed_at": "2026-11-25"}
THOUSAND_A_DAY = 1000 * DAYS_A_MONTH


def api_month(price: API, requests: float, tokens_in: float, tokens_out: float) -> Range:
    return product(api_request(price, tokens_in, tokens_out), requests)


def machine(provider: str, gpu: str, tier: str, num_gpus: int = 1) -> Machine:
    found = machines_of(read_packaged_prices(), provider=provider, gpu=gpu, tiers=[tier])
    return next(row for row in found if row.num_gpus == num_gpus)


def api(**more) -> API:
    row = {"provider": "p", "model": "m", "usd_per_million_in": 1, "usd_per_million_out": 2}
    return API.model_validate(FACT | row | more)


def test_a_thousand_requests_a_day_cost_seven_sixty_a_month_on_the_cheapest_small_api():
    luna = api_month(api_named(read_packaged_prices(), "gpt-6-luna"), THOUSAND_A_DAY, 1000, 300)
    assert luna.median == pytest.approx(7.60, abs=0.01)
    prices = [
        api_month(row, THOUSAND_A_DAY, 1000, 300).median for row in read_packaged_prices().apis
    ]
    assert min(prices) <= luna.median


def test_no_api_costs_five_hundred_dollars_at_a_thousand_requests_a_day():
    opus = api_month(
        api_named(read_packaged_prices(), "claude-opus-5-5"), THOUSAND_A_DAY, 1000, 300
    )
    assert opus.median == pytest.approx(304, abs=1)
    prices = [api_month(row, THOUSAND_A_DAY, 1000, 300).high for row in read_packaged_prices().apis]
    assert max(prices) < 500


@pytest.mark.parametrize(("used", "terms"), [(0, 1), (729, 1), (731, 2), (2000, 3)])
def test_a_reserved_machine_is_paid_by_whole_terms(used: float, terms: int):
    row = machine("runpod", "L40S", "community")
    by_the_month = {"usd_per_hour": exact(1.0), "tier": "reserved", "term_months": 1}
    assert whole_terms(row.model_copy(update=by_the_month), exact(used)) == exact(730.0 * terms)


@pytest.mark.parametrize(
    ("model", "requests"),
    [
        ("gpt-6-luna", 0.99e6),
        ("gpt-6.1-terra", 99e3),
        ("gpt-6.1-sol", 50e3),
        ("claude-opus-5-5", 25e3),
    ],
)
def test_the_break_even_against_each_api(model: str, requests: float):
    pod = product(machine("runpod", "RTX 4090", "community").usd_per_hour, HOURS_A_MONTH)
    asked = api_request(api_named(read_packaged_prices(), model), 1000, 300)
    assert break_even_requests(pod, asked, exact(0)).median == pytest.approx(requests, rel=0.01)


def test_an_a100_pays_off_against_the_cheapest_api_at_three_and_a_half_million():
    pod = product(machine("runpod", "A100 80GB", "community").usd_per_hour, HOURS_A_MONTH)
    asked = api_request(api_named(read_packaged_prices(), "gpt-6-luna"), 1000, 300)
    assert break_even_requests(pod, asked, exact(0)).median == pytest.approx(3.5e6, rel=0.01)


def test_it_never_pays_off_where_a_request_costs_no_less_at_home():
    found = break_even_requests(exact(100), exact(0.01), exact(0.01))
    assert (found.low, found.median, found.high) == (None, None, None)
    edge = break_even_requests(
        exact(100), Range(low=0.01, median=0.02, high=0.03), Range(low=0, median=0.01, high=0.02)
    )
    assert edge.low == pytest.approx(100 / 0.03)
    assert edge.median == pytest.approx(100 / 0.01)
    assert edge.high is None


# 7B LoRA and 70B QLoRA runs: hours on a device, and dollars from the community to the secure price.
@pytest.mark.parametrize(
    ("gpu", "hours", "low", "high"),
    [
        ("RTX 4090", 3.2, 1.1, 2.4),
        ("A100 80GB", 1.7, 2.0, 3.0),
        ("A100 80GB", 5.5, 6.6, 9.9),
        ("A100 80GB", 19.4, 23, 35),
        ("A100 80GB", 63, 75, 113),
    ],
)
def test_a_run_costs_dollars_not_hundreds(gpu: str, hours: float, low: float, high: float):
    community = training_run(machine("runpod", gpu, "community"), hours).median
    secure = training_run(machine("runpod", gpu, "secure"), hours).median
    assert community == pytest.approx(low, rel=0.03)
    assert secure == pytest.approx(high, rel=0.03)


def test_the_guide_contradicts_itself_and_is_right_of_projects_alone():
    """ "7B LoRA $10-100, 2-4 h" at its own $1.10 an hour is $4.40; five runs or more are a project."""
    run = product(exact(1.10), 4)
    assert run.high == pytest.approx(4.40)
    assert run.high < 10
    bake_off = project(run, bake_off=3, seeds=3, failed_share=0.2, evaluations=1.0)
    assert 10 < bake_off.cost.median < 100
    assert (bake_off.runs, bake_off.failed_runs, bake_off.evaluation_runs) == (9, 1.8, 1)
    assert bake_off.cost.median == pytest.approx(4.40 * 11.8)


def test_a_project_of_one_clean_run_is_the_run():
    cost = Range(low=1, median=2, high=3)
    assert project(cost).cost == cost


def test_no_provider_rents_an_a100_of_80_gb_for_what_the_guide_says():
    """ "Lambda A100 80 GB at $1.10 an hour": eight at 2.79 each, and no single one."""
    lambdas = machines_of(read_packaged_prices(), provider="lambda", gpu="A100 80GB SXM")
    assert [row.num_gpus for row in lambdas] == [8]
    assert lambdas[0].usd_per_gpu_hour.low == pytest.approx(2.79)
    assert not machines_of(read_packaged_prices(), provider="lambda", gpu="A100 80GB PCIe")


def test_the_guides_cheapest_runpod_price_is_that_of_another_gpu():
    """ "RunPod A100/H100 from $0.39": 0.34 is an RTX 4090."""
    rows = machines_of(read_packaged_prices(), provider="runpod")
    cheap = {row.gpu for row in rows if row.usd_per_gpu_hour.low <= 0.39}
    assert "RTX 4090" in cheap
    assert not any(gpu.startswith(("A100", "H100")) for gpu in cheap)
    assert machine("runpod", "A100 80GB", "community").usd_per_hour.median == 1.19
    assert machine("runpod", "H100 PCIe", "community").usd_per_hour.median == 1.99


def test_cached_tokens_cost_less_where_the_provider_says_so():
    price = api(usd_per_million_cached=0.1)
    assert api_request(price, 1000, 0).median == pytest.approx(1e-3)
    assert api_request(price, 1000, 0, cached_in=1000).median == pytest.approx(1e-4)
    assert api_request(price, 1000, 0, cached_in=600).median == pytest.approx(4e-4 + 6e-5)
    assert api_request(api(), 1000, 0, cached_in=1000).median == pytest.approx(1e-3)


def test_a_free_cache_is_free():
    assert api_request(api(usd_per_million_cached=0), 1000, 0, cached_in=1000).median == 0


def test_a_long_prompt_is_billed_at_the_long_price_as_a_whole():
    long = {"above_tokens": 100_000, "usd_per_million_in": 5, "usd_per_million_out": 10}
    price = api(long_context=long)
    assert api_request(price, 100_000, 1000).median == pytest.approx(0.1 + 0.002)
    assert api_request(price, 100_001, 1000).median == pytest.approx(0.500005 + 0.01)


def test_the_corpus_in_the_prompt_of_the_cheapest_model_is_five_times_dearer_past_its_limit():
    haiku = api_named(read_packaged_prices(), "claude-haiku-5-5")
    assert api_request(haiku, 150_000, 300).median == pytest.approx(0.15 * 0.5 + 300 * 2.5e-6)


def test_own_hardware_is_paid_off_by_the_month_and_draws_power():
    hardware = OwnHardware(
        usd_purchase=3600,
        watts=500,
        usd_per_kwh=0.2,
        amortisation_months=36,
        pue=1.5,
    )
    run = own_hardware_run(hardware, Range(low=1, median=2, high=4))
    hour = 100 / HOURS_A_MONTH + 0.5 * 1.5 * 0.2
    assert (run.low, run.median, run.high) == pytest.approx((hour, 2 * hour, 4 * hour))


@pytest.mark.parametrize(
    "wrong",
    [
        {"usd_purchase": -1},
        {"watts": -1},
        {"usd_per_kwh": float("inf")},
        {"amortisation_months": 0},
        {"pue": 0.9},
    ],
)
def test_hardware_of_impossible_figures_is_refused(wrong: dict[str, float]):
    with pytest.raises(ValidationError):
        OwnHardware.model_validate({"usd_purchase": 1, "watts": 1, "usd_per_kwh": 1} | wrong)


amounts = st.floats(0, 1e6)
ranges = (
    st.tuples(amounts, amounts, amounts)
    .map(sorted)
    .map(lambda three: Range(low=three[0], median=three[1], high=three[2]))
)


@given(ranges, ranges, st.floats(0, 1), st.floats(0, 1))
def test_sums_and_products_lie_within_the_interval_of_any_values_inside(one, other, u, v):
    x = one.low + u * (one.high - one.low)
    y = other.low + v * (other.high - other.low)
    for found, value in ((total(one, other), x + y), (product(one, other), x * y)):
        assert found.low <= found.median <= found.high
        assert found.low - 1e-6 * found.high <= value <= found.high * (1 + 1e-6) + 1e-9


@given(ranges, ranges, ranges)
def test_a_break_even_is_in_order_and_at_its_point_both_cost_the_same(fixed, asked, own):
    found = break_even_requests(fixed, asked, own)
    known = [value for value in (found.low, found.median, found.high) if value is not None]
    assert known == sorted(known)
    if found.median is not None:
        api_cost = found.median * asked.median
        assert api_cost == pytest.approx(fixed.median + found.median * own.median, rel=1e-6)


@pytest.mark.parametrize("api", [0.002, 0.01, 0.02, 0.3])
def test_break_even_beside_a_machine_that_scales_to_zero_is_where_the_last_dearer_volume_ends(
    api: float,
) -> None:
    """Beside every volume of a grid, the cheaper of both against the API."""
    steps = MachineSteps(exact(300), exact(400_000))
    idle = ScaleToZero(exact(1), 60, exact(40), exact(50_000))
    found = break_even_requests(exact(20), exact(api), exact(0), steps, idle).median

    def home(volume: float) -> float:
        whole = 300 * math.ceil(volume / 400_000)
        return 20 + (min(whole, idle.month_usd(volume).median) if volume <= 50_000 else whole)

    dearer = [v for v in range(10, 900_000, 10) if home(v) > api * v]
    assert found == pytest.approx(max(dearer), abs=10)
