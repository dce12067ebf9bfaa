"""What becomes of rows with personal data or secrets: told of, changed, or left out.

Covered: the texts of `data.texts.passages`. Not covered: keys of objects, numbers outside of strings in
columns and arguments that are objects, names of speakers, the descriptions of tools."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from finewright.guard.privacy.assigned import is_generated
from finewright.guard.privacy.find import SECRETS, Finder, again, find, known_types, require
from finewright.guard.privacy.internet import plain_email
from finewright.guard.privacy.pseudonyms import Pseudonyms, digest
from finewright.guard.privacy.replace import (
    Replaced,
    ReplacedSpan,
    json_mapped,
    placeholder,
    redacted,
    replaced,
    settled,
)
from finewright.guard.privacy.scan import PersonalSpan
from finewright.guard.privacy.unread_scripts import unread_scripts
from finewright.rows.outcome import CheckOutcome, Dropped
from finewright.rows.texts import passages, with_texts
from finewright.schema.common import Problem, RowCounts
from finewright.schema.privacy import (
    FoundType,
    PersonalDataSpec,
    PrivacyFinding,
    PrivacyReport,
    SecretsSpec,
    TypeCount,
)
from finewright.schema.rows import Row, RowText

_CHANGES = ("redact", "pseudonymise")
_ARGUMENTS = ".function.arguments"
_LONG_SECRET, _MIXED_SECRET = 16, 8
# The last name of a value in a call's arguments or in a column.
_NAME = re.compile(r"(?:\.arguments\.|^columns\.)(?:.*\.)?([A-Za-z][A-Za-z_-]{1,40})$", re.DOTALL)
_LONGEST_NAMED = 200


def _is_no_word(secret: str) -> bool:
    """Is it so long, or so mixed, that the same text elsewhere is the same secret?"""
    return len(secret) >= _LONG_SECRET or (len(secret) >= _MIXED_SECRET and is_generated(secret))


class PrivacyOutcome(NamedTuple):
    """The rows that go on, those that do not, and the report."""

    outcome: CheckOutcome
    report: PrivacyReport


class _Found(NamedTuple):
    """What is found in the text at a key."""

    key: str
    text: str
    places: tuple[ReplacedSpan, ...]


class _Text(NamedTuple):
    """A text of a row, what stands for it, and what is found in it or in its parts."""

    value: str
    new: str
    found: tuple[_Found, ...]


class _Rules:
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

    def texts(self, row: Row) -> list[_Text]:
        """What is found in the texts of a row. A secret that is found in one is found in all."""
        places = list(passages(row))
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

    def _texts(self, places: Sequence[RowText], finder: Finder | None) -> list[_Text]:
        texts, lead = [], ""
        for passage in places:
            text = self._text(passage, finder, lead)
            texts += [text] if text else []
            lead = passage.text if passage.role != "column" else ""
        return texts

    def _text(self, passage: RowText, finder: Finder | None, lead: str) -> _Text | None:
        """What is found in a text, and the text that goes on; None if nothing is.

        Arguments that are JSON text are read value by value, as a model's tool would."""
        found: list[_Found] = []

        def change(key: str, value: str) -> str:
            out = self._named(key, value, finder, lead) or self._replaced(value, finder, lead)
            if out is None:
                return value
            found.append(_Found(key, value, out.places))
            return out.text

        is_json = passage.key.endswith(_ARGUMENTS)
        new = json_mapped(passage.key, passage.text, change) if is_json else None
        if new is None:
            new = change(passage.key, passage.text)
        return _Text(passage.text, new, tuple(found)) if found else None

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


def apply(
    rows: Sequence[Row], personal: PersonalDataSpec, secrets: SecretsSpec, key: bytes
) -> PrivacyOutcome:
    """Find, and do what the two specs say. `key` makes pseudonyms and digests: see `key_file`.

    The report has the place of everything found, and no value: a digest under the key, and a mask."""
    rules = _Rules(personal, secrets, key)
    kept: list[Row] = []
    dropped: list[Dropped] = []
    findings: list[PrivacyFinding] = []
    changed = 0
    for row in rows:
        texts = rules.texts(row)
        reason = _drop_reason(texts, rules)
        findings += [
            found
            for text in texts
            for at in text.found
            for found in _findings(row, at, rules, reason)
        ]
        if reason:
            dropped.append(Dropped(row, reason, _why(texts, rules)))
        else:
            kept.append(_changed(row, texts))
            changed += kept[-1] is not row
    has_tagger = "name" in rules.types and rules.ner is None
    problems = (*_problems(findings, rules), *(unread_scripts(rows) if has_tagger else ()))
    report = PrivacyReport(
        counts=RowCounts(
            rows_in=len(rows),
            rows_kept=len(kept),
            rows_dropped=dict(Counter(item.reason for item in dropped)),
        ),
        personal_action=personal.action,
        secrets_action=secrets.action,
        rows_changed=changed,
        found=_counts(findings),
        findings=tuple(findings),
        problems=problems,
    )
    return PrivacyOutcome(CheckOutcome(tuple(kept), tuple(dropped), problems), report)


