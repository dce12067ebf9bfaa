"""A client of few instructions, so that what is measured is the server: one request on a raw connection."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass(slots=True)
class Outcome:
    """Of a request: its status, when each line of data came, and the texts of these lines."""

    status: int = 0
    begun: float = 0.0
    arrivals: list[float] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    ended: float = 0.0


async def ask(
    url: str, key: str, body: dict[str, Any], stop: Callable[[Outcome], bool] = lambda _: False
) -> Outcome:
    """POST a body; `stop` leaves in the middle. A refused connection has status 0."""
    found, parts = Outcome(begun=time.monotonic()), urlsplit(url)
    content = json.dumps(body).encode()
    try:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except OSError:
        return found
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    try:
        writer.write(head.encode() + content)
        await writer.drain()
        found.status = int((await reader.readline()).split()[1])
        while line := await reader.readline():
            if line.startswith(b"data: "):
                found.arrivals.append(time.monotonic())
                found.lines.append(line[6:].strip())
                if stop(found):
                    break
    except (OSError, IndexError, ValueError):
        found.status = found.status or 0
    finally:
        writer.close()
    found.ended = time.monotonic()
    return found
