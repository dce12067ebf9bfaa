"""A real HTTP server on this machine that answers as a test says, for what talks to endpoints."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Asked(NamedTuple):
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Reply(NamedTuple):
    """What the server sends; `body` bytes go as they are, anything else as JSON."""

    body: Any
    status: int = 200
    headers: dict[str, str] = {}


class Server(NamedTuple):
    url: str
    asked: list[Asked]


@contextmanager
def served(reply: Callable[[Asked], Reply]) -> Iterator[Server]:
    """Serves on a free port of 127.0.0.1; `reply` gets each call, in a thread of its own."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            asked.append(Asked(self.path, dict(self.headers.items()), json.loads(raw)))
            answer = reply(asked[-1])
            content = answer.body
            if not isinstance(content, bytes):
                content = json.dumps(content).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.block_on_close = False
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Server(f"http://127.0.0.1:{server.server_address[1]}/v1", asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answered(text: str, **message: Any) -> Reply:
    """A chat completion."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, **message},
        "finish_reason": "stop",
    }
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return Reply({"object": "chat.completion", "model": "m-1", "choices": [choice], "usage": usage})


def vectors(rows: list[list[float]]) -> Reply:
    """An answer of the embeddings call."""
    data = [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]
    return Reply({"object": "list", "data": data, "model": "m-1"})
