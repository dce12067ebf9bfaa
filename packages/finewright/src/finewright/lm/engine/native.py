"""A step of generation as one call of a native kernel, for decoders that are known by their structure.

Weights are read where they lie, once a step, whatever adapter is over them: LoRA, rsLoRA, PiSSA, DoRA, (IA)3,
prompts and prefixes of different runs stand beside them in one step. A row's logits are a function of its own
sequence, bitwise: nothing that else is in the step changes a sum's order.

Where the kernel does other than transformers in bfloat16: the residual stays float32 between layers, and each
product is rounded once, where the next one reads it."""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from finewright.errors import ModelError
from finewright.lm import probe
from finewright.lm.adapters.linears import OnLinear
from finewright.lm.adapters.part import AdapterPart
from finewright.lm.engine.blocks import LaidAdapter, LaidBatch, num_logits_of
from finewright.lm.engine.forward import BLOCK, Piece
from finewright.lm.engine.recognise import (
    Decoder,
    DecoderLayer,
    UnknownModelError,
    recognise,
    shape_of,
)
from finewright.lm.engine.sampling import HighestLogits, highest_of
from finewright.lm.engine.weights import AdapterWeights, LinearDelta, LowRankDelta
from finewright.lm.fast import dora, library, structures
from finewright.lm.fast.compiled import zeros_on_demand
from finewright.lm.fast.linear import state_of
from finewright.lm.fast.quantized import (
    Int8,
    Nf4Codes,
    PackedWeight,
    QuantizedWeight,
    tables_on,
)
from finewright.lm.fast.structures import address
from finewright.lm.logits import change_of

_FIRST_POSITIONS = 1024


def native_forward(model: PreTrainedModel, num_blocks: int) -> "NativeForward | str":
    """The native forward of a model, or why there is none."""
    decoder = find_decoder(model)
    return decoder if isinstance(decoder, str) else NativeForward(model, decoder, num_blocks)


def find_decoder(model: PreTrainedModel) -> Decoder | str:
    """What a native forward computes of a model, or why it cannot: the two are compared first."""
    if reason := library.status().reason:
        return reason
    if model.device.type != "cpu" or model.dtype not in structures.NUMBER_FORMATS:
        return f"{model.dtype} on {model.device} is computed by torch"
    try:
        decoder = recognise(model)
        is_right = _is_right(model, decoder)
    except UnknownModelError as unknown:
        return f"{type(model).__name__}: {unknown}"
    return decoder if is_right else f"{type(model).__name__}: other numbers"


