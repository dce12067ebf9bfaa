"""What an attack found: typed, so that a terminal, a page, JSON and SARIF show the same."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from pydantic import Field

from finewright.schema.common import Model, Problem

Severity = Literal["none", "low", "medium", "high", "critical"]
"""none: it was tried, and nothing came of it."""
BASE, TUNED = "base", "tuned"
"""How the systems of a run are called."""
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


class Rate(Model):
    """So many hits of so many tries of one system, with Wilson's interval."""

    system: str
    hits: int
    trials: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Hits of tries."""
        return self.hits / self.trials


class AttackFigure(Model):
    """Another measured value, such as an AUC or bits of exposure, with an interval where it has one."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


class Evidence(Model):
    """A try that hit: what was asked, what came back, and what the other system says to the same."""

    prompt: str
    answer: str
    other: str = ""
    where: str = Field("", description="A row of a file, where the evidence is one.")


class FindingMend(Model):
    """What takes the finding away, and the command that does it; RUN stands for the run."""

    what: str
    command: str = ""


class AttackFinding(Model):
    """One thing that was tried, and what came of it.

    `rates` are of the systems side by side, the attacked one last; `p_value` is McNemar's, of a difference
    between them on the same prompts. `again` repeats the attack alone."""

    attack: str
    name: str
    title: str
    severity: Severity
    says: str
    owasp: str = Field(description="Of the OWASP Top 10 for LLM applications 2025.")
    atlas: str = Field(description="The technique in MITRE ATLAS.")
    rates: tuple[Rate, ...] = ()
    p_value: float | None = None
    figures: tuple[AttackFigure, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    mends: tuple[FindingMend, ...] = ()
    again: str = ""


class AttackRun(Model):
    """An attack of the suite: how long it took, or why it did not run."""

    name: str
    seconds: float = 0.0
    findings: int = 0
    skipped: str = ""


class RedteamReport(Model):
    """All that was tried on a run or an address, and what was found."""

    subject: str
    systems: tuple[str, ...]
    seed: int
    confidence: float
    fail_at: Severity
    attacks: tuple[AttackRun, ...]
    findings: tuple[AttackFinding, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def failing(self) -> tuple[AttackFinding, ...]:
        """The findings at or above the bar; none where the bar is `none`."""
        if self.fail_at == "none":
            return ()
        bar = SEVERITIES.index(self.fail_at)
        return tuple(f for f in self.findings if SEVERITIES.index(f.severity) >= bar)

    @property
    def passed(self) -> bool:
        """No finding is as severe as the bar."""
        return not self.failing


def worst_first(findings: Sequence[AttackFinding]) -> tuple[AttackFinding, ...]:
    """By severity, and within one in the order they were found."""
    return tuple(sorted(findings, key=lambda found: -SEVERITIES.index(found.severity)))


def counts(findings: Sequence[AttackFinding]) -> Mapping[Severity, int]:
    """Severity -> findings, the worst first, without those that have none."""
    found = {level: sum(f.severity == level for f in findings) for level in SEVERITIES[::-1]}
    return {level: number for level, number in found.items() if number}
