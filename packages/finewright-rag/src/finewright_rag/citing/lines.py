"""What of an answer from passages is proved, in lines that a page and a terminal show alike."""

from collections.abc import Iterator

from finewright.report.cells import count_of
from finewright_rag.schema.index_report import AskReport, PassageSeen, QuoteSeen

NOT_CALIBRATED = "the index is not calibrated"
CALIBRATE = (
    "`finewright rag index --tune` does it, if the documents give 30 questions or you name 60 of your own:"
    " `rag.questions`"
)


def not_known() -> str:
    """Why a search cannot say whether a document has this, and what changes that."""
    return f"whether a document has this is not known: {NOT_CALIBRATED} ({CALIBRATE})"


def checks(report: AskReport) -> Iterator[str]:
    """Who answered, and what of the answer stands in a passage and what does not."""
    if not report.passages:
        yield f"nothing found, of what {asker(report.groups)} may see: the model was not asked"
    elif not report.by_model:
        yield f"{none_has_this(report.groups)}: the model was not asked (--anyway asks it)"
        return
    elif report.has_answer is None:
        yield not_known()
    if report.passages and report.abstained:
        yield "the model says that the passages do not hold the answer"
    yield from _doubts(report)


def _doubts(report: AskReport) -> Iterator[str]:
    if report.cut_after is not None:
        yield f"the answer was cut after {longest(report.cut_after)}"
    for quote in report.quotes:
        yield f'{_proof(quote)}: "{" ".join(quote.text.splitlines())}"'
    for number in report.unknown_citations:
        yield f"NOT FOUND: there is no passage [{number}]"
    if report.numbers_absent:
        yield f"NOT FOUND in any passage: the numbers {', '.join(report.numbers_absent)}"
    if report.passages and not (report.abstained or report.quotes):
        yield "the answer quotes nothing, so nothing of its words could be checked"


def none_has_this(groups: tuple[str, ...] | None) -> str:
    """No document is likely to answer it."""
    return f"no document that {asker(groups)} may see is likely to have this"


def longest(num_tokens: int) -> str:
    """The bound of an answer, and what sets it."""
    return f"{count_of(num_tokens, 'token')} (--max-new-tokens)"


def _proof(quote: QuoteSeen) -> str:
    found = "".join(f"[{number}]" for number in quote.found)
    if quote.verified:
        return f"verified in {found}"
    said = "".join(f"[{number}]" for number in quote.cited)
    if found:
        return f"NOT FOUND in {said}, but in {found}"
    return f"NOT FOUND{' in ' + said if said else ''}"


def asker(groups: tuple[str, ...] | None) -> str:
    """Whoever it was searched for."""
    if groups is None:
        return "the owner"
    return f"the group {', '.join(groups)}" if groups else "the public"


def split_by_use(report: AskReport) -> tuple[list[PassageSeen], list[PassageSeen]]:
    """The passages that the answer cites or quotes, and the others."""
    used = {*report.cited, *(number for quote in report.quotes for number in quote.found)}
    shown = (
        [p for p in report.passages if (p.number in used) is is_used] for is_used in (True, False)
    )
    return next(shown), next(shown)


def heading_of(passage: PassageSeen) -> str:
    """What a passage is called."""
    names = dict.fromkeys(name for name in (passage.title, *passage.heading_path) if name)
    return " > ".join(names) or passage.document


def place_of(passage: PassageSeen) -> str:
    """Where it stands, and whose it is as far as that is known."""
    place = f"{passage.document}, characters {passage.start}-{passage.end}"
    known = [part for part in (passage.source, passage.license) if part not in ("", "unknown")]
    return ", ".join([place, *known])


def citations(report: AskReport) -> Iterator[str]:
    """The checks of an answer, and a line for each passage that it rests on; those that it was given and does
    not cite are named in one."""
    yield from checks(report)
    if not report.by_model:
        return
    used, others = split_by_use(report)
    for passage in used:
        yield f"[{passage.number}] {heading_of(passage)} ({place_of(passage)})"
    if others:
        yield f"read and not cited: {'; '.join(f'[{p.number}] {heading_of(p)}' for p in others)}"
