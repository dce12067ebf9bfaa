"""Where a Qdrant index is, the client of it, and its complaints in one line each."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import sqlite3
import threading
import warnings
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from finewright.errors import DataError, MissingExtra
from finewright.plugins import install_command
from finewright_rag.stores.qdrant.stored import read_points_alone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qdrant_client import QdrantClient

COLLECTION = "finewright"
KEY_VARIABLE = "QDRANT_API_KEY"

_TIMEOUT_SECONDS = 60
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_LANGUAGE = re.compile(r"\?language=([a-z_]{2,30})$")

_log = logging.getLogger(__name__)


class QdrantPlace(NamedTuple):
    """A folder, or a server's URL; `shown` may be printed, `language` is "" where none was named."""

    folder: Path | None
    url: str
    collection: str
    shown: str
    language: str


def place_of(target: str, resolve: Callable[[str], Path]) -> QdrantPlace:
    """The place that `qdrant:FOLDER` or `qdrant+http(s)://HOST:PORT/COLLECTION` names.

    `?language=german` at the end asks for the stems of another language than English. A port that is not
    said is 6333. A server's key is read from QDRANT_API_KEY; an address with one in it is refused unread."""
    found = _LANGUAGE.search(target)
    language = found[1] if found else ""
    bare = target[: found.start()] if found else target
    if bare.startswith("qdrant:"):
        written = bare.removeprefix("qdrant:")
        if not written:
            raise _unreadable()
        return QdrantPlace(resolve(written), "", COLLECTION, bare, language)
    url = bare.removeprefix("qdrant+")
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        raise _unreadable() from None
    if parts.scheme not in {"http", "https"} or not has_host or "@" in url or parts.query:
        raise _unreadable()
    above, _, name = parts.path.rpartition("/")
    if not _NAME.fullmatch(name):
        raise DataError(
            f"qdrant+{parts.scheme}://{parts.netloc}: the address names no collection",
            hint="for instance qdrant+http://localhost:6333/handbook",
        )
    return QdrantPlace(None, f"{parts.scheme}://{parts.netloc}{above}", name, bare, language)


def _unreadable() -> DataError:
    return DataError(
        "the address of the Qdrant index cannot be read",
        hint=f"qdrant:FOLDER or qdrant+https://HOST:6333/COLLECTION, the key in {KEY_VARIABLE}",
    )


def connect(place: QdrantPlace) -> QdrantClient:
    """A client; a folder that is not there is made, and is this process's alone until it is closed."""
    try:
        from qdrant_client import QdrantClient
    except ImportError:
        raise MissingExtra(
            "an index in Qdrant needs qdrant-client", hint=install_command("rag[qdrant]")
        ) from None
    if place.folder is None:
        key = os.environ.get(KEY_VARIABLE) or None
        with quiet():
            return QdrantClient(
                url=place.url, api_key=key, timeout=_TIMEOUT_SECONDS, check_compatibility=False
            )
    read_points_alone()
    try:
        _require_unlocked(place, place.folder / ".lock")
        with quiet():
            return QdrantClient(path=str(place.folder))
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{place.shown}: {error.strerror}", hint="may you write there?") from None
    except Exception:
        raise report_damage(place) from None


def _require_unlocked(place: QdrantPlace, lock: Path) -> None:
    """Refuse a folder in use before the client reads all of it, and then leaves its files open."""
    import portalocker

    if not lock.exists():
        return
    with lock.open("r+") as file:
        try:
            portalocker.lock(
                file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING
            )
        except portalocker.exceptions.LockException:
            raise DataError(
                f"{place.shown}: another process has the folder open",
                hint="try again when it is done; several at once need a Qdrant server",
            ) from None
        portalocker.unlock(file)


def report_damage(place: QdrantPlace) -> DataError:
    """What is there cannot be read."""
    return DataError(
        f"{place.shown}: the index is damaged",
        hint="remove it and index the documents anew",
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Warnings of the client into the log."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        _log.warning("%s", warning.message)


@contextmanager
def client_errors(place: QdrantPlace) -> Iterator[None]:
    """What the client raises inside, as a DataError of one line that names the place."""
    from qdrant_client.common.client_exceptions import QdrantException
    from qdrant_client.http.exceptions import (
        ApiException,
        ResponseHandlingException,
        UnexpectedResponse,
    )

    try:
        with quiet():
            yield
    except UnexpectedResponse as error:
        raise _refusal(place, error.status_code or 0, error.content) from None
    except ResponseHandlingException as error:
        raise _no_answer(place, error.source) from None
    except (ApiException, QdrantException):
        raise DataError(f"{place.shown}: the server is busy", hint="try again later") from None
    except ValueError as error:
        if place.folder is not None:
            raise
        raise _no_answer(place, error) from None
    except (sqlite3.Error, OSError) as error:
        raise DataError(
            f"{place.shown}: {error}", hint="is the disk full, or the folder read-only?"
        ) from None


def _refusal(place: QdrantPlace, status: int, content: bytes) -> DataError:
    if status in {401, 403}:
        return DataError(
            f"{place.shown}: the server does not take this key", hint=f"set {KEY_VARIABLE}"
        )
    if status == 404:  # noqa: PLR2004 - HTTP's number
        return DataError(
            f"{place.shown}: no index there", hint="index documents first, or fix the address"
        )
    try:
        said = str(json.loads(content)["status"]["error"])
    except (ValueError, KeyError, TypeError):
        said = "is it Qdrant?"
    return DataError(
        f"{place.shown}: the server answered {status}: {said.partition(chr(10))[0][:200]}",
        hint="see the server's log",
    )


def _no_answer(place: QdrantPlace, source: Exception) -> DataError:
    import httpx

    if isinstance(source, httpx.TimeoutException):
        what, mend = "no answer from the server", "is a firewall in between?"
    elif isinstance(source, httpx.TransportError):
        what, mend = "no server there", "start it, or fix host and port in the address"
    else:
        what, mend = "the answer is not Qdrant's", "fix host and port in the address"
    return DataError(f"{place.shown}: {what}", hint=mend)


@contextmanager
def hold_interrupts() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the block is over; then they act as they would have.

    Not covered: other signals, and threads other than the main one, in which no Ctrl-C is raised."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for held, handler in before.items():
            signal.signal(held, handler)
        for number in dict.fromkeys(came):
            signal.raise_signal(number)


def compact(place: QdrantPlace) -> None:
    """Write a folder's files anew without what was deleted; a server does so by itself, some time."""
    if place.folder is None:
        return
    with client_errors(place):
        for path in sorted(place.folder.rglob("*.sqlite")):
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("VACUUM")
