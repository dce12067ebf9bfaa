"""Base64 and hex in a text that decode to sentences."""

import base64
import binascii
import re
import string
from collections.abc import Iterator

_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24,}={0,2}(?![A-Za-z0-9+/=_-])")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:0x)?((?:[0-9a-fA-F]{2}[ :]?){16,})(?![0-9A-Za-z])")
# Runs that are long enough for the patterns above, seen at once when each sign is `x` that they may have.
_OF_BASE64 = (string.ascii_letters + string.digits + "+/_-").encode()
_AS_BASE64 = bytes.maketrans(_OF_BASE64, b"x" * len(_OF_BASE64))
_LONG_BASE64 = b"x" * 24
_AS_HEX = bytes.maketrans(string.hexdigits.encode(), b"x" * len(string.hexdigits))
_GAPS = b" :"
_LONG_HEX = b"x" * 32
_SENTENCE = re.compile(r"[A-Za-z]{2,}[,;:.!?]? [A-Za-z]+[,;:.!?]? [A-Za-z]{2,}")
_TEXT_SHARE = 0.9


def decode_blobs(text: str) -> Iterator[str]:
    """The first 200 characters of what the blobs say that decode to at least three words; hashes, keys and
    pictures do not."""
    for says in decode_texts(text):
        if says := _as_sentence(says):
            yield says


def decode_texts(text: str) -> Iterator[str]:
    """What the blobs say, whole, that decode to text."""
    signs = text.encode("utf-8", "surrogatepass")
    if _LONG_BASE64 in signs.translate(_AS_BASE64):
        for match in _BASE64.finditer(text):
            if not _is_word(match[0]) and (says := _as_text(_from_base64(match[0]))):
                yield says
    if _LONG_HEX in signs.translate(_AS_HEX, _GAPS):
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
    return text


def _as_sentence(text: str) -> str:
    """The beginning of a text, if it is one of words."""
    readable = sum(c.isalnum() or c in " .,;:!?'\"\n-/()" for c in text)
    is_text = readable >= _TEXT_SHARE * len(text) and _SENTENCE.search(text)
    return text[:200] if is_text else ""


def _is_word(blob: str) -> bool:
    return blob.isalpha() and blob.islower()