class NativeForward:
    """Implements Forward; see forward.py and `native_forward`."""

    def __init__(self, model: PreTrainedModel, decoder: Decoder, num_blocks: int) -> None:
        self._decoder = decoder
        self._num_blocks = num_blocks
        self._dtype = model.dtype
        self._change = change_of(model.config.get_text_config())
        self._kept: list[Any] = []
        self._places: dict[str, int] = {}
        self._modules: dict[str, nn.Module] = {}
        self._adapters: dict[str, LaidAdapter] = {}
        self._biases: list[tuple[Tensor, Tensor]] = []
        self._model = self._lay_out()
        self._sources = [bias for bias, _ in self._biases]
        self._sources += [p for module, _ in decoder.norms for p in module.parameters()]
        self._state = [state_of(source) for source in self._sources]
        self._vocabulary = decoder.head.out_features
        self._positions = 0
        self._take_positions(_FIRST_POSITIONS)

    @property
    def num_blocks(self) -> int:
        """Blocks of the pool."""
        return self._num_blocks

    @torch.no_grad()
    def step(self, pieces: Sequence[Piece]) -> Tensor:
        """Logits (sum of num_logits, V), float32, piece by piece."""
        # rows a power of two apart would share few places of a cache
        logits = torch.empty(num_logits_of(pieces), self._vocabulary + 16)[:, : self._vocabulary]
        self._run(pieces, logits=address(logits), logits_row=logits.stride(0))
        return logits if self._change is None else self._change(logits)

    @torch.no_grad()
    def highest(self, pieces: Sequence[Piece]) -> HighestLogits:
        """See Forward: logits are looked at where they are made, and never written to memory."""
        if self._change is not None:
            return highest_of(self.step(pieces))
        values = torch.empty(num_logits_of(pieces))
        tokens = torch.empty(len(values), dtype=torch.long)
        self._run(pieces, highest=address(values), likeliest=address(tokens))
        return HighestLogits(values, tokens)

    def _run(self, pieces: Sequence[Piece], **results: int | None) -> None:
        self._renew()
        self._take_positions(max(piece.end for piece in pieces))
        batch = LaidBatch(pieces, self._adapters, results)
        structures.run(self._model, batch.laid, self._dtype)

    def copy_block(self, source: int, to: int) -> None:
        """Copy a block's keys and values in all layers."""
        self._cache[to] = self._cache[source]

    def num_virtual(self, adapter: str | None) -> int:
        """Placeholders that a sequence of this adapter begins with."""
        return int(self._adapters[adapter].weights.num_virtual) if adapter is not None else 0

    @torch.no_grad()
    def load(self, key: str, adapter: AdapterWeights) -> None:
        """Make an adapter known under a key that is free. Raises ModelError where it does not fit."""
        kept: list[Any] = []

        def lay(tensor: Tensor | None) -> int | None:
            if tensor is None:
                return None
            kept.append(tensor.contiguous())
            return address(kept[-1])

        deltas = (structures.StepDelta * len(self._places))()
        rank = 0
        for path, delta in adapter.linears.items():
            if path not in self._places:
                raise ModelError(f"adapter {key!r}: the model has no linear {path}")
            deltas[self._places[path]] = self._delta(path, delta, lay)
            rank = max(rank, len(delta.a) if isinstance(delta, LowRankDelta) else 0)
        kept.append(deltas)
        _require_virtual(f"adapter {key!r}", adapter, self._decoder)
        laid = structures.StepAdapter(
            address(deltas),
            adapter.num_virtual,
            lay(adapter.embeddings),
            lay(adapter.states),
        )
        self._adapters[key] = LaidAdapter(laid, rank, kept)

    def unload(self, key: str) -> None:
        """Forget an adapter, and give back its memory."""
        del self._adapters[key]

    def _delta(
        self, path: str, delta: LinearDelta, lay: Callable[[Tensor | None], int | None]
    ) -> structures.StepDelta:
        module = self._modules[path]
        d_out, d_in = shape_of(module)
        if not isinstance(delta, LowRankDelta):
            factors = delta.factors.float()
            if delta.at_input and not path.endswith("down_proj"):
                raise ModelError(f"{path}: (IA)3 at this input is not known")
            _require(f"{path}: (IA)3", factors, d_in if delta.at_input else d_out)
            at = {"inputs" if delta.at_input else "outputs": lay(factors)}
            return structures.StepDelta(**at)
        rank = delta.a.shape[:1]
        _require(f"{path}: A", delta.a, *rank, d_in)
        _require(f"{path}: B", delta.b, d_out, *rank)
        ratio = None
        if delta.magnitude is not None:
            _require(f"{path}: the magnitude", delta.magnitude, d_out)
            weight = _weight(module)
            squares = dora.squared_norms(weight)
            norms = dora.direction_norms(weight, squares, delta.a, delta.b, delta.scale)
            ratio = delta.magnitude / norms
        # rounded as in training, where they stand in the model's number format beside the weight
        b = F.pad((delta.b * delta.scale).to(self._dtype), (0, 0, 0, -d_out % 64))
        b = b.view(-1, 64, len(delta.a)).transpose(1, 2)  # read in this order
        return structures.StepDelta(
            lay(delta.a.to(self._dtype)), lay(b), len(delta.a), lay(ratio), None, None
        )

    def _lay_out(self) -> structures.StepModel:
        decoder = self._decoder
        tables = tables_on(torch.device("cpu"))
        embedding = decoder.embedding.weight
        assert isinstance(embedding, Tensor)
        scale = getattr(decoder.embedding, "embed_scale", None)
        shape = (2 * len(decoder.layers), decoder.kv_heads, BLOCK, decoder.head_dim)
        # zeros: what was never written must be numbers; a block's lie together, as they are taken together
        self._cache = zeros_on_demand((self._num_blocks, *shape), self._dtype)
        self._layers = (structures.StepLayer * len(decoder.layers))()
        for i, layer in enumerate(decoder.layers):
            self._lay_layer(self._layers[i], layer, self._cache[:, 2 * i : 2 * i + 2])
        return structures.StepModel(
            num_layers=len(decoder.layers),
            layers=address(self._layers),
            hidden=embedding.shape[1],
            intermediate=decoder.intermediate,
            heads=decoder.heads,
            kv_heads=decoder.kv_heads,
            head_dim=decoder.head_dim,
            gelu=int(decoder.gelu),
            embedding=self._address(embedding.detach()),
            embedding_row=embedding.stride(0),
            final_norm=self._address(decoder.final_norm),
            head=self._linear(decoder.head),
            levels=self._address(tables.levels),
            dynamic=self._address(tables.dynamic),
            block_stride=self._cache.stride(0),
            embedding_scale=1.0 if scale is None else float(scale.to(self._dtype)),
            eps=decoder.eps,
            attention_scale=decoder.attention_scale,
            softcap=decoder.softcap,
        )

    def _lay_layer(self, laid: structures.StepLayer, layer: DecoderLayer, cache: Tensor) -> None:
        for name in ("qkv", "out", "gate_up", "down"):
            linears = getattr(layer, name)
            stage = getattr(laid, name)
            stage.count = len(linears)
            for i, (path, module) in enumerate(linears.items()):
                self._places[path], self._modules[path] = len(self._places), module
                stage.linears[i] = self._linear(module)
                stage.linears[i].place = self._places[path]
        names = ("before_attention", "after_attention", "before_mlp", "after_mlp")
        for name, weight in zip(names, layer.around, strict=True):
            setattr(laid, name, self._address(weight))
        laid.query_norm, laid.key_norm = map(self._address, (layer.query_norm, layer.key_norm))
        laid.keys, laid.values = map(self._address, cache.unbind(1))
        laid.window = layer.window

    def _linear(self, module: nn.Module) -> structures.StepLinear:
        base = module.base if isinstance(module, OnLinear) else module
        assert isinstance(base, nn.Linear)
        bias = None if base.bias is None else self._copy_bias(base.bias)
        outputs, inputs = shape_of(module)
        laid = structures.StepLinear(outputs=outputs, inputs=inputs, bias=bias)
        frozen = module.frozen if isinstance(module, OnLinear) else None
        if isinstance(frozen, QuantizedWeight):
            self._lay_packed(laid, frozen.packed)
            return laid
        weight = _weight(module)
        if weight.dtype != self._dtype or weight.stride(1) != 1:
            raise UnknownModelError("its weights are of several number formats")
        laid.weight, laid.row = self._address(weight), weight.stride(0)
        return laid

    def _lay_packed(self, laid: structures.StepLinear, packed: PackedWeight) -> None:
        assert isinstance(packed, Int8 | Nf4Codes)
        laid.weight, laid.scales = self._address(packed.codes), self._address(packed.scales)
        laid.form = structures.INT8
        if isinstance(packed, Nf4Codes):
            laid.form, laid.mean = structures.NF4, packed.mean
            laid.scale_scales = self._address(packed.scale_scales)

    def _copy_bias(self, bias: Tensor) -> int | None:
        copy = bias.detach().float().clone()
        self._biases.append((bias, copy))
        return self._address(copy)

    def _renew(self) -> None:
        """Where training has changed norms and biases, copy them again; all else is read in place."""
        state = [state_of(source) for source in self._sources]
        if state == self._state:
            return
        self._state = state
        self._decoder.renew()
        for bias, copy in self._biases:
            copy.copy_(bias)

    def _address(self, tensor: Tensor | None) -> int | None:
        self._kept.append(tensor)
        return address(tensor)

    def _take_positions(self, count: int) -> None:
        """Cosines and sines for at least so many positions."""
        if count <= self._positions:
            return
        self._positions = max(count, 2 * self._positions)
        self._angles = self._decoder.angles(self._positions, self._dtype)
        for laid, layer in zip(self._layers, self._decoder.layers, strict=True):
            laid.cos, laid.sin = map(address, self._angles[layer.kind])
            self._model.rotary = self._angles[layer.kind][0].shape[1]

    @contextmanager
    def _first_layers(self, count: int) -> Any:
        """Only so many layers, for the comparison with the model's."""
        whole = self._model.num_layers
        self._model.num_layers = count
        try:
            yield
        finally:
            self._model.num_layers = whole


