"""What the gateway writes down of an answer, however it ends."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.testclient import TestClient

from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import app_of
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.gateway import Gateway, GatewayLimits
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.question import AnswerPiece, GatewayQuestion, GuardDecision
from finewright_serve.gateway.steps import PlainStep, QuestionCaller
from gateway.test_responses import LAST, Scripted


class Failing(Scripted):
    """An engine that gives a piece, and fails."""

    def __init__(self, error: Exception) -> None:
        super().__init__([])
        self.error = error

    async def answer(self, question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
        yield AnswerPiece(content="a")
        raise self.error


@pytest.mark.parametrize(
    ("error", "reads", "outcome"),
    [
        (ZeroDivisionError(), 2, "500"),
        (ApiError("no", status=504, code="timeout"), 2, "timeout"),
        (ZeroDivisionError(), 1, "cut"),  # the client leaves before
    ],
)
def test_an_answer_that_fails_is_not_one_whose_client_left(
    error: Exception, reads: int, outcome: str
) -> None:
    admission = Admission(4, 9)
    gateway = Gateway([Failing(error)], admission, Measures(admission))

    async def read() -> None:
        pieces = gateway.answer(GatewayQuestion("m"), QuestionCaller("", "user", "/"))
        for _ in range(reads):
            await anext(pieces)
        await pieces.aclose()

    if reads > 1:
        with pytest.raises(type(error)):
            asyncio.run(read())
    else:
        asyncio.run(read())
    assert f'answers_total{{model="m",outcome="{outcome}"}} 1.0' in gateway.measures.text().decode()


class Deciding(PlainStep):
    """A step that decides, and adds a header."""

    async def before(self, question: GatewayQuestion, asker: QuestionCaller) -> GatewayQuestion:
        question.decisions.append(GuardDecision("injection", "input", "log", "hijack"))
        asker.record.headers["x-flagged"] = "injection"
        return question


def test_the_headers_of_a_step_are_sent() -> None:
    admission = Admission(4, 9)
    gateway = Gateway([Scripted([LAST])], admission, Measures(admission), steps=[Deciding()])
    client = TestClient(app_of(gateway, None))
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    for more in ({}, {"stream": True}):
        found = client.post("/v1/chat/completions", json=body | more)
        assert found.headers["x-flagged"] == "injection"


@pytest.mark.parametrize("route", ["chat/completions", "completions", "responses"])
def test_an_answer_says_that_a_machine_made_it(route: str) -> None:
    admission = Admission(4, 9)
    limits = GatewayLimits(disclosure="A machine wrote this.")
    pieces = [AnswerPiece(content="yes"), LAST]
    gateway = Gateway([Scripted(pieces)], admission, Measures(admission), limits)
    client = TestClient(app_of(gateway, None))
    said = {"prompt": "a"} if route == "completions" else {"input": "a"}
    said = {"messages": [{"role": "user", "content": "a"}]} if "chat" in route else said
    body = {"model": "m", "metadata": {"mine": "1"}, **said}
    whole = client.post(f"/v1/{route}", json=body)
    assert whole.headers["ai-disclosure"] == 'mode=machine-generated, model="m"'
    assert whole.json()["metadata"]["ai_disclosure"] == "A machine wrote this."
    assert whole.json()["metadata"].get("mine") == ("1" if route == "responses" else None)
    streamed = client.post(f"/v1/{route}", json=body | {"stream": True})
    assert streamed.headers["ai-disclosure"] == whole.headers["ai-disclosure"]
    assert streamed.text.count('"ai_disclosure": "A machine wrote this."') == 1
