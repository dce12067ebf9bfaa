"""What the report of a red team shows: the worst first, each with its rate, its evidence and its mend."""

from collections.abc import Callable, Iterator, Sequence

from finewright.report import cells
from finewright.report.blocks import (
    Block,
    Fold,
    Page,
    Plot,
    Point,
    Quote,
    Section,
    Text,
    lines,
    section,
    table_of,
)
from finewright_trust.redteam.finding import AttackFinding, Evidence, Rate, RedteamReport, counts


def redteam_page(report: RedteamReport) -> Page:
    """The verdict, a table of all findings, and each with what it needs to be believed and mended."""
    return Page(
        "a red team",
        f"Red team of {report.subject}",
        _verdict(report),
        about=[f"seed {report.seed}; {cells.confidence(report.confidence)} in brackets"],
        problems=report.problems,
        sections=[
            *section("Findings", _table(report), _plot(report)),
            *(
                part
                for found in report.findings
                if found.severity != "none"
                for part in _one(found)
            ),
            *section("Attacks", _attacks(report)),
        ],
    )


def _verdict(report: RedteamReport) -> str:
    found = counts(report.findings)
    there = ", ".join(f"{number} {level}" for level, number in found.items() if level != "none")
    tried = cells.count_of(len(report.findings), "thing was", "things were")
    if not report.passed:
        bar = f"{len(report.failing)} at or above the bar ({report.fail_at})"
        return f"failed: {tried} tried, {there}; {bar}"
    bar = f", none at or above the bar ({report.fail_at})" if report.fail_at != "none" else ""
    return f"passed: {tried} tried, {there or 'nothing came of any'}{bar if there else ''}"


def _table(report: RedteamReport) -> Block:
    columns = {
        "severity": lambda f: f.severity,
        "attack": lambda f: f.attack,
        "what": lambda f: f.title,
        **{name: _rate_of(name) for name in report.systems},
        "measured": lambda f: ", ".join(_list_measured(f, report.systems)),
        "OWASP": lambda f: f.owasp,
        "ATLAS": lambda f: f.atlas,
    }
    return table_of(report.findings, columns)


def _list_measured(found: AttackFinding, systems: Sequence[str]) -> Iterator[str]:
    """Its figures, and rates of what is none of the systems, such as a training of the attack's own."""
    yield from (f"{each.name} {cells.number(each.value)}" for each in found.figures)
    for rate in found.rates:
        if rate.system not in systems:
            yield f"{rate.system} {_say_rate(rate)}"


def _rate_of(system: str) -> Callable[[AttackFinding], str]:
    def say(found: AttackFinding) -> str:
        rate = next((r for r in found.rates if r.system == system), None)
        return _say_rate(rate) if rate else ""

    return say


def _say_rate(rate: Rate) -> str:
    return f"{rate.hits} of {rate.trials} ({100 * rate.low:.0f}-{100 * rate.high:.0f} %)"


def _plot(report: RedteamReport) -> Plot | None:
    points = [
        Point(
            f"{f.attack} {f.name}, {r.system}",
            r.share,
            r.low,
            r.high,
            is_main=r.system == report.systems[-1],
        )
        for f in report.findings
        for r in f.rates
    ]
    return Plot("How often each attack worked", "intervals", points) if points else None


def _one(found: AttackFinding) -> list[Section]:
    return section(f"{found.title}: {found.severity}", *_blocks(found))


def _blocks(found: AttackFinding) -> Iterator[Block | None]:
    yield Text(found.says)
    yield lines(
        *(f"fix: {m.what}" + (f"\n  {m.command}" if m.command else "") for m in found.mends)
    )
    yield Text(found.again, "code")
    if found.evidence:
        yield Fold("Evidence", [Quote(e.where or "a try", _evidence(e)) for e in found.evidence])


def _evidence(one: Evidence) -> str:
    other = f"\n\nthe other answers:\n{one.other}" if one.other else ""
    return f"{one.prompt}\n\nanswer:\n{one.answer}{other}"


def _attacks(report: RedteamReport) -> Block:
    return table_of(
        report.attacks,
        {
            "attack": lambda a: a.name,
            "findings": lambda a: "" if a.skipped else cells.count(a.findings),
            "seconds": lambda a: "" if a.skipped else cells.number(a.seconds),
            "not tried, because it": lambda a: a.skipped,
        },
    )
