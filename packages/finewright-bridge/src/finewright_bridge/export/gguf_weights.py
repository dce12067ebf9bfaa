"""A model's weights under GGUF's names and in GGUF's layout, one at a time."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from gguf import TensorNameMap, get_tensor_name_map
from safetensors import SafetensorError, safe_open

from finewright.errors import ModelError
from finewright.lm.sources import weight_files
from finewright.store.atomic import os_errors
from finewright_bridge.export.gguf_numbers import Config, Family, head_dim, query_scale, rope_of

Array = npt.NDArray[np.float32]
_EXPERT = re.compile(r"(.*)\.experts\.(\d+)\.(\w+)\.weight")
_SUFFIXES = (".weight", ".bias")


class Weight(NamedTuple):
    """A tensor as GGUF names it, float32."""

    name: str
    values: Array


def weights(folder: Path, config: Config, family: Family) -> Iterator[Weight]:
    """Every weight of a folder of safetensors; experts of a layer as one tensor (experts, d_out, d_in).

    Raises ModelError for a tensor that llama.cpp's architecture has no name for, and StoreError for a file
    that cannot be read."""
    names = get_tensor_name_map(family.arch, config["num_hidden_layers"])
    stored = _find_stored(folder)
    experts: dict[str, dict[int, str]] = {}
    for name in stored:
        if found := _EXPERT.fullmatch(name):
            layer, number, matrix = found.groups()
            experts.setdefault(f"{layer}.experts.{matrix}", {})[int(number)] = name
        elif not name.endswith("rotary_emb.inv_freq"):
            yield from _name_weights(name, _read(stored, name), names, config, family)
    for name, each in experts.items():
        stacked = np.stack([_read(stored, each[number]) for number in sorted(each)])
        yield Weight(f"{_gguf_name(names, name)}.weight", stacked)
    yield from _rotations(config)


def permute(values: Array, heads: int) -> Array:
    """Rows of a head from halves (x1 of all pairs, then x2) to pairs side by side, as llama.cpp's Llama
    rotates them; (heads * dim, ...) in, the same shape out."""
    dim = values.shape[0] // heads
    split = values.reshape(heads, 2, dim // 2, *values.shape[1:])
    return np.ascontiguousarray(split.swapaxes(1, 2).reshape(values.shape))


def query_heads(name: str, config: Config) -> int | None:
    """Of a query's or key's matrix its heads, whose rows are permuted; None for any other."""
    if ".q_proj." in name:
        return int(config["num_attention_heads"])
    if ".k_proj." in name:
        return int(config["num_key_value_heads"])
    return None


def _name_weights(
    name: str, values: Array, names: TensorNameMap, config: Config, family: Family
) -> Iterator[Weight]:
    if family.adds_one and name.endswith("norm.weight"):
        values = values + 1
    if family.permutes and (heads := query_heads(name, config)):
        values = permute(values, heads)
    scale = query_scale(config)
    scaled = ".q_norm." if config["model_type"] == "gemma3_text" else ".q_proj."
    if scale != 1.0 and scaled in name:
        values = values * np.float32(scale)
    if name.endswith(".kv_b_proj.weight"):
        yield from _split_latent(name, values, names, config)
        return
    # llama.cpp's name of this bias is made of another one than transformers'
    name = name.replace(".gate.e_score_correction_bias", ".e_score_correction.bias")
    yield Weight(_gguf_name(names, name), values)


def _split_latent(
    name: str, values: Array, names: TensorNameMap, config: Config
) -> Iterator[Weight]:
    """The keys' part, transposed, and the values' part of what unfolds the compressed keys and values."""
    heads, plain, width = (
        config[key] for key in ("num_attention_heads", "qk_nope_head_dim", "v_head_dim")
    )
    split = values.reshape(heads, plain + width, values.shape[-1])
    keys = np.ascontiguousarray(split[:, :plain].swapaxes(1, 2))
    yield Weight(_gguf_name(names, name.replace("kv_b_proj", "k_b_proj")), keys)
    found = np.ascontiguousarray(split[:, plain:])
    yield Weight(_gguf_name(names, name.replace("kv_b_proj", "v_b_proj")), found)


def _gguf_name(names: TensorNameMap, name: str) -> str:
    found = names.get_name(name, try_suffixes=_SUFFIXES)
    if found is None:
        raise ModelError(f"llama.cpp has no place for the model's tensor {name}")
    return str(found)


def gguf_layer(names: TensorNameMap, path: str) -> str:
    """GGUF's name of a layer by its path in the model, without `.weight`. Raises ModelError."""
    return _gguf_name(names, path)


def _find_stored(folder: Path) -> Mapping[str, Path]:
    """Tensor -> its file."""
    found: dict[str, Path] = {}
    for path in weight_files(folder):
        with _open_weights(path) as file:
            found |= dict.fromkeys(file.keys(), path)
    return found


@contextmanager
def _open_weights(path: Path) -> Iterator[Any]:  # Any: safetensors has no type for it
    try:
        with os_errors(path), safe_open(path, "pt") as file:
            yield file
    except SafetensorError as error:
        raise ModelError(f"{path}: not a readable safetensors file: {error}") from None


def _read(stored: Mapping[str, Path], name: str) -> Array:
    with _open_weights(stored[name]) as file:
        values: Array = file.get_tensor(name).to(torch.float32).numpy()
    return values


def _rotations(config: Config) -> Iterator[Weight]:
    """What each frequency is divided by, where that is not one number for all."""
    rope = rope_of(config)
    kind = rope.get("rope_type", "default")
    if kind == "llama3":
        yield Weight("rope_freqs.weight", _llama3_factors(config, rope))
    elif kind == "longrope":
        for length in ("long", "short"):
            factors = np.array(rope[f"{length}_factor"], np.float32)
            yield Weight(f"rope_factors_{length}.weight", factors)


def _llama3_factors(config: Config, rope: Config) -> Array:
    """Llama 3.1's: low frequencies divided by `factor`, high ones left, and a slope between."""
    dim = head_dim(config)
    frequencies = 1.0 / rope["rope_theta"] ** (np.arange(0, dim, 2) / dim)
    lengths = 2 * np.pi / frequencies
    low, high = rope.get("low_freq_factor", 1.0), rope.get("high_freq_factor", 4.0)
    original, factor = rope["original_max_position_embeddings"], rope["factor"]
    slope = np.clip((original / lengths - low) / (high - low), 0.0, 1.0)
    # The slope mixes frequencies, and so the reciprocals of the factors.
    factors: Array = (1.0 / (slope + (1 - slope) / factor)).astype(np.float32)
    return factors
