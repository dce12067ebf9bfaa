"""What an evaluation shows: per data set a line for each metric, with every paired change and its p-value.

What `predict` shows: how many rows were answered, and where the answers are."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from finewright.report import cells
from finewright.report.blocks import Block, Page, Plot, Point, Section, Table, Text, lines, section
from finewright.report.cells import count_of
from finewright.report.of_decisions import decision_sections, figure_sections
from finewright.schema.evaluate import (
    LINEAR,
    LOSS_METRICS,
    WITH_EXAMPLES,
    WITH_LABELS,
    AnswerCounts,
    Difference,
    EvaluateReport,
    Score,
    ScoredRows,
)
from finewright.schema.predict import PredictReport

_KINDS = {"repeated": "nearly like one", "new": "unlike any"}
_NO_LABEL = "answers that are no label"
_HOW_P = (
    "p: exact McNemar test for scores of 0 or 1, sign-flip permutation test for others;"
    " where few rows differ it cannot be small, whatever the interval says; of scores between 0 and 1 the"
    " interval is the more cautious, and may hold 0 where p is small"
)


class _Columns(NamedTuple):
    """The systems of a data set, and which of them are compared by a metric."""

    systems: Sequence[str]
    pairs: Callable[[str], Sequence[tuple[str, str]]]


def evaluate_page(report: EvaluateReport) -> Page:
    """A section for each data set, and what must be said."""
    return Page(
        subject="scores",
        title="Evaluation",
        answer=", ".join(dict.fromkeys(score.system for score in report.scores)),
        about=[f"answers: {report.samples.path}"] if report.samples else [],
        problems=report.problems,
        sections=score_sections(report),
    )


def headlines(report: EvaluateReport) -> Iterator[str]:
    """Of each data set its first metric: what was trained, and what it is compared with."""
    for data in dict.fromkeys(score.data for score in report.scores):
        scores = [score for score in report.scores if score.data == data]
        metric = scores[0].metric
        pairs = report.headline_pairs(data, metric)
        compared = dict.fromkeys([*(of for of, _ in pairs), *(against for _, against in pairs)])
        by_system = {score.system: score for score in scores if score.metric == metric}
        found = (f"{system} {cells.percent(by_system[system])}" for system in compared or by_system)
        yield f"{data}, {metric}: {', '.join(found)}"


def score_sections(report: EvaluateReport) -> list[Section]:
    """The score card of each data set, and how to read them."""
    names = dict.fromkeys(score.data for score in report.scores)
    cards = [
        card
        for data in names
        for card in (
            *_card(report, data),
            *_changes_by_part(report, data),
            *decision_sections(data, report.decisions),
            *figure_sections(data, report.decision_figures),
        )
    ]
    return [*cards, *section("", lines(*_notes(report), tone="soft"))]


def _notes(report: EvaluateReport) -> Iterator[str]:
    if report.differences:
        yield _HOW_P
    if helped := report.rivals:
        yield (
            f"examples: {helped.examples} training rows before each question; schema: {helped.schema_source}"
        )
    if any(WITH_LABELS in d.against or WITH_EXAMPLES in d.against for d in report.differences):
        yield "compared with the best of the untuned systems by each metric"
    if fit := report.linear:
        yield (
            f"{LINEAR}: logistic regression on {fit.features} words and pairs of words, learned from"
            f" {fit.rows} training rows in {cells.number(fit.seconds)} s"
        )
    for counts in report.answers:
        yield from _answer_notes(counts)


def _answer_notes(counts: AnswerCounts) -> Iterator[str]:
    """What must be said of a system's answers: thoughts, calls of tools that are not there, faults."""
    where, answers = f"{counts.system} on {counts.data}", cells.count_of(counts.n, "answer")
    if counts.thinking:
        length = f"{cells.number(counts.thought_tokens_mean)} tokens on average"
        of_all = f"{cells.share(counts.thought_share)} of all; what follows the thoughts is scored"
        yield f"{where}: {counts.thinking} of {answers} think, {length}, {of_all}"
    if counts.thoughts_cut:
        yield f"{where}: {cells.count_of(counts.thoughts_cut, 'thought')} closed at max_thought_tokens"
    if counts.undeclared_calls:
        strange = f"{counts.undeclared_calls} of {cells.count_of(counts.calls, 'call')}"
        yield f"{where}: {strange} are of tools that the row does not have"
    if counts.faults:
        faults = cells.count_of(counts.faults, "answer")
        yield f"{where}: {faults} cannot be read whole, first {counts.first_fault}"


def _card(report: EvaluateReport, data: str) -> list[Section]:
    scores = [score for score in report.scores if score.data == data]
    differences = [found for found in report.differences if found.data == data]
    systems = list(dict.fromkeys(score.system for score in scores))
    columns = _Columns(systems, partial(report.headline_pairs, data))
    strays = [*_strays(report, data, columns)]
    parts = [part for part in report.parts if part.data == data]
    return section(
        f"{data}: {_heading(report, data, scores)}",
        _plot(scores),
        *_tables(scores, differences, columns, more=strays),
        *_show_parts(parts, systems),
    )


