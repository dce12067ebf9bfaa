"""The end of the time to drain: what is under way is cut, and its client hears so."""

import asyncio
import json
from collections.abc import AsyncGenerator

import httpx
import pytest

from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import app_of
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.gateway import Gateway
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.question import AnswerPiece, GatewayQuestion
from gateway.test_responses import Scripted


class Endless(Scripted):
    """An engine whose answers begin and never end."""

    async def answer(self, question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
        yield AnswerPiece(content="begun")
        await asyncio.Event().wait()


async def cut(route: str, body: dict[str, object]) -> httpx.Response:
    """What comes of a question that is being answered when the server may wait no longer."""
    admission = Admission(4, 9)
    app = app_of(Gateway([Endless([])], admission, Measures(admission)), None)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x/v1") as client:
        asked = asyncio.create_task(client.post(route, json={"model": "m", **body}))
        while not admission.running:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)  # the first piece is sent
        admission.end()
        return await asyncio.wait_for(asked, 5)


@pytest.mark.parametrize(
    ("route", "body", "ends"),
    [
        ("/completions", {"prompt": "a"}, ["[DONE]"]),
        ("/chat/completions", {"messages": [{"role": "user", "content": "a"}]}, ["[DONE]"]),
        ("/responses", {"input": "a"}, []),
    ],
)
def test_an_answer_that_is_cut_says_so(
    route: str, body: dict[str, object], ends: list[str]
) -> None:
    whole = asyncio.run(cut(route, body))
    assert (whole.status_code, whole.json()["error"]["type"]) == (503, "server_error")
    stream = asyncio.run(cut(route, {**body, "stream": True}))
    found = [line[6:] for line in stream.text.splitlines() if line.startswith("data: ")]
    at = next(number for number, text in enumerate(found) if '"type":"server_error"' in text)
    assert "begun" in stream.text.partition(found[at])[0]
    assert json.loads(found[at])["error"]["message"] == "the server is going down"
    assert found[at + 1 :] == ends


async def cut_late(admission: Admission) -> None:
    """A block whose time is over, and which ends the way it must when the server may wait no longer."""
    with admission.within(asyncio.get_running_loop().time(), ApiError("late", status=504)):
        try:
            await asyncio.Event().wait()
        finally:
            admission.end()
            await asyncio.sleep(0.01)


def test_a_block_that_ends_for_its_time_is_not_cut_again() -> None:
    with pytest.raises(ApiError, match="going down"):
        asyncio.run(cut_late(Admission(4, 9)))


async def cancelled_late(limit_seconds: float) -> None:
    """A task that another cancels after its time was over while it rested."""

    async def rest() -> None:
        end = asyncio.get_running_loop().time() + limit_seconds
        with Admission(4, 9).within(end, ApiError("late", status=504)) as limit:
            limit.rest()
            await asyncio.sleep(9)

    task = asyncio.create_task(rest())
    await asyncio.sleep(0.02)
    task.cancel()
    await task


@pytest.mark.parametrize("limit_seconds", [0.0, 9.0])
def test_who_is_cancelled_by_another_is_cancelled_whatever_the_time(limit_seconds: float) -> None:
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled_late(limit_seconds))


async def times_out_itself() -> None:
    with Admission(4, 9).within(asyncio.get_running_loop().time() + 9, ApiError("late")):
        raise TimeoutError("of a socket")


def test_a_timeout_of_something_else_stays_what_it_is() -> None:
    with pytest.raises(TimeoutError, match="of a socket"):
        asyncio.run(times_out_itself())
