"""The structures that the kernel of a generation step reads, field by field those of kernels/step.h.

They hold addresses, so whoever makes one keeps the tensors behind it alive."""

import ctypes
from collections.abc import Sequence
from ctypes import c_float, c_int64, c_void_p
from typing import Any

import torch
from torch import Tensor

from finewright.lm.fast.library import call

_NAMES = {torch.float32: "step_f32", torch.bfloat16: "step_bf16"}
NUMBER_FORMATS = frozenset(_NAMES)
INT8, NF4 = 1, 2
"""Forms of a weight that is kept in codes."""


class StepLinear(ctypes.Structure):
    """A frozen weight and its bias; `place` is its number in an adapter."""

    _fields_ = (
        ("form", c_int64),
        ("outputs", c_int64),
        ("inputs", c_int64),
        ("weight", c_void_p),
        ("row", c_int64),
        ("bias", c_void_p),
        ("scales", c_void_p),
        ("scale_scales", c_void_p),
        ("place", c_int64),
        ("mean", c_float),
        ("unused", c_float),
    )


class StepStage(ctypes.Structure):
    """Linears of one input."""

    _fields_ = (("count", c_int64), ("linears", StepLinear * 3))


class StepLayer(ctypes.Structure):
    """A decoder layer with its cache."""

    _fields_ = (
        *((name, StepStage) for name in ("qkv", "out", "gate_up", "down")),
        *((name, c_void_p) for name in ("before_attention", "after_attention", "before_mlp")),
        *((name, c_void_p) for name in ("after_mlp", "query_norm", "key_norm", "cos", "sin")),
        *((name, c_void_p) for name in ("keys", "values")),
        ("window", c_int64),
    )


class StepModel(ctypes.Structure):
    """A model of such layers."""

    _fields_ = (
        ("num_layers", c_int64),
        ("layers", c_void_p),
        *((name, c_int64) for name in ("hidden", "intermediate", "heads", "kv_heads")),
        *((name, c_int64) for name in ("head_dim", "rotary", "gelu")),
        ("embedding", c_void_p),
        ("embedding_row", c_int64),
        ("final_norm", c_void_p),
        ("head", StepLinear),
        ("levels", c_void_p),
        ("dynamic", c_void_p),
        ("block_stride", c_int64),
        *((name, c_float) for name in ("embedding_scale", "eps", "attention_scale", "softcap")),
    )


class StepDelta(ctypes.Structure):
    """What an adapter changes of one linear."""

    _fields_ = (
        ("a", c_void_p),
        ("b", c_void_p),
        ("rank", c_int64),
        *((name, c_void_p) for name in ("ratio", "outputs", "inputs")),
    )


class StepAdapter(ctypes.Structure):
    """An adapter: its deltas by the linears' places, or its virtual tokens."""

    _fields_ = (
        ("deltas", c_void_p),
        ("num_virtual", c_int64),
        ("embeddings", c_void_p),
        ("states", c_void_p),
    )


class StepGroup(ctypes.Structure):
    """Rows of one adapter."""

    _fields_ = (("adapter", c_void_p), ("first", c_int64), ("count", c_int64))


class StepBatch(ctypes.Structure):
    """All rows of a step."""

    _fields_ = (
        ("rows", c_int64),
        ("tokens", c_void_p),
        *((name, c_int64) for name in ("num_pieces", "num_groups", "num_logits")),
        ("max_rank", c_int64),
        *((name, c_void_p) for name in ("pieces", "blocks", "groups", "logit_rows", "logits")),
        ("logits_row", c_int64),
        *((name, c_void_p) for name in ("highest", "likeliest")),
    )


def run(model: StepModel, batch: StepBatch, dtype: torch.dtype) -> None:
    """Fill the batch's logits and the cache; the model's weights are of this number format."""
    call(_NAMES[dtype], ctypes.addressof(model), ctypes.addressof(batch))


def integers(numbers: Sequence[int]) -> "ctypes.Array[c_int64]":
    """Numbers as the kernel reads them."""
    return (c_int64 * len(numbers))(*numbers)


def address(of: "Tensor | ctypes.Structure | ctypes.Array[Any] | None") -> int | None:
    """Where it lies."""
    if of is None:
        return None
    return of.data_ptr() if isinstance(of, Tensor) else ctypes.addressof(of)
