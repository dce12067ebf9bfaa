"""Responses that are kept for `previous_response_id`: a SQLite file in the folder of a server.

A response belongs to the project of the key that asked for it; another key of the project sees it if it may
ask its model and see the documents of all its groups. Nobody else does, admins neither. What an earlier
response was is looked up anew each time, so one that is deleted is gone from all that follow it."""

import asyncio
import json
import logging
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from finewright.errors import DataError
from finewright.store.atomic import os_errors
from finewright_serve.gateway.connected import Event
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.steps import QuestionCaller

_LOG = logging.getLogger(__name__)
KEPT = "responses.sqlite"
Json = dict[str, Any]  # Any: JSON
T = TypeVar("T")
_ENDED = ("response.completed", "response.incomplete")
_LONGEST = 1000
"""Responses in a row: many times what fits into a context."""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS kept (id TEXT PRIMARY KEY, project TEXT, created REAL, model TEXT,"
    " groups TEXT, previous TEXT, items TEXT, response TEXT, size INTEGER)"
)
_OVER = (
    "DELETE FROM kept WHERE id IN (SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY created DESC, rowid"
    " DESC) AS total FROM kept WHERE project = ?) WHERE total > ?)"
)
"""The oldest of a project, as far as all are larger than the limit together."""


class KeptResponse(NamedTuple):
    """A response, the items that were posted for it, and the id of the one that it goes on from."""

    response: Json
    items: list[Json]
    previous: str


class ResponseStore:
    """A file; several gateways may share it."""

    def __init__(
        self, path: Path, days: float, megabytes: int, now: Callable[[], float] = time.time
    ) -> None:
        """Raises DataError for a file that is none of ours."""
        self._seconds, self._most, self._now = days * 86400, megabytes * 10**6, now
        self._lock = threading.Lock()
        with os_errors(path):
            path.touch(mode=0o600)
        self._base = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._base.execute("PRAGMA secure_delete=ON")  # words that are deleted are overwritten
            self._base.execute(_TABLE)
            self._drop_old()
        except sqlite3.Error as error:
            self._base.close()
            hint = "move it away: responses that were kept cannot be continued then"
            raise DataError(f"{path}: cannot be used: {error}", hint=hint) from None

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    async def save(self, kept: KeptResponse, asker: QuestionCaller) -> bool:
        """Keep it; False where that is not possible, which the log says, or where it alone is too large."""
        try:
            return await self._done(lambda: self._save(kept, asker))
        except ApiError:
            return False

    async def find(self, name: str, asker: QuestionCaller, param: str | None = None) -> Json:
        """The response. Raises ApiError where the asker has none of that id."""
        return (await self._done(lambda: self._find(name, asker, param))).response

    async def items_up_to(self, name: str, asker: QuestionCaller) -> list[Json]:
        """The conversation up to the response and with it, as items. Raises ApiError as `find`."""
        return await self._done(lambda: self._items(name, asker))

    async def delete(self, name: str, asker: QuestionCaller) -> None:
        """Raises ApiError as `find`."""
        await self._done(lambda: self._delete(name, asker))

    async def _done(self, work: Callable[[], T]) -> T:
        def locked() -> T:
            with self._lock:
                self._drop_old()
                return work()

        try:
            return await asyncio.to_thread(locked)
        except sqlite3.Error as error:
            _LOG.error("the responses that are kept cannot be used: %s", error)
            what = "the responses that are kept cannot be used at the moment"
            raise ApiError(what, status=503, code="responses_unavailable", retry_after=1) from None

    def _drop_old(self) -> None:
        self._base.execute("DELETE FROM kept WHERE created < ?", (self._now() - self._seconds,))

    def _save(self, kept: KeptResponse, asker: QuestionCaller) -> bool:
        items, response = json.dumps(kept.items), json.dumps(kept.response)
        size = len(items) + len(response)
        if size > self._most:
            return False
        head = (kept.response["id"], asker.project, self._now(), kept.response["model"])
        row = (*head, json.dumps(sorted(asker.groups)), kept.previous, items, response, size)
        self._base.execute("BEGIN IMMEDIATE")
        with self._base:
            self._base.execute("INSERT INTO kept VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            self._base.execute(_OVER, (asker.project, self._most))
        return True

    def _find(self, name: str, asker: QuestionCaller, param: str | None = None) -> KeptResponse:
        query = (
            "SELECT response, items, previous, model, groups FROM kept WHERE id = ? AND project = ?"
        )
        row = self._base.execute(query, (name, asker.project)).fetchone()
        is_seen = row and asker.may_use(row[3]) and {*json.loads(row[4])} <= {*asker.groups}
        if not is_seen:
            what = f"{name[:100]!r} is not kept here for this key, or not any more"
            raise ApiError(
                f"{param}: {what}" if param else what,
                status=404,
                param=param,
                code="response_not_found",
            )
        return KeptResponse(json.loads(row[0]), json.loads(row[1]), row[2])

    def _items(self, name: str, asker: QuestionCaller) -> list[Json]:
        parts: list[Sequence[Json]] = []
        while name:
            if len(parts) >= _LONGEST:
                what = f"previous_response_id: more than {_LONGEST} responses stand before it"
                raise ApiError(what, param="previous_response_id", code="invalid_value")
            kept = self._find(name, asker, "previous_response_id")
            parts.append([*kept.items, *kept.response["output"]])
            name = kept.previous
        return [item for part in reversed(parts) for item in part]

    def _delete(self, name: str, asker: QuestionCaller) -> None:
        self._find(name, asker)
        self._base.execute("DELETE FROM kept WHERE id = ?", (name,))


async def saved_events(
    events: AsyncGenerator[Event, None], save: Callable[[Json], Awaitable[Json]]
) -> AsyncGenerator[Event, None]:
    """The events of a stream; its response is kept before the last one leaves, which says whether it is."""
    async with aclosing(events):
        async for name, data in events:
            ended = name in _ENDED
            yield name, {**data, "response": await save(data["response"])} if ended else data
