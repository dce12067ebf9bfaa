"""What `rag evaluate` reports of a model's answers from passages."""

from finewright.schema.common import Artifact, Model
from finewright_rag.schema.evaluate_report import RagEvaluateReport


class Estimate(Model):
    """A share or a mean over `n` questions, with its interval."""

    value: float
    low: float
    high: float
    n: int


class AnswersReport(Model):
    """A model's answers to questions whose answers are known, from the passages that were found for them.

    Each measure is over the questions that it can be told of, and is left out where there are none.
    `exact_match`, `token_f1`: of what is left of an answer without its lines of quotes.
    `found`: a right document is among the passages.
    `quotes`: the answer quotes. `quotes_verified`: the share of its quotes that stand where they are said to.
    `numbers_absent`: it has a number that is in no passage.
    `abstains_found`, `abstains_missing`: it says that the answer is not there, where a right document is
    among the passages, and where none is.
    `drawn` says which of the questions were asked, where not all were.
    `num_cut` answers did not end by themselves within `max_new_tokens`: they are judged as far as they go."""

    index: str
    questions: str
    model: str
    results: int
    confidence: float
    max_new_tokens: int
    num_cut: int
    drawn: str = ""
    measures: dict[str, Estimate]
    samples: Artifact | None = None


class AnswerSample(Model):
    """A question, its answer, and what became of it; `is_cut` where the answer did not end by itself."""

    prompt: str
    gold: tuple[str, ...]
    expected: str
    answer: str
    is_cut: bool
    documents: tuple[str, ...]
    measures: dict[str, float]


class RagEvaluation(Model):
    """How well the index finds, and, where a model was asked, how well it answers from what is found."""

    search: RagEvaluateReport
    answers: AnswersReport | None = None
