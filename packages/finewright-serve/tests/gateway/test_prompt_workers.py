"""Threads that read long texts give way to the threads that compute answers."""

import asyncio
import os
import sys
import threading

import pytest

from finewright_serve.gateway.prompt_workers import PromptWorkers


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
def test_a_thread_that_makes_prompts_has_a_lower_priority_than_the_process() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    workers = PromptWorkers()
    try:
        inside = asyncio.run(workers.make("key", priority))
    finally:
        workers.close()
    assert inside == 10 > priority()
