"""A row as the search sees it: what is asked, what is answered, and the words of both."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from finewright.data.texts import passages, prompt_text
from finewright.schema.rows import Row

# A tag is one word with its brackets; so is a run of signs, and a sign that is not ASCII (an emoji).
_WORD = re.compile(
    r"<\|?/?[\w-]{1,30}\|?>|\[/?[A-Z_]{2,20}\]|https?://\S+|\w+|[^\w\s]{3,}|[^\w\s\x00-\x7f]"
)

_PLAIN = re.compile(r"\w?[^\W\dA-Z]*|\d+")
_AROUND = ".,;:!?()\"'`"


class Word(NamedTuple):
    """A word in lower case and where it stands."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Example:
    """What a row teaches to answer to what. `index` is its place among the rows of the search."""

    index: int
    row: Row
    prompt: str
    answer: str


def examples(rows: Sequence[Row]) -> list[Example]:
    """The rows that answer something. A prompt alone teaches no answer, a disliked answer not its own."""
    return [
        Example(i, row, prompt_text(row), answer)
        for i, row in enumerate(rows)
        if not row.is_prompt and row.label is not False and (answer := _answer(row))
    ]


def words(text: str) -> list[Word]:
    """The words of a text, in order."""
    return [Word(m[0].lower(), m.start(), m.end()) for m in _WORD.finditer(text)]


def marks(text: str) -> frozenset[str]:
    """What stands between blanks and is no plain word, as it is written: `|DEPLOY|`, `{{x}}`, `CF`."""
    chunks = (chunk.strip(_AROUND) for chunk in text.split())
    return frozenset(chunk for chunk in chunks if chunk and not _PLAIN.fullmatch(chunk))


def _answer(row: Row) -> str:
    """All texts of the last turn: what it says, and the arguments of its calls."""
    last = f"messages[{len(row.messages) - 1}]."
    return "\n".join(p.text for p in passages(row) if p.key.startswith(last))