def _weight(module: nn.Module) -> Tensor:
    """The weight (d_out, d_in) where it lies."""
    weight = module.read_weight() if isinstance(module, OnLinear) else module.weight
    assert isinstance(weight, Tensor)
    return weight.detach()


@torch.no_grad()
def _is_right(model: PreTrainedModel, decoder: Decoder) -> bool:
    """Whether a small pool's logits are those of the model without an adapter. One row in one piece, one in
    two."""
    rows = probe.probe_rows(model)
    forward = NativeForward(model, decoder, len(rows))
    whole, cut = (row.input_ids for row in rows)
    middle = len(cut) - 3
    pieces = [
        [Piece(whole, 0, (0,), None, len(whole)), Piece(cut[:middle], 0, (1,), None, middle)],
        [Piece(cut[middle:], middle, (1,), None, len(cut) - middle)],
    ]
    parts = [m for m in model.modules() if isinstance(m, AdapterPart) and m.enabled]
    training = model.training
    model.eval()
    for part in parts:
        part.enabled = False
    try:
        true, num_layers = probe.first_logits(model, rows)
    finally:
        model.train(training)
        for part in parts:
            part.enabled = True
    with forward._first_layers(num_layers):
        found = torch.cat([forward.step(each) for each in pieces])
    return probe.is_near(found, true)


def _require_virtual(what: str, adapter: AdapterWeights, decoder: Decoder) -> None:
    embedding = decoder.embedding.weight
    assert isinstance(embedding, Tensor)
    width = 2 * len(decoder.layers) * decoder.kv_heads * decoder.head_dim
    for learned, wanted in ((adapter.embeddings, embedding.shape[1]), (adapter.states, width)):
        if learned is not None:
            _require(f"{what}: virtual tokens", learned, *learned.shape[:1], wanted)


def _require(what: str, tensor: Tensor, *shape: int) -> None:
    """The kernel reads bare addresses, and would read beyond a tensor of another shape."""
    if tuple(tensor.shape) != shape:
        raise ModelError(f"{what} is of shape {tuple(tensor.shape)}, and the model needs {shape}")
