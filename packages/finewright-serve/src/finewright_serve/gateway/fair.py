"""Slots that keys share: each gets as many as it can use, none more than one that still waits (max-min
fairness), and when it is worth coming again.

A slot that becomes free goes to the waiting key with the fewest, of like ones to that which waited longest
for its turn. Slots are kept free for keys that have none, a quarter at most, so that one who comes waits for
nobody's long answer. A full queue takes one from the key with the longest share of it (McKenney 1990,
INFOCOM)."""

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import count
from statistics import median

_FIRST_SECONDS = 10.0
"""How long a slot is taken to be held before one was given back: some hundred tokens of a small model on a
CPU."""
_WEIGHT = 0.2
"""Of the last holding in their mean: about the last ten count."""


class Evicted(Exception):  # noqa: N818 - what happened to a place in the queue
    """A place in the queue was taken for a key that had fewer."""


MostSlots = Callable[[str], int | None]


def _nobody() -> Collection[str]:
    return ()


def unlimited(_key: str) -> int | None:
    """A key has no bound of its own."""
    return None


@dataclass(slots=True, eq=False)
class FairSlots:
    """`num` slots, of which `most_kept` at most are kept for those of `known` that have none. A key never has
    more than `most_of` it, where that is a number."""

    num: int
    most_kept: int = 0
    known: Callable[[], Collection[str]] = _nobody
    most_of: MostSlots = unlimited
    running: Counter[str] = field(default_factory=Counter)
    _waiting: dict[str, deque[asyncio.Future[None]]] = field(default_factory=dict)
    _turns: dict[str, int] = field(default_factory=dict)
    _turn: "count[int]" = field(default_factory=count)
    _began: dict[int, float] = field(default_factory=dict)
    _seconds: float = _FIRST_SECONDS
    _promised: dict[str, float] = field(default_factory=dict)

    @property
    def num_running(self) -> int:
        """Slots that are held."""
        return self.running.total()

    @property
    def num_waiting(self) -> int:
        """Those that wait, of all keys."""
        return sum(map(len, self._waiting.values()))

    def is_free(self, key: str) -> bool:
        """Would the key get a slot at once?"""
        return key not in self._waiting and self._may_begin(key)

    async def acquire(self, key: str) -> int:
        """A slot, by its number. Raises Evicted."""
        if not self.is_free(key):
            await self._turn_of(key)
        else:
            self.running[key] += 1
        number = next(self._turn)
        self._turns[key] = number
        self._began[number] = asyncio.get_running_loop().time()
        return number

    def release(self, key: str, number: int) -> None:
        """Give a slot back."""
        held = asyncio.get_running_loop().time() - self._began.pop(number)
        self._seconds += _WEIGHT * (held - self._seconds)
        self._give_back(key)

    def evict_for(self, key: str) -> bool:
        """Take the newest place of the key with the most in the queue, if it has two more than this one."""
        longest = max(self._waiting, key=lambda each: len(self._waiting[each]), default=key)
        mine = len(self._waiting.get(key, ()))
        if longest == key or len(self._waiting[longest]) < mine + 2:
            return False
        place = self._waiting[longest].pop()
        self._forget_empty(longest)
        if not place.done():  # its asker left at this moment
            place.set_exception(Evicted())
        return True

    def seconds_until_room(self, key: str) -> int:
        """When one more of the key's questions would find a place, after those that were told so before.

        Slots are held about as long as the last ones were, and at least as long again as they are by now; the
        key has its share of those that become free."""
        now = asyncio.get_running_loop().time()
        age = median([now - began for began in self._began.values()] or [0.0])
        held = max(self._seconds, 2 * age)
        num_keys = len({*self._waiting, *+self.running, key})
        begin = max(self._promised.get(key, 0.0), now + held - age)
        share = min(self.num / num_keys, self.most_of(key) or self.num)
        self._promised[key] = begin + held / share
        return max(1, math.ceil(begin - now))

    def _may_begin(self, key: str) -> bool:
        if self.running[key] >= (self.most_of(key) or self.num):
            return False
        free = self.num - self.num_running
        if self.running[key] and free > 0:
            without = sum(not self.running[each] for each in self.known() if each != key)
            free -= min(self.most_kept, without)
        return free > 0

    async def _turn_of(self, key: str) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self._give_back(key)  # it came as its asker left
            elif place in self._waiting.get(key, ()):
                self._waiting[key].remove(place)
                self._forget_empty(key)
            raise

    def _give_back(self, key: str) -> None:
        self.running[key] -= 1
        if not self.running[key]:
            del self.running[key]
        while fitting := [each for each in self._waiting if self._may_begin(each)]:
            first = min(fitting, key=lambda each: (self.running[each], self._turns.get(each, -1)))
            place = self._waiting[first].popleft()
            self._forget_empty(first)
            if not place.done():
                self.running[first] += 1
                place.set_result(None)

    def _forget_empty(self, key: str) -> None:
        if not self._waiting[key]:
            del self._waiting[key]
        if not self._waiting:  # there is room now, whoever was told to come later
            self._promised.clear()
