"""Phrases that many answers share: beginnings, ends, and whole sentences."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from finewright.data.quality.figures import bar
from finewright.rows.texts import answer_text
from finewright.schema.quality import Bar, Figure
from finewright.schema.rows import Row

# Also the ends of Chinese and Japanese sentences, the full-width stop and marks.
_SENTENCE = re.compile(r"[^.!?\u3002\uff01\uff1f\n]+[.!?\u3002\uff01\uff1f]*")
_EDGE_WORDS = 4
_FEWEST_WORDS = 4
_FEWEST_LETTERS = 16
_LONGEST = 200
_FEWEST_ROWS = 5
_SHARE = 0.05
_MOST_SHOWN = 15
# Phrases of all answers of a large set would not fit in memory, and a share is as well told by a part.
_MOST_READ = 20_000


def boilerplate(rows: Sequence[Row]) -> Figure:
    """What at least 5 % of the answers, and 5 of them, share: their first or last four words, or a
    sentence of four words or more. Answers that are equal as a whole count once.

    What answers of a fixed form share is meant; a phrase that is not teaches a mannerism. Of more than
    20,000 different answers, as many are read, evenly spread; the figure says of how many."""
    answered = _spread(_distinct(row for row in rows if not row.is_prompt))
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in answered:
        for key in set(_phrases(answer_text(row))):
            found[key].append(row)
    fewest = max(_FEWEST_ROWS, math.ceil(_SHARE * len(answered)))
    shared = {key: rows for key, rows in found.items() if len(rows) >= fewest}
    return Figure(
        name="boilerplate",
        title="Phrases that many answers share",
        about="Shared by at least 5 % of the different answers, and by 5: the first four words, the "
        "last four, or a sentence.",
        kind="bars",
        rows=len(answered),
        bars=tuple(_shown(shared))[:_MOST_SHOWN],
    )


def _shown(shared: dict[tuple[str, str], list[Row]]) -> Iterator[Bar]:
    """The most shared first; a beginning or an end is left out where its whole sentence is as common."""
    sentences = [(text, rows) for (kind, text), rows in shared.items() if kind == "says"]
    for (kind, text), rows in sorted(shared.items(), key=lambda item: (-len(item[1]), item[0])):
        is_part = kind != "says" and any(
            text in sentence and len(others) >= len(rows) for sentence, others in sentences
        )
        if not is_part:
            yield bar(f"{kind}: {text}", rows)


def _phrases(text: str) -> Iterator[tuple[str, str]]:
    words = text.split()
    if len(words) > _EDGE_WORDS:
        yield "begins", " ".join(words[:_EDGE_WORDS])
        yield "ends", " ".join(words[-_EDGE_WORDS:])
    for match in _SENTENCE.finditer(text):
        sentence = " ".join(match[0].split())
        if (
            len(sentence.split()) >= _FEWEST_WORDS
            and sum(map(str.isalpha, sentence)) >= _FEWEST_LETTERS
        ):
            yield "says", sentence[:_LONGEST]


def _spread(rows: list[Row]) -> list[Row]:
    step = max(1, math.ceil(len(rows) / _MOST_READ))
    return rows[::step]


def _distinct(rows: Iterable[Row]) -> list[Row]:
    return list({answer_text(row): row for row in rows if answer_text(row).strip()}.values())
