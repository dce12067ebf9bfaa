"""Other OpenAI-compatible servers behind the gateway: vLLM, SGLang, Ollama, llama-server, another finewright.

A question goes to the address with the fewest answers under way among those that are up. Where it fails
before the first chunk of an answer, it goes to the next one; after that it ends, for half an answer cannot
be taken back. Every address is the operator's; a request names none."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import Any

from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.question import AnswerPiece, GatewayQuestion, ServedModel, TextVectors
from finewright_serve.gateway.upstream import Upstream, UpstreamDown, any_up
from finewright_serve.gateway.wire import body_of, broken, events_of, path_of, pieces_of

_ROUNDS = 2
_PAUSE_SECONDS = 0.5
_TOO_MANY = 429
_ENDED = object()


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A model there by its name, how clients know it, and what each request for it brings besides."""

    served: ServedModel
    name: str
    more: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON


class RemoteEngine:
    """Models that all of the addresses serve."""

    def __init__(
        self,
        models: Sequence[RemoteModel],
        upstreams: Sequence[Upstream],
        *,
        at_once: int,
        most: int,
    ) -> None:
        """`most` tokens are the longest answer to a question that names no number."""
        self._models = {model.served.id: model for model in models}
        self._upstreams, self.at_once, self._most = list(upstreams), at_once, most

    def models(self) -> Sequence[ServedModel]:
        """What is named in the spec."""
        return [model.served for model in self._models.values()]

    async def is_ready(self) -> bool:
        """Is one of the addresses up?"""
        return await any_up(self._upstreams)

    async def close(self) -> None:
        """End every connection."""
        for upstream in self._upstreams:
            await upstream.close()

    async def answer(self, question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
        """See ModelEngine."""
        model = self._models[question.model]
        body = {**body_of(question, model.name, self._most), **model.more}
        try:
            async with AsyncExitStack() as stack:
                events = await self._begun(path_of(question), body, stack)
                pieces = await stack.enter_async_context(aclosing(pieces_of(events, question)))
                async for piece in pieces:
                    yield piece
        except UpstreamDown as error:
            raise broken(f"its answer broke off ({error})") from None

    async def embed(self, model: str, texts: Sequence[str]) -> TextVectors:
        """See ModelEngine; the vectors are as the server gives them."""
        body = {"model": self._models[model].name, "input": list(texts), "encoding_format": "float"}
        async with AsyncExitStack() as stack:
            response = await self._first(
                lambda upstream: stack.enter_async_context(upstream.response_to("embeddings", body))
            )
            content = await response.aread()
        return _vectors(content, len(texts))

    async def _begun(
        self, path: str, body: Mapping[str, Any], stack: AsyncExitStack
    ) -> AsyncIterator[dict[str, Any]]:
        """The events of the answer, the first of which has come."""

        async def begin(upstream: Upstream) -> AsyncIterator[dict[str, Any]]:
            async with AsyncExitStack() as tried:
                response = await tried.enter_async_context(upstream.response_to(path, body))
                events = events_of(response.aiter_bytes())
                await tried.enter_async_context(aclosing(events))
                first: Any = await anext(events, _ENDED)
                if first is _ENDED:
                    raise broken("its answer is empty")
                upstream.answered()
                stack.push_async_exit(tried.pop_all())
                return _chained(first, events)

        found: AsyncIterator[dict[str, Any]] = await self._first(begin)
        return found

    async def _first(self, work: Any) -> Any:  # Any: whatever the work on an upstream gives
        """What the first address that does not fail gives. Raises ApiError where all of them fail."""
        failed: UpstreamDown | None = None
        for number in range(_ROUNDS):
            if number:
                await asyncio.sleep(_PAUSE_SECONDS)
            for upstream in sorted(self._upstreams, key=lambda each: each.rank):
                try:
                    return await work(upstream)
                except UpstreamDown as error:
                    failed = error
            if failed is not None and failed.status == _TOO_MANY:
                raise ApiError(
                    f"the model's server: {failed}", status=429,
                    code="rate_limit_exceeded", retry_after=1,
                )  # fmt: skip
        what = f"the model's server gives no answer: {failed}"
        raise ApiError(what, status=503, code="upstream_error", retry_after=5)


async def _chained(
    first: dict[str, Any], rest: AsyncIterator[dict[str, Any]]
) -> AsyncGenerator[dict[str, Any], None]:
    yield first
    async for each in rest:
        yield each


def _vectors(content: bytes, number: int) -> TextVectors:
    import json

    try:
        found = json.loads(content)
        rows = sorted(found["data"], key=lambda row: int(row.get("index", 0)))
        vectors = [[float(value) for value in row["embedding"]] for row in rows]
        usage = found.get("usage") or {}
        num_tokens = int(usage.get("prompt_tokens") or usage.get("total_tokens") or 0)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise broken("its vectors have another form") from None
    if len(vectors) != number:
        raise broken(f"{len(vectors)} vectors came back for {number} texts")
    return TextVectors(vectors, num_tokens)
