"""The arithmetic of a token, counted by hand on a model small enough to do so."""

from collections.abc import Callable

import pytest
from transformers import PreTrainedModel

from finewright.lm.adapters.kinds import add_adapter
from finewright.lm.adapters.lora import add_lora
from finewright.lm.flops import flops_per_token
from finewright.lm.model import LM
from finewright.schema.adapter import FullSpec, LoraSpec, PromptSpec

pytestmark = pytest.mark.torch

# The tiny llama: hidden 32, MLP 48, 4 heads and 2 key-value heads of 8, 2 layers, 320 tokens.
ATTENTION = 32 * 32 + 16 * 32 + 16 * 32 + 32 * 32
MLP = 3 * 32 * 48
FROZEN = 2 * (ATTENTION + MLP)
HEAD = 32 * 320
# rank 4: r x (inputs + outputs) of q, k, v, o, gate, up, down
ADAPTER = 2 * 4 * ((32 + 32) + 2 * (32 + 16) + (32 + 32) + 3 * (32 + 48))


@pytest.mark.parametrize("learned", [1.0, 0.25, 0.0])
def test_the_count_is_the_one_by_hand(
    learned: float, tiny_model: Callable[[str], PreTrainedModel]
) -> None:
    model = tiny_model("llama")
    lm = LM(model, add_lora(model, LoraSpec(r=4), seed=0))
    by_hand = 4 * FROZEN + 6 * ADAPTER + 4 * HEAD * learned
    assert flops_per_token(lm, learned) == pytest.approx(by_hand, rel=1e-12)


def test_quantised_weights_take_the_same_arithmetic(
    tiny_model: Callable[[str], PreTrainedModel],
) -> None:
    counts = []
    for quantization in ("none", "nf4"):
        model = tiny_model("llama")
        adapters = add_lora(model, LoraSpec(r=4, quantization=quantization), seed=0)
        counts.append(flops_per_token(LM(model, adapters), 1.0))
    assert counts[0] == counts[1]


def test_weights_that_learn_take_half_as_much_again(
    tiny_model: Callable[[str], PreTrainedModel],
) -> None:
    def counted(spec: FullSpec | PromptSpec) -> float:
        model = tiny_model("llama")
        return flops_per_token(LM(model, add_adapter(model, spec, seed=0)), 0.25)

    assert counted(PromptSpec()) == 4 * (FROZEN + HEAD * 0.25)
    assert counted(FullSpec()) == 6 * (FROZEN + HEAD * 0.25)
