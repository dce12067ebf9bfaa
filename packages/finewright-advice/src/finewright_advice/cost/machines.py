"""Each machine of the catalog beside the job: what it needs there, whether it fits, how long, how much."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from finewright.report.cells import span
from finewright.schema.catalog import GPU, Machine, PriceCatalog
from finewright.schema.cost import MachineEstimate, MemoryEstimate, Mend, Range, SharedWork
from finewright_advice.cost.elsewhere import (
    framework_named,
    hours_elsewhere,
    needs_elsewhere,
    notes_elsewhere,
)
from finewright_advice.cost.job import TrainingJob
from finewright_advice.cost.mend import Option, mend, options
from finewright_advice.cost.needs import estimate_sharded, formula, load_of_shard
from finewright_advice.cost.ranks import in_ranks, in_shards, share_work
from finewright_advice.cost.spec import CostSpec
from finewright_advice.estimate.frameworks import Framework, framework_memory
from finewright_advice.estimate.money import exact, project, total, training_run, whole_terms
from finewright_advice.estimate.rollouts import sampling_hours
from finewright_advice.estimate.sharded import Spread, hours_of_shards
from finewright_advice.estimate.time import hours_on, utilisation

_BFLOAT16, _FLOAT32 = 2, 4
_FAST_LINK = 200.0
_WITHOUT_BF16 = ("no bfloat16 units, so in float32: slow, and its time is known roughly",)
_BY_OTHERS = (
    "spread over its {} GPUs by FSDP with transformers and PEFT, as TRL or Axolotl run it: finewright's own"
    " processes do not train this in shards"
)
_FASTER = 1.1
"""Less is within what the estimate is off, and processes have more that can fail."""
_COUNTS = (2, 4, 8, 16, 24, 32, 48, 64)


@dataclass(frozen=True, slots=True)
class _On:
    """A kind of GPU, one or several, with what the job needs and takes; the same for all who rent it out."""

    gpu: GPU
    used: int
    needs: MemoryEstimate
    fits: Literal["yes", "tight", "no"]
    hours: Range | None
    mend: Mend | None
    notes: tuple[str, ...] = ()
    """What is said of it for every machine."""
    launch: tuple[str, ...] = ()
    """The settings by which finewright uses several of it."""


def machines(
    job: TrainingJob,
    spec: CostSpec,
    catalog: PriceCatalog,
    rows: Sequence[Machine],
    *,
    bake_off: int,
) -> list[MachineEstimate]:
    """One row each, those that fit first and the cheapest of these first.

    Of a machine with more than one GPU all are paid, and as many work as make the run fastest. What one does
    not hold is spread over all of them, by finewright's own processes or else as FSDP does it elsewhere."""
    gpus = {gpu.name: gpu for gpu in catalog.gpus}
    names = sorted({row.gpu for row in rows})
    elsewhere = framework_named(spec.framework)
    numbers = {
        name: _bytes_of_number(job, gpus[name], halves=elsewhere is not None) for name in names
    }
    counted = () if elsewhere else sorted(set(numbers.values()))
    mends = {n: options(job, gpu=True, number=n) for n in counted}
    if elsewhere:
        known = {name: _elsewhere(job, gpus[name], elsewhere) for name in names}
    else:
        known = {n: _on(job, gpus[n], numbers[n], mends[numbers[n]]) for n in names}
    kinds = {(row.gpu, row.num_gpus) for row in rows if row.num_gpus > 1}
    spread = {
        (name, count): _over(job, known[name], numbers[name], count, elsewhere)
        for name, count in sorted(kinds)
    }
    found = [
        _estimate_machine(
            job, spec, row, spread.get((row.gpu, row.num_gpus), known[row.gpu]), bake_off
        )
        for row in rows
    ]
    return sorted(found, key=_rank)


def several(
    job: TrainingJob, catalog: PriceCatalog, framework: Framework | None = None
) -> Iterator[str]:
    """How many GPUs of a kind with fast links hold the job, the fewest first; by memory alone."""
    gpus = catalog.gpus if framework is None or framework.shards else ()
    counts = [(_fewest(job, gpu, framework), gpu.name) for gpu in gpus if _is_linked(gpu)]
    found = sorted((count, f"{count} x {name}") for count, name in counts if count)
    yield from (name for _, name in found)


def shared_work(
    job: TrainingJob, rows: Sequence[MachineEstimate], catalog: PriceCatalog
) -> Iterator[SharedWork]:
    """How many GPUs still pay, of each kind of which one holds the job: in the order of the rows."""
    gpus = {gpu.name: gpu for gpu in catalog.gpus}
    for name in dict.fromkeys(row.gpu for row in rows if row.fits == "yes" and row.gpu in gpus):
        gpu = gpus[name]
        number = _bytes_of_number(job, gpu, halves=False)
        alone = _on(job, gpu, number, ())
        if _may_spread(gpu, None) and alone.fits == "yes" and alone.hours is not None:
            found = share_work(job, gpu, number, alone.hours)
            yield from [found] if found.speeds else []


def _is_linked(gpu: GPU) -> bool:
    return not gpu.unusable and gpu.bf16_tflops is not None and (gpu.link_gb_s or 0) >= _FAST_LINK


def _fewest(job: TrainingJob, gpu: GPU, framework: Framework | None) -> int:
    """How many of the GPU hold the job; 0 where no number does."""
    needs = partial(
        estimate_sharded, job, number=_bytes_of_number(job, gpu, halves=False), framework=framework
    )
    return next((n for n in _COUNTS if fit(needs(n).process_gib, gpu.memory_gib) == "yes"), 0)


