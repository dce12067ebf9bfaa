"""From jobs and a price catalog to the report. Pure: nothing is read and nothing is measured here.

The same run at a host that asks by the million tokens: what it costs, and how it is served."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from finewright.catalog.prices import check_tier, digest, gpu_named, machines_of
from finewright.estimate.context import beyond
from finewright.estimate.freshness import (
    AGED,
    RENEWAL,
    deadline_words,
    ends_within,
    freshness,
)
from finewright.report.cells import apart
from finewright.schema.catalog import HostedTuning, Machine, PriceCatalog
from finewright.schema.common import Problem
from finewright.schema.cost import (
    CandidateCost,
    CostReport,
    HostedEstimate,
    MachineEstimate,
    MemoryEstimate,
    Range,
)
from finewright_advice.cost.elsewhere import framework_named, load_elsewhere, needs_elsewhere
from finewright_advice.cost.job import TrainingJob
from finewright_advice.cost.machines import machines, several, shared_work
from finewright_advice.cost.needs import formula
from finewright_advice.cost.spec import CostSpec
from finewright_advice.cost.truths import truths


@dataclass(frozen=True, slots=True)
class JobMeasurements:
    """What was learned of a job beyond the formulas: traces, steps, and this machine's own row.

    `number` are the bytes of a number on the CPU; `problems` what is said of the rows."""

    memory: tuple[MemoryEstimate, ...] = ()
    number: int = 2
    problems: tuple[Problem, ...] = ()
    here: MachineEstimate | None = None
    residuals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CostQuestion:
    """What is asked: the jobs, the section of the spec, and what was found of each base model."""

    name: str
    jobs: Sequence[TrainingJob]
    spec: CostSpec
    found: Mapping[str, JobMeasurements] = field(default_factory=dict)


def report(question: CostQuestion, catalog: PriceCatalog, today: date) -> CostReport:
    """The whole answer. Raises DataError for a provider, a GPU or a tier that the catalog does not know."""
    rows = _list_considered(question.spec, catalog)
    candidates = [_candidate(question, job, catalog, rows, today) for job in question.jobs]
    residuals = [line for found in question.found.values() for line in found.residuals]
    horizon = question.spec.horizon_days
    elsewhere = framework_named(question.spec.framework)
    ends = [deadline_words(end, today) for end in ends_within(catalog.deadlines, today, horizon)]
    return CostReport(
        name=question.name,
        candidates=tuple(candidates),
        prices=_describe_days(rows, catalog),
        residuals=tuple(dict.fromkeys(residuals)),
        deadlines=tuple(ends),
        framework=elsewhere.does(load_elsewhere(question.jobs[0])) if elsewhere else "",
        problems=(*_warn_of_aged(rows, today), *_problems(question, candidates)),
    )


def _list_considered(spec: CostSpec, catalog: PriceCatalog) -> list[Machine]:
    for tier in spec.tiers:
        check_tier(catalog, tier)
    gpus = {gpu_named(catalog, name).name for name in spec.gpus}
    sold = [
        machines_of(catalog, provider=each, tiers=spec.tiers) for each in spec.providers or ("",)
    ]
    found = [row for rows in sold for row in rows if row.gpu in (gpus or {row.gpu})]
    # A run takes hours: what is reserved for months is no offer, unless somebody asks for it.
    return found if spec.tiers else [row for row in found if row.tier != "reserved"]


def _candidate(
    question: CostQuestion,
    job: TrainingJob,
    catalog: PriceCatalog,
    rows: Sequence[Machine],
    today: date,
) -> CandidateCost:
    found = question.found.get(job.base_model, JobMeasurements())
    table = machines(job, question.spec, catalog, rows, bake_off=len(question.jobs))
    own = [] if found.here is None else [found.here]
    elsewhere = framework_named(question.spec.framework)
    formulas: tuple[MemoryEstimate, ...]
    if elsewhere:
        formulas = (needs_elsewhere(job, elsewhere),)
    else:
        formulas = (formula(job, gpu=True), formula(job, gpu=False, number=found.number))
    work = job.work(load_elsewhere(job) if elsewhere else job.load(gpu=True))
    return CandidateCost(
        base_model=job.base_model,
        parameters=job.shape.parameters,
        active_parameters=job.shape.active,
        trainable_parameters=job.shape.trainable(job.train.adapter),
        memory=(*formulas, *found.memory),
        work=work,
        machines=(*own, *table),
        several=()
        if any(row.fits == "yes" for row in table)
        else tuple(several(job, catalog, elsewhere)),
        shared=() if elsewhere else tuple(shared_work(job, table, catalog)),
        truths=() if elsewhere else tuple(truths(job)),
        hosted=tuple(estimate_hosted(job, catalog, work.tokens, question.spec.providers, today)),
    )


def _describe_days(rows: Sequence[Machine], catalog: PriceCatalog) -> str:
    days = sorted(row.observed_at for row in rows)
    if not days:
        return "no machine of the catalog is asked for"
    between = f" to {days[-1]}" if days[-1] != days[0] else ""
    return f"prices {digest(catalog)}, seen {days[0]}{between}"


def _warn_of_aged(rows: Sequence[Machine], today: date) -> Iterator[Problem]:
    """A line for the stale ones and one for the aging ones, with the providers whose rows they are."""
    for level, what in AGED.items():
        old = [row for row in rows if freshness(row.observed_at, today).level == level]
        if old:
            of = Counter(row.provider for row in old)
            who = ", ".join(f"{name} {count}" for name, count in sorted(of.items()))
            oldest = min(row.observed_at for row in old)
            verb = "is" if len(old) == 1 else "are"
            yield Problem(
                level="warning",
                message=f"{len(old)} of {len(rows)} prices of machines {verb} {what} (the oldest seen"
                f" {oldest}): {who}",
                hint=RENEWAL,
            )


def _problems(question: CostQuestion, candidates: Sequence[CandidateCost]) -> Iterator[Problem]:
    for job, candidate in zip(question.jobs, candidates, strict=True):
        yield from question.found.get(job.base_model, JobMeasurements()).problems
        yield from _too_long(job)
        if job.samples:
            yield Problem(
                level="info",
                message=f"{job.base_model}: hours include the sampling of {job.train.method}'s answers, by a"
                " formula that was not measured on a GPU; computing rewards is not in them",
                hint="a run of a few steps tells",
            )
        if teacher := getattr(job.train, "teacher", ""):
            yield Problem(
                level="warning",
                key="train.teacher",
                message=f"{job.base_model}: what the teacher {teacher} computes, and its memory, are not in"
                " the hours and sizes: about a forward of it for each token learned",
                hint="a run of a few steps tells",
            )
        yield from _over_budget(question.spec, candidate)
        yield from _on_one_gpu(question.spec, candidate)


def _on_one_gpu(spec: CostSpec, candidate: CandidateCost) -> Iterator[Problem]:
    """That several GPUs were not tried, where the framework spreads nothing over them."""
    framework = framework_named(spec.framework)
    is_held = any(row.fits == "yes" for row in candidate.machines)
    if framework is not None and not framework.shards and not is_held:
        yield Problem(
            level="warning",
            key="cost.framework",
            message=f"{candidate.base_model}: {framework.name} trains on one GPU here, and no single one"
            " holds it; several are not estimated",
            hint="--framework trl or axolotl spreads a run over several by FSDP",
        )


def _too_long(job: TrainingJob) -> Iterator[Problem]:
    """As `plan` and `train` say it of rows that were counted; of others it is known how long they may be."""
    context, rows = job.shape.context, job.rows
    length = rows.longest_sequence if rows.tier != "from characters" else job.train.max_length
    if context is not None and length > context:
        yield beyond(length, context)


def _over_budget(spec: CostSpec, candidate: CandidateCost) -> Iterator[Problem]:
    prices = [row.project_usd for row in candidate.machines if row.project_usd is not None]
    if spec.budget_usd is None or not prices:
        return
    cheapest = min(prices, key=lambda price: price.median)
    if cheapest.median > spec.budget_usd:
        wanted, budget = apart(cheapest.median, spec.budget_usd, least=2)
        yield Problem(
            level="warning",
            key="cost.budget_usd",
            message=f"{candidate.base_model}: the cheapest machine that fits asks for"
            f" ${wanted}, over ${budget}",
            hint="fewer epochs, fewer seeds or a smaller base model",
        )


def estimate_hosted(
    job: TrainingJob, catalog: PriceCatalog, tokens: Range, providers: Sequence[str], today: date
) -> Iterator[HostedEstimate]:
    """A row for each host that trains such open models by the job's method and adapter today, the cheapest
    first.

    Of the `providers` alone, where some are named. Most rows know the models by their size alone: whether a
    host trains yours is for its own list to say."""
    name, size, method = job.base_model, job.shape.parameters, job.train.method
    adapter = "full" if job.train.adapter.type == "none" else job.train.adapter.type
    found = [
        HostedEstimate(
            provider=row.provider,
            model=row.model,
            usd=row.run_usd(tokens),
            served_by=row.served_by,
            hosting_usd_per_hour=row.hosting_usd_per_hour,
            note=_note(row),
            observed_at=row.observed_at,
        )
        for row in catalog.tunings
        if row.trains(name, size, method, today, adapter=adapter)
        and (not providers or row.provider in providers)
    ]
    yield from sorted(found, key=lambda each: each.usd.median if each.usd else float("inf"))


def _note(row: HostedTuning) -> str:
    ends = f"no new job from {row.ends} on" if row.ends else ""
    return "; ".join(filter(None, (row.note or row.method, ends)))
