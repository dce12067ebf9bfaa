"""Low-rank adapters over unmodified Hugging Face models, stored in PEFT's own files.

LoRA (Hu et al. 2021, arXiv:2106.09685): y = x W^T + b + alpha/r (x A^T) B^T, A drawn, B zero, W frozen.
A and B are float32 whatever the base's dtype is, as PEFT keeps them."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from finewright.errors import ModelError
from finewright.lm.fast.linear import lora_linear
from finewright.lm.tensors import save_tensors
from finewright.schema.train import LoraSpec

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
_PREFIX = "base_model.model."
_UNKNOWN = -1
_NEEDED = ("peft_type", "r", "lora_alpha", "target_modules")
# Settings under which PEFT computes something else than alpha/r * B A on whole named linears.
_NOT_PLAIN = (
    "use_dora",
    "use_rslora",
    "use_qalora",
    "lora_bias",
    "alpha_pattern",
    "rank_pattern",
    "layers_to_transform",
    "modules_to_save",
    "target_parameters",
    "trainable_token_indices",
)


class LoraLinear(nn.Module):
    """A frozen linear with a low-rank delta that can be switched off to give the base model back.

    The base's weight is kept with room for r more columns, which hold s B (see fast/linear.py)."""

    def __init__(self, base: nn.Linear, spec: LoraSpec, generator: torch.Generator) -> None:
        super().__init__()
        self.scale = spec.alpha / spec.r
        self.dropout = spec.dropout
        self.enabled = True
        weight = base.weight
        self._weight = weight.new_empty(base.out_features, base.in_features + spec.r)
        self._weight[:, : base.in_features] = weight.detach()
        self._written = _UNKNOWN
        self.base = base
        base.weight = nn.Parameter(self._weight[:, : base.in_features], requires_grad=False)
        bound = 1 / math.sqrt(base.in_features)  # kaiming_uniform with a = sqrt(5), as PEFT draws A
        a = torch.empty(spec.r, base.in_features).uniform_(-bound, bound, generator=generator)
        self.lora_A = nn.Parameter(a.to(weight.device))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, spec.r, device=weight.device))

    def forward(self, x: Tensor) -> Tensor:
        """The base's output plus the delta; x (..., in_features) -> (..., out_features)."""
        if not self.enabled:
            # the same GEMM without the low part: where B is zero, bitwise what the adapter gives
            nothing = x.new_zeros(*x.shape[:-1], self.lora_A.shape[0])
            return F.linear(torch.cat((x, nothing), -1), self._weight, self.base.bias)
        if self.dropout and self.training:
            return self._with_dropout(x)
        return lora_linear(x, *self.node_inputs())

    def node_inputs(self) -> tuple[Tensor, Tensor | None, Tensor, Tensor, float]:
        """Weight with s B in its room, bias, A, B, scale: what the engine's nodes take."""
        # Fused optimizers change B without telling its version, so while gradients are taken the room is
        # written every time; by `.data`, as the same numbers are no reason to fail an earlier graph.
        learning = torch.is_grad_enabled()
        if learning or self._written != self.lora_B._version:
            room = self._weight.data[:, self.base.in_features :]
            room.copy_(self.lora_B.detach() * self.scale)
            self._written = _UNKNOWN if learning else self.lora_B._version
        return self._weight, self.base.bias, self.lora_A, self.lora_B, self.scale

    def _with_dropout(self, x: Tensor) -> Tensor:
        dropped = F.dropout(x, self.dropout)
        low = F.linear(dropped, self.lora_A.to(x.dtype))
        delta = F.linear(low, self.lora_B.to(x.dtype)) * self.scale
        return F.linear(x, self.base.weight, self.base.bias) + delta


def add_lora(model: PreTrainedModel, spec: LoraSpec, *, seed: int) -> dict[str, LoraLinear]:
    """Put an adapter on each targeted linear, in place; module path -> adapter.

    Everything else is frozen. Raises ModelError when a named target matches no linear layer."""
    model.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    adapters: dict[str, LoraLinear] = {}
    for path in target_paths(model, spec.target_modules):
        base = model.get_submodule(path)
        assert isinstance(base, nn.Linear)
        adapters[path] = LoraLinear(base, spec, generator)
        model.set_submodule(path, adapters[path])
    return adapters


