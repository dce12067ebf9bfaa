"""How much a key may take: requests and tokens in any 60 seconds and in any 24 hours.

A window slides in sixty parts. What was taken counts until the whole of its part has left the window, so a
limit is never exceeded in any window, and what was taken is free again a sixtieth of it later at the latest.
An answer's tokens are not known before it ends: as many as it may have are taken first, and what it did not
use is given back. Limiters of the usual kind give nothing back, and so either let many answers at once
exceed a limit of tokens, or charge what was never used."""

import json
import logging
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.keys import KeyLimits
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.question import AnswerPiece, GatewayQuestion, TokenUsage
from finewright_serve.gateway.steps import QuestionCaller

_LOG = logging.getLogger(__name__)
PARTS = 60
"""Of a window: a limit holds back what was taken a sixtieth longer than it must."""
_SECONDS = {"minute": 60, "day": 86400}
Kind = Literal["requests", "tokens"]
_TEMPLATE_TOKENS, _MESSAGE_TOKENS, _TOOL_TOKENS = 128, 16, 512
"""What a chat template may add to a prompt, to a message, and where tools are given: more than those of the
families that are trained here (the longest, Qwen's for tools, adds 140)."""


class Charge(NamedTuple):
    """An amount that counts against a limit. `name` is of the key, kind and window; `most` is the limit."""

    name: str
    seconds: int
    most: int
    amount: int

    @property
    def part(self) -> float:
        """Seconds of a part of the window."""
        return self.seconds / PARTS


class UsageTaken(NamedTuple):
    """What a store says: was it taken, at which time of its clock, and what each window had before, by the
    numbers of its parts."""

    is_taken: bool
    now: float
    parts: Sequence[Mapping[int, int]]


class StoreAway(Exception):  # noqa: N818 - what it is
    """What was taken cannot be read or written at the moment."""


class UsageStore(Protocol):
    """Keeps what was taken. Raises StoreAway."""

    async def take(self, charges: Sequence[Charge]) -> UsageTaken:
        """Take all of them, or where one exceeds its limit none, in one step that no other is within."""

    async def settle(self, charges: Sequence[Charge], at: float) -> None:
        """Add the amounts, which may be below 0, to what was taken at that time, if it still counts."""

    async def close(self) -> None:
        """Let go of it."""


class WindowState(NamedTuple):
    """A window after a charge: what is left of it, when all of it is free, and when the charge would fit."""

    charge: Charge
    left: int
    reset: float
    wait: float


def state_of(charge: Charge, taken: UsageTaken, parts: Mapping[int, int]) -> WindowState:
    """How a window stands. `wait` is 0 for what was taken, and infinite for what never fits."""
    used = sum(parts.values())
    need, wait = used + charge.amount - charge.most, 0.0
    for number in sorted(parts):
        if need <= 0:
            break
        need -= parts[number]
        wait = _leaves(charge, number) - taken.now
    wait = math.inf if need > 0 else wait
    used += charge.amount if taken.is_taken else 0
    newest = [math.floor(taken.now / charge.part)] if taken.is_taken else []
    last = max((number for number in (*parts, *newest)), default=None)
    reset = 0.0 if last is None else _leaves(charge, last) - taken.now
    return WindowState(charge, max(0, charge.most - used), reset, wait)


def _leaves(charge: Charge, number: int) -> float:
    return (number + 1) * charge.part + charge.seconds


class AnswerCharge:
    """What an answer has used so far, while it is given."""

    def __init__(self, prompt: int = 0, most_prompt: int | None = None) -> None:
        self.most_prompt = most_prompt
        self._prompt, self._given, self._usage = prompt, 0, TokenUsage()

    def add(self, piece: AnswerPiece) -> None:
        """The next piece."""
        parts = "".join(part.arguments for part in piece.call_parts)
        given = piece.content + piece.thoughts + parts
        self._given += len(given.encode("utf-8", "surrogatepass")) or 1
        self._usage = piece.usage or self._usage

    def set_tokens(self, tokens: int) -> None:
        """All that was read and written."""
        self._usage = TokenUsage(tokens)

    @property
    def used(self) -> int:
        """Tokens, of which an answer that was cut has no more than it gave bytes."""
        counted = self._usage.prompt + self._usage.answer
        return counted or (self._prompt + self._given if self._given else 0)


