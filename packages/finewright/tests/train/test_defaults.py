"""Defaults depend on method, adapter, model and machine, and each says why."""

import pytest

from finewright.schema.adapter import FullSpec, IA3Spec, LoraSpec, PrefixSpec, PromptSpec
from finewright.schema.methods import DPOSpec, SFTSpec
from finewright.train.defaults import learning_rate, resolve

SMALL, LARGE = 135_000_000, 8_000_000_000
MACHINE = {"threads": 2, "fast_bf16": True, "on_gpu": False}


def test_the_rate_falls_as_the_model_grows() -> None:
    small, large = (learning_rate(n, LoraSpec(), "sft")[0] for n in (SMALL, LARGE))
    assert (small, large) == (1e-3, 2e-4)


def test_full_fine_tuning_bears_a_fraction_of_loras_rate() -> None:
    """The papers' ranges: 1e-5 to 5e-5 for all weights, 1e-4 to 2e-3 for LoRA."""
    rate, reason = learning_rate(SMALL, FullSpec(), "sft")
    assert 1e-5 <= rate <= 5e-5
    assert "all weights" in reason


@pytest.mark.parametrize("adapter", [IA3Spec(), PrefixSpec(), PromptSpec()])
def test_few_numbers_bear_large_steps(adapter: IA3Spec | PrefixSpec | PromptSpec) -> None:
    rate, reason = learning_rate(SMALL, adapter, "sft")
    assert rate >= 10 * learning_rate(SMALL, LoraSpec(), "sft")[0]
    assert adapter.type in reason


@pytest.mark.parametrize("method", ["dpo", "kto", "simpo", "orpo", "reward", "grpo", "ppo"])
def test_a_method_that_bears_less_says_why(method: str) -> None:
    rate, reason = learning_rate(SMALL, LoraSpec(), method)
    assert rate < learning_rate(SMALL, LoraSpec(), "sft")[0]
    assert ", because " in reason


def test_what_the_spec_says_is_left_alone() -> None:
    spec, reasons = resolve(
        DPOSpec(learning_rate=0.5, threads=7, dtype="fp32", micro_batch_tokens=9),
        num_parameters=SMALL,
        **MACHINE,
    )
    assert (spec.learning_rate, spec.threads, spec.dtype, spec.micro_batch_tokens) == (
        0.5,
        7,
        "fp32",
        9,
    )
    assert reasons == {}


def test_what_it_leaves_open_is_filled_with_a_reason_each() -> None:
    spec, reasons = resolve(SFTSpec(), num_parameters=SMALL, **MACHINE)
    assert set(reasons) == {"learning_rate", "threads", "micro_batch_tokens", "dtype"}
    assert (spec.dtype, spec.threads) == ("bf16", 2)
