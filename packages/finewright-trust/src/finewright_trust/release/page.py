"""What a release, a bundle and a gate show: the verdict, and a line for each rule, fault or part."""

from finewright.report import cells
from finewright.report.blocks import Page, Section, Text, lines, section, table_of
from finewright_trust.release.compared import ComparedPart
from finewright_trust.release.report import (
    BundleReport,
    Decision,
    GateReport,
    Outcome,
    ReleaseReport,
)

NOT_PROVED = (
    "Not proved: what no rule asks; that evidence is true which its maker made up before it was signed; whose"
    " a key is, which only its holder can say."
)


def release_page(report: ReleaseReport) -> Page:
    """Whether it was released, each rule with what mends it, and who agreed."""
    return Page(
        "a release",
        f"Release of {report.run}",
        _verdict(report),
        about=[f"policy sha256 {report.policy}"],
        problems=report.problems,
        sections=[*_judged(report), *section("", Text(NOT_PROVED, "page"))],
    )


def _verdict(report: ReleaseReport) -> str:
    if report.passed:
        size = sum(file.bytes for file in report.files) / 2**20
        what = (
            f"{cells.count_of(len(report.files), 'file')}, {size:,.1f} MiB, in {report.seconds:g} s"
        )
        return (
            f"released: {report.bundle} ({what}); check it with: finewright verify {report.bundle}"
            f" --key {report.key}"
        )
    if report.red:
        return f"not released: {', '.join(each.rule for each in report.red)}"
    found = f"{len(report.approvals)} of {report.approvals_needed} approvals"
    return f"not released yet: {found}: finewright release {report.run} --approve --by NAME"


def _judged(report: ReleaseReport) -> list[Section]:
    columns = {
        "rule": lambda each: each.rule,
        "": _status,
        "what was found": lambda each: each.says,
        "what measures or fixes it": lambda each: each.command,
    }
    left_out = f"not asked by this policy: {', '.join(report.left_out)}" if report.left_out else ""
    taken = [each.accepted for each in report.outcomes if each.accepted]
    return [
        *section("Rules", table_of(report.outcomes, columns), lines(*filter(None, [left_out]))),
        *section("Accepted", lines(*(f"{each.rule}: {_describe(each)}" for each in taken))),
        *section("Approved", lines(*map(_describe, report.approvals))),
        *section("Void", lines(*report.void)),
    ]


def _status(each: Outcome) -> str:
    if each.accepted:
        return f"{each.status}, accepted"
    return (
        each.status
        if each.required or each.status != "not measured"
        else f"{each.status}, not required"
    )


def _describe(each: Decision) -> str:
    reason = f": {each.reason}" if each.reason else ""
    return f"{each.by} ({each.actor.describe()}), {each.made:%Y-%m-%d %H:%M} UTC{reason}"


def bundle_page(report: BundleReport) -> Page:
    """Whether every byte is as it was signed, and what the bundle says of itself."""
    faults = cells.count_of(len(report.problems), "fault")
    sound = f"every byte is as the holder of {report.key} signed it"
    prover = f"provenance signed by {report.prover}" if report.prover else ""
    return Page(
        "a bundle",
        report.bundle,
        sound if report.passed else f"{faults}: do not use it",
        about=[*filter(None, [cells.count_of(report.files, "file"), prover])],
        problems=report.problems,
        sections=_judged(report.release) if report.release else [],
    )


def gate_page(report: GateReport) -> Page:
    """Whether the change is as good, and a line for each metric and part."""
    worse = [each for each in report.parts if each.verdict != "no worse"]
    named = ", ".join(f"{each.metric} of {each.part}" for each in worse)
    columns = {
        "rows": lambda each: each.part,
        "metric": lambda each: each.metric,
        "n": lambda each: cells.count(each.rows),
        "base": lambda each: f"{100 * each.theirs:.1f}",
        "change": lambda each: f"{100 * each.ours:.1f}",
        "difference": _difference,
        "": lambda each: each.verdict,
        "why": lambda each: each.says,
    }
    return Page(
        "a gate",
        f"{report.change} against {report.base}",
        f"red: {named}" if worse else "green: as good on all rows, and worse in no part",
        about=[f"margin {100 * report.margin:g} points, {cells.confidence(report.confidence)}"],
        problems=report.problems,
        sections=[*section("Compared, in points", table_of(report.parts, columns))],
    )


def _difference(each: ComparedPart) -> str:
    ends = f"{100 * each.low:+.1f} to {100 * each.high:+.1f}"
    return f"{100 * each.difference:+.1f} ({ends})"
