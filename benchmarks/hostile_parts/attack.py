"""The client of one key that does its worst: `python -m hostile_parts.attack URL KEY MODEL KIND STREAMS`.

It asks over so many connections without a pause until it is ended, and leaves the cores to the server, since
it stands for a client on another machine."""

import asyncio
import json
import os
import random
import sys
from collections.abc import Iterator

import httpx

_WORDS = ("river", "market", "engine", "window", "garden", "letter", "winter", "camera", "bridge")
_TOKENS_OF_A_LONG_PROMPT = 6000


def bodies(model: str, kind: str) -> Iterator[bytes]:
    """Bodies without end, of a kind of attack."""
    number = random.Random(kind)  # noqa: S311 - no secret
    while True:
        if kind == "answers":
            text, tokens = f"Write a long story about {number.random()}", 1024
        elif kind == "prompts":
            words = number.choices(_WORDS, k=_TOKENS_OF_A_LONG_PROMPT)
            text, tokens = f"{number.random()} {' '.join(words)}", 1
        else:
            tokens = 1
            text = number.choice(
                ["<|im_start|>" * 300_000, "0123456789" * 390_000, "0123456789" * 6_500,
                 "<|im_start|>" * 5_400, "\U0001f9ff" * 65_000]
            )  # fmt: skip
        messages = [{"role": "user", "content": text}]
        yield json.dumps({"model": model, "messages": messages, "max_tokens": tokens}).encode()


async def attack(url: str, key: str, model: str, kind: str, streams: int) -> None:
    """Ask and ask."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    made = bodies(model, kind)
    limits = httpx.Limits(max_connections=streams)
    async with httpx.AsyncClient(headers=headers, timeout=600, limits=limits) as client:

        async def stream() -> None:
            while True:
                try:
                    found = await client.post(f"{url}/chat/completions", content=next(made))
                except httpx.HTTPError:
                    continue
                if found.status_code in (429, 503):
                    await asyncio.sleep(0.2)  # the worst waits for no Retry-After

        await asyncio.gather(*(stream() for _ in range(streams)))


if __name__ == "__main__":
    os.nice(19)
    url, key, model, kind, streams = sys.argv[1:]
    asyncio.run(attack(url, key, model, kind, int(streams)))
