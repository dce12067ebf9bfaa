"""What `rag index`, `rag search` and `rag ask` report."""

from pydantic import Field

from finewright.schema.common import Model, Problem
from finewright.schema.rag_report import RagTuneReport


class IndexReport(Model):
    """What an update did, and what the index holds after it.

    documents_in = added + replaced + unchanged + all of documents_dropped; `weights` is how much each ranking
    counts in a search, and `tuning` how they were chosen, if they just were."""

    index: str
    embedder: str
    documents_in: int
    documents_dropped: dict[str, int] = Field(default_factory=dict)
    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    deleted: int = 0
    documents: int
    chunks: int
    weights: dict[str, float]
    tuning: RagTuneReport | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """Was every document read, and is there one?"""
        return self.documents > 0 and not any(p.level == "error" for p in self.problems)


class PassageSeen(Model):
    """A passage as it is shown and cited: `text` is characters `start` to `end` of the document."""

    number: int
    score: float
    document: str
    title: str
    heading_path: tuple[str, ...]
    start: int
    end: int
    source: str
    license: str
    text: str


class SearchReport(Model):
    """The passages that suit a query, the best first, of those that the asker may see.

    `groups` are the asker's; null is the owner, who sees all."""

    index: str
    query: str
    groups: tuple[str, ...] | None
    passages: tuple[PassageSeen, ...]


class QuoteSeen(Model):
    """Words that the answer quotes: the passages it cites for them, and those in which they stand."""

    text: str
    cited: tuple[int, ...]
    found: tuple[int, ...]
    verified: bool


class AskReport(Model):
    """An answer, and what of it can be checked against the passages that the model was given.

    `unknown_citations` are numbers of no passage; `numbers_absent` are in no passage nor in the question.
    `cut_after` is how many tokens it has where it did not end by itself; null where it did."""

    index: str
    model: str
    question: str
    groups: tuple[str, ...] | None
    answer: str
    cut_after: int | None
    abstained: bool
    quotes: tuple[QuoteSeen, ...]
    cited: tuple[int, ...]
    unknown_citations: tuple[int, ...]
    numbers_absent: tuple[str, ...]
    passages: tuple[PassageSeen, ...]
