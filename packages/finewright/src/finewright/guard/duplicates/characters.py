"""Characters that are no letters and say something: raised numbers, signs of mathematics, emojis."""

import re
import unicodedata

# Arrows, ticks and emojis decorate where one text alone has them (`DECORATION`); a thumb down denies. Of
# signs that exclude each other, the one that small words or marks spell too (in, and, about, /, +/-) is not
# here, as it may be left out.
SYMBOL = (
    "(?:[\xac\xd7\u2200-\u2207\u2209\u220b-\u220d\u220f-\u2211\u221a-\u2226\u2228-\u2233\u2241\u2244\u2247"
    "\u2249\u224e-\u22c3\u22c7-\u22ed\u22f2-\u22ff\u2308-\u230b\u2a00-\u2aff]"
    "|(?<!\U0001f44e)\U0001f44e)"
)
"""A character that is what is said, as in a regular expression: a union, a root."""
_SIGN = (
    "[\u2190-\u21ff\u2300-\u2307\u230c-\u23ff\u25b2\u25bc\u2600-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\U0001f000-\U0001f3fa\U0001f400-\U0001f44d\U0001f44f-\U0001faff]"
)
DECORATION = f"[\u2605\u2606]+|{_SIGN}"
"""An arrow, a tick, an emoji, or all stars of a rating, as in a regular expression."""
_IS_DECORATION = re.compile(DECORATION)
_JOINED = "[\ufe0e\ufe0f\u200d\U0001f3fb-\U0001f3ff]"
_REPEATED = re.compile(f"(?![\u2605\u2606])({_SIGN})(?:{_JOINED}*\\1)+")
# A tick or a cross says something before an item too; a sign that is alone in its line begins none.
_BULLET = re.compile(f"(?m)^[ \t>*#-]*(?![\u2705\u274c\u2610])({_SIGN})(?=.*\\w)")
_NO_WORD = "\u2022"
# One sign in several forms: ticks, crosses, arrows, stars, hearts.
_ONE_FORM = {
    ord(form): one
    for one, forms in {
        "\u2705": "\u2611\u2713\u2714",
        "\u274c": "\u2612\u2715\u2716\u2717\u2718",
        "\u2191": "\u2b06\u25b2",
        "\u2193": "\u2b07\u25bc",
        "\u2190": "\u2b05",
        "\u2192": "\u2794\u2799\u279b\u279c\u279d\u279e\u27a1",
        "\u2605": "\u2b50",
        "\u2665": "\u2764",
    }.items()
    for form in forms
}
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


def normalize_characters(text: str) -> str:
    """The text in NFKC with its numbers apart: 10\u00b2 is 10^2 and not 102, 3\u00bd is 3 1/2, not 31/2."""
    if _HAS_EITHER.search(text):
        text = _NEGATIVE.sub("^-", _POWER.sub("^", text))
        text = _NUMERAL.sub(r"\1 \2", text)
    return unicodedata.normalize("NFKC", text).replace("\u266f", "#")


def unify_decorations(text: str) -> str | None:
    """The text with each decoration in one form and once, without bullets; None where it has none."""
    if not _IS_DECORATION.search(text):
        return None
    text = _REPEATED.sub(r"\1", text.translate(_ONE_FORM))
    bullets = set(_BULLET.findall(text))
    return text.translate(dict.fromkeys(map(ord, bullets), _NO_WORD)) if bullets else text


def drop_decorations(text: str) -> str:
    """The text with a bullet for each decoration beside its words; of signs alone all are kept."""
    if text.isascii() or not any(map(str.isalnum, text)):
        return text
    return _IS_DECORATION.sub(_NO_WORD, text)
