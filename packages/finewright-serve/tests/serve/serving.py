"""`finewright serve` in a process of its own."""

import functools
import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx

import tiny
from e2e.processes import Running, start


@functools.cache
def client_of(url: str, key: str) -> Any:
    """One client for a server, whose connections `stop` closes."""
    import openai

    return openai.OpenAI(base_url=url, api_key=key, max_retries=0, timeout=60)


class Serving(NamedTuple):
    process: Running
    url: str
    key: str
    folder: Path

    @property
    def client(self) -> Any:
        return client_of(self.url, self.key)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    @property
    def shown(self) -> str:
        """All that it has written."""
        return self.process.shown

    def port(self) -> int:
        return int(httpx.URL(self.url).port or 0)


def save_base(folder: Path) -> None:
    """A tiny llama, served by the name `base`."""
    tiny.tiny_model("llama").save_pretrained(folder / "base")
    tiny.tiny_tokenizer().save_pretrained(folder / "base")


def started(
    folder: Path,
    *targets: str,
    sets: Sequence[str] = (),
    spec: str = "name: here\nserve: {port: 0, max_tokens: 100}\n",
    environ: Mapping[str, str] = {},
    is_cold: bool = False,
) -> Serving:
    """A server that has begun to listen. What it writes goes to a file: nobody would empty a pipe."""
    (folder / "serve.yaml").write_text(spec)
    more = [part for each in sets for part in ("--set", each)]
    arguments = ("serve", *targets, "--spec", "serve.yaml", *more)
    process = start(arguments, folder=folder, environ=environ, is_cold=is_cold)
    while True:
        ended = process.code(0.02)
        shown = process.shown
        if found := re.search(r"at (https?://\S+)\n", shown):
            key = re.search(r"fw-\S+", shown)
            return Serving(process, found[1], key[0] if key else "", folder)
        assert ended is None, shown


def counted(serving: Serving, name: str) -> float:
    """A number of /metrics, by its name with its labels."""
    text = httpx.get(httpx.URL(serving.url).join("/metrics"), headers=serving.headers).text
    found = re.search(rf"^{re.escape(name)} (\S+)", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def stop(serving: Serving) -> None:
    """End it in order, if it has not ended."""
    serving.client.close()
    if serving.process.code(0) is None:
        serving.process.send(signal.SIGTERM)
    assert serving.process.code(30) == 0
    assert "Traceback" not in serving.shown
