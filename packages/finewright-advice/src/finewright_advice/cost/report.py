"""What a run will need: memory by tier, the machines in one table, and what would fit."""

from collections.abc import Iterator, Sequence

from finewright.report.blocks import (
    Block,
    Page,
    Section,
    Table,
    Text,
    lines,
    section,
)
from finewright.report.cells import gib, money, span
from finewright.schema.cost import (
    CandidateCost,
    CostReport,
    HostedEstimate,
    MachineEstimate,
    MemoryEstimate,
    MemoryTerm,
    Mend,
    Range,
    SharedWork,
)

_MOST_ROWS = 12
# From so many hours on, so many to the hour, by name.
_UNITS = ((0.1, 1, "h"), (1 / 60, 60, "min"), (0.0, 3600, "s"))
_READING = (
    "Ranges are low - median - high; a project counts seeds, candidates, failures and evaluations. Times are"
    " those of the training steps: starting a machine, fetching and loading the model, and the proofs come on"
    " top, and none of that is estimated. Tiers: formula < trace < micro-steps, and formula < past runs <"
    " calibration."
)


def cost_page(report: CostReport) -> Page:
    """Each candidate's work, memory and machines."""
    return Page(
        subject="a cost",
        title=report.name,
        answer="; ".join(filter(None, map(_cheapest, report.candidates))),
        problems=report.problems,
        sections=cost_sections(report),
    )


def cost_sections(report: CostReport) -> list[Section]:
    """The estimate of each candidate, and how to read it."""
    candidates = [
        part
        for i, cost in enumerate(report.candidates, 1)
        for part in (
            *section(_head(cost), *_candidate(cost)),
            *section(f"{cost.base_model}: memory, hosts", *_details(cost), is_detail=True),
        )
    ]
    elsewhere = f"Not finewright's own training, but that of {report.framework}, by its defaults"
    return [
        *(section("", Text(elsewhere)) if report.framework else ()),
        *candidates,
        *section("Runs of the past", lines(*report.residuals)),
        *section("Ends soon", lines(*report.deadlines), is_detail=True),
        *section("", Text(f"{report.prices}. {_READING}")),
    ]


def _cheapest(cost: CandidateCost) -> str:
    """The least machine that fits, by the order of the table: its time and its price."""
    fitting = [row for row in cost.machines if row.fits == "yes" and row.usd is not None]
    if not fitting:
        return f"{cost.base_model}: no machine is known to fit"
    row = next((row for row in fitting if row.provider != "own"), fitting[0])
    time = _time(row.hours) if row.hours else "time not known"
    place = f"{row.machine} ({row.provider}, {row.tier})"
    return f"{cost.base_model} fits {place}: {time}, {money(row.usd)} USD a run"


def _head(cost: CandidateCost) -> str:
    size = f"{cost.parameters / 1e9:.2f}B parameters"
    if cost.active_parameters != cost.parameters:
        size += f", {cost.active_parameters / 1e9:.2f}B of them active"
    return f"{cost.base_model}: {size}, {cost.trainable_parameters / 1e6:.2f}M learn"


def _candidate(cost: CandidateCost) -> Iterator[Block | None]:
    work = cost.work
    yield Text(
        f"{work.steps:,} steps, {span(work.tokens)} tokens ({work.tokens_tier}),"
        f" {work.flops_per_token / 1e9:.2f} GFLOP a token"
    )
    yield from _machines(cost.machines)
    if cost.several:
        yield Text(
            f"it would fit over several machines, by memory alone: {', '.join(cost.several)}; spread by FSDP"
            " with transformers and PEFT, and how long that takes is not estimated"
        )
    yield lines(*map(_describe_shared, cost.shared[:1]), *cost.truths)


def _details(cost: CandidateCost) -> Iterator[Block | None]:
    rows = [
        (m.tier, _on(m), span(m.tensors_gib), span(m.process_gib), _largest(m.terms))
        for m in cost.memory
    ]
    yield Table(("memory by", "on", "tensors GiB", "process GiB", "mostly"), rows)
    sizes = sorted({size for each in cost.shared for size in each.speeds})
    yield Table(
        ("times as fast as one", *(f"{size} GPUs" for size in sizes), "GPUs that pay"),
        [
            (each.gpu, *(_times(each.speeds.get(size)) for size in sizes), str(each.pays))
            for each in cost.shared
        ],
    )
    hosted = [_cells_of_hosted(row) for row in cost.hosted]
    yield Table(("trained at a host", "USD a run", "served", "seen"), hosted)
    yield lines(*(f"{row.provider}: {row.note}" for row in cost.hosted if row.note))


