"""The advice of `decide`: the ranking, its reasons, the gates, what would change it, cost, next step."""

from collections.abc import Iterator, Mapping, Sequence

from finewright.report.blocks import (
    Axis,
    Block,
    Fold,
    Page,
    Plot,
    Point,
    Table,
    Text,
    lines,
    section,
)
from finewright.report.cells import apart, count_of, share, span
from finewright.schema.cost import Range
from finewright_advice.decide.results import (
    ArmCost,
    DecideReport,
    FactsUsed,
    ModelFigure,
    RankedArm,
    RuleFinding,
    Swing,
)
from finewright_advice.decide.spec import Aim

_MOST_SWINGS = 15
_TURNING_SHOWN, _FLIPS = 10, 5
_MODELS_SHOWN = 6
_LEAST_USD = 1.0
_COSTS = {
    "once_usd": "USD once",
    "month_usd": "USD a month",
    "latency_ms": "ms an answer (p95)",
    "update_days": "days to update",
    "effort_hours": "hours of work",
    "people_usd": "USD of people's time",
}
"""A figure of an arm's cost -> the head of its column."""


def decide_page(report: DecideReport) -> Page:
    """The whole advice."""
    facts = report.facts
    return Page(
        subject="a decision",
        title=report.name,
        answer="\n".join(
            filter(None, (report.answer, report.taken, report.better, report.cheaper))
        ),
        about=[f"as of {report.today}; facts {facts.sha256}, {_age(facts)}"],
        problems=report.problems,
        sections=[
            *section("Cost and quality", *_picture(report)),
            *section("Why", *_why(report)),
            *section("Ranking", *_ranking(report)),
            *section("Models", *_models(report), is_detail=True),
            *section("Dropped, duties and warnings", *_gates(report), is_detail=True),
            *section("What would change the answer", *_changes(report)),
            *section("What it takes (low - middle - high)", *_cost(report), is_detail=True),
            *section("Cheapest next step", *_next_step(report)),
            *section("Taken for what is unknown", _table_of_assumptions(report), is_detail=True),
            *section("Inputs and sources", *_inputs(report), is_for_page=True),
        ],
    )


def _age(facts: FactsUsed) -> str:
    if facts.oldest is None:
        return "none of which the first two options rest on; each assumption has its own day"
    return f"the oldest seen {facts.oldest}, {count_of(facts.age_days or 0, 'day')} ago ({facts.state})"


def _ranking(report: DecideReport) -> Iterator[Block | None]:
    ranked = report.ranking
    if not ranked:
        yield Text("No option passes the gates.")
    yield _score_plot(report) if ranked else None
    scores = apart(*(row.score for row in ranked), least=3)
    wins = apart(*(100 * row.win_share for row in ranked), least=1)
    rows = [
        (
            row.arm,
            row.model,
            row.licence,
            score,
            f"{won} %",
            *(f"{row.utilities[name]:.2f}" for name in report.weights),
        )
        for row, score, won in zip(ranked, scores, wins, strict=True)
    ]
    weights = ("(weight)", "", "", "", "", *(f"{weight:.2f}" for weight in report.weights.values()))
    names = [name.replace("_", " ").replace("usd", "USD") for name in report.weights]
    yield Table(
        ("option", "model", "licence", "score", "wins", *names), [*rows, weights] if rows else []
    )
    yield lines(_others(report))


def _why(report: DecideReport) -> Iterator[Block | None]:
    for row in report.ranking[:2]:
        yield Text("\n".join(f"{row.arm}: {reason}" for reason in row.reasons))
    for row in report.ranking[2:3]:
        yield Text("\n".join(f"{row.arm}: {reason}" for reason in row.reasons), "page")


def _picture(report: DecideReport) -> Iterator[Block | None]:
    """Every arm where it stands by cost and quality: dots on the front, rings off it or dropped."""
    left = {row.arm: row for row in report.ranking}
    shown = [cost for cost in report.costs if _has_figures(cost)]
    front = [cost for cost in shown if cost.arm in left and _is_front(cost, shown, left)]
    points = [
        Point(
            _name_arm(cost.arm, left),
            cost.quality.median,
            cost.quality.low,
            cost.quality.high,
            x=max(cost.month_usd.median, _LEAST_USD),
            is_main=cost in front,
            note=f"{cost.arm}: quality {_shares(cost.quality)}, {span(cost.month_usd)} USD a month",
        )
        for cost in shown
    ]
    if report.ranking:
        limit = report.spec.month_budget_usd
        yield Plot(
            "Quality by USD a month, each option",
            "scatter",
            points,
            "Upright bars: quality at the worst and at the best of what is assumed. Dots and the broken line:"
            " nothing left is both cheaper and better. Rings: the others; in brackets, dropped by a gate. The"
            " dotted upright line is your limit a month; what is below 1 USD is drawn at 1.",
            across=Axis("USD a month", is_log=True),
            up=Axis("share of cases done well", is_share=True),
            marked=_limit(limit),
        )


