"""How many questions each engine is given at once, how many wait, and for how long. Nothing waits without a
bound."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from finewright.gateway.errors import ApiError
from finewright.gateway.question import ModelEngine

_RETRY_SECONDS = 1
Found = TypeVar("Found")


@dataclass(slots=True)
class _Slots:
    """Of one engine."""

    free: asyncio.Semaphore
    running: int = 0
    waiting: int = 0


@dataclass(slots=True, eq=False)
class TimeLimit:
    """One timer for any number of waits, which asyncio.timeout would make and cancel for each of them. `end`
    cuts the wait of the moment, and every later one."""

    is_over: bool
    _waiting: "asyncio.Task[object] | None" = None

    def end(self) -> None:
        """The time is over."""
        self.is_over = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def wait(self, work: Callable[..., Awaitable[Found]], *given: object) -> Found:
        """What work(*given) gives. Raises TimeoutError where the time is over."""
        if self.is_over:
            raise TimeoutError
        task = self._waiting = asyncio.current_task()
        assert task is not None
        others = task.cancelling()
        try:
            return await work(*given)
        except asyncio.CancelledError:
            if self.is_over and task.uncancel() <= others:
                raise TimeoutError from None
            raise
        finally:
            self._waiting = None


class Admission:
    """Slots for answers. A question beyond the waiting ones is refused with 429, while draining with 503."""

    def __init__(self, waiting: int, seconds: float) -> None:
        """`waiting` questions at most wait for an engine, none of them longer than the seconds."""
        self._most_waiting, self._seconds = waiting, seconds
        self._slots: dict[ModelEngine, _Slots] = {}
        self._open: set[TimeLimit] = set()
        self.draining = self.has_ended = False

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

    def end(self) -> None:
        """Cut what is under way: every block of `within` ends, and so will those that begin."""
        self.draining = self.has_ended = True
        for limit in self._open:
            limit.end()

    @contextmanager
    def within(self, end: float, late: ApiError) -> Iterator[TimeLimit]:
        """What it waits for ends by this time of the event loop, or with the server: `late`, or 503."""
        limit = TimeLimit(self.has_ended)
        timer = asyncio.get_running_loop().call_at(end, limit.end)
        self._open.add(limit)
        try:
            yield limit
        except TimeoutError:
            raise (_going_down() if self.has_ended else late) from None
        finally:
            timer.cancel()
            self._open.discard(limit)

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
            raise _going_down()
        if slots.free.locked() and slots.waiting >= self._most_waiting:
            what = f"{slots.running} answers are being given and {slots.waiting} questions wait"
            raise ApiError(what, status=429, code="rate_limit_exceeded", retry_after=_RETRY_SECONDS)
        what = f"no slot became free within {self._seconds:g} s"
        late = ApiError(what, status=503, retry_after=_RETRY_SECONDS)
        slots.waiting += 1
        try:
            with self.within(asyncio.get_running_loop().time() + self._seconds, late) as limit:
                await limit.wait(slots.free.acquire)
        finally:
            slots.waiting -= 1


def _going_down() -> ApiError:
    return ApiError("the server is going down", status=503, retry_after=_RETRY_SECONDS)
