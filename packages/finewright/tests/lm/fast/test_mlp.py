"""A gated MLP with LoRA as one node against its formula in float64, from the same linears."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import tiny
from finewright.lm.adapters.lora import DoraLinear, LoraLinear
from finewright.lm.fast import mlp
from finewright.lm.fast.linear import PlainWeight
from finewright.schema.adapter import LoraSpec
from referee import assert_close, distance, drawn

pytestmark = pytest.mark.torch

WIDTH, INNER, RANK = 24, 40, 3
TanhGelu = nn.GELU(approximate="tanh")


class Separate(nn.Module):
    """Llama's form."""

    def __init__(self, act: nn.Module, *, bias: bool) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(WIDTH, INNER, bias=bias)
        self.up_proj = nn.Linear(WIDTH, INNER, bias=bias)
        self.down_proj = nn.Linear(INNER, WIDTH, bias=bias)
        self.act_fn = act

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))
        return y


class Fused(nn.Module):
    """Phi-3's form."""

    def __init__(self, act: nn.Module, *, bias: bool) -> None:
        super().__init__()
        self.gate_up_proj = nn.Linear(WIDTH, 2 * INNER, bias=bias)
        self.down_proj = nn.Linear(INNER, WIDTH, bias=bias)
        self.activation_fn = act

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up_proj(x).chunk(2, -1)
        y: Tensor = self.down_proj(up * self.activation_fn(gate))
        return y


FORMS = {"separate": Separate, "fused": Fused}
every_form = pytest.mark.parametrize("form", FORMS)
every_act = pytest.mark.parametrize("act", [nn.SiLU(), TanhGelu], ids=["silu", "tanh gelu"])


def adapted(
    module: nn.Module,
    *,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
    kind: type[LoraLinear] = LoraLinear,
    **spec: Any,
) -> dict[str, LoraLinear]:
    """Put adapters with a random B on all linears of the module, in place."""
    module.to(dtype).requires_grad_(False)
    found = {}
    for number, (name, base) in enumerate(list(module.named_children())):
        if not isinstance(base, nn.Linear):
            continue
        base.weight.data.copy_(0.3 * drawn(*base.weight.shape, seed=seed + 10 + number))
        settings = LoraSpec(r=RANK, alpha=6, **spec)
        generator = torch.Generator().manual_seed(number)
        found[name] = kind(base, settings, generator, PlainWeight(base.weight, RANK))
        found[name].lora_B.data.copy_(0.3 * drawn(base.out_features, RANK, seed=seed + 20 + number))
        setattr(module, name, found[name])
    return found


class Exact:
    """The formula in float64, with factors that take gradients."""

    def __init__(self, adapters: dict[str, LoraLinear], act: nn.Module) -> None:
        self.act, self.adapters = act, adapters
        self.factors = {
            name: [t.detach().double().requires_grad_() for t in (each.lora_A, each.lora_B)]
            for name, each in adapters.items()
        }

    def linear(self, name: str, x: Tensor) -> Tensor:
        (a, b), own = self.factors[name], self.adapters[name]
        bias = None if own.base.bias is None else own.base.bias.double()
        return F.linear(x, own.base.weight.double(), bias) + own.scale * x @ a.t() @ b.t()

    def __call__(self, x: Tensor) -> Tensor:
        if "gate_up_proj" in self.factors:
            gate, up = self.linear("gate_up_proj", x).chunk(2, -1)
        else:
            gate, up = self.linear("gate_proj", x), self.linear("up_proj", x)
        return self.linear("down_proj", self.act(gate) * up)

    def gradients(self) -> list[Tensor]:
        return [factor.grad for pair in self.factors.values() for factor in pair]


def gradients_of(adapters: dict[str, LoraLinear]) -> list[Tensor]:
    """Of A and B, in the order of `Exact.gradients`; taken away."""
    found = []
    for each in adapters.values():
        found += [each.lora_A.grad, each.lora_B.grad]
        each.lora_A.grad = each.lora_B.grad = None
    return found


@every_form
@every_act
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("shape", [(1, 7, WIDTH), (7, WIDTH), (2, 3, WIDTH)], ids=str)
def test_output_and_gradients_are_those_of_the_formula(
    form: str, act: nn.Module, bias: bool, shape: tuple[int, ...], either_way: None
) -> None:
    module = FORMS[form](act, bias=bias)
    adapters = adapted(module)
    assert mlp.install(module, LoraLinear) == ""
    exact, upstream = Exact(adapters, act), drawn(*shape, seed=1)
    x = drawn(*shape, seed=0).requires_grad_()
    exact_x = x.detach().double().requires_grad_()

    y = module(x)
    y.backward(upstream)
    true = exact(exact_x)
    true.backward(upstream.double())

    assert_close(y, true)
    assert_close(x.grad, exact_x.grad)
    for found, right in zip(gradients_of(adapters), exact.gradients(), strict=True):
        assert_close(found, right)