def _has_figures(cost: ArmCost) -> bool:
    return cost.is_possible and cost.month_usd.high > 0 and cost.quality.high > 0


def _is_front(cost: ArmCost, shown: Sequence[ArmCost], left: Mapping[str, RankedArm]) -> bool:
    """Whether no arm that is left is cheaper and at least as good."""
    return not any(
        other.arm in left
        and other.month_usd.median < cost.month_usd.median
        and other.quality.median >= cost.quality.median
        for other in shown
    )


def _name_arm(arm: str, left: Mapping[str, RankedArm]) -> str:
    return arm if arm in left else f"({arm})"


def _shares(quality: Range) -> str:
    return f"{share(quality.median)} ({share(quality.low)} to {share(quality.high)})"


def _limit(given: Aim | float | str) -> float | None:
    if isinstance(given, Aim):
        return given.limit
    return None if isinstance(given, str) else float(given)


def _models(report: DecideReport) -> Iterator[Block | None]:
    """The models of the first arm, the chosen one first, and of the first arm of the other host."""
    for arm in dict.fromkeys(row.arm for row in report.models):
        tried = [row for row in report.models if row.arm == arm]
        middles = apart(*(100 * row.quality.median for row in tried), least=1)
        rows = [_model_row(row, middle) for row, middle in zip(tried, middles, strict=True)]
        header = (
            "model",
            "done well",
            "USD a month",
            "ms an answer (p95)",
            "score",
            "out because, or known by",
        )
        yield Table(header, rows[:_MODELS_SHOWN], title=f"{arm}: {len(tried)} models tried")
        rest = rows[_MODELS_SHOWN:]
        yield Fold(f"the other {len(rest)} of {arm}", [Table(header, rest)]) if rest else None


def _model_row(row: ModelFigure, middle: str) -> tuple[str, ...]:
    return (
        row.model + (" (taken)" if row.is_chosen else ""),
        f"{middle} % ({share(row.quality.low)} to {share(row.quality.high)})",
        _show_figure(row, row.month_usd),
        _show_figure(row, row.latency_ms),
        f"{row.score:.3f}",
        row.dropped or row.known,
    )


def _show_figure(row: ArmCost | ModelFigure, figure: Range) -> str:
    """A figure, or a dash where there is none."""
    return span(figure) if row.is_possible else "-"


def _score_plot(report: DecideReport) -> Plot:
    bars = [
        Point(row.arm, row.score, note=f"{row.score:.2f}, wins {share(row.win_share)}")
        for row in report.ranking
    ]
    return Plot(
        "Score of each option, 0 to 1",
        "bars",
        bars,
        "The score is the sum of weight times utility: 1 at the target, 0 at the limit. Wins: the share of"
        " samples of weights, prices and unknown inputs in which the option is first.",
    )


def _others(report: DecideReport) -> str:
    ranked = {row.arm for row in report.ranking}
    others = [
        f"{arm} {share(n)}" for arm, n in report.win_shares.items() if n and arm not in ranked
    ]
    if report.none_share:
        others.append(f"no option at all {share(report.none_share)}")
    return f"in the other samples wins: {', '.join(others)}" if others else ""


def _gates(report: DecideReport) -> Iterator[Block]:
    yield Text(
        "A gate never scores: it drops an option, or adds a duty, a warning or an advice.", "page"
    )
    rows = [_finding(finding) for finding in report.findings]
    findings = [f"{rule} {effect}: {arms}: {why} [{by}]" for rule, effect, arms, why, by in rows]
    yield Text("\n".join(findings), "terminal")
    yield Table(("rule", "effect", "arms", "why", "sources"), rows, is_for_page=True)


def _finding(finding: RuleFinding) -> tuple[str, str, str, str, str]:
    effect = finding.effect if finding.certain else f"would be {finding.effect}"
    arms = "; ".join(finding.arms) or "whatever is chosen"
    return (finding.rule, effect, arms, finding.reason, ", ".join(finding.sources))


def _changes(report: DecideReport) -> Iterator[Block | None]:
    """The weights, the inputs and the volume that turn the answer."""
    yield lines(*_turns(report))
    swings = report.swings[:_MOST_SWINGS]
    if swings:
        yield _swing_plot(swings)
    rows = [
        (
            swing.key,
            "no" if swing.is_unknown else "stated",
            swing.low,
            swing.low_winner or "nothing",
            swing.high,
            swing.high_winner or "nothing",
        )
        for swing in swings
    ]
    table = Table(("input", "known", "low", "wins there", "high", "wins there"), rows)
    yield Fold("Each input alone, at its low and its high end", [table]) if rows else None


def _turns(report: DecideReport) -> Iterator[str]:
    for flip in report.flips[:_FLIPS]:
        old, new = apart(flip.weight, flip.needed, least=2)
        change = f"weight of {flip.criterion} from {old} to {new}"
        yield f"{change}: {flip.new_winner}, with {flip.model}, wins"
    if not report.flips and report.ranking:
        yield "no weight alone: no other option wins by any one criterion"
    yield from _turning(report)
    for each in report.break_even:
        yield f"{each.method}: self-hosted is cheaper {_from(each.requests_per_month)}{each.reason}"


