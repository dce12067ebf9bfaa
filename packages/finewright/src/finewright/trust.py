"""What this user trusts: code that may run, and keys whose signatures count. Kept outside every run.

A run, a spec and a model may come from anyone, and so may a consent that is written in them. What stands
here only the user says, by `finewright trust`. Covered: code by the digest of exactly its files, in a folder
(0700) that nobody else can write to. Not covered: what trusted code does or reads, and whoever acts as the
same user."""

import hashlib
import hmac
import os
import re
import secrets
import shlex
import stat
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

from finewright.errors import StoreError

Kind = Literal["code", "key"]

_LINE = re.compile(r"(code|key) ([0-9a-f]{64}) (\d{4}-\d{2}-\d{2}) (.*)")
_SECRET_BYTES = 32  # as many as the hash has
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class NoOwnFolderError(StoreError):
    """This user has no folder in which anything could be kept."""


class Trusted(NamedTuple):
    """One thing that the user trusts: its digest or public key in hex, since when, and as what."""

    kind: Kind
    value: str
    since: date
    what: str


class Refusal(NamedTuple):
    """Why code may not run, and what mends it."""

    reason: str
    hint: str


def config_folder() -> Path:
    """finewright's folder in `$XDG_CONFIG_HOME`, which is `~/.config` where it is unset, or relative (XDG
    Base Directory 0.8). Raises NoOwnFolderError for a user without a home."""
    config = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    try:
        return (config if config.is_absolute() else Path.home() / ".config") / "finewright"
    except RuntimeError:
        raise NoOwnFolderError(
            "this user has no home folder", hint="set XDG_CONFIG_HOME to a folder of your own"
        ) from None


def own_file(name: str) -> Path:
    """A file of the folder of what the user trusts; StoreError where others can write to file or folder."""
    folder = config_folder() / "trust"
    for path in (folder, folder / name):
        if path.exists():
            require_own(path)
    return folder / name


def write_own_file(path: Path, content: bytes, *, is_new: bool = False) -> None:
    """Put it there whole, for this user alone; where it `is_new`, what another process put there first stays.
    Raises NoOwnFolderError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        if is_new:
            with suppress(FileExistsError):
                path.hardlink_to(temporary)
            temporary.unlink()
        else:
            temporary.replace(path)
    except OSError as error:
        raise NoOwnFolderError(
            f"{path}: cannot be written: {error.strerror}",
            hint="make the folder yours to write, or set XDG_CONFIG_HOME to one that is",
        ) from None


def mac(content: bytes) -> str:
    """A code of the content that only this user can make: HMAC-SHA256 by a secret of the user's own, made at
    first use. Raises NoOwnFolderError where none can be kept."""
    path = own_file("mac.key")
    if not path.exists():
        write_own_file(path, secrets.token_bytes(_SECRET_BYTES), is_new=True)
    return hmac.new(path.read_bytes(), content, "sha256").hexdigest()


def read_trusted() -> list[Trusted]:
    """All that the user trusts, in the order in which it was said. Raises StoreError."""
    path = own_file("trusted")
    if not path.is_file():
        return []
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise StoreError(f"{path}:{number}: is none of its lines", hint="delete the line")
        kind: Kind = "code" if match[1] == "code" else "key"
        found.append(Trusted(kind, match[2], date.fromisoformat(match[3]), match[4]))
    return found


def is_trusted(kind: Kind, value: str) -> bool:
    """Whether the user has said so."""
    return any((each.kind, each.value) == (kind, value) for each in read_trusted())


def add(entry: Trusted) -> None:
    """Trust it from now on, under what it is called last."""
    others = [each for each in read_trusted() if each[:2] != entry[:2]]
    _write([*others, entry._replace(what=" ".join(entry.what.split()))])


def remove(value: str) -> list[Trusted]:
    """Trust no longer what has that digest, key, path or name; returns what that was."""
    bare = value.partition(":")[2] or value
    gone = [each for each in read_trusted() if value == each.what or bare == each.value]
    _write([each for each in read_trusted() if each not in gone])
    return gone


def code_files(path: Path) -> list[Path]:
    """The Python files of a model folder, or a file itself."""
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def code_digest(path: Path) -> str:
    """sha256 of a Python file, or over the names and contents of those of a model folder."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    total = hashlib.sha256()
    for file in code_files(path):
        name = file.relative_to(path).as_posix()
        total.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return total.hexdigest()


def code_refusal(path: Path, digest: str, pinned: str, *, pin: str) -> Refusal | None:
    """Why the code at `path` may not run: the one question before code that came with a file is run.

    It runs where the spec names exactly it (`pinned`; `pin` is how that is written), and this user has said
    to trust it."""
    command = f"`finewright trust add {shlex.quote(str(path))}`"
    if not hmac.compare_digest(pinned.removeprefix("sha256:").encode(), digest.encode()):
        other = ", and this is not the code that the spec names" if pinned else ""
        say = "" if is_trusted("code", digest) else f", and say {command}"
        return Refusal(
            f"{path}: Python code that comes with a file does not run unasked{other}",
            f"read it, then write {pin} into the spec{say}",
        )
    if is_trusted("code", digest):
        return None
    return Refusal(
        f"{path}: the spec consents to this Python code, but specs and runs may come from anyone; "
        "this user has not said to trust it",
        f"read it, then say {command}, once for this code",
    )


def _write(entries: list[Trusted]) -> None:
    lines = [f"{each.kind} {each.value} {each.since.isoformat()} {each.what}\n" for each in entries]
    write_own_file(own_file("trusted"), "".join(lines).encode())


def require_own(path: Path) -> None:
    """Raise StoreError where another user than this one and root owns it, or can write to it."""
    facts = path.stat()
    # What belongs to root only an administrator wrote.
    if facts.st_uid not in {os.geteuid(), 0} or facts.st_mode & _OTHERS_WRITE:
        raise StoreError(
            f"{path}: others can write here, so what it holds need not be this user's",
            hint=f"look at what it holds, then: chmod go-w {shlex.quote(str(path))}",
        )
