"""Answers in a script or a language that nobody asked for, told from the text alone.

Small models drift under training: asked in one language they answer in another, or letters of a foreign
script turn up in the middle. What was asked for is what the row itself uses: the expected answer's scripts
and language, and, for the script of single words, those of the question.

How an answer ends: by saying the same again and again, or not."""

import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

from finewright.judge.json_text import members, parse_json
from finewright.judge.text import overlap_f1

_LEAST_TIMES = 4


_LEAST_CHARACTERS = 40


LanguageOf = Callable[[str], str | None]
"""text -> its language, or None where it is too short or unclear."""

# Names of letters begin with their script, but for these.
_WIDTHS = {"FULLWIDTH", "HALFWIDTH"}
_SAME = {"CJK": "HAN", "IDEOGRAPHIC": "HAN", "KANGXI": "HAN", "HENTAIGANA": "HIRAGANA"}
# Letters by category that belong to no script, and what is written in a script's place.
_NO_SCRIPT = {
    "MODIFIER",
    "MATHEMATICAL",
    "DOUBLE-STRUCK",
    "SCRIPT",
    "BLACK-LETTER",
    "FEMININE",
    "MASCULINE",
    "MICRO",
    "OHM",
    "KELVIN",
    "ANGSTROM",
    "PLANCK",
    "ALEF",
    "BET",
    "GIMEL",
    "DALET",
    "INFORMATION",
    "CIRCLED",
    "SUPERSCRIPT",
    "SUBSCRIPT",
}
_DENSE = {"HAN", "HIRAGANA", "KATAKANA", "HANGUL", "THAI"}
_FEWEST_LETTERS = 2
# Of 1,443 pairs of English answers on contracts, fastText told 16 of 173 it was sure of apart at 20 letters,
# 4 of 85 at 30, and none of 69 at 40.
_FEWEST_TO_TELL = 40
_FOREIGN_SHARE = 0.1
_SAME_WORDS = 0.5


def scripts(text: str) -> Counter[str]:
    """How many letters of each script a text has, by the scripts' names in Unicode, in capitals.

    Digits, marks, symbols and letters of no script (the mathematical ones) do not count. The first word of a
    letter's Unicode name is taken for its script, so those whose names begin alike (OLD ITALIC, OLD PERSIAN)
    are one."""
    found: Counter[str] = Counter()
    for character, count in Counter(text).items():
        if script := _script(character):
            found[script] += count
    return found


def other_script(answer: str, question: str, expected: str) -> str:
    """The script of the answer that nobody asked for, or "".

    That is a script of at least a tenth of the answer's letters, and two of them, which neither the
    question nor the expected answer has; or the answer's main script where it shares none with the expected
    answer, which has letters: asked in English for Russian, an answer in English is in the wrong script."""
    found, wanted = scripts(answer), scripts(expected)
    num_letters = found.total()
    if num_letters < _FEWEST_LETTERS:
        return ""
    known = wanted.keys() | scripts(question).keys()
    least = max(_FEWEST_LETTERS, _FOREIGN_SHARE * num_letters)
    for script, count in found.most_common():
        if script not in known and count >= least:
            return script
    main = found.most_common(1)[0][0]
    return main if wanted and wanted.keys().isdisjoint(found) else ""


def other_language(answer: str, expected: str, language_of: LanguageOf) -> str:
    """The language of the answer where that is another than the expected answer's, or "".

    Of JSON only the texts in it are looked at. Nothing is said where either has fewer than 40 letters (14 in
    scripts that write a word in one or two), nor where half of the words are the same: detectors err on short
    texts, terms and names. Does not notice a switch within an answer."""
    ours, theirs = _prose(answer), _prose(expected)
    if min(_length(ours), _length(theirs)) < _FEWEST_TO_TELL:
        return ""
    same = overlap_f1(Counter(ours.casefold().split()), Counter(theirs.casefold().split()))
    if same >= _SAME_WORDS:
        return ""
    wanted = language_of(theirs)
    found = language_of(ours) if wanted else None
    return found if found and found != wanted else ""


def _length(text: str) -> int:
    """Letters, with those of scripts that write a word in one or two counted threefold."""
    return sum(count * (3 if script in _DENSE else 1) for script, count in scripts(text).items())


def _prose(text: str) -> str:
    """The text, or of JSON the texts that are its values."""
    parsed = parse_json(text)
    if parsed is None or not isinstance(parsed.value, dict | list):
        return text
    return "\n".join(_collect_strings(parsed.value))


def _collect_strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [text for item in members(value).values() for text in _collect_strings(item)]


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    if not unicodedata.category(character).startswith("L"):
        return ""
    first, *rest = unicodedata.name(character, "").split()[:2] or [""]
    if first in _WIDTHS and rest:
        first = rest[0]
    return "" if first in _NO_SCRIPT else _SAME.get(first, first)


def loops(text: str) -> bool:
    """Whether the text ends in at least four copies of one piece, of at least 40 characters together.

    The last copy may be cut short. A list of numbered lines is no loop, as its lines differ. Takes time in
    proportion to the text's length: the border function of Knuth, Morris & Pratt 1977 on the reversed text,
    whose prefix of length n has the smallest period n - border(n)."""
    turned = text[::-1]
    borders = [0] * len(turned)
    border = 0
    for i in range(1, len(turned)):
        while border and turned[i] != turned[border]:
            border = borders[border - 1]
        border += turned[i] == turned[border]
        borders[i] = border
        length, period = i + 1, i + 1 - border
        if length >= max(_LEAST_CHARACTERS, _LEAST_TIMES * period):
            return True
    return False
