"""Passages to a question, and what of the answer to it they prove.

Who answers from the passages of an index, and says what of each answer they prove."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from finewright.errors import DataError
from finewright.judge.quotes import ABSTENTION, abstains, heading, messages_with, numbers_absent
from finewright.schema.passages import Access
from finewright.workbench.chat import Manner, Spoken
from finewright.workbench.speakers import Messages, Speaker
from finewright_rag.citing.citations import CitedQuote, find_citations, quotes
from finewright_rag.citing.lines import citations
from finewright_rag.indexing.target import OpenIndex, access_of, check_argument, open_target
from finewright_rag.schema.index_report import AskReport, PassageSeen, QuoteSeen
from finewright_rag.search.retrieve import Hit, SearchResult, find


@dataclass(frozen=True, slots=True)
class Sources:
    """An index as it is asked by someone: `limit` is how many passages, the spec's `results` unless given."""

    opened: OpenIndex
    access: Access
    limit: int | None = None

    def find(self, question: str) -> SearchResult:
        """The passages that suit the question, of those that the asker may see, and whether one is likely to
        answer it. Raises DataError without a question."""
        if not question.strip():
            raise DataError("there is nothing to search for", hint="write what you want to know")
        check_argument(question)
        limit = self.limit or self.opened.target.spec.results
        parts = (self.opened.index, self.opened.embedder, question)
        return find(*parts, limit=limit, access=self.access)


def list_seen(hits: Sequence[Hit]) -> tuple[PassageSeen, ...]:
    """The hits as reports tell them, numbered from 1."""
    return tuple(
        PassageSeen(
            number=number,
            score=score,
            document=passage.document,
            title=passage.title,
            heading_path=passage.chunk.heading_path,
            start=passage.chunk.start,
            end=passage.chunk.end,
            source=passage.source,
            license=passage.license,
            text=passage.chunk.text,
        )
        for number, (passage, score) in enumerate(hits, 1)
    )


def groups_of(access: Access) -> tuple[str, ...] | None:
    """Who asked, as reports tell it."""
    return None if access is None else tuple(sorted(access))


def _quote_seen(quote: CitedQuote) -> QuoteSeen:
    return QuoteSeen(
        text=quote.text, cited=quote.cited, found=quote.found, verified=quote.is_verified
    )


def proof_of(
    sources: Sources,
    question: str,
    found: SearchResult,
    said: str | None,
    *,
    model: str,
    cut_after: int | None = None,
) -> AskReport:
    """What of an answer the passages prove. `said` is None where no model answered: an abstention."""
    answer = ABSTENTION if said is None else said
    hits = found.hits
    texts = [hit.passage.chunk.text for hit in hits]
    names = [heading(hit.passage) for hit in hits]  # whose numbers are no inventions either
    numbers, known = find_citations(answer), range(1, len(hits) + 1)
    return AskReport(
        index=sources.opened.target.place,
        model=model,
        question=question,
        groups=groups_of(sources.access),
        answer=answer,
        cut_after=cut_after,
        abstained=abstains(answer),
        quotes=tuple(map(_quote_seen, quotes(answer, texts))),
        cited=tuple(number for number in numbers if number in known),
        unknown_citations=tuple(number for number in numbers if number not in known),
        numbers_absent=tuple(numbers_absent(answer, [*texts, *names, question])),
        passages=list_seen(hits),
        has_answer=found.has_answer,
        by_model=said is not None,
    )


class SourcedSpeaker:
    """A speaker that is given, with each question, the passages that suit it, as `rag ask` gives them.

    Of a conversation the last question alone has its passages, and is searched for by its own words. Where no
    document is likely to have an answer the model is not asked, unless it is always."""

    def __init__(self, speaker: Speaker, sources: Sources, *, always_asks: bool = False) -> None:
        self.name, self.system_prompt = speaker.name, speaker.system_prompt
        self._speaker, self._sources, self._always_asks = speaker, sources, always_asks

    def answer(self, messages: Messages, manner: Manner) -> Iterator[Spoken]:
        """See Speaker; after the answer come what is proved of it and the passages that it rests on."""
        question = messages[-1]["content"]
        found = self._sources.find(question)
        said: list[str] | None = None
        if found.hits and (found.has_answer is not False or self._always_asks):
            said = []
            prompt = messages_with([hit.passage for hit in found.hits], messages)
            for piece in self._speaker.answer(prompt, manner):
                said += [piece.text] if piece.kind == "content" else []
                yield piece
        else:
            yield Spoken("content", ABSTENTION)
        text = None if said is None else "".join(said).strip()
        report = proof_of(self._sources, question, found, text, model=self.name)
        for line in citations(report):
            yield Spoken("source", line)


@contextmanager
def open_sources(
    target: str, *, groups: Sequence[str], is_owner: bool, always_asks: bool
) -> Iterator[Callable[[Speaker], Speaker]]:
    """What makes a speaker answer from the index at `target`, which is open meanwhile, as someone of these
    groups or as its owner. Raises DataError where there is no index."""
    access = access_of(groups, is_owner=is_owner)
    with open_target(target) as opened:
        sources = Sources(opened, access)
        yield lambda speaker: SourcedSpeaker(speaker, sources, always_asks=always_asks)
