"""How fast and how steadily a server answers, beside the bare engine.

    python benchmarks/serve.py --bars                       # every part; exit 1 where a bar is not kept
    python benchmarks/serve.py --bars --part load memory    # only these
    python benchmarks/serve.py --part memory --requests 50000   # a soak

overhead    50 streams through the gateway from a server whose pieces are the times at which they were sent
            (serve_parts/clock.py), against the same streams without the gateway: p50 <= 2 ms, p99 <= 10 ms;
            pieces that are all sent at one moment, which wait for each other, are shown beside that
throughput  50 streams of SmolLM2-135M: tokens a second through the server against the bare engine, >= 0.95;
            the client stands for one on another machine: it sleeps until much has come, its share is shown
load        1,000 open connections and 200 clients at once, with a queue of 32: nothing but 200, 429 and 503,
            and p99 of the admitted <= 2x unloaded; clients that all begin at one moment are shown beside that
memory      resident memory after 5,000 requests within 5 % of that after the first 500
disconnect  a client that leaves frees its slot in < 1 s
restart     from kill -9 to /readyz in < 5 s

Other work on the machine moves every number; the parts that compare run both sides in turns."""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

import httpx

from bars import Bar, parser_of, run_parts
from finewright.lm.runtime import share_cores
from serve_parts.client import Outcome, ask
from serve_parts.drain import drain

MODEL = "smollm2-135m-instruct"
STREAMS, TOKENS = 50, 128
PIECES, PER_SECOND = 60, 20.0
FINE, BROKEN, ADMITTED, CLIENTS = 200, -1, (200, 429, 503), 200
PROMPT = "Write a story about a lighthouse and the people who keep it."


class Server(NamedTuple):
    """A started server."""

    process: "subprocess.Popen[bytes]"
    url: str
    key: str


@contextmanager
def serving(folder: Path, *targets: str, **settings: Any) -> Iterator[Server]:
    """`finewright serve` on a free port."""
    serve = {"port": 0, "max_tokens": 4096, **settings}
    (folder / "serve.yaml").write_text(f"name: bench\nserve: {json.dumps(serve)}\n")
    log = (
        folder / "serve.log"
    )  # a file: nobody would empty a pipe, and the server would wait for it
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "finewright", "serve", *targets, "--spec", "serve.yaml"],
            cwd=folder, env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        shown = ""
        while process.poll() is None:
            shown = log.read_text()
            if found := re.search(r"at (http://\S+)\n", shown):
                key = re.search(r"fw-\S+", shown)
                saved = folder / "key"
                if key:
                    saved.write_text(key[0])
                yield Server(process, found[1], saved.read_text())
                return
            time.sleep(0.05)
        raise SystemExit(log.read_text())
    finally:
        process.kill()
        process.wait()


@contextmanager
def clock(pieces: int = PIECES, per_second: float = PER_SECOND) -> Iterator[str]:
    """The server of times."""
    command = [sys.executable, "-m", "serve_parts.clock", str(pieces), str(per_second)]
    here = Path(__file__).parent
    process = subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def body(model: str, tokens: int = TOKENS) -> dict[str, Any]:
    """A streamed question; greedy answers of the model are all longer."""
    messages = [{"role": "user", "content": PROMPT}]
    return {"model": model, "messages": messages, "stream": True, "max_tokens": tokens}


async def together(
    url: str, key: str, asked: Sequence[dict[str, Any]], apart: float = 0.0
) -> list[Outcome]:
    """All at once, or begun so many seconds apart."""

    async def one(number: int) -> Outcome:
        await asyncio.sleep(number * apart)
        return await ask(f"{url}/chat/completions", key, asked[number])

    return list(await asyncio.gather(*map(one, range(len(asked)))))


