"""What rows ask, without what many of them ask besides: the task, the tools that there are."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from finewright.rows.texts import parts_of
from finewright.schema.rows import Row, RowParts

_END = re.compile(r"\n+|(?<=[.!?:])\s+")
_WORD = re.compile(r"\w+")
_LONG, _MANY = 5, 10
_MOST_USUAL = 200
_NEARLY = 0.6


class OwnQuestions:
    """Knows the usual clauses of the rows that train: of five words and more, in more than ten rows; at most
    200."""

    def __init__(self, train: Sequence[Row]) -> None:
        found = Counter(clause for row in train for clause in _long_clauses(parts_of(row).prompt))
        usual = [clause for clause, num in found.most_common(_MOST_USUAL) if num > _MANY]
        self._known = dict.fromkeys(usual, True)
        self._words = [_words_of(clause) for clause in usual]

    def __call__(self, row: Row) -> RowParts:
        """The row with its own question alone: all that it asks where it has no own clause."""
        parts = parts_of(row)
        own = [
            "".join(c for c in _split(text) if not self._is_usual(c.strip()))
            for text in parts.prompt
        ]
        questions = own if any(map(str.strip, own)) else parts.prompt
        return parts._replace(prompt=questions)

    def _is_usual(self, clause: str) -> bool:
        """Is it a usual clause, or one of five words and more nearly so?"""
        if clause not in self._known and self._words:
            words = _words_of(clause)
            self._known[clause] = len(words) >= _LONG and any(
                len(words & usual) >= _NEARLY * max(len(words), len(usual)) for usual in self._words
            )
        return self._known.get(clause, False)


def _split(text: str) -> Iterator[str]:
    """The clauses, each with the space after it."""
    ends = [match.end() for match in _END.finditer(text)]
    return (text[start:end] for start, end in pairwise([0, *ends, len(text)]))


def _long_clauses(texts: Sequence[str]) -> set[str]:
    clauses = (clause.strip() for text in texts for clause in _split(text))
    return {clause for clause in clauses if len(clause.split()) >= _LONG}


def _words_of(clause: str) -> frozenset[str]:
    return frozenset(_WORD.findall(clause.lower()))
