"""`cost`: what a run will need on every machine that can be rented, and on this one, before it starts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from importlib.util import find_spec
from pathlib import Path

from finewright.catalog.prices import own_folder, prices
from finewright.data.gather import gather
from finewright.errors import SpecError
from finewright.estimate.data_parallel import gradients_line
from finewright.estimate.families import shape_of
from finewright.lm import runtime
from finewright.schema.adapter import AdapterSpec
from finewright.schema.common import Problem
from finewright.schema.cost import (
    CostReport,
    MachineEstimate,
    MemoryEstimate,
    Range,
    Tier,
)
from finewright.schema.launch import LaunchSpec
from finewright.schema.load import LoadedSpec
from finewright.schema.rows import Row
from finewright.store.environment import environment
from finewright.store.stage import refuse
from finewright.train.labelled import part_labelled
from finewright.train.on_parent import with_rank_of_parent
from finewright.train.rows import MethodRows, rows_for
from finewright.workbench.past import Past, past_runs
from finewright_advice.cost.assemble import CostQuestion, JobMeasurements, report
from finewright_advice.cost.check import faults
from finewright_advice.cost.elsewhere import framework_named, refuse_elsewhere
from finewright_advice.cost.job import TrainingJob
from finewright_advice.cost.machines import fit
from finewright_advice.cost.mend import mend, options
from finewright_advice.cost.model import Described, describe_model
from finewright_advice.cost.needs import estimate_from_peak, formula
from finewright_advice.cost.rows import count
from finewright_advice.cost.spec import CostSpec, FrameworkName
from finewright_advice.estimate.time import PastRun, hours_at, past_speed

GIB = 2**30


@dataclass(frozen=True, slots=True)
class _Here:
    """This machine, and how it computes."""

    name: str
    memory_gib: float
    gpu: bool
    number: int


def cost(
    loaded: LoadedSpec,
    *,
    trace: bool,
    calibrate: bool,
    runs: Path,
    today: date,
    framework: FrameworkName | None = None,
) -> CostReport:
    """Memory by the closed formula, time by arithmetic, money by the dated prices; nothing is written.

    `trace` runs the step on tensors without numbers, `calibrate` runs real ones for about ten seconds; both
    need the model runtime, the latter the weights too. Runs in `runs` of the same kind tell how they went.
    `framework` is who trains, in place of the spec's `cost.framework`; of another one than finewright there
    is the formula alone.
    Raises ModelError, DataError or SpecError, in one line each."""
    section = _section(loaded, framework, of_steps=trace or calibrate)
    if loaded.spec.train.on_features:
        raise SpecError(
            "train.method: linear is one convex fit on a processor, in seconds: no machine to rent",
            hint="finewright up trains it, and its report says how long that took",
        )
    gathered = gather(loaded.spec.data, loaded.resolve, tells=False)
    refuse(gathered.problems)
    rows = _rows_that_train(loaded, gathered.train)
    jobs, found = [], {}
    for name in loaded.spec.base_models:
        described = describe_model(name, loaded.path.parent)
        counted = count(rows, loaded.spec.train, described.base, loaded.spec)
        shape = shape_of(described.config, described.origin)
        train = with_rank_of_parent(loaded.spec.train, described.base)
        job = TrainingJob(name, shape, train, counted.rows, counted.steps, counted.tokens)
        jobs.append(job)
        if framework_named(section.framework):
            refuse_elsewhere(job)
            measured_job = JobMeasurements()
        else:
            past = past_runs(runs, job.base_model, job.train)
            measured_job = _measurements(job, described, past, trace=trace, calibrate=calibrate)
        found[name] = replace(measured_job, problems=(*described.problems, *counted.problems))
    found_out = report(
        CostQuestion(loaded.spec.name, jobs, section, found),
        prices(own_folder()),
        today,
    )
    shared = _by_processes(loaded.spec.launch, loaded.spec.train.adapter, found_out)
    problems = (*found_out.problems, *_cut_by_minutes(loaded.spec.train.minutes), *shared)
    placed = tuple(map(loaded.locate, problems))
    return found_out.model_copy(update={"problems": placed})


def _rows_that_train(loaded: LoadedSpec, rows: Sequence[Row]) -> MethodRows:
    """As the method takes them; of a model of labels those that do not calibrate. Raises DataError."""
    shaped = rows_for(loaded.spec.train.method, rows)
    refuse(shaped.problems)
    labelled, of_labels = part_labelled(shaped.rows, loaded.spec.train)
    refuse(of_labels)
    return shaped if labelled is None else MethodRows(labelled.train, [])


def _by_processes(launch: LaunchSpec, adapter: AdapterSpec, found: CostReport) -> Iterator[Problem]:
    """That several processes are not in the figures, and what they send each other."""
    processes, in_shards = launch.processes, launch.fsdp and adapter.type == "none"
    part = "the model and its optimizer" if in_shards else "the base"
    holds = f"1 / processes of {part}" if launch.fsdp else "the whole model"
    for candidate in found.candidates if processes > 1 else ():
        sent = gradients_line(candidate.trainable_parameters, processes, in_shards=in_shards)
        yield Problem(
            level="warning",
            key="launch.processes",
            message=f"{candidate.base_model}: hours and memory are those of one process; each of {processes}"
            f" holds {holds} and {sent}",
            hint="a run of a few steps tells how much faster they are",
        )


def _section(loaded: LoadedSpec, framework: FrameworkName | None, *, of_steps: bool) -> CostSpec:
    """The spec's section, with who trains; `of_steps`: steps are looked at, which are finewright's."""
    section = loaded.spec.section("cost", CostSpec) or CostSpec()
    if framework is not None:
        section = section.model_copy(update={"framework": framework})
    elsewhere = framework_named(section.framework)
    if elsewhere and of_steps:
        raise SpecError(
            f"--trace and --calibrate look at finewright's own steps, not at those of {elsewhere.name}",
            hint="leave them out, or leave the framework out",
        )
    refuse([loaded.locate(problem) for problem in faults(section)])
    return section


def _measurements(
    job: TrainingJob, described: Described, past: list[Past], *, trace: bool, calibrate: bool
) -> JobMeasurements:
    """What is learned of a job beyond the formulas, on this machine and from runs of the past."""
    here = _here(job)
    extra: list[MemoryEstimate] = []
    speed, tier = _past_speed(past)
    if trace:
        extra += _trace_memory(job, described, here)
    if calibrate:
        by_steps, speed = _calibrate(job, described, here)
        extra, tier = [*extra, by_steps], "calibration"
    return JobMeasurements(
        memory=tuple(extra),
        number=2 if here.gpu else here.number,
        here=_own_row(job, here, [e for e in extra if e.on == _kind(here)], speed, tier),
        residuals=tuple(_residuals(job, here, past)),
    )


def _cut_by_minutes(minutes: float | None) -> Iterator[Problem]:
    if minutes is not None:
        yield Problem(
            level="warning",
            key="train.minutes",
            message=f"hours and prices are of all steps; the run takes what fits into {minutes:g} minutes",
        )


def _kind(here: _Here) -> str:
    return "gpu" if here.gpu else "cpu"


def _here(job: TrainingJob) -> _Here:
    """As training would find it; without torch the machine is taken for its CPU in float32."""
    machine = environment()
    memory, name = float(str(machine["memory_gib"])), str(machine["cpu"])
    gpu, fast = False, False
    if all(map(find_spec, runtime.NEEDED)):
        gpu, fast = runtime.has_gpu(), runtime.fast_bf16()
        if gpu:
            from finewright_advice.lm.microsteps import device_bytes

            name, memory = runtime.describe_device(), device_bytes() / GIB
    number = 4 if job.train.dtype == "fp32" or (job.train.dtype == "auto" and not fast) else 2
    return _Here(name, memory, gpu, number)


def _trace_memory(job: TrainingJob, described: Described, here: _Here) -> Iterator[MemoryEstimate]:
    """The step on tensors without numbers: as a GPU would take it, and as this machine."""
    runtime.require_runtime()
    from finewright_advice.cost.steps import trace_bytes

    kinds = [(True, 2)] if here.gpu else [(True, 2), (False, here.number)]
    for gpu, number in kinds:
        peak = trace_bytes(job, described.folder, gpu=gpu, number=number)
        yield estimate_from_peak(job, peak, "trace", gpu=gpu, number=number)


def _calibrate(job: TrainingJob, described: Described, here: _Here) -> tuple[MemoryEstimate, Range]:
    """Real steps: what two of the largest take, and how fast the run's own go."""
    runtime.require_runtime()
    from finewright_advice.cost.steps import measure_here

    steps = measure_here(job, described)
    found = estimate_from_peak(job, steps.tensors, "micro-steps", gpu=here.gpu, number=here.number)
    process = steps.process / GIB
    around = Range(low=process, median=1.02 * process, high=1.1 * process)
    return found.model_copy(update={"process_gib": around}), steps.speed


