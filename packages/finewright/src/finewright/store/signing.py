"""Who made what: each user has a key of their own, made at first use, and runs carry its public half.

Covered: what a key signed is as its holder left it, on every machine, with no secret needed to check it. Not
covered: whose a key is, which `finewright trust key` says; and what its holder claims. Where no key can be
kept (no home, a read-only one) nothing is signed, and `verify` says so."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from finewright import trust
from finewright.errors import StoreError
from finewright.schema.common import Model

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_FILE = "signing.pem"


class Signature(Model):
    """An Ed25519 signature (RFC 8032) and the public key that checks it, in hex."""

    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    value: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


def sign(content: bytes) -> Signature | None:
    """By the user's own key, which is made where there is none; None where none can be kept."""
    try:
        path = trust.own_file(_FILE)
        if not path.exists():
            trust.write_own_file(path, _new_key(), is_new=True)
    except trust.NoOwnFolderError:
        return None
    private = _private(path, path.stat().st_mtime_ns)
    return Signature(key=_public(private), value=private.sign(content).hex())


def is_signed(content: bytes, signature: Signature) -> bool:
    """Whether the holder of the signature's key signed exactly this."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature.key))
    try:
        key.verify(bytes.fromhex(signature.value), content)
    except InvalidSignature:
        return False
    return True


def own_key() -> str:
    """The public key of this user in hex; empty where none was made yet."""
    try:
        path = trust.own_file(_FILE)
    except trust.NoOwnFolderError:
        return ""
    return _public(_private(path, path.stat().st_mtime_ns)) if path.exists() else ""


@cache
def _private(path: Path, _changed: int) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        found = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        found = None
    if not isinstance(found, Ed25519PrivateKey):
        raise StoreError(
            f"{path}: is no Ed25519 key that can be read",
            hint="put the key back from a copy, or move the file away, and a new key is made",
        )
    return found


def _new_key() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    made = Ed25519PrivateKey.generate()
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public(private: "Ed25519PrivateKey") -> str:
    return private.public_key().public_bytes_raw().hex()
