"""Is a model still itself with the engine's tricks on it? Two short random sequences, packed and alone, tell
before any training.

In float32 the last hidden states are compared. In bfloat16 two right ways to sum part from each other as
depth grows (3 to 6 % of the states' norm after the 18 and 30 layers of Gemma 3 270M and SmolLM2 135M), which
a wrong formula could hide behind; so there the states after the first layers are compared, as many as show
every kind of layer: 1 % apart at most, where a wrong formula is tens of per cent off."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from finewright.lm.batch import Segment, pack
from finewright.lm.example import EncodedRow
from finewright.lm.fast import attention, native, paged
from finewright.lm.fast.install import Fallback, install, uninstall
from finewright.lm.logits import Logits

_LENGTHS = (5, 9)
_TOLERANCE = {torch.float32: 1e-4}
_TOLERANCE_ROUNDED = 5e-2
_TOLERANCE_APART = 2e-2


class _Enough(Exception):  # noqa: N818 - not an error: the rest of the forward is not needed
    """Carries a layer's hidden states out of a forward."""

    def __init__(self, states: Tensor) -> None:
        self.states = states


def speed_up(model: PreTrainedModel, adapter: type[nn.Module]) -> tuple[bool, tuple[Fallback, ...]]:
    """Put the engine's tricks on the model, and take off again what gives other states than the plain model.

    Returns whether rows can be packed end to end, and what runs as transformers wrote it. Attention that
    ignores the segments (a linear-attention or convolution layer, or a model that does not pass the
    argument on) shows here; in a rehearsal it shows whether the states are computed at all."""
    rows = probe_rows(model)
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            if native.is_rehearsed():
                return _go_through(model, adapter, rows)
            plain = _alone(model, rows)
            fallbacks = install(model, adapter)
            if not _holds(lambda: _alone(model, rows), plain):
                uninstall(model)
                fallbacks = (Fallback(type(model).__name__, "all", 1, "other numbers than plain"),)
            with attention.using(model, attention.NAME):
                packs = (
                    _holds(lambda: _states(model, rows), plain)
                    and _holds(lambda: torch.cat([_states(model, [row]) for row in rows]), plain)
                    and _apart(model, rows)
                )
    finally:
        model.train(training)
    return packs, fallbacks


def _go_through(
    model: PreTrainedModel, adapter: type[nn.Module], rows: Sequence[EncodedRow]
) -> tuple[bool, tuple[Fallback, ...]]:
    """What `speed_up` does, where tensors have no numbers that could differ."""
    fallbacks = install(model, adapter)
    with attention.using(model, attention.NAME):
        return _compute(lambda: _states(model, rows)) is not None, fallbacks


def block_bytes(model: PreTrainedModel) -> int:
    """Bytes of a block of the paged cache in all layers; 0 where the model cannot attend to one.

    Two rows are computed in two steps, the last token of one alone, and must have the plain states."""
    first, second = probe_rows(model)
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            plain = _alone(model, [first, second])
            with attention.using(model, paged.NAME):
                cache = paged.PagedCache(3)
                rows = [(first, 4), (second, 6)]
                if not _holds(lambda: _in_two_steps(model, rows, cache), plain):
                    return 0
                _in_two_steps(model, rows, cache, whole=True)
                return cache.block_bytes
    finally:
        model.train(training)


def _places(cuts: Sequence[tuple[int, int]]) -> Iterator[paged.PagedRow]:
    at = 0
    for number, (start, end) in enumerate(cuts, start=1):
        yield paged.PagedRow(at, end - start, start, (number,))
        at += end - start


def _in_two_steps(
    model: PreTrainedModel,
    rows: Sequence[tuple[EncodedRow, int]],
    cache: paged.PagedCache,
    *,
    whole: bool = False,
) -> Tensor:
    """States of rows that are cut after so many tokens, row by row; `whole` runs all layers."""
    parts: list[list[Tensor]] = [[] for _ in rows]
    for step in range(2):
        cuts = [(cut, row.num_tokens) if step else (0, cut) for row, cut in rows]
        places = list(_places(cuts))
        ids = [
            i for (row, _), cut in zip(rows, cuts, strict=True) for i in row.input_ids[slice(*cut)]
        ]
        given = paged.PagedStep(places, cache, model.device)
        call = partial(paged.run, model, torch.tensor([ids], device=model.device), given)
        states = call() if whole else _states_to_look_at(model, call)
        for part, row in zip(parts, places, strict=True):
            part.append(states[row.first : row.first + row.length])
    return torch.cat([state for part in parts for state in part])


def probe_rows(model: PreTrainedModel) -> list[EncodedRow]:
    """Two short rows of random tokens, always the same for a vocabulary."""
    vocab = model.config.get_text_config().vocab_size
    generator = torch.Generator().manual_seed(0)
    return [
        EncodedRow(tuple(torch.randint(vocab, (n,), generator=generator).tolist()), (True,) * n)
        for n in _LENGTHS
    ]