def fit(needs: Range, memory_gib: float) -> Literal["yes", "tight", "no"]:
    """Yes when even the high end fits, tight when only what is expected does."""
    if needs.high <= memory_gib:
        return "yes"
    return "tight" if needs.median <= memory_gib else "no"


def _bytes_of_number(job: TrainingJob, gpu: GPU, *, halves: bool) -> int:
    """Bytes of a number there; `halves`: in float16 where there is no bfloat16."""
    wide = job.train.dtype == "fp32" or (gpu.bf16_tflops is None and not halves)
    return _FLOAT32 if wide else _BFLOAT16


def _on(job: TrainingJob, gpu: GPU, number: int, found: Sequence[Option]) -> _On:
    needs = formula(job, gpu=True, number=number)
    if gpu.unusable:
        return _On(gpu, 1, needs, "no", None, None)
    fits = fit(needs.process_gib, gpu.memory_gib)
    load = job.load(gpu=True, number=number)
    work = job.work(load)
    share = utilisation(job.shape, load, gpu)
    hours = hours_on(gpu, share, work, job.shape.num_layers)
    if sampling := job.sampling(load):
        hours = total(hours, sampling_hours(job.shape, sampling, gpu))
    better = None if fits == "yes" else mend(found, gpu.memory_gib)
    return _On(gpu, 1, needs, fits, hours, better, _WITHOUT_BF16 if gpu.bf16_tflops is None else ())


def _elsewhere(job: TrainingJob, gpu: GPU, framework: Framework) -> _On:
    """As another framework takes it."""
    needs = needs_elsewhere(job, framework)
    if gpu.unusable:
        return _On(gpu, 1, needs, "no", None, None)
    notes = tuple(notes_elsewhere(job, gpu))
    hours = hours_elsewhere(job, framework, gpu)
    return _On(gpu, 1, needs, fit(needs.process_gib, gpu.memory_gib), hours, None, notes)


def _may_spread(gpu: GPU, framework: Framework | None) -> bool:
    is_linked = not gpu.unusable and gpu.link_gb_s is not None
    return is_linked and (framework is None or framework.shards)


def _over(job: TrainingJob, one: _On, number: int, count: int, framework: Framework | None) -> _On:
    """Spread over the GPUs of a machine, where that is faster or one does not hold it and all do; else as it
    is on one."""
    gpu = one.gpu
    if not _may_spread(gpu, framework):
        return one
    if framework is None and (own := _in_ranks(job, one, number, count)):
        return own
    if one.fits == "yes" or job.samples:
        return one
    needs = estimate_sharded(job, count, number=number, framework=framework)
    fits = fit(needs.process_gib, gpu.memory_gib)
    if fits == "no":
        return one
    load = load_of_shard(job, count, number)
    weights = framework_memory(job.shape, load, framework).weights if framework else 0.0
    busy = max(
        1, min(count, job.rows.batch_tokens * job.train.gradient_accumulation // load.tokens)
    )
    return _On(
        gpu,
        count,
        needs,
        fits,
        hours_of_shards(job.shape, load, job.work(load), gpu, Spread(count, busy, weights)),
        None,
        (*one.notes, *(() if framework else (_BY_OTHERS.format(count),))),
    )


def _in_ranks(job: TrainingJob, one: _On, number: int, count: int) -> _On | None:
    """By finewright's own processes: whole on each where one holds it, as many as are fastest; else in shards
    over all. None where that is not possible, or no faster."""
    if one.fits == "yes" and one.hours is not None:
        hours = in_ranks(job, one.gpu, number, count)
        best = min(hours, key=lambda size: hours[size].median, default=1)
        times = one.hours.median / hours[best].median if best > 1 else 1.0
        if times < _FASTER:
            return None
        return replace(
            one,
            used=best,
            hours=hours[best],
            notes=(*one.notes, f"launch.processes {best}: {times:.1f} times as fast as one GPU"),
            launch=(f"launch.processes={best}",),
        )
    shards = in_shards(job, one.gpu, number, count)
    if shards is None or fit(shards.needs.process_gib, one.gpu.memory_gib) == "no":
        return None
    fits = fit(shards.needs.process_gib, one.gpu.memory_gib)
    launch = (f"launch.processes={count}", "launch.fsdp=true")
    notes = (*one.notes, f"in shards over its {count} GPUs: --set {' --set '.join(launch)}")
    return _On(one.gpu, count, shards.needs, fits, shards.hours, None, notes, launch)


def _estimate_machine(
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
        if machine.term_months is not None:
            whole = whole_terms(machine, whole)
    return MachineEstimate(
        machine=machine.sku,
        provider=machine.provider,
        gpu=machine.gpu,
        tier=machine.tier,
        memory_gib=on.gpu.memory_gib,
        gpus_used=on.used,
        launch=on.launch,
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
    yield from on.notes
    if machine.term_months is not None and on.fits != "no":
        term = span(whole_terms(machine, exact(0.0)))
        yield f"paid for {machine.term_months} months, used or not: ${term}, in what the project costs"
    if on.used < machine.num_gpus:
        verb = "works" if on.used == 1 else "work"
        yield f"{on.used} of its {machine.num_gpus} GPUs {verb}, all are paid"
    session = machine.max_session_hours or math.inf
    if on.hours is not None and on.hours.high > session:
        yield f"a session ends after {session:g} h; the run goes on from its checkpoint in the next"


def _rank(row: MachineEstimate) -> tuple[int, float, str]:
    """By fit; then by what a project of such runs costs, or an hour where nobody knows how long they take."""
    order = ("yes", "tight", "no").index(row.fits)
    return order, row.project_usd.median if row.project_usd else row.usd_per_hour, row.machine
