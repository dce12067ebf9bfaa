"""A migration, for a terminal."""

from collections.abc import Iterator, Sequence

from finewright.render.reports import text_of
from finewright.render.text import printable, table
from finewright.schema.evaluate import Difference, Score
from finewright.schema.migrate import Bound, MigrateReport

BOUND_HEADER = ("metric", "old", "new", "base", "new - old", "at least (one-sided)")
RECALL_HEADER = ("rows", *BOUND_HEADER)
RECALL_TITLE = "against the right answers, by what the rows are to the training rows"
CARRIED_HEADER = ("setting", "there", "key", "here", "why")


@text_of.register
def _(report: MigrateReport) -> str:
    parts = [
        printable(f"{report.name}: {report.old_model} -> {report.base_model}"),
        "\n".join(report.deadlines),
        _section("the job's settings", table(CARRIED_HEADER, carried_rows(report)), report.carried),
        "\n".join(facts(report)),
        _section(
            expected_title(report), table(BOUND_HEADER, bound_rows(report)), bound_rows(report)
        ),
        _section(RECALL_TITLE, table(RECALL_HEADER, recall_rows(report)), recall_rows(report)),
        _section(
            agreement_title(report), table(("metric", "agreement"), agreement_rows(report)), True
        ),
        "\n".join(f"{problem.level}: {problem.line()}" for problem in report.problems),
        report.sentence,
    ]
    return "\n\n".join(part for part in parts if part)


def carried_rows(report: MigrateReport) -> list[tuple[str, ...]]:
    """A row for each setting of the hosted job."""
    return [
        (
            c.setting,
            c.value,
            c.key or "no counterpart" if not c.becomes else c.key,
            c.becomes,
            c.why,
        )
        for c in report.carried
    ]


def facts(report: MigrateReport) -> Iterator[str]:
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


def expected_title(report: MigrateReport) -> str:
    """What the first table compares."""
    return f"against the right answers, n = {report.golden.rows_expected}"


def bound_rows(report: MigrateReport) -> list[tuple[str, ...]]:
    """A row for each metric against the right answers."""
    return _bound_cells(report.against_expected)


def _bound_cells(bounds: Sequence[Bound]) -> list[tuple[str, ...]]:
    return [
        (
            b.difference.metric,
            score(b.old),
            score(b.new),
            score(b.base),
            difference(b.difference),
            f"{100 * b.bound:+.1f}",
        )
        for b in bounds
    ]


def recall_rows(report: MigrateReport) -> list[tuple[str, ...]]:
    """A row for each metric on golden rows that repeat training rows, and on new ones; none where no right
    answer is known or no row repeats one."""
    parts = {"repeat training rows but for values": report.repeated_rows, "new": report.new_rows}
    return [
        (f"{rows}, n = {bound.difference.n}", *cells)
        for rows, bounds in parts.items()
        for bound, cells in zip(bounds, _bound_cells(bounds), strict=True)
        if report.rows_repeated
    ]


def agreement_title(report: MigrateReport) -> str:
    """What the second table compares."""
    level = f"{100 * report.stated.confidence:g} %"
    least = f"{100 * report.agreement_bound:.1f} %"
    same = f"the same answer to at least {least} (one-sided {level})"
    return f"new against old, n = {report.golden.rows}: {same}"


def agreement_rows(report: MigrateReport) -> list[tuple[str, ...]]:
    """A row for each metric of the new answers against the old."""
    return [(found.metric, score(found)) for found in report.agreement]


def score(found: Score) -> str:
    """A share with its interval."""
    return f"{100 * found.value:.1f} % ({100 * found.low:.0f}-{100 * found.high:.0f})"


def difference(found: Difference) -> str:
    """Points with their interval."""
    value, low, high = (100 * end for end in (found.value, found.low, found.high))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def _section(title: str, body: str, is_there: object) -> str:
    return f"{title}\n{body}" if is_there else ""
