"""Characters that are no letters and say something: raised numbers, signs of mathematics, emojis."""

import re
import unicodedata

# Signs of mathematics, arrows, emojis; not the dots and squares that begin an item of a list.
SYMBOL = (
    "[\xac\xb1\xd7\xf7\u2190-\u2211\u221a-\u223b\u223d-\u22c4\u22c6-\u23ff\u2600-\u27bf\u27c0-\u27ef"
    "\u2900-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001faff]"
)
"""A character that is what is said, as in a regular expression: a union, a thumb up or down."""
_IS_SYMBOL = re.compile(SYMBOL)
# NFKC makes one number of a digit and what is raised or small after it, or a fraction.
_UP = "\u00b2\u00b3\u00b9\u2070-\u207f"
_SMALL = "\u00bc-\u00be\u2080-\u2089\u2150-\u215f\u2189\u2460-\u249b"
_HAS_EITHER = re.compile(f"[{_UP}{_SMALL}]")
_RAISED, _NUMERAL = re.compile(f"([\\w)\\]])([{_UP}]+)"), re.compile(f"([0-9])([{_SMALL}])")
_RAISED_SIGNS = {0x207A: " +", 0x207B: " -"}


def formed(text: str) -> str:
    """The text in NFKC with its numbers apart: 10\u00b2 is 10^2 and not 102, 3\u00bd is 3 1/2, not 31/2."""
    if _HAS_EITHER.search(text):
        text = _RAISED.sub(r"\1^\2", text).translate(_RAISED_SIGNS)
        text = _NUMERAL.sub(r"\1 \2", text)
    return unicodedata.normalize("NFKC", text)


def is_symbol(word: str) -> bool:
    """Is it a sign of mathematics, an arrow, an emoji?"""
    return len(word) == 1 and _IS_SYMBOL.match(word) is not None