@every_form
@every_act
def test_in_bfloat16_it_is_nearer_the_formula_than_plain_modules(
    form: str, act: nn.Module, either_way: None
) -> None:
    far = {"ours": 0.0, "plain": 0.0}
    for seed in range(0, 1000, 100):
        modules = {name: FORMS[form](act, bias=False) for name in far}
        adapters = {
            name: adapted(module, dtype=torch.bfloat16, seed=seed)
            for name, module in modules.items()
        }
        assert mlp.install(modules["ours"], LoraLinear) == ""
        exact = Exact(adapters["ours"], act)
        x, upstream = (drawn(90, WIDTH, seed=seed + i).bfloat16() for i in range(2))
        exact(x.double()).backward(upstream.double())
        for name, module in modules.items():
            module(x).backward(upstream)
            pairs = zip(gradients_of(adapters[name]), exact.gradients(), strict=True)
            far[name] += sum(distance(found, right) for found, right in pairs)
    assert far["ours"] < far["plain"]


@every_form
def test_switched_off_it_is_bitwise_the_mlp_with_zero_factors(form: str, either_way: None) -> None:
    module = FORMS[form](nn.SiLU(), bias=True)
    adapters = adapted(module)
    assert mlp.install(module, LoraLinear) == ""
    x = drawn(1, 7, WIDTH, seed=0)
    with torch.no_grad():
        for each in adapters.values():
            each.enabled = False
        off = module(x)
        for each in adapters.values():
            each.enabled = True
        assert not torch.equal(module(x), off)
        for each in adapters.values():
            each.lora_B.zero_()
        assert torch.equal(module(x), off)


@every_form
def test_far_less_is_saved_than_by_plain_modules(form: str) -> None:
    """Of the intermediate width, gate and up only; the products of rank r are small."""
    sizes = {}
    for fused in (True, False):
        module = FORMS[form](nn.SiLU(), bias=False)
        adapted(module)
        if fused:
            assert mlp.install(module, LoraLinear) == ""
        saved: dict[int, int] = {}

        def note(t: Tensor, saved: dict[int, int] = saved) -> Tensor:
            saved[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
            return t

        with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
            y = module(drawn(1, 500, WIDTH, seed=0))
        sizes[fused] = sum(saved.values())
        assert y.requires_grad
    assert sizes[True] <= 4 * 500 * (WIDTH + 2 * INNER + 3 * RANK) + 4 * 3 * RANK * INNER
    assert sizes[False] > 1.5 * sizes[True]


def test_lora_dropout_stays_plain() -> None:
    module = Separate(nn.SiLU(), bias=False)
    adapted(module, dropout=0.1)
    reason = "LoRA dropout draws its mask between the linears"
    assert mlp.install(module, LoraLinear) == reason
    assert "forward" not in vars(module)


def test_dora_stays_plain() -> None:
    module = Separate(nn.SiLU(), bias=False)
    adapted(module, kind=DoraLinear, use_dora=True)
    assert mlp.install(module, LoraLinear) == "DoRA rescales the output of each linear"


@pytest.mark.parametrize("missing", ["gate_proj", "up_proj", "down_proj"])
def test_without_an_adapter_on_each_linear_it_stays_plain(missing: str) -> None:
    module = Separate(nn.SiLU(), bias=False)
    setattr(module, missing, adapted(module)[missing].base)
    assert mlp.install(module, LoraLinear) == "not all of its linears have an adapter"


def test_dropped_activations_stay_plain() -> None:
    module = Separate(nn.SiLU(), bias=False)
    module.dropout = nn.Dropout(0.1)
    adapted(module)
    assert mlp.install(module, LoraLinear) == "it drops activations"


@pytest.mark.parametrize("act", [nn.ReLU(), nn.GELU(), nn.Mish()], ids=["relu", "erf gelu", "mish"])
def test_another_activation_stays_plain(act: nn.Module) -> None:
    module = Separate(act, bias=False)
    adapted(module)
    name = type(act).__name__
    reason = f"its activation is {name}, neither SiLU nor the tanh form of GELU"
    assert mlp.install(module, LoraLinear) == reason


class Swapped(Separate):
    """The activation is on the other branch."""

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.down_proj(self.gate_proj(x) * self.act_fn(self.up_proj(x)))
        return y


class Clamped(Fused):
    """Gate values are cut off, which small inputs would not show."""

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up_proj(x).chunk(2, -1)
        y: Tensor = self.down_proj(up * self.activation_fn(gate.clamp(max=1.0)))
        return y


@pytest.mark.parametrize("kind", [Swapped, Clamped])
def test_another_formula_stays_plain(kind: type[nn.Module]) -> None:
    module = kind(nn.SiLU(), bias=False)
    adapted(module)
    reason = "it computes something else than down(act(gate(x)) * up(x))"
    assert mlp.install(module, LoraLinear) == reason
    assert "forward" not in vars(module)


def test_experts_in_one_tensor_are_known() -> None:
    block = tiny.tiny_model("mixtral").model.layers[0].mlp
    assert [name for name, m in block.named_modules() if mlp.is_experts(m)] == ["experts"]
    assert not any(mlp.is_gated(m) for m in block.modules())


@pytest.mark.parametrize("family", ["llama", "gemma3_text", "phi3", "glm4", "qwen3"])
def test_a_familys_mlp_is_known_by_its_structure(family: str) -> None:
    assert mlp.is_gated(tiny.tiny_model(family).model.layers[0].mlp)


def test_other_modules_are_not_looked_at() -> None:
    model = tiny.tiny_model("llama")
    assert not mlp.is_gated(model.model.layers[0].self_attn)
    assert not mlp.is_gated(nn.Linear(2, 2))
