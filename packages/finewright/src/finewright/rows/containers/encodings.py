"""Which encodings bytes that are no UTF-8 may have: all that read them as people write.

A reading is implausible by the share of its characters that stand where nobody writes them: signs within
words, scripts mixed in a word, capitals after small letters; of the two-byte encodings, which each have
their common characters first (GB 2312, Big5, JIS X 0208, KS X 1001), by the share of rare ones. Readings as
plausible as the best are told, each with a line that they read otherwise: who knows the text sees which."""

import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

# In the order of how often files have them: of those that read the same the first is named.
_CANDIDATES = (
    *("cp1252", "gb18030", "cp1251", "cp932", "cp949", "big5", "cp1250", "iso8859_15", "iso8859_2"),
    *(
        "cp1254",
        "cp1256",
        "cp1253",
        "iso8859_7",
        "cp1255",
        "cp1257",
        "iso8859_13",
        "koi8_r",
        "koi8_u",
    ),
    *("cp874", "euc_jp", "cp866", "iso8859_5", "iso8859_6", "mac_cyrillic"),
    *("cp850", "cp852", "cp437", "mac_roman"),
)
_COMMON = {
    "gb18030": ((0xA1, 0xA3), (0xB0, 0xD7)),
    "big5": ((0xA1, 0xC6),),
    "cp932": ((0x81, 0x98),),
    "euc_jp": ((0xA1, 0xA5), (0xB0, 0xCF)),
    "cp949": ((0xA1, 0xA3), (0xB0, 0xC8)),
}
# A text has a tenth of rarer ones at most; beyond, each weighs twice.
_RARE_SHARE, _RARE_WEIGHT = 0.1, 2
# On 468 texts of 22 languages in 33 encodings the right reading is within it (at most 0.05 is needed).
_NEAR = 0.1
_SAMPLE = 1 << 14
_UTF8_SHARE = 0.1
_MOST_SHOWN, _AROUND = 4, 20
# Signs that stand beside words; of these the apostrophes, dots and accents also within them.
_SIGNS = frozenset("«»“”„‘’–—…€£§°¿¡·´`")  # noqa: RUF001 - the signs themselves
_WITHIN = frozenset("’´`·")  # noqa: RUF001
# The scripts of Japanese and Chinese texts stand beside each other.
_TOGETHER = {
    **dict.fromkeys(("KATAKANA", "HIRAGANA", "FULLWIDTH", "IDEOGRAPHIC"), "CJK"),
    "HALFWIDTH": "HALF",
}


class _Reading(NamedTuple):
    implausible: float
    prior: int
    name: str
    text: str


def how_to_name_encoding(*names: str) -> str:
    """How a person names one of these encodings, or, where there are none, the right one."""
    if not names:
        return (
            "name its encoding, such as cp1252: --encoding NAME, or in a spec the source's encoding"
        )
    options = " or ".join(f"--encoding {name}" for name in names)
    return f"it looks like {' or '.join(names)}: {options}, or in a spec the source's encoding"


def encoding_hint(content: bytes) -> str:
    """The one encoding that reads the bytes, or those that may, each with a line that it reads otherwise."""
    readings = _plausible(content)
    if len(readings) <= 1:
        return how_to_name_encoding(*(each.name for each in readings))
    shown = readings[:_MOST_SHOWN]
    ways = "; ".join(f"--encoding {each.name} reads {_differing(each, shown)!r}" for each in shown)
    more = ", ".join(each.name for each in readings[_MOST_SHOWN:])
    rest = f"; or {more}" if more else ""
    return f"which is right? {ways}{rest}; in a spec it is the source's encoding"


def are_mixed_with_utf8(lines: Sequence[bytes]) -> bool:
    """Whether more of these lines, none of them ASCII, are UTF-8 than would be by chance in another
    encoding."""
    num_utf8 = 0
    for line in lines:
        with suppress(UnicodeDecodeError):
            line.decode()
            num_utf8 += 1
    return num_utf8 > _UTF8_SHARE * len(lines)


def likely_encodings(content: bytes) -> list[str]:
    """Python's names of the encodings that read the bytes as people write, the likeliest first."""
    return [each.name for each in _plausible(content)]


