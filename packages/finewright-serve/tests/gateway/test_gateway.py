"""What the gateway writes down of an answer, however it ends."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.gateway import Gateway
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.question import AnswerPiece, GatewayQuestion
from finewright_serve.gateway.steps import QuestionCaller
from gateway.test_responses import Scripted


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
