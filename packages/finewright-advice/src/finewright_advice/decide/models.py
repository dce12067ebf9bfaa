"""The open models of a decision by name: of the catalog, or a folder with a config.json."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from finewright.catalog.models import CONFIG_IS_ENOUGH, open_model_named, open_models
from finewright.errors import DataError
from finewright.estimate.families import shape_of
from finewright.estimate.shape import Experts, ModelShape
from finewright.schema.aliases import close_choice
from finewright_advice.decide.results import AdviceSource
from finewright_advice.decide.spec import UNKNOWN
from finewright_advice.estimate.memory import NF4_BYTES

Resolve: TypeAlias = Callable[[str], Path]
"""A path of the spec -> where it leads."""
Bits = Literal[4, 16]
FOUR: Bits = 4
_HALF_BYTES = 2
_EXPERT_BYTES = 0.61
"""Of a number of an expert in 4 bits: 18.6 GB for the 30.5B of Qwen3-30B-A3B in Q4_K_M, as its GGUF has."""
_LARGEST_BYTES = 1_000_000


class Sizes(NamedTuple):
    """Bytes of the weights by the bits that they are held in: all, and those that compute a token."""

    held: Mapping[Bits, float]
    read: Mapping[Bits, float]
    parameters: int
    computing: int
    cache_per_token: float
    """Bytes of a token's keys and values, or of MLA's latent, in 16 bits."""
    attention: int = 0
    """Numbers that a token's queries meet for each earlier token."""
    experts: tuple[tuple[int, Experts], ...] = ()
    """(layers, their experts) of a mixture."""
    window: float = 0.0
    """Tokens that a layer with a sliding window keeps; 0: none has one."""
    windowed: float = 0.0
    """The share of the layers that have one."""
    is_made_in_four: bool = False
    """Whether its maker gives its experts in 4 bits, so that there are no others and nothing is lost."""

    def reach(self, tokens: float) -> float:
        """So many tokens as the mean layer keeps and meets them."""
        if not self.windowed:
            return tokens
        return (1 - self.windowed) * tokens + self.windowed * min(tokens, self.window)

    def read_by(self, bits: Bits, batch: float) -> float:
        """Bytes of weights that a step for so many requests reads: of each mixture the experts that any of
        them chooses, count x (1 - (1 - used / count) ^ batch) where the choices are independent."""
        if not self.experts:
            return float(self.read[bits])
        more = sum(
            layers
            * each.each
            * (each.count * (1 - (1 - each.used / each.count) ** batch) - each.used)
            for layers, each in self.experts
        )
        return float(self.read[bits] + (_EXPERT_BYTES if bits == FOUR else _HALF_BYTES) * more)


@dataclass(frozen=True, slots=True)
class OpenModelFacts:
    """An open model's shape, what follows from it, and who says so."""

    name: str
    shape: ModelShape
    sizes: Sizes
    source: AdviceSource
    licence: str = UNKNOWN
    """Its licence's id in the catalog; unknown of a folder."""

    @property
    def context(self) -> int:
        """Tokens that it is used at."""
        return self.shape.context or 0


def sizes_of(shape: ModelShape, config: Mapping[str, Any] | None = None) -> Sizes:
    """What serving asks of a shape. In 4 bits the linear layers are NF4, experts as llama.cpp has them, and
    all else stays 16-bit.

    `config` says which layers have a sliding window, as all but every n-th of Gemma 3's have."""
    mixtures = [(kind.count, kind.experts) for kind in shape.layers if kind.experts]
    held = sum(layers * each.count * each.each for layers, each in mixtures)
    used = sum(layers * each.used * each.each for layers, each in mixtures)
    window, windowed = _window(config or {})
    return Sizes(
        held={bits: _bytes(shape, shape.parameters, held, bits) for bits in (16, 4)},
        read={bits: _bytes(shape, shape.active, used, bits) for bits in (16, 4)},
        parameters=shape.parameters,
        computing=shape.computing,
        cache_per_token=float(shape.served_cache_per_token * _HALF_BYTES),
        attention=shape.attention,
        experts=tuple(mixtures),
        window=float(window),
        windowed=windowed,
        is_made_in_four=_quantisation_of(config or {}) == "mxfp4",
    )


def _window(config: Mapping[str, Any]) -> tuple[int, float]:  # Any: free JSON
    """The sliding window, and the share of the layers that have one."""
    window, pattern = config.get("sliding_window"), config.get("sliding_window_pattern")
    kinds = config.get("layer_types")
    if isinstance(window, int) and isinstance(kinds, list) and kinds:
        return window, kinds.count("sliding_attention") / len(kinds)
    if isinstance(window, int) and isinstance(pattern, int) and pattern > 1:
        return window, 1 - 1 / pattern
    return 0, 0.0


def _quantisation_of(config: Mapping[str, Any]) -> object:  # Any: free JSON
    found = config.get("quantization_config")
    return found.get("quant_method") if isinstance(found, dict) else None


def _bytes(shape: ModelShape, count: int, experts: int, bits: Bits) -> float:
    """Of so many numbers, with so many of experts among them."""
    if bits == FOUR:
        others = count - shape.linear - experts
        return shape.linear * NF4_BYTES + experts * _EXPERT_BYTES + others * _HALF_BYTES
    return float(count * _HALF_BYTES)


def models_of(name: str, resolve: Resolve, today: date) -> Mapping[str, OpenModelFacts]:
    """Every open model of the catalog, and the one of the spec by the name that the spec has."""
    stated = {} if name == UNKNOWN else {name: read_base_model(name, resolve, today)}
    return {**_read_catalog(), **stated}


@cache
def _read_catalog() -> Mapping[str, OpenModelFacts]:
    return {
        name: _model(
            name,
            row.config,
            AdviceSource(name=name, reference=row.source, observed_at=row.observed_at),
            licence=row.license,
        )
        for name, row in open_models().items()
    }


def read_base_model(name: str, resolve: Resolve, today: date) -> OpenModelFacts:
    """The model of that name or alias in the catalog, or of the config.json in a folder.

    Raises DataError for a name that is neither, and ModelError for a config that no formula knows."""
    if known := open_model_named(name):
        return _read_catalog()[known[0]]
    folder = resolve(name)
    if not folder.is_dir():
        near = close_choice(name, list(open_models())) or f"; known are {', '.join(open_models())}"
        raise DataError(f"unknown model {name!r}{near}", hint=f"or {CONFIG_IS_ENOUGH}")
    config = _config(folder)
    source = AdviceSource(name=name, reference=f"config.json of {name}", observed_at=today)
    return _model(name, config, source, folder / "config.json")


def _model(
    name: str,
    config: Mapping[str, Any],
    source: AdviceSource,
    where: Path | str = "",
    licence: str = UNKNOWN,
) -> OpenModelFacts:
    shape = shape_of(config, where or name)
    sizes = sizes_of(shape, config.get("text_config") or config)
    return OpenModelFacts(name, shape, sizes, source, licence)


def _config(folder: Path) -> Mapping[str, object]:
    path = folder / "config.json"
    if not path.is_file():
        raise DataError(
            f"{folder}: a model folder without config.json", hint="give the model's folder"
        )
    if path.stat().st_size > _LARGEST_BYTES:
        raise DataError(f"{path}: over 1 MB is no config.json")
    mend = "copy the model's config.json there once more"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        empty = not path.stat().st_size
        raise DataError(f"{path}: {'is empty' if empty else 'is not JSON'}", hint=mend) from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: must be an object with keys")
    return found
