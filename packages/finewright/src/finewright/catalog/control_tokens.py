"""What the chat templates of the families write around turns."""

import re
from collections.abc import Iterable
from datetime import date
from functools import cache, lru_cache

from finewright.catalog.packaged import packaged
from finewright.schema.common import Model


class FamilyControls(Model):
    """The control strings of one family of models; `{n}` stands for any number.

    `tokens` are one id each in its vocabulary, `text` is spelled in several ordinary ones. Of both:
    `answers` an assistant writes itself, `ordinary` texts that have nothing to do with a model contain."""

    family: str
    source: str
    observed_at: date
    tokens: tuple[str, ...]
    text: tuple[str, ...] = ()
    answers: frozenset[str] = frozenset()
    ordinary: frozenset[str] = frozenset()

    @property
    def spellings(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.tokens, *self.text)


class ControlTokens(Model):
    """All families, in the catalog's order."""

    families: tuple[FamilyControls, ...]

    @property
    def answers(self) -> frozenset[str]:
        """What an assistant of some family writes itself."""
        return frozenset().union(*(family.answers for family in self.families))

    @property
    def ordinary(self) -> frozenset[str]:
        """What a text contains that has nothing to do with a model."""
        return frozenset().union(*(family.ordinary for family in self.families))

    @property
    def spellings(self) -> frozenset[str]:
        """Every control string of every family."""
        return frozenset(text for family in self.families for text in family.spellings)


@cache
def control_tokens() -> ControlTokens:
    """The catalog."""
    families = packaged("control_tokens.yaml", tuple[FamilyControls, ...])
    return ControlTokens(families=families)


def pattern(spellings: Iterable[str]) -> re.Pattern[str]:
    """Finds any of the spellings, the longest where several begin; nothing where there are none.

    A trie of them, as thousands of alternatives (Gemma's `<unused0>` to `<unused6241>`) would be tried
    one after the other at each `<`."""
    return _pattern(frozenset(spellings))


@lru_cache(maxsize=64)
def _pattern(spellings: frozenset[str]) -> re.Pattern[str]:
    root: _Trie = {}
    for spelling in spellings:
        node = root
        for symbol in re.split(r"(\{n\})|", spelling):
            if symbol:
                node = node.setdefault("[0-9]+" if symbol == "{n}" else re.escape(symbol), {})
        node[""] = {}
    return re.compile(_branches(root) if root else r"(?!)")


_Trie = dict[str, "_Trie"]


def _branches(node: _Trie) -> str:
    longer = "|".join(symbol + _branches(node[symbol]) for symbol in sorted(node) if symbol)
    if not longer:
        return ""
    return f"(?:{longer})?" if "" in node else f"(?:{longer})"
