"""(IA)3 (Liu et al. 2022, arXiv:2205.05638): keys, values and the inputs of down projections are rescaled.

    y = l * (x W^T + b)    of keys and values           y = (l * x) W^T + b    of a feed-forward's last linear

W and b frozen, l float32 and one at first, one number a feature. As PEFT has it, the product is taken in
float32 and rounded to the model's number format."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from finewright.errors import ModelError
from finewright.lm.adapters.linears import (
    OnLinear,
    as_linears,
    keeper,
    linear_paths,
    matches,
    put_on,
    target_paths,
)
from finewright.lm.fast.linear import Frozen, PlainWeight, Weight, frozen_linear
from finewright.schema.adapter import IA3Spec

# Families in which PEFT rescales queries in the place of keys; ours are the same.
_QUERIES = ("gemma", "gemma2", "gemma3_text", "qwen2", "qwen3")
# In the order in which they are looked for: keys that stand alone, fused with all else, of a latent (MLA).
_KEYS = (("k_proj", "v_proj"), ("qkv_proj",), ("kv_b_proj",))
_DOWN = "down_proj"


class Targets(NamedTuple):
    """Paths of the linears that are rescaled, and which of them at their input."""

    paths: tuple[str, ...]
    feedforward: frozenset[str]


class IA3Linear(OnLinear):
    """A frozen linear whose output is rescaled, or its input where `feedforward`."""

    def __init__(self, base: nn.Linear, frozen: Frozen, *, feedforward: bool) -> None:
        device = base.weight.device
        super().__init__(base, frozen)
        self.feedforward = feedforward
        shape = (
            (1, base.in_features) if feedforward else (base.out_features, 1)
        )  # as PEFT stores it
        self.ia3_l = nn.Parameter(torch.ones(shape, device=device))
        self._no_room = torch.empty(base.out_features, 0, device=device)

    def forward(self, x: Tensor) -> Tensor:
        """x (..., in_features) -> (..., out_features)."""
        if self.enabled and self.feedforward:
            x = (x * self.ia3_l.flatten()).to(x.dtype)
        y = frozen_linear(x, self._whole(), self.base.bias)
        if self.enabled and not self.feedforward:
            y = (y * self.ia3_l.flatten()).to(y.dtype)
        return y

    def tensors(self) -> dict[str, Tensor]:
        """What is trained, under PEFT's name."""
        return {"ia3_l": self.ia3_l.detach()}

    @torch.no_grad()
    def merge(self) -> Tensor:
        """The rescaled weight, float32."""
        return self.read_weight().float() * self.ia3_l

    @torch.no_grad()
    def merge_bias(self) -> Tensor | None:
        """The bias, rescaled with the output."""
        bias = self.base.bias
        return bias if bias is None or self.feedforward else bias.float() * self.ia3_l.flatten()

    @torch.no_grad()
    def in_float32(self) -> Self:
        """The layer over the same weight in float32."""
        base = self.wide_base()
        twin = type(self)(base, PlainWeight(base.weight, rank=0), feedforward=self.feedforward)
        twin.ia3_l.copy_(self.ia3_l)
        return twin

    def _whole(self) -> Weight:
        return self.frozen.with_room(self._no_room, 1.0)


def add_ia3(
    model: PreTrainedModel, spec: IA3Spec, *, device: torch.device | None = None
) -> dict[str, IA3Linear]:
    """Rescale the targeted linears, in place; module path -> adapter. Nothing is drawn.

    Raises ModelError when a named target matches no linear, or when the family's are not known."""
    targets = targets_of(model, spec)
    as_linears(model, targets.paths)
    keep = keeper(model, targets.paths, quantization=spec.quantization, room=0, device=device)

    def make(path: str, base: nn.Linear, frozen: Frozen) -> IA3Linear:
        return IA3Linear(base, frozen, feedforward=path in targets.feedforward)

    return put_on(model, targets.paths, make, keep, device)


def _down(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if matches(name, _DOWN))


def _is_one_of(path: str, names: Iterable[str]) -> bool:
    return any(matches(path, name) for name in names)


def targets_of(model: PreTrainedModel, spec: IA3Spec) -> Targets:
    """The linears that the spec names, or the family's. Of a mixture, experts take no adapter."""
    names = _usual(model) if spec.target_modules is None else spec.target_modules
    paths = target_paths(model, names)
    down = _down(names) if spec.feedforward_modules is None else spec.feedforward_modules
    if strange := [name for name in down if not any(matches(path, name) for path in paths)]:
        raise ModelError(
            f"train.adapter.feedforward_modules: {strange[0]!r} is none of target_modules"
        )
    chosen = frozenset(path for path in paths if _is_one_of(path, down))
    return Targets(tuple(paths), chosen)


def _usual(model: PreTrainedModel) -> tuple[str, ...]:
    leaves = {path.rpartition(".")[2] for path in linear_paths(model)}
    down = (_DOWN,) if _DOWN in leaves else ()
    if model.config.get_text_config().model_type in _QUERIES:
        return ("q_proj", "v_proj", *down)
    for names in _KEYS:
        if leaves >= set(names):
            return (*names, *down)
    raise ModelError(
        f"{type(model).__name__}: which of its linears make keys and values is not known here",
        hint=f"set train.adapter.target_modules to some of {', '.join(sorted(leaves))}",
    )
