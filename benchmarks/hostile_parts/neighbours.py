"""One key that does its worst beside another's short questions, and what the time of an answer tells of
others.

Short questions are asked by the official client, in turns with and without the attack, which is a process of
its own: long answers, long prompts, and texts that are made to be dear to read. `/healthz` is asked
meanwhile. Whether a prompt is known is told from time by its asker alone: AUC of the times of prompts that
another key has asked against those of prompts that nobody has, one half where they tell nothing."""

import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import openai

from bars import Bar
from serve import MODEL, Server, serving

_STREAMS = 46
_KINDS = {"answers": _STREAMS, "prompts": _STREAMS, "texts": 8}
_MOST_TIMES, _MOST_HEALTH_SECONDS, _MOST_AUC = 2.0, 1.0, 0.55
_SHORT_TOKENS, _WORDS_OF_A_PROMPT = 16, 300
_TOPICS = ("bees", "tides", "glass", "bread", "chess", "kites", "snow", "maps", "clocks", "salt")


def bars(folder: Path, small: bool) -> list[Bar]:
    rounds, asked, pairs = (1, 5, 5) if small else (4, 30, 300)
    with serving(folder, MODEL, at_once=16) as server:
        mine = new_key(folder)
        found = [bar for kind in _KINDS for bar in beside(server, mine, kind, rounds, asked)]
        return [*found, *told(server, mine, pairs)]


def new_key(folder: Path) -> str:
    command = [sys.executable, "-m", "finewright", "serve", "--spec", "serve.yaml"]
    made = subprocess.run(
        [*command, "--new-key", "user"], cwd=folder, capture_output=True, text=True, check=True
    )
    return made.stdout.strip()


def beside(server: Server, mine: str, kind: str, rounds: int, asked: int) -> list[Bar]:
    """How much longer short questions take, and /healthz, beside an attack of the kind."""
    alone, attacked, health = list[float](), list[float](), list[float]()
    with openai.OpenAI(base_url=server.url, api_key=mine, max_retries=0, timeout=120) as client:
        ask_short(client, 3)
        for _ in range(rounds):
            alone += ask_short(client, asked)
            with attacking(server, kind), probing(server.url, health):
                attacked += ask_short(client, asked)
            time.sleep(2)  # what the attack left ends
    times = high(attacked) / high(alone)
    sizes = (
        f"{len(alone)} and {len(attacked)} questions, {high(alone):.2f} and {high(attacked):.2f} s"
    )
    middle = f"medians {statistics.median(alone):.2f} and {statistics.median(attacked):.2f} s"
    seconds = high(health)
    return [
        Bar(f"{kind}: p99 beside it, times", times, _MOST_TIMES, True, f"{sizes}; {middle}"),
        Bar(
            f"{kind}: /healthz p99, s",
            seconds,
            _MOST_HEALTH_SECONDS,
            True,
            f"{len(health)} asked, worst {max(health):.2f} s",
        ),
    ]


def ask_short(client: openai.OpenAI, number: int) -> list[float]:
    """Seconds of short questions, one after the other; whoever asks thinks before the next."""
    found = []
    for _ in range(number):
        topic = f"{random.choice(_TOPICS)} {random.randrange(10**6)}"  # noqa: S311 - no secret
        begun = time.perf_counter()
        client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": f"Say a word on {topic}."}],
            max_tokens=_SHORT_TOKENS,
        )
        found.append(time.perf_counter() - begun)
        time.sleep(random.random() / 2)  # noqa: S311 - as above
    return found


@contextmanager
def attacking(server: Server, kind: str) -> Iterator[None]:
    """One key at its worst, for two seconds before and as long as the block lasts."""
    here = Path(__file__).parent.parent
    command = [sys.executable, "-m", "hostile_parts.attack", server.url, server.key, MODEL, kind]
    process = subprocess.Popen([*command, str(_KINDS[kind])], cwd=here)
    try:
        time.sleep(4)
        assert process.poll() is None, "the attack did not begin"
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def probing(url: str, seconds: list[float]) -> Iterator[None]:
    """Ask /healthz ten times a second."""
    over = threading.Event()

    def probe() -> None:
        with httpx.Client(timeout=60) as client:
            while not over.wait(0.1):
                begun = time.perf_counter()
                client.get(url.removesuffix("/v1") + "/healthz").raise_for_status()
                seconds.append(time.perf_counter() - begun)

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def told(server: Server, mine: str, pairs: int) -> list[Bar]:
    """What times tell of the prompts of another key, and, to show that they could, of one's own."""
    with (
        openai.OpenAI(base_url=server.url, api_key=server.key) as other,
        openai.OpenAI(base_url=server.url, api_key=mine) as me,
    ):
        theirs, unknown, own = list[float](), list[float](), list[float]()
        found = 0
        for _ in range(pairs):
            asked, fresh = prompt(), prompt()
            ask_long(other, asked)
            both = [(asked, theirs), (fresh, unknown)]
            random.shuffle(both)
            for text, seconds in both:
                took, cached = ask_long(me, text)
                seconds.append(took)
                found += cached > _SHARED_TOKENS
            own.append(ask_long(me, asked)[0])
    auc, control = auc_of(theirs, unknown), auc_of(own, unknown)
    on = f"{pairs} pairs; of one's own prompts {control:.3f}; {found} found in the cache"
    return [
        Bar("times tell of another key's prompts, AUC", auc, _MOST_AUC, True, on),
        Bar("prompts of another key found in the cache", found, 0, True, f"{pairs} pairs"),
    ]


_SHARED_TOKENS = 32
"""What every prompt begins with: the template's own words, in the asker's own cache."""


def prompt() -> str:
    words = random.choices(("tree", "stone", "cloud", "lamp", "road", "leaf"), k=_WORDS_OF_A_PROMPT)  # noqa: S311 - no secret
    return f"{random.random()} {' '.join(words)}"  # noqa: S311 - as above


def ask_long(client: openai.OpenAI, text: str) -> tuple[float, int]:
    """Seconds of the first token, and tokens that were found in the cache."""
    begun = time.perf_counter()
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": text}], max_tokens=1
    )
    took = time.perf_counter() - begun
    assert answer.usage is not None
    details = answer.usage.prompt_tokens_details
    return took, (details.cached_tokens or 0) if details else 0


def auc_of(some: list[float], others: list[float]) -> float:
    """How well a threshold tells them apart, whichever way."""
    wins = sum((a < b) + (a == b) / 2 for a in some for b in others) / (len(some) * len(others))
    return max(wins, 1 - wins)


def high(seconds: list[float]) -> float:
    """The 99th percentile; of fewer than a hundred the longest."""
    return sorted(seconds)[min(len(seconds) - 1, int(0.99 * len(seconds)))]
