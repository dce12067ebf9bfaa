"""How many questions each engine is given at once, how many wait, and for how long. Nothing waits without a
bound, and no key takes all (see fair.py)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.fair import Evicted, FairSlots, MostSlots, unlimited
from finewright_serve.gateway.question import ModelEngine

_RESTART_SECONDS = 5
"""After which a server that goes down may be there again: a restart takes so long (docs/serve.md,
Measured)."""
_KEPT_SHARE = 4
"""Of so many slots one is kept at most for keys that have none."""


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

    def __init__(
        self,
        waiting: int,
        seconds: float,
        known: Callable[[], Collection[str]] = tuple,
        most_of: MostSlots = unlimited,
    ) -> None:
        """`waiting` questions at most wait for an engine, none of them longer than the seconds; `known` are
        the keys that may ask, each with `most_of` slots."""
        self._most_waiting, self._seconds, self._known = waiting, seconds, known
        self._most_of = most_of
        self._slots: dict[ModelEngine, FairSlots] = {}
        self._open: set[TimeLimit] = set()
        self.draining = self.has_ended = False

    @property
    def running(self) -> int:
        """Answers that are being given."""
        return sum(slots.num_running for slots in self._slots.values())

    @property
    def waiting(self) -> int:
        """Questions that wait."""
        return sum(slots.num_waiting for slots in self._slots.values())

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
    async def slot(self, engine: ModelEngine, key: str) -> AsyncIterator[None]:
        """One slot of the engine, held for the key while the block runs. Raises ApiError."""
        slots = self._slots.get(engine)
        if slots is None:
            kept = engine.at_once // _KEPT_SHARE
            slots = self._slots[engine] = FairSlots(
                engine.at_once, kept, self._known, self._most_of
            )
        number = await self._acquire(slots, key)
        try:
            yield
        finally:
            slots.release(key, number)

    async def _acquire(self, slots: FairSlots, key: str) -> int:
        if self.draining:
            raise _going_down()
        is_full = slots.num_waiting >= self._most_waiting and not slots.is_free(key)
        if is_full and not slots.evict_for(key):
            raise _full(slots, key)
        what = f"no slot became free within {self._seconds:g} s"
        late = ApiError(what, status=503)
        try:
            with self.within(asyncio.get_running_loop().time() + self._seconds, late):
                return await slots.acquire(key)
        except Evicted:
            raise _full(slots, key) from None
        except ApiError as error:
            if error is late:
                late.retry_after = slots.seconds_until_room(key)
            raise


def _full(slots: FairSlots, key: str) -> ApiError:
    what = f"{slots.num_running} answers are being given and {slots.num_waiting} questions wait"
    seconds = slots.seconds_until_room(key)
    return ApiError(what, status=429, code="rate_limit_exceeded", retry_after=seconds)


def _going_down() -> ApiError:
    return ApiError("the server is going down", status=503, retry_after=_RESTART_SECONDS)
