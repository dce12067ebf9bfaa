"""What is found in the texts of a row or of a conversation, and what stands for it.

Covered: the texts that are given, with their places. Not covered: keys of objects, numbers outside of
strings in columns and arguments that are objects, names of speakers, the descriptions of tools."""

import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from finewright.guard.privacy.assigned import is_generated
from finewright.guard.privacy.find import SECRETS, Finder, again, find, require
from finewright.guard.privacy.pseudonyms import Pseudonyms
from finewright.guard.privacy.replace import (
    Replaced,
    ReplacedSpan,
    json_mapped,
    placeholder,
    replaced,
    settled,
)
from finewright.guard.privacy.scan import PersonalSpan
from finewright.schema.privacy import FoundType, PersonalDataSpec, SecretsSpec
from finewright.schema.rows import RowText

_CHANGES = ("redact", "pseudonymise")
_ARGUMENTS = ".function.arguments"
_LONG_SECRET, _MIXED_SECRET = 16, 8
# The last name of a value in a call's arguments or in a column.
_NAME = re.compile(r"(?:\.arguments\.|^columns\.)(?:.*\.)?([A-Za-z][A-Za-z_-]{1,40})$", re.DOTALL)
_LONGEST_NAMED = 200


def _is_no_word(secret: str) -> bool:
    """Is it so long, or so mixed, that the same text elsewhere is the same secret?"""
    return len(secret) >= _LONG_SECRET or (len(secret) >= _MIXED_SECRET and is_generated(secret))


class FoundInText(NamedTuple):
    """What is found in the text at a key."""

    key: str
    text: str
    places: tuple[ReplacedSpan, ...]


class CheckedText(NamedTuple):
    """A text, what stands for it, and what is found in it or in its parts."""

    value: str
    new: str
    found: tuple[FoundInText, ...]


class PrivacyRules:
    """What is looked for, and what stands for it."""

    def __init__(self, personal: PersonalDataSpec, secrets: SecretsSpec, key: bytes) -> None:
        self.key = key
        self.action: dict[FoundType, str] = dict.fromkeys(SECRETS, secrets.action)
        self.action |= dict.fromkeys(personal.types, personal.action)
        self.types = frozenset(t for t, action in self.action.items() if action != "off")
        require(self.types)
        self.changed = frozenset(t for t in self.types if self.action[t] in _CHANGES)
        self.pseudonyms = Pseudonyms(key)
        self.ner: Finder | None = None
        if personal.ner and "name" in self.types:
            from finewright.guard.privacy.ner import pipeline

            self.ner = pipeline(Path(personal.ner))

    def texts(self, places: Sequence[RowText]) -> list[CheckedText]:
        """What is found in texts that belong together. A secret that is found in one is found in all."""
        texts = self._texts(places, self.ner)
        secrets = {
            at.text[p.span.start : p.span.end]: p.span.type
            for text in texts
            for at in text.found
            for p in at.places
            if p.span.type in SECRETS and _is_no_word(at.text[p.span.start : p.span.end])
        }
        is_again = secrets and sum(p.text.count(value) for p in places for value in secrets) > len(
            secrets
        )
        return self._texts(places, _both(self.ner, again(secrets))) if is_again else texts

    def _texts(self, places: Sequence[RowText], finder: Finder | None) -> list[CheckedText]:
        texts, lead = [], ""
        for passage in places:
            text = self._text(passage, finder, lead)
            texts += [text] if text else []
            lead = passage.text if passage.role != "column" else ""
        return texts

    def _text(self, passage: RowText, finder: Finder | None, lead: str) -> CheckedText | None:
        """What is found in a text, and the text that goes on; None if nothing is.

        Arguments that are JSON text are read value by value, as a model's tool would."""
        found: list[FoundInText] = []

        def change(key: str, value: str) -> str:
            out = self._named(key, value, finder, lead) or self._replaced(value, finder, lead)
            if out is None:
                return value
            found.append(FoundInText(key, value, out.places))
            return out.text

        is_json = passage.key.endswith(_ARGUMENTS)
        new = json_mapped(passage.key, passage.text, change) if is_json else None
        if new is None:
            new = change(passage.key, passage.text)
        return CheckedText(passage.text, new, tuple(found)) if found else None

    def _named(self, key: str, value: str, finder: Finder | None, lead: str) -> Replaced | None:
        """What is found in a short value of a call or a column together with its name, as in
        `password: "..."`."""
        name = _NAME.search(key)
        if not name or len(value) > _LONGEST_NAMED:
            return None
        before = f'{name[1]}: "'
        out = self._replaced(f'{before}{value}"', finder, lead)
        start, end = len(before), len(before) + len(value)
        if out is None or any(p.span.start < start or p.span.end > end for p in out.places):
            return None
        places = tuple(
            ReplacedSpan(
                p.span._replace(start=p.span.start - start, end=p.span.end - start),
                p.start - start,
                p.end - start,
            )
            for p in out.places
        )
        return Replaced(out.text[start:-1], places)

    def _replaced(self, text: str, finder: Finder | None, lead: str) -> Replaced | None:
        spans = find(text, self.types, finder, lead)
        if any(span.type in self.changed for span in spans):
            spans = self._settled(text, spans, finder, lead)
        return replaced(text, spans, self._stand) if spans else None

    def _settled(
        self, text: str, spans: tuple[PersonalSpan, ...], finder: Finder | None, lead: str
    ) -> tuple[PersonalSpan, ...]:
        changed = tuple(span for span in spans if span.type in self.changed)
        unchanged = [span for span in spans if span.type not in self.changed]
        all_changed = settled(text, changed, self.changed, finder, lead)
        free = [
            s for s in unchanged if all(s.end <= c.start or c.end <= s.start for c in all_changed)
        ]
        return tuple(sorted([*all_changed, *free]))

    def _stand(self, span: PersonalSpan, value: str) -> str:
        action = self.action[span.type]
        if action == "redact":
            return placeholder(span.type)
        return self.pseudonyms.of(span.type, value) if action == "pseudonymise" else value


def _both(one: Finder | None, other: Finder) -> Finder:
    return other if one is None else lambda text: chain(one(text), other(text))
