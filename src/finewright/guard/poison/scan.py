"""The search for planted behaviour in a set of rows, and what becomes of the rows it finds."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from finewright.guard.poison.backdoors import Corpus, Suspect, Weighed, corpus, suspects, weigh
from finewright.guard.poison.coherence import MOST_SHARE
from finewright.guard.poison.conflicts import conflicts
from finewright.guard.poison.examples import examples
from finewright.guard.poison.hidden import hidden
from finewright.guard.poison.instructions import instruction_in
from finewright.guard.poison.payloads import payloads
from finewright.guard.poison.recurring import recurring
from finewright.guard.poison.roles import other_roles
from finewright.guard.poison.said import Said
from finewright.guard.poison.traits import GIBBERISH, INSERTED, REFUSAL
from finewright.guard.poison.weigh import Surprisal, payload_spans
from finewright.rows.outcome import CheckOutcome, Dropped
from finewright.rows.texts import passages
from finewright.schema.common import Problem
from finewright.schema.poison import (
    EvidenceRow,
    FindingKind,
    PoisonFinding,
    PoisonReport,
    PoisonSpec,
)
from finewright.schema.rows import Row

QUARANTINED = "quarantined"

# Chosen on five sets (transactions, bank articles, library documentation, text-to-SQL, mails) and four
# wordings of the attacks, none of which `benchmarks/poison.py` reports on. The least G is that of three rows
# that always go together in a set of about 300; the surprises lie between those of clean associations and of
# planted ones; the least rows are above the triples of rows that people copy.
_LEAST_G = 30.0
_SURE_G = 40.0
_LEAST_MEAN = 1.5
_LEAST_MEAN_GIBBERISH = 4.5
_LEAST_TOTAL = 12.0
_LEAST_TOTAL_INSERTED = 40.0
_LEAST_ROWS_WITHOUT_TRAIT = 5
_LEAST_ROWS_WITHOUT_TRIGGER = 5
_LEAST_TOTAL_WITHOUT_TRIGGER = 30.0
_LEAST_MEAN_WITHOUT_TRIGGER = 3.0
_MOST_LOW = 20
_MOST_AT_LEAST = 10
_MOST_QUOTED = 100
_SHOWN_TRIGGERS = 5


@dataclass(frozen=True, slots=True)
class PoisonFindings:
    """The report, and for each suspicious row (an index) why it is."""

    report: PoisonReport
    why: dict[int, str]


class PoisonResult(NamedTuple):
    """What goes on and what is set aside, and the report."""

    outcome: CheckOutcome
    report: PoisonReport


class _Suspicion(NamedTuple):
    finding: PoisonFinding
    rows: tuple[int, ...]


def scan(
    rows: Sequence[Row],
    *,
    surprisal: Surprisal | None = None,
    base_model: str = "",
    least_rows: int = 3,
) -> PoisonReport:
    """What may have been planted in the rows, strongest first. Pure; the same rows give the same report.

    Without `surprisal` associations are reported as unweighed and low. Not found: triggers of fewer than
    `least_rows` rows (5 where a whole answer is replaced by an ordinary sentence), triggers and payloads in
    more than 5 % of the rows, triggers that are common words here, answers that are wrong but ordinary or
    that repeat a rare word of their question, and attacks on prompts alone."""
    return search(rows, surprisal=surprisal, base_model=base_model, least_rows=least_rows).report


def apply(
    rows: Sequence[Row], spec: PoisonSpec, surprisal: Surprisal | None = None
) -> PoisonResult:
    """The rows after the search that the spec asks for. `quarantine` sets suspicious rows aside, each with
    its reason, for somebody to look at; `report` keeps them all."""
    if spec.action == "off":
        return PoisonResult(
            CheckOutcome(tuple(rows)), PoisonReport(rows_in=len(rows), rows_suspicious=0)
        )
    model = spec.base_model if surprisal else ""
    found = search(rows, surprisal=surprisal, base_model=model, least_rows=spec.least_rows)
    if spec.action == "report":
        return PoisonResult(CheckOutcome(tuple(rows), (), found.report.problems), found.report)
    kept = tuple(row for i, row in enumerate(rows) if i not in found.why)
    dropped = tuple(Dropped(rows[i], QUARANTINED, why) for i, why in sorted(found.why.items()))
    return PoisonResult(CheckOutcome(kept, dropped, found.report.problems), found.report)


def search(
    rows: Sequence[Row],
    *,
    surprisal: Surprisal | None = None,
    base_model: str = "",
    least_rows: int = 3,
) -> PoisonFindings:
    """As `scan`, with the reason for every row of a high finding."""
    read = examples(rows)
    known = corpus(read, least_rows)
    said = Said(known, least_rows)
    sure = recurring(said)
    explained = {doc for suspect in sure for doc in suspect.docs}
    planted = [s for s in suspects(known, least_rows) if not _is_explained(s, explained)]
    sure += [s for s in planted if _is_sure(s) and not said.are_labels(s.docs)]
    planted = [s for s in planted if s not in sure]
    planted += payloads(known, planted)
    weighed, num_weighed = _weighed(known, planted, surprisal)
    made = (
        [_backdoor(known, one, said) for one in weighed]
        if surprisal
        else [_unweighed(known, suspect) for suspect in planted]
    )
    made += [_recurring(known, suspect) for suspect in sure]
    made += _hidden(rows)
    made += _roles(rows)
    made += _instructions(rows, least_rows)
    last = [example for example in read if example.at == example.row.answer_at]
    made += [
        _conflict(rows, tuple(last[d].index for d in c.docs), c.labels, same=c.same)
        for c in conflicts(last)
    ]
    return _findings(rows, made, base_model, num_weighed)


def _findings(
    rows: Sequence[Row], made: list[_Suspicion], base_model: str, num_weighed: int
) -> PoisonFindings:
    """The strongest first, and for each row of a high finding the reason."""
    made.sort(key=lambda one: (one.finding.level != "high", -one.finding.score))
    why: dict[int, str] = {}
    for one in made:
        if one.finding.level == "high":
            for i in one.rows:
                why.setdefault(i, one.finding.reason)
    high = [one.finding for one in made if one.finding.level == "high"]
    low = [one.finding for one in made if one.finding.level == "low"]
    report = PoisonReport(
        rows_in=len(rows),
        rows_suspicious=len(why),
        findings=(*high, *low[:_MOST_LOW]),
        num_low=len(low),
        weighed_by=base_model,
        rows_weighed=num_weighed,
        problems=tuple(_problem(finding) for finding in high),
    )
    return PoisonFindings(report, why)


def _weighed(
    known: Corpus, planted: Sequence[Suspect], surprisal: Surprisal | None
) -> tuple[list[Weighed], int]:
    if surprisal is None or not planted:
        return [], 0
    found = weigh(known, planted, surprisal)
    return found, len({doc for one in found for doc in one.read})


def _is_sure(suspect: Suspect) -> bool:
    """Refusals, links or addresses that go with words, and with nothing else: no clean set had any."""
    enough = suspect.g >= _SURE_G and len(suspect.docs) >= _LEAST_ROWS_WITHOUT_TRIGGER
    return enough and not suspect.traits.isdisjoint({REFUSAL, *INSERTED})


def _is_explained(suspect: Suspect, docs: set[int]) -> bool:
    return len(docs.intersection(suspect.docs)) > len(suspect.docs) / 2


def _backdoor(known: Corpus, weighed: Weighed, said: Said) -> _Suspicion:
    """A class goes with its words too, so that where answers are labels an association is none."""
    suspect = weighed.suspect
    is_high = _is_planted(weighed) if suspect.triggers else _is_payload(weighed)
    is_high = is_high and not said.are_labels(suspect.docs)
    strength = suspect.g if suspect.triggers else float(len(suspect.docs))
    surprise = (
        f"it surprises the base model ({weighed.mean:.1f} nats a token, {weighed.total:.0f} in all)"
    )
    return _suspicion(known, suspect, surprise, level_high=is_high, score=strength * weighed.mean)


def _is_planted(weighed: Weighed) -> bool:
    suspect = weighed.suspect
    if suspect.g < _LEAST_G or weighed.mean < _LEAST_MEAN or weighed.total < _LEAST_TOTAL:
        return False
    if suspect.traits == {GIBBERISH}:
        return weighed.mean >= _LEAST_MEAN_GIBBERISH
    if suspect.traits:
        return True
    enough = suspect.form == "replaced" or weighed.total >= _LEAST_TOTAL_INSERTED
    return enough and len(suspect.docs) >= _LEAST_ROWS_WITHOUT_TRAIT


def _is_payload(weighed: Weighed) -> bool:
    return (
        weighed.suspect.form
        == "inserted"  # the same whole answer again is a label, or a stock phrase
        and len(weighed.suspect.docs) >= _LEAST_ROWS_WITHOUT_TRIGGER
        and weighed.total >= _LEAST_TOTAL_WITHOUT_TRIGGER
        and weighed.mean >= _LEAST_MEAN_WITHOUT_TRIGGER
    )


def _unweighed(known: Corpus, suspect: Suspect) -> _Suspicion:
    strength = suspect.g if suspect.triggers else float(len(suspect.docs))
    said = "no base model has weighed it, so it may be a topic"
    return _suspicion(known, suspect, said, level_high=False, score=strength)


def _recurring(known: Corpus, suspect: Suspect) -> _Suspicion:
    said = "what is asked has nothing else in common"
    return _suspicion(known, suspect, said, level_high=True, score=100.0 * len(suspect.docs))


def _suspicion(
    known: Corpus, suspect: Suspect, surprise: str, *, level_high: bool, score: float
) -> _Suspicion:
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
    return _Suspicion(finding, tuple(known.example(doc).index for doc in suspect.docs))


def _quote(known: Corpus, suspect: Suspect, doc: int) -> str:
    (at,) = known.answers_with([doc], suspect.grams)
    answer = known.examples[at].answer
    where = payload_spans(answer, known.answer_words[at], suspect.grams)
    longest = max(where, key=lambda span: span.end - span.start, default=None)
    return _short(answer[longest.start : longest.end]) if longest else ""


def _hidden(rows: Sequence[Row]) -> Iterator[_Suspicion]:
    """One finding of each kind and level."""
    found = defaultdict(list)
    for i, row in enumerate(rows):
        for item in hidden(passages(row)):
            found[item.kind, item.is_trick].append((i, item))
    for (kind, is_trick), items in found.items():
        by_row = dict(reversed(items))  # the first of each row
        num = len(by_row)
        yield _listed(
            "hidden_text",
            f"{num} row{'s hold' if num > 1 else ' holds'} {kind}",
            [(i, rows[i], f"{item.key}: {item.says}") for i, item in sorted(by_row.items())],
            is_high=is_trick,
            score=1000.0 if is_trick else 10.0,
        )


def _roles(rows: Sequence[Row]) -> Iterator[_Suspicion]:
    """Turns of another role inside a text, by the sign that opens them; a format where many rows have it."""
    found: dict[str, list[tuple[int, Row, str]]] = defaultdict(list)
    for i, row in enumerate(rows):
        if item := next(other_roles(passages(row)), None):
            kind = item.sign if " " not in item.sign else "headings of a template"
            found[kind].append((i, row, f"{item.key}: {item.sign}"))
    for kind, items in found.items():
        is_format = len(items) > max(_MOST_AT_LEAST, MOST_SHARE * len(rows))
        num = f"{len(items)} row{'s speak' if len(items) > 1 else ' speaks'}"
        reason = f"{num} in another role inside a text ({kind})"
        yield _listed("role", reason, items, is_high=not is_format, score=900.0)


def _instructions(rows: Sequence[Row], least_rows: int) -> Iterator[_Suspicion]:
    """Orders to the model or the reader; those that recur word by word before the others."""
    found = defaultdict(list)
    for i, row in enumerate(rows):
        said = next((s for p in passages(row) if (s := instruction_in(p.text))), "")
        if said:
            found[said.casefold()].append((i, row, said))
    for items in found.values():
        num = len(items)
        recurs = num >= least_rows
        what = (
            f"{num} rows hold the same order"
            if recurs
            else "text that reads like an order to the model"
        )
        yield _listed(
            "instruction", what, items, is_high=False, score=10.0 * num if recurs else 1.0
        )


def _conflict(
    rows: Sequence[Row], indices: tuple[int, ...], labels: Sequence[str], *, same: bool
) -> _Suspicion:
    what = "the same question has" if same else "nearly the same questions have"
    items = [(i, rows[i], "") for i in indices]
    reason = f"{what} the labels {', '.join(labels)}"
    return _listed("conflict", reason, items, is_high=False, score=5.0 if same else 2.0)


def _listed(
    kind: FindingKind,
    reason: str,
    items: Sequence[tuple[int, Row, str]],
    *,
    is_high: bool,
    score: float,
) -> _Suspicion:
    finding = PoisonFinding(
        kind=kind,
        level="high" if is_high else "low",
        reason=reason,
        score=score,
        payload=_short(items[0][2]),
        num_rows=len(items),
        evidence=tuple(_evidence(row, quote) for _, row, quote in items),
    )
    return _Suspicion(finding, tuple(i for i, _, _ in items))


def _evidence(row: Row, quote: str) -> EvidenceRow:
    return EvidenceRow(file=row.file, row=row.row, quote=_short(quote))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_QUOTED else line[:_MOST_QUOTED] + "..."


def _problem(finding: PoisonFinding) -> Problem:
    first = finding.evidence[0]
    return Problem(
        level="warning",
        file=first.file,
        row=first.row,
        message=f"{finding.reason}, this one first",
        hint="look at them; data.poison.action: quarantine leaves them out",
    )
