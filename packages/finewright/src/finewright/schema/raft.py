"""What `data raft` is asked for, the rows it makes, and what it tells of them."""

from typing import Any, Literal, NamedTuple, NotRequired, Self, TypedDict

from pydantic import Field, model_validator

from finewright.schema.common import Model, Problem, check_sum, default, errors_of

RaftKind = Literal["with_gold", "from_memory", "unanswerable"]


class RaftSpec(Model):
    """How questions become rows with passages.

    Of the answerable ones, `gold_share` have the passage that answers; the others are answered from memory,
    as Zhang et al. 2024 do it, and without a quote."""

    distractors: int = default(
        4, "Passages that do not answer", "as many as the paper trains with", ge=1, le=20
    )
    gold_share: float = default(
        0.8,
        "Share of the answerable rows that have the answer's passage",
        "the paper's",
        ge=0,
        le=1,
    )
    unanswerable_share: float = default(
        0.15,
        "Share of the questions whose passages do not answer, and whose answer says so",
        "some 1 in 7 teaches to say so",
        ge=0,
        lt=1,
    )
    base_model: str = default(
        "smollm2-135m-instruct",
        "The model whose tokens are counted; empty: none are",
        "the packaged one",
    )
    max_tokens: int = default(
        1024, "Longest row in tokens; longer ones lose distractors", "train.max_length", ge=64
    )
    seed: int = default(
        0, "Seed of what is sampled for each row", "any fixed number repeats the set"
    )


class RaftQuestion(NamedTuple):
    """A question with its answer, the ids of the documents that have it, and where it is from.

    Without ids it is one that no document answers, and its answer an abstention."""

    prompt: str
    completion: str
    gold: tuple[str, ...]
    license: str = "unknown"
    source: str = ""


class PassageOf(TypedDict):
    """Where a passage of a row is from: characters [start, end) of a document."""

    document: str
    start: int
    end: int
    source: str
    license: str


class RaftRow(TypedDict):
    """A row: a conversation to train on, and where all that is in it is from.

    `passages` are in the order of their numbers in the prompt; `quoted` are the numbers of those that the
    answer quotes. `license` asks for all licences at once, of the question and of every passage."""

    messages: list[dict[str, Any]]  # Any: a message's content
    kind: RaftKind
    gold: list[str]
    passages: list[PassageOf]
    quoted: list[int]
    license: str
    source: NotRequired[str]


class RaftReport(Model):
    """What became of the questions: rows_in = rows_written + all of rows_dropped, and the rows written are
    those of all kinds.

    `rows_with_fewer`: rows that have fewer distractors than were asked for, by reason. `distractors_passed`:
    passages that would have been distractors and were not taken, by reason. `out` is empty where nothing was
    written."""

    spec: RaftSpec
    rows_in: int
    rows_written: int
    rows_dropped: dict[str, int] = Field(default_factory=dict)
    kinds: dict[RaftKind, int] = Field(default_factory=dict)
    rows_with_fewer: dict[str, int] = Field(default_factory=dict)
    distractors_written: int = 0
    distractors_passed: dict[str, int] = Field(default_factory=dict)
    licenses: dict[str, int] = Field(default_factory=dict)
    groups: tuple[str, ...] | None = ()
    """Whose documents may be in the rows beside everyone's; None: all groups'."""
    out: str
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """Are there rows, and was no question faulty?"""
        return self.rows_written > 0 and not errors_of(self.problems)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        dropped = self.rows_dropped.values()
        check_sum(self.rows_in, self.rows_written, *dropped, what="questions")
        for what in (self.kinds, self.licenses):
            check_sum(self.rows_written, *what.values())
        return self
