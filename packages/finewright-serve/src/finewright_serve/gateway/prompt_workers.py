"""Threads that turn questions into what engines read, off the event loop and fairly between keys."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from finewright_serve.gateway.fair import FairSlots

Made = TypeVar("Made")
_FEWEST, _CORES_OF_ONE = 2, 8
"""Tokenizers let other threads go on; a fleet of them would take the cores that answers are computed on."""
_NICE = 10
"""A tenth of the share of a thread that computes answers: the threads of a step wait for each other, so that
one that a long text takes a core from holds up all."""


class PromptWorkers:
    """Some threads. One is always left for another key than those whose prompts are being made."""

    def __init__(self) -> None:
        number = max(_FEWEST, (os.cpu_count() or 1) // _CORES_OF_ONE)
        self._threads = ThreadPoolExecutor(
            number, thread_name_prefix="prompts", initializer=_give_way
        )
        self._turns = FairSlots(number, 1, lambda: ("another key",))

    async def make(self, key: str, work: Callable[[], Made]) -> Made:
        """What the work gives, once the key has its turn."""
        turn = await self._turns.acquire(key)
        working = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(working)
        finally:  # a client that leaves ends no thread, whose turn lasts until it is done
            working.add_done_callback(lambda _: self._turns.release(key, turn))

    def close(self) -> None:
        """End them."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _give_way() -> None:
    """Let the threads that compute answers go first; Linux alone has priorities of threads."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
