"""How many questions each engine is given at once, how many wait, and for how long. Nothing waits without a
bound."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from finewright.gateway.errors import ApiError
from finewright.gateway.question import ModelEngine

_RETRY_SECONDS = 1


@dataclass(slots=True)
class _Slots:
    """Of one engine."""

    free: asyncio.Semaphore
    running: int = 0
    waiting: int = 0


class Admission:
    """Slots for answers. A question beyond the waiting ones is refused with 429, while draining with 503."""

    def __init__(self, waiting: int, seconds: float) -> None:
        """`waiting` questions at most wait for an engine, none of them longer than the seconds."""
        self._most_waiting, self._seconds = waiting, seconds
        self._slots: dict[ModelEngine, _Slots] = {}
        self.draining = False

    @property
    def running(self) -> int:
        """Answers that are being given."""
        return sum(slots.running for slots in self._slots.values())

    @property
    def waiting(self) -> int:
        """Questions that wait."""
        return sum(slots.waiting for slots in self._slots.values())

    @property
    def is_idle(self) -> bool:
        """Is no answer given, and does no question wait?"""
        return not self.running and not self.waiting

    @asynccontextmanager
    async def slot(self, engine: ModelEngine) -> AsyncIterator[None]:
        """One slot of the engine, held while the block runs. Raises ApiError."""
        slots = self._slots.get(engine)
        if slots is None:
            slots = self._slots[engine] = _Slots(asyncio.Semaphore(engine.at_once))
        await self._acquire(slots)
        slots.running += 1
        try:
            yield
        finally:
            slots.running -= 1
            slots.free.release()

    async def _acquire(self, slots: _Slots) -> None:
        if self.draining:
            raise ApiError("the server is going down", status=503, retry_after=_RETRY_SECONDS)
        if slots.free.locked() and slots.waiting >= self._most_waiting:
            what = f"{slots.running} answers are being given and {slots.waiting} questions wait"
            raise ApiError(what, status=429, code="rate_limit_exceeded", retry_after=_RETRY_SECONDS)
        slots.waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                await slots.free.acquire()
        except TimeoutError:
            what = f"no slot became free within {self._seconds:g} s"
            raise ApiError(what, status=503, retry_after=_RETRY_SECONDS) from None
        finally:
            slots.waiting -= 1
