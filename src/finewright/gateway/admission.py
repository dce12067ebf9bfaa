"""How many questions are answered at once, how many wait, and for how long. Nothing waits without a bound."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from finewright.gateway.errors import ApiError

_RETRY_SECONDS = 1


class Admission:
    """Slots for answers. A question beyond the waiting ones is refused with 429, while draining with 503."""

    def __init__(self, at_once: int, waiting: int, seconds: float) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._most_waiting, self._seconds = waiting, seconds
        self.running, self.waiting, self.draining = 0, 0, False

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """One slot, held while the block runs. Raises ApiError."""
        await self._acquire()
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._slots.release()

    async def _acquire(self) -> None:
        if self.draining:
            raise ApiError("the server is going down", status=503, retry_after=_RETRY_SECONDS)
        if self._slots.locked() and self.waiting >= self._most_waiting:
            what = f"{self.running} answers are being given and {self.waiting} questions wait"
            raise ApiError(what, status=429, code="rate_limit_exceeded", retry_after=_RETRY_SECONDS)
        self.waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._slots.acquire()
        except TimeoutError:
            what = f"no slot became free within {self._seconds:g} s"
            raise ApiError(what, status=503, retry_after=_RETRY_SECONDS) from None
        finally:
            self.waiting -= 1
