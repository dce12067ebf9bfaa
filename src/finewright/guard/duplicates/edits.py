"""How many words of a text may be other ones in a text that says the same."""

import math

SHORT = 10
_FULL, _FULL_WHERE_ADDED, _SHORT_TEXT = 120, 40, 60


def most_changed(num_words: float, similarity: float) -> float:
    """How many words one text may have alone.

    Edits do not fall evenly, so a part of a row may have one standard deviation more of them than its
    share."""
    changed = (1 - similarity) * num_words
    return changed + math.sqrt(changed) if num_words >= SHORT else changed


def most_other(num_words: float, similarity: float, *, is_replaced: bool) -> int:
    """How many of them may say something.

    The shorter a text, the more each of its words counts: in up to 60 words none may stand for another; words
    that only one text has (not `is_replaced`) weigh less."""
    if is_replaced and num_words < _SHORT_TEXT:
        return 0
    full = _FULL if is_replaced else _FULL_WHERE_ADDED
    return math.floor(most_changed(num_words, similarity) * min(1.0, num_words / full) ** 2 + 1e-9)