def _turning(report: DecideReport) -> Iterator[str]:
    turning = [swing for swing in report.swings if swing.turns][:_TURNING_SHOWN]
    yield from map(_swing, turning)
    if report.ranking and not turning:
        yield "no input alone within its range"


def _from(volume: Range | None) -> str:
    """From which volume on; empty where a reason says why there is none."""
    if volume is None:
        return ""
    return f"from {span(volume)} requests a month on; " if volume.high > 0 else "at any volume; "


def _swing(swing: Swing) -> str:
    ends = [
        f"{text}: {winner or 'nothing is left'}{f' with {model}' if model else ''}"
        for text, winner, lead, model in (
            (swing.low, swing.low_winner, swing.low_lead, swing.low_model),
            (swing.high, swing.high_winner, swing.high_lead, swing.high_model),
        )
        if lead is None or lead < 0 or model
    ]
    known = "unknown" if swing.is_unknown else "stated"
    return f"{swing.key} ({known}) at {'; at '.join(ends)}"


def _swing_plot(swings: tuple[Swing, ...]) -> Plot:
    """For each input the winner's lead between its two ends; an end that drops it reaches the edge."""
    leads = [lead for s in swings for lead in (s.low_lead, s.high_lead) if lead is not None]
    edge = -(max(map(abs, leads), default=0.0) or 1.0)
    return Plot(
        "Lead of the first choice by input",
        "swings",
        [_swing_point(swing, edge) for swing in swings],
        "Each input alone from its low to its high end. Right of the line the first choice leads, left of it"
        " another option wins; a bar to the very left: a gate drops the first choice.",
        across=Axis("another option wins|the first choice leads"),
    )


def _swing_point(swing: Swing, edge: float) -> Point:
    ends = [edge if lead is None else lead for lead in (swing.low_lead, swing.high_lead)]
    winners = f"{swing.low_winner or 'nothing'} at {swing.low}"
    winners += f", {swing.high_winner or 'nothing'} at {swing.high}"
    note, is_main = f"{swing.key}: {winners}", not swing.flips
    return Point(swing.key, 0.0, min(ends), max(ends), is_main=is_main, note=note)


def _cost(report: DecideReport) -> Iterator[Block | None]:
    """A row for each arm, ranked ones first; dropped ones are marked."""
    known = {cost.arm: cost for cost in report.costs}
    ranked = [row.arm for row in report.ranking]
    rows = []
    for arm in (*ranked, *(name for name in known if name not in ranked)):
        cost = known[arm]
        figures = [_show_figure(cost, getattr(cost, name)) for name in (*_COSTS, "whole_usd")]
        mark = "" if arm in ranked else f" (dropped: {', '.join(cost.dropped)})"
        rows.append((arm + mark, *figures, "; ".join(cost.how)))
    whole = f"USD in {report.spec.horizon_months} months, all"
    yield Text(
        "People's time is hours times what an hour costs (people_usd_per_hour): shown, not scored.",
        "page",
    )
    yield Table(("option", *_COSTS.values(), whole, "how"), rows)
    notes = [(note, cost.arm) for cost in report.costs for note in cost.notes]
    yield lines(*(f"{arm}: {note}" for note, arm in notes))
    yield _curve_plot(report) if report.curves else None


def _curve_plot(report: DecideReport) -> Plot:
    """Cost of a month over requests a month; the spec's volume is marked."""
    volume = report.spec.requests_per_month
    points = [
        Point(curve.arm, max(usd, _LEAST_USD), x=requests)
        for curve in report.curves
        for requests, usd in curve.usd_by_requests
    ]
    return Plot(
        "USD a month by requests a month",
        "lines",
        points,
        "Both axes by their logarithms, at middle prices; what is below 1 USD is drawn at 1. Where the lines"
        " cross, the cheaper option changes; the dotted upright line is your volume. A machine far above it"
        " needs a second one beside it.",
        across=Axis("requests a month", is_log=True),
        up=Axis("USD a month", is_log=True),
        marked=float(volume) if isinstance(volume, int) else None,
    )


def _next_step(report: DecideReport) -> Iterator[Block]:
    step = report.experiment
    if step is None:
        yield Text("Loosen what a dropped option names.")
        return
    yield Text(step.what)
    yield Text(
        f"because {step.why}; costs {span(step.usd)} USD and {span(step.hours)} hours of work"
    )
    if step.command:
        yield Text(step.command, "code")


def _table_of_assumptions(report: DecideReport) -> Table:
    return Table(("input", "taken"), list(report.assumptions.items()))


def _inputs(report: DecideReport) -> Iterator[Block]:
    stated = report.spec.model_dump(mode="json").items()
    yield Table(("input", "stated"), [(key, str(value)) for key, value in stated])
    sources = [
        (source.name, source.reference, str(source.observed_at)) for source in report.sources
    ]
    yield Table(("what", "who says so", "seen"), sources)
