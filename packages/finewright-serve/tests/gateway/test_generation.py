"""The thread of an engine: when it begins a step, and what it waits for."""

import asyncio
import time

import pytest

from finewright.lm.engine.requests import AnswerEnd, GenerationRequest, WrittenTokens
from finewright_serve.gateway.generation import EngineThread

pytestmark = pytest.mark.torch


class OneStep:
    """An engine whose answers end with their first step; it counts those of each."""

    def __init__(self) -> None:
        self.going: list[int] = []
        self.sizes: list[int] = []
        self.number = 0

    @property
    def has_work(self) -> bool:
        return bool(self.going)

    def add(self, request: GenerationRequest) -> int:
        self.number += 1
        self.going.append(self.number)
        return self.number

    def step(self) -> list[WrittenTokens]:
        ended, self.going = self.going, []
        self.sizes.append(len(ended))
        return [WrittenTokens(number, 0, (1,), (), AnswerEnd("length")) for number in ended]


async def read(source: EngineThread) -> None:
    async for _ in source.written(GenerationRequest((1,), 1)):
        pass


@pytest.mark.parametrize(("num_awaited", "sizes"), [(0, [1, 1]), (1, [2])])
def test_an_idle_engine_waits_for_questions_that_are_nearly_there(
    num_awaited: int, sizes: list[int]
) -> None:
    engine = OneStep()
    source = EngineThread(engine, None, 100, lambda _: 0, 0)  # type: ignore[arg-type] # all it calls

    async def both() -> None:
        source.num_awaited = num_awaited
        first = asyncio.create_task(read(source))
        while not engine.going and not engine.sizes:
            await asyncio.sleep(0)
        source.num_awaited = 0
        await asyncio.gather(first, read(source))

    asyncio.run(both())
    source.close()
    assert engine.sizes == sizes


def test_it_waits_a_moment_at_most() -> None:
    source = EngineThread(OneStep(), None, 100, lambda _: 0, 0)  # type: ignore[arg-type] # all it calls
    source.num_awaited = 1

    begun = time.monotonic()
    asyncio.run(asyncio.wait_for(read(source), 5))
    source.close()
    assert time.monotonic() - begun >= 0.015
