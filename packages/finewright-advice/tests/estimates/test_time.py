"""Time is arithmetic over shares of a rate; the survey's anchors and the engine's own count hold."""

import pytest

from finewright.catalog.prices import gpu_named, read_packaged_prices
from finewright.estimate.families import shape_of
from finewright.schema.adapter import FullSpec, LoraSpec
from finewright.schema.cost import Range, TrainingWork
from finewright_advice.estimate.memory import MemoryLoad
from finewright_advice.estimate.time import (
    PastRun,
    flops_per_token,
    hours_at,
    hours_on,
    past_speed,
    speed_of_steps,
    utilisation,
)

LLAMA = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
}
MIXTRAL = {**LLAMA, "model_type": "mixtral", "vocab_size": 32000}


def load(**fields: object) -> MemoryLoad:
    return MemoryLoad(
        **{"adapter": LoraSpec(), "tokens": 4096, "learned": 2048, "longest": 512, **fields}
    )  # type: ignore[arg-type]


def work(tokens: float, flops: float, parts: float = 0.0) -> TrainingWork:
    span = Range(low=tokens, median=tokens, high=tokens)
    return TrainingWork(
        tokens=span, tokens_tier="counted", steps=1, parts=parts, flops_per_token=flops
    )


def test_frozen_weights_cost_four_and_learned_ones_six() -> None:
    shape = shape_of(LLAMA)
    lora, full = (
        flops_per_token(shape, load(adapter=a, longest=1), 1.0) for a in (LoraSpec(), FullSpec())
    )
    n, factors = shape.computing, shape.trainable(LoraSpec())
    assert lora == pytest.approx(4 * n + 6 * factors, rel=1e-3)
    assert full == pytest.approx(6 * n, rel=1e-3)


def test_recomputing_costs_a_forward_of_the_layers() -> None:
    shape = shape_of(LLAMA)
    fast, lean = (flops_per_token(shape, load(lean=x, longest=1), 1.0) for x in (False, True))
    inner = shape.computing - shape.vocabulary * shape.hidden
    assert lean - fast == pytest.approx(2 * inner, rel=1e-3)


def test_attention_grows_with_the_length_and_a_mixture_by_its_active_experts() -> None:
    shape = shape_of(LLAMA)
    short, long = (flops_per_token(shape, load(longest=n), 1.0) for n in (512, 8192))
    assert long - short == 7 * 32 * 32 * 256 * (8192 - 512) / 2
    mixture = shape_of(MIXTRAL)
    assert flops_per_token(mixture, load(), 1.0) < 4.5 * mixture.active < 4 * mixture.parameters


@pytest.mark.torch
def test_the_count_is_the_engines_own(tiny_model: object) -> None:
    from finewright.lm.adapters.kinds import add_adapter
    from finewright.lm.flops import flops_per_token as counted
    from finewright.lm.model import LM

    model = tiny_model("llama")  # type: ignore[operator]
    shape = shape_of(model.config.to_dict())
    lm = LM(model, add_adapter(model, LoraSpec(), seed=0))
    seen = 7 * shape.num_layers * shape.heads * 2 * shape.key_width / 2
    norms = 4 * 5 * shape.hidden  # which the engine's count leaves out
    assert flops_per_token(shape, load(longest=1), 0.5) - seen - norms == counted(lm, 0.5)


def test_the_surveys_anchors_lie_in_the_interval() -> None:
    """7B LoRA with checkpointing over 15.4 M tokens: 3.2 h on a 4090, 1.7 on an A100, 0.5 on an H100."""
    shape, catalog = shape_of(LLAMA), read_packaged_prices()
    flops = flops_per_token(shape, load(lean=True), 0.6)
    for name, hours in (("RTX 4090", 3.2), ("A100 80GB SXM", 1.7), ("H100 SXM", 0.5)):
        gpu = gpu_named(catalog, name)
        found = hours_on(gpu, utilisation(shape, load(), gpu), work(15.4e6, flops), 32)
        assert found.low <= hours <= found.high, name


def test_small_steps_wait_for_their_kernels() -> None:
    gpu = gpu_named(read_packaged_prices(), "H100 SXM")
    share = Range(low=0.3, median=0.3, high=0.3)
    few, many = (hours_on(gpu, share, work(1e6, 1e9, parts), 32) for parts in (10, 10_000))
    assert many.median > 10 * few.median


def test_a_gpu_without_bfloat16_is_slow_and_badly_known() -> None:
    shape = shape_of(LLAMA)
    t4, h100 = (gpu_named(read_packaged_prices(), name) for name in ("T4", "H100 SXM"))
    old, new = utilisation(shape, load(), t4), utilisation(shape, load(), h100)
    assert old.median < new.median / 4
    assert old.high / old.low > new.high / new.low


def test_float32_is_computed_at_the_cards_own_rate_for_it() -> None:
    """19.5 of 312 TFLOP/s on an A100, 82.6 of 165.2 on a 4090."""
    shape, catalog = shape_of(LLAMA), read_packaged_prices()
    for name, share in (("A100 80GB SXM", 1 / 16), ("RTX 4090", 1 / 2)):
        gpu = gpu_named(catalog, name)
        wide, half = (utilisation(shape, load(number=n), gpu) for n in (4, 2))
        assert wide.high == pytest.approx(0.8 * share), name
        assert wide.median < half.median


def test_a_measured_speed_is_as_wide_as_its_steps_differ() -> None:
    even = speed_of_steps([100, 100, 100, 100], [1.0, 1.0, 1.0, 1.0])
    uneven = speed_of_steps([100, 100, 100, 100], [0.5, 1.5, 0.5, 1.5])
    assert (even.low, even.median, even.high) == pytest.approx((90, 100, 110))
    assert uneven.median == pytest.approx(100)
    assert 0 < uneven.low < even.low
    assert speed_of_steps([100], [2.0]).median == 50


def test_a_single_stall_is_not_the_speed_of_a_run() -> None:
    assert speed_of_steps([100, 100, 100], [1.0, 1.0, 7.0]).median == pytest.approx(100)
    assert speed_of_steps([100, 200, 100, 100], [1.0, 2.0, 1.0, 4.0]).median == pytest.approx(100)
    assert speed_of_steps([100, 100], [1.0, 3.0]).median == pytest.approx(50)


def test_hours_are_tokens_over_speed() -> None:
    tokens = Range(low=3.6e6, median=7.2e6, high=7.2e6)
    assert hours_at(tokens, Range(low=1000, median=2000, high=2000)) == Range(
        low=0.5, median=1, high=2
    )
    past = past_speed([PastRun("a", 1000, 10), PastRun("b", 1000, 20), PastRun("c", 900, 10)])
    assert (past.low, past.median, past.high) == pytest.approx((45, 90, 110))
