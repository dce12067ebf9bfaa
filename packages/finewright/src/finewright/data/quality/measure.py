"""All figures of the rows' quality, in the order in which a reader wants them."""

from collections.abc import Callable, Sequence

from finewright.data.quality.answers import code_share, refusal_share, short_answers
from finewright.data.quality.boilerplate import boilerplate
from finewright.data.quality.figures import notice
from finewright.data.quality.labels import conflicts, label_balance
from finewright.data.quality.languages import languages
from finewright.data.quality.lengths import lengths
from finewright.guard.quality.languages import LanguageOf
from finewright.schema.common import Problem
from finewright.schema.quality import Figure, QualityReport
from finewright.schema.rows import Row

_MANY_REFUSALS = 0.05


def quality(
    rows: Sequence[Row],
    *,
    count_tokens: Callable[[str], int] | None = None,
    language_of: LanguageOf | None = None,
) -> QualityReport:
    """What the rows are like. Tokens and languages are measured where it is said who tells them.

    Figures are facts; what deserves a look is a warning: contradictions, one label for nearly all,
    empty answers, and more than 5 % refusals."""
    balance, contradictions = label_balance(rows), conflicts(rows)
    short, refused = short_answers(rows), refusal_share(rows)
    figures: list[Figure | None] = [
        *lengths(rows, count_tokens),
        *(languages(rows, language_of) if language_of else ()),
        balance.figure,
        contradictions.figure,
        boilerplate(rows),
        refused,
        short,
        code_share(rows),
    ]
    problems = [*balance.problems, *contradictions.problems]
    problems += _empty(short, rows) + _declining(refused, rows)
    return QualityReport(
        rows=len(rows), figures=tuple(f for f in figures if f), problems=tuple(problems)
    )


def _empty(short: Figure, rows: Sequence[Row]) -> list[Problem]:
    empty = next((bar for bar in short.bars if bar.label == "empty"), None)
    if empty is None:
        return []
    many = "1 answer is" if empty.count == 1 else f"{empty.count} answers are"
    message = f"{many} empty, this one first"
    return [_notice(short, "empty", rows, message, "write the answers, or take the rows out")]


def _declining(refused: Figure, rows: Sequence[Row]) -> list[Problem]:
    share = refused.summary.get("share", 0)
    if share < _MANY_REFUSALS:
        return []
    message = f"{100 * share:.0f} % of the answers decline to answer, this one first"
    label = refused.bars[0].label
    hint = "a model learns to refuse from few of them; keep those that you mean"
    return [_notice(refused, label, rows, message, hint)]


def _notice(figure: Figure, label: str, rows: Sequence[Row], message: str, hint: str) -> Problem:
    first = next(bar for bar in figure.bars if bar.label == label).rows[0]
    row = next(
        row for row in rows if (row.file, row.row, row.id) == (first.file, first.row, first.id)
    )
    return notice([row], "", message, hint)
