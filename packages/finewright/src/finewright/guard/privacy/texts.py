"""What is found in the texts of a row or of a conversation, and what stands for it.

Covered: the texts that are given, with their places, and long numbers among them. What is found in one of
them is found in all. Not covered: keys of objects, names of speakers, the descriptions of tools.

What was found once in a row, wherever else the row has it: a key that is named in one place is one in all.

A value counts elsewhere where the same text is hardly anything else: a long or mixed secret, a number of
seven digits and more, an address, a name. Of a name of several words each that is no other word counts alone,
as `Berger` does after `Anna Berger`. Not covered: a value that is written otherwise there."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, chain
from pathlib import Path
from typing import NamedTuple

from finewright.guard.privacy.assigned import is_generated
from finewright.guard.privacy.find import SECRETS, Finder, find, require, signs_of
from finewright.guard.privacy.name_features import MERGED, PARTICLES, flags_of
from finewright.guard.privacy.own import own_finder
from finewright.guard.privacy.pseudonyms import Pseudonyms
from finewright.guard.privacy.replace import (
    Replaced,
    ReplacedSpan,
    Stand,
    json_mapped,
    placeholder,
    replace_spans,
    settle_spans,
)
from finewright.guard.privacy.scan import EVERY_SIGN, UNSPACED, PersonalSpan, only_digits
from finewright.guard.privacy.sieve import signs_in
from finewright.schema.privacy import FoundType, PersonalDataSpec, SecretsSpec
from finewright.schema.rows import NUMBER, RowText, number_or_text, number_text

# A certain one wins against what stands at its place; a name is a guess there, too.
_SECRET, _PERSONAL = 0.9, 0.8


_LONG_SECRET, _MIXED_SECRET = 16, 8


_FEWEST_DIGITS, _FEWEST_LETTERS = 7, 3


_NUMBERS = frozenset(
    ("phone", "card", "national_id", "date_of_birth", "account_number", "customer_number")
)


_NAME_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")


# A number or a name may stand beside `_`, and beside a word of a script without spaces.
_GLUE = re.compile(rf"[^\W_{UNSPACED}]")


_WHY = "found elsewhere in the row"


_CHANGES = ("redact", "pseudonymise")
_ARGUMENTS = ".function.arguments"
# The last name of a value in a call's arguments or in a column.
_NAME = re.compile(r"(?:\.arguments\.|^columns\.)(?:.*\.)?([A-Za-z][A-Za-z_-]{1,40})$", re.DOTALL)
_COLUMNS = "columns."
_LONGEST_NAMED = 200


class FoundInText(NamedTuple):
    """What is found in the text at a key; `is_retyped`: it is a number, and what stands for it is none."""

    key: str
    text: str
    places: tuple[ReplacedSpan, ...]
    is_retyped: bool = False


class CheckedText(NamedTuple):
    """The text at a key, what stands for it, and what is found in it or in its parts."""

    key: str
    value: str
    new: str
    found: tuple[FoundInText, ...]


def restate(text: CheckedText, stand: Stand) -> str:
    """The text with what `stand` says for all that was found in it."""
    new = {
        (at.key, at.text): replace_spans(at.text, [place.span for place in at.places], stand).text
        for at in text.found
    }

    def change(key: str, value: str | float) -> str | float:
        said = value if isinstance(value, str) else number_text(value)
        out = new.get((key, said), said)
        if out == said:
            return value
        return out if isinstance(value, str) else number_or_text(out)

    is_json = text.key.endswith(_ARGUMENTS)
    mapped = json_mapped(text.key, text.value, change) if is_json else None
    return new.get((text.key, text.value), text.value) if mapped is None else mapped


class PrivacyRules:
    """What is looked for, and what stands for it."""

    def __init__(self, personal: PersonalDataSpec, secrets: SecretsSpec, key: bytes) -> None:
        self.key = key
        self.action: dict[FoundType, str] = dict.fromkeys(SECRETS, secrets.action)
        self.action |= personal.actions
        self.types = frozenset(t for t, action in self.action.items() if action != "off")
        own = [pattern for pattern in personal.patterns if pattern.name in self.types]
        require(self.types)
        self.changed = frozenset(t for t in self.types if self.action[t] in _CHANGES)
        self.pseudonyms, self._known = Pseudonyms(key), Pseudonyms(b"")
        self._signs = signs_of(self.types)
        self._own = own_finder(own, "data.personal_data.patterns") if own else None
        self.ner: Finder | None = None
        if personal.ner and "name" in self.types:
            from finewright.guard.privacy.names import pipeline

            self.ner = pipeline(Path(personal.ner))

    def signs(self, places: Sequence[RowText]) -> list[int]:
        """Of each text the signs that something may be found by; 0 where nothing is."""
        if self.ner is not None or self._own is not None:
            return [EVERY_SIGN] * len(places)
        found = signs_in([_read_as(passage) for passage in places])
        return [
            self._signs & (signs if _is_read_as_it_stands(passage) else EVERY_SIGN)
            for passage, signs in zip(places, found, strict=True)
        ]

    def texts(
        self, places: Sequence[RowText], signs: Sequence[int] | None = None
    ) -> list[CheckedText]:
        """What is found in texts that belong together. What is found in one is found in all.

        `signs` are those of the texts, where they are known."""
        finder = _both(self.ner, self._own)
        texts = self._texts(places, finder, signs or [EVERY_SIGN] * len(places))
        again = _again(texts) if texts else None
        if again and _has_more(places, texts, again):
            return self._texts(places, _both(finder, again), [EVERY_SIGN] * len(places))
        return texts

    def keyless(self, span: PersonalSpan, value: str) -> str:
        """What would stand for a value if the key were one that everybody knows."""
        return self._stand_of(self._known, span, value)

    def _texts(
        self, places: Sequence[RowText], finder: Finder | None, signs: Sequence[int]
    ) -> list[CheckedText]:
        texts, lead = [], ""
        for passage, its_signs in zip(places, signs, strict=True):
            text = self._text(passage, _Look(finder, lead, its_signs)) if its_signs else None
            texts += [text] if text else []
            lead = passage.text if passage.role not in ("column", NUMBER) else ""
        return texts

    def _text(self, passage: RowText, look: "_Look") -> CheckedText | None:
        """What is found in a text, and the text that goes on; None if nothing is.

        Arguments that are JSON text are read value by value, as a model's tool would."""
        found: list[FoundInText] = []

        def change(key: str, value: str | float) -> str | float:
            said = value if isinstance(value, str) else number_text(value)
            out = said and (
                self._replace_named_value(key, said, look) or self._replace_found(said, look)
            )
            if not out:
                return value
            new = out.text if isinstance(value, str) else number_or_text(out.text)
            is_changed = out.text != said
            is_retyped = is_changed and isinstance(new, str) and not isinstance(value, str)
            found.append(FoundInText(key, said, out.places, is_retyped))
            return new if is_changed else value

        is_json = passage.key.endswith(_ARGUMENTS)
        new = json_mapped(passage.key, passage.text, change) if is_json else None
        if new is None:
            value = int(passage.text) if passage.role == NUMBER else passage.text
            new = str(change(passage.key, value))
        return CheckedText(passage.key, passage.text, new, tuple(found)) if found else None

    def _replace_named_value(self, key: str, value: str, look: "_Look") -> Replaced | None:
        """What is found in a short value of a call or a column together with its name, as in
        `password: "..."`."""
        before = _name_before(key, value)
        if not before:
            return None
        out = self._replace_found(f'{before}{value}"', look)
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

    def _replace_found(self, text: str, look: "_Look") -> Replaced | None:
        spans = find(text, self.types, *look)
        if any(span.type in self.changed for span in spans):
            spans = self._settle(text, spans, look.finder, look.lead)
        return replace_spans(text, spans, self._stand) if spans else None

    def _settle(
        self, text: str, spans: tuple[PersonalSpan, ...], finder: Finder | None, lead: str
    ) -> tuple[PersonalSpan, ...]:
        changed = tuple(span for span in spans if span.type in self.changed)
        unchanged = [span for span in spans if span.type not in self.changed]
        all_changed = settle_spans(text, changed, self.changed, finder, lead)
        free = [
            s for s in unchanged if all(s.end <= c.start or c.end <= s.start for c in all_changed)
        ]
        return tuple(sorted([*all_changed, *free]))

    def _stand(self, span: PersonalSpan, value: str) -> str:
        return self._stand_of(self.pseudonyms, span, value)

    def _stand_of(self, pseudonyms: Pseudonyms, span: PersonalSpan, value: str) -> str:
        action = self.action[span.type]
        if action == "redact":
            return placeholder(span.type)
        return pseudonyms.of(span.type, value) if action == "pseudonymise" else value


