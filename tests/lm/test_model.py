"""What the engine computes is what unpatched transformers (and PEFT) compute, family by family."""

from collections.abc import Callable

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import PreTrainedModel

import tiny
from finewright.errors import ModelError
from finewright.lm.adapters.linears import target_paths
from finewright.lm.adapters.lora import LoraLinear, add_lora
from finewright.lm.batch import EncodedRow, pack
from finewright.lm.model import LM
from finewright.schema.adapter import LoraSpec

pytestmark = pytest.mark.torch

Model = Callable[[str], PreTrainedModel]
every_family = pytest.mark.parametrize("family", tiny.FAMILIES)
# Longer and shorter than the sliding window, and one in which nothing can be learned.
LENGTHS = (15, 4, 1, 9, tiny.WINDOW)
RANK, ALPHA = 4, 12


def assert_close(found: Tensor, true: Tensor, rel: float = 1e-4) -> None:
    assert found.shape == true.shape
    assert (found - true).abs().max() <= rel * true.abs().max()


def one_by_one(model: PreTrainedModel, rows: list[EncodedRow]) -> list[tuple[EncodedRow, Tensor]]:
    """Each row alone through transformers' own forward: its logits (n, V)."""
    return [(row, model(input_ids=torch.tensor([row.input_ids])).logits[0]) for row in rows]


def reference_logps(model: PreTrainedModel, rows: list[EncodedRow]) -> Tensor:
    """log p of the learned tokens from transformers' logits, by the definition."""
    return torch.stack(
        [
            logits[t - 1].log_softmax(-1)[row.input_ids[t]]
            for row, logits in one_by_one(model, rows)
            for t in range(1, len(row.input_ids))
            if row.trained[t]
        ]
    )


def random_adapters(model: PreTrainedModel, targets: str = "all-linear") -> dict[str, LoraLinear]:
    spec = LoraSpec(r=RANK, alpha=ALPHA, target_modules=targets)
    adapters = add_lora(model, spec, seed=1)
    generator = torch.Generator().manual_seed(2)
    for adapter in adapters.values():
        adapter.lora_B.data.normal_(std=0.1, generator=generator)
    return adapters


def peft_twin(model: PreTrainedModel, adapters: dict[str, LoraLinear]) -> nn.Module:
    """The same model with PEFT's own LoRA layers that hold the same weights."""
    config = LoraConfig(
        r=RANK, lora_alpha=ALPHA, target_modules=sorted(adapters), task_type="CAUSAL_LM"
    )
    twin = get_peft_model(model, config)
    for path, adapter in adapters.items():
        layer = twin.base_model.model.get_submodule(path)
        layer.lora_A["default"].weight.data.copy_(adapter.lora_A.data)
        layer.lora_B["default"].weight.data.copy_(adapter.lora_B.data)
    return twin.eval()


@every_family
def test_every_tiny_family_packs_exactly(family: str, tiny_model: Model) -> None:
    assert LM(tiny_model(family), {}).packs_exactly


@every_family
def test_packed_states_are_those_of_each_sequence_alone(family: str, tiny_model: Model) -> None:
    rows = tiny.random_rows(LENGTHS)
    plain = tiny_model(family)
    with torch.no_grad():
        alone = [plain.model(input_ids=torch.tensor([r.input_ids])) for r in rows]
        packed = LM(tiny_model(family), {}).hidden(pack(rows))
    assert_close(packed, torch.cat([output.last_hidden_state[0] for output in alone]))


@every_family
def test_token_logps_are_those_of_transformers_logits(family: str, tiny_model: Model) -> None:
    rows = tiny.random_rows(LENGTHS)
    with torch.no_grad():
        found = LM(tiny_model(family), {}).token_logps(pack(rows))
        true = reference_logps(tiny_model(family), rows)
    assert_close(found, true)


@every_family
def test_loss_and_adapter_gradients_are_those_of_peft(family: str, tiny_model: Model) -> None:
    rows = tiny.random_rows(LENGTHS)
    model = tiny_model(family)
    adapters = random_adapters(model)
    twin = peft_twin(tiny_model(family), adapters)

    loss = -LM(model, adapters).token_logps(pack(rows)).mean()
    loss.backward()
    true_loss = -reference_logps(twin, rows).mean()
    true_loss.backward()

    assert loss.item() == pytest.approx(true_loss.item(), rel=1e-5)
    for path, adapter in adapters.items():
        layer = twin.base_model.model.get_submodule(path)
        assert adapter.lora_A.grad.abs().max() > 0
        assert_close(adapter.lora_A.grad, layer.lora_A["default"].weight.grad)
        assert_close(adapter.lora_B.grad, layer.lora_B["default"].weight.grad)


@every_family
def test_dropout_in_the_adapter_gives_the_gradients_of_peft(family: str, tiny_model: Model) -> None:
    row = tiny.random_rows([12])
    model = tiny_model(family)
    (path,) = target_paths(model, "all-linear")[:1]
    spec = LoraSpec(r=RANK, alpha=ALPHA, dropout=0.5, target_modules=(path,))
    adapters = add_lora(model, spec, seed=1)
    adapters[path].lora_B.data.normal_(std=0.1)
    twin = peft_twin(tiny_model(family), adapters)
    layer = twin.base_model.model.get_submodule(path)
    layer.lora_dropout["default"] = nn.Dropout(0.5)
    lm = LM(model, adapters)
    adapters[path].train()
    layer.train()

    torch.manual_seed(3)
    lm.token_logps(pack(row)).mean().backward()
    torch.manual_seed(3)
    reference_logps(twin, row).mean().backward()

    assert_close(adapters[path].lora_A.grad, layer.lora_A["default"].weight.grad)
    assert_close(adapters[path].lora_B.grad, layer.lora_B["default"].weight.grad)


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


def test_a_family_with_convolutions_cannot_pack_and_is_still_right(tiny_model: Model) -> None:
    rows = tiny.random_rows(LENGTHS)
    lm = LM(tiny_model("lfm2"), {})
    with torch.no_grad():
        found = lm.token_logps(pack(rows))
        true = reference_logps(tiny_model("lfm2"), rows)
    assert not lm.packs_exactly
    assert_close(found, true)


@pytest.mark.parametrize("broken", [deaf, mixing])
def test_a_model_that_cannot_pack_is_noticed_and_still_right(
    broken: Callable[[PreTrainedModel], PreTrainedModel], tiny_model: Model
) -> None:
    rows = tiny.random_rows(LENGTHS)
    lm = LM(broken(tiny_model("llama")), {})
    with torch.no_grad():
        found = lm.token_logps(pack(rows))
        true = reference_logps(broken(tiny_model("llama")), rows)
    assert not lm.packs_exactly
    assert_close(found, true)


def test_a_head_that_is_not_known_is_refused(tiny_model: Model) -> None:
    with pytest.raises(ModelError, match=r"FalconH1ForCausalLM: .* losses would be wrong"):
        LM(tiny_model("falcon_h1"), {})


def test_a_family_without_a_key_value_cache_is_refused(tiny_model: Model) -> None:
    with pytest.raises(ModelError, match=r"MambaForCausalLM: .* cannot be generated"):
        LM(tiny_model("mamba"), {})