def first_logits(model: PreTrainedModel, rows: Sequence[EncodedRow]) -> tuple[Tensor, int]:
    """Logits (T, V) of rows alone after the first layers, and how many those are: in float32 all."""
    states = torch.cat([_states(model, [row], packed=False) for row in rows])
    layer = None if model.dtype in _TOLERANCE else _last_of_a_new_kind(model)
    layers = model.base_model.layers
    if layer is not None:
        states = model.base_model.norm(states)
    return Logits(model)(states), len(layers) if layer is None else list(layers).index(layer) + 1


def is_near(found: Tensor, true: Tensor) -> bool:
    """Whether they are the same up to the rounding of the true ones' number format."""
    return _near(found, true, _TOLERANCE.get(true.dtype, _TOLERANCE_ROUNDED))


def run(
    model: PreTrainedModel,
    input_ids: Tensor,
    position_ids: Tensor,
    segments: tuple[Segment, ...] | None = None,
) -> Tensor:
    """Last hidden states of the tokens (T, d), from ids and positions (1, T)."""
    extra = {} if segments is None else {"segments": segments}
    output = model.base_model(
        input_ids=input_ids, position_ids=position_ids, use_cache=False, **extra
    )
    states: Tensor = output.last_hidden_state[0]
    return states


def _holds(states: Callable[[], Tensor], plain: Tensor) -> bool:
    """Whether these states are computed at all, and the plain ones."""
    found = _compute(states)
    tolerance = _TOLERANCE.get(plain.dtype, _TOLERANCE_ROUNDED)
    return found is not None and _near(found, plain, tolerance)


def _compute(states: Callable[[], Tensor]) -> Tensor | None:
    """The states; None where the model cannot compute them so."""
    try:
        return states()
    except (TypeError, ValueError, RuntimeError, AttributeError):
        return None


def _apart(model: PreTrainedModel, rows: Sequence[EncodedRow]) -> bool:
    """Whether the last row's states are the same whatever row is packed before it. Sums are made in the same
    order both times (but for those of experts), so that no rounding hides a leak."""
    first, last = rows
    other = EncodedRow(tuple(reversed(first.input_ids)), first.trained)
    beside, beside_other = (
        _states(model, [row, last])[-last.num_tokens :] for row in (first, other)
    )
    return _near(beside_other, beside, _TOLERANCE.get(beside.dtype, _TOLERANCE_APART))


def _near(found: Tensor, true: Tensor, tolerance: float) -> bool:
    """Whether their distance is within this share of the true states' norm."""
    return bool((found - true).float().norm() <= tolerance * true.float().norm())


def _alone(model: PreTrainedModel, rows: Sequence[EncodedRow]) -> Tensor:
    return torch.cat([_states(model, [row], packed=False) for row in rows])


def _states(model: PreTrainedModel, rows: Sequence[EncodedRow], *, packed: bool = True) -> Tensor:
    """Hidden states (T, d): the last ones, or those of the last layer that is looked at."""
    batch = pack(rows, next(model.parameters()).device)
    segments = batch.segments if packed else None
    return _states_to_look_at(
        model, lambda: run(model, batch.input_ids, batch.position_ids, segments)
    )


def _states_to_look_at(model: PreTrainedModel, call: Callable[[], Tensor]) -> Tensor:
    """The states that a call gives, or those of the last layer that is looked at."""
    layer = None if model.dtype in _TOLERANCE else _last_of_a_new_kind(model)
    hook = layer.register_forward_hook(_stop) if layer is not None else None
    try:
        return call()
    except _Enough as enough:
        return enough.states
    finally:
        if hook is not None:
            hook.remove()


def _stop(layer: nn.Module, inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
    raise _Enough((output if isinstance(output, Tensor) else output[0])[0])


def _last_of_a_new_kind(model: PreTrainedModel) -> nn.Module | None:
    """The layer by which every kind of layer has been seen, the second at least."""
    layers: list[nn.Module] = [
        m for m in model.base_model.modules() if isinstance(m, GradientCheckpointingLayer)
    ]
    if not layers:
        return None
    named = getattr(model.config.get_text_config(), "layer_types", None) or []
    kinds = [(named[i : i + 1], _make_of(layer)) for i, layer in enumerate(layers)]
    last = max(kinds.index(kind) for kind in kinds)
    return layers[max(last, min(1, len(layers) - 1))]


def _make_of(layer: nn.Module) -> list[tuple[type[nn.Module], dict[str, bool | str]]]:
    """The classes of a layer's modules, and their switches."""
    return [
        (type(m), {name: v for name, v in vars(m).items() if isinstance(v, bool | str)})
        for m in layer.modules()
    ]
