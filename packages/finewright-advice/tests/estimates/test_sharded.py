"""Training over several GPUs, beside what Answer.AI published of FSDP with QLoRA and LoRA: seconds for 1,024
rows of 2,048 tokens, and a GPU's peak (AnswerDotAI/fsdp_qlora, benchmarks_03_2024.md, read 2026-11-27)."""

from dataclasses import replace

import pytest

import published
from finewright.catalog.prices import gpu_named, read_packaged_prices
from finewright.estimate.families import shape_of
from finewright.estimate.shape import ModelShape
from finewright.schema.adapter import LoraSpec
from finewright.schema.cost import Range, TrainingWork
from finewright_advice.estimate.memory import MemoryLoad
from finewright_advice.estimate.sharded import Spread, hours_of_shards, memory_of_shard
from finewright_advice.estimate.time import flops_per_token, hours_on, utilisation

GIB = 2**30
MODELS = {
    "7B": shape_of(published.config("llama", 4096, 11008, 32, 32, 32, 32000)),
    "34B": shape_of(published.config("llama", 7168, 20480, 60, 56, 8, 64000)),
    "70B": shape_of(published.config("llama", 8192, 28672, 80, 64, 8, 32000)),
}
SECONDS = [
    ("7B", "nf4", "RTX 3090", 2, 10, 936),
    ("7B", "nf4", "RTX 3090", 2, 4, 998),
    ("34B", "nf4", "RTX 3090", 2, 2, 5041),
    ("7B", "nf4", "RTX 4090", 2, 10, 466),
    ("7B", "none", "RTX 4090", 2, 6, 481),
    ("34B", "nf4", "RTX 4090", 2, 2, 2072),
    ("70B", "nf4", "A100 40GB", 2, 1, 3277),
    ("70B", "nf4", "A100 40GB", 4, 4, 1266),
    ("70B", "nf4", "A100 40GB", 8, 4, 672),
    ("70B", "nf4", "H100 SXM", 4, 8, 667),
]
PEAKS = [
    ("7B", "nf4", 1, 512, 4.98),
    ("7B", "nf4", 1, 2048, 5.21),
    ("7B", "none", 1, 512, 8.28),
    ("7B", "none", 1, 2048, 9.16),
    ("7B", "nf4", 4, 2048, 11.22),
    ("7B", "nf4", 10, 2048, 20.97),
    ("7B", "none", 4, 2048, 16.14),
    ("7B", "none", 6, 2048, 21.35),
    ("34B", "nf4", 2, 2048, 23.05),
]


def load_of(quantization: str, rows: int, length: int = 2048) -> MemoryLoad:
    adapter = LoraSpec.model_validate({"type": "lora", "r": 64, "quantization": quantization})
    tokens = rows * length
    return MemoryLoad(adapter, tokens, tokens, length, lean=True, gpu=True)


def work_of(shape: ModelShape, load: MemoryLoad) -> TrainingWork:
    tokens = 1024.0 * 2048
    return TrainingWork(
        tokens=Range(low=tokens, median=tokens, high=tokens),
        tokens_tier="counted",
        steps=1,
        parts=1.0,
        flops_per_token=flops_per_token(shape, load, 1.0),
    )


@pytest.mark.parametrize(("model", "quantization", "gpu", "count", "rows", "seconds"), SECONDS)
def test_seconds_are_within_a_quarter_and_a_bit_of_published_ones(
    model: str, quantization: str, gpu: str, count: int, rows: int, seconds: float
) -> None:
    load = load_of(quantization, rows)
    on = gpu_named(read_packaged_prices(), gpu)
    hours = hours_of_shards(MODELS[model], load, work_of(MODELS[model], load), on, Spread(count))
    assert hours.median * 3600 == pytest.approx(seconds, rel=0.27)
    assert hours.low * 3600 < seconds < hours.high * 3600


@pytest.mark.parametrize(("model", "quantization", "rows", "length", "peak"), PEAKS)
def test_each_gpu_holds_what_was_published_within_a_fifth(
    model: str, quantization: str, rows: int, length: int, peak: float
) -> None:
    found = memory_of_shard(MODELS[model], load_of(quantization, rows, length), 2)
    assert found.tensors / GIB == pytest.approx(peak, rel=0.2)


def test_more_gpus_hold_less_each_and_no_gpu_computes_more_than_its_peak() -> None:
    load, shape = load_of("nf4", 1), MODELS["70B"]
    each = [memory_of_shard(shape, load, n).tensors for n in (2, 4, 8, 64)]
    assert each == sorted(each, reverse=True)
    for gpu in read_packaged_prices().gpus:
        if gpu.link_gb_s:
            work = work_of(shape, load)
            seconds = 3600 * hours_of_shards(shape, load, work, gpu, Spread(8)).low
            flops = work.tokens.low * work.flops_per_token
            assert flops / seconds < 8 * gpu.training_tflops * 1e12


def test_a_gpu_without_a_known_link_has_no_time() -> None:
    gpu = gpu_named(read_packaged_prices(), "GH200")
    load = load_of("nf4", 1)
    with pytest.raises(ValueError, match="no link"):
        hours_of_shards(MODELS["7B"], load, work_of(MODELS["7B"], load), gpu, Spread(8))


@pytest.mark.parametrize("gpu", ["T4", "V100"])
def test_float32_is_as_slow_on_two_gpus_as_on_one(gpu: str) -> None:
    load, shape, on = load_of("none", 4), MODELS["7B"], gpu_named(read_packaged_prices(), gpu)
    load = replace(load, number=4)
    work = work_of(shape, load)
    one = hours_on(on, utilisation(shape, load, on), work, shape.num_layers)
    two = hours_of_shards(shape, load, work, on, Spread(2))
    assert one.median / 2 <= two.median < one.median
