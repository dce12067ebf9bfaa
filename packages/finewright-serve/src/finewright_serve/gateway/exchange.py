"""A request and its response as they pass the door: how it ended, and the rest of a body that was refused."""

import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from starlette.types import Message, Scope, Send

from finewright_serve.gateway.access import AnsweredRequest, log_request
from finewright_serve.gateway.errors import CLIENT_LEFT
from finewright_serve.gateway.gateway import GatewayLimits
from finewright_serve.gateway.steps import QuestionCaller, RequestRecord
from finewright_serve.gateway.unread import BodyReading

_UNREAD = 16
"""A refused body is read up to so many times the longest that is taken, so that its client sees why."""


@dataclass(slots=True)
class Exchange:
    """One of them. `status` is what it would be counted as if it ended now."""

    scope: Scope
    body: BodyReading
    to_client: Send
    limits: GatewayLimits
    number: str = field(default_factory=lambda: "req_" + secrets.token_hex(12))
    begun: float = field(default_factory=time.monotonic)
    status: int = 500
    has_begun: bool = False
    is_whole: bool = False
    is_audited: bool = False
    """Its line is written, or it has none."""
    write_audit: "Callable[[Exchange], Awaitable[None]] | None" = None

    async def end_audit(self) -> None:
        """Write its line, once."""
        if not self.is_audited and self.write_audit is not None:
            self.is_audited = True
            await self.write_audit(self)

    async def receive(self) -> Message:
        """The next message of the client's."""
        message = await self.body.next()
        if message["type"] == "http.disconnect" and not self.is_whole:
            self.status = CLIENT_LEFT
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """Send a message of the response; pieces of an answer, which nearly all are, by no way around."""
        return self.to_client(message) if message.get("more_body") else self._end(message)

    async def _end(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.has_begun = message["status"], True
            more = {"x-request-id": self.number, **self.record.headers}
            added = [(name.encode(), value.encode()) for name, value in more.items()]
            headers = [*message["headers"], *added]
            message = {**message, "headers": headers}
        self.is_whole = message["type"] == "http.response.body"
        if self.is_whole:
            await self.end_audit()
        if self.is_whole and not self.body.is_over:
            await self.to_client({**message, "more_body": True})
            left = self.begun + self.limits.body_seconds - time.monotonic()
            await self.body.drop(_UNREAD * self.limits.body_bytes, left)
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self.to_client(message)

    @property
    def record(self) -> RequestRecord:
        """What steps wrote of it; an empty one where nobody was let in."""
        asker: QuestionCaller | None = self.scope.get("state", {}).get("asker")
        return RequestRecord() if asker is None else asker.record

    def audit_fields(self, route: str) -> dict[str, Any]:  # Any: JSON
        """Its line of an audit."""
        state = self.scope.get("state", {})
        asker: QuestionCaller | None = state.get("asker")
        decisions = [asdict(each) for each in self.record.decisions]
        return {
            "kind": "request",
            "request": self.number,
            "key": asker.key if asker else "",
            "project": asker.project if asker else "",
            "client": (self.scope.get("client") or ("",))[0],
            "method": self.scope["method"],
            "route": route,
            "status": self.status,
            "code": state.get("error", ""),
            "seconds": round(time.monotonic() - self.begun, 3),
            **({"decisions": decisions} if decisions else {}),
            **({"documents": self.record.documents} if self.record.documents else {}),
            **(self.record.words.fields() if self.record.words else {}),
        }

    def log(self, route: str) -> None:
        """Write down how it ended."""
        state = self.scope.get("state", {})
        key = state["asker"].key if "asker" in state else ""
        parts = (self.scope["method"], route, self.status, state.get("error", ""), key)
        seconds, broken = time.monotonic() - self.begun, state.get("broken", 0)
        client = (self.scope.get("client") or ("",))[0]  # uvicorn's, never a header's
        log_request(self.number, AnsweredRequest(*parts, seconds, broken, client))
