"""The same run in another framework: its batch as that framework holds it, what it takes, and how long."""

from collections.abc import Iterator
from dataclasses import replace

from finewright.errors import SpecError
from finewright.schema.adapter import FullSpec, LoraSpec
from finewright.schema.catalog import GPU
from finewright.schema.cost import MemoryEstimate, Range
from finewright_advice.cost.job import TrainingJob
from finewright_advice.cost.needs import estimate
from finewright_advice.estimate.framework_time import framework_hours
from finewright_advice.estimate.frameworks import FRAMEWORKS, Framework, framework_memory
from finewright_advice.estimate.memory import MemoryLoad

_FLOAT32, _HALF = 4, 2


def refuse_elsewhere(job: TrainingJob) -> None:
    """Raises SpecError for a run whose memory in another framework nobody wrote down."""
    if job.samples:
        raise SpecError(
            f"cost.framework: {job.train.method} samples its answers, and what another framework takes"
            " for that is not estimated",
            hint="leave cost.framework out, or use it with a method that learns from rows",
        )
    if not isinstance(job.train.adapter, LoraSpec | FullSpec):
        raise SpecError(
            f"cost.framework: adapters of type {job.train.adapter.type} are not estimated for other"
            " frameworks",
            hint="LoRA, DoRA, QLoRA and full fine-tuning are",
        )


def needs_elsewhere(job: TrainingJob, framework: Framework) -> MemoryEstimate:
    """What a process of it takes on a GPU."""
    number = _bytes_of_weight(job)
    use = framework_memory(job.shape, load_elsewhere(job), framework)
    return estimate(use, "formula", gpu=True, number=number)


def hours_elsewhere(job: TrainingJob, framework: Framework, gpu: GPU) -> Range:
    """How long all its steps take there; rows of a batch are filled up to the longest."""
    load = load_elsewhere(job)
    work = job.work(load)
    padded = load.tokens / max(1.0, _count_rows(job) * job.rows.mean)
    tokens = Range(
        low=work.tokens.low, median=work.tokens.median * padded**0.5, high=work.tokens.high * padded
    )
    work = work.model_copy(update={"tokens": tokens})
    return framework_hours(job.shape, load, framework, work, gpu)


def load_elsewhere(job: TrainingJob) -> MemoryLoad:
    """A batch of the rows that a device takes at once, each filled up to the longest."""
    tokens = _count_rows(job) * job.rows.longest
    learned = max(1, round(tokens * job.rows.learned_share))
    return replace(job.load(gpu=True, number=_bytes_of_weight(job)), tokens=tokens, learned=learned)


def notes_elsewhere(job: TrainingJob, gpu: GPU) -> Iterator[str]:
    """What its reader must know of a row."""
    if gpu.bf16_tflops is None and job.train.dtype != "fp32":
        yield "no bfloat16 units, so in float16, as others train there"


def framework_named(name: str) -> Framework | None:
    """The framework of `cost.framework`; None for finewright itself."""
    return FRAMEWORKS.get(name)


def _count_rows(job: TrainingJob) -> int:
    """Rows that are held at once."""
    spec, longest = job.train, job.rows.longest
    if spec.micro_batch_tokens is not None:
        return max(1, spec.micro_batch_tokens // longest)
    if spec.batch_tokens is not None:
        return max(1, spec.batch_tokens // longest)
    return spec.batch_size


def _bytes_of_weight(job: TrainingJob) -> int:
    return _FLOAT32 if job.train.dtype == "fp32" else _HALF
