"""What an engine is asked and what it gives, whichever route the question came by."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import JsonValue

from finewright.schema.passages import Citation, Passage

Finish = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class GuardDecision:
    """What a guard decided: on which side (`input`, `untrusted`, `output`), what it did (`block`, `redact`,
    `mark`, `log`, or `failed`), what kind of thing it found, and how often. Never the thing itself."""

    guard: str
    side: str
    action: str
    what: str
    number: int = 1


@dataclass(frozen=True, slots=True)
class SamplingWish:
    """How tokens are to be chosen; temperature 0 is greedy, `top_k` 0 leaves nothing out. `seed` None:
    another one each time."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] | None = None
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """What an answer must be: one JSON text, that a schema accepts where there is one; or `text` says it, a
    pattern, a JSON list of choices, or a grammar. `param` is the key that asked for it."""

    schema: Mapping[str, Any] | None = None  # Any: JSON
    kind: Literal["json", "regex", "choice", "grammar"] = "json"
    text: str = ""
    param: str = "response_format"


@dataclass(frozen=True, slots=True)
class ToolWish:
    """The tools that may be called. `choice` is auto, required, or the name of the one to call."""

    tools: tuple[Mapping[str, Any], ...]  # Any: OpenAI's form
    choice: str = "auto"
    at_most_one: bool = False


@dataclass(frozen=True, slots=True)
class QuestionSources:
    """The passages that an answer is from, numbered from 1, and the groups that they were found for, as one
    text. `metadata` is that of the response, where it is written what they prove."""

    passages: tuple[Passage, ...]
    readers: str
    metadata: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class GatewayQuestion:
    """One question: a conversation, or a text that goes on where `messages` is None.

    `max_tokens` None: as many as fit. `num_logprobs` None: none are wanted; 0: of the chosen tokens alone.
    `most_prompt`: an engine that counts tokens first refuses a prompt of more; None: of more than it has room
    for. `key` asks, with which engines share their time; `project` is whose questions alone may find what was
    computed, and of these those alone that have passages for the same groups. `settled` is the answer where
    no engine is asked. `decisions` are those of the guards so far, in one list for all copies of the
    question."""

    model: str
    messages: tuple[Mapping[str, Any], ...] | None = None  # Any: OpenAI's form
    text: str | tuple[int, ...] = ""
    max_tokens: int | None = None
    num_answers: int = 1
    sampling: SamplingWish = SamplingWish()
    stops: tuple[str, ...] = ()
    num_logprobs: int | None = None
    tools: ToolWish | None = None
    form: AnswerForm | None = None
    most_prompt: int | None = None
    key: str = ""
    project: str = ""
    decisions: list[GuardDecision] = field(default_factory=list, compare=False)
    sources: QuestionSources | None = None
    settled: str = ""

    @property
    def salt(self) -> str:
        """Whose questions alone may find what was computed for this one."""
        return f"{self.project}\n{self.sources.readers}" if self.sources else self.project


@dataclass(frozen=True, slots=True)
class ScoredToken:
    """A token as text and as bytes, with its log-probability; `others` are the likeliest in its place."""

    text: str
    raw: bytes
    logp: float
    others: tuple["ScoredToken", ...] = ()


@dataclass(frozen=True, slots=True)
class CalledTool:
    """A call of a tool; `arguments` is JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CallPart:
    """What was written next of the arguments of call `number` of an answer; the first part has its name."""

    number: int
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens that were read and written, and how many of those read were found as they had been computed for
    a question before; None where nobody says."""

    prompt: int = 0
    answer: int = 0
    cached: int | None = 0

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        is_known = self.cached is not None and other.cached is not None
        cached = (self.cached or 0) + (other.cached or 0) if is_known else None
        return TokenUsage(self.prompt + other.prompt, self.answer + other.answer, cached)


@dataclass(frozen=True, slots=True)
class AnswerPiece:
    """A piece of answer number `choice`. The last piece of each has `finish`; `fault` says what could not
    be read of it. `usage` comes with the last piece of all, in total. `guards` come with a last piece: what
    was decided since the one before; and `citations`, what of the answer stands in its passages.

    `calls` come with the last piece. The arguments of the first `num_in_parts` of them came as `call_parts`
    before, with it the last: a stream may give these, and who wants whole calls need not look at them."""

    choice: int = 0
    content: str = ""
    thoughts: str = ""
    calls: tuple[CalledTool, ...] = ()
    scores: tuple[ScoredToken, ...] = ()
    finish: Finish | None = None
    fault: str = ""
    usage: TokenUsage | None = None
    guards: tuple[GuardDecision, ...] = ()
    citations: tuple[Citation, ...] = ()
    call_parts: tuple[CallPart, ...] = ()
    num_in_parts: int = 0

    @property
    def is_text(self) -> bool:
        """Is it content and nothing else, as nearly all are?"""
        more = (
            self.finish
            or self.thoughts
            or self.calls
            or self.scores
            or self.fault
            or self.call_parts
        )
        return not more and self.usage is None


@dataclass(frozen=True, slots=True)
class TextVectors:
    """A vector for each text, and the tokens that were read."""

    vectors: Sequence[Sequence[float]]
    num_tokens: int


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model as clients know it. `fingerprint` is of its weights; it was trained with `system_prompt`. One
    that a job made is there for its `owner`, a project, and for admins; "" is everybody's, None admins'
    alone."""

    id: str
    engine: str
    fingerprint: str = ""
    system_prompt: str = ""
    context: int | None = None
    embeds: bool = False
    owner: str | None = ""


class ModelEngine(Protocol):
    """Answers for some models. Raises ApiError for what it cannot do, before the first piece."""

    def models(self) -> Sequence[ServedModel]:
        """What it serves at the moment."""

    @property
    def at_once(self) -> int:
        """How many questions it answers at once."""

    async def is_ready(self) -> bool:
        """Would it answer?"""

    async def close(self) -> None:
        """Let go of what it holds."""

    def answer(self, question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
        """The answers' pieces as they come. Closing it stops the work within a token."""

    async def embed(self, model: str, texts: Sequence[str]) -> TextVectors:
        """A vector for each text."""
