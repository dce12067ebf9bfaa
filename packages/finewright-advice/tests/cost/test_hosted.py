"""A run at a host beside the machines: by the million tokens, for the sizes and methods that it trains."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest

from cost.jobs import LLAMA_8B, job_of
from finewright.catalog.prices import read_packaged_prices
from finewright.schema.adapter import AdapterSpec, FullSpec, IA3Spec, LoraSpec
from finewright.schema.cost import HostedEstimate, Range
from finewright.schema.methods import DPOSpec, GRPOSpec, KTOSpec, SFTSpec
from finewright.schema.train import TrainSettings
from finewright_advice.cost.assemble import estimate_hosted
from finewright_advice.cost.job import TrainingJob

TOKENS = Range(low=10e6, median=15.36e6, high=20e6)
TODAY = date(2026, 11, 25)
GRPO = GRPOSpec(rewards=("valid_json",))


def found(job: TrainingJob, providers: Sequence[str] = ()) -> list[HostedEstimate]:
    """The hosts by the packaged facts."""
    return list(estimate_hosted(job, read_packaged_prices(), TOKENS, providers, TODAY))


def test_hosts_come_by_price_and_only_for_the_size() -> None:
    rows = found(job_of(LLAMA_8B))
    assert {"together", "fireworks"} <= {row.provider for row in rows}
    middles = [row.usd.median for row in rows if row.usd]
    assert middles == sorted(middles)
    together = next(row for row in rows if row.provider == "together")
    assert together.usd is not None
    assert together.usd.median == pytest.approx(0.48 * 15.36)
    assert together.model == "open models up to 16B"


def test_a_method_that_hosts_do_not_train_by_has_no_row() -> None:
    job = replace(job_of(LLAMA_8B), train=KTOSpec())
    assert not found(job)


@pytest.mark.parametrize(
    ("base", "train", "hosts"),
    [
        ("Qwen/Qwen2.5-7B", SFTSpec(), {"together", "fireworks", "ori"}),
        ("Qwen/Qwen3-8B", SFTSpec(), {"together", "fireworks", "ori", "tinker"}),
        ("Qwen/Qwen2.5-7B", DPOSpec(), {"together"}),
        ("./models/Qwen3.5-8B/", GRPO, {"primeintellect"}),
        ("Qwen/Qwen2.5-7B", GRPO, set()),
    ],
)
def test_a_host_is_listed_for_the_models_and_methods_that_it_trains(
    base: str, train: TrainSettings, hosts: set[str]
) -> None:
    job = replace(job_of(LLAMA_8B), base_model=base, train=train)
    assert {row.provider for row in found(job)} == hosts


@pytest.mark.parametrize(
    ("adapter", "hosts"),
    [
        (LoraSpec(), {"together", "fireworks", "ori"}),
        (FullSpec(), {"together"}),
        (IA3Spec(), set()),
    ],
)
def test_a_host_of_lora_alone_is_not_listed_for_all_weights_or_another_adapter(
    adapter: AdapterSpec, hosts: set[str]
) -> None:
    job = job_of(LLAMA_8B)
    job = replace(job, train=job.train.model_copy(update={"adapter": adapter}))
    assert {row.provider for row in found(job)} == hosts


def test_only_the_providers_that_are_asked_for_are_listed() -> None:
    job = job_of(LLAMA_8B)
    assert not found(job, ("aws", "runpod"))
    assert [row.provider for row in found(job, ("aws", "ori"))] == ["ori"]


def test_a_host_that_takes_no_more_jobs_is_not_listed() -> None:
    day = date(2026, 12, 1)
    prices = read_packaged_prices()
    ending = tuple(row.model_copy(update={"ends": day}) for row in prices.tunings)
    catalog = prices.model_copy(update={"tunings": ending})
    job = job_of(LLAMA_8B)
    (row, *_) = estimate_hosted(job, catalog, TOKENS, (), TODAY)
    assert "no new job from 2026-12-01 on" in row.note
    assert not list(estimate_hosted(job, catalog, TOKENS, (), day))
