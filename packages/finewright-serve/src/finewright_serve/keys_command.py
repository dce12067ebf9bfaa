"""`finewright keys create | list | rotate | revoke`: who may ask, and how much."""

import time
from collections.abc import Mapping
from pathlib import Path

from finewright.errors import DataError
from finewright.feature import Session
from finewright.report.blocks import Page, Table, Text, section
from finewright.report.cells import count_of
from finewright.schema.common import Model
from finewright_serve.gateway.keys import (
    KeyGrant,
    KeyLimits,
    KeyRole,
    KeyScope,
    StoredKey,
    add_key,
    expiry_of,
    read_keys,
    revoke_key,
    rotate_key,
)
from finewright_serve.options import ApiKeyOptions, CreateKeyOptions, KeysOptions, RotateKeyOptions

KEYS = "keys.json"
"""The file of keys in the folder of a server."""
_USUAL: Mapping[KeyRole, tuple[KeyScope, ...]] = {
    "user": ("answers", "embeddings"),
    "train": ("answers", "embeddings", "jobs"),
    "admin": ("answers", "embeddings", "jobs", "commands", "metrics"),
}
"""Of a key that names none; log-probabilities are for those who need them."""
_HEADER = ("id", "name", "role", "state", "scopes", "models", "groups", "project", "limits")


class ListedKey(Model):
    """A key as it is shown: all but its digests. Limits are as its options have them."""

    id: str
    name: str
    role: str
    state: str
    created: str
    scopes: tuple[str, ...] | None
    models: tuple[str, ...]
    groups: tuple[str, ...]
    project: str
    limits: dict[str, int]


class KeyList(Model):
    """The keys of a server."""

    said: str
    keys: tuple[ListedKey, ...]


def create_key(options: CreateKeyOptions, session: Session) -> str:
    """A key, as the line that is returned."""
    _refuse_useless(options)
    limits = {name: getattr(options, name) for name in KeyLimits.model_fields}
    now, path = time.time(), options.folder / KEYS
    grant = KeyGrant(
        role=options.role,
        project=options.project,
        name=options.name,
        scopes=options.scope or _USUAL[options.role],
        models=options.model,
        groups=options.group,
        expires=expiry_of(options.expires, now) if options.expires else "",
        limits=KeyLimits(**limits),
    )
    key = add_key(path, grant, session.today.isoformat())
    session.tell(f"API key {read_keys(path)[-1].id}, shown once; {path} has its digest:\n")
    return key + "\n"


def _refuse_useless(options: CreateKeyOptions) -> None:
    """Raise DataError for a folder that is none, and for a key that could ask nothing that it names."""
    if options.folder.exists() and not options.folder.is_dir():
        raise DataError(f"{options.folder}: is a file; --folder names the folder of the server")
    if not all(each.strip() for each in options.model):
        raise DataError("--model: an empty id is no model", hint="leave it out for all models")
    beyond = [each for each in options.scope if each not in (*_USUAL[options.role], "logprobs")]
    if beyond:
        role = next(role for role, scopes in _USUAL.items() if beyond[0] in scopes)
        what = f"--scope {beyond[0]}: the role {options.role} may not do that"
        raise DataError(what, hint=f"take --role {role}, or leave the scope out")


def list_keys(options: KeysOptions, session: Session) -> KeyList:
    """All keys, the oldest first."""
    keys = read_keys(_there(options.folder))
    return _list(f"{count_of(len(keys), 'key')} in {options.folder / KEYS}", keys)


def rotate(options: RotateKeyOptions, session: Session) -> str:
    """Another secret of a key, as the line that is returned."""
    key = rotate_key(_there(options.folder), options.key, options.overlap, time.time())
    session.tell(
        f"another secret of {options.key}, shown once; the one before holds for {options.overlap}:\n"
    )
    return key + "\n"


def revoke(options: ApiKeyOptions, session: Session) -> KeyList:
    """The key, as it is from now on."""
    found = revoke_key(_there(options.folder), options.key, time.time())
    return _list("refused by every server of this folder within a second", [found])


def keys_page(report: KeyList) -> Page:
    """A line a key."""
    rows = [
        (
            key.id,
            key.name,
            key.role,
            key.state,
            "all of its role" if key.scopes is None else ", ".join(key.scopes),
            ", ".join(key.models) or "all",
            ", ".join(key.groups),
            key.project,
            ", ".join(f"{name} {most:,}" for name, most in key.limits.items()) or "none",
        )
        for key in report.keys
    ]
    table = Table(_HEADER, rows) if rows else Text("none")
    return Page("keys", "", report.said, sections=section("", table))


def _list(said: str, keys: "list[StoredKey] | tuple[StoredKey, ...]") -> KeyList:
    return KeyList(said=said, keys=tuple(_listed(key) for key in keys))


def _listed(key: StoredKey) -> ListedKey:
    now = time.time()
    state = key.state_at(now)
    until = [each.until for each in key.old]
    more = {
        "active": f", until {key.expires}" if key.expires else "",
        "expired": f" {key.expires}",
        "revoked": f" {key.revoked}",
    }[state]
    old = f"; old secrets until {max(until)}" if until and state == "active" else ""
    return ListedKey(
        id=key.id,
        name=key.name,
        role=key.role,
        state=state + more + old,
        created=key.created,
        scopes=key.scopes,
        models=key.models,
        groups=key.groups,
        project=key.project,
        limits={name: most for name, most in key.limits if most is not None},
    )


def _there(folder: Path) -> Path:
    path = folder / KEYS
    if not path.exists():
        raise DataError(f"{path}: there is no such file", hint="--folder names the server's folder")
    return path
