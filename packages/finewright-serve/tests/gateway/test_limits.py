"""Limits of keys: never exceeded, by however many, and a Retry-After that is true."""

import asyncio
import logging
import math
import shutil
import subprocess
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.errors import DataError
from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import app_of
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.fair import FairSlots
from finewright_serve.gateway.gateway import Gateway, GatewayLimits
from finewright_serve.gateway.keys import KeyGrant, KeyLimits, KeyRing, add_key, read_keys
from finewright_serve.gateway.limits import Charge, Limiter, StoreAway, UsageStore
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.question import AnswerPiece, GatewayQuestion, TextVectors, TokenUsage
from finewright_serve.gateway.steps import QuestionCaller
from finewright_serve.gateway.usage_stores import RedisUsage, SqliteUsage
from gateway.test_responses import LAST, Scripted

CHAT = "/v1/chat/completions"
BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8}


@pytest.fixture
def memory() -> Iterator[SqliteUsage]:
    store = SqliteUsage(":memory:")
    yield store
    asyncio.run(store.close())


def limiter_of(store: UsageStore, limits: KeyLimits, when_away: str = "closed") -> Limiter:
    measures = Measures(Admission(1, 1))
    return Limiter(store, lambda _: limits, measures, when_away)  # type: ignore[arg-type] # a word


def gateway_of(
    store: UsageStore, path: Path, engine: Scripted, when_away: str = "closed"
) -> object:
    ring = KeyRing(path)
    admission = Admission(100, 9, ring.ids)
    measures = Measures(admission)
    limiter = Limiter(store, ring.limits, measures, when_away)  # type: ignore[arg-type] # a word
    return app_of(Gateway([engine], admission, measures, GatewayLimits(), (), limiter), ring)


async def statuses(app: object, key: str, num: int) -> list[httpx.Response]:
    """What so many clients get who ask at once."""
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type] # an application
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://t", headers=headers) as one:
        return await asyncio.gather(*(one.post(CHAT, json=BODY) for _ in range(num)))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 30),
    st.lists(st.tuples(st.floats(0, 40), st.integers(1, 9)), min_size=1, max_size=60),
)
def test_no_window_has_more_than_its_limit_and_the_wait_is_true(
    most: int, steps: list[tuple[float, int]]
) -> None:
    """Against a plain list of all that was taken."""
    now = [1_000_000.0]
    store = SqliteUsage(":memory:", lambda: now[0])
    log: list[tuple[float, int]] = []

    def take(amount: int) -> int:
        limits = KeyLimits(tokens_per_minute=most)
        asker = QuestionCaller("k", "user", "/")
        try:
            asyncio.run(limiter_of(store, limits)._take("tokens", amount, asker))
        except ApiError as error:
            return error.retry_after or 0
        log.append((now[0], amount))
        return 0

    for seconds, amount in steps:
        now[0] += seconds
        wanted = min(amount, most)
        if wait := take(wanted):
            inside = sum(a for at, a in log if at > now[0] - 60)
            assert inside + wanted > most - sum(
                a for at, a in log if now[0] - 61 < at <= now[0] - 60
            )
            now[0] += wait
            assert take(wanted) == 0, "it fits when it was said"
        ends = [at for at, _ in log]
        assert all(sum(a for at, a in log if end - 60 < at <= end) <= most for end in ends)
    asyncio.run(store.close())


def test_fifty_clients_at_once_get_as_many_answers_as_the_limit_says(
    tmp_path: Path, memory: SqliteUsage
) -> None:
    path = tmp_path / "keys.json"
    limits = KeyLimits(requests_per_minute=20, requests_per_day=1000)
    key = add_key(path, KeyGrant(limits=limits), "today")
    app = gateway_of(memory, path, Scripted([LAST]))
    found = asyncio.run(statuses(app, key, 50))
    assert sorted(each.status_code for each in found) == [200] * 20 + [429] * 30
    refused = next(each for each in found if each.status_code == 429)
    assert 59 <= int(refused.headers["retry-after"]) <= 61
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    lefts = {each.headers["x-ratelimit-remaining-requests"] for each in found}
    assert lefts == {str(n) for n in range(20)}
    assert {each.headers["x-ratelimit-limit-requests"] for each in found} == {"20"}
    assert 59 <= int(refused.headers["x-ratelimit-reset-requests"][:-1]) <= 61


