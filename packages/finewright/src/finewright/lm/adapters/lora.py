"""Low-rank adapters over unmodified linears.

LoRA (Hu et al. 2021, arXiv:2106.09685): y = x W^T + b + s (x A^T) B^T, A drawn, B zero, W frozen, and
s = alpha / r, or alpha / sqrt(r) with rsLoRA (Kalajdzievski 2023, arXiv:2312.03732). QLoRA keeps W
quantised (fast/quantized.py), DoRA trains its rows' magnitudes too (fast/dora.py), PiSSA starts elsewhere
(pissa.py). A, B and magnitudes are float32 whatever the base's dtype is, as PEFT keeps them."""

import math
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from finewright.lm.adapters.linears import OnLinear, as_linears, keeper, put_on, target_paths
from finewright.lm.adapters.pissa import LowRankFactors, change, first_factors
from finewright.lm.fast import dora
from finewright.lm.fast.linear import (
    Frozen,
    PlainWeight,
    Weight,
    lora_linear,
    roomy_linear,
    state_of,
)
from finewright.schema.adapter import LoraSpec


class LoraLinear(OnLinear):
    """A frozen linear with a low-rank delta that can be switched off to give the base model back.

    `frozen` keeps the base's weight, with room for s B beside it (see fast/linear.py)."""

    fused = True  # a larger node may compute it from `node_inputs`
    combines = False
    """Whether A and B are made of what learns and something else (`combine`)."""
    start_a: Tensor | None
    start_b: Tensor | None

    def __init__(
        self, base: nn.Linear, spec: LoraSpec, generator: torch.Generator, frozen: Frozen
    ) -> None:
        original = base.weight.detach()
        super().__init__(base, frozen)
        self.spec = spec
        self.scale = spec.alpha / (math.sqrt(spec.r) if spec.use_rslora else spec.r)
        self.dropout = spec.dropout
        device = original.device
        first = _draw_factors(base, spec.r, generator)
        if spec.init == "pissa":
            first = first_factors(first, original, self.scale, generator)
        self.lora_A = nn.Parameter(first.a.to(device))
        self.lora_B = nn.Parameter(first.b.to(device))
        self.combines = self.combines or spec.init == "pissa"
        pissa = spec.init == "pissa"
        self.register_buffer("start_a", first.a.to(device).clone() if pissa else None, False)
        self.register_buffer("start_b", first.b.to(device).clone() if pissa else None, False)
        self._change: LowRankFactors | None = None
        self._change_of: object = None
        self.train(base.training)

    def forward(self, x: Tensor) -> Tensor:
        """The base's output plus the delta; x (..., in_features) -> (..., out_features)."""
        if not self.enabled:
            return self._plain(x, self.base.bias)
        if self.dropout and self.training:
            return self._with_dropout(x)
        return lora_linear(x, *self.node_inputs())

    def factors(self) -> LowRankFactors:
        """A and B whose product, times the scale, is the delta; of PiSSA those of its change."""
        if not self.combines:
            return LowRankFactors(self.lora_A, self.lora_B)
        if torch.is_grad_enabled():
            return self.combine()
        states = state_of(self.lora_A), state_of(self.lora_B)
        if self._change is None or self._change_of != states:
            # what inference mode makes is of no use outside of it
            with torch.inference_mode(False), torch.no_grad():
                self._change, self._change_of = self.combine(), states
        return self._change

    @property
    def stored_spec(self) -> LoraSpec:
        """The settings of the ordinary adapter that is stored."""
        return spec_to_store(self.spec)

    def combine(self) -> LowRankFactors:
        """A and B where they are made of more than what learns: of PiSSA those of its change."""
        assert self.start_a is not None
        assert self.start_b is not None
        now = LowRankFactors(self.lora_A, self.lora_B)
        return change(now, LowRankFactors(self.start_a, self.start_b))

    def node_inputs(self) -> tuple[Weight, Tensor | None, Tensor, Tensor, float]:
        """Weight with s B in its room, bias, A, B, scale: what the engine's nodes take."""
        a, b = self.factors()
        return self.frozen.with_room(b, self.scale), self.base.bias, a, b, self.scale

    def tensors(self) -> dict[str, Tensor]:
        """What is trained, under PEFT's names, and where PiSSA started."""
        found = {"lora_A.weight": self.lora_A.detach(), "lora_B.weight": self.lora_B.detach()}
        if self.start_a is not None and self.start_b is not None:
            found |= {"start_A.weight": self.start_a, "start_B.weight": self.start_b}
        return found

    @torch.no_grad()
    def tensors_to_store(self) -> dict[str, Tensor]:
        """An ordinary LoRA of rank `stored_spec.r`, under PEFT's names."""
        a, b = (factor.detach() for factor in self.factors())
        more = self.stored_spec.r - len(a)
        return {"lora_A.weight": F.pad(a, (0, 0, 0, more)), "lora_B.weight": F.pad(b, (0, more))}

    @torch.no_grad()
    def merge(self) -> Tensor:
        """W + s B A, float32."""
        a, b = self.factors()
        return torch.addmm(self.read_weight().float(), b, a, alpha=self.scale)

    @torch.no_grad()
    def in_float32(self) -> Self:
        """The layer as it is stored, over the same weight in float32."""
        base, spec = self.wide_base(), self.stored_spec
        twin = type(self)(base, spec, torch.Generator(), PlainWeight(base.weight, spec.r))
        stored = self.tensors_to_store()
        for name, tensor in twin.tensors().items():
            tensor.copy_(stored[name])
        return twin

    def _plain(self, x: Tensor, bias: Tensor | None) -> Tensor:
        # the same GEMM without the low part: where B is zero, bitwise what the adapter gives
        a, b = self.factors()
        nothing = x.new_zeros(*x.shape[:-1], len(a))
        weight = self.frozen.with_room(b, self.scale)
        return roomy_linear(x, nothing, weight, bias, b.detach(), self.scale)

    def _with_dropout(self, x: Tensor) -> Tensor:
        weight, bias, a, b, scale = self.node_inputs()
        low = F.linear(F.dropout(x, self.dropout), a.to(x.dtype))
        return roomy_linear(x, low, weight, bias, b, scale)


