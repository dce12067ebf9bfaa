"""Passages to a question, and what of the answer to it they prove."""

from collections.abc import Sequence
from dataclasses import dataclass

from finewright.errors import DataError
from finewright.judge.passages import heading
from finewright.judge.quotes import ABSTENTION, abstains, numbers_absent
from finewright.schema.passages import Access
from finewright_rag.citing.citations import CitedQuote, cited, quotes
from finewright_rag.indexing.target import OpenIndex, check_argument
from finewright_rag.schema.index_report import AskReport, PassageSeen, QuoteSeen
from finewright_rag.search.retrieve import Hit, SearchResult, find


@dataclass(frozen=True, slots=True)
class Sources:
    """An index as it is asked by someone: `limit` is how many passages, the spec's `results` unless given."""

    opened: OpenIndex
    access: Access
    limit: int | None = None

    def found(self, question: str) -> SearchResult:
        """The passages that suit the question, of those that the asker may see, and whether one is likely to
        answer it. Raises DataError without a question."""
        if not question.strip():
            raise DataError("there is nothing to search for", hint="write what you want to know")
        check_argument(question)
        limit = self.limit or self.opened.target.spec.results
        parts = (self.opened.index, self.opened.embedder, question)
        return find(*parts, limit=limit, access=self.access)


def seen(hits: Sequence[Hit]) -> tuple[PassageSeen, ...]:
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
    numbers, known = cited(answer), range(1, len(hits) + 1)
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
        passages=seen(hits),
        has_answer=found.has_answer,
        by_model=said is not None,
    )
