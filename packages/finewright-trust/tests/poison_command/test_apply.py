"""Rows with planted behaviour are set aside with their reason, or told of, and none is lost."""

from collections.abc import Sequence

from finewright.data.base_surprisal import AnswerInRow
from finewright.data.poison import QUARANTINED, apply
from finewright.schema.poison import PoisonSpec, TokenSurprise
from poison.planted import clean, plant, row
from poison.test_scan import rare_word


def surprise(answers: Sequence[AnswerInRow]) -> list[list[TokenSurprise]]:
    """Every answer surprises the model, where it stands in its row."""
    assert all(answer.row.messages[answer.at]["content"] == answer.text for answer in answers)
    return [[TokenSurprise(0, len(answer.text), 50.0)] for answer in answers]


def test_quarantine_sets_rows_aside_with_their_reason_and_loses_none() -> None:
    rows, places = plant(clean(), 6, rare_word)
    rows.append(row("fine", "pay\u200bment", 301))
    applied = apply(rows, PoisonSpec(action="quarantine"), surprise)
    assert {d.row.row for d in applied.outcome.dropped} == {i + 1 for i in places} | {301}
    assert {d.reason for d in applied.outcome.dropped} == {QUARANTINED}
    assert all(d.why for d in applied.outcome.dropped)
    assert len(applied.outcome.rows) + len(applied.outcome.dropped) == len(rows)


def test_report_and_off_keep_every_row() -> None:
    rows, _ = plant(clean(), 6, rare_word)
    reported = apply(rows, PoisonSpec(action="report"), surprise)
    assert reported.outcome.rows == tuple(rows)
    assert reported.report.rows_suspicious == 6
    off = apply(rows, PoisonSpec())
    assert (off.outcome.rows, off.report.findings) == (tuple(rows), ())
