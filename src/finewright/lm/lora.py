"""Low-rank adapters over unmodified Hugging Face models, stored in PEFT's own files.

LoRA (Hu et al. 2021, arXiv:2106.09685): y = x W^T + b + s (x A^T) B^T, A drawn, B zero, W frozen, and
s = alpha / r, or alpha / sqrt(r) with rsLoRA (Kalajdzievski 2023, arXiv:2312.03732). QLoRA keeps W
quantised (fast/quantized.py), DoRA trains its rows' magnitudes too (fast/dora.py). A, B and magnitudes
are float32 whatever the base's dtype is, as PEFT keeps them."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from finewright.errors import ModelError
from finewright.lm.fast import dora
from finewright.lm.fast.heap import give_back_memory
from finewright.lm.fast.linear import (
    Frozen,
    PlainWeight,
    Weight,
    lora_linear,
    roomy_linear,
    state_of,
)
from finewright.lm.fast.mapped import let_go
from finewright.lm.fast.mlp import is_experts
from finewright.lm.fast.quantized import KINDS, QuantizedWeight, scratch_bytes
from finewright.lm.tensors import save_tensors
from finewright.schema.adapter import LoraSpec

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
_PREFIX = "base_model.model."
_NEEDED = ("peft_type", "r", "lora_alpha", "target_modules")
# Settings under which PEFT computes something else than alpha/r * B A on whole named linears.
_NOT_PLAIN = (
    "use_qalora",
    "lora_bias",
    "alpha_pattern",
    "rank_pattern",
    "layers_to_transform",
    "modules_to_save",
    "target_parameters",
    "trainable_token_indices",
    "layer_replication",
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "monteclora_config",
    "use_bdlora",
)
# First weights that leave the base as it is; PEFT's others, such as pissa, change it again at each load.
_PLAIN_STARTS = (True, False, "gaussian", "orthogonal", "eva")


class LoraLinear(nn.Module):
    """A frozen linear with a low-rank delta that can be switched off to give the base model back.

    `frozen` keeps the base's weight, with room for s B beside it (see fast/linear.py)."""

    fused = True  # a larger node may compute it from `node_inputs`

    def __init__(
        self, base: nn.Linear, spec: LoraSpec, generator: torch.Generator, frozen: Frozen
    ) -> None:
        super().__init__()
        self.scale = spec.alpha / (math.sqrt(spec.r) if spec.use_rslora else spec.r)
        self.dropout = spec.dropout
        self.enabled = True
        self.frozen = frozen
        self.dtype, device = base.weight.dtype, base.weight.device
        # a weight that is not kept whole is no parameter
        own = frozen.values if isinstance(frozen, PlainWeight) else None
        kept = None if own is None else nn.Parameter(own, requires_grad=False)
        base.register_parameter("weight", kept)
        self.base = base
        bound = 1 / math.sqrt(base.in_features)  # kaiming_uniform with a = sqrt(5), as PEFT draws A
        a = torch.empty(spec.r, base.in_features).uniform_(-bound, bound, generator=generator)
        self.lora_A = nn.Parameter(a.to(device))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, spec.r, device=device))
        self.train(base.training)

    def forward(self, x: Tensor) -> Tensor:
        """The base's output plus the delta; x (..., in_features) -> (..., out_features)."""
        if not self.enabled:
            return self._plain(x, self.base.bias)
        if self.dropout and self.training:
            return self._with_dropout(x)
        return lora_linear(x, *self.node_inputs())

    def node_inputs(self) -> tuple[Weight, Tensor | None, Tensor, Tensor, float]:
        """Weight with s B in its room, bias, A, B, scale: what the engine's nodes take."""
        weight = self.frozen.with_room(self.lora_B, self.scale)
        return weight, self.base.bias, self.lora_A, self.lora_B, self.scale

    def tensors(self) -> dict[str, Tensor]:
        """What is trained, under PEFT's names."""
        return {"lora_A.weight": self.lora_A.detach(), "lora_B.weight": self.lora_B.detach()}

    def _plain(self, x: Tensor, bias: Tensor | None) -> Tensor:
        # the same GEMM without the low part: where B is zero, bitwise what the adapter gives
        nothing = x.new_zeros(*x.shape[:-1], self.lora_A.shape[0])
        weight = self.frozen.with_room(self.lora_B, self.scale)
        return roomy_linear(x, nothing, weight, bias, self.lora_B.detach(), self.scale)

    def _with_dropout(self, x: Tensor) -> Tensor:
        low = F.linear(F.dropout(x, self.dropout), self.lora_A.to(x.dtype))
        weight, bias, _, lora_b, scale = self.node_inputs()
        return roomy_linear(x, low, weight, bias, lora_b, scale)


