"""Does the engine compute on this machine, for this model, what plain transformers computes?

Gradients of adapters whose every factor matters, for rows of random tokens, are compared with those of
autograd through the unpatched model and LoRA as its formula has it. A large model is looked at by its
first layers, as many as show each kind of attention it has. Not covered: DoRA, dropout, quantised weights
(tests/lm/test_exact.py covers them), and experts that begin after the layers that are looked at."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import logging as transformers_logging

from finewright.errors import ModelError
from finewright.lm import runtime
from finewright.lm.adapters.linears import target_paths
from finewright.lm.adapters.lora import LoraLinear, add_lora
from finewright.lm.example import EncodedRow
from finewright.lm.load import load_model
from finewright.lm.model import LM
from finewright.lm.sources import LocalBase, num_parameters
from finewright.schema.adapter import LoraSpec
from finewright.schema.report import SelfCheck, SelfCheckReport

EXACT = 1e-4
_SMALL = 20_000_000  # parameters of a model that is looked at whole
_LEAST_LAYERS = 2
_LONGEST_WINDOW = 1024  # a row that outgrows a larger sliding window would take minutes
_SPEC = LoraSpec(r=8, alpha=16)
_B_STD = 0.02
_TINY = 1e-30
# Prompts in tokens, and the completions that share each: for exact comparisons, and for one draw in bf16.
_EXACT_SHAPES = ((24, (12, 33, 1)), (1, (17, 9)), (7, (40,)))
_BF16_SHAPES = ((12, (20, 9)), (1, (15,)))
# The distance of one draw says little: roundings add up by chance, and near ties of a router fall either
# way. Of the nearest of six draws each, the engine's was at most 0.97 of autocast's in 84 trials on tiny
# models of seven families, among them four with experts; the median of five reached 2.9 there.
_DRAWS = 6

Gradients = Mapping[str, Tensor]


class LinearFactors(NamedTuple):
    """A (r, d_in) and B (d_out, r) of one linear."""

    a: Tensor
    b: Tensor


class _Rows(NamedTuple):
    """Groups of rows with a common prompt, and the same rows in a list."""

    groups: Sequence[Sequence[EncodedRow]]
    all: Sequence[EncodedRow]


def selfcheck(base: LocalBase) -> SelfCheckReport:
    """Compare, in seconds for a small model. Raises ModelError when the model cannot be loaded."""
    with _shorten(base) as short:
        model = load_model(short.base, dtype="bf16")
        factors, config = _factors(model), model.config.get_text_config()
        rows = _draw_rows(config, (*_EXACT_SHAPES, *_beyond_window(config)), seed=0)
        draws = [_draw_rows(config, _BF16_SHAPES, seed=seed) for seed in range(1, 1 + _DRAWS)]
        plain = _Plain(model, factors)
        autocast = [plain.bf16_gradients(each.all) for each in draws]
        plain.widen()
        true = [plain.fp32_gradients(each.all) for each in draws]
        wanted = plain.fp32_gradients(rows.all)
        checks = _fp32_checks(_engine(plain.take_off(), factors), rows, wanted)
        del model, plain
        lm = _engine(load_model(short.base, dtype="bf16"), factors)
        found = [_gradients(lm.model, lm.token_logps(lm.pack(each.groups))) for each in draws]
    far, bar = _nearest_draw(found, true), _nearest_draw(autocast, true)
    bf16 = _check("bf16 gradients: from fp32's", far, bar)
    return SelfCheckReport(
        base_model=base.name,
        device=runtime.describe_device(),
        layers=short.layers,
        layers_checked=short.layers_checked,
        checks=(*checks, bf16),
        slow_paths=lm.slow_paths(),
    )


def _fp32_checks(lm: LM, rows: _Rows, wanted: Gradients) -> list[SelfCheck]:
    def learn(*batches: Sequence[Sequence[EncodedRow]]) -> Gradients:
        return _gradients(lm.model, torch.cat([lm.token_logps(lm.pack(each)) for each in batches]))

    packed = learn([[row] for row in rows.all])
    alone = learn(*([[row]] for row in rows.all))
    shared = learn(rows.groups)
    found = [
        _check("fp32 gradients: from plain autograd's", _farthest(packed, wanted), EXACT),
        _check("rows end to end: from rows alone", _farthest(packed, alone), EXACT),
        _check("shared prompts: from prompts apart", _farthest(shared, packed), EXACT),
    ]
    try:
        lm.recompute()
    except ModelError:  # as training would be refused: there is nothing to compare
        return found
    return [
        *found,
        _check("memory lean: from fast", _farthest(learn(rows.groups), shared), EXACT),
    ]


def _check(name: str, measured: float, bar: float) -> SelfCheck:
    return SelfCheck(name=name, measured=measured, bar=bar, passed=measured <= bar)


class _PlainLora(nn.Module):
    """y = x W^T + b + s (x A^T) B^T, as written."""

    def __init__(self, base: nn.Module, factors: LinearFactors) -> None:
        super().__init__()
        self.base = base
        self.lora_A, self.lora_B = (nn.Parameter(factor.clone()) for factor in factors)

    def forward(self, x: Tensor) -> Tensor:
        low = F.linear(x, self.lora_A)
        y: Tensor = self.base(x) + F.linear(low, self.lora_B) * (_SPEC.alpha / _SPEC.r)
        return y


class _Plain:
    """The unpatched model with plain adapters; each row goes through it alone."""

    def __init__(self, model: PreTrainedModel, factors: Mapping[str, LinearFactors]) -> None:
        self.model = model
        self.layers = {p: _PlainLora(model.get_submodule(p), each) for p, each in factors.items()}
        model.requires_grad_(False)
        for path, layer in self.layers.items():
            model.set_submodule(path, layer)

    def bf16_gradients(self, rows: Sequence[EncodedRow]) -> Gradients:
        """By autocast, as a trainer has it that knows nothing of the engine."""
        with torch.autocast(self.model.device.type, torch.bfloat16):
            logps = self._logps(rows)
        return _gradients(self.model, logps)

    def widen(self) -> None:
        """The same numbers in float32 from here on."""
        self.model.float()

    def fp32_gradients(self, rows: Sequence[EncodedRow]) -> Gradients:
        """After `widen`: what is true."""
        return _gradients(self.model, self._logps(rows))

    def take_off(self) -> PreTrainedModel:
        """The model without adapters."""
        for path, layer in self.layers.items():
            self.model.set_submodule(path, layer.base)
        return self.model

    def _logps(self, rows: Sequence[EncodedRow]) -> Tensor:
        """log p of the learned tokens by the definition."""
        found = []
        for row in rows:
            ids = torch.tensor([row.input_ids], device=self.model.device)
            learned = [t for t in range(1, row.num_tokens) if row.trained[t]]
            logits = self.model(input_ids=ids, use_cache=False).logits[0, [t - 1 for t in learned]]
            scores = logits.float().log_softmax(-1)
            found.append(scores.gather(-1, ids[0, learned][:, None])[:, 0])
        return torch.cat(found)


def _engine(model: PreTrainedModel, factors: Mapping[str, LinearFactors]) -> LM:
    adapters: dict[str, LoraLinear] = add_lora(model, _SPEC, seed=0)
    for path, adapter in adapters.items():
        adapter.lora_A.data.copy_(factors[path].a)
        adapter.lora_B.data.copy_(factors[path].b)
    return LM(model, adapters)


def _gradients(model: PreTrainedModel, logps: Tensor) -> Gradients:
    """Of A and B, for a sum in which each token counts differently; taken away from the model."""
    counts = torch.randn(len(logps), generator=torch.Generator().manual_seed(2))
    torch.autograd.backward((logps * counts.to(logps.device)).sum())
    found = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            grad, parameter.grad = parameter.grad, None
            found[name] = torch.zeros_like(parameter) if grad is None else grad
    return found


def _distances(found: Gradients, true: Gradients) -> Tensor:
    """|found - true| / |true| of each tensor; not a number where one of them is not finite."""
    missed = torch.tensor([_norm(found[name].double() - true[name]) for name in true])
    return missed / torch.tensor([max(_TINY, _norm(grad)) for grad in true.values()])


def _farthest(found: Gradients, true: Gradients) -> float:
    return float(_distances(found, true).max())


def _nearest_draw(found: Sequence[Gradients], true: Sequence[Gradients]) -> float:
    """The mean distance of a draw's tensors, of the nearest draw."""
    means = [_distances(*each).mean() for each in zip(found, true, strict=True)]
    return float(torch.stack(means).min())


