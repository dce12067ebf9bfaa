"""One row and what a system answered to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from finewright.judge.answer import Answer
from finewright.judge.calls import Due


@dataclass(frozen=True, slots=True)
class AnsweredRow:
    """One row and what a system answered; `nll` is the summed loss of the expected tokens, and `preferred`
    whether the chosen answer of a pair is rated higher.

    `answer` and `expected` are the texts that are compared (`judge.answer.text_to_compare`); `said` and `due`
    are what scorers of whole answers see, the texts alone where there is no more. `known` are scores that
    were given while the row with its tools was at hand."""

    row: int
    expected: str
    answer: str
    nll: float | None = None
    num_tokens: int | None = None
    preferred: float | None = None
    said: Answer | None = None
    due: Due | None = None
    known: Mapping[str, float] = field(default_factory=dict)
