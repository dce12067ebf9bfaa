"""An embedder in this process behind the gateway."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, runtime_checkable

from finewright.lm.embedders.embedder import Embedder
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.question import AnswerPiece, GatewayQuestion, ServedModel, TextVectors


@runtime_checkable
class CountingEmbedder(Embedder, Protocol):
    """An embedder that knows how many tokens it reads of texts."""

    def num_tokens(self, texts: Sequence[str]) -> int:
        """Tokens of all of them together."""


class EmbedderEngine:
    """Texts are embedded as documents are. One that is longer than the model reads is refused, never cut."""

    at_once = 1

    def __init__(self, served: ServedModel, embedder: CountingEmbedder) -> None:
        self._served, self._embedder = served, embedder
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="embedder")

    def models(self) -> Sequence[ServedModel]:
        """The one."""
        return [self._served]

    async def is_ready(self) -> bool:
        """Always, once it is loaded."""
        return True

    async def close(self) -> None:
        """End its thread."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def answer(self, question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
        """Models that embed give no answers."""
        raise ApiError(f"the model {question.model!r} gives vectors, no answers", param="model")
        yield AnswerPiece()

    async def embed(self, model: str, texts: Sequence[str]) -> TextVectors:
        """See ModelEngine."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self._embedded, list(texts))

    def _embedded(self, texts: Sequence[str]) -> TextVectors:
        before = self._embedder.num_cut
        vectors = self._embedder.documents(texts)
        if num_cut := self._embedder.num_cut - before:
            what = f"input: {num_cut} of the texts are longer than {self._served.id!r} reads"
            raise ApiError(what, param="input", code="context_length_exceeded")
        rows: list[list[float]] = vectors.tolist()
        return TextVectors(rows, self._embedder.num_tokens(texts))
