"""Slots and queues that keys share, and a Retry-After that is true."""

import asyncio
from collections.abc import AsyncGenerator

import httpx
import openai
import pytest

from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import app_of
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.fair import FairSlots
from finewright_serve.gateway.gateway import Gateway
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.question import AnswerPiece, GatewayQuestion
from gateway.test_responses import LAST, Scripted


class Slow(Scripted):
    """An engine whose answers take a time."""

    def __init__(self, at_once: int, seconds: float) -> None:
        super().__init__([LAST])
        self.at_once, self.seconds = at_once, seconds

    async def answer(self, question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
        await asyncio.sleep(self.seconds)
        yield LAST


async def order_of(slots: FairSlots, *keys: str) -> list[str]:
    """The keys in the order in which those that wait get their slot; each gives it back at once."""
    found: list[str] = []

    async def one(key: str) -> None:
        number = await slots.acquire(key)
        found.append(key)
        slots.release(key, number)

    holding = [await slots.acquire("greedy") for _ in range(slots.num)]
    waiting = [asyncio.create_task(one(key)) for key in keys]
    await asyncio.sleep(0)
    for number in holding:
        slots.release("greedy", number)
    await asyncio.gather(*waiting)
    return found


def test_a_free_slot_goes_to_the_key_that_has_the_fewest() -> None:
    asked = ["greedy"] * 5 + ["b", "b", "c"]
    found = asyncio.run(order_of(FairSlots(3), *asked))
    assert found[:2] in (["b", "c"], ["c", "b"])
    assert found.index("greedy") <= 3
    assert sorted(found) == sorted(asked)


def test_one_slot_is_kept_for_each_key_that_has_none_and_a_quarter_at_most() -> None:
    async def held(known: tuple[str, ...], kept: int) -> int:
        slots, number = FairSlots(8, kept, lambda: known), 0
        while slots.is_free("greedy"):
            await slots.acquire("greedy")
            number += 1
        assert slots.is_free("new") == (number < 8)
        return number

    assert asyncio.run(held(("greedy",), 2)) == 8
    assert asyncio.run(held(("greedy", "b"), 2)) == 7
    assert asyncio.run(held(("greedy", "b", "c", "d"), 2)) == 6


def test_a_full_queue_takes_a_question_of_a_key_that_has_fewer_in_it() -> None:
    async def ask() -> list[object]:
        admission, engine = Admission(4, 9), Slow(1, 0.05)
        gateway = Gateway([engine], admission, Measures(admission))

        async def one(key: str) -> None:
            async with gateway.admission.slot(engine, key):
                await asyncio.sleep(0.02)

        greedy = [asyncio.create_task(one("greedy")) for _ in range(7)]
        await asyncio.sleep(0)
        others = [asyncio.create_task(one(key)) for key in "bcd"]
        return await asyncio.gather(*greedy, *others, return_exceptions=True)

    found = asyncio.run(ask())
    refused = [isinstance(each, ApiError) and each.status == 429 for each in found]
    # one has the slot; of four places the newcomers get those that make all shares alike
    assert refused == [False, False, *[True] * 5, False, False, False]


@pytest.mark.parametrize("leaves", [True, False])
def test_a_waiter_that_leaves_takes_no_slot_with_it(leaves: bool) -> None:
    async def ask() -> FairSlots:
        slots = FairSlots(1)
        number = await slots.acquire("a")
        waiting = asyncio.create_task(slots.acquire("b"))
        await asyncio.sleep(0)
        if leaves:
            waiting.cancel()
            slots.release("a", number)
        else:
            slots.release("a", number)
            waiting.cancel()  # its slot came in the same moment
        await asyncio.gather(waiting, return_exceptions=True)
        return slots

    slots = asyncio.run(ask())
    assert (slots.num_running, slots.num_waiting, slots.is_free("c")) == (0, 0, True)


def test_the_official_client_with_its_own_retries_loses_no_question() -> None:
    """A hundred at once for sixteen slots and 32 places: whoever is refused comes when there is room."""

    async def ask() -> list[object]:
        admission = Admission(32, 30)
        gateway = Gateway([Slow(16, 0.4)], admission, Measures(admission))
        transport = httpx.ASGITransport(app_of(gateway, None))
        async with (
            httpx.AsyncClient(transport=transport) as http,
            openai.AsyncOpenAI(base_url="http://x/v1", api_key="x", http_client=http) as client,
        ):

            async def one() -> object:
                try:
                    return await client.chat.completions.create(
                        model="m", messages=[{"role": "user", "content": "Hi"}]
                    )
                except openai.APIStatusError as error:
                    return error.status_code

            for _ in range(3):  # so that the server knows how long an answer takes
                await asyncio.gather(*(one() for _ in range(16)))
            return await asyncio.gather(*(one() for _ in range(100)))

    assert [each for each in asyncio.run(ask()) if isinstance(each, int)] == []


def test_before_any_answer_has_ended_it_is_told_to_wait_as_long_again() -> None:
    async def told() -> list[int]:
        loop = asyncio.get_running_loop()
        slots = FairSlots(2)
        for _ in range(2):
            await slots.acquire("a")
        slots._began = {number: loop.time() - 24 for number in slots._began}
        return [slots.seconds_until_room("a") for _ in range(3)]

    first, second, third = asyncio.run(told())
    assert 24 <= first <= 25
    assert second - first in (23, 24)
    assert third - second in (24, 25)
