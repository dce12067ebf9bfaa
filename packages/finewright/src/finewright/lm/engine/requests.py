"""What the engine is asked, and what it gives as it goes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from finewright.errors import DataError
from finewright.lm.engine.schemas import Grammar
from finewright.lm.engine.stops import StopTexts
from finewright.lm.engine.watermark import Watermark


@dataclass(frozen=True, slots=True)
class TokenSampling:
    """How tokens are chosen. Temperature 0 is greedy; all but penalties, bias and mark is then void.

    `top_k` 0 and `min_p` 0 leave nothing out. `repetition_penalty` divides positive logits of tokens that the
    prompt or the answer has, and multiplies negative ones (Keskar et al. 2019, arXiv:1909.05858); presence
    and frequency penalties are OpenAI's, of the answer's tokens alone."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    seed: int = 0
    watermark: Watermark | None = None

    def refuse_odd(self) -> None:
        """Raise DataError for a number outside its range."""
        within = {
            "temperature": 0 <= self.temperature < float("inf"),
            "top_p": 0 < self.top_p <= 1,
            "top_k": self.top_k >= 0,
            "min_p": 0 <= self.min_p <= 1,
            "repetition_penalty": 0 < self.repetition_penalty < float("inf"),
            "presence_penalty": abs(self.presence_penalty) < float("inf"),
            "frequency_penalty": abs(self.frequency_penalty) < float("inf"),
        }
        for name, is_within in within.items():
            if not is_within:
                raise DataError(f"{name}: {getattr(self, name)} is out of range")


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A prompt as tokens, and how it is to be answered; answer k of `num_answers` has a seed of its own.

    `stop_ids` end an answer and are not written; one of `stops` ends it when its text is complete.
    `num_logprobs` None: none are wanted; 0: of the written tokens alone; k: of the k likeliest besides.
    `keeps_logps`: those with which tokens were chosen are wanted, the stop token's too.
    `rewrite` (answer, chosen token) gives the token that is written in its place. `adapter` is the key of a
    loaded one. Steps are shared fairly between `owner`s (see shares.py); what was computed is found again by
    requests of the same `salt` alone, so that time tells nobody else of it."""

    prompt: tuple[int, ...]
    max_tokens: int
    sampling: TokenSampling = TokenSampling()
    adapter: str | None = None
    num_answers: int = 1
    stop_ids: frozenset[int] = frozenset()
    stops: StopTexts | None = None
    num_logprobs: int | None = None
    keeps_logps: bool = False
    grammar: Grammar | None = None
    rewrite: Callable[[int, int], int] | None = None
    owner: str = ""
    salt: str = ""


class TokenLogprob(NamedTuple):
    """A written token's log-probability before anything changed the logits; `likeliest` (token, logp)."""

    logp: float
    likeliest: tuple[tuple[int, float], ...] = ()


class AnswerEnd(NamedTuple):
    """How an answer ended: by `stop_id`, by one of the `stop` texts, at its longest, or by an error."""

    reason: Literal["stop", "length", "error"]
    stop_id: int | None = None
    stop: str = ""
    error: str = ""


class WrittenTokens(NamedTuple):
    """New tokens of an answer, without the stop token; its last ones come with its `end`. `num_found`
    tokens of its prompt were found as they had been computed before; said with the end.

    `logps` are of all chosen tokens, at the answer's temperature, before top-p and the like cut any off."""

    request: int
    answer: int
    tokens: tuple[int, ...]
    logprobs: tuple[TokenLogprob, ...] = ()
    end: AnswerEnd | None = None
    num_found: int = 0
    logps: tuple[float, ...] = ()