class Slow(Scripted):
    """Answers of five tokens of the eight that were asked for, all given at once."""

    def __init__(self) -> None:
        super().__init__(
            [AnswerPiece(content="abc"), AnswerPiece(finish="stop", usage=TokenUsage(9, 5))]
        )
        self.running = self.most = 0

    async def answer(self, question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(0.02)
            for piece in self.pieces:
                yield piece
        finally:
            self.running -= 1

    async def embed(self, model: str, texts: Sequence[str]) -> TextVectors:
        return TextVectors([[1.0]] * len(texts), 7)


def test_tokens_are_taken_before_an_answer_and_what_it_did_not_use_is_given_back(
    tmp_path: Path, memory: SqliteUsage
) -> None:
    path = tmp_path / "keys.json"
    key = add_key(path, KeyGrant(limits=KeyLimits(tokens_per_minute=500)), "today")
    app = gateway_of(memory, path, Slow())
    found = asyncio.run(statuses(app, key, 50))
    num = sum(each.status_code == 200 for each in found)
    assert 1 <= num <= 500 // 14
    assert {each.status_code for each in found} == {200, 429}
    taken = memory._base.execute("SELECT sum(amount) FROM taken").fetchone()[0]
    assert taken == 14 * num
    again = asyncio.run(statuses(app, key, 1))
    assert again[0].status_code == 200, "there is room again"
    assert int(again[0].headers["x-ratelimit-remaining-tokens"]) < 500


@pytest.mark.parametrize(("given", "used"), [(0, 0), (3, 23)])
def test_an_answer_that_is_cut_is_charged_what_it_gave(
    memory: SqliteUsage, given: int, used: int
) -> None:
    limiter = limiter_of(memory, KeyLimits(tokens_per_day=100))

    async def ask() -> None:
        async with limiter.charged(QuestionCaller("k", "user", "/"), 20, 50) as charge:
            for _ in range(given):
                charge.add(AnswerPiece(content="x"))
            raise asyncio.CancelledError

    with suppress(asyncio.CancelledError):
        asyncio.run(ask())
    assert memory._base.execute("SELECT amount FROM taken").fetchall() == [(used,)]


def test_an_answer_that_never_fits_is_refused_and_a_long_prompt_gets_what_is_left(
    memory: SqliteUsage,
) -> None:
    limiter = limiter_of(memory, KeyLimits(tokens_per_minute=100))
    asker = QuestionCaller("k", "user", "/")

    async def most(prompt: int, answer: int) -> int | None:
        async with limiter.charged(asker, prompt, answer) as charge:
            return charge.most_prompt

    with pytest.raises(ApiError, match="limit of this key, 100") as error:
        asyncio.run(most(1, 100))
    assert (error.value.status, error.value.code) == (400, "tokens_over_limit")
    assert asyncio.run(most(5000, 40)) == 60
    assert asyncio.run(most(10, 40)) is None


def test_what_was_taken_outlives_the_server_and_a_clock_that_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "usage.sqlite")
    charge = Charge("k:requests:minute", 60, 2, 1)
    store = SqliteUsage(path)
    took = [asyncio.run(store.take([charge])).is_taken for _ in range(2)]
    there = time.time()
    monkeypatch.setattr(time, "time", lambda: there - 3600)
    assert took == [True, True]
    assert not asyncio.run(store.take([charge])).is_taken
    later = SqliteUsage(path)
    found = asyncio.run(later.take([charge]))
    assert not found.is_taken
    assert abs(found.now - there) < 2
    for each in (store, later):
        asyncio.run(each.close())
    assert (tmp_path / "usage.sqlite").stat().st_mode & 0o77 == 0


