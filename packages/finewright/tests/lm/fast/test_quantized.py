"""NF4 and int8 against their definitions, against bitsandbytes, and as the weights of whole models."""

import gc
import weakref
from collections.abc import Callable
from functools import partial
from statistics import NormalDist

import bitsandbytes_nf4 as bnb
import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

import tiny
from finewright.lm.adapters.kinds import adapter_tensors, set_adapter_tensors
from finewright.lm.adapters.linears import target_paths
from finewright.lm.adapters.lora import LoraLinear, add_lora
from finewright.lm.example import Example
from finewright.lm.fast import native, quantized
from finewright.lm.fast.linear import PlainWeight
from finewright.lm.fast.quantized import (
    BLOCK,
    KINDS,
    LEVELS,
    SCALE_BLOCK,
    Int8,
    Nf4Codes,
    QuantizedWeight,
    scratch_bytes,
)
from finewright.lm.generate import Sampling, generate
from finewright.lm.model import LM
from finewright.schema.adapter import LoraSpec
from finewright.schema.methods import SFTSpec
from finewright.train.loop import train
from finewright.train.methods.setup import Setup
from finewright.train.methods.sft import SFT
from finewright.train.schedule import schedule_of
from finewright.train.state import make_optimizer
from referee import (
    assert_close,
    assert_gradients_close,
    distance,
    drawn,
    gradients,
    logps,
    peft_gradients,
    peft_layers,
    random_adapters,
)

pytestmark = pytest.mark.torch

Model = Callable[[str], PreTrainedModel]
PackedKind = type[Nf4Codes | Int8]
both_kinds = pytest.mark.parametrize("kind", [Nf4Codes, Int8])
both_formats = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
# Below, at and beside a block; one row of weights and more than one block of scales.
widths = pytest.mark.parametrize(
    "shape", [(1, 1), (3, 63), (3, 64), (5, 65), (4, 100), (70, 576), (2, 9000)], ids=str
)
ROWS = tiny.random_rows([9, 4, 14, 7])
SPEC = LoraSpec(r=4, alpha=12)
_NO_CLIPPING = 1e9


def whole(packed: quantized.PackedWeight, dtype: torch.dtype = torch.float32) -> Tensor:
    """The weight, written into rows of a wider matrix as the engine has it."""
    rows, width = packed.shape
    wide = torch.full((rows, width + 3), 7.0, dtype=dtype)
    packed.unpack(wide[:, :width])
    assert (wide[:, width:] == 7).all()
    return wide[:, :width].clone()


