"""The routes of the gateway as an ASGI application. Whoever has no key sees /healthz and /readyz alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from finewright.errors import FinewrightError
from finewright_serve.audit.log import AuditLog
from finewright_serve.gateway.access import REQUEST
from finewright_serve.gateway.bodies import Body, read_body
from finewright_serve.gateway.chat_form import (
    ChatForm,
    TextForm,
    decisions_form,
    gathered,
    vectors_of,
)
from finewright_serve.gateway.connected import EventStream, refused
from finewright_serve.gateway.disclosure import add_metadata, disclosing_headers, with_metadata
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.exchange import Exchange
from finewright_serve.gateway.gateway import Gateway
from finewright_serve.gateway.kept_responses import KeptResponse, ResponseStore, saved_events
from finewright_serve.gateway.keys import KeyRing
from finewright_serve.gateway.openapi import PostedRoute, ReadRoute, Work, openapi_of
from finewright_serve.gateway.question import ServedModel
from finewright_serve.gateway.requests import (
    ChatRequest,
    CompletionRequest,
    DecisionRequest,
    EmbeddingRequest,
)
from finewright_serve.gateway.responses_form import ResponsesForm
from finewright_serve.gateway.responses_request import ResponsesRequest
from finewright_serve.gateway.scopes import check_scope, check_scores, rounded
from finewright_serve.gateway.steps import QuestionCaller
from finewright_serve.gateway.unread import BodyReading
from finewright_serve.gateway.words import AuditedWords

OPEN = frozenset({"/healthz", "/readyz"})
_UNSEEN = OPEN | {"/metrics"}
"""What asks again and again, and is in no audit."""


class Audit(NamedTuple):
    """Where all requests are written down, and whether their words are."""

    log: AuditLog
    has_words: bool = False


def app_of(
    gateway: Gateway,
    keys: KeyRing | None,
    more: Sequence[BaseRoute] = (),
    audit: Audit | None = None,
    kept: ResponseStore | None = None,
) -> ASGIApp:
    """The application; `more` are routes behind the same door, all that passes it is written to `audit`;
    responses go to `kept`, where they are to be kept."""
    routes = _Routes(gateway, kept)
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
        PostedRoute("/v1/decisions", routes.decide, "Labels of texts.", DecisionRequest),
    ]
    if kept is not None:
        path = "/v1/responses/{response}"
        known += [
            ReadRoute(path, routes.kept_response, "A response that was kept."),
            Route(path, routes.forget, methods=["DELETE"]),
        ]
    document = openapi_of([*known, *more], OPEN)

    async def openapi(request: Request) -> Response:
        return JSONResponse(document)

    known.append(Route("/openapi.json", openapi))
    router = Router([*known, *more], lifespan=lambda _: _closing(gateway))
    return _Door(router, gateway, keys, audit)


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
    kept: ResponseStore | None = None

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        if await self.gateway.is_ready():
            return JSONResponse({"status": "ready"})
        return refused(ApiError("no question would be answered", status=503, retry_after=1))

    async def metrics(self, request: Request) -> Response:
        return Response(self.gateway.measures.text(), media_type="text/plain; version=0.0.4")

    async def models(self, request: Request) -> Response:
        asker, started = asker_of(request), self.gateway.started
        rows = [model_object(each, started, asker) for each in self.gateway.models_for(asker)]
        return JSONResponse({"object": "list", "data": rows})

    async def model(self, request: Request) -> Response:
        try:
            _, found = self.gateway.find(request.path_params["model"], asker_of(request))
        except ApiError as error:
            return refused(error)
        return JSONResponse(model_object(found, self.gateway.started, asker_of(request)))

    async def chat(self, request: Request) -> Response | EventStream:
        posted = await self._body(request, ChatRequest)
        has_scores = bool(posted.logprobs)
        return await self._answer(request, posted, lambda model: ChatForm(model, has_scores))

    async def complete(self, request: Request) -> Response | EventStream:
        posted = await self._body(request, CompletionRequest)
        has_scores = posted.logprobs is not None
        return await self._answer(request, posted, lambda model: TextForm(model, has_scores))

    async def respond(self, request: Request) -> Response | EventStream:
        posted, asker = await self._body(request, ResponsesRequest), asker_of(request)
        if self.kept is None:
            posted.refuse_kept()
        elif posted.previous_response_id is not None:
            posted = posted.after(await self.kept.items_up_to(posted.previous_response_id, asker))

        async def save(response: dict[str, Any]) -> dict[str, Any]:
            if self.kept is None or posted.store is False:  # OpenAI keeps them unless told not to
                return response
            response = {**response, "store": True}
            kept = KeptResponse(response, posted.own_items, posted.previous_response_id or "")
            return {**response, "store": await self.kept.save(kept, asker)}

        return await self._answer(request, posted, lambda model: ResponsesForm(model, posted), save)

    async def kept_response(self, request: Request) -> Response:
        assert self.kept is not None
        try:
            found = await self.kept.find(request.path_params["response"], asker_of(request))
        except ApiError as error:
            return refused(error)
        return JSONResponse(found)

    async def forget(self, request: Request) -> Response:
        assert self.kept is not None
        name = request.path_params["response"]
        try:
            await self.kept.delete(name, asker_of(request))
        except ApiError as error:
            return refused(error)
        return JSONResponse({"id": name, "object": "response", "deleted": True})

    async def _answer(
        self,
        request: Request,
        posted: ChatRequest | CompletionRequest | ResponsesRequest,
        form_of: Callable[[ServedModel], ChatForm | TextForm | ResponsesForm],
        save: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]] | None = None,
    ) -> Response | EventStream:
        asker = asker_of(request)
        questions = posted.questions(self.gateway.limits)
        _, model = self.gateway.find(posted.model, asker)
        form = form_of(model)
        if said := self.gateway.limits.disclosure:
            asker.record.headers |= disclosing_headers(model.id)
            asker.record.metadata["ai_disclosure"] = said
        metadata = asker.record.metadata
        for question in questions:
            check_scores(question, asker)
        pieces = self.gateway.answers(questions, asker)
        if asker.scopes is not None and questions[0].num_logprobs is not None:
            pieces = rounded(pieces)
        try:
            if posted.stream:
                events = with_metadata(form.chunks(pieces, posted.wants_usage), metadata)
                return await EventStream.begun(saved_events(events, save) if save else events)
            number = sum(each.num_answers for each in questions)
            whole = add_metadata(form.whole(await gathered(pieces, number)), metadata)
            return JSONResponse(await save(whole) if save else whole)
        except ApiError as error:
            raise error.renamed(posted.names) from None

    async def embed(self, request: Request) -> Response:
        posted = await self._body(request, EmbeddingRequest)
        found = await self.gateway.embed(posted.model, posted.texts(), asker_of(request))
        usage = {"prompt_tokens": found.num_tokens, "total_tokens": found.num_tokens}
        rows = vectors_of(found.vectors, posted.encoding_format == "base64")
        return JSONResponse({"object": "list", "data": rows, "model": posted.model, "usage": usage})

    async def decide(self, request: Request) -> Response:
        posted = await self._body(request, DecisionRequest)
        found = await self.gateway.decide(posted.model, posted.texts(), asker_of(request))
        return JSONResponse(decisions_form(posted.model, found))

    async def _body(self, request: Request, model: type[Body]) -> Body:
        limits = self.gateway.limits
        most, seconds = limits.body_bytes, limits.body_seconds
        return await read_body(request, model, most_bytes=most, seconds=seconds)


def asker_of(request: Request) -> QuestionCaller:
    """Whose request it is, as the door found out."""
    asker: QuestionCaller = request.state.asker
    return asker


class _Door:
    """Lets in who has a key, counts, and gives every response an id. No header opens other origins.

    It is all that stands around the routes: every layer would take its time of every piece of an answer."""

    def __init__(
        self, router: Router, gateway: Gateway, keys: KeyRing | None, audit: Audit | None
    ) -> None:
        self._router, self._gateway, self._keys = router, gateway, keys
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self  # by which the router knows that its errors are taken care of
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        exchange = Exchange(
            scope,
            BodyReading.of(receive, scope["headers"]),
            send,
            self._gateway.limits,
            write_audit=self._write_audit if self._audit and scope["path"] not in _UNSEEN else None,
        )
        REQUEST.set(exchange.number)
        try:
            await self._entered(exchange)
        except asyncio.CancelledError:
            if not self._gateway.admission.has_ended:  # a client that reads nothing to the end
                raise
        finally:
            with suppress(FinewrightError):  # the log says that the audit cannot be written
                await exchange.end_audit()
            route = self._route(scope)
            self._gateway.measures.requested(route, exchange.status)
            exchange.log(route)

    async def _entered(self, exchange: Exchange) -> None:
        scope = exchange.scope
        try:
            asker = scope.setdefault("state", {})["asker"] = self._asker(scope)
            check_scope(asker)
            self._begin_audit(exchange, asker)
            if self._gateway.limiter is not None and scope["path"].startswith("/v1/"):
                await self._gateway.limiter.admit(asker)
            await self._router(scope, exchange.receive, exchange.send)
        except Exception as error:
            if exchange.has_begun:
                raise
            await _refused(scope, error)(scope, exchange.receive, exchange.send)

    def _begin_audit(self, exchange: Exchange, asker: QuestionCaller) -> None:
        """Raises ApiError where nothing can be written down: then nothing is answered."""
        if self._audit is None or exchange.write_audit is None:
            return
        if self._audit.log.fault:
            exchange.is_audited = True
            what = "the audit cannot be written at the moment, so nothing is answered"
            raise ApiError(what, status=503, code="audit_unavailable", retry_after=1)
        asker.record.words = AuditedWords(self._audit.has_words)

    async def _write_audit(self, exchange: Exchange) -> None:
        assert self._audit is not None
        await self._audit.log.append(exchange.audit_fields(self._route(exchange.scope)))

    def _route(self, scope: Scope) -> str:
        """The route as it is counted, also of a request that was not let in; "other" where there is none."""
        route = scope.get("route") or next(
            (each for each in self._router.routes if each.matches(scope)[0] is not Match.NONE), None
        )
        return route.path if isinstance(route, Route) else "other"

    def _asker(self, scope: Scope) -> QuestionCaller:
        path = scope["path"]
        if self._keys is None or path in OPEN:
            return QuestionCaller("", "admin" if self._keys is None else "user", path)
        headers = dict(scope["headers"])
        owner = self._keys.owner(headers.get(b"authorization", b"").decode("latin-1"))
        return QuestionCaller(
            owner.id,
            owner.role,
            path,
            owner.owner,
            models=owner.models,
            groups=owner.groups,
            scopes=None if owner.scopes is None else frozenset(owner.scopes),
        )


def model_object(model: ServedModel, started: int, asker: QuestionCaller) -> dict[str, Any]:
    """OpenAI's model, with what more is known of it. A system prompt may be a secret: admins alone see it."""
    is_shown = model.system_prompt and asker.role == "admin"
    more = {"system_prompt": model.system_prompt} if is_shown else {}
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


def _refused(scope: Scope, error: Exception) -> Response:
    """The response to an error of a route, or to there being none."""
    if not isinstance(error, HTTPException):
        return refused(error)
    what = {404: f"there is no {scope['path'][:100]}", 405: f"not with {scope['method']}"}
    found = refused(ApiError(what.get(error.status_code, error.detail), status=error.status_code))
    found.headers.update(error.headers or {})
    return found
