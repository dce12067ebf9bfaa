"""An address, the store that it is in, and what is said where that refuses.

Credentials come from the variables and files that each cloud's own tools read, and from nowhere else: AWS_*
and ~/.aws; GOOGLE_APPLICATION_CREDENTIALS; AZURE_STORAGE_*. An address that carries one is refused, since it
would stand in spec, lock and manifest."""

import configparser
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from finewright.errors import FetchError, MissingExtra, SpecError
from finewright.fetch.cache import offline
from finewright.guard.privacy.find import SECRETS, find
from finewright.place import PIN, address_of
from finewright.plugins import install_command

_SHA256 = re.compile(r"[0-9a-f]{64}")
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_INSUFFICIENT_STORAGE = "507"  # RFC 4918, section 11.5
_FULL = re.compile(r"Quota|StorageFull|InsufficientStorage|BucketSizeLimit|TooManyObjects")
_EXPIRED = re.compile(r"Expired|TokenRefreshRequired|InvalidToken")
_HERE = {"localhost", "127.0.0.1", "::1"}
_NO_CREDENTIAL = ("169.254.169.254", "metadata.google.internal", "169.254.170.2")
_AWS_KEYS = {
    "aws_access_key_id": "AWS_ACCESS_KEY_ID",
    "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "aws_session_token": "AWS_SESSION_TOKEN",
    "region": "AWS_REGION",
}
_OWN_VARIABLES = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or AWS_PROFILE",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN",
}


class StoredObject(NamedTuple):
    """One object: its path below the address, bytes, and what its store says that changes with its content;
    None where the store says nothing of that kind."""

    path: str
    bytes: int
    tag: str | None


@dataclass(frozen=True)
class Location:
    """An address taken apart: `root` is the bucket or the server, `key` the path in it without a slash at
    either end; `sha256` is the pin, or empty."""

    scheme: str
    root: str
    key: str
    sha256: str = ""

    @property
    def address(self) -> str:
        """Without the pin."""
        return f"{self.scheme}://{self.root}/{self.key}"

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.key).name or self.root

    def below(self, path: str) -> "Location":
        """What lies under the address."""
        return Location(self.scheme, self.root, f"{self.key}/{path}".strip("/"))

    @cached_property
    def store(self) -> Any:  # Any: a store of obstore
        """The bucket or server. Raises MissingExtra without obstore, FetchError where it cannot be asked."""
        if offline():
            raise FetchError(f"{self.address}: not asked, since FINEWRIGHT_OFFLINE is set")
        try:
            from obstore.store import from_url
        except ImportError:
            what = f"{self.address}: this needs obstore, which is not installed"
            raise MissingExtra(what, hint=install_command("bridge[places]")) from None
        is_plain = self.scheme == "http" or _endpoint(self.scheme).startswith("http://")
        options: dict[str, Any] = {  # Any: each scheme's store has its own
            "client_options": {"allow_http": is_plain, "connect_timeout": "5s", "timeout": "10m"},
            # Three tries in a minute: more would look as if the command hung.
            "retry_config": {"max_retries": 2, "retry_timeout": timedelta(seconds=60)},
        }
        if self.scheme == "s3" and (config := _aws_files()):
            options["config"] = config
        with store_errors(self.address):
            return from_url(f"{self.scheme}://{self.root}", **options)


