"""Sampling: what it takes on a GPU, beside hand-computed bounds and one published speed."""

from dataclasses import replace

import pytest

import published
from finewright.catalog.prices import gpu_named, read_packaged_prices
from finewright.estimate.families import shape_of
from finewright_advice.estimate.rollouts import RolloutLoad, sampling_hours

LLAMA2_7B = shape_of(published.config("llama", 4096, 11008, 32, 32, 32, 32000))
WEIGHTS = 2.0 * LLAMA2_7B.parameters
ONE = RolloutLoad(
    steps=1,
    prompts=1.0,
    answers=1,
    prompt_tokens=20.0,
    max_new_tokens=200,
    number=2,
    weight_bytes=WEIGHTS,
)
A100 = gpu_named(read_packaged_prices(), "A100 40GB")


def test_one_stream_is_as_fast_as_litgpt_published_it() -> None:
    """30.97 tokens/s of Llama 2 7B in bfloat16 on an A100 40GB (LitGPT's resource tables, October 2023)."""
    hours = sampling_hours(LLAMA2_7B, ONE, A100)
    assert 200 / (hours.median * 3600) == pytest.approx(30.97, rel=0.1)
    assert hours.low < hours.median < hours.high


def test_no_byte_is_read_faster_than_memory_gives_it_and_no_flop_computed_above_the_peak() -> None:
    for answers in (1, 8, 64, 512):
        many = replace(ONE, answers=answers, prompts=4.0)
        seconds = 3600 * sampling_hours(LLAMA2_7B, many, A100).low
        assert 0.6 * 200 * WEIGHTS / seconds < A100.memory_bandwidth_gb_s * 1e9
        flops = 0.6 * 200 * 4 * answers * 2 * LLAMA2_7B.computing
        assert flops / seconds < A100.training_tflops * 1e12


def test_steps_add_up_and_more_answers_cost_less_each() -> None:
    one, many = (sampling_hours(LLAMA2_7B, replace(ONE, answers=n), A100).median for n in (1, 32))
    assert one < many < 32 * one
    assert sampling_hours(LLAMA2_7B, replace(ONE, steps=5), A100).median == pytest.approx(5 * one)