def _norm(tensor: Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor, dtype=torch.float64))


def _factors(model: PreTrainedModel) -> dict[str, LinearFactors]:
    """A as PEFT draws it, and a B that matters, for every linear."""
    generator = torch.Generator().manual_seed(1)
    paths = target_paths(model, "all-linear")
    if not paths:
        raise ModelError(f"{type(model).__name__}: it has no linear layer that takes an adapter")
    found = {}
    for path in paths:
        rows, width = model.get_submodule(path).weight.shape
        a = (2 * torch.rand(_SPEC.r, width, generator=generator) - 1) / width**0.5
        b = _B_STD * torch.randn(rows, _SPEC.r, generator=generator)
        found[path] = LinearFactors(a.to(model.device), b.to(model.device))
    return found


def _beyond_window(config: PreTrainedConfig) -> Sequence[tuple[int, tuple[int, ...]]]:
    """A row that is longer than the sliding window, when that is short enough."""
    window = getattr(config, "sliding_window", None) or 0
    return [(window, (20,))] if 0 < window <= _LONGEST_WINDOW else []


def _draw_rows(
    config: PreTrainedConfig, shapes: Sequence[tuple[int, tuple[int, ...]]], *, seed: int
) -> _Rows:
    """Rows of random tokens."""
    generator = torch.Generator().manual_seed(seed)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(config.vocab_size, (count,), generator=generator).tolist())

    groups = []
    for length, completions in shapes:
        prompt = tokens(length)
        learned = [(False,) * length + (True,) * n for n in completions]
        groups.append([EncodedRow(prompt + tokens(sum(each)), each) for each in learned])
    return _Rows(groups, [row for group in groups for row in group])