def overhead(folder: Path, _: argparse.Namespace) -> list[Bar]:
    """Milliseconds that a piece takes longer through the gateway."""

    def delays(outcomes: list[Outcome]) -> list[float]:
        found = []
        for outcome in outcomes:
            for arrival, line in zip(outcome.arrivals, outcome.lines, strict=True):
                if sent := re.search(rb'"content": "(\d+\.\d+) "', line):
                    found.append((arrival - float(sent[1])) * 1000)
        return found

    asked, bars = [body("clock")] * STREAMS, list[Bar]()
    with clock() as url, serving(folder, f"{url}#clock") as server:
        asyncio.run(together(server.url, server.key, asked))
        for name, apart in (
            ("one after the other", 1 / PER_SECOND / STREAMS),
            ("all at once", 0.0),
        ):
            through, direct = list[float](), list[float]()
            for _round in range(3):
                direct += delays(asyncio.run(together(url, "", asked, apart)))
                through += delays(asyncio.run(together(server.url, server.key, asked, apart)))
            assert len(through) == len(direct) == 3 * STREAMS * PIECES
            a, b = quantiles(direct, n=100), quantiles(through, n=100)
            print(f"  pieces {name}: direct p50 {a[49]:.2f} p99 {a[98]:.2f} ms,", end=" ")
            print(f"through p50 {b[49]:.2f} p99 {b[98]:.2f} ms")
            bars += [
                Bar("overhead p50 ms", b[49] - a[49], 2, at_most=True),
                Bar("overhead p99 ms", b[98] - a[98], 10, at_most=True),
            ]
    return bars[:2]


def throughput(folder: Path, options: argparse.Namespace) -> list[Bar]:
    """Tokens a second of 50 streams, bare and through the server, in turns."""
    shares, bare_speeds, speeds, reading = [], [], [], []
    share_cores()  # both alike: a server that starts while the other loads would take the machine for busy
    bare = subprocess.Popen(
        [sys.executable, "-m", "serve_parts.bare", MODEL, str(STREAMS), str(options.tokens), PROMPT],
        cwd=Path(__file__).parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert bare.stdin is not None
    assert bare.stdout is not None
    bare.stdout.readline()
    with serving(folder, MODEL, at_once=STREAMS) as server:
        usage = {"stream_options": {"include_usage": True}}
        asked = [body(MODEL, options.tokens) | usage] * STREAMS
        url = f"{server.url}/chat/completions"
        drain(url, server.key, asked)
        for _round in range(options.rounds):
            bare.stdin.write("go\n")
            bare.stdin.flush()
            bare_speeds.append(float(bare.stdout.readline()))
            found = drain(url, server.key, asked)
            whole = re.compile(rb'"completion_tokens": ?%d\b' % options.tokens)
            assert all(whole.search(each) for each in found.responses)
            speeds.append(STREAMS * options.tokens / found.seconds)
            reading.append(found.own_seconds / found.seconds)
            shares.append(speeds[-1] / bare_speeds[-1])
    bare.kill()
    bare.wait()
    print(f"  bare {median(bare_speeds):.1f}, served {median(speeds):.1f} tokens/s;", end=" ")
    print(f"the client took {median(reading):.1%} of a core")
    for each in zip(bare_speeds, speeds, shares, strict=True):
        print("    bare {:.0f}, served {:.0f}: {:.3f}".format(*each))
    return [Bar("throughput, share of the bare engine", median(shares), 0.95)]


@dataclass(slots=True)
class Crowd:
    """200 clients that ask again and again, beside 1,000 connections that say nothing: what came of it."""

    statuses: Counter[int] = field(default_factory=Counter)
    admitted: list[float] = field(default_factory=list)

    async def ask(self, url: str, key: str, seconds: float, apart: float) -> None:
        """The clients begin so many seconds after each other."""
        port = httpx.URL(url).port
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(1000)]
        until = time.monotonic() + seconds
        await asyncio.gather(*(self._client(url, key, until, i * apart) for i in range(CLIENTS)))
        for _, writer in idle:
            writer.close()

    async def _client(self, url: str, key: str, until: float, begin: float) -> None:
        await asyncio.sleep(begin)
        while time.monotonic() < until:
            found = await ask(f"{url}/chat/completions", key, body("clock"))
            whole = bool(found.lines) and found.lines[-1] == b"[DONE]"
            self.statuses[found.status if whole or found.status != FINE else BROKEN] += 1
            self.admitted += [found.ended - found.begun] if found.status == FINE else []
            await asyncio.sleep(0.0 if found.status == FINE else 0.5)


