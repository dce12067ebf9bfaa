"""Each machine of the catalog beside the job: what it needs there, whether it fits, how long, how much."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from finewright.estimate.money import project, training_run
from finewright.estimate.time import hours_on, utilisation
from finewright.features.cost.job import TrainingJob
from finewright.features.cost.mend import Option, mend, options
from finewright.features.cost.needs import formula
from finewright.features.cost.spec import CostSpec
from finewright.schema.catalog import GPU, Machine, PriceCatalog
from finewright.schema.cost import MachineEstimate, MemoryEstimate, Mend, Range

_BFLOAT16, _FLOAT32 = 2, 4


@dataclass(frozen=True, slots=True)
class _On:
    """A kind of GPU with what the job needs and takes on it; the same for all who rent it out."""

    gpu: GPU
    needs: MemoryEstimate
    fits: Literal["yes", "tight", "no"]
    hours: Range | None
    mend: Mend | None


def machines(
    job: TrainingJob,
    spec: CostSpec,
    catalog: PriceCatalog,
    rows: Sequence[Machine],
    *,
    bake_off: int,
) -> list[MachineEstimate]:
    """One row each, those that fit first and the cheapest of these first.

    Training runs on one GPU; of a machine with more, all are paid."""
    gpus = {gpu.name: gpu for gpu in catalog.gpus}
    names = sorted({row.gpu for row in rows})
    numbers = {name: _number(job, gpus[name]) for name in names}
    mends = {n: options(job, gpu=True, number=n) for n in sorted(set(numbers.values()))}
    known = {name: _on(job, gpus[name], numbers[name], mends[numbers[name]]) for name in names}
    found = [_row(job, spec, row, known[row.gpu], bake_off) for row in rows]
    return sorted(found, key=_rank)


def fit(needs: Range, memory_gib: float) -> Literal["yes", "tight", "no"]:
    """Yes when even the high end fits, tight when only what is expected does."""
    if needs.high <= memory_gib:
        return "yes"
    return "tight" if needs.median <= memory_gib else "no"


def _number(job: TrainingJob, gpu: GPU) -> int:
    """Bytes of a number there."""
    return _FLOAT32 if gpu.bf16_tflops is None or job.train.dtype == "fp32" else _BFLOAT16


def _on(job: TrainingJob, gpu: GPU, number: int, found: Sequence[Option]) -> _On:
    needs = formula(job, gpu=True, number=number)
    if gpu.unusable:
        return _On(gpu, needs, "no", None, None)
    fits = fit(needs.process_gib, gpu.memory_gib)
    load = job.load(gpu=True, number=number)
    work = job.work(load)
    share = utilisation(job.shape, load, gpu)
    hours = None if job.samples else hours_on(gpu, share, work, job.shape.num_layers)
    better = None if fits == "yes" else mend(found, gpu.memory_gib)
    return _On(gpu, needs, fits, hours, better)


def _row(
    job: TrainingJob, spec: CostSpec, machine: Machine, on: _On, bake_off: int
) -> MachineEstimate:
    usd = None if on.hours is None or on.fits == "no" else training_run(machine, on.hours)
    whole = None
    if usd is not None:
        whole = project(
            usd,
            bake_off=bake_off,
            seeds=spec.seeds,
            failed_share=spec.failed_share,
            evaluations=spec.evaluations * bake_off * spec.seeds,
        ).cost
    return MachineEstimate(
        machine=machine.sku,
        provider=machine.provider,
        gpu=machine.gpu,
        tier=machine.tier,
        memory_gib=on.gpu.memory_gib,
        needs=on.needs,
        fits=on.fits,
        hours=on.hours,
        usd=usd,
        project_usd=whole,
        usd_per_hour=machine.usd_per_hour.median,
        observed_at=machine.observed_at,
        mend=on.mend,
        unusable=on.gpu.unusable,
        notes=tuple(_notes(machine, on)),
    )


def _notes(machine: Machine, on: _On) -> Iterator[str]:
    if on.gpu.unusable:
        return
    if on.gpu.bf16_tflops is None:
        yield "no bfloat16 units, so in float32: slow, and its time is known roughly"
    if machine.num_gpus > 1:
        yield f"one of its {machine.num_gpus} GPUs works, all are paid"
    session = machine.max_session_hours
    if session is not None and on.hours is not None and on.hours.high > session:
        yield f"a session ends after {session:g} h; the run goes on from its checkpoint in the next"


def _rank(row: MachineEstimate) -> tuple[int, float, str]:
    """By fit; then by what the run costs, or an hour where nobody knows how long it takes."""
    order = ("yes", "tight", "no").index(row.fits)
    return order, row.usd.median if row.usd else row.usd_per_hour, row.machine
