"""Text in a row that a reader does not see: invisible signs, look-alike letters, encoded or styled away.

Covered: zero-width signs within words, bidirectional controls (Boucher & Anderson 2021, "Trojan Source"),
Unicode tags, words that mix Latin with look-alikes, letters of mathematics and full width, base64 and hex
that decode to sentences, HTML comments, text that CSS hides. Not covered: words wholly of look-alikes,
pictures, steganography in plain words. Needs no model."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from finewright.guard.blobs import decode_blobs
from finewright.guard.instructions import is_instruction
from finewright.schema.rows import RowText

HiddenKind = Literal[
    "zero-width signs", "bidirectional controls", "Unicode tags", "look-alike letters",
    "letters of another alphabet", "an encoded text", "an HTML comment", "text that CSS hides",
]  # fmt: skip


class Hidden(NamedTuple):
    """What is hidden, where, and what it says; `is_trick`: hardly anybody writes this by accident."""

    kind: HiddenKind
    key: str
    says: str
    is_trick: bool


def find_hidden(texts: Iterable[RowText]) -> list[Hidden]:
    """All hidden text, in the order of the texts."""
    return [
        Hidden(found.kind, passage.key, found.says, found.is_trick)
        for passage in texts
        for found in find_hidden_in(passage.text)
    ]


def find_hidden_in(text: str) -> Iterator[Hidden]:
    """The hidden text in one text; at most one finding of a kind."""
    if not text.isascii() and _STRANGE.search(text):
        yield from _signs(text)
        yield from _letters(text)
    for says in decode_blobs(text):
        yield Hidden("an encoded text", "", says, is_instruction(says))
        break
    if "<" in text:
        yield from _markup(text)


_TAGS = re.compile(r"[\U000e0000-\U000e007f]+")
# England, Scotland, Wales: a black flag, tags, and the tag that ends them.
_FLAG = re.compile(r"\U0001f3f4[\U000e0020-\U000e007e]{2,6}\U000e007f")
_OVERRIDES = re.compile(r"[\u202d\u202e]")
_EMBEDDINGS = re.compile(r"[\u202a\u202b\u2066\u2067\u2068]")
_INVISIBLE = "\u200b\u200c\u200d\u2060-\u2064\ufeff\u180e\u115f\u1160\u2800\u3164\uffa0"
_LATIN_GREEK_CYRILLIC = "0-9A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff"
# Joiners are spelling in Arabic, Persian and the scripts of India, and glue in emoji: a sign is only
# strange beside letters that never take one, or in a run.
_ZERO_WIDTH = re.compile(
    f"[{_LATIN_GREEK_CYRILLIC}][{_INVISIBLE}]+[{_LATIN_GREEK_CYRILLIC}]|[{_INVISIBLE}]{{2,}}"
    "|[\U000e0100-\U000e01ef]{2,}|[\ufe00-\ufe0f]{3,}"
)


def _signs(text: str) -> Iterator[Hidden]:
    plain = _FLAG.sub("", text)
    if tags := _TAGS.search(plain):
        says = "".join(chr(ord(sign) - 0xE0000) for sign in tags[0])
        yield Hidden("Unicode tags", "", "".join(c for c in says if c.isprintable()), True)
    if _OVERRIDES.search(text) or (_EMBEDDINGS.search(text) and not _is_right_to_left(text)):
        yield Hidden(
            "bidirectional controls", "", _show_surroundings(text, _OVERRIDES, _EMBEDDINGS), True
        )
    if _ZERO_WIDTH.search(text):
        yield Hidden("zero-width signs", "", _show_surroundings(text, _ZERO_WIDTH), True)


def _is_right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(sign) in {"R", "AL"} for sign in text)


def _show_surroundings(text: str, *patterns: re.Pattern[str]) -> str:
    """The surroundings of the first hit, with what cannot be seen written out."""
    match = next(m for pattern in patterns if (m := pattern.search(text)))
    around = text[max(0, match.start() - 15) : match.end() + 15]
    return "".join(
        c if c.isprintable() and not unicodedata.combining(c) else f"<U+{ord(c):04X}>"
        for c in around
    )


# Letters that look like the Latin one below them, after Unicode's confusables.txt (UTS #39).
LOOK_ALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u051b\u051d\u04bb"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0406\u0408\u0405"
    "\u03bf\u03b1\u03c1\u03bd\u03b9\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f"
    "\u03a1\u03a4\u03a5\u03a7",
    "aeopcyxijsdqwhABEKMHOPCTXIJSoapviABEZHIKMNOPTYX",
)
_MIXED = re.compile(r"[A-Za-z\u0370-\u03ff\u0400-\u052f]{4,}")
_GREEK_CYRILLIC = re.compile(r"[\u0370-\u03ff\u0400-\u052f]")
_STYLED = re.compile(r"[\U0001d400-\U0001d7cb]{4,}|[\uff21-\uff3a\uff41-\uff5a]{4,}")
_CHINESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LEAST_LATIN = 2
# What `_signs` and `_letters` look for, which most texts have none of.
_STRANGE = re.compile(
    f"[{_INVISIBLE}\u202a-\u202e\u2066-\u2068\u0370-\u03ff\u0400-\u052f\ufe00-\ufe0f"
    "\uff21-\uff3a\uff41-\uff5a\U0001d400-\U0001d7cb\U000e0000-\U000e01ef]"
)


def _letters(text: str) -> Iterator[Hidden]:
    for match in _MIXED.finditer(text) if _GREEK_CYRILLIC.search(text) else ():
        word = match[0]
        latin = sum(c.isascii() for c in word)
        if latin < _LEAST_LATIN or word.isascii():
            continue
        if (folded := word.translate(LOOK_ALIKES)).isascii():
            yield Hidden("look-alike letters", "", f"{word} (reads {folded})", True)
            break
    if (styled := _STYLED.search(text)) and not _CHINESE.search(text):
        says = unicodedata.normalize("NFKC", text[styled.start() : styled.start() + 80])
        yield Hidden("letters of another alphabet", "", says, is_instruction(says))


_COMMENT = re.compile(r"<!--(.*?)-->", re.S)
_UNSEEN = re.compile(
    r"<(\w+)[^<>]*\bstyle\s*=\s*[\"'][^\"'<>]*(?:display\s*:\s*none|visibility\s*:\s*hidden"
    r"|font-size\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d]))[^<>]*>(.*?)</\1\s*>",
    re.S | re.I,
)
_LEAST_WORDS = 4
_SENTENCE = re.compile(r"[A-Za-z\u00c0-\u04ff]{2,}")


def _markup(text: str) -> Iterator[Hidden]:
    kinds: tuple[tuple[HiddenKind, re.Pattern[str], int], ...] = (
        ("an HTML comment", _COMMENT, 1),
        ("text that CSS hides", _UNSEEN, 2),
    )
    for kind, pattern, group in kinds:
        said = [m[group].strip() for m in pattern.finditer(text) if _says_something(m[group])]
        if said:
            orders = [says for says in said if is_instruction(says)]
            yield Hidden(kind, "", [*orders, *said][0][:200], bool(orders))


def _says_something(text: str) -> bool:
    return len(_SENTENCE.findall(text)) >= _LEAST_WORDS
