"""Held-out rows that are training rows with other values: a template that was trained on, filled in anew.

A value of a question is a word with a digit (a number, a date, an address), or one with a capital letter
that the answer copies. A value of an answer is such a word that its question has: a figure that stands in no
question is knowledge, not a value. Where the answer has at least four words beside its values (keys of JSON,
a sentence), every capitalised word inside a line of the question may be a name, and counts as a value too.

Chosen on ERC-7730: 90 of 90 rows of functions that train are found, and 0 of 75 of functions and protocols
that do not. Elsewhere: sql 0 of 346, bank-facts 0 of 100; tool-calls 4 of 1238, which ask the same to the
letter; natspec-docs 4 of 175, each the question about a sister contract. Not covered: the same template in
other words (`near` rows, paraphrases), and names in lower case."""

import json
import re
from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple

from finewright.judge.calls import name_of_tool
from finewright.rows.identity import with_expected
from finewright.schema.rows import Message, Row, calls_of, content_of

# What stands between white space, quotes, brackets and the signs of JSON, of assignments and of lists.
# Of signs those that compare: another one asks for another thing.
_TOKEN = re.compile(r"[!=<>]=|(?<=\s)[<>](?=\s)|&&|\|\||[^\s\"'`(),;:{}\[\]=<>|*/]+")
_COMPARISONS = frozenset(("!=", "==", "<=", ">=", "<", ">", "&&", "||"))
_AROUND = ".!?-_$€£%+#@…\u2018\u2019\u201c\u201d"
_LINE = re.compile(r"\n|(?<=[.!?])\s")
_DECIMAL = re.compile(r"\d+\.\d+")
_DIGIT = re.compile(r"\d")
_VALUE = "#"
_FEWEST_WORDS = 4


class Template(NamedTuple):
    """What stays of a row when its values are taken out; rows of one template differ in values alone."""

    question: tuple[str, ...]
    answered: tuple[str, ...]
    tools: tuple[str, ...]


class _Word(NamedTuple):
    text: str
    is_first: bool

    @property
    def may_be_value(self) -> bool:
        """Whether it has a digit or a capital letter."""
        return bool(_DIGIT.search(self.text)) or any(map(str.isupper, self.text))


def of_known_templates(train: Sequence[Row], held_out: Sequence[Row]) -> dict[int, int]:
    """Place of each held-out row that has the template of a training row -> the first such training row.

    System prompts are no part of it. A row that expects nothing has no template."""
    known: dict[Template, int] = {}
    for i, row in enumerate(train):
        if template := template_of(row):
            known.setdefault(template, i)
    found = ((i, template_of(row)) for i, row in enumerate(held_out))
    return {i: known[template] for i, template in found if template in known}


def _is_value(word: _Word, in_answer: Set[str], *, has_names: bool) -> bool:
    is_name = has_names and not word.is_first and word.text[0].isupper()
    is_copied = word.text in in_answer and word.may_be_value
    return is_name or is_copied or bool(_DIGIT.search(word.text))


def template_of(row: Row) -> Template | None:
    """The row's template; None where nothing is expected, or nothing asked."""
    expected = with_expected(row)
    at = expected.answer_at if expected else None
    if expected is None or not at:
        return None
    before = [turn for turn in expected.messages[:at] if turn["role"] != "system"]
    question_words = [word for turn in before for word in _words_of_turn(turn)]
    answered = _words_of_turn(expected.messages[at])
    if not question_words:
        return None
    in_question, in_answer = ({word.text for word in words} for words in (question_words, answered))
    kept = _collapse_values(
        _VALUE if word.may_be_value and word.text in in_question else word.text.casefold()
        for word in answered
    )
    has_names = sum(word != _VALUE for word in kept) >= _FEWEST_WORDS
    question = _collapse_values(
        _VALUE if _is_value(word, in_answer, has_names=has_names) else word.text.casefold()
        for word in question_words
    )
    return Template(question, kept, tuple(name_of_tool(tool) for tool in row.tools or ()))


def _words_of_turn(turn: Message) -> list[_Word]:
    """The words of a turn: what it says, and its calls with their keys and values."""
    texts = [content_of(turn)]
    for call in calls_of(turn):
        function = call["function"]
        arguments = function.get("arguments") or ""
        written = (
            arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        )
        texts += [str(function.get("name")), written]
    return [word for text in texts for line in _LINE.split(text) for word in _split_line(line)]


def _split_line(line: str) -> list[_Word]:
    texts = [text for text in map(_strip_signs, _TOKEN.findall(line)) if text]
    return [_Word(text, i == 0) for i, text in enumerate(texts)]


def _strip_signs(token: str) -> str:
    """Without signs around it; a number has no trailing zeros, so that 7.0 is 7."""
    if token in _COMPARISONS:
        return token
    text = token.strip(_AROUND)
    return text.rstrip("0").rstrip(".") if _DECIMAL.fullmatch(text) else text


def _collapse_values(words: Iterable[str]) -> tuple[str, ...]:
    """Values in a row are one, as an amount and its token are."""
    kept: list[str] = []
    for word in words:
        if word != _VALUE or kept[-1:] != [_VALUE]:
            kept.append(word)
    return tuple(kept)
