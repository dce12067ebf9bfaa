"""The reports of `rag` as text."""

import textwrap
from collections.abc import Iterator

from finewright.render.rag_report import NOT_CALIBRATED, tuning
from finewright.render.reports import text_of
from finewright.render.text import counted, printable, table
from finewright.schema.rag_answers import AnswersReport, RagEvaluation
from finewright.schema.rag_index import (
    AskReport,
    IndexReport,
    PassageSeen,
    QuoteSeen,
    SearchReport,
)
from finewright.schema.rag_report import RagTuneReport

_WIDTH = 100
_INDENT = "    "
_EVERYONE = "the public"


@text_of.register
def _(report: IndexReport) -> str:
    lines = [f"{problem.level}: {problem.line()}" for problem in report.problems]
    left_out = [f"{count} {reason}" for reason, count in report.documents_dropped.items()]
    done = [
        f"{count} {name}"
        for name, count in (
            ("added", report.added),
            ("replaced", report.replaced),
            ("unchanged", report.unchanged),
            ("deleted", report.deleted),
        )
        if count
    ]
    told = ", ".join([*done, *(["left out: " + ", ".join(left_out)] if left_out else [])])
    lines.append(f"documents: {told or 'none'}")
    kept = RagTuneReport(
        weights=report.weights,
        other_weights=report.other_weights,
        why="as they were",
        calibration=report.calibration,
    )
    lines.append(tuning(report.tuning or kept))
    lines.append(
        f"{report.index}: {report.documents} documents, {report.chunks} chunks, embedder {report.embedder}"
    )
    return "\n".join(lines)


@text_of.register
def _(report: AskReport) -> str:
    used = {*report.cited, *(number for quote in report.quotes for number in quote.found)}
    parts = ["\n".join(map(printable, report.answer.splitlines())) or "(the model said nothing)"]
    if checks := list(_checks(report)):
        parts.append("\n".join(checks))
    parts += ["\n".join(_passage(p)) for p in report.passages if p.number in used]
    others = [f"[{p.number}] {_heading(p)}" for p in report.passages if p.number not in used]
    if others:
        parts.append("read and not cited: " + "; ".join(others))
    return "\n\n".join(parts)


@text_of.register
def _(report: SearchReport) -> str:
    if not report.passages:
        return f"nothing found, of what {_asker(report.groups)} may see"
    parts = ["\n".join(_passage(passage)) for passage in report.passages]
    if report.has_answer is False:
        parts.insert(0, f"{_none_has_this(report.groups)}; what comes nearest:")
    if report.has_answer is None:
        parts.append(f"whether a document has this is not known: {NOT_CALIBRATED}")
    return "\n\n".join(parts)


@text_of.register
def _(report: RagEvaluation) -> str:
    parts = [text_of(report.search)]
    if report.answers:
        parts.append(_answers(report.answers))
    return "\n\n".join(parts)


_MEASURES = {
    "found": "a right document is among the passages",
    "exact_match": "the answer is right, word for word",
    "token_f1": "words shared with the right answer (F1)",
    "quotes": "the answer quotes",
    "quotes_verified": "of its quotes, stand where they are said to",
    "numbers_absent": "has a number that is in no passage",
    "abstains_found": "abstains, with a right document there",
    "abstains_missing": "abstains, with none there",
}


def _answers(report: AnswersReport) -> str:
    rows = [
        [
            what,
            f"{100 * found.value:.1f} % ({100 * found.low:.0f}-{100 * found.high:.0f})",
            str(found.n),
        ]
        for name, what in _MEASURES.items()
        if (found := report.measures.get(name))
    ]
    head = f"{printable(report.model)} answers from {report.results} passages"
    parts = [table([head, f"{100 * report.confidence:g} % intervals", "n"], rows)]
    if report.drawn:
        parts.append(f"asked: {report.drawn}")
    if report.num_cut:
        cut = f"{counted(report.num_cut, 'answer')} cut"
        parts.append(f"{cut} after {_longest(report.max_new_tokens)}, and judged up to there")
    if report.samples:
        parts.append(f"answers: {report.samples.path}")
    return "\n\n".join(parts)


def _checks(report: AskReport) -> Iterator[str]:
    if not report.passages:
        yield f"nothing found, of what {_asker(report.groups)} may see: the model was not asked"
    elif not report.was_asked:
        yield f"{_none_has_this(report.groups)}: the model was not asked (--anyway asks it)"
        return
    elif report.abstained:
        yield "the model says that the passages do not hold the answer"
    if report.cut_after is not None:
        yield f"the answer was cut after {_longest(report.cut_after)}"
    for quote in report.quotes:
        yield f'{_verdict(quote)}: "{printable(quote.text)}"'
    for number in report.unknown_citations:
        yield f"NOT FOUND: there is no passage [{number}]"
    if report.numbers_absent:
        yield f"NOT FOUND in any passage: the numbers {printable(', '.join(report.numbers_absent))}"
    if report.passages and not (report.abstained or report.quotes):
        yield "the answer quotes nothing, so nothing of its words could be checked"


def _none_has_this(groups: tuple[str, ...] | None) -> str:
    return f"no document that {_asker(groups)} may see is likely to have this"


def _longest(num_tokens: int) -> str:
    return f"{counted(num_tokens, 'token')} (--max-new-tokens)"


def _verdict(quote: QuoteSeen) -> str:
    found = "".join(f"[{number}]" for number in quote.found)
    if quote.verified:
        return f"verified in {found}"
    said = "".join(f"[{number}]" for number in quote.cited)
    return (
        f"NOT FOUND in {said}, but in {found}"
        if found
        else f"NOT FOUND{' in ' + said if said else ''}"
    )


def _asker(groups: tuple[str, ...] | None) -> str:
    if groups is None:
        return "the owner"
    return f"the group {', '.join(groups)}" if groups else _EVERYONE


def _passage(passage: PassageSeen) -> Iterator[str]:
    """Its heading, its place, and its text as it stands, in which no line can move the cursor."""
    yield f"[{passage.number}] {_heading(passage)}  ({passage.score:.4f})"
    yield _INDENT + _place(passage)
    for line in passage.text.splitlines():
        yield textwrap.indent(printable(line.expandtabs(4)), _INDENT)


def _heading(passage: PassageSeen) -> str:
    names = dict.fromkeys(name for name in (passage.title, *passage.heading_path) if name)
    return printable(" > ".join(names) or passage.document)


def _place(passage: PassageSeen) -> str:
    place = f"{passage.document}, characters {passage.start}-{passage.end}"
    known = [part for part in (passage.source, passage.license) if part not in ("", "unknown")]
    return printable(", ".join([place, *known]))
