"""How many questions each engine is given at once, how many wait, and for how long. Nothing waits without a
bound."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
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


@dataclass(slots=True, eq=False)
class TimeLimit:
    """The time that a block has, but for what happens between `rest` and `watch`: there a generator hands a
    piece to its reader, whom the limit must not cut. One timer for any number of waits."""

    task: "asyncio.Task[object]"
    is_over: bool = False
    has_cut: bool = False
    _is_watching: bool = True

    def end(self) -> None:
        """The time is over: what is waited for is cut, or `watch` raises. Once: a second cut would end the
        task while it answers to the first."""
        if self.is_over:
            return
        self.is_over = True
        if self._is_watching:
            self.has_cut = True
            self.task.cancel()

    def rest(self) -> None:
        """What happens next is not of the block."""
        self._is_watching = False

    def watch(self) -> None:
        """Go on. Raises TimeoutError where the time is over."""
        if self.is_over:
            raise TimeoutError
        self._is_watching = True


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
        """The block ends by this time of the event loop, or with the server: `late`, or 503. All of it is run
        by one task."""
        if self.has_ended:
            raise _going_down()
        task = asyncio.current_task()
        assert task is not None
        limit, others = TimeLimit(task), task.cancelling()
        timer = asyncio.get_running_loop().call_at(end, limit.end)
        self._open.add(limit)
        try:
            yield limit
        except TimeoutError:
            if not limit.is_over:
                raise
            raise (_going_down() if self.has_ended else late) from None
        except asyncio.CancelledError:
            if not limit.has_cut or task.uncancel() > others:
                raise
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
            with self.within(asyncio.get_running_loop().time() + self._seconds, late):
                await slots.free.acquire()
        finally:
            slots.waiting -= 1


def _going_down() -> ApiError:
    return ApiError("the server is going down", status=503, retry_after=_RETRY_SECONDS)
