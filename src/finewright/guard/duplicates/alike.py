"""Are two rows near-duplicates? The exact check of what the signatures only suggest."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from finewright.guard.duplicates.words import Wording, is_fact

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SHORT = 10


def alike(one: Wording, other: Wording, similarity: float) -> float | None:
    """The share of words that the rows have in common, in order; None where they are not near.

    Near rows share at least `similarity` of their words: 2 LCS / (m + n), the LCS being the longest
    common subsequence. Beyond that, what is asked and what is answered are each near (a common
    answer does not make two questions one, nor the other way round), a short answer to the same
    question is the same (another one is a conflict, not a repeat), and their numbers agree: a template
    with other facts is another row."""
    if one.key != other.key:
        return None
    in_prompt = num_common(one.prompt, other.prompt)
    answered = num_common(one.answered, other.answered)
    lengths = [(len(a), len(b)) for a, b in zip(one[:2], other[:2], strict=True)]
    share = 2 * (in_prompt + answered) / max(1, sum(map(sum, lengths)))
    is_near = (
        share >= similarity
        and _is_part_near(in_prompt, lengths[0], similarity)
        and _is_part_near(answered, lengths[1], similarity)
        and not _is_conflict(in_prompt, answered, lengths)
        and not have_other_facts(_both(one), _both(other))
    )
    return share if is_near else None


def num_common(one: "NDArray[np.uint32]", other: "NDArray[np.uint32]") -> int:
    """The length of the longest common subsequence.

    Bit-parallel, one long integer per row of the table: Hyyrö 2004, "Bit-parallel LCS-length
    computation revisited"."""
    a, b = one.tolist(), other.tolist()
    head = _num_alike(a, b)
    a, b = a[head:], b[head:]
    tail = _num_alike(a[::-1], b[::-1])
    a, b = a[: len(a) - tail], b[: len(b) - tail]
    places: dict[int, int] = {}
    for i, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << i
    every = (1 << len(a)) - 1
    unused = every
    for word in b:
        matched = unused & places.get(word, 0)
        unused = ((unused + matched) | (unused - matched)) & every
    return head + tail + len(a) - unused.bit_count()


def have_other_facts(one: Sequence[int], other: Sequence[int]) -> bool:
    """Has each row a number, date or address that the other has not?

    So one other amount is enough to make another row, however many words the rows share. A number that
    only one of them has (the other spells it, or leaves it out) does not hide a repeat."""
    in_one, in_other = (Counter(word for word in row if is_fact(word)) for row in (one, other))
    return bool(in_one - in_other) and bool(in_other - in_one)


def _is_conflict(in_prompt: int, answered: int, lengths: Sequence[tuple[int, int]]) -> bool:
    is_same_question, is_same_answer = (
        common == max(pair) for common, pair in zip((in_prompt, answered), lengths, strict=True)
    )
    return is_same_question and not is_same_answer and sum(lengths[1]) < 2 * _SHORT


def _is_part_near(common: int, lengths: tuple[int, int], similarity: float) -> bool:
    """Edits do not fall evenly, so a part may have one standard deviation more of them than its share."""
    num_words = sum(lengths) / 2
    allowed = (1 - similarity) * num_words
    if num_words >= _SHORT:
        allowed += math.sqrt(allowed)
    return num_words - common <= math.floor(allowed + 1e-9)


def _num_alike(one: Sequence[int], other: Sequence[int]) -> int:
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _both(row: Wording) -> list[int]:
    words: list[int] = row.prompt.tolist() + row.answered.tolist()
    return words
