"""Are two rows near-duplicates? The exact check of what the signatures only suggest."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from finewright.guard.duplicates.apart import are_apart
from finewright.guard.duplicates.contrast import NO_DIFFERENCE, difference
from finewright.guard.duplicates.edits import SHORT, most_changed, most_other
from finewright.guard.duplicates.facts import have_other_facts
from finewright.guard.duplicates.middle import Middles, is_moved, is_reordered, middles
from finewright.guard.duplicates.spoken import asks_for_order
from finewright.guard.duplicates.words import (
    PLAIN,
    Spelling,
    Wording,
    are_laid_out_apart,
    uncapital,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What small words and misspellings may have cost a pair before they are looked at.
_DOUBT = 0.3


def alike(one: Wording, other: Wording, similarity: float) -> float | None:
    """The share of words that the rows have in common, in order; None where they are not near.

    Near rows share at least `similarity` of their words: 2 LCS / (m + n), the LCS being the longest
    common subsequence; a misspelled word counts as the word, and those that hardly say anything (a greeting,
    an article) count for nothing where only one row has them. Beyond that, what is asked and what is
    answered are each near (a common answer does not make two questions one, nor the other way round), a
    short answer to the same question is the same (another one is a conflict, not a repeat), and neither part
    has a `contrast`: another number, name, negation, opposite or
    operator."""
    if one.key != other.key or are_apart(one, other, similarity):
        return None
    pairs = list(zip(one.parts, other.parts, strict=True))
    plain = [(uncapital(a), uncapital(b)) for a, b in pairs]
    is_order_the_point = is_reordered(*plain[1]) and asks_for_order(one.prompt)
    if is_order_the_point or any(map(are_laid_out_apart, one.layout, other.layout, PLAIN)):
        return None
    between = [middles(*part) for part in plain]
    # Rows of one template differ in their facts, and that is seen at once.
    if any(have_other_facts(part.one, part.other) for part in between):
        return None
    common = [_num_common(part) for part in between]
    # An answer says the same in another order of its sentences; a question may ask another thing.
    if is_moved(*plain[1], common[1]):
        common[1] = len(one.answered)
    num_words = sum(len(a) + len(b) for a, b in pairs)
    if 2 * sum(common) < (similarity - _DOUBT) * num_words:
        return None
    parts: list[_Part] = []
    for pair, num in zip(pairs, common, strict=True):
        question = one.prompt if parts else None
        parts.append(_compared(*pair, num, (one.spelled, other.spelled), question))
        if parts[-1].is_contrast:
            return None
    return None if _is_conflict(parts) else _nearness(parts, similarity)


class _Part(NamedTuple):
    """Of what is asked, or answered: the words in common, those of each row, those that say other things."""

    common: int
    sizes: tuple[int, int]
    num_other: int
    num_replaced: int
    is_contrast: bool


def _nearness(parts: Sequence[_Part], similarity: float) -> float | None:
    share = 2 * sum(part.common for part in parts) / max(1, sum(sum(part.sizes) for part in parts))
    is_near = share >= similarity and all(_is_part_near(part, similarity) for part in parts)
    return min(1.0, share) if is_near else None


def _compared(
    one: "NDArray[np.uint32]",
    other: "NDArray[np.uint32]",
    common: int,
    spelled: tuple[Spelling, Spelling],
    question: "NDArray[np.uint32] | None",
) -> _Part:
    is_same = common == len(one) == len(other)
    found = NO_DIFFERENCE if is_same else difference(one, other, *spelled, question)
    sizes = (len(one) - found.fillers[0], len(other) - found.fillers[1])
    alike = min(common + found.num_alike, *sizes)
    is_contrast = found.is_contrast or found.is_no_repeat
    return _Part(alike, sizes, max(found.said), min(found.said), is_contrast)


def num_common(one: "NDArray[np.uint32]", other: "NDArray[np.uint32]") -> int:
    """The length of the longest common subsequence.

    Bit-parallel, one long integer per row of the table: Hyyrö 2004, "Bit-parallel LCS-length
    computation revisited"."""
    return _num_common(middles(one, other))


def _num_common(between: Middles) -> int:
    a, b = between.one.tolist(), between.other.tolist()
    places: dict[int, int] = {}
    for i, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << i
    every = (1 << len(a)) - 1
    unused = every
    for word in b:
        matched = unused & places.get(word, 0)
        unused = ((unused + matched) | (unused - matched)) & every
    return between.head + between.tail + len(a) - unused.bit_count()


def _is_conflict(parts: Sequence[_Part]) -> bool:
    """Have both the same question, and short answers that differ?"""
    is_same_question, is_same_answer = (part.common == max(part.sizes) for part in parts)
    return is_same_question and not is_same_answer and sum(parts[1].sizes) < 2 * SHORT


def _is_part_near(part: _Part, similarity: float) -> bool:
    num_words = sum(part.sizes) / 2
    is_replaced = part.num_replaced > 0
    is_little_changed = num_words - part.common <= math.floor(
        most_changed(num_words, similarity) + 1e-9
    )
    return is_little_changed and part.num_other <= most_other(
        num_words, similarity, is_replaced=is_replaced
    )
