"""Whether limits and the audit of a server hold, and what they cost.

    python benchmarks/gateway.py --bars                        # every part; exit 1 where a bar is not kept
    python benchmarks/gateway.py --bars --part limits kill     # only these

limits    50 clients at two gateways on one Redis or Valkey (Debian's valkey-server), and at one on a file:
          no more answers than the limit of requests; and as many as it says
keys      refusals of a wrong prefix and of a wrong secret take the same time: Welch's t < 4.5 over 20,000
overhead  an answer through keys, limits (SQLite) and audit (synced) against a server without keys, in turns:
          p50 <= 2 ms more
audit     lines a second that 256 requests at once append, each waiting for the disk: >= 5,000
kill      accepted lines that ten kills -9 of a writer lose: none, and the chain verifies after each restart

Other work on the machine moves the times; the counts it does not."""

import argparse
import asyncio
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bars import Bar, parser_of, run_parts
from finewright_serve.audit.chain import Break, checked_lines
from finewright_serve.audit.log import AuditLog
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.keys import KeyGrant, KeyLimits, KeyRing, add_key, make_key
from serve import Server, clock, serving
from serve_parts.client import ask

CLIENTS, LIMIT, WINDOW, FINE = 50, 60, 60, 200
FEW = KeyLimits(requests_per_minute=LIMIT)
MANY = KeyLimits(
    requests_per_minute=10**6,
    requests_per_day=10**8,
    tokens_per_minute=10**8,
    tokens_per_day=10**9,
)
BODY = {
    "model": "clock",
    "messages": [{"role": "user", "content": "a"}],
    "stream": True,
    "max_tokens": 8,
}


def limits(folder: Path, options: argparse.Namespace) -> Iterator[Bar]:
    """Answers beyond the limit, and those that were withheld."""
    with clock(pieces=1) as url:
        with _limited(folder / "file", url, "usage.sqlite") as server:
            yield from _counted([server], "one gateway, a file", options)
        with _redis(folder) as place:
            if not place:
                print(
                    "limits on Redis: neither valkey-server nor redis-server is here",
                    file=sys.stderr,
                )
                return
            first, second = folder / "one", folder / "two"
            with _limited(first, url, place) as one:
                (second / "serve").mkdir(parents=True)
                shutil.copy(first / "serve" / "keys.json", second / "serve")
                with _limited(second, url, place, key=one.key) as two:
                    yield from _counted([one, two], "two gateways, one Redis", options)


def keys(folder: Path, options: argparse.Namespace) -> Iterator[Bar]:
    """How far apart in time two kinds of wrong keys are refused."""
    key = make_key(folder / "keys.json", "user", "today")
    ring, wrong = KeyRing(folder / "keys.json"), ("xx-" + key[3:], key[:-4] + "AAAA")
    drawn = random.Random(1).choices((0, 1), k=2 * options.requests)  # noqa: S311 - an order
    found: tuple[list[int], list[int]] = ([], [])
    for number in drawn:
        begun = time.perf_counter_ns()
        with suppress(ApiError):
            ring.owner(f"Bearer {wrong[number]}")
        found[number].append(time.perf_counter_ns() - begun)
    kept = [sorted(times)[: int(0.9 * len(times))] for times in found]  # the rest is of the machine
    means = [statistics.fmean(times) for times in kept]
    spread = sum(statistics.variance(times) / len(times) for times in kept)
    yield Bar("Welch's t", abs(means[0] - means[1]) / spread**0.5, 4.5, at_most=True)


