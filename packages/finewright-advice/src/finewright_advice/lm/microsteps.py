"""Two real steps, thrown away: what a step takes in tensors, in the process, and in seconds.

Tensors are counted as the allocator does: on CUDA by its own peak; on the CPU by torch's profiler, whose
allocations and frees are added to what the model holds already. The process's peak is the kernel's own mark
(VmHWM), set back before the steps where the system allows it.

Out of memory ends in `Micro.failed` and in nothing else: on Linux the process may, for these steps, take no
more address space than the machine has memory left, so that the allocator fails before the system kills.

The tokens of many renderings in few calls of the tokenizer, which take half the time of one for each."""

import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from finewright.lm import runtime
from finewright.lm.adapters.linears import OnLinear
from finewright.lm.chat import Chat, Rendered
from finewright.lm.fast.quantized import Int8, Nf4Codes, QuantizedWeight
from finewright.lm.model import LM

# Texts of a call: what it returns is in memory at once.
_AT_ONCE = 256


_STEPS = 2
_STATUS, _MEMORY = Path("/proc/self/status"), Path("/proc/meminfo")
_FULL = ("not enough memory", "can't allocate memory", "DefaultCPUAllocator", "std::bad_alloc")


class StepResult(Protocol):
    """What a step did."""

    @property
    def tokens(self) -> int:
        """Tokens that ran through the model."""
        ...

    @property
    def seconds(self) -> float:
        """What it took."""
        ...


class Micro(NamedTuple):
    """Peaks in bytes, and tokens and seconds of each step; `failed` says why there are none."""

    tensors: int
    process: int
    tokens: tuple[int, ...]
    seconds: tuple[float, ...]
    failed: str = ""


def micro_steps(lm: LM, begin: Callable[[], Iterator[StepResult]], count: int = _STEPS) -> Micro:
    """Run the first steps that `begin` starts, and measure them. Profiling slows a CPU's seconds a little."""
    try:
        with _no_more_than_is_left():
            if lm.device.type == "cuda":
                return _on_cuda(begin, count)
            return _on_cpu(lm, begin, count)
    except (torch.OutOfMemoryError, MemoryError) as error:
        return Micro(0, 0, (), (), failed=_first_line(error))
    except RuntimeError as error:
        if not any(words in str(error) for words in _FULL):
            raise
        return Micro(0, 0, (), (), failed=_first_line(error))


def device_bytes() -> int:
    """The memory of the first CUDA device."""
    return int(torch.cuda.get_device_properties(0).total_memory)


def count_held_bytes(lm: LM) -> int:
    """Bytes of the model's tensors, each storage once; quantised weights and their scratch included."""
    parts = [part.frozen for part in lm.model.modules() if isinstance(part, OnLinear)]
    packed = [tensor for part in parts for tensor in _tensors_of(part)]
    own = [*lm.model.parameters(), *lm.model.buffers(), *lm.parameters(), *packed]
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in own}
    return sum(storages.values())


def _tensors_of(frozen: object) -> list[Tensor]:
    if not isinstance(frozen, QuantizedWeight):
        return []
    kept = frozen.packed
    assert isinstance(kept, Nf4Codes | Int8)
    scales = [kept.scale_scales] if isinstance(kept, Nf4Codes) else []
    return [kept.codes, kept.scales, *scales, frozen.scratch]


def _on_cuda(begin: Callable[[], Iterator[StepResult]], count: int) -> Micro:
    torch.cuda.reset_peak_memory_stats()
    done = list(islice(begin(), count))
    torch.cuda.synchronize()
    return _micro(torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved(), done)


def _on_cpu(lm: LM, begin: Callable[[], Iterator[StepResult]], count: int) -> Micro:
    held = count_held_bytes(lm)
    runtime.forget_peak()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        done = list(islice(begin(), count))
    process = runtime.peak_resident_bytes()
    return _micro(held + _most_beyond(profiled), process, done)


def _micro(tensors: int, process: int, done: list[StepResult]) -> Micro:
    return Micro(tensors, process, tuple(s.tokens for s in done), tuple(s.seconds for s in done))


def _most_beyond(profiled: profile) -> int:
    """The most that was allocated and not yet freed, since profiling began."""
    results: Any = profiled.profiler  # Any: torch gives these events no type
    events = [e for e in results.kineto_results.events() if e.name() == "[memory]"]
    live = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        most = max(most, live)
    return most


@contextmanager
def _no_more_than_is_left() -> Iterator[None]:
    if not _MEMORY.exists():
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    left = runtime.bytes_in(_STATUS, "VmSize") + runtime.bytes_in(_MEMORY, "MemAvailable")
    soft = left if before[0] == resource.RLIM_INFINITY else min(left, before[0])
    resource.setrlimit(resource.RLIMIT_AS, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no memory is left").splitlines()[0]


def token_ids(chat: Chat, texts: Sequence[Rendered]) -> Iterator[Sequence[int]]:
    """Of each rendering its tokens as `Chat.tokens` makes them, but for cuts where an answer begins.

    Those whose contents spell control tokens, which are few, are read one by one."""
    backend: Any = chat.tokenizer
    backend = backend.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    for at in range(0, len(texts), _AT_ONCE):
        part = texts[at : at + _AT_ONCE]
        plain = [each.text for each in part if each.breaks is None]
        encodings = iter(backend.encode_batch_fast(plain, add_special_tokens=False))
        for each in part:
            yield next(encodings).ids if each.breaks is None else chat.tokens(each).ids
