"""Files of other places, by address: `s3://bucket/rows.jsonl#sha256=...`.

A place is a plugin by the scheme of its addresses. It brings what is there to this machine, whole and by its
digest, so that whoever reads it has a path as any other."""

import re
from pathlib import Path
from typing import Any, Literal, Protocol

from finewright import plugins

PIN = "#sha256="
"""What stands between an address and the digest of what it is to be; pip's URLs have it too."""
# A path takes one of two slashes away. Drives of Windows have one letter.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/{1,2}(?=[^/])")

What = Literal["rows", "model"]


class Place(Protocol):
    """What brings a file or a folder of rows, or a model, from an address to this machine."""

    def __call__(self, address: str, what: What) -> Path:
        """Where it lies by now, whole; the digest is the one that an input of that kind has in a lock.

        Raises FetchError where it cannot be had, or is not what it was."""
        ...


def is_address(text: str) -> bool:
    """Whether it names something elsewhere, as `s3://bucket/rows.jsonl`, and no path."""
    return _ADDRESS.match(text) is not None


def address_of(text: Any) -> str:  # Any: a path or a text that was typed
    """The address with both slashes, which a path keeps one of."""
    return _ADDRESS.sub(lambda found: found[0].rstrip("/") + "//", str(text), count=1)


def bring(address: str, what: What = "rows") -> Path:
    """What is at the address, on this machine.

    Raises UnknownPlugin for a scheme of no place, MissingExtra without its package, and FetchError."""
    place: Place = plugins.resolve("place", address.partition(":")[0])
    return place(address, what)