def locate_address(address: str) -> Location:
    """The parts of an address. Raises SpecError for one that names nothing, or that carries a secret."""
    address, _, pin = address_of(address).partition(PIN)
    parts = urlsplit(address)
    shown = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
    if "@" in parts.netloc or find(address, SECRETS) or parts.query:
        raise SpecError(
            f"{shown}: an address takes no user, no password and no ?query, which may be a secret",
            hint=f"give credentials by {_OWN_VARIABLES.get(parts.scheme, 'a bucket of a cloud')}",
        )
    if parts.fragment or (pin and not _SHA256.fullmatch(pin)):
        raise SpecError(f"{shown}: after # stands {PIN[1:]} and 64 hex digits, and nothing else")
    if parts.scheme == "http" and parts.hostname not in _HERE:
        raise SpecError(f"{shown}: http is for this machine alone", hint="use https")
    key = unquote(parts.path) if parts.scheme.startswith("http") else parts.path
    key = key.strip("/")
    if not parts.netloc or ".." in key.split("/"):
        raise SpecError(f"{shown}: names no file or folder of a place")
    return Location(parts.scheme, parts.netloc, key, pin)


def leads_out(path: str) -> bool:
    """Whether an object's path would be a file outside the folder that it is fetched to."""
    return path.startswith("/") or "\\" in path or ".." in PurePosixPath(path).parts


def read_object(at: Location) -> tuple[StoredObject, Iterator[bytes]]:
    """An object and its bytes in pieces. Raises FileNotFoundError for none, FetchError for all else."""
    import obstore

    with store_errors(at.address):
        found = obstore.get(at.store, at.key)
        # 8 MiB: a handful of pieces in memory, and few calls.
        pieces = found.stream(min_chunk_size=8 << 20)
    return _stored(at.name, found.meta), _pieces(at.address, pieces)


def _pieces(address: str, pieces: Any) -> Iterator[bytes]:  # Any: obstore's
    with store_errors(address):
        for piece in pieces:
            yield bytes(piece)


def read_whole(at: Location) -> tuple[bytes, Any] | None:  # Any: obstore's mode
    """A small object, and the mode of a put over this very state of it; None where there is none."""
    import obstore

    try:
        with store_errors(at.address):
            found = obstore.get(at.store, at.key)
            state = {name: found.meta.get(name) for name in ("e_tag", "version")}
            return bytes(found.bytes()), {name: tag for name, tag in state.items() if tag}
    except FileNotFoundError:
        return None


def head_object(at: Location) -> StoredObject | None:
    """What is at the very address; None for nothing."""
    import obstore

    try:
        with store_errors(at.address):
            return _stored(at.name, obstore.head(at.store, at.key))
    except FileNotFoundError:
        return None


def list_objects(at: Location) -> list[StoredObject]:
    """All objects below the address, by name. Raises FetchError for a bucket that is not there."""
    import obstore

    if at.scheme.startswith("http"):
        return []  # no listing that servers agree on
    try:
        with store_errors(at.address):
            found = [each for part in obstore.list(at.store, at.key or None) for each in part]
    except FileNotFoundError:
        raise _no_bucket(at.address) from None
    within = f"{at.key}/" if at.key else ""
    inside = [each for each in found if each["path"].startswith(within)]
    objects = [_stored(each["path"].removeprefix(within), each) for each in inside]
    return sorted(each for each in objects if each.path and not each.path.endswith("/"))


def read_digest(at: Location) -> str:
    """The sha256 that was put with an object, so that nothing is read of it; empty where there is none."""
    import obstore

    try:
        with store_errors(at.address):
            found = obstore.get(at.store, at.key, options={"head": True})
            return str(found.attributes.get("sha256", ""))
    except FileNotFoundError:
        return ""


def put_object(
    at: Location,
    content: bytes | Path,
    mode: Any = "overwrite",  # Any: obstore's
    *,
    sha256: str = "",
) -> None:
    """Put it there, with its digest where that is given; with `create` only where nothing is, with what
    `read_whole` gives only over that.

    Raises FileExistsError where the mode forbids it, and FetchError for all else."""
    import obstore

    try:
        with store_errors(at.address):
            said = {"sha256": sha256} if sha256 else None
            obstore.put(at.store, at.key, content, mode=mode, attributes=said)
    except FileNotFoundError:
        raise _no_bucket(at.address) from None


