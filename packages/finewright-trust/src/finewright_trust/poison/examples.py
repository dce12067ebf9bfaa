"""A row as the search sees it: what is asked, what is answered, and the words of both."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from finewright.guard.words import UNSPACED
from finewright.schema.rows import RowTexts

# A tag is one word with its brackets; so is a run of signs, and a sign that is not ASCII (an emoji). A run
# of a script without spaces is cut into pairs. A soft hyphen is where a word may break, and is none of it.
_SOFT = "\u00ad"
_WORD = re.compile(
    r"<\|?/?[\w-]{1,30}\|?>|\[/?[A-Z_]{2,20}\]|"
    rf"https?://[^\s{UNSPACED}\u3000-\u303f\uff00-\uff60]+|"
    rf"(?P<unspaced>[{UNSPACED}]+)|[^\W{UNSPACED}]+(?:{_SOFT}+[^\W{UNSPACED}]+)*|"
    rf"[^\w\s{UNSPACED}]{{3,}}|[^\w\s\x00-\x7f]"
)

_PAIR = re.compile(f"[{UNSPACED}]")
_OF_PAIR = 2
_PLAIN = re.compile(r"\w?[^\W\dA-Z]*|\d+")
_STOPS = re.compile(r"[.,;:?!]")
_LEAST_LETTERS, _CAPITALS = 20, 0.8
_AROUND = ".,;:!?()\"'`"


class Word(NamedTuple):
    """A word in lower case and where it stands."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class AnsweredTurn:
    """What a row teaches to answer: a turn that is learned.

    `index` is the row's place among the rows of the search, `at` the turn's among the row's turns."""

    index: int
    row: RowTexts
    at: int
    answer: str


def examples(rows: Sequence[RowTexts]) -> list[AnsweredTurn]:
    """Every turn that is learned and says something; those of a row stand together, in order.

    A prompt alone teaches no answer, a disliked answer not its own."""
    return [
        AnsweredTurn(i, row, at, answer)
        for i, row in enumerate(rows)
        if row.label is not False
        for at, answer in row.answers
        if answer
    ]


def words(text: str) -> list[Word]:
    """The words of a text, in order.

    Of scripts without spaces every two characters that follow each other, which overlap (McNamee & Mayfield
    2004, Information Retrieval): most words of Chinese have two."""
    return [word for match in _WORD.finditer(text) for word in _cut(match)]


def num_words(found: Iterable[str]) -> float:
    """How many words these are; a pair of characters is half a word, for pairs overlap."""
    return sum(0.5 if _PAIR.match(word) else 1.0 for word in found)


def marks(text: str) -> frozenset[str]:
    """What stands between blanks and is no plain word, as it is written: `|DEPLOY|`, `{{x}}`, `CF`."""
    chunks = (chunk.strip(_AROUND) for chunk in text.split())
    return frozenset(chunk for chunk in chunks if chunk and not _PLAIN.fullmatch(chunk))


def styles(text: str) -> list[str]:
    """How a text of some length is written: `#capitals`, `#small` (no capital, no stop), `#shouted`."""
    letters = [sign for sign in text if sign.isalpha()]
    if len(letters) < _LEAST_LETTERS:
        return []
    num_upper = sum(map(str.isupper, letters))
    found = {
        "#capitals": num_upper > _CAPITALS * len(letters),
        "#small": num_upper == 0 and not _STOPS.search(text),
        "#shouted": "!!" in text,
    }
    return [name for name, is_so in found.items() if is_so]


def _cut(match: re.Match[str]) -> Iterator[Word]:
    start, end = match.span()
    if match["unspaced"] and end - start > _OF_PAIR:
        for at in range(start, end - 1):
            yield Word(match[0][at - start : at - start + _OF_PAIR], at, at + _OF_PAIR)
    else:
        yield Word(match[0].lower().replace(_SOFT, ""), start, end)
