"""What every engine behind the gateway must do: a test module subclasses `EngineConformance`, says which
`model` is asked, and gives the fixture `made`, which makes an engine as `serve` would."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import ClassVar, TypeVar

import pytest

from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.question import (
    AnswerForm,
    AnswerPiece,
    GatewayQuestion,
    ModelEngine,
    SamplingWish,
    ToolWish,
)

Found = TypeVar("Found")
MadeEngine = Callable[[], ModelEngine]
_TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
_MOST = 8
_BUSY, _SECONDS_TO_LEAVE = 429, 5.0


class EngineConformance:
    """The claims: an answer comes in pieces and ends once, within its bounds, or is refused beforehand."""

    model: ClassVar[str]
    text: ClassVar[str] = "the user asks"

    @pytest.fixture
    def question(self) -> GatewayQuestion:
        messages = ({"role": "user", "content": self.text},)
        return GatewayQuestion(self.model, messages, max_tokens=_MOST)

    def test_it_names_its_models_and_is_ready(self, made: MadeEngine) -> None:
        async def look(engine: ModelEngine) -> None:
            ids = [model.id for model in engine.models()]
            assert self.model in ids
            assert len({*ids}) == len(ids)
            assert all(model.engine for model in engine.models())
            assert engine.at_once >= 1
            assert await engine.is_ready()

        _run(made, look)

    @pytest.mark.parametrize("number", [1, 2])
    def test_each_answer_ends_once_and_the_tokens_are_counted_last(
        self, made: MadeEngine, question: GatewayQuestion, number: int
    ) -> None:
        pieces = _run(made, lambda e: _pieces(e, _several(question, number)))
        for choice in range(number):
            own = [piece for piece in pieces if piece.choice == choice]
            assert [bool(piece.finish) for piece in own] == [False] * (len(own) - 1) + [True]
        *before, last = pieces
        assert last.usage is not None
        assert [piece for piece in before if piece.usage] == []
        assert last.usage.prompt > 0
        assert 0 < last.usage.answer <= number * _MOST

    def test_no_answer_is_longer_than_it_may_be(
        self, made: MadeEngine, question: GatewayQuestion
    ) -> None:
        *_, last = _run(made, lambda e: _pieces(e, replace(question, max_tokens=1)))
        assert last.usage is not None
        assert last.usage.answer == 1

    def test_an_answer_ends_before_a_stop(
        self, made: MadeEngine, question: GatewayQuestion
    ) -> None:
        whole = _text(_run(made, lambda e: _pieces(e, question)))
        letters = [letter for letter in whole if letter.isascii() and letter.isprintable()]
        assert letters, f"the answer to the question has letters: {whole!r}"
        stop = letters[len(letters) // 2]
        stopped = _run(made, lambda e: _pieces(e, replace(question, stops=(stop,))))
        assert _text(stopped) == whole[: whole.index(stop)]
        assert stopped[-1].finish == "stop"

    def test_questions_at_once_each_get_an_answer(
        self, made: MadeEngine, question: GatewayQuestion
    ) -> None:
        async def ask(engine: ModelEngine) -> list[list[AnswerPiece]]:
            number = min(4, engine.at_once)
            return await asyncio.gather(*(_pieces(engine, question) for _ in range(number)))

        assert all(pieces[-1].usage for pieces in _run(made, ask))

    def test_who_leaves_ends_the_work_and_others_are_answered(
        self, made: MadeEngine, question: GatewayQuestion
    ) -> None:
        async def leave(engine: ModelEngine) -> list[AnswerPiece]:
            async with aclosing(
                engine.answer(_several(question, min(2, engine.at_once)))
            ) as pieces:
                async for _ in pieces:
                    break
            return await _once_free(engine, question)

        assert _run(made, leave)[-1].usage

    @pytest.mark.parametrize(
        "wish",
        [
            {"num_logprobs": 1},
            {"form": AnswerForm()},
            {"tools": ToolWish((_TOOL,))},
            {"messages": None, "text": "the user"},
            {"messages": None, "text": (5, 6, 7)},
        ],
        ids=["logprobs", "form", "tools", "text", "tokens"],
    )
    def test_a_wish_is_honoured_or_refused_before_the_first_piece(
        self, made: MadeEngine, question: GatewayQuestion, wish: dict[str, object]
    ) -> None:
        async def ask(engine: ModelEngine) -> None:
            pieces: list[AnswerPiece] = []
            refused: ApiError | None = None
            try:
                async for piece in engine.answer(replace(question, **wish)):  # type: ignore[arg-type]
                    pieces.append(piece)  # noqa: PERF401 - what came before a refusal counts
            except ApiError as error:
                refused = error
            if refused is not None:
                assert (pieces, refused.status) == ([], 400)
                return
            assert pieces[-1].usage
            if "num_logprobs" in wish:
                assert [score for piece in pieces for score in piece.scores]

        _run(made, ask)

    def test_texts_have_vectors_or_it_says_that_there_are_none(self, made: MadeEngine) -> None:
        async def embed(engine: ModelEngine) -> None:
            served = next(each for each in engine.models() if each.id == self.model)
            if served.embeds:
                found = await engine.embed(self.model, ["a", "b c"])
                assert len({len(vector) for vector in found.vectors}) == 1
                assert (len(found.vectors), found.num_tokens > 0) == (2, True)
            else:
                with pytest.raises(ApiError):
                    await engine.embed(self.model, ["a"])

        _run(made, embed)


def _several(question: GatewayQuestion, number: int) -> GatewayQuestion:
    return replace(question, num_answers=number, sampling=SamplingWish(temperature=1.0, seed=1))


def _run(made: MadeEngine, work: Callable[[ModelEngine], Awaitable[Found]]) -> Found:
    engine = made()

    async def whole() -> Found:
        try:
            return await work(engine)
        finally:
            await engine.close()

    return asyncio.run(whole())


async def _once_free(engine: ModelEngine, question: GatewayQuestion) -> list[AnswerPiece]:
    """A server behind the engine needs a moment to see that its client has left."""
    end = time.monotonic() + _SECONDS_TO_LEAVE
    while True:
        try:
            return await _pieces(engine, question)
        except ApiError as error:
            if error.status != _BUSY or time.monotonic() > end:
                raise
        await asyncio.sleep(0.05)


async def _pieces(engine: ModelEngine, question: GatewayQuestion) -> list[AnswerPiece]:
    return [piece async for piece in engine.answer(question)]


def _text(pieces: list[AnswerPiece]) -> str:
    return "".join(piece.content for piece in pieces)