@dataclass(frozen=True, slots=True)
class Limiter:
    """Takes what keys ask for. `when_away` says what happens while the store cannot be asked."""

    store: UsageStore
    limits_of: Callable[[str], KeyLimits]
    measures: Measures
    when_away: Literal["closed", "open"] = "closed"

    async def admit(self, asker: QuestionCaller) -> None:
        """Take a request. Raises ApiError with 429 where it is one too many."""
        await self._take("requests", 1, asker)

    @asynccontextmanager
    async def charged(
        self, asker: QuestionCaller, prompt: int, answer: int
    ) -> AsyncIterator[AnswerCharge]:
        """Tokens, taken while the block runs; then what it did not use is given back. Raises ApiError with
        429, or with 400 where the answer alone exceeds a limit."""
        charges = self._charges("tokens", 0, asker)
        if not charges:
            yield AnswerCharge()
            return
        most = min(each.most for each in charges)
        if answer >= most:
            what = f"max_tokens: {answer} tokens with a prompt are more than the limit of this key, {most}"
            raise ApiError(what, param="max_tokens", code="tokens_over_limit")
        amount = min(prompt + answer, most)
        taken = await self._take("tokens", amount, asker)
        charge = AnswerCharge(prompt, most - answer if amount == most else None)
        try:
            yield charge
        finally:
            if taken is not None and (rest := charge.used - amount):
                await self._settle([each._replace(amount=rest) for each in charges], taken.now)

    async def close(self) -> None:
        """Let the store go."""
        await self.store.close()

    def _charges(self, kind: Kind, amount: int, asker: QuestionCaller) -> list[Charge]:
        limits = self.limits_of(asker.key).model_dump()
        return [
            Charge(f"{asker.key}:{kind}:{window}", seconds, most, amount)
            for window, seconds in _SECONDS.items()
            if (most := limits[f"{kind}_per_{window}"]) is not None
        ]

    async def _take(self, kind: Kind, amount: int, asker: QuestionCaller) -> UsageTaken | None:
        charges = self._charges(kind, amount, asker)
        if not charges:
            return None
        try:
            taken = await self.store.take(charges)
        except StoreAway as error:
            self.measures.limited(asker.key, "store_away")
            _LOG.error("limits cannot be checked, %s: %s", self.when_away, error)
            if self.when_away == "open":
                return None
            what = "the limits of this key cannot be checked at the moment"
            raise ApiError(what, status=503, code="limits_unavailable", retry_after=1) from None
        states = [
            state_of(charge, taken, parts)
            for charge, parts in zip(charges, taken.parts, strict=True)
        ]
        asker.record.headers.update(_headers(kind, min(states, key=_share_left)))
        if not taken.is_taken:
            late = max(states, key=lambda each: each.wait)
            name = late.charge.name.partition(":")[2].replace(":", "_per_")
            self.measures.limited(asker.key, name)
            what = f"{name}: the limit of this key is {late.charge.most:,}"
            raise ApiError(
                what,
                status=429,
                code="rate_limit_exceeded",
                retry_after=max(1, math.ceil(late.wait)),
            )
        return taken

    async def _settle(self, charges: Sequence[Charge], at: float) -> None:
        try:
            await self.store.settle(charges, at)
        except StoreAway as error:  # what was taken stays so: no limit is exceeded by it
            _LOG.error("tokens that were not used cannot be given back: %s", error)


def most_prompt_tokens(question: GatewayQuestion) -> int:
    """More tokens than the question's prompt has: none has fewer bytes than one."""
    if question.messages is None:
        text = question.text
        return len(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    given = [*question.messages, *(question.tools.tools if question.tools else ())]
    tools = _TOOL_TOKENS if question.tools else 0
    size = len(json.dumps(given, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return size + _MESSAGE_TOKENS * len(given) + _TEMPLATE_TOKENS + tools


def _share_left(state: WindowState) -> float:
    return state.left / state.charge.most


def _headers(kind: Kind, state: WindowState) -> dict[str, str]:
    """OpenAI's, of the window that has least left."""
    return {
        f"x-ratelimit-limit-{kind}": str(state.charge.most),
        f"x-ratelimit-remaining-{kind}": str(state.left),
        f"x-ratelimit-reset-{kind}": f"{math.ceil(state.reset)}s",
    }