class DoraLinear(LoraLinear):
    """LoRA on the direction of each row, and the row's magnitude trained beside it (fast/dora.py).

    With dropout the base sees x and the delta, as well as what is rescaled, sees the dropped x: PEFT's
    way."""

    fused = False

    def __init__(
        self, base: nn.Linear, spec: LoraSpec, generator: torch.Generator, frozen: Frozen
    ) -> None:
        super().__init__(base, spec, generator, frozen)
        self._squares = dora.squared_norms(self._values())
        self._norms: Tensor | None = None
        self._norms_of: object = None
        self.lora_magnitude_vector = nn.Parameter(self._direction_norms().clone())

    def forward(self, x: Tensor) -> Tensor:
        """The base's output, or the rescaled sum; x (..., in_features) -> (..., out_features)."""
        if not self.enabled:
            return self._plain(x, self.base.bias)
        ratio = self.lora_magnitude_vector / self._direction_norms()
        weight, bias, a, b, scale = self.node_inputs()
        if not self.dropout or not self.training:
            return dora.rescaled(lora_linear(x, weight, bias, a, b, scale), bias, ratio)
        dropped = F.dropout(x, self.dropout)
        base = self._plain(x - dropped, bias)
        return base + dora.rescaled(lora_linear(dropped, weight, None, a, b, scale), None, ratio)

    def tensors(self) -> dict[str, Tensor]:
        """What is trained, under PEFT's names."""
        return {**super().tensors(), "lora_magnitude_vector": self.lora_magnitude_vector.detach()}

    def _values(self) -> Tensor:
        assert isinstance(self.frozen, PlainWeight | QuantizedWeight)
        return self.frozen.values

    @torch.no_grad()
    def _fresh_norms(self) -> Tensor:
        factors = (self.lora_A, self.lora_B, self.scale)
        return dora.direction_norms(self._values(), self._squares, *factors)

    def _direction_norms(self) -> Tensor:
        """The norms for A and B as they are; computed at every call while gradients are taken."""
        learning = torch.is_grad_enabled()
        states = state_of(self.lora_A), state_of(self.lora_B)
        if self._norms is None or learning or self._norms_of != states:
            self._norms = self._fresh_norms()
            self._norms_of = None if learning else states
        return self._norms


def add_lora(
    model: PreTrainedModel, spec: LoraSpec, *, seed: int, device: torch.device | None = None
) -> dict[str, LoraLinear]:
    """Put an adapter on each targeted linear, in place; module path -> adapter.

    Everything else is frozen. Weight by weight the original is moved to `device`, copied or packed, and
    let go, so no second model is held anywhere. Raises ModelError when a named target matches no linear."""
    model.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    paths = target_paths(model, spec.target_modules)
    kind = DoraLinear if spec.use_dora else LoraLinear
    keep = _keeper([model.get_submodule(path).weight for path in paths], spec, device)
    adapters: dict[str, LoraLinear] = {}
    for path in paths:
        base = model.get_submodule(path)
        assert isinstance(base, nn.Linear)
        original = base.weight.detach()
        if device is not None:
            base.to(device)
        adapters[path] = kind(base, spec, generator, keep(base.weight))
        model.set_submodule(path, adapters[path])
        let_go(original)
    if device is not None:
        model.to(device)
    give_back_memory()
    return adapters


