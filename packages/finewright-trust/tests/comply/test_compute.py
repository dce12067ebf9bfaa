"""FLOP by the formula against what torch counts in training; thresholds by the guidelines' points."""

import pytest

from finewright.estimate.families import shape_of
from finewright.schema.adapter import FullSpec, LoraSpec
from finewright.schema.methods import DPOSpec, GRPOSpec, SFTSpec
from finewright_trust.comply.compute import (
    PassedTokens,
    base_compute,
    base_computes,
    compute_facts,
    find_threshold,
    forward_flops,
    sampling_flops,
    training_flops,
)

torch = pytest.importorskip("torch")
ROWS, LENGTH = 3, 48
CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 12,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 131,
    "tie_word_embeddings": False,
}
WORK = PassedTokens(ROWS * LENGTH, ROWS * LENGTH, LENGTH)


def counted(adapter: LoraSpec | FullSpec, *, backward: bool = True) -> int:
    """FLOP of one step of transformers' own model with PEFT's adapter, by torch's counter."""
    from peft import LoraConfig, get_peft_model
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import LlamaConfig, LlamaForCausalLM

    values = {key: value for key, value in CONFIG.items() if key != "model_type"}
    model = LlamaForCausalLM(LlamaConfig(**values, attn_implementation="eager"))
    if isinstance(adapter, LoraSpec):
        config = LoraConfig(r=adapter.r, target_modules="all-linear", lora_dropout=0.0)
        model = get_peft_model(model, config)
    tokens = torch.randint(0, 131, (ROWS, LENGTH))
    with FlopCounterMode(display=False) as counter:
        loss = model(input_ids=tokens, labels=tokens).loss
        if backward:
            loss.backward()
    return counter.get_total_flops()


@pytest.mark.parametrize("adapter", [LoraSpec(r=8), LoraSpec(r=32), FullSpec()])
def test_a_training_step_is_what_torch_counts_within_five_percent(
    adapter: LoraSpec | FullSpec,
) -> None:
    ours = training_flops(shape_of(CONFIG), SFTSpec(adapter=adapter), WORK)
    assert ours == pytest.approx(counted(adapter), rel=0.05)


def test_a_forward_pass_is_what_torch_counts_within_five_percent() -> None:
    assert forward_flops(shape_of(CONFIG), WORK) == pytest.approx(
        counted(FullSpec(), backward=False), rel=0.05
    )


def test_lean_memory_costs_one_more_forward() -> None:
    shape = shape_of(CONFIG)
    spec = SFTSpec(adapter=LoraSpec(r=8))
    extra = shape.trainable(spec.adapter)
    lean = training_flops(shape, spec.model_copy(update={"memory": "lean"}), WORK)
    fast = training_flops(shape, spec, WORK)
    assert lean - fast == pytest.approx(forward_flops(shape, WORK, extra))


def test_sampled_answers_and_reference_passes_are_counted() -> None:
    shape = shape_of(CONFIG)
    forward = forward_flops(shape, WORK)
    (dpo,) = sampling_flops(shape, DPOSpec(), WORK)
    assert dpo.flops == pytest.approx(forward)
    assert list(sampling_flops(shape, SFTSpec(), WORK)) == []
    rewards = [{"function": "exact"}]
    grpo = GRPOSpec.model_validate({"rewards": rewards, "beta": 0.04})
    sampled, before = sampling_flops(shape, grpo, WORK)
    assert sampled.flops == pytest.approx(forward), "each token is generated once"
    assert before.flops == pytest.approx(forward), "and once more by the base"


@pytest.mark.parametrize(
    ("facts", "threshold", "point"),
    [
        ({"base_flops": 3e24}, 1e24, "point 60"),
        ({"base_flops": 1e22}, None, "point 17"),
        ({"base_systemic": True}, 1e25 / 3, "point 61"),
        ({"base_systemic": False}, 1e23 / 3, "point 61"),
        ({}, 1e23 / 3, "point 61"),
    ],
)
def test_the_threshold_and_its_point(
    facts: dict[str, object], threshold: float | None, point: str
) -> None:
    found, said = find_threshold(facts)
    assert found == (None if threshold is None else pytest.approx(threshold))
    assert said.startswith(point)


@pytest.mark.parametrize(
    ("spent", "is_over"), [(1e22, False), (1e23, None), (4e24, True), (None, None)]
)
def test_an_unknown_base_decides_only_outside_both_thresholds(
    spent: float | None, is_over: bool | None
) -> None:
    assert compute_facts({"modification_flops": spent})["over_third"] is is_over


def test_a_base_above_1e25_is_presumed_systemic() -> None:
    assert compute_facts({"base_flops": 3.8e25})["base_systemic"] is True
    assert compute_facts({"base_flops": 3.8e25, "base_systemic": False})["base_systemic"] is False


def test_bases_are_known_by_name_and_alias() -> None:
    found = base_compute("", "HuggingFaceTB/smollm2-135m-instruct")
    assert found is not None
    assert found.flops == pytest.approx(1.6e21, rel=0.02)
    assert base_compute("nobody/nothing") is None
    names = [n.casefold() for k, v in base_computes().items() for n in {k, *v.aliases}]
    assert len(names) == len(set(names))
