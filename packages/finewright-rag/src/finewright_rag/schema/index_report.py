"""What `rag index`, `rag search` and `rag ask` report."""

from pydantic import Field

from finewright.schema.common import Model, Problem, StoredModel, errors_of
from finewright_rag.schema.evaluate_report import CalibrationSeen, RagTuneReport


class IndexReport(Model):
    """What an update did, and what the index holds after it.

    documents_in = added + replaced + unchanged + all of documents_dropped; `weights` is how much each ranking
    counts in a search (`other_weights`: for a question in other words; null: the same), `calibration` when
    it says that no document has this, and `tuning` how they were chosen, if they just were."""

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
    other_weights: dict[str, float] | None = None
    calibration: CalibrationSeen | None = None
    tuning: RagTuneReport | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """Was every document read, and is there one?"""
        return self.documents > 0 and not errors_of(self.problems)


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

    `groups` are the asker's; null is the owner, who sees all. `has_answer` is false where no document that
    the asker may see is likely to have this; null where nobody knows, as the index is not calibrated.
    `is_tuned` is false of one that was stopped between indexing and tuning."""

    index: str
    query: str
    groups: tuple[str, ...] | None
    passages: tuple[PassageSeen, ...]
    has_answer: bool | None = None
    is_tuned: bool = True


class QuoteSeen(Model):
    """Words that the answer quotes: the passages it cites for them, and those in which they stand."""

    text: str
    cited: tuple[int, ...]
    found: tuple[int, ...]
    verified: bool


class AskReport(StoredModel):
    """An answer, and what of it can be checked against the passages that the model was given.

    `unknown_citations` are numbers of no passage; `numbers_absent` are in no passage nor in the question.
    `cut_after` is how many tokens it has where it did not end by itself; null where it did. `has_answer` is
    the search's own word, as in SearchReport; `by_model` is false where no model answered."""

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
    has_answer: bool | None = None
    by_model: bool = Field(default=True, alias="was_asked")