def kept_whole(model: PreTrainedModel, adapters: Mapping[str, LoraLinear]) -> list[str]:
    """Kinds of layers that a quantised model has in full: those that are no linear with an adapter.

    Embeddings and head, which are never quantised, are not among them."""
    if all(isinstance(adapter.frozen, PlainWeight) for adapter in adapters.values()):
        return []
    head = model.get_output_embeddings()
    linears = {
        path.rpartition(".")[2]
        for path, module in model.named_modules()
        if type(module) is nn.Linear and module is not head and module.weight is not None
    }
    experts = {type(module).__name__ for module in model.modules() if is_experts(module)}
    return sorted(linears | experts)


def _keeper(
    weights: Sequence[Tensor], spec: LoraSpec, device: torch.device | None
) -> Callable[[Tensor], Frozen]:
    """What keeps each weight: whole, or packed with one scratch for all."""
    if spec.quantization == "none":
        return partial(PlainWeight, rank=spec.r)
    pack = KINDS[spec.quantization].pack
    sizes = [scratch_bytes(len(w), w.shape[1] + spec.r, w.dtype) for w in weights]
    device = device or weights[0].device
    scratch = torch.empty(max(sizes), dtype=torch.uint8, device=device)
    return lambda weight: QuantizedWeight(pack(weight.detach()), scratch, weight.dtype)


def linear_paths(model: PreTrainedModel) -> list[str]:
    """Paths of all linears but the head, in module order, with an adapter on them or not."""
    inner = {id(m.base) for m in model.modules() if isinstance(m, LoraLinear)}
    left_out = {id(model.get_output_embeddings()), *inner}
    return [
        path
        for path, m in model.named_modules()
        if isinstance(m, LoraLinear) or (type(m) is nn.Linear and id(m) not in left_out)
    ]


def target_paths(model: PreTrainedModel, targets: str | Sequence[str]) -> list[str]:
    """Paths of the linears to adapt, in module order: all but the head, or those whose name ends so."""
    linears = linear_paths(model)
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
    return {
        f"{_PREFIX}{path}.{name}": tensor
        for path, adapter in adapters.items()
        for name, tensor in adapter.tensors().items()
    }


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
        "use_dora": spec.use_dora,
        "use_rslora": spec.use_rslora,
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
    if config.get("init_lora_weights", True) not in _PLAIN_STARTS:
        odd.append(f"init_lora_weights {config['init_lora_weights']}")
    if targets != "all-linear" and not isinstance(targets, list):
        odd.append("target_modules pattern")
    if config["peft_type"] != "LORA" or odd:
        kind = odd[0] if odd else config["peft_type"]
        raise ModelError(
            f"{path}: {kind} adapters cannot be loaded", hint="LoRA, rsLoRA and DoRA can"
        )
    return LoraSpec(
        r=config["r"],
        alpha=config["lora_alpha"],
        dropout=config.get("lora_dropout", 0.0),
        target_modules=targets if targets == "all-linear" else tuple(targets),
        use_dora=config.get("use_dora", False),
        use_rslora=config.get("use_rslora", False),
    )


def load_adapter(
    model: PreTrainedModel, folder: Path, *, device: torch.device | None = None
) -> dict[str, LoraLinear]:
    """Put the adapter stored in a PEFT folder onto the model, in place, as `add_lora` puts a fresh one."""
    spec = read_adapter_spec(folder)
    weights = folder / WEIGHTS_FILE
    if not weights.is_file():
        raise ModelError(f"{folder}: {WEIGHTS_FILE} is missing")
    try:
        tensors = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{weights}: not a readable safetensors file: {error}") from None
    adapters = add_lora(model, spec, seed=0, device=device)
    set_adapter_tensors(adapters, tensors, origin=str(weights))
    return adapters
