"""The forms that issuers gave their keys and tokens: `tokens.yaml`, and how a form is read.

What the chat templates of the families write around turns."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache, lru_cache
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from finewright.catalog.models import read_packaged
from finewright.schema.common import Model
from finewright.schema.privacy import SecretType


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


_Trie = dict[str, "_Trie"]


_PART = re.compile(r"\{(\w+):(\d+)(?:-(\d+)|(\+))?\}|\(([^()]*\|[^()]*)\)|([^{}()]+)")


class Run(NamedTuple):
    """So many characters of an alphabet; `most` is None where there is no limit."""

    alphabet: str
    least: int
    most: int | None


class Choice(NamedTuple):
    """One of these texts; a single one is literal text."""

    texts: tuple[str, ...]


class TokenRule(Model):
    """A kind of key or token, as the file's first lines explain it."""

    name: str = Field(description="Whose it is; the same name may have several forms.")
    type: SecretType
    form: str
    after: str = Field(
        "", description="What stands directly in front, and is no part of the value."
    )
    judge: Literal["varied", "random", "form", "jwt", "discord", "checksum"] = "varied"
    entropy: float = Field(
        3.0, description="The least bits per character of what is varied or random."
    )
    checksum: Literal["", "crc32_base62", "base58check", "bech32"] = ""
    source: str = Field(min_length=1, description="Where the form is described.")


class PublishedSecrets(Model):
    """Keys and seed phrases that everybody has, which redaction would only take out of lessons."""

    name: str
    values: tuple[str, ...]
    source: str = Field(min_length=1, description="Where they are published.")


class TokenRules(Model):
    """All rules, the alphabets that their forms name, and when the sources were read."""

    observed_at: date
    alphabets: Mapping[str, str]
    rules: tuple[TokenRule, ...]
    published: tuple[PublishedSecrets, ...] = ()

    @model_validator(mode="after")
    def _every_form_can_be_read(self) -> Self:
        for rule in self.rules:
            if not any(isinstance(part, Choice) for part in self.parts(rule)) and not rule.after:
                raise ValueError(
                    f"{rule.name}: {rule.form} has no text that a search can begin with"
                )
        return self

    def parts(self, rule: TokenRule) -> tuple[Run | Choice, ...]:
        """The rule's form, part by part. Raises ValueError for one that cannot be read."""
        found: list[Run | Choice] = []
        at = 0
        for match in _PART.finditer(rule.form):
            if match.start() != at:
                break
            at = match.end()
            alphabet, least, most, has_no_end, choice, text = match.groups()
            if alphabet:
                if alphabet not in self.alphabets:
                    raise ValueError(f"{rule.name}: no alphabet {alphabet!r}")
                end = None if has_no_end else int(most or least)
                found.append(Run(self.alphabets[alphabet], int(least), end))
            else:
                found.append(Choice(tuple(choice.split("|")) if choice is not None else (text,)))
        if at != len(rule.form):
            raise ValueError(
                f"{rule.name}: {rule.form!r} cannot be read from character {at + 1} on"
            )
        return tuple(found)


@cache
def token_rules() -> TokenRules:
    """Every rule of the catalog."""
    return read_packaged("tokens.yaml", TokenRules)


@cache
def read_published() -> frozenset[str]:
    """The keys (in hex, without 0x) and seed phrases that are no secrets."""
    return frozenset(value for row in token_rules().published for value in row.values)


@cache
def control_tokens() -> ControlTokens:
    """The catalog."""
    families = read_packaged("control_tokens.yaml", tuple[FamilyControls, ...])
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


def _branches(node: _Trie) -> str:
    longer = "|".join(symbol + _branches(node[symbol]) for symbol in sorted(node) if symbol)
    if not longer:
        return ""
    return f"(?:{longer})?" if "" in node else f"(?:{longer})"
