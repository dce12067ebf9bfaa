"""Characters that are no letters and say something: raised numbers, signs of mathematics."""

import re
import unicodedata

# Arrows, ticks, emojis and bullets decorate; a thumb down denies. Of signs that exclude each other, the one
# that small words or marks spell too (in, and, about, /, +/-) is not here, as it may be left out: if two such
# signs could both be, the order of three rows would say how many stay.
SYMBOL = (
    "(?:[\xac\xd7\u2200-\u2207\u2209\u220b-\u220d\u220f-\u2211\u221a-\u2226\u2228-\u2233\u2241\u2244\u2247"
    "\u2249\u224e-\u22c3\u22c7-\u22ed\u22f2-\u22ff\u2308-\u230b\u2a00-\u2aff]"
    "|(?<!\U0001f44e)\U0001f44e)"
)
"""A character that is what is said, as in a regular expression: a union, a root."""
_IS_SYMBOL = re.compile(SYMBOL)
# NFKC makes one number of a digit and what is raised or small after it, or a fraction. After a letter what is
# raised is typed without a sign too (m2, Ca2+), but for a letter; 2\u207f\u1d48 is an ordinal.
_UP = "\u00b2\u00b3\u00b9\u2070-\u2079\u207f"
_SMALL = "\u00bc-\u00be\u2080-\u2089\u2150-\u215f\u2189\u2460-\u249b"
_HAS_EITHER = re.compile(f"[{_UP}\u207b{_SMALL}]")
_POWER = re.compile(
    f"(?<=[0-9\u2080-\u2089)\\]])(?=[{_UP}])(?!\u207f\u1d48)|(?<=[^\\W\\d_{_UP}])(?=[\u2071\u207f])"
)
_NEGATIVE = re.compile(f"(?<=[\\w)\\]])\u207b(?=[{_UP}])")
_NUMERAL = re.compile(f"([0-9])([{_SMALL}])")


def formed(text: str) -> str:
    """The text in NFKC with its numbers apart: 10\u00b2 is 10^2 and not 102, 3\u00bd is 3 1/2, not 31/2."""
    if _HAS_EITHER.search(text):
        text = _NEGATIVE.sub("^-", _POWER.sub("^", text))
        text = _NUMERAL.sub(r"\1 \2", text)
    return unicodedata.normalize("NFKC", text).replace("\u266f", "#")


def is_symbol(word: str) -> bool:
    """Is it one of the `SYMBOL`s?"""
    return len(word) == 1 and _IS_SYMBOL.match(word) is not None
