"""What the engine computes of packed rows is what unpatched transformers compute of each row alone."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

import tiny
from finewright.errors import ModelError
from finewright.lm.batch import pack
from finewright.lm.model import LM
from referee import assert_close, logps, random_adapters

pytestmark = pytest.mark.torch

Model = Callable[[str], PreTrainedModel]
every_family = pytest.mark.parametrize("family", tiny.FAMILIES)
# Longer and shorter than the sliding window, and one in which nothing can be learned.
LENGTHS = (15, 4, 1, 9, tiny.WINDOW)


@every_family
def test_packed_rows_have_the_states_and_scores_of_each_row_alone(
    family: str, tiny_model: Model
) -> None:
    rows = tiny.random_rows(LENGTHS)
    lm, plain = LM(tiny_model(family), {}), tiny_model(family)
    with torch.no_grad():
        alone = [plain.model(input_ids=torch.tensor([r.input_ids])) for r in rows]
        states = torch.cat([output.last_hidden_state[0] for output in alone])
        assert_close(lm.compute_states(pack(rows)), states, rel=1e-4)
        assert_close(lm.token_logps(pack(rows)), logps(plain, rows), rel=1e-4)
    assert lm.packs_exactly


def test_the_reference_is_the_base_model_and_the_adapter_comes_back(tiny_model: Model) -> None:
    batch = pack(tiny.random_rows(LENGTHS))
    base = LM(tiny_model("llama"), {}).token_logps(batch)
    model = tiny_model("llama")
    lm = LM(model, random_adapters(model))
    adapted = lm.token_logps(batch)

    with lm.reference():
        reference = lm.token_logps(batch)

    assert torch.allclose(reference, base, atol=1e-5)
    assert not reference.requires_grad
    assert not torch.allclose(adapted, base)
    assert torch.equal(lm.token_logps(batch), adapted)


def test_the_adapter_comes_back_after_an_error_in_the_reference(tiny_model: Model) -> None:
    model = tiny_model("llama")
    lm = LM(model, random_adapters(model))
    with pytest.raises(ZeroDivisionError), lm.reference():
        raise ZeroDivisionError
    assert all(adapter.enabled for adapter in lm.adapters.values())


def test_only_the_adapter_is_trained(tiny_model: Model) -> None:
    model = tiny_model("llama")
    lm = LM(model, random_adapters(model))
    trained = {id(p) for p in lm.parameters()}
    assert trained == {
        id(p) for adapter in lm.adapters.values() for p in (adapter.lora_A, adapter.lora_B)
    }


def test_the_models_own_attention_is_put_back_after_each_batch(tiny_model: Model) -> None:
    model = tiny_model("gemma2")
    LM(model, {}).token_logps(pack(tiny.random_rows(LENGTHS)))
    assert model.config._attn_implementation == "eager"


class Deaf(nn.Module):
    """An attention layer that does not hand the sequence lengths on."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *args: object, segments: object = None, **options: object) -> object:
        return self.inner(*args, **options)


class Mixing(nn.Module):
    """A layer that mixes each token with the one before it, across whatever border lies between."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x + 0.5 * torch.cat((torch.zeros_like(x[:, :1]), x[:, :-1]), 1))


def deaf(model: PreTrainedModel) -> PreTrainedModel:
    model.model.layers[1].self_attn = Deaf(model.model.layers[1].self_attn)
    return model


def mixing(model: PreTrainedModel) -> PreTrainedModel:
    model.model.layers[0].mlp = Mixing(model.model.layers[0].mlp)
    return model


@pytest.mark.parametrize("family", tiny.HYBRIDS)
def test_a_family_with_convolutions_cannot_pack_and_is_still_right(
    family: str, tiny_model: Model
) -> None:
    rows = tiny.random_rows(LENGTHS)
    lm = LM(tiny_model(family), {})
    with torch.no_grad():
        found = lm.token_logps(pack(rows))
        true = logps(tiny_model(family), rows)
    assert not lm.packs_exactly
    assert_close(found, true, rel=1e-4)


@pytest.mark.parametrize("broken", [deaf, mixing])
def test_a_model_that_cannot_pack_is_noticed_and_still_right(
    broken: Callable[[PreTrainedModel], PreTrainedModel], tiny_model: Model
) -> None:
    rows = tiny.random_rows(LENGTHS)
    lm = LM(broken(tiny_model("llama")), {})
    with torch.no_grad():
        found = lm.token_logps(pack(rows))
        true = logps(broken(tiny_model("llama")), rows)
    assert not lm.packs_exactly
    assert_close(found, true, rel=1e-4)


def test_a_head_that_is_not_known_is_refused(tiny_model: Model) -> None:
    model = tiny_model("falcon_h1")
    model.model.lm_head_multiplier *= 2  # what its config does not say
    with pytest.raises(ModelError, match=r"FalconH1ForCausalLM: .* losses would be wrong"):
        LM(model, {})


def test_a_family_without_a_key_value_cache_is_refused(tiny_model: Model) -> None:
    with pytest.raises(ModelError, match=r"MambaForCausalLM: .* cannot be generated"):
        LM(tiny_model("mamba"), {})