def _past_speed(past: list[Past]) -> tuple[Range | None, Tier]:
    if not past:
        return None, "formula"
    return past_speed(
        [PastRun(p.run.root.name, p.candidate.tokens, p.candidate.seconds) for p in past]
    ), "past runs"


def _own_row(
    job: TrainingJob, here: _Here, better: list[MemoryEstimate], speed: Range | None, tier: Tier
) -> MachineEstimate:
    """This machine, whose time is told only where it was measured."""
    needs = better[-1] if better else formula(job, gpu=here.gpu, number=here.number)
    fits = fit(needs.process_gib, here.memory_gib)
    own = options(job, gpu=here.gpu, number=here.number)
    notes = () if speed else ("how long it takes here is not known: --calibrate measures it",)
    return MachineEstimate(
        machine="this machine",
        provider="own",
        gpu=here.name,
        tier="own",
        memory_gib=here.memory_gib,
        needs=needs,
        fits=fits,
        hours=None if speed is None or job.samples else hours_at(job.tokens, speed),
        hours_tier=tier,
        mend=None if fits == "yes" else mend(own, here.memory_gib),
        notes=notes,
    )


def _residuals(job: TrainingJob, here: _Here, past: list[Past]) -> Iterator[str]:
    """How far the formula was from what past runs took."""
    if not past:
        return
    needs = formula(job, gpu=here.gpu, number=here.number).process_gib
    for each in past:
        found = each.candidate
        yield (
            f"{each.run.root.name}: {found.tokens / found.seconds:,.0f} tokens/s, {found.seconds:.0f} s of"
            f" steps; its process took {found.peak_gib:.2f} GiB at most, loading and proofs included, where"
            f" the formula gives its steps {needs.low:.2f} - {needs.median:.2f} - {needs.high:.2f}"
        )
