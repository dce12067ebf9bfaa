"""What the engine is judged by: unpatched transformers, PEFT's own LoRA layers, and the definition."""

from collections.abc import Mapping, Sequence

import torch
from peft import LoraConfig
from peft.tuners.lora.layer import Linear as PeftLinear
from torch import Tensor
from transformers import PreTrainedModel

from finewright.lm.adapters.lora import LoraLinear, add_lora
from finewright.lm.example import EncodedRow
from finewright.schema.adapter import LoraSpec

RANK, ALPHA = 4, 12


def drawn(*shape: int, seed: int) -> Tensor:
    """Normal numbers, the same for the same seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def assert_close(found: Tensor, true: Tensor, rel: float = 1e-5) -> None:
    """The largest difference is at most `rel` times the largest number."""
    assert found.shape == true.shape
    assert (found.double() - true.double()).abs().max() <= rel * true.double().abs().max()


def distance(found: Tensor, true: Tensor) -> float:
    """|found - true| / |true|, of the whole tensors."""
    return float((found.double() - true.double()).norm() / true.double().norm())


def random_adapters(
    model: PreTrainedModel, targets: str | Sequence[str] = "all-linear", *, dropout: float = 0.0
) -> dict[str, LoraLinear]:
    """Adapters whose B is not zero, so that they matter and A has a gradient."""
    spec = LoraSpec(r=RANK, alpha=ALPHA, dropout=dropout, target_modules=targets)
    adapters = add_lora(model, spec, seed=1)
    generator = torch.Generator().manual_seed(2)
    for adapter in adapters.values():
        adapter.lora_B.data.normal_(std=0.1, generator=generator)
    return adapters


def peft_layers(
    model: PreTrainedModel, adapters: Mapping[str, LoraLinear], *, dropout: float = 0.0
) -> dict[str, PeftLinear]:
    """Put PEFT's own LoRA layers with the same weights on an unpatched model; module path -> layer."""
    model.requires_grad_(False)
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=dropout)
    layers = {}
    for path, adapter in adapters.items():
        base = model.get_submodule(path)
        layer = PeftLinear(base, "default", config=config, r=RANK, lora_alpha=ALPHA)
        layer.lora_A["default"].weight.data.copy_(adapter.lora_A.data)
        layer.lora_B["default"].weight.data.copy_(adapter.lora_B.data)
        model.set_submodule(path, layer)
        layers[path] = layer.train(model.training)
    return layers


def logps(model: PreTrainedModel, rows: Sequence[EncodedRow]) -> Tensor:
    """log p of the learned tokens from transformers' logits, each row alone, by the definition."""
    found = []
    for row in rows:
        logits = model(input_ids=torch.tensor([row.input_ids]), use_cache=False).logits[0]
        scores = logits.float().log_softmax(-1)
        learned = [t for t in range(1, len(row.input_ids)) if row.trained[t]]
        found += [scores[t - 1, row.input_ids[t]] for t in learned]
    return torch.stack(found)


def gradients(adapters: Mapping[str, LoraLinear]) -> dict[str, Tensor]:
    """The adapters' gradients by path and factor, taken away."""
    found = {}
    for path, adapter in adapters.items():
        for name, factor in (("A", adapter.lora_A), ("B", adapter.lora_B)):
            assert factor.grad is not None
            found[f"{path} {name}"], factor.grad = factor.grad, None
    return found


def peft_gradients(layers: Mapping[str, PeftLinear]) -> dict[str, Tensor]:
    """The same of PEFT's layers."""
    found = {}
    for path, layer in layers.items():
        found[f"{path} A"] = layer.lora_A["default"].weight.grad
        found[f"{path} B"] = layer.lora_B["default"].weight.grad
    return found


def assert_gradients_close(
    found: Mapping[str, Tensor], true: Mapping[str, Tensor], rel: float
) -> None:
    """Tensor by tensor, in the Euclidean norm; none is zero."""
    assert found.keys() == true.keys()
    far = {
        name: distance(found[name], true[name])
        for name in true
        if not distance(found[name], true[name]) <= rel
    }
    assert not far
    assert all(grad.norm() > 0 for grad in true.values())
