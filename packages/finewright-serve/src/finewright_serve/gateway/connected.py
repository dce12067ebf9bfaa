"""Work that lasts as long as its client stays: a client that leaves ends it at once, and its slot is free.

Also the one place where what goes wrong becomes an error object."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from finewright.errors import FinewrightError
from finewright_serve.gateway.access import REQUEST
from finewright_serve.gateway.errors import ApiError, error_body

_LOG = logging.getLogger(__name__)
_SSE = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
Event = tuple[str, Any]  # Any: JSON
"""The name of an event, or "", and its data."""


def refused(error: Exception) -> "ErrorResponse":
    """The response to an error: what the client did wrong in words, what we did wrong without any."""
    if isinstance(error, ApiError):
        return ErrorResponse(error.body, error.status, headers=error.headers)
    if isinstance(error, FinewrightError):
        return ErrorResponse(error_body(str(error), status=400), 400)
    _LOG.error("%s: a mistake of the server's", REQUEST.get(), exc_info=error)
    return ErrorResponse(error_body("the server failed; its log says why", status=500), 500)


class ErrorResponse(JSONResponse):
    """An error object, whose code, or else its type, the scope remembers for the log."""

    def __init__(
        self, content: Mapping[str, Any], status: int, headers: Mapping[str, str] = {}
    ) -> None:
        super().__init__(content, status, headers=headers)
        self.code = str(content["error"]["code"] or content["error"]["type"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        scope.setdefault("state", {})["error"] = self.code
        await super().__call__(scope, receive, send)


class WhileConnected:
    """An application whose response `work` makes, given up where the client leaves."""

    def __init__(self, work: Callable[[Request], Awaitable["Response | EventStream"]]) -> None:
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        answering = asyncio.create_task(self._answer(scope, receive, send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not answering.done():
                answering.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        response: Response | EventStream
        try:
            response = await self._work(Request(scope, receive))
        except Exception as error:
            response = refused(error)
        await response(scope, receive, send)


class EventStream:
    """Server-sent events. Its first event is there already, so that what is wrong had a status of its own."""

    def __init__(self, first: Event, rest: AsyncGenerator[Event, None]) -> None:
        self._first, self._rest = first, rest

    @classmethod
    async def begun(cls, events: AsyncGenerator[Event, None]) -> "EventStream":
        """A stream whose first event has come."""
        return cls(await anext(events), events)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends every event; an error on the way is an event too, after which comes the end alone."""
        start = Response(None, headers={"Content-Type": "text/event-stream; charset=utf-8", **_SSE})
        headers = [(k, v) for k, v in start.raw_headers if k != b"content-length"]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async with aclosing(self._rest):
            await _sent(send, _text(self._first))
            try:
                async for event in self._rest:
                    await _sent(send, _text(event))
            except Exception as error:
                response = refused(error)
                state = {
                    "error": f"broken off: {response.code}",
                    "broken": response.status_code,
                }
                scope.setdefault("state", {}).update(state)
                await _sent(send, b"data: " + bytes(response.body) + b"\n\n")
                if not self._first[0]:  # events with names, those of responses, have no such end
                    await _sent(send, b"data: [DONE]\n\n")
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _text(event: Event) -> bytes:
    name, data = event
    content = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {content}\n\n".encode()


def _sent(send: Send, body: bytes) -> Awaitable[None]:
    return send({"type": "http.response.body", "body": body, "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
