"""What a refusal left unread of a request's body, read and thrown away.

A connection that is closed over bytes that nobody read is reset, and a client that sends its whole body
before it reads (Python's http.client does) never sees why it was refused (RFC 9112, 9.6)."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from starlette.types import Message, Receive

_Headers = Iterable[tuple[bytes, bytes]]


@dataclass(slots=True)
class BodyReading:
    """A request's body while it is read; `is_over` once nothing more of it comes."""

    receive: Receive
    is_over: bool
    num_bytes: int = 0

    @classmethod
    def of(cls, receive: Receive, headers: _Headers) -> "BodyReading":
        """Of a request with these headers."""
        has_body = any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in headers
        )
        return cls(receive, not has_body)

    async def next(self) -> Message:
        """The next message of the request, counted."""
        message = await self.receive()
        self.num_bytes += len(message.get("body", b""))
        self.is_over = self.is_over or not message.get("more_body", False)
        return message

    async def drop(self, most_bytes: int, seconds: float) -> None:
        """Read the rest, up to so many bytes of the whole body and for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.is_over and self.num_bytes < most_bytes:
                    await self.next()
