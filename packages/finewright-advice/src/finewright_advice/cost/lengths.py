"""How long a row is, and what its characters say of that."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from finewright.schema.common import Problem
from finewright.schema.cost import Range, TokensTier
from finewright.schema.rows import Row, content_of

# Characters of a token: prose in English to code and other scripts; and what a template adds to a turn.
CHARACTERS = Range(low=2.8, median=3.8, high=4.8)
_TEMPLATE_TOKENS = 6


class Length(NamedTuple):
    """Tokens of a row, of its longest sequence, how many are learned, and how many run through the model, as
    a pair's prompt runs once. An expected length need not be whole."""

    tokens: float
    sequence: float
    learned: float
    run: float

    def scale(self, rate: float) -> "Length":
        """All of it at another rate."""
        return Length(*(rate * tokens for tokens in self))

    def cut(self, most: int) -> "Length":
        """With sequences of at most so many tokens."""
        return self if self.sequence <= most else self.scale(most / self.sequence)


class Lengths(NamedTuple):
    """The rows that train, by what they were counted, how far the sum of their `run` may be off, as a share
    of it, and what is said."""

    rows: list[Length]
    tier: TokensTier
    error: float = 0.0
    problems: tuple[Problem, ...] = ()


def reckon_length(row: Row) -> Length:
    """By its characters and turns."""
    sides = [side for side in (row.messages, row.rejected) if side is not None]
    each = [_tokens_of(side) for side in sides]
    learned = _tokens_of([m for side in sides for m in side if m["role"] == "assistant"])
    again = _tokens_of(row.prompt) * (len(sides) - 1) if len(sides) > 1 else 0
    return Length(sum(each), max(each), learned, sum(each) - again)


def reckon_windows(row: Row, most: int) -> Iterator[Length]:
    """The windows of at most so many tokens into which a document is cut, by its characters."""
    left = round(len(content_of(row.messages[0])) / CHARACTERS.median) + 2
    while left > 1:
        size = min(left, most)
        yield Length(size, size, size - 1, size)
        left -= size - 1


def _tokens_of(messages: Sequence[dict[str, object]]) -> int:
    characters = sum(len(content_of(message)) for message in messages)
    return round(characters / CHARACTERS.median) + _TEMPLATE_TOKENS * len(messages)
