"""Blocks of 4 and 6 bits, read back by the gguf package's own reader."""

import numpy as np
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize

from finewright_bridge.export.k_quants import q4_k, q6_k

KINDS = {"q4_k": (q4_k, GGMLQuantizationType.Q4_K), "q6_k": (q6_k, GGMLQuantizationType.Q6_K)}


def error(values, read):
    return float(np.sqrt(((values - read) ** 2).mean()) / values.std())


@pytest.fixture(scope="module")
def values():
    return np.random.default_rng(0).normal(0, 0.05, (32, 512)).astype(np.float32)


@pytest.mark.parametrize(("name", "most"), [("q4_k", 0.075), ("q6_k", 0.018)])
def test_what_is_read_is_near(values, name, most):
    pack, kind = KINDS[name]
    read = dequantize(pack(values), kind)
    assert read.shape == values.shape
    assert error(values, read) < most


def test_four_bits_with_scales_are_nearer_than_plain_four_bits(values):
    kind = GGMLQuantizationType.Q4_0
    plain = error(values, dequantize(quantize(values, kind), kind))
    assert error(values, dequantize(q4_k(values), GGMLQuantizationType.Q4_K)) < 0.9 * plain


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("number", [0.0, 0.3, -0.3])
def test_a_block_of_one_number_is_kept(name, number):
    pack, kind = KINDS[name]
    block = np.full((1, 256), number, np.float32)
    np.testing.assert_allclose(dequantize(pack(block), kind), block, atol=abs(number) * 5e-3)
