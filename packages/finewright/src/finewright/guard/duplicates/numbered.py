"""Rows as columns of numbered tokens: what repeats are found by."""

from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from finewright.guard.duplicates.telling import is_mostly_words, telling_sentences
from finewright.guard.duplicates.words import (
    ANSWERED_PLACE,
    END_PLACE,
    MOST_KNOWN,
    PROMPT_PLACE,
    Wordings,
    digest_of,
    facts_of,
    fold_spaces,
    mix_bits,
    uncapital,
    vocabulary_of_thread,
)
from finewright.rows.identity import canonical
from finewright.schema.rows import RowParts

SENTENCE_END = 0
"""The number, which no word has, behind each sentence of an answer."""


def number_rows(rows: Iterable[RowParts], *, keyed: bool = True) -> Wordings:
    """The rows in columns; a `SENTENCE_END` stands behind each sentence of an answer.

    `texts` are equal where all that counts is. Rows of other `keys` are no repeats: a key has the numbers in
    the row and how much is asked and answered, and where it is `keyed` the system prompt and the label. Of a
    row that is mostly signs both have all of its text, for what they say no words tell."""
    known, places, num_before = vocabulary_of_thread(), array("i"), 0
    starts, answers = [0], list[int]()
    parts, spelled = [np.empty(0, np.uint32)], dict[int, str]()
    keys, rests = list[int](), list[int]()
    for row in rows:
        places.append(PROMPT_PLACE)
        places.extend(known[token] for sentence in _sentences(row.prompt) for token in sentence)
        answers.append(num_before + len(places))
        places.append(ANSWERED_PLACE)
        for sentence in _sentences(row.answered):
            places.extend(map(known.__getitem__, sentence))
            places.append(END_PLACE)
        starts.append(num_before + len(places))
        if len(known) >= MOST_KNOWN:
            parts.append(known.read(places, spelled))
            known, places, num_before = vocabulary_of_thread(), array("i"), starts[-1]
        system, signs = [fold_spaces(text) for text in row.system], _signs(row)
        keys.append(digest_of(system if keyed else [], [str(row.label if keyed else "")], signs))
        rests.append(digest_of(system, [str(row.label), _tools(row)], signs))
    parts.append(known.read(places, spelled))
    words, bounds, middles = np.concatenate(parts), np.array(starts), np.array(answers)
    facts = facts_of(words, bounds[:-1])
    sizes = (middles - bounds[:-1], bounds[1:] - middles - _num_ends(words, bounds))
    keyed_by = np.array(keys, np.uint64)
    for part in (facts, *(size.astype(np.uint64) for size in sizes)):
        keyed_by = mix_bits(keyed_by) ^ part
    texts = np.array(
        [
            _digest_text(words[a:b], rest)
            for a, b, rest in zip(starts, starts[1:], rests, strict=False)
        ],
        np.uint64,
    )
    return Wordings(words, bounds, middles, spelled, mix_bits(keyed_by), texts)


def _sentences(texts: Sequence[str]) -> Iterator[list[str]]:
    return (sentence for text in texts for sentence in telling_sentences(text))


def _signs(row: RowParts) -> list[str]:
    """All that is asked and answered, where it is mostly signs."""
    said = (*row.prompt, *row.answered)
    return [] if is_mostly_words("".join(said)) else [fold_spaces(text) for text in said]


def _tools(row: RowParts) -> str:
    return canonical(row.tools).decode("utf-8", "surrogatepass") if row.tools else ""


def _num_ends(words: NDArray[np.uint32], bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(words):
        return np.empty(0, np.int64)
    return np.add.reduceat((words == SENTENCE_END).astype(np.int64), bounds[:-1])


def _digest_text(words: NDArray[np.uint32], rest: int) -> int:
    said = uncapital(words[words != SENTENCE_END]).tobytes()
    return digest_of([str(rest), said.hex()])
