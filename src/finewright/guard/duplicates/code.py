"""What in code decides what it does: its operators, its calls and some of its words."""

from collections.abc import Sequence

from finewright.guard.duplicates.words import number_of

COMPARISONS = frozenset(("<", ">", "<=", ">=", "==", "!=", "&&", "||", "!"))
_CHANGES = frozenset(("+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "++", "--", "<<", ">>"))
# A text that has one of these is code, or speaks of it, and so is another text if the other lacks it; the
# `#` is that of C#.
OPERATORS = COMPARISONS | _CHANGES | {"#"}
CALL = number_of("(")
_MARKS = frozenset(map(number_of, OPERATORS | {"="})) | {CALL}
# `*` also begins an item of a list, so it may be missing on one side.
_COUNTED = frozenset("(+-/%=&|^")
_WORDS = (
    "abort assert await break catch continue delegatecall delete emit finally lock override panic raise"
    " require return revert selfdestruct staticcall super throw try unchecked unlock unwrap virtual yield"
)
_KEYWORDS = frozenset(_WORDS.split())


def is_code(*texts: Sequence[int]) -> bool:
    """Has one of the texts, as numbers of words, an operator, an assignment or a call?"""
    return any(not _MARKS.isdisjoint(text) for text in texts)


def decides(word: str) -> bool:
    """Does code do another thing without this word or sign?"""
    return word in _COUNTED or word in _KEYWORDS
