"""How much memory a training step takes, found by running the step itself on tensors without numbers.

torch's FakeTensorMode runs every operation on shapes alone. Under it the user's own step is taken - the
model, its adapter with the engine's tricks, the method's loss, the backward and the optimizer - while every
storage that comes and goes is counted. No weights, no GPU and no memory are needed, for any architecture
that transformers has.

Where code asks for a number, it is told one that lets the step go on: comparisons hold, so a trick is put
on where its module has the structure for it. Rows are packed unless a layer mixes tokens otherwise than by
attention. Kernels of the engine make what they return and compute nothing.

Layers are made alike, so memory at any moment of the step is linear in their number. It is traced at two
small depths, apart for the moments at which a peak can lie: the forward with the head and the first
layers of the backward, and its last layers with the optimizer. In between, memory only moves from what
activations take to what gradients take. The largest of the lines is the peak (proved in the tests against
the full depth)."""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple
from weakref import finalize

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from finewright.errors import ModelError
from finewright.lm import runtime
from finewright.lm.adapters import virtual
from finewright.lm.fast import attention, flash, native, quantized
from finewright.lm.load_chat import UNREADABLE

# Takes a model, puts it to work, and yields after each step.
Work = Callable[[PreTrainedModel], Iterator[object]]
Target = Literal["cpu", "gpu"]
_STEPS = 2  # the second has the optimizer's moments
_DEPTHS = (3, 4)
_FORWARD = "forward"
_ALIKE = frozenset({"full_attention", "sliding_attention", "chunked_attention"})


class Traced(NamedTuple):
    """Bytes of the model with its adapter, and the most that a step holds at once, these included."""

    model: int
    peak: int


def trace(
    config: PreTrainedConfig,
    work: Work,
    *,
    dtype: Literal["bf16", "fp32"],
    target: Target = "cpu",
) -> Traced:
    """Two steps of `work` on a model of this configuration.

    What a process takes beside its tensors - code, the allocator's gaps, a GPU's context - is not in it."""
    number = runtime.dtype_of(dtype)
    depth, fixed = int(config.get_text_config().num_hidden_layers), _count_fixed_layers(config)
    shallow = [fixed + more for more in _DEPTHS]
    if depth <= shallow[-1]:
        return _trace(config, work, number, target)[0]
    first, second = (
        _trace(_cut(config, layers), work, number, target, bottom=fixed + 1) for layers in shallow
    )

    def at_full_depth(one: int, two: int) -> int:
        return one + (two - one) * (depth - shallow[0])

    common = first[1].keys() & second[1].keys()
    peaks = [at_full_depth(first[1][moment], second[1][moment]) for moment in common]
    return Traced(at_full_depth(first[0].model, second[0].model), max(peaks))


def config_in(folder: Path) -> PreTrainedConfig:
    """The configuration in a folder that needs hold nothing else. Raises ModelError."""
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except UNREADABLE as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{folder / 'config.json'}: {reason}") from None


def packs_end_to_end(model: PreTrainedModel) -> bool:
    """Whether attention is all that mixes tokens in the model's layers. Told by their parts, without
    numbers."""
    layers = [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)]
    return all(
        any(attention.is_attention(part) for part in layer.modules())
        and not any(isinstance(part, nn.Conv1d) for part in layer.modules())
        for layer in layers
    )


def _count_fixed_layers(config: PreTrainedConfig) -> int:
    """The first layers that are not made as all others; all of them where kinds alternate."""
    text = config.get_text_config()
    kinds = set(getattr(text, "layer_types", None) or ())
    odd = not kinds <= _ALIKE or bool(getattr(text, "num_kv_shared_layers", 0))
    if odd or getattr(text, "decoder_sparse_step", 1) != 1:
        return int(text.num_hidden_layers)
    dense: list[int] = getattr(text, "mlp_only_layers", None) or []
    first: int = getattr(text, "first_k_dense_replace", None) or 0
    return max([first, *(number + 1 for number in dense)])


def _cut(config: PreTrainedConfig, layers: int) -> PreTrainedConfig:
    cut = copy.deepcopy(config)
    text = cut.get_text_config()
    text.num_hidden_layers = layers
    if kinds := getattr(text, "layer_types", None):
        text.layer_types = kinds[:layers]
    return cut


