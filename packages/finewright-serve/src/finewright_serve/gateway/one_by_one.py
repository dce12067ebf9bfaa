"""A TokenSource (see generation.py) for models whose cache cannot be kept in blocks."""

import asyncio
import threading
from typing import TYPE_CHECKING

from finewright.errors import DataError
from finewright_serve.gateway.errors import unsupported

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from finewright.lm.engine.requests import GenerationRequest, WrittenTokens
    from finewright.lm.engine.schemas import Grammar
    from finewright.lm.engine.weights import AdapterWeights
    from finewright.lm.model import LM


class OneByOne:
    """One answer after the other, by the model as it stands."""

    def __init__(self, lm: "LM") -> None:
        from concurrent.futures import ThreadPoolExecutor

        self.own: str | None = None
        self.room, self.cache_bytes, self.num_awaited = 1 << 40, 0, 0
        self._lm, self._worker = lm, ThreadPoolExecutor(1, thread_name_prefix="generation")

    def num_virtual(self, adapter: str | None) -> int:
        """Not known here."""
        return 0

    def compile(self, grammar: "Grammar", salt: str) -> None:
        """There are none here: `written` says so."""

    async def load(self, key: str, adapter: "AdapterWeights") -> None:
        """Not possible."""
        raise DataError("this model takes no adapters beside it")

    async def unload(self, key: str) -> None:
        """Not possible."""
        raise DataError(f"adapter {key!r} is not loaded")

    def close(self) -> None:
        """End the thread."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def written(
        self, request: "GenerationRequest"
    ) -> "AsyncGenerator[list[WrittenTokens], None]":
        """See TokenSource. Raises ApiError for what this way cannot honour."""
        _refuse(request)
        loop, left = asyncio.get_running_loop(), threading.Event()
        found: asyncio.Queue[WrittenTokens | Exception | None] = asyncio.Queue()

        def work() -> None:
            end: Exception | None = None
            try:
                for number in range(request.num_answers):
                    for written in _one(self._lm, request, number):
                        if left.is_set():
                            return
                        loop.call_soon_threadsafe(found.put_nowait, written)
            except Exception as error:
                end = error
            loop.call_soon_threadsafe(found.put_nowait, end)

        running = self._worker.submit(work)
        try:
            while (written := await found.get()) is not None:
                if isinstance(written, Exception):
                    raise written
                yield [written]
        finally:
            left.set()
            running.cancel()


def _one(lm: "LM", request: "GenerationRequest", number: int) -> "Iterator[WrittenTokens]":
    from finewright.lm.engine.requests import AnswerEnd, WrittenTokens
    from finewright.lm.generate import Sampling, stream

    wishes = request.sampling
    seed = (wishes.seed + number) % 2**63
    sampling = Sampling(request.max_tokens, wishes.temperature, wishes.top_p, seed)
    answer: list[int] = []
    for token in stream(lm, request.prompt, stop_ids=request.stop_ids, sampling=sampling):
        answer.append(token)
        stop = request.stops.find(answer) if request.stops else ""
        yield WrittenTokens(0, number, (token,), end=AnswerEnd("stop", stop=stop) if stop else None)
        if stop:
            return
    end = AnswerEnd("length" if len(answer) >= request.max_tokens else "stop")
    yield WrittenTokens(0, number, (), end=end)


def _refuse(request: "GenerationRequest") -> None:
    why = "this model's answers are made one by one, by a way that knows no such thing"
    wishes = request.sampling
    for name in ("presence_penalty", "frequency_penalty", "logit_bias", "top_k", "min_p"):
        if getattr(wishes, name):
            raise unsupported(name, why)
    if wishes.repetition_penalty != 1:
        raise unsupported("repetition_penalty", why)
    if request.num_logprobs is not None:
        raise unsupported("logprobs", why)
    if request.grammar is not None:
        params = {"calls": "tool_choice", "json_schema": "response_format"}
        raise unsupported(params.get(request.grammar.kind, "structured_outputs"), why)
