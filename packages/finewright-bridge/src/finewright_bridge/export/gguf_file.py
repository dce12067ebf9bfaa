"""A folder of safetensors as one GGUF file, and a LoRA adapter as another, written in this process."""

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFType, GGUFWriter, LlamaFileType, get_tensor_name_map
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import quantize
from safetensors.torch import load_file

from finewright.errors import ModelError
from finewright.lm.adapters.files import CONFIG_FILE, WEIGHTS_FILE
from finewright.lm.chat import Chat
from finewright.lm.sources import read_config
from finewright.store.atomic import os_errors
from finewright_bridge.export import k_quants
from finewright_bridge.export.gguf_numbers import (
    add_numbers,
    family_of,
    query_scale,
    refuse_overflow,
)
from finewright_bridge.export.gguf_tokenizer import add_tokenizer
from finewright_bridge.export.gguf_weights import (
    Array,
    Weight,
    gguf_layer,
    permute,
    query_heads,
    weights,
)

_FILE_TYPES = {
    "f32": LlamaFileType.ALL_F32,
    "f16": LlamaFileType.MOSTLY_F16,
    "bf16": LlamaFileType.MOSTLY_BF16,
    "q8_0": LlamaFileType.MOSTLY_Q8_0,
    "q4_k_m": LlamaFileType.MOSTLY_Q4_K_M,
}
_TYPES = {
    "f32": GGMLQuantizationType.F32,
    "f16": GGMLQuantizationType.F16,
    "bf16": GGMLQuantizationType.BF16,
    "q8_0": GGMLQuantizationType.Q8_0,
    "q4_k_m": GGMLQuantizationType.Q4_K,
}
_FALLBACKS = (
    GGMLQuantizationType.Q8_0,
    GGMLQuantizationType.F16,
)
"""Where a row is no multiple of a type's block, the next of these whose block it is."""


def write_model(path: Path, folder: Path, chat: Chat, quantization: str, name: str) -> None:
    """Write the folder's model with its tokenizer and template. Raises ModelError and StoreError."""
    config = read_config(folder / "config.json")
    family = family_of(config)
    writer = GGUFWriter(path, _arch_name(family.arch))
    writer.add_type(GGUFType.MODEL)
    writer.add_name(name)
    writer.add_file_type(_FILE_TYPES[quantization])
    writer.add_quantization_version(2)
    add_numbers(writer, config)
    add_tokenizer(writer, chat, int(config["vocab_size"]))
    layers = int(config["num_hidden_layers"])
    # The head names every tensor with its place. The weights are read twice, so that neither the memory nor
    # a temporary file holds them all.
    kinds: dict[str, GGMLQuantizationType] = {}
    for weight in weights(folder, config, family):
        values = weight.values
        kind = kinds[weight.name] = _type_of(weight.name, values, quantization, layers)
        size = _num_bytes(values, kind)
        writer.add_tensor_info(weight.name, values.shape, values.dtype, size, raw_dtype=kind)
    with _left_closed(writer):
        with _write_errors(path):
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
        for weight in weights(folder, config, family):
            packed = _pack(weight, kinds[weight.name])
            with _write_errors(path):
                writer.write_tensor_data(packed)
        with _write_errors(path):
            writer.close()


def write_adapter(path: Path, adapter: Path, base: Path, name: str) -> None:
    """Write a PEFT LoRA folder as a GGUF adapter for the base's GGUF. Raises ModelError and StoreError.

    llama.cpp adds scale * alpha / r * B A; other scales are put into alpha, and a scaled or permuted weight
    of the base into B."""
    config = read_config(base / "config.json")
    lora = json.loads((adapter / CONFIG_FILE).read_text(encoding="utf-8"))
    family = family_of(config)
    names = get_tensor_name_map(family.arch, config["num_hidden_layers"])
    rank, alpha = lora["r"], float(lora["lora_alpha"])
    if lora.get("use_rslora"):
        alpha = alpha * rank**0.5
    writer = GGUFWriter(path, _arch_name(family.arch))
    writer.add_type(GGUFType.ADAPTER)
    writer.add_name(name)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    tensors = load_file(adapter / WEIGHTS_FILE)
    for key in sorted(tensors):
        layer, _, side = key.removeprefix("base_model.model.").partition(".lora_")
        if side not in ("A.weight", "B.weight"):
            raise ModelError(f"{adapter / WEIGHTS_FILE}: {key} is no part of a plain LoRA adapter")
        values: Array = tensors[key].float().numpy()
        if side == "B.weight":
            if family.permutes and (heads := query_heads(f"{layer}.", config)):
                values = permute(values, heads)
            if ".q_proj" in layer and config["model_type"] != "gemma3_text":
                values = values * np.float32(query_scale(config))
        found = gguf_layer(names, f"{layer}.weight")
        writer.add_tensor(f"{found}.lora_{side[0].lower()}", np.ascontiguousarray(values))
    with _left_closed(writer), _write_errors(path):
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


@contextmanager
def _left_closed(writer: GGUFWriter) -> Iterator[None]:
    """However the block ends, the writer's file is closed."""
    try:
        yield
    finally:
        for file in writer.fout or ():
            with suppress(OSError):  # what is left in its buffer
                file.close()


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    """As `os_errors`; numpy says of a write that fell short only how much of it was done."""
    with os_errors(path):
        try:
            yield
        except OSError as error:
            raise OSError(error.errno or errno.ENOSPC, error.strerror or str(error)) from None


def _num_bytes(values: Array, kind: GGMLQuantizationType) -> int:
    """What the values take once they are packed."""
    length, size = GGML_QUANT_SIZES[kind]
    return int(values.size // length * size)


def _arch_name(arch: int) -> str:
    from gguf import MODEL_ARCH_NAMES

    return str(MODEL_ARCH_NAMES[arch])


def _type_of(name: str, values: Array, quantization: str, layers: int) -> GGMLQuantizationType:
    """llama.cpp's own choice: vectors and routers stay float32; a q4_k_m file has the more delicate
    matrices in six bits (llama-quant.cpp)."""
    if values.ndim == 1 or name.endswith("ffn_gate_inp.weight"):
        return GGMLQuantizationType.F32
    kind = _TYPES[quantization]
    if quantization == "q4_k_m" and _is_delicate(name, layers):
        kind = GGMLQuantizationType.Q6_K
    for found in (kind, *_FALLBACKS):
        if values.shape[-1] % GGML_QUANT_SIZES[found][0] == 0:
            return found
    return GGMLQuantizationType.F16


def _is_delicate(name: str, layers: int) -> bool:
    """Head, or of an eighth at both ends and every third layer between: values and down projections."""
    if name in ("output.weight", "token_embd.weight"):
        return True
    if not name.startswith("blk.") or not ("attn_v" in name or "ffn_down" in name):
        return False
    layer = int(name.split(".")[1])
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2  # noqa: PLR2004


def _pack(weight: Weight, kind: GGMLQuantizationType) -> np.ndarray:
    values = weight.values
    if kind == GGMLQuantizationType.F32:
        return values
    if kind == GGMLQuantizationType.F16:
        return _halves(weight)
    if kind == GGMLQuantizationType.Q4_K:
        return k_quants.q4_k(values)
    if kind == GGMLQuantizationType.Q6_K:
        return k_quants.q6_k(values)
    packed: np.ndarray = quantize(values, kind)
    return packed


def _halves(weight: Weight) -> np.ndarray:
    refuse_overflow(float(np.abs(weight.values).max(initial=0.0)), weight.name)
    return weight.values.astype(np.float16)
