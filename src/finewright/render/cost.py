"""What a run will need, for a terminal: memory by tier, the machines in one table, and what would fit."""

import math
from collections.abc import Iterator

from finewright.render.reports import text_of
from finewright.render.text import table
from finewright.schema.cost import (
    CandidateCost,
    CostReport,
    MachineEstimate,
    MemoryTerm,
    Mend,
    Range,
)

_MOST_ROWS = 12
# From so many hours on, so many to the hour, by name.
_UNITS = ((0.1, 1, "h"), (1 / 60, 60, "min"), (0.0, 3600, "s"))
_HEADS = [
    "machine",
    "provider, tier",
    "GiB",
    "needs GiB",
    "fits",
    "time a run",
    "$ a run",
    "$ project",
]


@text_of.register
def _(report: CostReport) -> str:
    parts = [f"{problem.level}: {problem.line()}" for problem in report.problems]
    parts += ["\n\n".join(_candidate(candidate)) for candidate in report.candidates]
    if report.residuals:
        parts.append("runs of the past\n" + "\n".join(f"  {line}" for line in report.residuals))
    if report.deadlines:
        parts.append("ends soon\n" + "\n".join(f"  {line}" for line in report.deadlines))
    parts.append(
        f"{report.prices}. Ranges are low - median - high; a project counts seeds, candidates, failures and"
        " evaluations. Times are those of the training steps: starting a machine, fetching and loading the"
        " model, and the proofs come on top, and none of that is estimated. Tiers: formula < trace <"
        " micro-steps, and formula < past runs < calibration."
    )
    return "\n\n".join(parts)


def _candidate(cost: CandidateCost) -> Iterator[str]:
    work = cost.work
    size = f"{cost.parameters / 1e9:.2f}B parameters"
    if cost.active_parameters != cost.parameters:
        size += f", {cost.active_parameters / 1e9:.2f}B of them active"
    yield (
        f"{cost.base_model}: {size}, {cost.trainable_parameters / 1e6:.2f}M learn; {work.steps:,} steps,"
        f" {_span(work.tokens, '{:,.0f}')} tokens ({work.tokens_tier}),"
        f" {work.flops_per_token / 1e9:.2f} GFLOP a token"
    )
    rows = [
        [m.tier, m.on.upper(), _span(m.tensors_gib), _span(m.process_gib), _largest(m.terms)]
        for m in cost.memory
    ]
    yield table(["memory by", "on", "tensors GiB", "process GiB", "mostly"], rows)
    yield from _machines(cost.machines)
    if cost.truths:
        yield "\n".join(f"true here: {line}" for line in cost.truths)


def _largest(terms: tuple[MemoryTerm, ...]) -> str:
    named = sorted(((term.gib, term.name) for term in terms), reverse=True)
    return ", ".join(f"{name} {gib:.2f}" for gib, name in named[:3])


def _machines(rows: tuple[MachineEstimate, ...]) -> Iterator[str]:
    fitting = [row for row in rows if row.fits != "no" or row.provider == "own"]
    shown = fitting[:_MOST_ROWS]
    if shown:
        yield table(_HEADS, [_row(row) for row in shown])
    if more := len(fitting) - len(shown):
        yield f"and {more} dearer ones (--json has all)"
    if not [row for row in fitting if row.fits != "no"]:
        yield "no machine of the catalog fits these settings"
    mends = "\n".join(dict.fromkeys(_mend(row, row.mend) for row in rows if row.mend is not None))
    if mends:
        yield "what would fit, cheapest in speed first (by the formula)\n" + mends
    hopeless = dict.fromkeys(row.gpu for row in rows if row.fits == "no" and row.mend is None)
    if hopeless:
        yield f"no setting makes it fit: {', '.join(hopeless)}"
    notes = {f"{row.machine}: {note}" for row in shown for note in row.notes}
    if notes:
        yield "\n".join(sorted(notes))


def _row(row: MachineEstimate) -> list[str]:
    hours = f"{_time(row.hours)} ({row.hours_tier})" if row.hours else "not known"
    return [
        row.machine,
        f"{row.provider}, {row.tier}",
        f"{row.memory_gib:.1f}",
        f"{_span(row.needs.process_gib)} ({row.needs.tier})",
        row.fits,
        hours,
        _span(row.usd) if row.usd else "",
        _span(row.project_usd) if row.project_usd else "",
    ]


def _mend(row: MachineEstimate, mend: Mend) -> str:
    settings = " ".join(f"--set '{setting}'" for setting in mend.settings)
    return f"  {row.gpu}, {row.memory_gib:.1f} GiB: {settings} takes {_span(mend.process_gib)} GiB"


def _time(hours: Range) -> str:
    """In hours, or in minutes or seconds where hours would be small fractions."""
    per_hour, unit = next((many, name) for least, many, name in _UNITS if hours.median >= least)
    ends = (hours.low, hours.median, hours.high)
    low, median, high = (end * per_hour for end in ends)
    return f"{_span(Range(low=low, median=median, high=high))} {unit}"


def _span(span: Range, style: str = "") -> str:
    """low - median - high, with two digits that say something."""
    digits = 0 if span.median <= 0 else max(0, min(4, 1 - math.floor(math.log10(span.median))))
    show = style or f"{{:,.{digits}f}}"
    return " - ".join(show.format(value) for value in (span.low, span.median, span.high))
