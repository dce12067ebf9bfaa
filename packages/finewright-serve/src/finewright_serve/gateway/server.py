"""uvicorn around the application: bounded headers, TLS, and an end in order on SIGTERM.

first SIGTERM or SIGINT   /readyz says 503, no new question is taken, answers that are given end
when none is given, or after `drain_seconds`   what is left is cut, each with its error, and the port closed
a second signal   that at once; a third one ends the process without closing anything"""

import asyncio
import contextlib
import gc
import json
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from finewright.errors import FinewrightError
from finewright_serve.gateway.errors import error_body

_HEADER_BYTES = 64 * 1024
_KEEP_ALIVE_SECONDS = 30
_BACKLOG = 2048
_LAST_SECONDS = 1
_LOOK_SECONDS = 0.05


class Tls(NamedTuple):
    """PEM files of a certificate, with its chain, and of its key."""

    certificate: Path
    key: Path


class ServerHooks(NamedTuple):
    """What happens once it listens, at its first signal, and at the end of the time to drain, and whether no
    answer is being given."""

    on_start: Callable[[], None]
    on_signal: Callable[[], None]
    on_end: Callable[[], None]
    is_idle: Callable[[], bool]


class _BoundedHeaders(HttpToolsProtocol):
    """Closes a connection whose headers do not come whole in time, and refuses them where they are long: one
    byte a second holds no connection, and a gigabyte no memory."""

    header_seconds: float = 10.0
    _timer: asyncio.TimerHandle | None = None
    _num_bytes = 0
    """Of the headers that are being read."""

    def connection_made(self, transport: Any) -> None:  # Any: as uvicorn has it
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        cycle = self.cycle
        super().data_received(data)
        if self.cycle is not cycle or self.transport.is_closing():
            self._forget()
        elif cycle is None or cycle.response_complete:
            self._wait()
            self._count(len(data))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """HTTP/1.1 wants one host (RFC 9112, 3.2), which the parser does not look at."""
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts != 1 and (hosts or self.parser.get_http_version() == "1.1"):
            raise ValueError("not one host")  # the parser makes a 400 of it
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is refused as everything else is. The connection ends with it."""
        content = json.dumps(error_body(msg, status=400)).encode()
        head = (
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
        )
        size = f"content-length: {len(content)}\r\n\r\n".encode()
        self.transport.write(head + size + content)
        self.transport.close()

    def _count(self, size: int) -> None:
        self._num_bytes += size
        if self._num_bytes > _HEADER_BYTES and not self.transport.is_closing():
            self.send_400_response(f"the headers are longer than {_HEADER_BYTES} bytes")

    def _wait(self) -> None:
        if self._timer is None:
            self._num_bytes = 0
            self._timer = self.loop.call_later(self.header_seconds, self._give_up)

    def _forget(self) -> None:
        self._num_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        self.transport.abort()


class _Server(uvicorn.Server):
    """Drains from its first signal on, and ends with code 0."""

    hooks: ServerHooks
    drain_seconds: float
    _draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # Python would look through the models' objects again and again, for a quarter of a second each time
        # in which nobody is answered.
        gc.collect()
        gc.freeze()
        self.hooks.on_start()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        if self._draining is not None:
            self.hooks.on_end()
            self.force_exit, self.should_exit = self.should_exit, True
            return
        self.hooks.on_signal()
        self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        """New connections are taken meanwhile, so that whoever balances loads sees 503, not a closed port."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.drain_seconds):
                await asyncio.sleep(_LOOK_SECONDS)
                while not self.hooks.is_idle():
                    await asyncio.sleep(_LOOK_SECONDS)
        self.hooks.on_end()
        self.should_exit = True


def _new_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed: a piece of an answer passes it in a third of the time."""
    if find_spec("uvloop") is None:
        return None
    import uvloop

    return uvloop.new_event_loop


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


def check_tls(tls: Tls) -> None:
    """Raise FinewrightError where the certificate or its key cannot be read, or do not belong together."""
    for path in tls:
        if not path.is_file():
            raise FinewrightError(f"{path}: there is no such file")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(*tls)
    except (OSError, ValueError) as error:
        raise FinewrightError(
            f"{tls.certificate}: no certificate with the key {tls.key}: {error}",
            hint="both are PEM files, the key without a password",
        ) from None


def run_server(
    app: ASGIApp,
    listening: socket.socket,
    *,
    tls: Tls | None,
    hooks: ServerHooks,
    drain_seconds: float,
    header_seconds: float,
) -> None:
    """Serve until a signal comes."""

    def protocol(**given: Any) -> _BoundedHeaders:  # Any: as uvicorn has it
        made = _BoundedHeaders(**given)
        made.header_seconds = header_seconds
        return made

    config = uvicorn.Config(
        app,
        http=protocol,  # type: ignore[arg-type] # called as the class would be
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_LAST_SECONDS,
        ssl_certfile=None if tls is None else str(tls.certificate),
        ssl_keyfile=None if tls is None else str(tls.key),
    )
    server = _Server(config)
    server.hooks, server.drain_seconds = hooks, drain_seconds
    with asyncio.Runner(loop_factory=_new_loop()) as runner:
        runner.run(server.serve(sockets=[listening]))
    gc.freeze()  # the process ends, and Python's last look through the models' objects takes a second
