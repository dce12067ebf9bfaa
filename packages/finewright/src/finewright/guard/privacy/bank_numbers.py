"""Sort codes, account numbers, PINs, card security codes, BICs and customer numbers, by the word before them.

Forms and words are `catalog/bank_numbers.yaml`. The word stands right before the number, with nothing between
but signs and words such as `is`; or in the question that a short text answers. Not covered: a word after the
number, several numbers after one word, and numbers that are spelled out."""

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import NamedTuple

from finewright.catalog.bank_numbers import BankNumberRule, bank_number_rules
from finewright.guard.privacy.scan import PersonalSpan, Recogniser, Scan, Sign, recogniser, words

_REACH = 60
SHORT_ANSWER = 60
"""A text of up to so many characters may answer "Your PIN?", and has no word itself."""
# A date, a sum, a version or a longer row of numbers goes on there.
_GOES_ON = re.compile(r"[-./:,'][0-9]|[ \u00a0\u202f]?[%€$£¥]")
_IS_AMID = re.compile(r"[0-9][-./:,']$|[€$£¥][ \u00a0]?$")


class _Form(NamedTuple):
    rule: BankNumberRule
    spellings: tuple[str, ...]
    number: re.Pattern[str]
    before: re.Pattern[str]


def recognisers() -> tuple[Recogniser, ...]:
    """Every type of the catalog."""
    types = dict.fromkeys(form.rule.type for form in _forms())
    return (recogniser(recognise, *types, sign=Sign.BANK),)


def recognise(scan: Scan) -> Iterator[PersonalSpan]:
    """Numbers that the word right before them names."""
    is_short = len(scan.text) <= SHORT_ANSWER
    said = scan.leading(len(scan.text), 2 * SHORT_ANSWER) if is_short else scan.lower
    for form in _forms():
        if not any(spelling in said for spelling in form.spellings):
            continue
        for match in form.number.finditer(scan.text):
            if _is_whole(scan, *match.span()) and _is_named(scan, match, form):
                why = f"called a {form.rule.type.replace('_', ' ')}"
                yield PersonalSpan(*match.span(), form.rule.type, 0.95, why)


def spellings() -> frozenset[str]:
    """All that a text with such a number has one of, in lower case."""
    return frozenset(spelling for form in _forms() for spelling in form.spellings)


@cache
def _forms() -> tuple[_Form, ...]:
    rules = bank_number_rules()
    link = "|".join(re.escape(one) for one in sorted(rules.links, key=len, reverse=True))
    return tuple(
        _Form(
            rule,
            tuple({word.replace(" ", gap) for word in rule.words for gap in (" ", "-", "_", "")}),
            re.compile(rule.form),
            re.compile(
                rf"{_named(rule.words)}[^\w\n]{{0,4}}\n?(?:(?:{link})[^\w\n]{{0,4}}){{0,4}}$"
            ),
        )
        for rule in rules.kinds
    )


def _named(names: tuple[str, ...]) -> str:
    ordered = sorted(names, key=len, reverse=True)
    return words(*(re.escape(name).replace(r"\ ", "[ _-]?") for name in ordered)).pattern


def _is_whole(scan: Scan, start: int, end: int) -> bool:
    is_part = _GOES_ON.match(scan.text, end) or _IS_AMID.search(
        scan.text[max(0, start - 2) : start]
    )
    return scan.is_alone(start, end) and not is_part


def _is_named(scan: Scan, match: re.Match[str], form: _Form) -> bool:
    """Whether the word is right before it, and its check takes it."""
    if not form.before.search(scan.leading(match.start(), _REACH)):
        return False
    check = form.rule.check
    return not check or bool(import_module(f"stdnum.{check}").is_valid(match[0]))