def _changed(row: Row, texts: Sequence[_Text]) -> Row:
    new = {text.value: text.new for text in texts if text.value != text.new}
    return with_texts(row, lambda passage: new.get(passage.text, passage.text)) if new else row


def _dropping(texts: Sequence[_Text], rules: _Rules) -> list[FoundType]:
    types = {place.span.type for text in texts for at in text.found for place in at.places}
    return sorted(type_ for type_ in types if rules.action[type_] == "drop")


def _drop_reason(texts: Sequence[_Text], rules: _Rules) -> str:
    found = _dropping(texts, rules)
    if not found:
        return ""
    return "secret" if SECRETS.intersection(found) else "personal_data"


def _why(texts: Sequence[_Text], rules: _Rules) -> str:
    return f"it holds {', '.join(type_name(type_) for type_ in _dropping(texts, rules))}"


def _findings(row: Row, at: _Found, rules: _Rules, reason: str) -> Iterator[PrivacyFinding]:
    # A key of an object may itself be an address or a token.
    key = redacted(row.key_in_file(at.key), known_types())
    for place in at.places:
        span = place.span
        value = at.text[span.start : span.end]
        yield PrivacyFinding(
            file=row.file,
            row=row.row,
            key=key,
            start=span.start,
            end=span.end,
            **_new_place(place, reason),
            type=span.type,
            confidence=span.confidence,
            why=span.why,
            digest=digest(rules.key, span.type, value),
            preview=masked(span.type, value),
        )


def _new_place(place: ReplacedSpan, reason: str) -> dict[str, int | None]:
    if reason:
        return {"new_start": None, "new_end": None}
    return {"new_start": place.start, "new_end": place.end}


_LONG_ENOUGH = 6


def masked(type_: FoundType, value: str) -> str:
    """What a report shows of a value: of an e-mail `a***@e***.com`, of a secret nothing."""
    if type_ in SECRETS or len(value) < _LONG_ENOUGH:
        return "***"
    if type_ == "email":
        name, _, domain = plain_email(value).rpartition("@")
        return f"{name[0]}***@{domain[0]}***.{domain.rpartition('.')[2]}"
    return f"{value[0]}***"


def type_name(type_: FoundType) -> str:
    """The type in words."""
    special = {
        "iban": "IBAN",
        "ip": "IP address",
        "url": "link",
        "jwt": "JWT",
        "email": "e-mail address",
    }
    return special.get(type_, type_.replace("_", " "))


def _counts(findings: Sequence[PrivacyFinding]) -> dict[FoundType, TypeCount]:
    by_type: dict[FoundType, list[PrivacyFinding]] = {}
    for found in findings:
        by_type.setdefault(found.type, []).append(found)
    return {
        type_: TypeCount(
            spans=len(found),
            values=len({item.digest for item in found}),
            rows=len({(item.file, item.row) for item in found}),
        )
        for type_, found in sorted(by_type.items())
    }


_MENDS = {
    "personal_data": "--action redact or drop, or data.personal_data.action in a spec",
    "secrets": "--secrets redact or drop, or data.secrets.action in a spec",
}
_DONE = {
    "report": ("is left as it is", "are left as they are"),
    "redact": ("was redacted", "were redacted"),
    "pseudonymise": ("was replaced by a pseudonym", "were replaced by pseudonyms"),
    "drop": ("was left out with its row", "were left out with their rows"),
}


def mend_of(type_: FoundType) -> str:
    """Which option, and which key of a spec, does something about what is found."""
    return _MENDS["secrets" if type_ in SECRETS else "personal_data"]


def found_line(type_: FoundType, spans: int, rows: int, action: str) -> str:
    """How often it was found, in how many rows, and what became of it; the row told with it is the first."""
    if spans == 1:
        return f"{type_name(type_)}: 1 in 1 row {_DONE[action][0]}"
    many = "1 row" if rows == 1 else f"{rows} rows"
    return f"{type_name(type_)}: {spans} in {many} {_DONE[action][1]}, this one first"


def _problems(findings: Sequence[PrivacyFinding], rules: _Rules) -> Iterator[Problem]:
    """One for each file and type, at the first row that has it."""
    groups: dict[tuple[str, FoundType], list[PrivacyFinding]] = {}
    for found in findings:
        groups.setdefault((found.file, found.type), []).append(found)
    for (file, type_), alike in groups.items():
        rows = len({item.row for item in alike})
        action = rules.action[type_]
        yield Problem(
            level="warning",
            file=file,
            row=alike[0].row,
            key=alike[0].key,
            message=found_line(type_, len(alike), rows, action),
            hint=mend_of(type_) if action == "report" else "",
        )