def test_a_file_of_another_kind_is_said(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    path.write_text("no database, and long enough to be none " * 40)
    with pytest.raises(DataError, match=r"usage\.sqlite: cannot be used"):
        SqliteUsage(str(path))


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A real server of its own, by its address."""
    pytest.importorskip("redis", reason="Redis's client is not installed")
    server = shutil.which("valkey-server") or shutil.which("redis-server")
    if server is None:
        pytest.skip("neither valkey-server nor redis-server is installed")
    socket = tmp_path / "redis.sock"
    options = ("--port", "0", "--save", "", "--dir", str(tmp_path), "--unixsocket", str(socket))
    process = subprocess.Popen([server, *options], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            assert process.poll() is None
            time.sleep(0.01)
        yield f"unix://{socket}", process
    finally:
        process.kill()
        process.wait()


def test_two_gateways_on_one_redis_keep_one_limit(
    tmp_path: Path, redis: tuple[str, "subprocess.Popen[bytes]"]
) -> None:
    path = tmp_path / "keys.json"
    limits = KeyLimits(requests_per_minute=30, tokens_per_minute=10_000)
    key = add_key(path, KeyGrant(limits=limits), "today")

    async def ask() -> list[httpx.Response]:
        stores = [RedisUsage(redis[0]) for _ in range(2)]
        apps = [gateway_of(store, path, Slow()) for store in stores]
        both = await asyncio.gather(*(statuses(app, key, 25) for app in apps))
        for store in stores:
            await store.close()
        return [*both[0], *both[1]]

    found = asyncio.run(ask())
    assert sorted(each.status_code for each in found) == [200] * 30 + [429] * 20
    refused = next(each for each in found if each.status_code == 429)
    assert 59 <= int(refused.headers["retry-after"]) <= 61

    async def left() -> Sequence[int]:
        store = RedisUsage(redis[0])
        name = f"{read_keys(path)[0].id}:tokens:minute"
        taken = await store.take([Charge(name, 60, 10_000, 0)])
        await store.close()
        return [sum(parts.values()) for parts in taken.parts]

    assert asyncio.run(left()) == [30 * 14]


@pytest.mark.parametrize(("when_away", "status"), [("closed", 503), ("open", 200)])
def test_a_redis_that_goes_away_is_said_and_keys_without_limits_do_not_mind(
    tmp_path: Path,
    redis: tuple[str, "subprocess.Popen[bytes]"],
    when_away: str,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR, "finewright_serve")
    path = tmp_path / "keys.json"
    key = add_key(path, KeyGrant(limits=KeyLimits(requests_per_minute=30)), "today")
    free = add_key(path, KeyGrant(), "today")

    async def ask() -> list[int]:
        store = RedisUsage(redis[0])
        app = gateway_of(store, path, Scripted([LAST]), when_away)
        before = await statuses(app, key, 1)
        redis[1].kill()
        redis[1].wait()
        after = [*await statuses(app, key, 1), *await statuses(app, free, 1)]
        await store.close()
        return [each.status_code for each in (*before, *after)]

    assert asyncio.run(ask()) == [200, status, 200]
    assert f"limits cannot be checked, {when_away}: " in caplog.text


def test_a_key_never_holds_more_slots_than_it_may_while_others_go_on() -> None:
    async def run() -> tuple[int, int]:
        slots = FairSlots(4, most_of={"a": 2}.get)
        await slots.acquire("a")
        number = await slots.acquire("a")
        third = asyncio.create_task(slots.acquire("a"))
        await asyncio.sleep(0)
        assert not third.done()
        await slots.acquire("b")
        assert slots.running == {"a": 2, "b": 1}
        slots.release("a", number)
        await third
        return slots.running["a"], slots.seconds_until_room("a")

    assert asyncio.run(run())[0] == 2


def test_a_store_that_fails_is_away(tmp_path: Path) -> None:
    store = SqliteUsage(str(tmp_path / "usage.sqlite"))
    asyncio.run(store.close())
    with pytest.raises(StoreAway):
        asyncio.run(store.take([Charge("k", 60, math.inf, 1)]))  # type: ignore[arg-type] # a number