class _Look(NamedTuple):
    """How a text is looked at: by whom else, after what was said before, and for which signs it has."""

    finder: Finder | None
    lead: str
    signs: int


def _name_before(key: str, value: str) -> str:
    """What a short value of a call or a column is read after, as `password: "`; else nothing."""
    if not (key.startswith(_COLUMNS) or ".arguments." in key) or len(value) > _LONGEST_NAMED:
        return ""
    name = _NAME.search(key)
    return f'{name[1]}: "' if name else ""


def _read_as(passage: RowText) -> str:
    """The text with the name that it is read after."""
    before = _name_before(passage.key, passage.text)
    return f'{before}{passage.text}"' if before else passage.text


def _is_read_as_it_stands(passage: RowText) -> bool:
    """Neither JSON text, whose values are read without escapes, nor a number."""
    return passage.role != NUMBER and not passage.key.endswith(_ARGUMENTS)


def _again(texts: Sequence[CheckedText]) -> Finder | None:
    """Who finds once more what was found in some text."""
    values = (
        (at.text[place.span.start : place.span.end], place.span.type)
        for text in texts
        for at in text.found
        for place in at.places
    )
    return values_again(values, SECRETS)


def _has_more(places: Sequence[RowText], texts: Sequence[CheckedText], again: Finder) -> bool:
    """Whether it finds what nobody has found yet."""
    known: dict[tuple[str, str], list[PersonalSpan]] = {}
    for text in texts:
        for at in text.found:
            known.setdefault((at.key, at.text), []).extend(place.span for place in at.places)
    return any(
        not _are_within(again(value), known.get((key, value), ()))
        for place in places
        for key, value in _values(place)
    )


