"""A migration: the job's settings, the frozen answers, the scores beside them, and the verdict.

From a hosted fine-tune to an open model: what was read, what it became, and whether it is as good."""

import shlex
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Literal

from pydantic import Field

from finewright.report.blocks import Block, Page, Table, Text, section
from finewright.report.cells import percent, points, share
from finewright.schema.common import Artifact, Model, Problem, Source
from finewright.schema.evaluate import Difference, Score

Verdict = Literal["parity", "worse", "open"]


class Carried(Model):
    """A setting of the hosted job, and what it is in the run's spec; `key` is empty where it has no
    counterpart."""

    setting: str
    value: str
    key: str = ""
    becomes: str = ""
    why: str


class ParityTerms(Model):
    """What parity is, said before the new model's answers exist: by `metric`, the new model may be at most
    `margin` below the old one, at a one-sided `confidence`."""

    metrics: tuple[str, ...]
    margin: float
    confidence: float
    golden_sha256: str
    stated_on: date

    @property
    def metric(self) -> str:
        """The one that decides: the first."""
        return self.metrics[0]


class Golden(Model):
    """The frozen answers of the old model: `origin` is the recorded file, or the address that was asked."""

    file: Artifact
    origin: str
    model: str
    rows: int
    rows_expected: int = Field(description="Of these, rows whose right answer is known.")


class Bound(Model):
    """Non-inferiority by a metric: new minus old on the same rows, its two-sided interval, and the one-sided
    bound that must stay above -margin."""

    old: Score
    new: Score
    base: Score
    difference: Difference
    bound: float
    rows_needed: int | None = Field(
        description="Rows with which equal models would pass four times in five; None where none differs."
    )


class Apart(Model):
    """A prompt that both models answer otherwise."""

    row: int
    prompt: str
    expected: str | None
    old: str
    new: str


class MigrateReport(Model):
    """The whole way from the hosted model to the open one."""

    name: str
    old_model: str
    base_model: str
    deadlines: tuple[str, ...]
    carried: tuple[Carried, ...]
    files: tuple[Source, ...]
    rows_read: int
    rows_train: int
    rows_removed: dict[str, int] = Field(
        description="Training rows that a golden prompt is near, by how."
    )
    golden: Golden
    stated: ParityTerms
    run: str
    against_expected: tuple[Bound, ...] = Field(
        description="Old and new model against the right answers, where they are known."
    )
    rows_repeated: int | None = Field(
        None, description="Golden rows that are training rows with other values."
    )
    repeated_rows: tuple[Bound, ...] = Field(
        (), description="As `against_expected`, on those rows alone."
    )
    new_rows: tuple[Bound, ...] = Field((), description="As `against_expected`, on all other rows.")
    agreement: tuple[Score, ...] = Field(description="The new model's answers against the old's.")
    agreement_bound: float = Field(
        description="One-sided lower bound of the share of rows with the same answer."
    )
    verdict: Verdict
    sentence: str
    apart: tuple[Apart, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """Parity is proved."""
        return self.verdict == "parity"


_BOUNDS = ("metric", "old", "new", "base", "new - old", "at least (one-sided)")


def migrate_page(report: MigrateReport) -> Page:
    """The whole way from the hosted model to the open one."""
    golden = report.golden
    level = f"one-sided {100 * report.stated.confidence:g} %"
    return Page(
        subject="a migration",
        title=report.name,
        answer=report.sentence,
        about=[f"{report.old_model} -> {report.base_model}", *_facts(report)],
        problems=report.problems,
        notice="; ".join(report.deadlines),
        sections=[
            *section(
                f"Against the right answers, n = {golden.rows_expected}",
                Table(_BOUNDS, _bounds(report.against_expected)),
                *_recall(report),
            ),
            *section(
                f"New against old, n = {golden.rows}",
                Text(f"the same answer to at least {share(report.agreement_bound)} ({level})"),
                Table(
                    ("metric", "agreement"),
                    [(found.metric, percent(found)) for found in report.agreement],
                ),
            ),
            *section("Where they differ", *_apart(report), is_for_page=True),
            *section("The job's settings", _table_of_carried(report)),
            *section("Files", _files(report), is_for_page=True),
        ],
    )


def _facts(report: MigrateReport) -> Iterator[str]:
    """What was trained on, and what is frozen."""
    how = ", ".join(f"{why} {n}" for why, n in report.rows_removed.items())
    total = sum(report.rows_removed.values())
    apart = f"; {total} left out, as they are near golden prompts ({how})" if total else ""
    yield f"rows: {report.rows_read} read, {report.rows_train} trained on{apart}"
    golden, stated = report.golden, report.stated
    yield (
        f"golden set: {golden.rows} answers of {golden.origin}, {golden.rows_expected} with the right answer"
        f" known; sha256 {golden.file.sha256[:16]}"
    )
    yield (
        f"stated on {stated.stated_on}, before training: by {stated.metric}, at most"
        f" {100 * stated.margin:g} points below the old model, one-sided {100 * stated.confidence:g} %"
    )
    yield f"run: {report.run}"
    yield f"serve it: finewright serve {shlex.quote(report.run)}"


def _bounds(bounds: Sequence[Bound]) -> list[tuple[str, ...]]:
    return [
        (
            bound.difference.metric,
            percent(bound.old),
            percent(bound.new),
            percent(bound.base),
            points(bound.difference),
            f"{100 * bound.bound:+.1f}",
        )
        for bound in bounds
    ]


def _recall(report: MigrateReport) -> Iterator[Block]:
    """The same on golden rows that repeat training rows, and on new ones, where any row repeats one."""
    if not report.rows_repeated:
        return
    parts = {"nearly like a training row": report.repeated_rows, "new": report.new_rows}
    rows = [
        (f"{what}, n = {bound.difference.n}", *cells)
        for what, bounds in parts.items()
        for bound, cells in zip(bounds, _bounds(bounds), strict=True)
    ]
    yield Table(
        ("rows", *_BOUNDS), rows, "What of it is recall, by what the rows are to training rows"
    )


def _apart(report: MigrateReport) -> Iterator[Block]:
    rows = [(str(a.row), a.prompt, a.expected or "", a.old, a.new) for a in report.apart]
    if rows:
        yield Text("Some of the golden prompts that the two models answer otherwise.")
        yield Table(("row", "prompt", "right answer", "old", "new"), rows)


def _table_of_carried(report: MigrateReport) -> Table:
    rows = [
        (
            c.setting,
            c.value,
            c.key or "no counterpart" if not c.becomes else c.key,
            c.becomes,
            c.why,
        )
        for c in report.carried
    ]
    return Table(("setting", "there", "key", "here", "why"), rows)


def _files(report: MigrateReport) -> Table:
    golden = report.golden.file
    rows = [(source.path, source.sha256) for source in report.files]
    return Table(("file", "sha256"), [*rows, (golden.path, golden.sha256)])
