"""Base64 and hex in a text that decode to sentences."""

import base64
import binascii
import re
from collections.abc import Iterator

_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24,}={0,2}(?![A-Za-z0-9+/=_-])")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:0x)?((?:[0-9a-fA-F]{2}[ :]?){16,})(?![0-9A-Za-z])")
# A run that is long enough for the pattern above; possessive, it reads each sign once.
_LONG = re.compile(
    r"[^A-Za-z0-9+/_-]*+(?:[A-Za-z0-9+/_-]{1,23}+[^A-Za-z0-9+/_-]++)*+[A-Za-z0-9+/_-]{24}"
)
# Two letters next to each other, as a sentence has them.
_LETTERS = re.compile(r"[4-7][0-9a-fA-F][ :]?[4-7][0-9a-fA-F]")
_SENTENCE = re.compile(r"[A-Za-z]{2,}[,;:.!?]? [A-Za-z]+[,;:.!?]? [A-Za-z]{2,}")
_TEXT_SHARE = 0.9
_SHORTEST = 24


def decoded_blobs(text: str) -> Iterator[str]:
    """What the blobs say that decode to at least three words; hashes, keys and pictures do not."""
    if max(map(len, text.split()), default=0) >= _SHORTEST and _LONG.match(text):
        for match in _BASE64.finditer(text):
            if (says := _as_text(_from_base64(match[0]))) and not _is_word(match[0]):
                yield says
    if any(digit in text for digit in "4567") and _LETTERS.search(text):
        for match in _HEX.finditer(text):
            if says := _as_text(bytes.fromhex(re.sub(r"[ :]", "", match[1]))):
                yield says


def _from_base64(blob: str) -> bytes:
    bare = blob.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error:
        return b""


def _as_text(content: bytes) -> str:
    """The content as text, if it is one."""
    try:
        text = content.rstrip(b"\0").decode("utf-8")
    except UnicodeDecodeError:
        return ""
    readable = sum(c.isalnum() or c in " .,;:!?'\"\n-/()" for c in text)
    is_text = readable >= _TEXT_SHARE * len(text) and _SENTENCE.search(text)
    return text[:200] if is_text else ""


def _is_word(blob: str) -> bool:
    return blob.isalpha() and blob.islower()
