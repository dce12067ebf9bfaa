"""Changes of what is loaded: one after the other, each to its end, even when who waits for it leaves."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

Outcome = TypeVar("Outcome")


@dataclass(slots=True, eq=False)
class Switching:
    """A lock around changes that nobody cancels half-way."""

    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _under_way: set["asyncio.Task[Any]"] = field(default_factory=set)  # a loop forgets its tasks

    async def whole(self, change: Coroutine[Any, Any, Outcome]) -> Outcome:
        """Wait for a change; cancelling this leaves the change to go on."""
        task = asyncio.create_task(self._alone(change))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _alone(self, change: Coroutine[Any, Any, Outcome]) -> Outcome:
        async with self._lock:
            return await change
