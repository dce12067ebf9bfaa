"""The routes of the gateway as an ASGI application. Whoever has no key sees /healthz and /readyz alone."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from finewright.gateway.access import REQUEST, AnsweredRequest, log_request
from finewright.gateway.bodies import Body, read_body
from finewright.gateway.chat_form import ChatForm, TextForm, gathered, vectors_of
from finewright.gateway.connected import EventStream, refused
from finewright.gateway.errors import CLIENT_LEFT, ApiError
from finewright.gateway.gateway import Gateway
from finewright.gateway.keys import KeyRing
from finewright.gateway.openapi import PostedRoute, ReadRoute, Work, openapi_of
from finewright.gateway.question import ServedModel
from finewright.gateway.requests import ChatRequest, CompletionRequest, EmbeddingRequest
from finewright.gateway.responses_form import ResponsesForm
from finewright.gateway.responses_request import ResponsesRequest
from finewright.gateway.steps import QuestionCaller
from finewright.gateway.unread import BodyReading

OPEN = frozenset({"/healthz", "/readyz"})
_UNREAD = 16
"""A refused body is read up to so many times the longest that is taken, so that its client sees why."""


def app_of(gateway: Gateway, keys: KeyRing | None, more: Sequence[BaseRoute] = ()) -> Starlette:
    """The application; `more` are routes behind the same door."""
    routes = _Routes(gateway)
    known: list[BaseRoute] = [
        ReadRoute("/healthz", routes.health, "Is the process there?"),
        ReadRoute("/readyz", routes.ready, "Would a question be answered?"),
        ReadRoute("/metrics", routes.metrics, "Counters, for Prometheus.", "text/plain"),
        ReadRoute("/v1/models", routes.models, "What is served."),
        ReadRoute("/v1/models/{model:path}", routes.model, "One of the models."),
        _streamed("/v1/chat/completions", routes.chat, "Answer a conversation.", ChatRequest),
        _streamed("/v1/completions", routes.complete, "Go on from a text.", CompletionRequest),
        _streamed("/v1/responses", routes.respond, "Answer items.", ResponsesRequest),
        PostedRoute("/v1/embeddings", routes.embed, "Vectors of texts.", EmbeddingRequest),
    ]
    document = openapi_of([*known, *more], OPEN)

    async def openapi(request: Request) -> Response:
        return JSONResponse(document)

    known.append(Route("/openapi.json", openapi))
    app = Starlette(
        routes=[*known, *more],
        exception_handlers={HTTPException: _http_error, Exception: _other_error},
        lifespan=lambda app: _closing(gateway),
    )
    app.add_middleware(_Door, gateway=gateway, keys=keys, routes=app.routes)
    return app


@asynccontextmanager
async def _closing(gateway: Gateway) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await gateway.close()


def _streamed(path: str, work: Work, sentence: str, body: type[BaseModel]) -> PostedRoute:
    return PostedRoute(path, work, sentence, body, streams=True)


@dataclass(frozen=True, slots=True)
class _Routes:
    gateway: Gateway

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        if await self.gateway.is_ready():
            return JSONResponse({"status": "ready"})
        return refused(ApiError("no question would be answered", status=503, retry_after=1))

    async def metrics(self, request: Request) -> Response:
        return Response(self.gateway.measures.text(), media_type="text/plain; version=0.0.4")

    async def models(self, request: Request) -> Response:
        rows = [
            model_object(model, self.gateway.started) for model in self.gateway.models().values()
        ]
        return JSONResponse({"object": "list", "data": rows})

    async def model(self, request: Request) -> Response:
        try:
            _, found = self.gateway.find(request.path_params["model"])
        except ApiError as error:
            return refused(error)
        return JSONResponse(model_object(found, self.gateway.started))

    async def chat(self, request: Request) -> Response | EventStream:
        posted = await self._body(request, ChatRequest)
        has_scores = bool(posted.logprobs)
        return await self._answer(request, posted, lambda model: ChatForm(model, has_scores))

    async def complete(self, request: Request) -> Response | EventStream:
        posted = await self._body(request, CompletionRequest)
        has_scores = posted.logprobs is not None
        return await self._answer(request, posted, lambda model: TextForm(model, has_scores))

    async def respond(self, request: Request) -> Response | EventStream:
        posted = await self._body(request, ResponsesRequest)
        return await self._answer(request, posted, lambda model: ResponsesForm(model, posted))

    async def _answer(
        self,
        request: Request,
        posted: ChatRequest | CompletionRequest | ResponsesRequest,
        form_of: Callable[[ServedModel], ChatForm | TextForm | ResponsesForm],
    ) -> Response | EventStream:
        questions = posted.questions(self.gateway.limits)
        _, model = self.gateway.find(posted.model)
        form = form_of(model)
        pieces = self.gateway.answers(questions, asker_of(request))
        try:
            if posted.stream:
                return await EventStream.begun(form.chunks(pieces, posted.wants_usage))
            number = sum(each.num_answers for each in questions)
            return JSONResponse(form.whole(await gathered(pieces, number)))
        except ApiError as error:
            raise error.renamed(posted.names) from None

    async def embed(self, request: Request) -> Response:
        posted = await self._body(request, EmbeddingRequest)
        found = await self.gateway.embed(posted.model, posted.texts())
        usage = {"prompt_tokens": found.num_tokens, "total_tokens": found.num_tokens}
        rows = vectors_of(found.vectors, posted.encoding_format == "base64")
        return JSONResponse({"object": "list", "data": rows, "model": posted.model, "usage": usage})

    async def _body(self, request: Request, model: type[Body]) -> Body:
        limits = self.gateway.limits
        most, seconds = limits.body_bytes, limits.body_seconds
        return await read_body(request, model, most_bytes=most, seconds=seconds)


def asker_of(request: Request) -> QuestionCaller:
    """Whose request it is, as the door found out."""
    asker: QuestionCaller = request.state.asker
    return asker


class _Door:
    """Lets in who has a key, counts, and gives every response an id. No header opens other origins."""

    def __init__(
        self, app: ASGIApp, gateway: Gateway, keys: KeyRing | None, routes: Sequence[BaseRoute]
    ) -> None:
        self._app, self._gateway, self._keys, self._routes = app, gateway, keys, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, is_whole, number = 500, False, "req_" + secrets.token_hex(12)
        begun, body = time.monotonic(), BodyReading.of(receive, scope["headers"])
        REQUEST.set(number)

        async def received() -> Message:
            nonlocal status
            message = await body.next()
            if message["type"] == "http.disconnect" and not is_whole:
                status = CLIENT_LEFT
            return message

        async def sent(message: Message) -> None:
            nonlocal status, is_whole
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", number.encode())]
            is_whole = message["type"] == "http.response.body" and not message.get("more_body")
            if is_whole and not body.is_over:
                await send({**message, "more_body": True})
                limits = self._gateway.limits
                left = begun + limits.body_seconds - time.monotonic()
                await body.drop(_UNREAD * limits.body_bytes, left)
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        try:
            await self._entered(scope, received, sent)
        except asyncio.CancelledError:
            if not self._gateway.admission.has_ended:  # a client that reads nothing to the end
                raise
        finally:
            path = self._route(scope)
            self._gateway.measures.requested(path, status)
            state = scope.get("state", {})
            key = state["asker"].key if "asker" in state else ""
            parts = (scope["method"], path, status, state.get("error", ""), key)
            seconds, broken = time.monotonic() - begun, state.get("broken", 0)
            log_request(number, AnsweredRequest(*parts, seconds, broken))

    async def _entered(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            scope.setdefault("state", {})["asker"] = self._asker(scope)
        except ApiError as error:
            await refused(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _route(self, scope: Scope) -> str:
        """The route as it is counted, also of a request that was not let in; "other" where there is none."""
        route = scope.get("route") or next(
            (each for each in self._routes if each.matches(scope)[0] is not Match.NONE), None
        )
        return route.path if isinstance(route, Route) else "other"

    def _asker(self, scope: Scope) -> QuestionCaller:
        path = scope["path"]
        if self._keys is None or path in OPEN:
            return QuestionCaller("", "admin" if self._keys is None else "user", path)
        headers = dict(scope["headers"])
        owner = self._keys.owner(headers.get(b"authorization", b"").decode("latin-1"))
        return QuestionCaller(owner.id, owner.role, path)


def model_object(model: ServedModel, started: int) -> dict[str, Any]:
    """OpenAI's model, with what more is known of it."""
    more = {"system_prompt": model.system_prompt} if model.system_prompt else {}
    return {
        "id": model.id,
        "object": "model",
        "created": started,
        "owned_by": "finewright",
        "engine": model.engine,
        "fingerprint": model.fingerprint,
        "max_model_len": model.context,
        **more,
    }


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what = {404: f"there is no {request.url.path[:100]}", 405: f"not with {request.method}"}
    found = refused(ApiError(what.get(error.status_code, error.detail), status=error.status_code))
    found.headers.update(error.headers or {})
    return found


async def _other_error(request: Request, error: Exception) -> Response:
    return refused(error)
