"""Where it is kept what keys have taken: a SQLite file for the gateways of one machine, Redis or Valkey for
those of many."""

import math
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from finewright.errors import DataError, MissingExtra
from finewright.store.atomic import os_errors
from finewright_serve.gateway.limits import PARTS, Charge, StoreAway, UsageTaken

_BUSY_SECONDS = 1.0
_AWAY_SECONDS = 1.0
_PREFIX = "finewright:taken:"
_TABLE = (
    "CREATE TABLE IF NOT EXISTS taken (name TEXT, part INTEGER, amount INTEGER, PRIMARY KEY (name, part))"
    " WITHOUT ROWID"
)


_NEWEST = "SELECT max(part * CASE WHEN name LIKE '%:day' THEN 1440 ELSE 1 END) FROM taken"
"""When the last part began: those of a day's window have 1,440 seconds, those of a minute's one."""


class SteadyClock:
    """Seconds since 1970 that go on evenly, however the machine's clock is set meanwhile."""

    def __init__(self, now: float = 0.0) -> None:
        """It begins at the machine's time, or at this one where that is later."""
        self._offset = max(time.time(), now) - time.monotonic()

    def __call__(self) -> float:
        """The time."""
        return self._offset + time.monotonic()


class SqliteUsage:
    """A file, or `:memory:`. Covered: a kill, and a clock that is set while it runs, or back before it
    starts. Not covered: a clock that was set forward before it starts."""

    def __init__(self, path: str, clock: Callable[[], float] | None = None) -> None:
        """Raises DataError for a file that is none of ours."""
        if path != ":memory:":
            with os_errors(Path(path)):
                Path(path).touch(mode=0o600)
        self._base = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            self._open()
            last = self._base.execute(_NEWEST).fetchone()[0] or 0
        except sqlite3.Error as error:
            self._base.close()
            hint = "move it away: what keys have taken is counted anew"
            raise DataError(f"{path}: cannot be used: {error}", hint=hint) from None
        self._clock = clock or SteadyClock(float(last))

    def _open(self) -> None:
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=OFF")  # a kill loses nothing, a power cut seconds
        self._base.execute(_TABLE)

    async def take(self, charges: Sequence[Charge]) -> UsageTaken:
        """See UsageStore."""
        try:
            self._base.execute("BEGIN IMMEDIATE")
            with self._base:
                return self._take(charges)
        except sqlite3.Error as error:
            raise StoreAway(str(error)) from None

    def _take(self, charges: Sequence[Charge]) -> UsageTaken:
        now, base = self._clock(), self._base
        found = []
        for each in charges:
            oldest = math.floor((now - each.seconds) / each.part)
            base.execute("DELETE FROM taken WHERE name = ? AND part < ?", (each.name, oldest))
            rows = base.execute("SELECT part, amount FROM taken WHERE name = ?", (each.name,))
            found.append({int(part): int(amount) for part, amount in rows})
        fits = all(
            sum(parts.values()) + each.amount <= each.most
            for each, parts in zip(charges, found, strict=True)
        )
        for each in charges if fits else ():
            base.execute(
                "INSERT INTO taken VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET amount = amount + excluded.amount",
                (each.name, math.floor(now / each.part), each.amount),
            )
        return UsageTaken(fits, now, found)

    async def settle(self, charges: Sequence[Charge], at: float) -> None:
        """See UsageStore."""
        rows = [(each.amount, each.name, math.floor(at / each.part)) for each in charges]
        try:
            self._base.executemany(
                "UPDATE taken SET amount = max(0, amount + ?) WHERE name = ? AND part = ?", rows
            )
        except sqlite3.Error as error:
            raise StoreAway(str(error)) from None

    async def close(self) -> None:
        """See UsageStore."""
        self._base.close()


_TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local fits, found = 1, {}
for i, name in ipairs(KEYS) do
  local seconds, most, amount, parts = ARGV[4*i-3], ARGV[4*i-2], ARGV[4*i-1], ARGV[4*i]
  local oldest, used = math.floor((now - seconds) / (seconds / parts)), 0
  local all, kept = redis.call('HGETALL', name), {}
  for j = 1, #all, 2 do
    if tonumber(all[j]) < oldest then
      redis.call('HDEL', name, all[j])
    else
      used = used + all[j + 1]
      table.insert(kept, all[j])
      table.insert(kept, all[j + 1])
    end
  end
  if used + amount > tonumber(most) then fits = 0 end
  found[i] = kept
end
if fits == 1 then
  for i, name in ipairs(KEYS) do
    local seconds, amount, parts = ARGV[4*i-3], ARGV[4*i-1], ARGV[4*i]
    redis.call('HINCRBY', name, string.format('%.0f', math.floor(now / (seconds / parts))), amount)
    redis.call('EXPIRE', name, 2 * seconds)
  end
end
return {fits, string.format('%.6f', now), found}
"""
_SETTLE = """
for i, name in ipairs(KEYS) do
  local had = redis.call('HGET', name, ARGV[2*i-1])
  if had then redis.call('HSET', name, ARGV[2*i-1], string.format('%.0f', math.max(0, had + ARGV[2*i]))) end
end
"""


class RedisUsage:
    """Redis or Valkey, by whose clock all gateways go. Each call is one script: nothing comes between."""

    def __init__(self, url: str) -> None:
        """Raises MissingExtra without its client, DataError for what is no address."""
        try:
            from redis.asyncio import Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
        except ImportError:
            hint = 'pip install "finewright-serve[redis]"'
            raise MissingExtra("limits in Redis need its client", hint=hint) from None
        try:
            self._redis: Redis = Redis.from_url(
                url,
                socket_timeout=_AWAY_SECONDS,
                socket_connect_timeout=_AWAY_SECONDS,
                retry=Retry(NoBackoff(), 1),
            )
        except ValueError as error:
            raise DataError(f"serve.limits.store: {error}") from None
        self._takes = self._redis.register_script(_TAKE)
        self._settles = self._redis.register_script(_SETTLE)

    async def take(self, charges: Sequence[Charge]) -> UsageTaken:
        """See UsageStore."""
        given = [v for each in charges for v in (each.seconds, each.most, each.amount, PARTS)]
        fits, now, found = await self._ask(self._takes, charges, given)
        parts = [dict(zip(map(int, f[::2]), map(int, f[1::2]), strict=True)) for f in found]
        return UsageTaken(bool(fits), float(now), parts)

    async def settle(self, charges: Sequence[Charge], at: float) -> None:
        """See UsageStore."""
        given = [v for each in charges for v in (math.floor(at / each.part), each.amount)]
        await self._ask(self._settles, charges, given)

    async def _ask(self, script: Any, charges: Sequence[Charge], given: Sequence[int]) -> Any:
        # Any: the client's scripts and their answers have no types
        from redis.exceptions import RedisError

        try:
            return await script(keys=[_PREFIX + each.name for each in charges], args=list(given))
        except (RedisError, OSError) as error:
            raise StoreAway(f"{type(error).__name__}: {error}") from None

    async def close(self) -> None:
        """See UsageStore."""
        with suppress(Exception):
            await self._redis.aclose()


def store_of(place: str, folder: Path) -> "SqliteUsage | RedisUsage":
    """The store of a place: an address of Redis or Valkey, `:memory:`, or a file below the folder."""
    if place.startswith(("redis://", "rediss://", "unix://")):
        return RedisUsage(place)
    if place.startswith(("valkey://", "valkeys://")):
        return RedisUsage(place.replace("valkey", "redis", 1))
    return SqliteUsage(place if place == ":memory:" else str(folder / place))
