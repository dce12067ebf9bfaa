"""What the engine is asked for, and what it gives back, token by token and at the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from torch import Tensor

from finewright.lm.engine.forward import OWN
from finewright.lm.thoughts import ThoughtBound

EndReason = Literal["stop", "length", "cancelled", "error"]
"""`stop`: a stop token or text; `length`: the most tokens, or the end of the model's context."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen. Temperature 0 is greedy; otherwise nucleus sampling with a seed."""

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """The answer is a JSON document of this schema; `True` stands for any JSON."""

    schema: Mapping[str, Any] | bool


@dataclass(frozen=True, slots=True)
class Regex:
    """The whole answer matches (Rust's syntax: no look-around, no back-references)."""

    pattern: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """The answer is one of these texts."""

    texts: tuple[str, ...]


Constraint = JsonSchema | Regex | OneOf


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """`count` answers to one prompt, which is computed once.

    `stop_texts` end an answer wherever they come up in its text, across tokens too, and are not part of it.
    `thoughts` bounds those; a `constraint` begins where a thought that the prompt opens is over. `top_logps`:
    how many of the likeliest tokens come with each token, beside its own log-probability; None for neither.
    They are the model's own, before penalties, temperature and constraint; `keep_logits` keeps them whole."""

    prompt: tuple[int, ...]
    sampling: Sampling = Sampling()
    stop_ids: frozenset[int] = frozenset()
    stop_texts: tuple[str, ...] = ()
    adapter: int = OWN
    constraint: Constraint | None = None
    count: int = 1
    thoughts: ThoughtBound | None = None
    top_logps: int | None = None
    keep_logits: bool = False


class TokenLogp(NamedTuple):
    """A token and its natural log-probability."""

    token: int
    logp: float


class AnswerId(NamedTuple):
    """Which answer: the request's number that `submit` gave, and 0 to `count` - 1."""

    request: int
    number: int


@dataclass(frozen=True, slots=True)
class NewToken:
    """One more token of an answer. `text` is what may be shown by it: empty where a character is not whole
    yet or a stop text may have begun, more than the token's where one of these has been settled."""

    answer: AnswerId
    token: int
    text: str = ""
    logp: float | None = None
    top: tuple[TokenLogp, ...] = ()


@dataclass(frozen=True, slots=True)
class GenerationEnd:
    """An answer is over: all of it once more.

    `ids` are its tokens without the stop token, which is `stop_id`; where a stop text ended it, `text` is
    cut before that. `tail` is text that no token event has shown yet. `error` is one clear line where
    `reason` is "error". `cached` tokens of the prompt were there already."""

    answer: AnswerId
    reason: EndReason
    ids: tuple[int, ...]
    stop_id: int | None = None
    stop_text: str | None = None
    text: str = ""
    tail: str = ""
    error: str = ""
    thought_cut: bool = False
    cached: int = 0
    logits: Tensor | None = None

    @property
    def num_tokens(self) -> int:
        """Tokens that were generated, the stop token among them."""
        return len(self.ids) + (self.stop_id is not None)


GenerationEvent = NewToken | GenerationEnd
