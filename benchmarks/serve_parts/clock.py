"""A model's server whose answers are clocks: each piece is the time at which it was sent, on a fixed beat.

    python -m serve_parts.clock PIECES PIECES_PER_SECOND     # prints its address, serves until it is killed

What a client reads later than that is what lies between it and this server."""

import asyncio
import json
import sys
import time

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
_LIST = b'{"data": [{"id": "clock"}]}'


def event(finish: str | None, **delta: str) -> bytes:
    """A chunk of a chat completion."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


async def serve(num_pieces: int, per_second: float) -> None:
    """Every answer has that many pieces."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET"):
                size = f"Content-Length: {len(_LIST)}\r\n\r\n".encode()
                writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + size + _LIST)
            else:
                writer.write(_HEAD)
                begun = time.monotonic()
                for number in range(num_pieces):
                    await asyncio.sleep(begun + number / per_second - time.monotonic())
                    writer.write(event(None, content=f"{time.monotonic():.6f} "))
                    await writer.drain()
                usage = {"prompt_tokens": 1, "completion_tokens": num_pieces}
                last = json.dumps({"choices": [], "usage": usage}).encode()
                writer.write(event("stop") + b"data: " + last + b"\n\ndata: [DONE]\n\n")
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=2048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
