"""A migration: the job's settings, the frozen answers, the scores beside them, and the verdict."""

import shlex
from collections.abc import Iterator, Sequence

from finewright.report.blocks import Block, Page, Table, Text, section
from finewright.report.cells import percent, points, share
from finewright_bridge.migrate.results import Bound, MigrateReport

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
            *section("The job's settings", _carried(report)),
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
    parts = {"repeat training rows but for values": report.repeated_rows, "new": report.new_rows}
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


def _carried(report: MigrateReport) -> Table:
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
