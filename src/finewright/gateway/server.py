"""uvicorn around the application: bounded headers, TLS, and an end in order on SIGTERM.

first SIGTERM or SIGINT   /readyz says 503, no new question is taken, answers that are given end
after `drain_seconds`, or a second signal   what is left is cut"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from finewright.errors import FinewrightError

_HEADER_SECONDS = 10.0
_HEADER_BYTES = 64 * 1024
_KEEP_ALIVE_SECONDS = 30
_BACKLOG = 2048


class Tls(NamedTuple):
    """PEM files of a certificate, with its chain, and of its key."""

    certificate: Path
    key: Path


class _BoundedHeaders(H11Protocol):
    """Closes a connection whose headers do not come whole in time: one byte a second holds no connection."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:  # Any: as uvicorn has it
        super().connection_made(transport)
        self._timer = self.loop.call_later(_HEADER_SECONDS, self._give_up)

    def data_received(self, data: bytes) -> None:
        cycle = self.cycle
        is_between = cycle is None or cycle.response_complete
        super().data_received(data)
        if self.cycle is not cycle:
            self._forget()
        elif is_between and self._timer is None:
            self._timer = self.loop.call_later(_HEADER_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        self.transport.abort()


class _Server(uvicorn.Server):
    """Tells of its first signal, and ends with code 0 once it has drained."""

    on_start: Callable[[], None]
    on_signal: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_start()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True
        self.on_signal()


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens nowhere else. Raises FinewrightError where the address is taken or is none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        found.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise FinewrightError(
            f"{host}:{port}: cannot listen: {reason}", hint="another one: --port 8001"
        ) from None
    found.set_inheritable(True)
    return found


def run_server(
    app: ASGIApp,
    listening: socket.socket,
    *,
    tls: Tls | None,
    drain_seconds: float,
    on_start: Callable[[], None],
    on_signal: Callable[[], None],
) -> None:
    """Serve until a signal comes. Raises FinewrightError where the certificate or its key cannot be read."""
    config = uvicorn.Config(
        app,
        http=_BoundedHeaders,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(drain_seconds),
        ssl_certfile=None if tls is None else str(tls.certificate),
        ssl_keyfile=None if tls is None else str(tls.key),
    )
    try:
        config.load()
    except OSError as error:
        raise FinewrightError(f"{tls.certificate if tls else ''}: {error}") from None
    server = _Server(config)
    server.on_start, server.on_signal = on_start, on_signal
    asyncio.run(server.serve(sockets=[listening]))