def _are_within(spans: Iterable[PersonalSpan], known: Sequence[PersonalSpan]) -> bool:
    """Whether each span lies in a known one."""
    ordered = sorted(known)
    starts = [one.start for one in ordered]
    # The furthest end of those that begin no later.
    ends = [0, *accumulate((one.end for one in ordered), max)]
    return all(span.end <= ends[bisect_right(starts, span.start)] for span in spans)


def _values(passage: RowText) -> list[tuple[str, str]]:
    """(key, text) of what is read in a passage: itself, or each value of arguments that are JSON text."""
    found: list[tuple[str, str]] = []

    def take(key: str, value: str | float) -> object:
        found.append((key, value if isinstance(value, str) else number_text(value)))
        return value

    is_json = passage.key.endswith(_ARGUMENTS)
    if is_json and json_mapped(passage.key, passage.text, take) is not None:
        return found
    return [(passage.key, passage.text)]


def _both(one: Finder | None, other: Finder | None) -> Finder | None:
    if one is None or other is None:
        return one or other
    return lambda text: chain(one(text), other(text))


def values_again(
    found: Iterable[tuple[str, FoundType]], secrets: frozenset[FoundType]
) -> Callable[[str], Iterator[PersonalSpan]] | None:
    """Who finds these values once more, one that is no secret only as a whole word or number; None where
    none of them is looked for elsewhere."""
    values = {
        text: type_ for value, type_ in found for text in _elsewhere(value, type_, type_ in secrets)
    }
    if not values:
        return None
    ordered = sorted(values, key=lambda text: (_rank(text, values[text], secrets), -len(text)))

    def spans(text: str) -> Iterator[PersonalSpan]:
        end = 0
        for start, _, value in sorted(_places(text, ordered)):
            type_ = values[value]
            if start < end or not (type_ in secrets or _is_whole(text, start, value, type_)):
                continue
            end = start + len(value)
            sure = _SECRET if type_ in secrets else _PERSONAL
            yield PersonalSpan(start, end, type_, sure, _WHY)

    return spans


def _rank(text: str, type_: FoundType, secrets: frozenset[FoundType]) -> int:
    """Who wins where several begin: a secret, a whole name before its parts, what is left."""
    return 0 if type_ in secrets else 1 if _is_full_name(text, type_) else 2


def _places(text: str, ordered: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Where each of the values begins in a text, with its rank."""
    for rank, value in enumerate(ordered):
        start = text.find(value)
        while start >= 0:
            yield start, rank, value
            start = text.find(value, start + 1)


def _is_whole(text: str, start: int, value: str, type_: FoundType) -> bool:
    """Whether it is no part of a longer word. A name of several words has its genitive, too."""
    end = start + len(value)
    if start and _GLUE.match(text, start - 1):
        return False
    has_genitive = _is_full_name(value, type_) and text.startswith("s", end)
    return not _GLUE.match(text, end) or (has_genitive and not _GLUE.match(text, end + 1))


def _is_full_name(text: str, type_: FoundType) -> bool:
    return type_ == "name" and " " in text


def _elsewhere(value: str, type_: FoundType, is_secret: bool) -> Iterable[str]:
    """The texts that are this value wherever they stand."""
    if type_ == "name":
        return _of_name(value)
    is_sure = (
        (is_secret and _is_no_word(value))
        or (type_ in _NUMBERS and len(only_digits(value)) >= _FEWEST_DIGITS)
        or type_ == "address"
    )
    return (value,) if is_sure else ()


def _is_no_word(secret: str) -> bool:
    """Whether it is so long, or so mixed, that the same text elsewhere is the same secret."""
    return len(secret) >= _LONG_SECRET or (len(secret) >= _MIXED_SECRET and is_generated(secret))


def _of_name(name: str) -> Iterator[str]:
    """The name, and those of its words that are no word of a language and no place; one alone is listed."""
    words = _NAME_WORD.findall(name)
    if len(words) > 1:
        yield name
    yield from (word for word in words if _is_only_name(word, is_listed=len(words) == 1))


def _is_only_name(word: str, *, is_listed: bool) -> bool:
    lower = word.lower()
    if len(word) < _FEWEST_LETTERS or not word[0].isupper() or lower in PARTICLES | MERGED:
        return False
    flags = set(flags_of(lower))
    return not flags & set("cnp") and (not is_listed or bool(flags & set("gs")))
