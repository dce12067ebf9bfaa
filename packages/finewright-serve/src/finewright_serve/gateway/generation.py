"""Tokens of the engine for the event loop: one thread alone calls an engine, and hands out what it writes."""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias

from finewright.errors import DataError
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.one_by_one import OneByOne

if TYPE_CHECKING:
    from finewright.lm.chat import Chat
    from finewright.lm.engine.draft import DraftGuesses
    from finewright.lm.engine.engine import GenerationEngine
    from finewright.lm.engine.requests import GenerationRequest, WrittenTokens
    from finewright.lm.engine.schemas import Grammar
    from finewright.lm.engine.weights import AdapterWeights
    from finewright.lm.model import LM

_LOG = logging.getLogger(__name__)
_SHARE = 0.25  # of the free memory, at most, for a cache
_GUESS_UP_TO = 1
_MAX_STEP_TOKENS, _MAX_BESIDE = 512, 256  # short steps: a client's long prompt holds no other up
_CONTEXT, _FEWEST_BLOCKS = 4096, 64
_GATHERING_SECONDS = 0.02  # of a step of many answers; one that comes alone waits for nobody


class TokenSource(Protocol):
    """A loaded model that writes tokens."""

    own: str | None
    """The key of the adapter that the model came with."""
    room: int
    """The most tokens of a prompt and its answer that there is memory for."""
    cache_bytes: int
    """What its cache takes once all of it is written."""
    num_awaited: int
    """Questions whose prompts are being made: who has nothing to do waits a moment for them, and computes
    them together from their first step on."""

    def written(self, request: "GenerationRequest") -> "AsyncGenerator[list[WrittenTokens], None]":
        """What is written, as it comes, until every answer has ended: all that came since the last time, so
        that who is slow has less to do. Closing it stops the work."""

    def num_virtual(self, adapter: str | None) -> int:
        """Tokens of the context that the adapter takes."""

    def compile(self, grammar: "Grammar", salt: str) -> None:
        """Make a grammar ready, from any thread, so that no step waits for it. Raises DataError for one that
        cannot be. What one salt's requests made ready is not ready for others'."""

    async def load(self, key: str, adapter: "AdapterWeights") -> None:
        """Put an adapter beside the model. Raises ModelError."""

    async def unload(self, key: str) -> None:
        """Take it away. Raises DataError where an answer is being given with it."""

    def close(self) -> None:
        """End its thread."""


@dataclass(slots=True, eq=False)
class _Ticket:
    """A request under way: what came of it and was not taken yet, who waits for more, and its number in the
    engine. `num_open` is of the engine's thread alone: its answers that go on."""

    loop: asyncio.AbstractEventLoop
    request: "GenerationRequest"
    found: "list[WrittenTokens]" = field(default_factory=list)
    error: Exception | None = None
    coming: "asyncio.Future[None] | None" = None
    number: int | None = None
    num_open: int = 0
    is_left: bool = False

    def put(self, found: "list[WrittenTokens] | Exception") -> None:
        """In the event loop: what came."""
        if isinstance(found, Exception):
            self.error = found
        else:
            self.found += found
        if self.coming is not None and not self.coming.done():
            self.coming.set_result(None)

    def more(self) -> "asyncio.Future[None]":
        """Done once something has come."""
        self.coming = self.loop.create_future()
        return self.coming

    def take(self) -> "list[WrittenTokens]":
        """All that came. Raises the error that came in its place."""
        if self.error is not None:
            raise self.error
        found, self.found = self.found, []
        return found