def target_paths(model: PreTrainedModel, targets: str | Sequence[str]) -> list[str]:
    """Paths of the linears to adapt, in module order: all but the head, or those whose name ends so."""
    head = model.get_output_embeddings()
    linears = [path for path, m in model.named_modules() if type(m) is nn.Linear and m is not head]
    if targets == "all-linear":
        return linears
    chosen = [p for p in linears if any(_matches(p, name) for name in targets)]
    missing = [name for name in targets if not any(_matches(p, name) for p in linears)]
    if missing:
        names = sorted({path.rpartition(".")[2] for path in linears})
        raise ModelError(
            f"train.adapter.target_modules: no linear layer is named {missing[0]!r}",
            hint=f"this model has {', '.join(names)}",
        )
    return chosen


def _matches(path: str, name: str) -> bool:
    return path == name or path.endswith(f".{name}")


def adapter_tensors(adapters: Mapping[str, LoraLinear]) -> dict[str, Tensor]:
    """The adapter's weights under PEFT's names."""
    tensors = {}
    for path, adapter in adapters.items():
        tensors[f"{_PREFIX}{path}.lora_A.weight"] = adapter.lora_A.detach()
        tensors[f"{_PREFIX}{path}.lora_B.weight"] = adapter.lora_B.detach()
    return tensors


def set_adapter_tensors(
    adapters: Mapping[str, LoraLinear], tensors: Mapping[str, Tensor], *, origin: str
) -> None:
    """Copy weights under PEFT's names into the adapters. Raises ModelError unless they fit exactly."""
    wanted = adapter_tensors(adapters)
    if wanted.keys() != tensors.keys():
        odd = sorted(wanted.keys() ^ tensors.keys())[0]
        raise ModelError(f"{origin}: the adapter does not fit this base model: {odd}")
    for name, tensor in tensors.items():
        if wanted[name].shape != tensor.shape:
            shapes = f"{tuple(tensor.shape)} where {tuple(wanted[name].shape)} is needed"
            raise ModelError(f"{origin}: {name} has shape {shapes}")
    for name, tensor in tensors.items():
        wanted[name].copy_(tensor)


def save_adapter(
    folder: Path,
    adapters: Mapping[str, LoraLinear],
    spec: LoraSpec,
    *,
    base_model: str,
    linears: Iterable[str],
) -> None:
    """Write adapter_config.json and adapter_model.safetensors as PEFT 0.21 reads them."""
    save_tensors(folder / WEIGHTS_FILE, adapter_tensors(adapters))
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model,
        "r": spec.r,
        "lora_alpha": spec.alpha,
        "lora_dropout": spec.dropout,
        "target_modules": _shortest_names(list(adapters), list(linears)),
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "use_dora": False,
        "use_rslora": False,
    }
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    (folder / CONFIG_FILE).write_text(text, encoding="utf-8")


def _shortest_names(adapted: list[str], linears: list[str]) -> list[str]:
    """Leaf names where they pick exactly the adapted layers, else full paths."""
    leaves = sorted({path.rpartition(".")[2] for path in adapted})
    picked = {path for path in linears if path.rpartition(".")[2] in leaves}
    return leaves if picked == set(adapted) else sorted(adapted)


def read_adapter_spec(folder: Path) -> LoraSpec:
    """The LoRA settings of a PEFT adapter folder. Raises ModelError for kinds we do not run."""
    path = folder / CONFIG_FILE
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not a readable adapter config: {error}") from None
    if not isinstance(config, dict) or not config.keys() >= set(_NEEDED):
        raise ModelError(f"{path}: this is no PEFT LoRA config: it needs {', '.join(_NEEDED)}")
    targets = config["target_modules"]
    odd = [key for key in _NOT_PLAIN if config.get(key)]
    if config.get("bias", "none") != "none":
        odd.append("bias")
    if targets != "all-linear" and not isinstance(targets, list):
        odd.append("target_modules pattern")
    if config["peft_type"] != "LORA" or odd:
        kind = odd[0] if odd else config["peft_type"]
        raise ModelError(f"{path}: {kind} adapters cannot be loaded", hint="plain LoRA can")
    return LoraSpec(
        r=config["r"],
        alpha=config["lora_alpha"],
        dropout=config.get("lora_dropout", 0.0),
        target_modules=targets if targets == "all-linear" else tuple(targets),
    )


def load_adapter(model: PreTrainedModel, folder: Path) -> dict[str, LoraLinear]:
    """Put the adapter stored in a PEFT folder onto the model, in place."""
    spec = read_adapter_spec(folder)
    weights = folder / WEIGHTS_FILE
    if not weights.is_file():
        raise ModelError(f"{folder}: {WEIGHTS_FILE} is missing")
    try:
        tensors = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{weights}: not a readable safetensors file: {error}") from None
    adapters = add_lora(model, spec, seed=0)
    set_adapter_tensors(adapters, tensors, origin=str(weights))
    return adapters
