"""What becomes of rows with personal data or secrets: told of, changed, or left out.

What is looked for, and in which texts: `finewright.guard.privacy.texts`."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from finewright.guard.privacy.find import SECRETS, list_known_types
from finewright.guard.privacy.pseudonyms import digest
from finewright.guard.privacy.replace import ReplacedSpan, redact
from finewright.guard.privacy.texts import CheckedText, FoundInText, PrivacyRules, restate
from finewright.guard.privacy.unspaced import unread_scripts_in
from finewright.guard.privacy.wording import describe_found, mask, mend_of, type_name
from finewright.rows.notes import CheckOutcome, Dropped
from finewright.rows.texts import numbers, passages, with_texts
from finewright.schema.common import Problem, RowCounts
from finewright.schema.privacy import (
    FoundType,
    PersonalDataSpec,
    PrivacyFinding,
    PrivacyReport,
    SecretsSpec,
    TypeCount,
)
from finewright.schema.rows import Row

_AT_ONCE = 1_000
Place = tuple[str, int]
"""The file and number of a row."""


class PrivacyOutcome(NamedTuple):
    """The rows that go on, those that do not, and the report."""

    outcome: CheckOutcome
    report: PrivacyReport


def apply(
    rows: Sequence[Row],
    personal: PersonalDataSpec,
    secrets: SecretsSpec,
    key: bytes,
    among: Set[Place] | None = None,
) -> PrivacyOutcome:
    """Find, and do what the two specs say. `key` makes pseudonyms and digests: see `key_file`.

    `among` are the places of all rows that hold something, where somebody looked before: no other is looked
    at. The report has the place of everything found, and no value: a digest under the key, and a mask."""
    rules = PrivacyRules(personal, secrets, key)
    kept: list[Row] = []
    dropped: list[Dropped] = []
    findings: list[PrivacyFinding] = []
    changed = 0
    for row, texts in zip(rows, _check_texts(rows, rules, among), strict=True):
        if not texts:
            kept.append(row)
            continue
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
            new = _replace_values(row, {(text.key, text.value): text.new for text in texts})
            changed += new is not row
            has_stand_ins = "pseudonymise" in personal.actions.values() and new is not row
            kept.append(replace(new, keyless=_keyless(row, texts, rules)) if has_stand_ins else new)
    has_tagger = "name" in rules.types and rules.ner is None
    problems = (*_problems(findings, rules), *(_unread_scripts(rows) if has_tagger else ()))
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


def _check_texts(
    rows: Sequence[Row], rules: PrivacyRules, among: Set[Place] | None
) -> Iterator[list[CheckedText]]:
    """What is found in the texts of each row; the signs are told of the texts of many at once."""
    for first in range(0, len(rows), _AT_ONCE):
        said = [
            [*passages(row), *numbers(row)] if among is None or (row.file, row.row) in among else []
            for row in rows[first : first + _AT_ONCE]
        ]
        signs = iter(rules.signs([passage for of_row in said for passage in of_row]))
        for of_row in said:
            its_signs = list(islice(signs, len(of_row)))
            yield rules.texts(of_row, its_signs) if any(its_signs) else []


def _keyless(row: Row, texts: Sequence[CheckedText], rules: PrivacyRules) -> Row:
    return _replace_values(
        row, {(each.key, each.value): restate(each, rules.keyless) for each in texts}
    )


def _replace_values(row: Row, new: Mapping[tuple[str, str], str]) -> Row:
    if all(value == stands for (_, value), stands in new.items()):
        return row
    return with_texts(row, lambda passage: new.get((passage.key, passage.text), passage.text))


def _dropping(texts: Sequence[CheckedText], rules: PrivacyRules) -> list[FoundType]:
    types = {place.span.type for text in texts for at in text.found for place in at.places}
    return sorted(type_ for type_ in types if rules.action[type_] == "drop")


def _drop_reason(texts: Sequence[CheckedText], rules: PrivacyRules) -> str:
    found = _dropping(texts, rules)
    if not found:
        return ""
    return "secret" if SECRETS.intersection(found) else "personal_data"


def _why(texts: Sequence[CheckedText], rules: PrivacyRules) -> str:
    return f"it holds {', '.join(type_name(type_) for type_ in _dropping(texts, rules))}"


def _findings(
    row: Row, at: FoundInText, rules: PrivacyRules, reason: str
) -> Iterator[PrivacyFinding]:
    # A key of an object may itself be an address or a token.
    key = redact(row.key_in_file(at.key), list_known_types())
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
            preview=mask(span.type, value),
            is_retyped=at.is_retyped,
        )


def _new_place(place: ReplacedSpan, reason: str) -> dict[str, int | None]:
    if reason:
        return {"new_start": None, "new_end": None}
    return {"new_start": place.start, "new_end": place.end}


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


def _problems(findings: Sequence[PrivacyFinding], rules: PrivacyRules) -> Iterator[Problem]:
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
            message=describe_found(
                type_, len(alike), rows, action, sum(item.is_retyped for item in alike)
            ),
            hint=mend_of(type_) if action == "report" else "",
        )


def _unread_scripts(rows: Sequence[Row]) -> Iterator[Problem]:
    """One warning a script, with the number of rows that are written in it and the first of them."""
    counts: Counter[str] = Counter()
    first: dict[str, Row] = {}
    for row in rows:
        text = " ".join(said.text for said in passages(row))
        for name in unread_scripts_in(text):
            counts[name] += 1
            first.setdefault(name, row)
    for name, number in counts.items():
        what = "1 row is" if number == 1 else f"{number} rows are"
        yield Problem(
            level="warning",
            file=first[name].file,
            row=first[name].row,
            message=f"{what} in {name}, this one first, whose names nobody reads here",
            hint="a pipeline that reads the language finds them: --ner, or data.personal_data.ner in a spec",
        )
