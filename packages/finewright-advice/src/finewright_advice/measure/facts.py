"""Facts that change: which value of an answer is a fact, what else it could have been, and who follows.

A fact is a value in an answer that stands in the documents that answer the question: a number with its sign
(`$25.00`, `5.5%`, `30`), or a name in backticks. It is changed into another answer's value of the same kind
in every one of those documents."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from finewright.evaluate.arms import answer_of, gold_of, order_by_chance
from finewright.schema.rows import Row

_NUMBER = r"(?P<sign>[$€£]?)(?P<digits>\d+(?:,\d{3})*(?:\.\d+)?)(?P<share>%?)"
_FACT = re.compile(
    rf"(?<![\w$€£])(?<!\d[.,]){_NUMBER}(?![\w%])(?![.,]\d)|`(?P<name>[^`\s]{{2,60}})`"
)
_ALONE = re.compile(r"(?<!\w)(?<!\d[.,])\d+(?:,\d{3})*(?:\.\d+)?")
_NAME_MARK = "`"
_FEWEST_DIGITS = 2


class Value(NamedTuple):
    """A value as it is written, and what kind of value it is."""

    text: str
    kind: str


class Change(NamedTuple):
    """A row whose fact is changed, from what to what, and in which documents."""

    row: Row
    old: str
    new: str
    documents: tuple[str, ...]


class Edit(NamedTuple):
    """What is changed, the documents as they are then, and as many rows whose facts stay."""

    changes: tuple[Change, ...]
    documents: dict[str, str]
    unchanged: tuple[Row, ...]


def values_of(text: str) -> Iterator[Value]:
    """The values of a text that can be changed without changing what else it says.

    A digit alone is none: it numbers lists and pages as well."""
    for found in _FACT.finditer(text):
        if found["name"]:
            yield Value(found[0], "name")
        elif found["sign"] or found["share"] or len(found["digits"]) >= _FEWEST_DIGITS:
            places = "." in found["digits"]
            yield Value(found[0], f"{found['sign']}{'.' if places else ''}{found['share']}")


def stands(value: str, text: str) -> bool:
    """Whether the value stands in the text, and not as a part of another."""
    return _pattern_of_value(value).search(text) is not None


def says(answer: str, value: str) -> bool:
    """Whether an answer gives the value. A number counts however it is written, $200 is $200.00; a name, and
    a number within one, does not."""
    if stands(value, answer):
        return True
    wanted = None if value.startswith(_NAME_MARK) else _amount(value)
    return wanted is not None and any(
        _amount(found[0]) == wanted for found in _ALONE.finditer(answer)
    )


def edit(rows: Sequence[Row], documents: Mapping[str, str], count: int, seed: int) -> Edit:
    """Change the facts of up to `count` rows, drawn by the seed, and name as many whose facts stay.

    No document is changed for two facts, and no row of `unchanged` is answered by a changed one. Rows
    without a fact in all of their gold documents are left out."""
    ordered = order_by_chance(rows, seed, "facts")
    pool = [value for row in ordered for value in values_of(answer_of(row))]
    changes: list[Change] = []
    edited: dict[str, str] = {}
    for row in ordered:
        if len(changes) == count:
            break
        gold = gold_of(row)
        value = _fact(row, documents)
        if value is None or not edited.keys().isdisjoint(gold):
            continue
        texts = {id: documents[id] for id in gold}
        turn = len(changes)
        new = _other(value, [*pool[turn:], *pool[:turn]], [*texts.values()])
        changes.append(Change(row, value.text, new, gold))
        edited |= {id: _replace_value(text, value.text, new) for id, text in texts.items()}
    unchanged = _rows_of_unchanged_facts(ordered, documents, edited)
    return Edit(tuple(changes), edited, tuple(unchanged[: len(changes)]))


def _rows_of_unchanged_facts(
    rows: Sequence[Row], documents: Mapping[str, str], edited: Mapping[str, str]
) -> list[Row]:
    """The rows with a fact none of whose documents was changed."""
    return [
        row
        for row in rows
        if _fact(row, documents) is not None and edited.keys().isdisjoint(gold_of(row))
    ]


def _fact(row: Row, documents: Mapping[str, str]) -> Value | None:
    """The first value of the answer that stands in every gold document."""
    gold = gold_of(row)
    if not gold or any(id not in documents for id in gold):
        return None
    values = values_of(answer_of(row))
    return next((v for v in values if all(stands(v.text, documents[id]) for id in gold)), None)


def _other(value: Value, pool: Sequence[Value], texts: Sequence[str]) -> str:
    """Another answer's value of the kind that the documents do not hold; else one of other characters."""
    for other in pool:
        is_other = other.kind == value.kind and not says(other.text, value.text)
        if is_other and not any(stands(other.text, text) for text in texts):
            return other.text
    if value.kind == "name":
        return f"{value.text[:-1]}Other`"
    return re.sub(r"\d", lambda digit: str(int(digit[0]) % 9 + 1), value.text)


def _replace_value(text: str, old: str, new: str) -> str:
    return _pattern_of_value(old).sub(lambda _: new, text)


def _pattern_of_value(value: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w$€£])(?<!\d[.,]){re.escape(value)}(?![\w%])(?![.,]\d)")


def _amount(text: str) -> Decimal | None:
    digits = re.sub(r"[^\d.]", "", text)
    return Decimal(digits).normalize() if re.fullmatch(r"\d+(?:\.\d+)?", digits) else None
