"""The advice of `decide`, for a terminal."""

from finewright.render.reports import text_of
from finewright.render.text import table
from finewright.schema.cost import Range
from finewright.schema.decide_report import DecideReport, Finding, Swing

_SWINGS = 10
_FLIPS = 5
_THOUSAND = 1000


@text_of.register
def _(report: DecideReport) -> str:
    parts = [
        f"{report.name}: {report.answer}",
        *_section("ranking", _ranking(report)),
        _none(report),
        *_section("why", "\n".join(_why(report))),
        *_section("dropped, duties and warnings", "\n".join(map(_finding, report.findings))),
        *_section("what it takes (low - middle - high)", costs(report)),
        *_section("what would change the answer", "\n".join(changes(report))),
        *_section("cheapest next step", "\n".join(next_step(report))),
        *_section("taken for what is unknown", _assumed(report)),
        _facts(report),
        *(f"{problem.level}: {problem.line()}" for problem in report.problems),
    ]
    return "\n\n".join(part for part in parts if part)


def amount(value: Range) -> str:
    """Three ends of a range, or one where they are the same."""
    ends = [_number(end) for end in (value.low, value.median, value.high)]
    return ends[0] if len(set(ends)) == 1 else " - ".join(ends)


def costs(report: DecideReport) -> str:
    """A row for each arm, ranked ones first; dropped ones are marked."""
    return table(COST_HEADER, cost_rows(report))


COST_HEADER = (
    "arm",
    "USD once",
    "USD a month",
    "ms an answer",
    "days to update",
    "hours of work",
    "how",
)


def cost_rows(report: DecideReport) -> list[tuple[str, ...]]:
    """The cells of the cost table, all arms, in the order of the ranking."""
    order = [ranked.arm for ranked in report.ranking]
    known = {cost.arm: cost for cost in report.costs}
    rest = [name for name in known if name not in order]
    rows = []
    for name in (*order, *rest):
        cost = known[name]
        figures = (
            cost.once_usd,
            cost.month_usd,
            cost.latency_ms,
            cost.update_days,
            cost.effort_hours,
        )
        mark = "" if name in order else " (dropped)"
        rows.append((name + mark, *map(amount, figures), "; ".join(cost.how)))
    return rows


def changes(report: DecideReport) -> list[str]:
    """The weights, the inputs and the volume that turn the answer."""
    lines = [
        f"weight of {flip.criterion} from {flip.weight:.2f} to {flip.needed:.2f}: {flip.new_winner} wins"
        for flip in report.flips[:_FLIPS]
    ]
    if not report.flips and report.ranking:
        lines.append("no weight alone: no other arm wins by any one criterion")
    turning = [swing for swing in report.swings if swing.flips][:_SWINGS]
    lines += [_swing(swing) for swing in turning]
    if report.ranking and not turning:
        lines.append("no input alone within its range")
    for each in report.break_even:
        volume = "never"
        if each.requests_per_month is not None:
            volume = f"from {amount(each.requests_per_month)} requests a month on"
        lines.append(f"{each.method}: self-hosted is cheaper {volume}; {each.reason}")
    return lines


def next_step(report: DecideReport) -> list[str]:
    """What to do next, why, and what that costs."""
    step = report.experiment
    if step is None:
        return []
    lines = [step.what, f"  because {step.why}"]
    lines.append(f"  costs {amount(step.usd)} USD and {amount(step.hours)} hours of work")
    return [*lines, f"  {step.command}"] if step.command else lines


def _section(title: str, text: str) -> list[str]:
    return [f"{title}\n{text}"] if text else []


def _ranking(report: DecideReport) -> str:
    if not report.ranking:
        return ""
    header = ("arm", "score", "wins", "quality", "a month", "latency", "update", "privacy")
    shown = ("quality", "month_usd", "latency", "update_delay", "privacy")
    rows = [
        (
            ranked.arm,
            f"{ranked.score:.3f}",
            f"{ranked.win_share:.0%}",
            *(f"{ranked.utilities[name]:.2f}" for name in shown),  # type: ignore[index]
        )
        for ranked in report.ranking
    ]
    return table(header, rows)


def _none(report: DecideReport) -> str:
    ranked = {row.arm for row in report.ranking}
    others = [f"{arm} {n:.0%}" for arm, n in report.win_shares.items() if n and arm not in ranked]
    if report.none_share:
        others.append(f"no arm at all {report.none_share:.0%}")
    return f"in the other draws wins: {', '.join(others)}" if others else ""


def _why(report: DecideReport) -> list[str]:
    return [f"{ranked.arm}: {reason}" for ranked in report.ranking[:2] for reason in ranked.reasons]


def _finding(finding: Finding) -> str:
    arms = ", ".join(f"`{arm}`" for arm in finding.arms) or "whatever is chosen"
    effect = finding.effect if finding.certain else f"would be {finding.effect}"
    return f"{finding.rule} {effect}: {arms}: {finding.reason} [{', '.join(finding.sources)}]"


def _swing(swing: Swing) -> str:
    ends = [
        f"{text}: {winner or 'nothing is left'}"
        for text, winner, lead in (
            (swing.low, swing.low_winner, swing.low_lead),
            (swing.high, swing.high_winner, swing.high_lead),
        )
        if lead is None or lead < 0
    ]
    known = "unknown" if swing.is_unknown else "stated"
    return f"{swing.key} ({known}) at {'; at '.join(ends)}"


def _assumed(report: DecideReport) -> str:
    return "\n".join(f"{key}: {text}" for key, text in report.assumptions.items())


def _facts(report: DecideReport) -> str:
    facts = report.facts
    return (
        f"as of {report.today}; facts {facts.sha256}, the oldest seen {facts.oldest}, {facts.age_days} days"
        f" ago ({facts.state})"
    )


def _number(value: float) -> str:
    if value >= _THOUSAND:
        return f"{value:,.0f}"
    return f"{value:.3g}"
