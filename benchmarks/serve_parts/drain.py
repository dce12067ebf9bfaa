"""A client that stands for one on another machine: it sleeps until much lies in a socket, or until the server
closes it, so that the server keeps the cores of this one. What it took of them is measured, too."""

import json
import selectors
import socket
import time
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Drained(NamedTuple):
    """Seconds from the first request to the last end, seconds of processor time that reading took, and every
    response as it came."""

    seconds: float
    own_seconds: float
    responses: list[bytes]


_MUCH = 8 * 1024
"""Bytes of a response, some 30 pieces, for which it wakes up; the end wakes it whatever lies there."""


def drain(url: str, key: str, asked: Sequence[dict[str, Any]]) -> Drained:
    """POST all bodies at once, each on a connection of its own, and read until the server closes them."""
    parts = urlsplit(url)
    address = (str(parts.hostname), int(parts.port or 80))
    begun, own = time.monotonic(), time.process_time()
    found: dict[socket.socket, bytearray] = {}
    going = selectors.DefaultSelector()
    for body in asked:
        content = json.dumps(body).encode()
        head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        )
        connection = socket.create_connection(address)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, _MUCH)
        connection.sendall(head.encode() + content)
        connection.setblocking(False)
        found[connection] = bytearray()
        going.register(connection, selectors.EVENT_READ, connection)
    while going.get_map():
        for ready, _ in going.select():
            if not _is_open(ready.data, found[ready.data]):
                going.unregister(ready.data)
    seconds, own = time.monotonic() - begun, time.process_time() - own
    for connection in found:
        connection.close()
    return Drained(seconds, own, [bytes(each) for each in found.values()])


def _is_open(connection: socket.socket, found: bytearray) -> bool:
    try:
        while part := connection.recv(1 << 16):
            found += part
    except BlockingIOError:
        return True
    return False