def load(folder: Path, _: argparse.Namespace) -> list[Bar]:
    """The crowd, whose clients begin within the time of an answer or all at one moment. At one moment the
    answers end together too, and who waits for one waits for all of it: 2x, whatever the server does."""
    settings, bars = {"waiting": 32, "header_seconds": 60}, list[Bar]()
    with clock(15, 5.0) as url, serving(folder, f"{url}#clock", **settings) as server:
        asked = [body("clock")] * 8
        alone = [o.ended - o.begun for o in asyncio.run(together(server.url, server.key, asked))]
        for name, apart in (("one after the other", 3.0 / CLIENTS), ("all at once", 0.0)):
            crowd = Crowd()
            asyncio.run(crowd.ask(server.url, server.key, 15.0, apart))
            p99 = quantiles(crowd.admitted, n=100)[98]
            print(f"  clients begin {name}: statuses {dict(crowd.statuses)};", end=" ")
            print(f"unloaded {median(alone):.2f} s, admitted p99 {p99:.2f} s")
            others = sum(n for status, n in crowd.statuses.items() if status not in ADMITTED)
            bars.append(Bar("other than 200, 429, 503", others, 0, at_most=True))
            bars.append(Bar("p99, x unloaded", p99 / median(alone), 2, at_most=True))
    return [bars[0], bars[2], bars[1]]


def resident_mib(process: int) -> float:
    """Resident memory."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) / 1024


def memory(folder: Path, options: argparse.Namespace) -> list[Bar]:
    """Requests in rounds of 50; every tenth client leaves in the middle."""

    async def many(server: Server, number: int) -> None:
        url = f"{server.url}/chat/completions"
        for _ in range(number // 50):
            asked = [
                ask(url, server.key, body("clock"), (lambda o: len(o.lines) > 1) if i % 10 == 0 else _never)
                for i in range(50)
            ]  # fmt: skip
            await asyncio.gather(*asked)

    with clock(8, 1000.0) as url, serving(folder, f"{url}#clock") as server:
        asyncio.run(many(server, 500))
        before = resident_mib(server.process.pid)
        asyncio.run(many(server, options.requests))
        after = resident_mib(server.process.pid)
    print(f"  {before:.1f} MiB, after {options.requests} requests {after:.1f} MiB")
    return [Bar("memory, change in %", abs(after - before) / before * 100, 5, at_most=True)]


def _never(outcome: Outcome) -> bool:
    return False


def disconnect(folder: Path, _: argparse.Namespace) -> list[Bar]:
    """Seconds until no answer is given any more."""
    found = []
    with serving(folder, MODEL) as server:
        metrics, headers = (
            server.url.replace("/v1", "/metrics"),
            {"Authorization": f"Bearer {server.key}"},
        )
        for _round in range(5):
            url = f"{server.url}/chat/completions"
            asyncio.run(ask(url, server.key, body(MODEL, 2000), lambda o: bool(o.lines)))
            left = time.monotonic()
            while "finewright_answers_running 0.0" not in httpx.get(metrics, headers=headers).text:
                time.sleep(0.01)
            found.append(time.monotonic() - left)
    return [Bar("disconnect s", max(found), 1, at_most=True)]


def restart(folder: Path, _: argparse.Namespace) -> list[Bar]:
    """Seconds from kill -9 until it would answer again."""
    found = []
    with serving(folder, MODEL) as server:
        asyncio.run(together(server.url, server.key, [body(MODEL, 4)]))
    for _round in range(3):
        begun = time.monotonic()
        with serving(folder, MODEL) as server:
            ready = server.url.replace("/v1", "/readyz")
            while httpx.get(ready).status_code != FINE:
                time.sleep(0.02)
            found.append(time.monotonic() - begun)
    print(f"  {', '.join(f'{each:.1f}' for each in found)} s")
    return [Bar("kill -9 to ready s", median(found), 5, at_most=True)]


PARTS = {each.__name__: each for each in (overhead, throughput, load, memory, disconnect, restart)}


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--requests", type=int, default=5000, help="of the part memory")
    parser.add_argument("--rounds", type=int, default=3, help="of the part throughput")
    parser.add_argument("--tokens", type=int, default=TOKENS, help="of the part throughput")
    return run_parts(parser, PARTS)


if __name__ == "__main__":
    sys.exit(main())