def overhead(folder: Path, options: argparse.Namespace) -> Iterator[Bar]:
    """Milliseconds of an answer with all of it, beyond one without."""
    num = max(20, options.requests // 50)
    with (
        clock(pieces=1) as url,
        _bare(folder / "bare", url) as bare,
        _limited(folder / "full", url, "usage.sqlite", MANY, {"sync": False}) as full,
        _limited(folder / "synced", url, "usage.sqlite", MANY, {"sync": True}) as synced,
    ):
        servers = (bare, full, synced)
        times: list[list[float]] = [[] for _ in servers]

        async def measure() -> None:
            for number in range(len(servers) * num):
                which = number % len(servers)
                server = servers[which]
                found = await ask(f"{server.url}/chat/completions", server.key, BODY)
                assert found.status == FINE, found
                times[which].append((found.ended - found.begun) * 1000)

        asyncio.run(measure())
    before, after, waited = map(statistics.median, times)
    on = f"{before:.2f} ms without, {after:.2f} with, {waited:.2f} with sync: true; {num} answers each"
    yield Bar("ms of keys, limits and audit, p50", after - before, 2, at_most=True, on=on)


def audit(folder: Path, options: argparse.Namespace) -> Iterator[Bar]:
    """Lines a second."""
    log = AuditLog(folder / "audit.jsonl", every=100, seconds=60, is_synced=True)
    num = options.requests

    async def one(share: int) -> None:
        for number in range(share):
            await log.append({"kind": "request", "request": number, "question_sha256": "0" * 64})

    async def all_of_them() -> None:
        await asyncio.gather(*(one(-(-num // 256)) for _ in range(256)))

    begun = time.monotonic()
    asyncio.run(all_of_them())
    yield Bar("audit lines a second", num / (time.monotonic() - begun), 5000)
    log.close()


_WRITER = """
import asyncio, sys
from pathlib import Path
from finewright_serve.audit.log import AuditLog
log = AuditLog(Path(sys.argv[1]), every=50, seconds=60)
async def add(name):
    for number in range(10**6):
        await log.append({"kind": "request", "request": f"{name}-{number}"})
        print(f"{sys.argv[2]}-{name}-{number}", flush=True)
async def all():
    await asyncio.gather(*map(add, range(8)))
asyncio.run(all())
"""


def kill(folder: Path, options: argparse.Namespace) -> Iterator[Bar]:
    """Lines that were accepted and are not there, and chains that do not verify."""
    path, kills = folder / "audit.jsonl", max(2, options.requests // 1000)
    num_accepted = num_lost = num_broken = 0
    for number in range(min(10, kills)):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path), str(number)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        accepted = [writer.stdout.readline() for _ in range(200 + 37 * number)]
        writer.kill()
        accepted += writer.stdout.readlines()
        writer.wait()
        names = {line.strip().partition("-")[2] for line in accepted if line.endswith("\n")}
        AuditLog(path, every=50, seconds=60).close()
        with path.open("rb") as file:
            lines = list(checked_lines(file))
        num_broken += isinstance(lines[-1], Break)
        there = {line.fields.get("request") for line in lines if not isinstance(line, Break)}
        num_accepted += len(names)
        num_lost += len(names - there)
    on = f"{num_accepted:,} accepted lines, {min(10, kills)} kills"
    yield Bar("accepted lines lost by kill -9", num_lost, 0, at_most=True, on=on)
    yield Bar("chains broken after it", num_broken, 0, at_most=True)


def _counted(servers: list[Server], what: str, options: argparse.Namespace) -> Iterator[Bar]:
    async def client(number: int) -> list[int]:
        server = servers[number % len(servers)]
        url = f"{server.url}/chat/completions"
        return [(await ask(url, server.key, BODY)).status for _ in range(4)]

    async def everybody() -> list[int]:
        found = await asyncio.gather(*map(client, range(CLIENTS)))
        return [status for each in found for status in each]

    begun = time.monotonic()
    statuses = asyncio.run(everybody())
    assert time.monotonic() - begun < WINDOW, "longer than the window"
    assert set(statuses) <= {200, 429}, statuses
    num = statuses.count(200)
    on = f"{num} of {len(statuses)} answered, limit {LIMIT}; {what}"
    yield Bar("answers beyond the limit", max(0, num - LIMIT), 0, at_most=True, on=on)
    yield Bar("answers withheld below it", max(0, LIMIT - num), 0, at_most=True, on=what)


@contextmanager
def _limited(
    folder: Path,
    url: str,
    place: str,
    most: KeyLimits = FEW,
    audited: "dict[str, object] | None" = None,
    key: str = "",
) -> Iterator[Server]:
    (folder / "serve").mkdir(parents=True, exist_ok=True)
    key = key or add_key(folder / "serve" / "keys.json", KeyGrant(limits=most), "today")
    (folder / "key").write_text(key)
    settings = {"limits": {"store": place}, "audit": audited, "waiting": 100}
    with serving(folder, f"{url}#clock", **settings) as server:
        yield server


@contextmanager
def _bare(folder: Path, url: str) -> Iterator[Server]:
    folder.mkdir()
    (folder / "key").write_text("none")
    with serving(folder, f"{url}#clock", keys="none", disclosure="") as server:
        yield server


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    """The address of a server of its own; empty where none is installed."""
    command = shutil.which("valkey-server") or shutil.which("redis-server")
    if command is None:
        yield ""
        return
    socket = folder / "redis.sock"
    settings = ("--port", "0", "--save", "", "--dir", str(folder), "--unixsocket", str(socket))
    process = subprocess.Popen([command, *settings], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            time.sleep(0.01)
        yield f"unix://{socket}"
    finally:
        process.kill()
        process.wait()


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--requests", type=int, default=10_000, help="of the parts that measure")
    parts = {"limits": limits, "keys": keys, "overhead": overhead, "audit": audit, "kill": kill}
    return run_parts(parser, parts)


if __name__ == "__main__":
    sys.exit(main())