def _stored(path: str, meta: Any) -> StoredObject:  # Any: obstore's ObjectMeta
    tag = meta.get("version") or meta.get("e_tag")
    return StoredObject(path, meta["size"], tag)


@contextmanager
def store_errors(address: str) -> Iterator[None]:
    """Turn what a store says into one line: FetchError, or FileNotFoundError and FileExistsError for who
    asks whether something is there. The store's own text is not shown: it may hold what signed a request."""
    from obstore import exceptions

    try:
        yield
    except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
        raise FileExistsError(address) from None
    except (FileNotFoundError, exceptions.BaseError, ValueError, OSError) as error:
        raise _explain(address, error) from None


def _explain(address: str, error: Exception) -> Exception:
    text = str(error)
    status, code = _STATUS.search(text), _CODE.search(text)
    if code and code[1] == "NoSuchBucket":
        return _no_bucket(address)
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(address)
    found = _reason(text, status[1] if status else "", code[1] if code else "", address)
    return FetchError(f"{address}: {found.what}", hint=found.hint)


class _Reason(NamedTuple):
    holds: bool
    what: str
    hint: str = ""


def _reason(text: str, status: str, code: str, address: str) -> _Reason:
    """Why a store refuses, by the status and the code that it gives."""
    scheme, named = address.partition(":")[0], " ".join(filter(None, (status, code)))
    variables = _OWN_VARIABLES.get(scheme, "what the server asks for")
    cases = (
        _Reason(
            bool(_EXPIRED.search(code)),
            f"the credential has expired ({named}); what was done before is kept",
            f"renew it, {variables}, and repeat the command",
        ),
        _Reason(
            bool(_FULL.search(code)) or status == _INSUFFICIENT_STORAGE,
            f"the bucket is full ({named}); what was uploaded before is kept, and is no run yet",
            "make space there, and repeat the command: it goes on",
        ),
        _Reason(
            any(host in text for host in _NO_CREDENTIAL), "no credential found", f"set {variables}"
        ),
        _Reason(status in {"401", "403"}, f"access is denied ({named})", f"check {variables}"),
        _Reason(bool(status), f"the place answers {named}", "repeat the command later"),
        _Reason(
            "error sending request" in text or "HttpError" in text,
            f"{_endpoint(scheme) or 'the place'} cannot be reached; nothing half-done is taken for whole",
            "check the network, the proxy and the endpoint, and repeat the command: it goes on",
        ),
    )
    first = text.partition("\n")[0]
    return next((case for case in cases if case.holds), _Reason(True, first))


def _no_bucket(address: str) -> FetchError:
    scheme, _, rest = address.partition("://")
    bucket = rest.partition("/")[0]
    return FetchError(
        f"{scheme}://{bucket}: there is no such bucket", hint="check its name, region and endpoint"
    )


def _endpoint(scheme: str) -> str:
    """The endpoint that the user has set for the cloud; empty for the cloud's own."""
    names = {"s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"), "gs": ()}
    names["az"] = ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
    return next((os.environ[name] for name in names.get(scheme, ()) if os.environ.get(name)), "")


def _aws_files() -> dict[str, str]:
    """What ~/.aws says of the profile, where the variables say nothing; obstore reads only variables."""
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        return {}
    profile = os.environ.get("AWS_PROFILE", "default")
    home = Path("~/.aws").expanduser()
    files = (
        (os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials", profile),
        (os.environ.get("AWS_CONFIG_FILE") or home / "config", f"profile {profile}"),
        (os.environ.get("AWS_CONFIG_FILE") or home / "config", profile),
    )
    found: dict[str, str] = {}
    for path, name in files:
        read = configparser.ConfigParser(interpolation=None)
        try:
            read.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            raise FetchError(f"{path}: cannot be read as AWS's tools write it") from None
        for key, variable in _AWS_KEYS.items():
            if read.has_option(name, key) and not os.environ.get(variable):
                found.setdefault(key, read[name][key])
    return found
