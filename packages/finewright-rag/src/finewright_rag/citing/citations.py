"""What an answer cites, checked against the passages it was given.

A quote is looked for, word for word, in the passage that is cited beside it, `[2] "the words"` or
`"the words" [2]`, and without a number in all. On one line a number belongs to the words after it. Not
covered: whether the words mean what is made of them."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from finewright.judge.quotes import find_quotes, stands_in_passages

_NUMBERS = r"(?<!\w)\[([0-9]{1,3}(?:,\s*[0-9]{1,3})*)\]"
_CITED = re.compile(_NUMBERS)
_OPENING = r"[\"“„«\s>:-]*"
_CLOSING = r"[\"”“» \t.,;:]*"
# A block quote may hold its own citation.
_QUOTED = re.compile(rf"(?:{_NUMBERS}{_OPENING})?(.+?)(?:[\"”“»\s]*{_NUMBERS}[\s.]*)?", re.DOTALL)


class CitedQuote(NamedTuple):
    """Words that an answer quotes, the passages it says they are from, and those they do stand in."""

    text: str
    cited: tuple[int, ...]
    found: tuple[int, ...]

    @property
    def is_verified(self) -> bool:
        """Whether the words stand where they are said to, or anywhere if that is not said."""
        return bool(set(self.cited) & set(self.found)) if self.cited else bool(self.found)


def quotes(answer: str, passages: Sequence[str]) -> list[CitedQuote]:
    """What the answer quotes, each span once by what it cites; passages are numbered from 1."""
    found: dict[CitedQuote, None] = {}
    for span in dict.fromkeys(_strip_citation(span, passages) for span in find_quotes(answer)):
        places = tuple(n for n, text in enumerate(passages, 1) if stands_in_passages(span, [text]))
        # The answer may say again, without marks, what it has quoted.
        for numbers in [cited for cited in _beside(span, answer) if cited] or [()]:
            found[CitedQuote(span, numbers, places)] = None
    return list(found)


def find_citations(answer: str) -> list[int]:
    """The numbers that the answer cites, in their order, each once."""
    every = (number for match in _CITED.finditer(answer) for number in _numbers(match[1]))
    return list(dict.fromkeys(every))


def _strip_citation(span: str, passages: Sequence[str]) -> str:
    """The span, without what it cites unless that is of a passage too."""
    found = _QUOTED.fullmatch(span)
    if found is None or not (found[1] or found[3]) or stands_in_passages(span, passages):
        return span
    return found[2].strip('"“”„«» ')


def _beside(span: str, answer: str) -> list[tuple[int, ...]]:
    """What is cited wherever the span stands: before it on its line, else after it, else before that line."""
    words = r"\s+".join(map(re.escape, span.split()))
    places = re.finditer(
        rf"(?:{_NUMBERS}({_OPENING}))?{words}(?:(?={_CLOSING}{_NUMBERS}))?", answer
    )
    return [
        _numbers((place[3] if "\n" in (place[2] or "") else "") or place[1] or place[3] or "")
        for place in places
    ]


def _numbers(listed: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(int(number) for number in re.findall("[0-9]+", listed)))
