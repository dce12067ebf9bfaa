"""Memory as the report has it: the formula's terms and interval, and what a process adds to its tensors."""

from dataclasses import replace
from typing import Literal

from finewright.schema.cost import MemoryEstimate, MemoryTerm, Range, Tier
from finewright_advice.cost.job import TrainingJob
from finewright_advice.estimate.frameworks import Framework, framework_memory
from finewright_advice.estimate.memory import MemoryLoad, MemoryUse, memory
from finewright_advice.estimate.ranks import memory_of_rank
from finewright_advice.estimate.sharded import memory_of_shard

GIB = 2**30
# How far each tier may be off in what comes and goes; see the tests and benchmarks/estimator.py. What is held
# all the time, weights and moments, is counted: it is off by a hundredth at most.
_TIERS: dict[str, tuple[float, float]] = {
    "formula": (0.75, 1.3),
    "trace": (0.96, 1.06),
    "micro-steps": (0.99, 1.02),
}
_HELD = (0.99, 1.01)
# Beside its tensors a process has code and libraries, in GiB, and its allocator leaves gaps between what
# comes and goes, and hardly any beside what stays: shares of these.
_BESIDE = {
    "gpu": (Range(low=0.3, median=0.5, high=0.9), Range(low=1.0, median=1.08, high=1.25), 1.01),
    "cpu": (Range(low=0.4, median=0.6, high=1.0), Range(low=0.9, median=1.15, high=1.5), 1.03),
}


def formula(job: TrainingJob, *, gpu: bool, number: int = 2) -> MemoryEstimate:
    """The closed formula's estimate, with its terms."""
    found = memory(job.shape, job.load(gpu=gpu, number=number))
    return estimate(found, "formula", gpu=gpu, number=number)


def estimate_sharded(
    job: TrainingJob, gpus: int, *, number: int = 2, framework: Framework | None = None
) -> MemoryEstimate:
    """The formula's estimate of each of so many GPUs that a run is spread over, with the weights as the
    framework holds them; see estimate/sharded.py."""
    load = load_of_shard(job, gpus, number)
    whole = framework_memory(job.shape, load, framework) if framework else None
    found = memory_of_shard(job.shape, load, gpus, whole)
    return estimate(found, "formula", gpu=True, number=number)


def estimate_rank(job: TrainingJob, load: MemoryLoad, size: int) -> MemoryEstimate:
    """The formula's estimate of each of so many of finewright's own processes over a base in shards."""
    found = memory_of_rank(job.shape, load, size)
    return estimate(found, "formula", gpu=True, number=load.number)


def load_of_rank(job: TrainingJob, size: int, number: int) -> MemoryLoad:
    """The micro-batch of one of so many processes: its part of the batch, at least a row."""
    load = job.load(gpu=True, number=number)
    tokens = max(job.rows.longest, min(load.tokens, -(-job.rows.batch_tokens // size)))
    return replace(load, tokens=tokens, learned=max(1, round(load.learned * tokens / load.tokens)))


def load_of_shard(job: TrainingJob, gpus: int, number: int) -> MemoryLoad:
    """The same with checkpointing, as FSDP is run elsewhere."""
    return replace(load_of_rank(job, gpus, number), lean=True)


def estimate_from_peak(
    job: TrainingJob, peak: float, tier: Tier, *, gpu: bool, number: int
) -> MemoryEstimate:
    """The estimate of a better tier, which found this peak of the tensors in bytes."""
    found = memory(job.shape, job.load(gpu=gpu, number=number))
    held = min(found.weights + found.learned, peak)
    return _estimate(tier, held, peak - held, gpu=gpu, number=number, terms=())


def estimate(use: MemoryUse, tier: Tier, *, gpu: bool, number: int) -> MemoryEstimate:
    """Tensors and process of this use, with its terms."""
    held = use.weights + use.learned
    return _estimate(tier, held, use.tensors - held, gpu=gpu, number=number, terms=_terms(use))


def _estimate(
    tier: Tier,
    held: float,
    passing: float,
    *,
    gpu: bool,
    number: int,
    terms: tuple[MemoryTerm, ...],
) -> MemoryEstimate:
    on: Literal["cpu", "gpu"] = "gpu" if gpu else "cpu"
    stays, goes = held / GIB, passing / GIB
    low, high = _TIERS[tier]
    code, gaps, gap = _BESIDE[on]
    return MemoryEstimate(
        tier=tier,
        on=on,
        number_bytes=number,
        tensors_gib=Range(
            low=_HELD[0] * stays + low * goes,
            median=stays + goes,
            high=_HELD[1] * stays + high * goes,
        ),
        process_gib=Range(
            low=code.low + _HELD[0] * stays + low * gaps.low * goes,
            median=code.median + stays + gaps.median * goes,
            high=code.high + gap * _HELD[1] * stays + high * gaps.high * goes,
        ),
        terms=terms,
    )


def _terms(found: MemoryUse) -> tuple[MemoryTerm, ...]:
    named = {
        "weights": found.weights,
        "weights that learn, with AdamW's moments": found.learned,
        "gradients": found.gradients,
        "activations": found.activations,
        "head": found.head,
        "backward of a layer": found.working,
        "keys and values of answers": found.rollouts,
    }
    return tuple(MemoryTerm(name=name, gib=size / GIB) for name, size in named.items() if size)
