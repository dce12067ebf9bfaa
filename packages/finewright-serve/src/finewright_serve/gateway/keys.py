"""API keys: 32 random bytes, shown once, stored as a digest. Covered: a stolen file opens no door. Not
covered: a key that leaves a client.

The file is read again when it changes, so that a key whose line is deleted is refused within a second."""

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from finewright.schema.common import Model
from finewright.store.atomic import os_errors, read_json, write_bytes
from finewright_serve.gateway.errors import ApiError

KeyRole = Literal["user", "train", "admin"]
"""A user asks; train uploads files and runs jobs too; admin may do all."""
_PREFIX = "fw-"
_SECONDS = 0.5


class StoredKey(Model):
    """A key without the key: `id` names it in logs, `sha256` recognises it. Files, jobs, tuned models and
    what is kept of prompts belong to its `project`; without one to a project of its own, called by its id."""

    id: str
    sha256: str
    role: KeyRole
    created: str
    project: str = ""

    @property
    def owner(self) -> str:
        """The project that what it makes belongs to."""
        return self.project or self.id


class StoredKeys(Model):
    """The file of keys."""

    keys: tuple[StoredKey, ...] = ()


def make_key(path: Path, role: KeyRole, today: str, project: str = "") -> str:
    """A fresh key, added to the file, which only its owner can read. Shown once: it is stored nowhere."""
    key = _PREFIX + secrets.token_urlsafe(32)
    stored = StoredKey(
        id=secrets.token_hex(4), sha256=_digest(key), role=role, created=today, project=project
    )
    known = _read(path).keys if path.exists() else ()
    with os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    text = StoredKeys(keys=(*known, stored)).model_dump_json(indent=2)
    write_bytes(path, text.encode() + b"\n", mode=0o600)
    return key


def _read(path: Path) -> StoredKeys:
    return read_json(path, StoredKeys, hint="delete it; the next start makes another key")


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(slots=True)
class KeyRing:
    """The keys that open the door at the moment."""

    path: Path
    _keys: tuple[StoredKey, ...] = ()
    _read_at: float = field(default=0.0)
    _stamp: tuple[int, int] = (0, 0)

    def ids(self) -> list[str]:
        """The ids of those that may ask."""
        return [each.id for each in self._keys]

    def owner(self, authorization: str) -> StoredKey:
        """Whose key an Authorization header brings. Raises ApiError; the time says nothing of the key."""
        self._refresh()
        scheme, _, key = authorization.partition(" ")
        found, digest = None, _digest(key.strip())
        for each in self._keys:
            if hmac.compare_digest(each.sha256, digest):
                found = each
        if found is None or scheme.lower() != "bearer":
            given = bool(key.strip())
            what = "the API key is not known" if given else "no API key: Authorization: Bearer KEY"
            raise ApiError(what, status=401, code="invalid_api_key")
        return found

    def _refresh(self) -> None:
        now = time.monotonic()
        if self._keys and now - self._read_at < _SECONDS:
            return
        self._read_at = now
        with os_errors(self.path):
            info = self.path.stat()
        stamp = (info.st_mtime_ns, info.st_ino)
        if stamp != self._stamp:
            self._keys, self._stamp = _read(self.path).keys, stamp