def _times(speed: float | None) -> str:
    return "" if speed is None else f"{speed:.1f}"


def _describe_shared(shared: SharedWork) -> str:
    """Of the GPU that stands first, how many still pay."""
    speeds = ", ".join(f"{size}: {_times(speed)}" for size, speed in shared.speeds.items())
    line = f"several {shared.gpu} in processes are so many times as fast as one: {speeds}"
    return f"{line}; past {shared.pays} a GPU adds less than half of the first (launch.processes)"


def _on(estimate: MemoryEstimate) -> str:
    """The device, and how it computes where that is not in bfloat16."""
    return estimate.on.upper() + (", float32" if estimate.number_bytes > 2 else "")  # noqa: PLR2004


def _largest(terms: tuple[MemoryTerm, ...]) -> str:
    named = sorted(((term.gib, term.name) for term in terms), reverse=True)
    return ", ".join(f"{name} {gib(size)}" for size, name in named[:3])


def _is_listed(row: MachineEstimate) -> bool:
    return row.fits != "no" or row.provider == "own"


def _machines(rows: Sequence[MachineEstimate]) -> Iterator[Block | None]:
    fitting = [row for row in rows if _is_listed(row)]
    shown = fitting[:_MOST_ROWS]
    header = (
        *("machine", "provider, tier", "GiB", "needs GiB", "fits", "time a run", "USD a run"),
        "USD project",
    )
    yield Table(header, [_cells_of_machine(row) for row in shown])
    yield lines(*_beside(rows, fitting, shown))
    mends = list(dict.fromkeys(_mend(row, row.mend) for row in rows if row.mend is not None))
    title = "What would fit, cheapest in speed first (by the formula)"
    yield Table(("GPU", "GiB", "takes GiB", "settings"), mends, title)
    yield lines(*sorted({f"{row.machine}: {note}" for row in shown for note in row.notes}))


def _beside(
    rows: Sequence[MachineEstimate],
    fitting: Sequence[MachineEstimate],
    shown: Sequence[MachineEstimate],
) -> Iterator[str]:
    """What the table leaves out."""
    if more := len(fitting) - len(shown):
        yield f"and {more} dearer ones (--json has all)"
    if all(row.fits == "no" for row in fitting):
        yield "no machine of the catalog fits these settings"
    unusable = {row.gpu: row.unusable for row in rows if row.unusable}
    for gpu, why in unusable.items():
        yield f"not used: {gpu}, because {why}"
    if hopeless := dict.fromkeys(row.gpu for row in rows if _is_hopeless(row)):
        yield f"no setting makes it fit one GPU: {', '.join(hopeless)}"


def _is_hopeless(row: MachineEstimate) -> bool:
    return row.fits == "no" and row.mend is None and not row.unusable


def _cells_of_machine(row: MachineEstimate) -> tuple[str, ...]:
    return (
        row.machine,
        f"{row.provider}, {row.tier}",
        gib(row.memory_gib),
        f"{span(row.needs.process_gib)} ({row.needs.tier})",
        row.fits,
        f"{_time(row.hours)} ({row.hours_tier})" if row.hours else "",
        money(row.usd),
        money(row.project_usd),
    )


def _cells_of_hosted(row: HostedEstimate) -> tuple[str, ...]:
    price = row.hosting_usd_per_hour
    by = f"{row.served_by}, from ${price.low:g} an hour" if price else row.served_by
    usd = span(row.usd) if row.usd else "not found; enter your own"
    return f"{row.provider}: {row.model}", usd, by, str(row.observed_at)


def _mend(row: MachineEstimate, mend: Mend) -> tuple[str, ...]:
    settings = " ".join(f"--set '{setting}'" for setting in mend.settings)
    return (row.gpu, gib(row.memory_gib), span(mend.process_gib), settings)


def _time(hours: Range) -> str:
    """In hours, or in minutes or seconds where hours would be small fractions."""
    per_hour, unit = next((many, name) for least, many, name in _UNITS if hours.median >= least)
    ends = (hours.low, hours.median, hours.high)
    low, median, high = (end * per_hour for end in ends)
    return f"{span(Range(low=low, median=median, high=high))} {unit}"