class DoraLinear(LoraLinear):
    """LoRA on the direction of each row, and the row's magnitude trained beside it (fast/dora.py).

    With dropout the base sees x and the delta, as well as what is rescaled, sees the dropped x: PEFT's
    way."""

    fused = False

    def __init__(
        self, base: nn.Linear, spec: LoraSpec, generator: torch.Generator, frozen: Frozen
    ) -> None:
        super().__init__(base, spec, generator, frozen)
        self._squares = dora.squared_norms(self.read_weight())
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
        """What is trained, under PEFT's names, and where PiSSA started."""
        return {**super().tensors(), "lora_magnitude_vector": self.lora_magnitude_vector.detach()}

    def tensors_to_store(self) -> dict[str, Tensor]:
        """An ordinary DoRA of rank `stored_spec(spec).r`, under PEFT's names."""
        return {
            **super().tensors_to_store(),
            "lora_magnitude_vector": self.lora_magnitude_vector.detach(),
        }

    @torch.no_grad()
    def merge(self) -> Tensor:
        """m / n (W + s B A), float32."""
        whole = super().merge()
        norms = torch.linalg.vector_norm(whole, dim=1)
        merged: Tensor = whole * (self.lora_magnitude_vector / norms.clamp_min(1e-15))[:, None]
        return merged

    @torch.no_grad()
    def _fresh_norms(self) -> Tensor:
        return dora.direction_norms(self.read_weight(), self._squares, *self.factors(), self.scale)

    def _direction_norms(self) -> Tensor:
        """The norms for A and B as they are; computed at every call while gradients are taken."""
        learning = torch.is_grad_enabled()
        states = state_of(self.lora_A), state_of(self.lora_B)
        if self._norms is None or learning or self._norms_of != states:
            self._norms = self._fresh_norms()
            self._norms_of = None if learning else states
        return self._norms


def add_lora(
    model: PreTrainedModel,
    spec: LoraSpec,
    *,
    seed: int,
    device: torch.device | None = None,
    lent: bool = False,
) -> dict[str, LoraLinear]:
    """Put an adapter on each targeted linear, in place; module path -> adapter. Weights that are `lent` are
    to be sharded, and stay where they are.

    Raises ModelError when a named target matches no linear."""
    generator = torch.Generator().manual_seed(seed)
    paths = target_paths(model, spec.target_modules)
    as_linears(model, paths)
    kind = DoraLinear if spec.use_dora else LoraLinear
    room = 2 * spec.r if spec.init == "pissa" else spec.r
    keep = keeper(model, paths, quantization=spec.quantization, room=room, device=device, lent=lent)

    def make(_: str, base: nn.Linear, frozen: Frozen) -> LoraLinear:
        return kind(base, spec, generator, frozen)

    return put_on(model, paths, make, keep, None if lent else device)


def spec_to_store(spec: LoraSpec) -> LoraSpec:
    """The settings of the ordinary adapter that is stored: PiSSA's change has twice the rank.

    alpha' / r' stays what it was. rsLoRA's root does at four times the rank, half of it zeros, where
    alpha stays a whole number."""
    if spec.init != "pissa":
        return spec
    times = 4 if spec.use_rslora else 2
    return spec.model_copy(update={"init": "kaiming", "r": times * spec.r, "alpha": 2 * spec.alpha})


def _draw_factors(base: nn.Linear, rank: int, generator: torch.Generator) -> LowRankFactors:
    """A from kaiming_uniform with a = sqrt(5), as PEFT draws it, and B zero."""
    bound = 1 / math.sqrt(base.in_features)
    a = torch.empty(rank, base.in_features).uniform_(-bound, bound, generator=generator)
    return LowRankFactors(a, torch.zeros(base.out_features, rank))
