"""API keys: 32 random bytes, shown once, stored as a digest. Covered: a stolen file opens no door. Not
covered: a key that leaves a client.

The file is read again when it changes, so that a key that is revoked, or whose line is deleted, is refused
within a second. A key is looked up by its whole digest: whichever part of it is wrong, the same is done."""

import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from finewright.errors import DataError, StoreError
from finewright.schema.common import Model
from finewright.store.appended import appending
from finewright.store.atomic import os_errors, read_json, write_bytes
from finewright_serve.gateway.errors import ApiError

KeyRole = Literal["user", "train", "admin"]
"""A user asks; train uploads files and runs jobs too; admin may do all."""
KeyScope = Literal["answers", "embeddings", "jobs", "commands", "metrics", "logprobs"]
_LOG = logging.getLogger(__name__)
_PREFIX = "fw-"
_SECONDS = 0.5
_DURATION = re.compile(r"(\d{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
Limit = Annotated[int | None, Field(ge=1, lt=2**53)]  # as exact in Lua's numbers as here


class KeyLimits(Model):
    """What a key may take; None: no limit of its own. `answers_at_once` are the slots that it may hold."""

    requests_per_minute: Limit = None
    requests_per_day: Limit = None
    tokens_per_minute: Limit = None
    tokens_per_day: Limit = None
    answers_at_once: Limit = None


def _is_time(text: str) -> str:
    if text:
        time_of(text)
    return text


Time = Annotated[str, AfterValidator(_is_time)]


class OldSecret(Model):
    """The digest of a secret that was replaced, which opens the door until then (UTC, ISO 8601)."""

    sha256: str
    until: Annotated[Time, Field(min_length=1)]


class StoredKey(Model):
    """A key without the key: `id` names it in logs, `sha256` recognises it. Files, jobs, tuned models and
    what is kept of prompts belong to its `project`; without one to a project of its own, called by its id.

    `scopes` None is all that its role may, log-probabilities whole among it. Times are UTC in ISO 8601."""

    id: str
    sha256: str
    role: KeyRole
    created: str
    project: str = ""
    name: str = ""
    scopes: tuple[KeyScope, ...] | None = None
    models: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    expires: Time = ""
    revoked: Time = ""
    limits: KeyLimits = KeyLimits()
    old: tuple[OldSecret, ...] = ()

    @property
    def owner(self) -> str:
        """The project that what it makes belongs to."""
        return self.project or self.id

    def state_at(self, now: float) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked:
            return "revoked"
        return "expired" if self.expires and time_of(self.expires) <= now else "active"


class StoredKeys(Model):
    """The file of keys."""

    keys: tuple[StoredKey, ...] = ()


class KeyGrant(NamedTuple):
    """What a key that is made may do, and how long."""

    role: KeyRole = "user"
    project: str = ""
    name: str = ""
    scopes: tuple[KeyScope, ...] | None = None
    models: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    expires: str = ""
    limits: KeyLimits = KeyLimits()


def make_key(path: Path, role: KeyRole, today: str, project: str = "") -> str:
    """A fresh key of a role. See `add_key`."""
    return add_key(path, KeyGrant(role, project), today)


def add_key(path: Path, grant: KeyGrant, today: str) -> str:
    """A fresh key, added to the file, which only its owner can read. Shown once: it is stored nowhere."""
    key = _new_secret()
    with os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    stored = StoredKey(
        id=secrets.token_hex(4), sha256=_digest(key), created=today, **grant._asdict()
    )
    with _changing(path):
        known = read_keys(path) if path.exists() else ()
        _write(path, (*known, stored))
    return key


def rotate_key(path: Path, number: str, overlap: str, now: float) -> str:
    """Another secret for a key, which stays what it is; the one before opens the door for the overlap (24h).
    Raises DataError for a key that is not there, or is revoked or expired."""
    key, until = _new_secret(), _iso(now + _seconds(overlap, "--overlap"))
    with _changing(path):
        keys = read_keys(path)
        found = _named(keys, number, path)
        if (state := found.state_at(now)) != "active":
            raise DataError(f"{number}: this key is {state}", hint="make another: keys create")
        kept = tuple(each for each in found.old if time_of(each.until) > now)
        old = (*kept, OldSecret(sha256=found.sha256, until=until))
        fresh = found.model_copy(update={"sha256": _digest(key), "old": old})
        _write(path, [fresh if each is found else each for each in keys])
    return key


def revoke_key(path: Path, number: str, now: float) -> StoredKey:
    """The key, which opens nothing from now on, nor do its older secrets. Raises DataError where it is not
    there."""
    with _changing(path):
        keys = read_keys(path)
        found = _named(keys, number, path)
        fresh = found.model_copy(update={"revoked": found.revoked or _iso(now)})
        _write(path, [fresh if each is found else each for each in keys])
    return fresh


def read_keys(path: Path) -> tuple[StoredKey, ...]:
    """The keys of the file."""
    return read_json(path, StoredKeys, hint="delete it; the next start makes another key").keys


def expiry_of(text: str, now: float) -> str:
    """When a key ends, in UTC: after a time such as 90d, or at the begin of a day. Raises DataError."""
    if _DURATION.fullmatch(text):
        return _iso(now + _seconds(text, "--expires"))
    try:
        then = time_of(text)
    except ValueError:
        what = f"--expires {text}: neither a time such as 90d nor a day such as 2027-01-31"
        raise DataError(what, hint="units are m, h and d") from None
    if then <= now:
        raise DataError(f"--expires {text}: is over already")
    return _iso(then)


def time_of(text: str) -> float:
    """Seconds since 1970 of a time in ISO 8601, in UTC where it names no zone. Raises ValueError."""
    then = datetime.fromisoformat(text)
    return (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp()


def _seconds(text: str, option: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise DataError(f"{option} {text}: is no time such as 30m, 24h or 7d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])}).total_seconds()


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _new_secret() -> str:
    return _PREFIX + secrets.token_urlsafe(32)


def _named(keys: tuple[StoredKey, ...], number: str, path: Path) -> StoredKey:
    found = [each for each in keys if each.id == number]
    if not found:
        raise DataError(f"{path}: no key has the id {number[:64]!r}", hint="finewright keys list")
    return found[0]


@contextmanager
def _changing(path: Path) -> Iterator[None]:
    """One process changes the file at a time: what another one adds is not lost."""
    lock = path.with_name(f".{path.name}.lock")
    problem = f"{path}: another command is changing it"
    with appending(lock, problem=problem, hint="try again"):
        yield


def _write(path: Path, keys: "tuple[StoredKey, ...] | list[StoredKey]") -> None:
    text = StoredKeys(keys=tuple(keys)).model_dump_json(indent=2, exclude_defaults=True)
    write_bytes(path, text.encode() + b"\n", mode=0o600)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(slots=True)
class KeyRing:
    """The keys that open the door at the moment."""

    path: Path
    now: Callable[[], float] = time.time
    _secrets: dict[str, tuple[StoredKey, float]] = field(default_factory=dict)
    _keys: dict[str, StoredKey] = field(default_factory=dict)
    _read_at: float | None = None
    _stamp: tuple[int, int] = (0, 0)

    def ids(self) -> list[str]:
        """The ids of those that may ask."""
        now = self.now()
        return [each.id for each in self._keys.values() if each.state_at(now) == "active"]

    def limits(self, key: str) -> KeyLimits:
        """What the key of that id may take."""
        found = self._keys.get(key)
        return found.limits if found else KeyLimits()

    def owner(self, authorization: str) -> StoredKey:
        """Whose key an Authorization header brings. Raises ApiError; the time says nothing of the key."""
        self._refresh()
        scheme, _, key = authorization.partition(" ")
        found, until = self._secrets.get(_digest(key.strip()), (None, 0.0))
        if found is None or scheme.lower() != "bearer":
            given = bool(key.strip())
            what = "the API key is not known" if given else "no API key: Authorization: Bearer KEY"
            raise ApiError(what, status=401, code="invalid_api_key")
        now = self.now()
        state = "expired" if until <= now else found.state_at(now)
        if state != "active":
            raise ApiError(f"the API key is {state}", status=401, code="invalid_api_key")
        return found

    def _refresh(self) -> None:
        now = time.monotonic()
        if self._read_at is not None and now - self._read_at < _SECONDS:
            return
        try:
            with os_errors(self.path):
                info = self.path.stat()
            stamp = (info.st_mtime_ns, info.st_ino)
            keys = read_keys(self.path) if stamp != self._stamp else None
        except StoreError as error:
            _LOG.error("no key can be checked: %s", error)
            raise ApiError("no key can be checked; the log says why", status=503) from None
        self._read_at = now
        if keys is None:
            return
        self._keys = {each.id: each for each in keys}
        self._secrets = {
            old.sha256: (key, time_of(old.until)) for key in keys for old in key.old
        } | {key.sha256: (key, float("inf")) for key in keys}
        self._stamp = stamp
