"""What common advice gets wrong about memory, said with this model's own numbers where it matters."""

from collections.abc import Iterator
from dataclasses import replace

from finewright.estimate.shape import ModelShape
from finewright.schema.adapter import AdapterSpec, FullSpec
from finewright_advice.cost.job import TrainingJob
from finewright_advice.cost.needs import GIB
from finewright_advice.estimate.memory import NF4_BYTES, memory

# From here on people are told that a consumer GPU, or 3 GB of one, would do.
_LARGE = 3e10
_CLAIMED_GIB = 3e9 / GIB
_CLAIMED_TIMES = (10.0, 100.0)


def truths(job: TrainingJob) -> Iterator[str]:
    """One line each; nothing where nothing would mislead."""
    shape = job.shape
    if shape.parameters >= _LARGE:
        yield _of_large(shape)
    adapter = job.train.adapter
    if isinstance(adapter, FullSpec):
        return
    fewer = shape.parameters / shape.trainable(adapter)
    plain = adapter.model_copy(update={"quantization": "none"})
    whole = _gpu_bytes(job, FullSpec())
    by_adapter, by_all = (whole / _gpu_bytes(job, each) for each in (plain, adapter))
    bits = (
        ""
        if adapter.quantization == "none"
        else f", and {by_all:.1f} times with {adapter.quantization}"
    )
    yield (
        f"{adapter.type} trains {fewer:,.0f} times fewer numbers than all weights; memory falls"
        f" {by_adapter:.1f} times by that{bits}{_beside_the_claim(by_adapter, by_all)}"
    )


def _beside_the_claim(by_adapter: float, by_all: float) -> str:
    """What is to be said of the 10 to 100 times that one reads, by this model's own numbers."""
    least, most = _CLAIMED_TIMES
    if by_all < least:
        return f", not {least:g} to {most:g} times: weights and activations stay"
    by = "the adapter alone" if by_adapter >= least else "quantization and the adapter together"
    return f", as the {least:g} to {most:g} times that one reads: here by {by}"


def _of_large(shape: ModelShape) -> str:
    packed = (NF4_BYTES * shape.linear + 2 * (shape.parameters - shape.linear)) / GIB
    if shape.is_mixture:
        share = 1 - (shape.linear + shape.embedding) / shape.parameters
        return (
            f"its weights alone take {packed:.1f} GiB with quantization: only linear layers go into 4 bits,"
            f" and its experts, {share:.0%} of the weights, share tensors that stay in 16 bits here"
        )
    per_weight = 8 * _CLAIMED_GIB * GIB / shape.parameters
    return (
        f"its weights alone take {packed:.1f} GiB in 4 bits, so it does not train in 3 GB, as one reads"
        f" of 65B models: that would be {per_weight:.2f} bits a parameter"
    )


def _gpu_bytes(job: TrainingJob, adapter: AdapterSpec) -> float:
    other = replace(job, train=job.train.model_copy(update={"adapter": adapter}))
    return memory(job.shape, other.load(gpu=True)).tensors
