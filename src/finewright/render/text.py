"""Plain text for a terminal or a log: aligned tables and the score card, without control codes."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from finewright.schema.evaluate import (
    LINEAR,
    AnswerCounts,
    Difference,
    Draw,
    EvaluateReport,
    Score,
    ScoredRows,
    StrayAnswers,
)

_NUMERIC = re.compile(r"[-+<]?\s?[0-9]")
_GAP = "  "
_NO_LABEL = "answers that are no label"
_HOW_P = (
    "p: exact McNemar test for scores of 0 or 1, sign-flip permutation test for others;\n"
    "where few rows differ it cannot be small, whatever the interval says"
)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows under their header, a column of numbers flush right and any other flush left.

    Wide characters take two cells and combining marks none; control characters become spaces,
    so that a name cannot move the cursor. Every row has as many cells as the header."""
    lines = [[printable(cell) for cell in row] for row in (header, *rows)]
    columns = [_column(cells) for cells in zip(*lines, strict=True)]
    return "\n".join(_GAP.join(row).rstrip() for row in zip(*columns, strict=True))


def score_card(report: EvaluateReport) -> str:
    """Per data set, a line per metric: each system's score, each paired change and its p-value.

    Below, the same for the rows that repeat training rows and for new ones, and what must be said."""
    names = dict.fromkeys(score.data for score in report.scores)
    cards = [_data_card(report, data) for data in names]
    notes = [_HOW_P] if report.differences else []
    if fit := report.linear:
        notes.append(
            f"{LINEAR}: logistic regression on {fit.features} words and pairs of words, learned from"
            f" {fit.rows} training rows in {fit.seconds:.1f} s"
        )
    notes += [line for counts in report.answers for line in _answer_notes(counts)]
    notes += [f"{problem.level}: {problem.line()}" for problem in report.problems]
    return "\n\n".join([*cards, "\n".join(notes)] if notes else cards)


def _answer_notes(counts: AnswerCounts) -> Iterator[str]:
    """What must be said of a system's answers: thoughts, calls of tools that are not there, faults."""
    where = f"{counts.system} on {counts.data}"
    if counts.thinking:
        length = f"{counts.thought_tokens_mean:.0f} tokens on average"
        yield (
            f"{where}: {counts.thinking} of {counted(counts.n, 'answer')} think, {length},"
            f" {100 * counts.thought_share:.0f} % of all; what follows the thoughts is scored"
        )
    if counts.undeclared_calls:
        strange = f"{counts.undeclared_calls} of {counted(counts.calls, 'call')}"
        yield f"{where}: {strange} are of tools that the row does not have"
    if counts.faults:
        yield f"{where}: {counted(counts.faults, 'answer')} cannot be read whole, first {counts.first_fault}"


def printable(text: str) -> str:
    """The text with a space for each control character, so that it cannot move the cursor."""
    return "".join(character if character.isprintable() else " " for character in text)


def counted(number: int, what: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _data_card(report: EvaluateReport, data: str) -> str:
    of_set = [score for score in report.scores if score.data == data]
    pairs = report.headline_pairs(data)
    n = max(score.n for score in of_set)
    systems = list(dict.fromkeys(score.system for score in of_set))
    rows = _metric_rows(of_set, [d for d in report.differences if d.data == data], systems, pairs)
    if counted := {stray.system: stray for stray in report.strays if stray.data == data}:
        cells = [_stray(counted.get(system)) for system in systems]
        rows.append([_NO_LABEL, *cells, *[""] * (2 * len(pairs))])
    parts = [part for part in report.parts if part.data == data]
    draw = next((draw for draw in report.draws if draw.data == data), None)
    heading = f"{printable(data)}: {_heading(n, draw, report.confidence)}"
    text = f"{heading}\n{table(_header(systems, pairs), rows)}"
    return "\n".join([text, *_parts(parts, systems, pairs)])


def _header(systems: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[str]:
    header = ["metric", *systems]
    for system, against in pairs:
        header += [f"{system} - {against}", "p"]
    return header


def _metric_rows(
    scores: Sequence[Score],
    differences: Sequence[Difference],
    systems: Sequence[str],
    pairs: Sequence[tuple[str, str]],
) -> list[list[str]]:
    n = max(score.n for score in scores)
    by_system = {(score.metric, score.system): score for score in scores}
    by_pair = {(d.metric, d.system, d.against): d for d in differences}
    rows = []
    for metric in dict.fromkeys(score.metric for score in scores):
        found = [by_system.get((metric, system)) for system in systems]
        changes = [by_pair.get((metric, *pair)) for pair in pairs]
        rows.append([_metric(metric, found, n), *map(_score, found), *_changes(changes)])
    return rows


def _parts(
    parts: Sequence[ScoredRows], systems: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> Iterator[str]:
    """What the set's rows are to the training rows, and a table of each part where there are both."""
    rows = {part.kind: part.rows for part in parts}
    if not rows.get("repeated"):
        if rows:
            yield "no row repeats a training row"
        return
    if not rows["new"]:
        yield f"all {rows['repeated']} rows repeat training rows, but for values such as numbers and names"
        return
    for part in parts:
        what = "repeat training rows but for values" if part.kind == "repeated" else "are new"
        yield f"the {part.rows} rows that {what}"
        cells = _metric_rows(part.scores, part.differences, systems, pairs)
        yield table(_header(systems, pairs), cells)


def _stray(found: StrayAnswers | None) -> str:
    if found is None:
        return ""
    return f"{found.count} ({100 * found.count / found.n:.1f} %)"


def _heading(n: int, draw: Draw | None, confidence: float) -> str:
    rows = f"{draw.line()};" if draw else f"{counted(n, 'row')},"
    return f"n = {rows} {100 * confidence:g} % intervals in brackets"


def _metric(name: str, scores: Iterable[Score | None], n: int) -> str:
    """The metric's name, with its own number of rows where that is not the data set's."""
    own = max(score.n for score in scores if score is not None)
    return name if own == n else f"{name} (n = {own})"


def _score(score: Score | None) -> str:
    if score is None:
        return ""
    if score.metric == "perplexity":
        return f"{score.value:.2f} ({score.low:.2f}-{score.high:.2f})"
    return f"{100 * score.value:.1f} % ({100 * score.low:.0f}-{100 * score.high:.0f})"


def _changes(differences: Iterable[Difference | None]) -> list[str]:
    return [
        cell
        for found in differences
        for cell in (("", "") if found is None else (_change(found), p_value(found.p_value)))
    ]


def _change(found: Difference) -> str:
    if found.metric == "perplexity":
        return f"{found.value:+.2f} ({found.low:+.2f} to {found.high:+.2f})"
    low, high = f"{100 * found.low:+.0f}", f"{100 * found.high:+.0f}"
    return f"{100 * found.value:+.1f} points ({low} to {high})"


def p_value(value: float) -> str:
    """Three digits."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"  # noqa: PLR2004


def _column(cells: Sequence[str]) -> list[str]:
    width = max(map(_width, cells))
    filled = [cell for cell in cells[1:] if cell]
    right = bool(filled) and all(_NUMERIC.match(cell) for cell in filled)
    return [_pad(cell, width, right=right) for cell in cells]


def _pad(cell: str, width: int, *, right: bool) -> str:
    space = " " * (width - _width(cell))
    return space + cell if right else cell + space


def _width(text: str) -> int:
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
