"""Rows of made-up words, and edits of them."""

import random
import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import accumulate

from finewright.guard.duplicates.layout import Original
from finewright.guard.duplicates.near import near_repeats
from finewright.guard.duplicates.numbered import number_rows
from finewright.guard.duplicates.signed import SignedRows, columns_of
from finewright.rows.identity import renew_id
from finewright.rows.texts import parts_of, with_texts
from finewright.schema.rows import Row

_SYLLABLES = [a + b for a in "bdfgklmnprst" for b in "aeio"]
_LEXICON = [
    word
    for a in _SYLLABLES
    for b in _SYLLABLES
    for word in (a + b, f"{a}{b}n", f"{a}{b}s", f"{a}{b}r")
]
_WEIGHTS = list(accumulate(1 / (i + 5) for i in range(len(_LEXICON))))
_WORD = re.compile(r"\w+")
_LONGER = re.compile(r"\b\w{5,}\b")


def seeded(seed: int) -> random.Random:
    """The same choices every time."""
    return random.Random(seed)  # noqa: S311 - no secrets are drawn


def words(rng: random.Random, count: int) -> str:
    """So many made-up words, the common ones as often as in a language."""
    return " ".join(rng.choices(_LEXICON, cum_weights=_WEIGHTS, k=count))


def chat(question: str, answer: str, *, system: str = "", row: int = 1, **more: object) -> Row:
    """A conversation of one question and one answer."""
    told = ({"role": "system", "content": system},) if system else ()
    messages = (
        *told,
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
    )
    return renew_id(Row("", messages, None, "f.jsonl", row, **more))


def edited(row: Row, rng: random.Random, share: float) -> Row:
    """The row with this share of its words replaced, at random places."""
    num_words = sum(len(_WORD.findall(turn["content"])) for turn in row.messages)
    chosen = set(rng.sample(range(num_words), max(1, round(share * num_words))))
    place = iter(range(num_words))

    def swapped(match: re.Match[str]) -> str:
        return words(rng, 1) if next(place) in chosen else match[0]

    return with_texts(row, lambda passage: _WORD.sub(swapped, passage.text))


def misspelled(row: Row, rng: random.Random, count: int = 1) -> Row:
    """The row with a slip in so many of its longer words, of a letter that no made-up word has."""
    places = [
        (i, match.start())
        for i, turn in enumerate(row.messages)
        for match in _LONGER.finditer(turn["content"])
    ]
    chosen = set(rng.sample(places, count))
    texts = [turn["content"] for turn in row.messages]
    for i, start in chosen:
        at = start + rng.randint(1, 3)
        texts[i] = f"{texts[i][:at]}{rng.choice('cjqvwxyz')}{texts[i][at + 1 :]}"
    turns = zip(row.messages, texts, strict=True)
    return renew_id(replace(row, messages=tuple({**turn, "content": text} for turn, text in turns)))


def near_among(rows: Iterable[Row], similarity: float = 0.8) -> dict[int, Original]:
    """Place of each row that is near an earlier one -> that row, and how near."""
    signed = SignedRows(columns_of(number_rows(map(parts_of, rows)), similarity))
    found = near_repeats(signed, similarity)
    each = zip(found.rows.tolist(), found.of.tolist(), found.shares.tolist(), strict=True)
    return {i: Original(of, share) for i, of, share in each}
