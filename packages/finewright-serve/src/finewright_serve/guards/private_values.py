"""Guards of personal data and of secrets, by the recognisers that look through training rows.

A value counts by its form: that a card was issued or a key opens something is not known. Names and addresses
are found only where `types` lists them. Not covered: a value that is spelled out in words or encoded."""

from collections.abc import Sequence
from typing import get_args

from pydantic import field_validator

from finewright.guard.privacy.find import find, require, signs_of
from finewright.guard.privacy.own import own_finder
from finewright.guard.privacy.replace import settle_spans
from finewright.guard.privacy.sieve import signs_in
from finewright.schema.common import Model, default
from finewright.schema.privacy import (
    FoundType,
    OwnPattern,
    PersonalDataSpec,
    PersonalType,
    SecretType,
    check_own_names,
)
from finewright_serve.guards.guard import (
    BOTH_WAYS,
    Finding,
    GuardFolder,
    GuardPlugin,
    TextPlace,
    last_word,
)

_WINDOW = 256
"""The longest value with blanks in it is a seed phrase: 24 words of at most 8 letters and a blank are 216."""
_PEM, _PEM_END = "-----BEGIN", "-----END"
_LONGEST_WORD = 8192


class PersonalDataSettings(Model):
    """Which personal data."""

    types: tuple[PersonalType, ...] = default(
        PersonalDataSpec().types,
        "What counts as personal data here",
        "as of training rows: what has a form that can be checked",
        min_length=1,
    )
    patterns: tuple[OwnPattern, ...] = default(
        (), "Kinds of your own, as in data.personal_data; the guard's action is taken", "none"
    )

    @field_validator("patterns")
    @classmethod
    def _distinct_names(cls, patterns: tuple[OwnPattern, ...]) -> tuple[OwnPattern, ...]:
        return check_own_names(patterns)


class SecretsSettings(Model):
    """Which secrets."""

    types: tuple[SecretType, ...] = default(
        get_args(SecretType), "What counts as a secret here", "all that are known", min_length=1
    )


class PrivateValues:
    """The guard. `opening` is a long word or a key in PEM that has begun and not ended."""

    window = _WINDOW
    note = ""
    reason = ""

    def __init__(self, types: Sequence[FoundType], own: Sequence[OwnPattern] = ()) -> None:
        """Raises MissingExtra for a type that nobody here looks for, SpecError for a wrong pattern."""
        self._types = frozenset(types) | {pattern.name for pattern in own}
        require(self._types)
        self._signs = signs_of(self._types)
        self._own = own_finder(own, "settings.patterns") if own else None

    def find(self, text: str, place: TextPlace) -> Sequence[Finding]:
        """Every value of the types, and those that only show when the others are taken out."""
        signs = signs_in([text])[0] & self._signs
        spans = find(text, self._types, self._own, signs=signs) if signs or self._own else ()
        if spans:
            spans = settle_spans(text, spans, self._types, self._own)
        return [Finding(span.start, span.end, span.type, span.confidence) for span in spans]

    def opening(self, text: str) -> int:
        """See Guard."""
        begun = text.rfind(_PEM)
        if begun >= 0 and text.find(_PEM_END, begun) < 0:
            return begun
        return last_word(text, _LONGEST_WORD)

    def mark(self, text: str) -> str:
        """The text as it is."""
        return text


def _personal_data(settings: PersonalDataSettings, folder: GuardFolder) -> PrivateValues:
    own = [pattern for pattern in settings.patterns if pattern.action != "off"]
    return PrivateValues(settings.types, own)


def _secrets(settings: SecretsSettings, folder: GuardFolder) -> PrivateValues:
    return PrivateValues(settings.types)


PERSONAL_DATA = GuardPlugin(PersonalDataSettings, _personal_data, BOTH_WAYS)
SECRETS = GuardPlugin(SecretsSettings, _secrets, BOTH_WAYS)