class EngineThread:
    """A TokenSource over the generation engine: requests are computed together, step by step."""

    def __init__(
        self,
        engine: "GenerationEngine",
        own: str | None,
        room: int,
        virtual: Callable[[str | None], int],
        cache_bytes: int,
    ) -> None:
        self.own, self.room, self._virtual = own, room, virtual
        self.cache_bytes, self.num_awaited = cache_bytes, 0
        self._engine = engine
        self._todo: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._tickets: dict[int, _Ticket] = {}
        self._thread = threading.Thread(target=self._run, name="generation", daemon=True)
        self._thread.start()

    async def written(
        self, request: "GenerationRequest"
    ) -> "AsyncGenerator[list[WrittenTokens], None]":
        """See TokenSource. Raises ApiError for a request that the engine refuses."""
        ticket = _Ticket(asyncio.get_running_loop(), request, num_open=request.num_answers)
        self._todo.put(partial(self._add, ticket))
        num_open = request.num_answers
        try:
            while num_open:
                if not ticket.found and ticket.error is None:
                    await ticket.more()
                found = ticket.take()
                for each in found:
                    num_open -= each.end is not None
                yield found
        except ApiError:
            num_open = 0
            raise
        finally:
            if num_open:
                self._todo.put(partial(self._leave, ticket))

    def num_virtual(self, adapter: str | None) -> int:
        """See TokenSource."""
        return self._virtual(adapter)

    def compile(self, grammar: "Grammar", salt: str) -> None:
        """See TokenSource."""
        self._engine.compile(grammar, salt)

    async def load(self, key: str, adapter: "AdapterWeights") -> None:
        """See TokenSource."""
        await self._done(lambda: self._engine.load(key, adapter))

    async def unload(self, key: str) -> None:
        """See TokenSource."""
        await self._done(lambda: self._engine.unload(key))

    def close(self) -> None:
        """See TokenSource."""
        self._todo.put(None)
        self._thread.join(timeout=10)

    async def _done(self, work: Callable[[], None]) -> None:
        """Wait for work that the thread does between two steps."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def settle(error: Exception | None) -> None:
            if not done.done():
                done.set_exception(error) if error else done.set_result(None)

        def do() -> None:
            try:
                work()
            except Exception as error:
                loop.call_soon_threadsafe(settle, error)
            else:
                loop.call_soon_threadsafe(settle, None)

        self._todo.put(do)
        await done

    def _run(self) -> None:
        import torch

        with torch.inference_mode():
            while self._is_ready():
                self._step()

    def _is_ready(self) -> bool:
        """Do what is to be done between two steps, until there is work for one; False at the end."""
        until = 0.0 if self._engine.has_work else None
        while True:
            try:
                work = self._todo.get(timeout=self._patience(until))
            except queue.Empty:
                return True
            if work is None:
                return False
            work()
            if not self._engine.has_work:
                until = None
            elif until is None:
                until = time.monotonic() + _GATHERING_SECONDS

    def _patience(self, until: float | None) -> float | None:
        """How long to wait for more to do; None where there is no step to be made."""
        if until is None:
            return None
        return max(0.0, until - time.monotonic()) if self.num_awaited else 0.0

    def _step(self) -> None:
        try:
            found = self._engine.step()
        except Exception:
            _LOG.exception("a step of generation failed")
            for ticket in list(self._tickets.values()):
                self._cancel(ticket)
                _hand_out([(ticket, ApiError("the engine failed; its log says why", status=500))])
            return
        of_loops: dict[asyncio.AbstractEventLoop, dict[_Ticket, list[WrittenTokens]]] = {}
        for written in found:
            ticket = self._tickets[written.request]
            of_loops.setdefault(ticket.loop, {}).setdefault(ticket, []).append(written)
            if written.end is not None:
                ticket.num_open -= 1
                if not ticket.num_open:
                    del self._tickets[written.request]
        for parts in of_loops.values():
            _hand_out([*parts.items()])

    def _add(self, ticket: _Ticket) -> None:
        if ticket.is_left:
            return
        try:
            ticket.number = self._engine.add(ticket.request)
        except DataError as error:
            _hand_out([(ticket, ApiError(str(error)))])
        except Exception as error:
            _LOG.exception("a request could not be begun")
            _hand_out([(ticket, error)])
        else:
            self._tickets[ticket.number] = ticket

    def _leave(self, ticket: _Ticket) -> None:
        ticket.is_left = True
        if ticket.number in self._tickets:
            self._cancel(ticket)

    def _cancel(self, ticket: _Ticket) -> None:
        assert ticket.number is not None
        self._engine.cancel(ticket.number)
        del self._tickets[ticket.number]


_Handed: TypeAlias = "tuple[_Ticket, list[WrittenTokens] | Exception]"


def _hand_out(parts: "list[_Handed]") -> None:
    def put() -> None:
        for ticket, found in parts:
            ticket.put(found)

    with suppress(RuntimeError):  # the loop has ended, and nobody waits
        parts[0][0].loop.call_soon_threadsafe(put)


def token_source(
    lm: "LM",
    chat: "Chat",
    *,
    at_once: int,
    context: int | None,
    taken: int = 0,
    draft: "DraftGuesses | None" = None,
) -> TokenSource:
    """Whatever writes the tokens of a model, with a cache for `at_once` answers as far as memory allows.

    `taken` are the bytes of the caches beside it: memory that was not written yet still counts as free."""
    from importlib.util import find_spec

    from finewright.lm.engine.engine import EngineLimits, GenerationEngine
    from finewright.lm.engine.forward import BLOCK
    from finewright.lm.engine.ready import ready_forward
    from finewright.lm.engine.schemas import Grammars
    from finewright.lm.runtime import free_bytes

    if not lm.block_bytes:
        return OneByOne(lm)
    wanted = at_once * -(-(context or _CONTEXT) // BLOCK)
    most = int(_SHARE * max(free_bytes() - taken, 0)) // lm.block_bytes
    num_blocks = max(min(wanted, most), _FEWEST_BLOCKS)
    forward, own, is_exact = ready_forward(lm, num_blocks)
    size = lm.model.get_output_embeddings().weight.shape[0]
    limits = EngineLimits(
        size,
        context=context,
        max_running=at_once,
        max_step_tokens=_MAX_STEP_TOKENS,
        max_beside=_MAX_BESIDE,
        guess_up_to=_GUESS_UP_TO if is_exact else 0,
        draft=draft,
        grammars=Grammars(chat.tokenizer, size, chat.stop_ids) if find_spec("llguidance") else None,
    )
    engine = GenerationEngine(forward, limits, own=own)
    room, cache_bytes = (num_blocks - 1) * BLOCK, num_blocks * lm.block_bytes
    return EngineThread(engine, own, room, forward.num_virtual, cache_bytes)