class _Short(NamedTuple):
    """A base model of `layers_checked` of its `layers`."""

    base: LocalBase
    layers: int
    layers_checked: int


@contextmanager
def _shorten(base: LocalBase) -> Iterator[_Short]:
    """The model whole when it is small, else a folder that has only its first layers."""
    config = json.loads((base.folder / "config.json").read_text(encoding="utf-8"))
    text: dict[str, Any] = config.get("text_config", config)
    layers = text.get("num_hidden_layers")
    if not isinstance(layers, int):
        raise ModelError(f"{base.name}: its config.json does not say how many layers it has")
    kept = (
        layers
        if num_parameters(base.folder) <= _SMALL
        else min(layers, _count_needed_layers(text, layers))
    )
    if kept == layers:
        yield _Short(base, layers, layers)
        return
    cut = {key: value[:kept] for key, value in text.items() if _one_per_layer(value, layers)}
    text.update(cut, num_hidden_layers=kept)
    with tempfile.TemporaryDirectory() as folder, _quietly():
        for path in base.folder.iterdir():
            if path.name != "config.json":
                (Path(folder) / path.name).symlink_to(path.resolve())
        (Path(folder) / "config.json").write_text(json.dumps(config), encoding="utf-8")
        yield _Short(replace(base, folder=Path(folder)), layers, kept)


def _count_needed_layers(text: Mapping[str, Any], layers: int) -> int:
    """Layers from the first on until every kind was there."""
    needed = _LEAST_LAYERS
    for kinds in text.values():
        if _one_per_layer(kinds, layers) and isinstance(kinds[0], str):
            needed = max(needed, *(kinds.index(kind) + 1 for kind in kinds))
    return needed


def _one_per_layer(value: object, layers: int) -> bool:
    return isinstance(value, list) and len(value) == layers


@contextmanager
def _quietly() -> Iterator[None]:
    """transformers lists the weights that it leaves out, which here are most."""
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)