def _plausible(content: bytes) -> list[_Reading]:
    """The readings near the best one, none twice."""
    lines = [line for line in content.split(b"\n") if not line.isascii()]
    sample = b"\n".join(lines)
    if len(sample) > _SAMPLE:  # at a line's end, lest a character be cut
        sample = sample[:_SAMPLE].rpartition(b"\n")[0] or sample[:_SAMPLE]
        sample = b"\n".join([sample, *_with_new_bytes(lines, sample)])
    found: dict[str, _Reading] = {}
    for prior, name in enumerate(_CANDIDATES):
        with suppress(UnicodeDecodeError):
            text = sample.decode(name)
            if not any(map(_is_never_written, text)):
                weight = round(_implausible(text, name, sample), 2)
                found.setdefault(text, _Reading(weight, prior, name, text))
    ranked = sorted(found.values())
    return [each for each in ranked if each.implausible <= ranked[0].implausible + _NEAR]


def _with_new_bytes(lines: Sequence[bytes], sample: bytes) -> list[bytes]:
    """The further lines that have a byte which no line before had: by it two encodings may differ."""
    seen, new = set(sample), []
    for line in lines:
        if not seen.issuperset(line):
            seen.update(line)
            new.append(line)
    return new


def _is_never_written(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Co", "Cn") and not letter.isascii()


def _differing(one: _Reading, others: Sequence[_Reading]) -> str:
    """Where the first two readings differ first, as the reading has it."""
    lines = [each.text.split("\n") for each in others]
    at = next(i for i, each in enumerate(zip(*lines, strict=False)) if len(set(each)) > 1)
    line = one.text.split("\n")[at].strip()
    place = next((i for i, letter in enumerate(line) if not letter.isascii()), 0)
    return line[max(place - _AROUND, 0) : place + _AROUND]


def _implausible(text: str, name: str, content: bytes) -> float:
    """How many of the letters beyond ASCII stand where nobody writes them, of all of them."""
    padded = f" {text} "
    places = [i for i, letter in enumerate(padded) if not letter.isascii()]
    wrong = sum(_is_misplaced(padded[i - 1 : i + 2], name in _COMMON) for i in places)
    rare = max(0.0, 1 - _common_share(name, content) - _RARE_SHARE)
    return wrong / max(len(places), 1) + _RARE_WEIGHT * rare


def _is_misplaced(three: str, is_of_east: bool) -> bool:
    """Whether the middle one is a letter or sign that nobody writes between the other two."""
    before, letter, after = three[0], three[1], three[2]
    kind = unicodedata.category(letter)
    if kind == "Mn":
        return _script(before) != _script(letter)
    if kind[0] != "L":
        is_sign = letter in _SIGNS or (kind[0] == "P" and _script(letter) == "CJK")
        is_within = before.isalpha() and after.isalpha() and _script(before) != "CJK"
        return not is_sign or (is_within and letter not in _WITHIN)
    beside = {_script(each) for each in (before, after) if each.isalpha()} - {_script(letter)}
    if beside - ({"CJK", "LATIN"} if is_of_east else set()):
        return True
    is_capital_within = (before.islower() and letter.isupper()) or (
        letter.islower() and after.isupper()
    )
    return is_capital_within or _script(letter) == "HALF"


def _script(letter: str) -> str:
    name = unicodedata.name(letter, "").partition(" ")[0]
    return _TOGETHER.get(name, name)


def _common_share(name: str, content: bytes) -> float:
    """The share of two-byte characters that are common ones; 1 for an encoding of single bytes."""
    ranges = _COMMON.get(name)
    if not ranges:
        return 1.0
    leads, at = [], 0
    while at < len(content):
        is_pair = content[at] >= 0x80  # noqa: PLR2004 - what is below is ASCII in all of them
        if is_pair and not (name == "cp932" and 0xA1 <= content[at] <= 0xDF):  # noqa: PLR2004
            leads.append(content[at])
        at += 2 if is_pair else 1
    common = sum(any(low <= lead <= high for low, high in ranges) for lead in leads)
    return common / len(leads) if leads else 1.0