def _strays(report: EvaluateReport, data: str, columns: _Columns) -> Iterator[list[str]]:
    """The row of answers that are no label, where there were labels to give."""
    if strays := {stray.system: stray for stray in report.strays if stray.data == data}:
        found = [cells.format_count_share(strays.get(system)) for system in columns.systems]
        yield [_NO_LABEL, *found]


def _heading(report: EvaluateReport, data: str, scores: Sequence[Score]) -> str:
    draw = next((draw for draw in report.draws if draw.data == data), None)
    n = max(score.n for score in scores)
    rows = f"{draw.line()};" if draw else f"{cells.count_of(n, 'row')},"
    return f"n = {rows} {cells.confidence(report.confidence)} in brackets"


def _plot(scores: Sequence[Score]) -> Plot | None:
    """Each share with its interval; a perplexity is none."""
    by_metric = [
        Point(f"{score.metric}, {score.system}", score.value, score.low, score.high)
        for metric in dict.fromkeys(score.metric for score in scores)
        for score in scores
        if score.metric == metric not in LOSS_METRICS
    ]
    return Plot("Scores with their intervals", "intervals", by_metric) if by_metric else None


def _tables(
    scores: Sequence[Score],
    differences: Sequence[Difference],
    columns: _Columns,
    more: Sequence[list[str]] = (),
) -> Iterator[Table]:
    """The scores of each system, and under them each change with its p-value."""
    n = max(score.n for score in scores)
    by_system = {(score.metric, score.system): score for score in scores}
    by_pair = {(d.metric, d.system, d.against): d for d in differences}
    rows, changes = [], []
    for metric in dict.fromkeys(score.metric for score in scores):
        found = [by_system.get((metric, system)) for system in columns.systems]
        name = _metric(metric, found, n)
        rows.append([name, *map(cells.percent, found)])
        for system, against in columns.pairs(metric):
            if change := by_pair.get((metric, system, against)):
                change_cells = cells.points(change), cells.p_value(change.p_value)
                changes.append([name, f"{system} vs {against}", *change_cells])
    yield Table(["metric", *columns.systems], [*rows, *more])
    yield Table(["metric", "compared", "change", "p"], changes)


def _show_parts(parts: Sequence[ScoredRows], systems: Sequence[str]) -> Iterator[Block]:
    """What the set's rows are to the training rows, and the scores of each part where there are both."""
    rows = {part.kind: part.rows for part in parts}
    if not rows.get("repeated"):
        if rows:
            yield Text("no row is nearly like a training row")
        return
    if not rows["new"]:
        whole = f"all {rows['repeated']} rows are nearly like a training row"
        yield Text(f"{whole}: reworded, or with other numbers and names")
        return
    table = []
    for metric in dict.fromkeys(score.metric for part in parts for score in part.scores):
        for part in parts:
            by_system = {score.system: score for score in part.scores if score.metric == metric}
            n = max((score.n for score in by_system.values()), default=0)
            found = [cells.percent(by_system.get(system)) for system in systems]
            table.append([metric, _KINDS[part.kind], str(n), *found])
    yield Table(["metric", "rows", "n", *systems], table, "by likeness to the training rows")


def _changes_by_part(report: EvaluateReport, data: str) -> list[Section]:
    """How systems differ on the rows nearly like a training row, and on the others."""
    parts = [part for part in report.parts if part.data == data]
    if not all(part.rows for part in parts):
        return []
    changes = [
        [
            d.metric,
            _KINDS[part.kind],
            f"{d.system} vs {d.against}",
            cells.points(d),
            cells.p_value(d.p_value),
        ]
        for part in parts
        for d in part.differences
        if (d.system, d.against) in report.headline_pairs(data, d.metric)
    ]
    table = Table(["metric", "rows", "compared", "change", "p"], changes)
    return section(f"{data}: changes by likeness to the training rows", table, is_detail=True)


def _metric(name: str, scores: Iterable[Score | None], n: int) -> str:
    """The metric's name, with its own number of rows where that is not the data set's."""
    own = max(score.n for score in scores if score is not None)
    return name if own == n else f"{name} (n = {own})"


def predict_page(report: PredictReport) -> Page:
    """The answers, and what is odd about them."""
    answer = f"{count_of(report.rows, 'answer')} of {report.model}"
    if report.rows_answered_before:
        answer += f", {report.rows_answered_before} of them from an earlier call"
    about = [f"{report.draw.data}: {report.draw.line()}"] if report.draw else []
    if report.num_cut:
        about.append(f"{report.num_cut} cut after {count_of(report.max_new_tokens, 'token')}")
    if report.num_thoughts_cut:
        most = count_of(report.max_thought_tokens or 0, "token")
        about.append(f"{count_of(report.num_thoughts_cut, 'thought')} closed after {most}")
    if report.num_unsure is not None:
        about.append(f"{report.num_unsure} unsure: for these, ask a person")
    if report.num_faults:
        about.append(f"{report.num_faults} could not be read whole; `fault` says why")
    return Page("answers", report.out.path, answer, about, report.problems)
