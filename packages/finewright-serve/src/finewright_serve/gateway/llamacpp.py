"""A GGUF file and its adapters behind the gateway: llama.cpp in a process of its own, started again where it
ended. Each request says which adapter it is for, so that none changes what another gets."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from finewright.lm.llamacpp.server import LlamacppServer
from finewright_serve.gateway.errors import ApiError, unsupported
from finewright_serve.gateway.names import Rows, marked, marks_of, refuse_lost
from finewright_serve.gateway.question import AnswerPiece, GatewayQuestion, ServedModel, TextVectors
from finewright_serve.gateway.remote import RemoteEngine, RemoteModel
from finewright_serve.gateway.upstream import Upstream, UpstreamDown
from finewright_serve.gateway.wire import broken


class LlamacppEngine:
    """`models`: the file alone, then with each of its adapters."""

    def __init__(
        self,
        models: Sequence[ServedModel],
        start: Callable[[int | None], LlamacppServer],
        *,
        at_once: int,
        most: int,
    ) -> None:
        """`start` starts llama.cpp, with the number of threads or, for None, with the best one."""
        self._models = [_with_adapter(models, number) for number in range(len(models))]
        self._start, self.at_once, self._most = start, at_once, most
        self._restarting = asyncio.Lock()
        self._begin(None)

    def _begin(self, threads: int | None) -> None:
        self.server = self._start(threads)
        self._bare = Upstream(self.server.url, self.server.key, is_local=True)
        upstream = Upstream(f"{self.server.url}/v1", self.server.key, is_local=True)
        self._remote = RemoteEngine(self._models, [upstream], at_once=self.at_once, most=self._most)

    def models(self) -> Sequence[ServedModel]:
        """The file, and the file with each adapter."""
        return self._remote.models()

    async def is_ready(self) -> bool:
        """Does llama.cpp answer?"""
        return not self.server.has_ended and await self._remote.is_ready()

    async def close(self) -> None:
        """End llama.cpp."""
        await self._remote.close()
        await self._bare.close()
        await asyncio.to_thread(self.server.stop)

    async def answer(self, question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
        """See ModelEngine. A question that the end of llama.cpp left without a piece is asked once more."""
        has_begun = False
        try:
            async with aclosing(self._answer(question)) as pieces:
                async for piece in pieces:
                    has_begun = True
                    yield piece
        except ApiError:
            if has_begun or not self.server.has_ended:
                raise
        else:
            return
        async with aclosing(self._answer(question)) as pieces:
            async for piece in pieces:
                yield piece

    async def _answer(self, question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
        if self.server.has_ended:
            async with self._restarting:
                await self._restarted()
        _refuse_other_spellings(question)
        await self._refuse_lost_names(question.messages or ())
        async with aclosing(self._remote.answer(question)) as pieces:
            async for piece in pieces:
                yield piece

    async def _refuse_lost_names(self, messages: Rows) -> None:
        if marks := marks_of(messages):
            body = {"messages": marked(messages, marks)}
            try:
                async with self._bare.response_to("apply-template", body) as response:
                    prompt = json.loads(await response.aread())["prompt"]
            except UpstreamDown as error:
                raise broken(str(error)) from None
            refuse_lost(marks, prompt)

    async def embed(self, model: str, texts: Sequence[str]) -> TextVectors:
        """A GGUF file that answers gives no vectors."""
        raise ApiError(f"the model {model!r} gives answers, no vectors", param="model")

    async def _restarted(self) -> None:
        if self.server.has_ended:
            threads = self.server.threads
            await self.close()
            await asyncio.to_thread(self._begin, threads)


def _refuse_other_spellings(question: GatewayQuestion) -> None:
    """Raise ApiError for what llama.cpp would take by another name, or for something else."""
    if question.sampling.repetition_penalty != 1:
        raise unsupported("repetition_penalty", "llama.cpp counts the last 64 tokens alone")
    if question.form is not None and question.form.kind != "json":
        raise unsupported(question.form.param, "llama.cpp is held to JSON schemas alone here")


def _with_adapter(models: Sequence[ServedModel], number: int) -> RemoteModel:
    scales = [{"id": i, "scale": float(i + 1 == number)} for i in range(len(models) - 1)]
    return RemoteModel(models[number], models[number].id, {"lora": scales} if scales else {})
