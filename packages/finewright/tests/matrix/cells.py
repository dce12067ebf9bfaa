"""The cells of method x adapter x family x quantization, and a sample in which every pair of values meets."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple, get_args

from pydantic import TypeAdapter

import tiny
from finewright.schema.train import TrainSettings
from finewright.schema.train_section import TrainSpec
from finewright.train.support import find_unsupported

STEPS = 2
_OFFLINE = {"batch_size": 4}
_ONLINE = {
    "batch_size": 2,
    "rewards": ("valid_json",),
    "num_generations": 3,
    "max_new_tokens": 4,
}
METHODS: Mapping[str, Mapping[str, Any]] = {
    "sft": _OFFLINE,
    "dpo": _OFFLINE,
    "orpo": _OFFLINE,
    "simpo": _OFFLINE,
    "kto": _OFFLINE,
    "reward": _OFFLINE,
    "grpo": _ONLINE,
    "ppo": {**_ONLINE, "num_ppo_epochs": 2, "target_kl": 0.5},
}
_LORA = {"type": "lora", "r": 4, "alpha": 8}
_VIRTUAL = {"num_virtual_tokens": 3}
ADAPTERS: Mapping[str, Mapping[str, Any]] = {
    "lora": _LORA,
    "rslora": {**_LORA, "use_rslora": True},
    "dora": {**_LORA, "use_dora": True},
    "pissa": {**_LORA, "init": "pissa"},
    "ia3": {"type": "ia3"},
    "prefix": {"type": "prefix", **_VIRTUAL},
    "prompt": {"type": "prompt", **_VIRTUAL},
    "none": {"type": "none"},
}
FAMILIES = (
    "llama",
    "mistral",
    "mixtral",
    "qwen2",
    "qwen3",
    "qwen3_moe",
    "gemma2",
    "gemma3_text",
    "phi3",
    "phi4_mini",
    "deepseek_v3",
)


_TRAIN: TypeAdapter[TrainSettings] = TypeAdapter(TrainSpec)


class Cell(NamedTuple):
    """One combination; all that a training needs beside rows."""

    method: str
    adapter: str
    quantization: str
    family: str

    @property
    def name(self) -> str:
        return "-".join(self)


def spec_of(cell: Cell, **more: Any) -> TrainSettings:
    """The settings of a cell, as `resolve` leaves them; `more` goes over the method's."""
    settings = {
        "method": cell.method,
        "adapter": {**ADAPTERS[cell.adapter], "quantization": cell.quantization},
        "learning_rate": 0.01,
        "max_steps": STEPS,
        "micro_batch_tokens": 30,
        "dtype": "fp32",
        "threads": 1,
        **METHODS[cell.method],
        **more,
    }
    return _TRAIN.validate_python(settings)


def _trains(cell: Cell, config: Mapping[str, Any]) -> bool:
    return all(problem.level != "error" for problem in find_unsupported(spec_of(cell), config))


def _quantizations(method: str, adapter: str) -> tuple[str, ...]:
    """Those that the adapter's settings have."""
    kind = type(spec_of(Cell(method, adapter, "none", "")).adapter)
    return get_args(kind.model_fields["quantization"].annotation)


CELLS = tuple(
    Cell(method, adapter, quantization, family)
    for method in METHODS
    for adapter in ADAPTERS
    for quantization in _quantizations("sft", adapter)
    for family in FAMILIES
)

# What hybrids of Mamba and attention are tried with, beside the families of all pairs.
_ON_HYBRIDS = (
    ("sft", "lora", "none"),
    ("sft", "dora", "nf4"),
    ("sft", "prompt", "none"),
    ("sft", "prefix", "none"),
    ("sft", "none", "none"),
    ("dpo", "pissa", "none"),
    ("kto", "ia3", "none"),
    ("grpo", "rslora", "int8"),
    ("ppo", "lora", "none"),
)
HYBRID_CELLS = tuple(Cell(*cell, family) for cell in _ON_HYBRIDS for family in tiny.MAMBA_HYBRIDS)

Pair = tuple[tuple[int, str], tuple[int, str]]


def pairs_of(cell: Sequence[str]) -> frozenset[Pair]:
    """Each two values of a cell, with the place of each."""
    return frozenset(combinations(enumerate(cell), 2))  # type: ignore[arg-type]


def pairwise(cells: Sequence[Cell]) -> Iterator[Cell]:
    """Few of the cells that have all pairs of values that the cells have: greedily the one with the most
    new pairs, the first of equals."""
    left = {cell: pairs_of(cell) for cell in cells}
    while left:
        best = max(left, key=lambda cell: len(left[cell]))
        yield best
        news = left.pop(best)
        left = {cell: rest for cell, old in left.items() if (rest := old - news)}


@cache
def sample() -> tuple[Cell, ...]:
    """All pairs of cells that train, then those that only refused cells have."""
    configs = {family: tiny.tiny_model(family).config.to_dict() for family in FAMILIES}
    trains = [cell for cell in CELLS if _trains(cell, configs[cell.family])]
    chosen = list(pairwise(trains))
    seen = frozenset().union(*map(pairs_of, chosen))
    refused = [cell for cell in CELLS if cell not in set(trains) and pairs_of(cell) - seen]
    return (*chosen, *_covering(refused, seen))


def _covering(cells: Sequence[Cell], seen: frozenset[Pair]) -> Iterator[Cell]:
    for cell in cells:
        if not pairs_of(cell) <= seen:
            seen |= pairs_of(cell)
            yield cell
