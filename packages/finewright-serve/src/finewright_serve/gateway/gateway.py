"""From a question to the pieces of its answer: the model, the steps, a slot, the engine."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    aclosing,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass, field, replace

from finewright_serve.gateway.admission import Admission, TimeLimit
from finewright_serve.gateway.deciding import DecidedTexts, DeciderEngine
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.limits import AnswerCharge, Limiter, most_prompt_tokens
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.question import (
    AnswerPiece,
    GatewayQuestion,
    ModelEngine,
    ServedModel,
    TextVectors,
    TokenUsage,
)
from finewright_serve.gateway.steps import AnswerRecord, AnswerStep, QuestionCaller


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """What a request may take. Seconds are of the body, of waiting for a slot, and of the whole answer."""

    body_bytes: int = 4 * 2**20
    body_seconds: float = 30.0
    answer_seconds: float = 600.0
    max_tokens: int = 4096
    temperature: float = 0.0
    disclosure: str = ""
    """What every answer says of its being a machine's, in its header and metadata; empty: nothing."""


@dataclass(slots=True)
class Gateway:
    """The engines behind one door."""

    engines: Sequence[ModelEngine]
    admission: Admission
    measures: Measures
    limits: GatewayLimits = GatewayLimits()
    steps: Sequence[AnswerStep] = ()
    limiter: Limiter | None = None
    started: int = field(default_factory=lambda: int(time.time()))

    def models(self) -> dict[str, ServedModel]:
        """Every model by its id."""
        return {model.id: model for engine in self.engines for model in engine.models()}

    async def is_ready(self) -> bool:
        """Would a question be answered?"""
        if self.admission.draining:
            return False
        return any(await asyncio.gather(*(engine.is_ready() for engine in self.engines)))

    async def close(self) -> None:
        """Let the engines go."""
        for engine in self.engines:
            await engine.close()
        if self.limiter is not None:
            await self.limiter.close()

    def models_for(self, asker: QuestionCaller) -> list[ServedModel]:
        """Those that the asker may see."""
        return [model for model in self.models().values() if _may_ask(asker, model)]

    def find(self, model: str, asker: QuestionCaller) -> tuple[ModelEngine, ServedModel]:
        """The engine of a model. Raises ApiError where there is none of that id that the asker may see."""
        for engine in self.engines:
            for served in engine.models():
                if served.id == model and _may_ask(asker, served):
                    return engine, served
        missing = "is not one that this key may ask" if asker.models else "does not exist"
        what = f"the model {model[:100]!r} {missing}; GET /v1/models lists those there are"
        raise ApiError(what, status=404, param="model", code="model_not_found")

    def answers(
        self, questions: Sequence[GatewayQuestion], asker: QuestionCaller
    ) -> AsyncGenerator[AnswerPiece, None]:
        """The pieces of the answers to all questions, numbered on, one question after the other, so that a
        request takes one slot. Raises ApiError as `answer`."""
        if len(questions) == 1:
            return self.answer(questions[0], asker)
        return self._one_by_one(questions, asker)

    async def _one_by_one(
        self, questions: Sequence[GatewayQuestion], asker: QuestionCaller
    ) -> AsyncGenerator[AnswerPiece, None]:
        first, usage = 0, TokenUsage()
        for question in questions:
            async with aclosing(self.answer(question, asker)) as pieces:
                async for piece in pieces:
                    usage += piece.usage or TokenUsage()
                    so_far = usage if piece.usage else None
                    yield replace(piece, choice=first + piece.choice, usage=so_far)
            first += question.num_answers

    async def answer(
        self, question: GatewayQuestion, asker: QuestionCaller
    ) -> AsyncGenerator[AnswerPiece, None]:
        """The pieces of the answer. Raises ApiError, before the first piece or where the time is over."""
        begun, usage, outcome = time.monotonic(), TokenUsage(), "cut"
        words = asker.record.words
        if words is not None:
            words.ask(question)
        try:
            async with aclosing(self._answered(question, asker, begun)) as pieces:
                async for piece in pieces:
                    usage = piece.usage or usage
                    if words is not None:
                        words.add(piece)
                    yield piece
            outcome = "done"
        except ApiError as error:
            outcome = error.code or str(error.status)
            raise
        except Exception:
            outcome = "500"
            raise
        finally:
            asker.record.decisions += question.decisions
            seconds = time.monotonic() - begun
            record = AnswerRecord(outcome, usage, seconds, tuple(question.decisions))
            self.measures.ended(question.model, record)
            for step in self.steps:
                await step.after(question, asker, record)

    async def _answered(
        self, question: GatewayQuestion, asker: QuestionCaller, begun: float
    ) -> AsyncGenerator[AnswerPiece, None]:
        self.find(question.model, asker)
        question = replace(question, key=asker.key, project=asker.project)
        for step in self.steps:
            question = await step.before(question, asker)
        engine, _ = self.find(question.model, asker)
        question = self._bounded(question)
        async with (
            self._charged(question, asker) as charge,
            self.admission.slot(engine, asker.key),
            aclosing(_made(engine, replace(question, most_prompt=charge.most_prompt))) as made,
        ):
            pieces: AsyncIterator[AnswerPiece] = made
            for step in self.steps:
                pieces = step.pieces(question, pieces)
            is_first = True
            with self._time_of_answer() as limit:
                async for piece in pieces:
                    if is_first:
                        self.measures.begun(question.model, time.monotonic() - begun)
                        is_first = False
                    charge.add(piece)
                    limit.rest()
                    yield piece
                    limit.watch()

    def _charged(
        self, question: GatewayQuestion, asker: QuestionCaller
    ) -> AbstractAsyncContextManager[AnswerCharge]:
        if self.limiter is None:
            return nullcontext(AnswerCharge())
        answer = (question.max_tokens or self.limits.max_tokens) * question.num_answers
        return self.limiter.charged(asker, most_prompt_tokens(question), answer)

    def _bounded(self, question: GatewayQuestion) -> GatewayQuestion:
        most = self.limits.max_tokens
        if (question.max_tokens or 0) > most:
            what = f"max_tokens: {question.max_tokens}, and this server gives {most} at most"
            raise ApiError(what, param="max_tokens", code="invalid_value")
        return question

    @contextmanager
    def _time_of_answer(self) -> Iterator[TimeLimit]:
        seconds = self.limits.answer_seconds
        end = asyncio.get_running_loop().time() + seconds
        what = f"the answer took longer than {seconds:g} s; ask for fewer tokens"
        with self.admission.within(end, ApiError(what, status=504, code="timeout")) as limit:
            yield limit

    async def embed(self, model: str, texts: Sequence[str], asker: QuestionCaller) -> TextVectors:
        """The vectors of texts."""
        engine, served = self.find(model, asker)
        if not served.embeds:
            raise ApiError(f"the model {model!r} gives answers, no vectors", param="model")
        async with self._charged_texts(model, texts, asker, engine, "the vectors") as charge:
            found = await engine.embed(model, texts)
            charge.set_tokens(found.num_tokens)
            return found

    async def decide(self, model: str, texts: Sequence[str], asker: QuestionCaller) -> DecidedTexts:
        """A label for each text. Raises ApiError for a model that gives none.

        Guards do not look at it: what comes out is one of the labels, whatever the text says."""
        engine, _ = self.find(model, asker)
        if not isinstance(engine, DeciderEngine):
            what = f"the model {model!r} is no model of labels; train one with train.method linear"
            raise ApiError(what, param="model")
        async with self._charged_texts(model, texts, asker, engine, "the decisions") as charge:
            found = await engine.decide(texts)
            charge.set_tokens(sum(len(text.split()) for text in texts))  # words: it has no tokens
            return found

    @asynccontextmanager
    async def _charged_texts(
        self,
        model: str,
        texts: Sequence[str],
        asker: QuestionCaller,
        engine: ModelEngine,
        what: str,
    ) -> AsyncIterator[AnswerCharge]:
        """A slot and a charge for texts that get no answer in words, within the time of an answer."""
        if asker.record.words is not None:
            asker.record.words.ask_texts(model, texts)
        late = ApiError(f"{what} took too long", status=504, code="timeout")
        question = GatewayQuestion(model, text="".join(texts))
        async with self._charged(question, asker) as charge, self.admission.slot(engine, asker.key):
            end = asyncio.get_running_loop().time() + self.limits.answer_seconds
            with self.admission.within(end, late):
                yield charge


def _made(engine: ModelEngine, question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
    """The engine's pieces, or the answer that a step has settled."""
    return _settled(question) if question.settled else engine.answer(question)


async def _settled(question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
    yield AnswerPiece(content=question.settled)
    yield AnswerPiece(finish="stop", usage=TokenUsage())


def _may_ask(asker: QuestionCaller, model: ServedModel) -> bool:
    is_seen = model.owner == "" or asker.may_see(model.owner)
    return is_seen and asker.may_use(model.id)
