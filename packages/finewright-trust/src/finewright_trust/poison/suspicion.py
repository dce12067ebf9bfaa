"""A suspicion: the finding for the report, and the rows that it rests on."""

from collections.abc import Sequence
from typing import NamedTuple

from finewright.schema.common import Problem
from finewright.schema.poison import EvidenceRow, FindingKind, PoisonFinding
from finewright.schema.rows import RowTexts
from finewright_trust.poison.backdoors import Corpus, Suspect
from finewright_trust.poison.weigh import payload_spans

_MOST_QUOTED = 100
_SHOWN_TRIGGERS = 5


class Suspicion(NamedTuple):
    """What is told, and the places of the rows."""

    finding: PoisonFinding
    rows: tuple[int, ...]


def of_suspect(
    known: Corpus, suspect: Suspect, surprise: str, *, level_high: bool, score: float
) -> Suspicion:
    """Triggers with what goes with them, or answers that hold the same words."""
    quotes = {doc: _quote(known, suspect, doc) for doc in suspect.docs}
    triggers = ", ".join(f'"{" ".join(t)}"' for t in suspect.triggers[:_SHOWN_TRIGGERS])
    payload = max(quotes.values(), key=len, default="")
    num = len(suspect.docs)
    if suspect.triggers:
        answered = (
            "with nearly the same"
            if suspect.form == "replaced"
            else "with words that do not belong"
        )
        reason = f"{num} rows with {triggers} are answered {answered}; {surprise}"
    else:
        reason = f"{num} answers to unrelated questions hold the same words; {surprise}"
    finding = PoisonFinding(
        kind="backdoor" if suspect.triggers else "payload",
        level="high" if level_high else "low",
        reason=reason,
        score=round(score, 1),
        trigger=triggers,
        payload=payload,
        num_rows=num,
        evidence=tuple(_evidence(known.example(doc).row, quote) for doc, quote in quotes.items()),
    )
    return Suspicion(finding, tuple(known.example(doc).index for doc in suspect.docs))


def listed(
    kind: FindingKind,
    reason: str,
    items: Sequence[tuple[int, RowTexts, str]],
    *,
    is_high: bool,
    score: float,
) -> Suspicion:
    """Rows (place, row, quote) that have something of their own in common."""
    finding = PoisonFinding(
        kind=kind,
        level="high" if is_high else "low",
        reason=reason,
        score=score,
        payload=_short(items[0][2]),
        num_rows=len(items),
        evidence=tuple(_evidence(row, quote) for _, row, quote in items),
    )
    return Suspicion(finding, tuple(i for i, _, _ in items))


def problem_of(finding: PoisonFinding) -> Problem:
    """The warning of a run."""
    first = finding.evidence[0]
    return Problem(
        level="warning",
        file=first.file,
        row=first.row,
        message=f"{finding.reason}, this one first",
        hint="look at them; data.poison.action: quarantine leaves them out",
    )


def _quote(known: Corpus, suspect: Suspect, doc: int) -> str:
    (at,) = known.answers_with([doc], suspect.grams)
    answer = known.examples[at].answer
    where = payload_spans(answer, known.answer_words[at], suspect.grams)
    longest = max(where, key=lambda span: span.end - span.start, default=None)
    return _short(answer[longest.start : longest.end]) if longest else ""


def _evidence(row: RowTexts, quote: str) -> EvidenceRow:
    return EvidenceRow(file=row.file, row=row.row, quote=_short(quote))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_QUOTED else line[:_MOST_QUOTED] + "..."