def _trace(
    config: PreTrainedConfig,
    work: Work,
    dtype: torch.dtype,
    target: Target,
    bottom: int = 0,
) -> tuple[Traced, Mapping[str, int]]:
    """What the steps take, and the peaks of the moments of a step."""
    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(
            config, dtype=dtype, trust_remote_code=False
        )
    model.eval()
    storages = _Storages()
    with _without_numbers(storages, target):
        _make_here(model)
        _mark_moments(model, storages, bottom)
        steps = work(model)
        next(steps, None)  # ready
        made = storages.start()
        for _ in islice(steps, _STEPS):
            storages.moment = _FORWARD
    return Traced(made, max(storages.peaks.values())), storages.peaks


@contextmanager
def _without_numbers(storages: "_Storages", target: Target) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        stack.enter_context(native.rehearsal(target))
        stack.enter_context(storages)
        stack.callback(_forget)
        yield


def _forget() -> None:
    """What was kept for later uses has no numbers either."""
    for kept in (quantized.tables_on, virtual._layout, flash.layout_of):
        kept.cache_clear()


class _Storages(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the storages that live, and the most of them at each moment of a step."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = 0
        self.moment = _FORWARD
        self.peaks: dict[str, int] = {}
        self._known: dict[int, int] = {}

    def start(self) -> int:
        """Forget the peaks of what was before; the bytes that live now."""
        self.peaks = {self.moment: self.live}
        return self.live

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:  # Any: whatever the operation takes and gives
        name = func.name()
        if name in _ANSWERS:
            return _ANSWERS[name](args[0])
        made = (
            _multiply_groups(*args)
            if name == "aten::_grouped_mm"
            else func(*args, **(kwargs or {}))
        )
        tree_map_only(Tensor, self._take, made)
        return made

    def _take(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._known:
            self._known[key] = storage.nbytes()
            self.live += self._known[key]
            self.peaks[self.moment] = max(self.live, self.peaks.get(self.moment, 0))
            finalize(storage, self._drop, key)

    def _drop(self, key: int) -> None:
        self.live -= self._known.pop(key)


def _one(tensor: Tensor) -> bool | float | int:
    if tensor.dtype == torch.bool:
        return True
    return 1.0 if tensor.dtype.is_floating_point else 1


_ANSWERS: dict[str, Callable[[Any], Any]] = {  # Any: the first operand, whatever it is
    "aten::_local_scalar_dense": _one,
    "aten::allclose": lambda _: True,
    "aten::equal": lambda _: True,
    "aten::is_nonzero": lambda _: True,
}


def _multiply_groups(left: Tensor, right: Tensor, *_: Any) -> Tensor:
    """The products of the experts, whose rule for shapes torch has for bfloat16 alone."""
    if left.dim() == right.dim():  # the gradient of the weights; groups are told by the offsets
        return left.new_empty(_[0].shape[0], left.shape[0], right.shape[1])
    return left.new_empty(left.shape[0], right.shape[-1])


def _make_here(model: nn.Module) -> None:
    """Give the modules, which were built without memory, tensors that count. Tied ones stay tied."""
    made: dict[int, Any] = {}
    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is None:
                    continue
                if id(tensor) not in made:
                    fresh = torch.empty(tensor.shape, dtype=tensor.dtype)
                    learns = tensor.requires_grad
                    made[id(tensor)] = (
                        nn.Parameter(fresh, learns) if isinstance(tensor, nn.Parameter) else fresh
                    )
                tensors[name] = made[id(tensor)]


def _mark_moments(model: PreTrainedModel, storages: _Storages, bottom: int) -> None:
    """Let the backward say when it leaves a layer: by its number from the top, or of the lowest `bottom`
    from below."""
    layers = [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)]

    def mark(number: int) -> Callable[..., None]:
        name = f"below {number}" if number < bottom else f"top {len(layers) - number}"

        def mark_reached(_: Tensor) -> None:
            storages.moment = name

        def watch(layer: nn.Module, inputs: Any, output: Any) -> None:
            states = output if isinstance(output, Tensor) else output[0]
            if states.requires_grad:
                states.register_hook(mark_reached)

        return watch

    for number, layer in enumerate(layers):
        layer.register_forward_hook(mark(number))
