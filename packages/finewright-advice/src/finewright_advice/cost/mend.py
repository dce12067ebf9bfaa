"""The cheapest settings that would fit a machine: all combinations are tried, as a formula takes no time."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import NamedTuple

from finewright.schema.adapter import AdapterSpec, LoraSpec
from finewright.schema.cost import Mend, Range
from finewright_advice.cost.job import TrainingJob
from finewright_advice.cost.needs import formula

# Price of a change: speed first, then what is learned. Only their order counts.
_RECOMPUTED, _NF4, _INT8, _NO_FULL, _SMALL_RANK = 0.33, 0.2, 0.25, 3.0, 1.0
_TOKENS = ((None, 0.0), (8192, 0.01), (4096, 0.02), (2048, 0.05), (1024, 0.15), (512, 0.3))
_SHORTER = ((1, 0.0), (2, 5.0), (4, 10.0), (8, 15.0))
_LEAST_LENGTH = 128
_RANK = 8


class Option(NamedTuple):
    """Settings, what they cost beside others, and what a process takes with them."""

    price: float
    settings: tuple[str, ...]
    process_gib: Range


class _Change(NamedTuple):
    price: float
    job: TrainingJob
    settings: tuple[str, ...]


def options(job: TrainingJob, *, gpu: bool, number: int = 2) -> list[Option]:
    """Every combination, the cheapest first."""
    return [
        Option(
            change.price,
            change.settings,
            formula(change.job, gpu=gpu, number=number).process_gib,
        )
        for change in sorted(_changes(job), key=lambda change: change.price)
    ]


def mend(found: Sequence[Option], memory_gib: float) -> Mend | None:
    """What to set so that even the high end fits; None when nothing here does."""
    for option in found:
        if option.process_gib.high <= memory_gib:
            return Mend(settings=option.settings, process_gib=option.process_gib)
    return None


def _changes(job: TrainingJob) -> Iterator[_Change]:
    for (tokens, a), lean, (adapter, b), (shorter, c) in product(
        _TOKENS, (False, True), list(_adapters(job)), _SHORTER
    ):
        settings: dict[str, object] = {}
        rows, spec = job.rows, job.train
        if tokens is not None:
            settings["train.micro_batch_tokens"] = tokens
        if lean and spec.memory == "fast":
            settings["train.memory"] = "lean"
        if shorter > 1:
            length = max(_LEAST_LENGTH, min(spec.max_length, rows.longest) // shorter)
            settings["train.max_length"] = length
            rows = replace(rows, longest=min(length, rows.longest))
        update = {key.removeprefix("train."): value for key, value in settings.items()}
        train = spec.model_copy(update={**update, "adapter": adapter})
        lines = [f"{key}={value}" for key, value in settings.items()]
        lines += _adapter_settings(job, adapter)
        price = a + b + c + _RECOMPUTED * ("train.memory" in settings)
        yield _Change(price, replace(job, train=train, rows=rows), tuple(lines))


def _adapters(job: TrainingJob) -> Iterator[tuple[AdapterSpec, float]]:
    """The adapter as it is, and what takes less."""
    own = job.train.adapter
    yield own, 0.0
    if own.type in ("lora", "ia3") and own.quantization == "none":
        yield own.model_copy(update={"quantization": "int8"}), _INT8
        yield own.model_copy(update={"quantization": "nf4"}), _NF4
    if isinstance(own, LoraSpec) and own.r > _RANK:
        small = own.model_copy(update={"r": _RANK, "quantization": "nf4"})
        yield small, _NF4 + _SMALL_RANK
    if own.type == "none":
        yield LoraSpec(), _NO_FULL
        yield LoraSpec(quantization="nf4"), _NO_FULL + _NF4


def _adapter_settings(job: TrainingJob, adapter: AdapterSpec) -> list[str]:
    own = job.train.adapter
    if adapter is own:
        return []
    if own.type == "none":
        more = [] if adapter.quantization == "none" else [f"quantization: {adapter.quantization}"]
        return [f"train.adapter={{{', '.join(['type: lora', *more])}}}"]
    lines = [f"train.adapter.quantization={adapter.quantization}"]
    if isinstance(adapter, LoraSpec) and isinstance(own, LoraSpec) and adapter.r != own.r:
        lines.append(f"train.adapter.r={adapter.r}")
    return lines
