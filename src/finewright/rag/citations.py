"""What an answer cites, checked against the passages it was given.

A quote is looked for, word for word, in the passage that is cited beside it, `[2] "the words"` or
`"the words" [2]`, and without a number in all. Not covered: whether the words mean what is made of them."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from finewright.judge.quotes import quoted_spans, supported

_NUMBERS = r"(?<!\w)\[([0-9]{1,3}(?:,\s*[0-9]{1,3})*)\]"
_CITED = re.compile(_NUMBERS)
_OPENING = r"[\"“„«\s>:-]*"
_CLOSING = r"[\"”“»\s.,;:]*"


class Quote(NamedTuple):
    """Words that an answer quotes, the passages it says they are from, and those they do stand in."""

    text: str
    cited: tuple[int, ...]
    found: tuple[int, ...]

    @property
    def is_verified(self) -> bool:
        """Do the words stand where they are said to, or anywhere if that is not said?"""
        return bool(set(self.cited) & set(self.found)) if self.cited else bool(self.found)


def quotes(answer: str, passages: Sequence[str]) -> list[Quote]:
    """What the answer quotes, each span once by what it cites; passages are numbered from 1."""
    found: dict[tuple[str, tuple[int, ...]], Quote] = {}
    for span in quoted_spans(answer):
        places = tuple(n for n, text in enumerate(passages, 1) if supported(span, [text]))
        cited = tuple(dict.fromkeys(_beside(span, answer)))
        found[span, cited] = Quote(span, cited, places)
    return list(found.values())


def cited(answer: str) -> list[int]:
    """The numbers that the answer cites, in their order, each once."""
    return list(dict.fromkeys(_numbers(_CITED.finditer(answer))))


def _beside(span: str, answer: str) -> Iterator[int]:
    """The numbers just before the span or, where there are none, just after it."""
    words = r"\s+".join(map(re.escape, span.split()))
    before = list(_numbers(re.finditer(rf"{_NUMBERS}{_OPENING}{words}", answer)))
    yield from before or _numbers(re.finditer(rf"{words}{_CLOSING}{_NUMBERS}", answer))


def _numbers(matches: Iterator[re.Match[str]]) -> Iterator[int]:
    for match in matches:
        yield from (int(number) for number in match[1].split(","))
