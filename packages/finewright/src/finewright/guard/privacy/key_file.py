"""The key that pseudonyms and digests are made with: of a file, or fresh and thrown away."""

import secrets
from pathlib import Path

from finewright.errors import DataError
from finewright.store.atomic import os_errors

_FEWEST_BYTES = 16


def key_of(path: Path | None) -> bytes:
    """The bytes of the file, or 32 fresh ones where none is named.

    Whoever has the key can test whether a value is behind a pseudonym; keep the file apart from the rows."""
    if path is None:
        return secrets.token_bytes(32)
    with os_errors(path):
        key = path.read_bytes()
    if len(key) < _FEWEST_BYTES:
        raise DataError(
            f"{path}: {len(key)} bytes are too few for a key",
            hint=f"make one of 32 random bytes: head -c 32 /dev/urandom > {path}",
        )
    return key