def blocks_of(weight: Tensor) -> np.ndarray:
    """(rows, blocks, 64) float64, zeros beyond the width."""
    rows, width = weight.shape
    padded = np.zeros((rows, -(-width // BLOCK) * BLOCK))
    padded[:, :width] = weight.double().numpy()
    return padded.reshape(rows, -1, BLOCK)


def codes_of(packed: Nf4Codes) -> np.ndarray:
    """(rows, blocks, 64)."""
    pairs = packed.codes.numpy()
    return np.stack((pairs >> 4, pairs & 15), -1).reshape(*pairs.shape[:2], BLOCK)


def dynamic_map() -> np.ndarray:
    """The 256 numbers of Dettmers et al. 2021: a sign, a power of ten, and a linear fraction."""
    found = [0.0, 1.0]
    for exponent in range(7):
        borders = np.linspace(0.1, 1, 2**exponent + 1)
        for middle in (borders[1:] + borders[:-1]) / 2:
            found += [10.0 ** (exponent - 6) * middle, -(10.0 ** (exponent - 6)) * middle]
    return np.array(sorted(found))


def scales_of(packed: Nf4Codes) -> np.ndarray:
    """(rows, blocks): what the 8-bit codes of the scales stand for."""
    codes = packed.scales.numpy()
    each = np.repeat(packed.scale_scales.double().numpy(), SCALE_BLOCK)[: codes.size]
    return dynamic_map()[codes] * each.reshape(codes.shape) + packed.mean


def test_the_levels_are_quantiles_of_a_normal_distribution() -> None:
    # half way between the outermost quantile of 16 and that of 15, as the paper's authors place it
    outermost = 1 - (1 / 32 + 1 / 30) / 2
    positive = [NormalDist().inv_cdf(p) for p in np.linspace(outermost, 0.5, 9)[:-1]]
    negative = [-NormalDist().inv_cdf(p) for p in np.linspace(outermost, 0.5, 8)[:-1]]
    quantiles = np.array(sorted([*positive, 0.0, *negative]))
    assert np.abs(quantiles / quantiles.max() - LEVELS).max() < 1e-6


@both_formats
@widths
def test_nf4_codes_are_the_nearest_levels(
    either_way: None, dtype: torch.dtype, shape: tuple[int, int]
) -> None:
    weight = drawn(*shape, seed=0).to(dtype)
    packed = Nf4Codes.pack(weight)
    blocks = blocks_of(weight)
    shares = blocks / np.abs(blocks).max(-1, keepdims=True)
    away = np.abs(shares[..., None] - np.array(LEVELS))
    chosen = np.take_along_axis(away, codes_of(packed)[..., None], -1)[..., 0]
    assert (chosen <= away.min(-1) + 1e-7).all()


@widths
def test_nf4_scales_are_the_nearest_of_the_dynamic_map(shape: tuple[int, int]) -> None:
    weight = drawn(*shape, seed=0) * 0.02
    packed = Nf4Codes.pack(weight)
    magnitudes = np.abs(blocks_of(weight)).max(-1)
    assert packed.mean == pytest.approx(magnitudes.mean(), rel=1e-6)
    centred = (magnitudes - packed.mean).flatten()
    for start, scale in enumerate(packed.scale_scales.tolist()):
        part = slice(start * SCALE_BLOCK, (start + 1) * SCALE_BLOCK)
        assert scale == pytest.approx(np.abs(centred[part]).max(), rel=1e-6, abs=1e-9)
        shares = centred[part] / max(scale, 1e-38)
        away = np.abs(shares[:, None] - dynamic_map())
        codes = packed.scales.flatten()[part].numpy()
        assert (away[np.arange(len(codes)), codes] <= away.min(1) + 1e-6).all()


@both_formats
@widths
def test_nf4_is_level_times_scale_rounded_once(
    either_way: None, dtype: torch.dtype, shape: tuple[int, int]
) -> None:
    packed = Nf4Codes.pack(drawn(*shape, seed=1))
    true = np.array(LEVELS)[codes_of(packed)] * scales_of(packed)[..., None]
    true = torch.from_numpy(true.reshape(shape[0], -1)[:, : shape[1]])
    unit = 2.0**-8 if dtype == torch.bfloat16 else 2.0**-22
    found = whole(packed, dtype).double()
    assert ((found - true).abs() <= unit * true.abs() + 1e-6 * true.abs().max()).all()


@both_formats
@widths
def test_int8_is_a_code_times_a_row_s_scale(
    either_way: None, dtype: torch.dtype, shape: tuple[int, int]
) -> None:
    weight = drawn(*shape, seed=2)
    packed = Int8.pack(weight)
    exact = weight.double().numpy()
    scales = np.abs(exact).max(1, keepdims=True) / 127
    assert np.abs(packed.codes.numpy() - exact / scales).max() <= 0.5 + 1e-4
    assert packed.scales.numpy() == pytest.approx(scales[:, 0], rel=1e-6)
    true = torch.from_numpy(packed.codes.double().numpy() * scales)
    unit = 2.0**-8 if dtype == torch.bfloat16 else 2.0**-22
    assert ((whole(packed, dtype).double() - true).abs() <= unit * true.abs()).all()


def test_nf4_codes_are_those_of_bitsandbytes(either_way: None) -> None:
    packed, theirs = Nf4Codes.pack(bnb.weight()), bnb.stored()
    assert torch.equal(packed.codes.flatten(), theirs["codes"])
    assert torch.equal(packed.scale_scales, theirs["scale_scales"])
    assert packed.mean == theirs["mean"].item()
    assert torch.equal(torch.tensor(LEVELS), theirs["levels"])
    assert theirs["dynamic"].numpy() == pytest.approx(dynamic_map(), abs=1e-7)


def test_nf4_scales_are_those_of_bitsandbytes_or_nearer() -> None:
    packed, theirs = Nf4Codes.pack(bnb.weight()), bnb.stored()
    magnitudes = bnb.weight().view(-1, BLOCK).abs().amax(1).double()
    each = theirs["scale_scales"].double().repeat_interleave(SCALE_BLOCK)[: len(magnitudes)]
    shares, dynamic = (magnitudes - packed.mean) / each, theirs["dynamic"].double()
    ours = packed.scales.flatten()
    # bitsandbytes' CPU kernel takes the second nearest now and then
    assert (ours != theirs["scales"]).double().mean() < 0.02
    away, their_way = (dynamic[c.int()] - shares for c in (ours, theirs["scales"]))
    assert (away.abs() <= their_way.abs()).all()


def test_what_bitsandbytes_packed_comes_out_as_there(either_way: None) -> None:
    theirs = bnb.stored()
    codes = theirs["codes"].view(bnb.ROWS, -1, BLOCK // 2)
    scales = theirs["scales"].view(bnb.ROWS, -1)
    packed = Nf4Codes(codes, scales, theirs["scale_scales"], theirs["mean"].item(), bnb.WIDTH)
    found = whole(packed)[::4]
    assert (found - theirs["values"]).abs().max() <= 1e-6 * theirs["values"].abs().max()


@both_formats
@widths
@both_kinds
def test_kernels_and_plain_torch_agree_bit_by_bit(
    kernels: None, kind: PackedKind, dtype: torch.dtype, shape: tuple[int, int]
) -> None:
    wide = drawn(shape[0], shape[1] + 5, seed=3).to(dtype)
    wide[0] = 0
    weight = wide[:, : shape[1]]
    packed = kind.pack(weight)
    values = whole(packed, dtype)
    with native.off():
        plain = kind.pack(weight)
        plain_values = whole(packed, dtype)
    for name in kind.__slots__:
        found, true = getattr(packed, name), getattr(plain, name)
        assert torch.equal(torch.as_tensor(found), torch.as_tensor(true)), name
    assert torch.equal(values, plain_values)


@both_kinds
def test_plain_torch_packs_in_chunks_what_it_packs_at_once(
    kind: PackedKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = drawn(9, 130, seed=4)
    with native.off():
        at_once = whole(kind.pack(weight))
        monkeypatch.setattr(quantized, "_CHUNK", 300)
        assert torch.equal(whole(kind.pack(weight)), at_once)


@both_kinds
def test_columns_apart_in_memory_are_packed_as_those_side_by_side(
    either_way: None, kind: PackedKind
) -> None:
    weight = drawn(130, 6, seed=5)
    apart, beside = kind.pack(weight.t()), kind.pack(weight.t().contiguous())
    assert torch.equal(whole(apart), whole(beside))


@both_kinds
def test_zeros_come_back_as_zeros(either_way: None, kind: PackedKind) -> None:
    weight = drawn(4, 200, seed=8)
    weight[1] = 0
    weight[2, :64] = 0
    found = whole(kind.pack(weight))
    assert (found[1] == 0).all()
    assert (found[2, :64] == 0).all()
    assert (whole(kind.pack(torch.zeros(3, 70))) == 0).all()


@pytest.mark.parametrize("shape", [(576, 576), (1536, 576), (640, 2048), (4096, 14336)], ids=str)
def test_bytes_of_bfloat16(shape: tuple[int, int]) -> None:
    weight = torch.zeros(1, 1, dtype=torch.bfloat16).expand(shape)
    full = 2 * shape[0] * shape[1]
    assert Int8.pack(weight.contiguous()).nbytes <= 0.51 * full
    packed = Nf4Codes.pack(weight.contiguous())
    assert packed.nbytes <= 0.26 * full
    kept = [getattr(packed, name) for name in packed.__slots__]
    assert sum(t.nbytes for t in kept if isinstance(t, Tensor)) + 4 == packed.nbytes


def layer_of(kind: PackedKind, dtype: torch.dtype = torch.float32, **fields: object) -> LoraLinear:
    """70 -> 66 with a bias and a B that is not zero."""
    base = nn.Linear(70, 66)
    for number, parameter in enumerate(base.parameters()):
        parameter.data.copy_(drawn(*parameter.shape, seed=number))
    base.to(dtype)
    scratch = torch.empty(scratch_bytes(66, 70 + SPEC.r, dtype), dtype=torch.uint8)
    frozen = QuantizedWeight(kind.pack(base.weight.detach()), scratch, dtype)
    spec = SPEC.model_copy(update=fields)
    layer = LoraLinear(base, spec, torch.Generator().manual_seed(3), frozen)
    layer.base.bias.requires_grad_(False)
    layer.lora_B.data.copy_(drawn(66, SPEC.r, seed=4))
    return layer


def by_autograd(layer: LoraLinear, x: Tensor, factors: tuple[Tensor, Tensor]) -> Tensor:
    """In float64 over the weight made whole by the definition."""
    frozen = layer.frozen
    assert isinstance(frozen, QuantizedWeight)
    weight, bias = whole(frozen.packed).double(), layer.base.bias.detach().double()
    a, b = factors
    return F.linear(x, weight, bias) + layer.scale * (x @ a.t()) @ b.t()


def exact(*tensors: Tensor) -> list[Tensor]:
    return [t.detach().double().requires_grad_() for t in tensors]


@both_kinds
def test_a_linear_used_twice_has_the_gradients_of_plain_autograd(
    either_way: None, kind: PackedKind
) -> None:
    layer, x = layer_of(kind), drawn(5, 70, seed=10).requires_grad_()
    exact_x, *factors = exact(x, layer.lora_A, layer.lora_B)
    upstream = drawn(5, 66, seed=11)

    y = layer(F.pad(layer(x), (0, 4)))
    y.backward(upstream)
    inner = by_autograd(layer, exact_x, factors)
    true = by_autograd(layer, F.pad(inner, (0, 4)), factors)
    true.backward(upstream.double())

    assert_close(y, true)
    for found, right in zip((x, layer.lora_A, layer.lora_B), (exact_x, *factors), strict=True):
        assert_close(found.grad, right.grad, rel=1e-5)


@both_kinds
def test_dropout_falls_on_the_delta_alone(
    kind: PackedKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, x = layer_of(kind, dropout=0.5), drawn(5, 70, seed=10)
    mask = (drawn(5, 70, seed=12) > 0).float() * 2
    monkeypatch.setattr(F, "dropout", lambda x, *_, **__: x * mask.to(x.dtype))
    true = by_autograd(layer, x.double(), (layer.lora_A.double(), layer.lora_B.double()))
    delta = layer.scale * ((x * mask - x) @ layer.lora_A.t()) @ layer.lora_B.t()
    assert_close(layer.train()(x), true + delta)


@both_kinds
def test_without_its_adapter_a_linear_is_the_packed_base(
    either_way: None, kind: PackedKind
) -> None:
    layer, x = layer_of(kind), drawn(5, 70, seed=10)
    layer.enabled = False
    zeros = torch.zeros_like(layer.lora_A), torch.zeros_like(layer.lora_B)
    assert_close(layer(x), by_autograd(layer, x.double(), [t.double() for t in zeros]))


@pytest.mark.parametrize("fields", [{}, {"use_dora": True}, {"dropout": 0.5}], ids=str)
@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_nothing_whole_is_kept_for_the_backward(
    kind: str, fields: dict[str, object], tiny_model: Model
) -> None:
    model = tiny_model("llama")
    spec = LoraSpec(r=2, alpha=4, quantization=kind, **fields)
    lm = LM(model, add_lora(model, spec, seed=1))
    lm.model.train()
    saved: list[Tensor] = []
    # activations of 3 tokens have fewer numbers than any weight, which has 512 and more
    batch = lm.pack([tiny.random_rows([3], prompt=1)])
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        states = lm.compute_states(batch)
    assert len(saved) > len(lm.adapters)
    assert max(t.untyped_storage().nbytes() for t in saved) < 512 * 4
    states.sum().backward()


def quantized_model(
    model: PreTrainedModel, kind: str, **fields: object
) -> tuple[LM, dict[str, Tensor]]:
    """The model with random adapters over packed weights, and those weights made whole."""
    spec = SPEC.model_copy(update={"quantization": kind, **fields})
    adapters = add_lora(model, spec, seed=1)
    generator = torch.Generator().manual_seed(2)
    for adapter in adapters.values():
        adapter.lora_B.data.normal_(std=0.1, generator=generator)
    weights = {}
    for path, adapter in adapters.items():
        assert isinstance(adapter.frozen, QuantizedWeight)
        weights[path] = whole(adapter.frozen.packed)
    return LM(model, adapters), weights


def dequantized(model: PreTrainedModel, weights: dict[str, Tensor]) -> PreTrainedModel:
    for path, weight in weights.items():
        model.get_submodule(path).weight.data.copy_(weight)
    return model


@pytest.mark.parametrize("kind", ["nf4", "int8"])
@pytest.mark.parametrize(
    ("family", "lean"),
    [
        *((family, False) for family in ("llama", "qwen2", "gemma3_text", "phi3", "mixtral")),
        ("llama", True),
    ],
)
def test_a_model_has_the_gradients_of_peft_over_the_whole_weights(
    either_way: None, family: str, kind: str, lean: bool, tiny_model: Model
) -> None:
    lm, weights = quantized_model(tiny_model(family), kind)
    if lean:
        lm.recompute()
    twin = dequantized(tiny_model(family), weights)
    layers = peft_layers(twin, lm.adapters)

    found = lm.token_logps(lm.pack([[row] for row in ROWS]))
    found.mean().backward()
    true = logps(twin, ROWS)
    true.mean().backward()

    assert_close(found.detach(), true.detach(), rel=1e-5)
    assert_gradients_close(gradients(lm.adapters), peft_gradients(layers), rel=1e-4)


@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_the_reference_is_the_base_over_the_whole_weights(kind: str, tiny_model: Model) -> None:
    lm, weights = quantized_model(tiny_model("llama"), kind)
    batch = lm.pack([[row] for row in ROWS])
    with lm.reference():
        found = lm.token_logps(batch)
    true = logps(dequantized(tiny_model("llama"), weights), ROWS)
    assert_close(found, true.detach())
    assert distance(lm.token_logps(batch).detach(), found) > 1e-2


@pytest.mark.parametrize("fields", [{}, {"use_dora": True}], ids=str)
@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_answers_are_those_over_the_whole_weights(
    kind: str, fields: dict[str, object], tiny_model: Model
) -> None:
    lm, weights = quantized_model(tiny_model("llama"), kind, **fields)
    plain = dequantized(tiny_model("llama"), weights)
    twin = LM(plain, add_lora(plain, SPEC.model_copy(update=fields), seed=1))
    set_adapter_tensors(twin.adapters, adapter_tensors(lm.adapters), origin="here")
    ask = partial(
        generate,
        prompts=[row.input_ids for row in ROWS],
        stop_ids=frozenset(),
        sampling=Sampling(max_new_tokens=12),
    )
    assert ask(lm) == ask(twin)


@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_training_takes_the_steps_of_peft_and_torch_over_the_whole_weights(
    kind: str, tiny_model: Model
) -> None:
    lm, weights = quantized_model(tiny_model("llama"), kind)
    config = LoraConfig(
        r=SPEC.r, lora_alpha=SPEC.alpha, target_modules=sorted(weights), task_type="CAUSAL_LM"
    )
    twin = get_peft_model(dequantized(tiny_model("llama"), weights), config)
    layers = {path: twin.base_model.model.get_submodule(path) for path in weights}
    for path, layer in layers.items():
        layer.lora_A["default"].weight.data.copy_(lm.adapters[path].lora_A.data)
        layer.lora_B["default"].weight.data.copy_(lm.adapters[path].lora_B.data)
    spec = SFTSpec(
        learning_rate=1e-3, batch_size=4, max_steps=4, lr_scheduler="constant", warmup_ratio=0.0
    )
    schedule = schedule_of(spec, [row.num_tokens for row in ROWS])
    method = SFT(spec, Setup(lm))
    optimizer = make_optimizer(lm, method, weight_decay=0.0)
    rows = [Example((row,)) for row in ROWS]
    steps = list(train(lm, method, rows, schedule, optimizer, max_grad_norm=_NO_CLIPPING))

    theirs = torch.optim.AdamW(
        [p for p in twin.parameters() if p.requires_grad], lr=1e-3, weight_decay=0.0
    )
    losses = []
    for _ in steps:
        loss = -logps(twin, ROWS).mean()
        theirs.zero_grad()
        loss.backward()
        theirs.step()
        losses.append(loss.item())

    assert [step.loss for step in steps] == pytest.approx(losses, rel=1e-5)
    assert losses[-1] < losses[0]
    for path, layer in layers.items():
        assert_close(lm.adapters[path].lora_B, layer.lora_B["default"].weight, rel=1e-3)


@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_the_original_weights_are_freed_one_by_one(kind: str, tiny_model: Model) -> None:
    model = tiny_model("llama")
    paths = target_paths(model, "all-linear")
    weights = [weakref.ref(model.get_submodule(path).weight) for path in paths]
    adapters = add_lora(model, SPEC.model_copy(update={"quantization": kind}), seed=0)
    assert all(adapter.base.weight is None for adapter in adapters.values())
    gc.collect()
    assert weights
    assert not any(weight() is not None for weight in weights)


def test_all_weights_of_a_model_share_one_scratch(tiny_model: Model) -> None:
    adapters = add_lora(
        tiny_model("llama"), SPEC.model_copy(update={"quantization": "nf4"}), seed=0
    )
    made = {a.frozen.with_room(a.lora_B, a.scale).roomy().data_ptr() for a in adapters.values()}
    assert len(made) == 1


@pytest.mark.parametrize(
    ("family", "targets", "kinds"),
    [
        ("llama", "all-linear", []),
        ("mixtral", "all-linear", ["MixtralExperts"]),
        (
            "phi3",
            ("qkv_proj", "o_proj"),
            ["down_proj", "gate_up_proj"],
        ),
    ],
)
def test_what_stays_whole_is_said(
    family: str, targets: str | tuple[str, ...], kinds: list[str], tiny_model: Model
) -> None:
    lm, _ = quantized_model(tiny_model(family), "nf4", target_modules=targets)
    told = [path for path in lm.slow_paths() if "kept whole" in path]
    names = ", ".join(kinds)
    because = "because only linear layers with an adapter are quantised"
    assert told == ([f"{names}: kept whole, {because}"] if kinds else [])


def test_nothing_is_said_of_a_model_that_is_not_quantised(tiny_model: Model) -> None:
    model = tiny_model("mixtral")
    adapters = random_adapters(model)
    assert isinstance(next(iter(adapters.values())).frozen, PlainWeight)
    assert not [path for path in LM(model, adapters).slow_paths() if "whole" in path]


def test_every_quantization_of_the_spec_has_its_kind() -> None:
    field = LoraSpec.model_fields["quantization"]
    assert field.annotation is not None
    assert set(field.annotation.__args__) == {"none", *KINDS}
