"""Our own wordings of attacks, and the ways to hide a text from who looks for words."""

import base64
import codecs
from collections.abc import Callable, Mapping
from functools import cache

from finewright.catalog.models import read_packaged
from finewright.schema.common import Model

ENGLISH = "English"
_LEET = str.maketrans("aeiostAEIOST", "431057431057")


class AttackTexts(Model):
    """The texts of wordings.yaml, by language where they have one."""

    overrides: dict[str, tuple[str, ...]]
    harmful: dict[str, tuple[str, ...]]
    questions: tuple[str, ...]
    refusals: tuple[str, ...]
    codes: tuple[str, ...]


@cache
def wordings() -> AttackTexts:
    """The texts."""
    return read_packaged("wordings.yaml", AttackTexts, "finewright_trust.redteam")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


ENCODINGS: Mapping[str, Callable[[str], str]] = {
    "base64": _base64,
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "leet": lambda text: text.translate(_LEET),
    "zero width": "\u200b".join,
    "hex": lambda text: text.encode().hex(" "),
    "reversed": lambda text: text[::-1],
}
"""Name -> what it makes of a text."""
