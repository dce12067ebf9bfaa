"""Which encoding bytes that are no UTF-8 may have: told by script and language, never assumed.

charset-normalizer measures how far a text is from one that people write (`chaos`) and how near to the letters
of a language (`coherence`). What it leaves open is settled by how common the characters of the two-byte
encodings are, each laid out with its common ones first (GB 2312, Big5, JIS X 0208, KS X 1001)."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

# In the order of how often files have them.
_CANDIDATES = (
    *("cp1252", "gb18030", "cp1251", "cp932", "cp949", "big5", "cp1250", "cp1254", "cp1256"),
    *("cp1253", "cp1255", "koi8_r", "cp874", "euc_jp", "cp866", "cp850", "mac_roman"),
)
_COMMON = {
    "gb18030": ((0xA1, 0xA3), (0xB0, 0xD7)),
    "big5": ((0xA1, 0xC6),),
    "cp932": ((0x81, 0x98),),
    "euc_jp": ((0xA1, 0xA5), (0xB0, 0xCF)),
    "cp949": ((0xA1, 0xA3), (0xB0, 0xC8)),
}
_RARE = ("cp850", "mac_roman", "cp874")
_NEAR = 0.1
_CLEARLY = 0.6
_COMMON_SHARE = 0.7
_MOST_CHAOS = 0.2
_SAMPLE = 1 << 14
_UTF8_SHARE = 0.1
_WORD = re.compile(r"[^\W\d_]+")
_ALPHABETS = {"LATIN", "CYRILLIC", "GREEK", "HEBREW", "ARABIC", "THAI"}


class _Ranked(NamedTuple):
    mixture: float
    chaos: float
    incoherence: float
    prior: int
    name: str


def named_encoding(*names: str) -> str:
    """How a person names one of these encodings, or, where there are none, the right one."""
    if not names:
        return (
            "name its encoding, such as cp1252: --encoding NAME, or in a spec the source's encoding"
        )
    options = " or ".join(f"--encoding {name}" for name in names)
    return f"it looks like {' or '.join(names)}: {options}, or in a spec the source's encoding"


def are_mixed_with_utf8(lines: Sequence[bytes]) -> bool:
    """Are more of these lines, none of them ASCII, UTF-8 than would be by chance in another encoding?"""
    num_utf8 = 0
    for line in lines:
        with suppress(UnicodeDecodeError):
            line.decode()
            num_utf8 += 1
    return num_utf8 > _UTF8_SHARE * len(lines)


def likely_encodings(content: bytes) -> list[str]:
    """Python's names of the one or two encodings that the bytes most likely have; none where nothing fits,
    or charset-normalizer is not installed."""
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        return []
    sample = b"\n".join(line for line in content.split(b"\n") if not line.isascii())
    if len(sample) > _SAMPLE:  # at a line's end, lest a character be cut
        sample = sample[:_SAMPLE].rpartition(b"\n")[0] or sample[:_SAMPLE]
    found = from_bytes(sample, cp_isolation=list(_CANDIDATES), threshold=_MOST_CHAOS)
    ranked = _readings(sample, found)
    if not ranked:
        return []
    return _nearest(ranked)


def _nearest(ranked: Sequence[_Ranked]) -> list[str]:
    """The first alone where it is clearly the best, else the first two."""
    best = ranked[0]
    near = [r for r in ranked if r.mixture == best.mixture and r.chaos <= best.chaos + _NEAR]
    is_sure = len(near) == 1 or near[1].incoherence > _CLEARLY * near[0].incoherence
    return [each.name for each in near[: 1 if is_sure else 2]]


def _readings(sample: bytes, matches: Iterable[Any]) -> list[_Ranked]:
    """The best first; of those that read the sample alike, the first. Any: charset-normalizer's matches."""
    ranked: list[_Ranked] = []
    for match in matches:
        # Those that read the same are listed under one of them.
        for name in {match.encoding, *match.could_be_from_charset} & set(_CANDIDATES):
            if _common_share(name, sample) >= _COMMON_SHARE:
                mixture = _mixture(sample.decode(name))
                ranked.append(_ranked(name, mixture, match.chaos, match.coherence))
    by_reading = {sample.decode(each.name): each for each in sorted(ranked, reverse=True)}
    return sorted(by_reading.values())


def _ranked(name: str, mixture: float, chaos: float, coherence: float) -> _Ranked:
    tidy = round((chaos + _NEAR * (name in _RARE)) * 20) / 20
    return _Ranked(round(mixture, 1), tidy, round(-coherence, 1), _CANDIDATES.index(name), name)


def _mixture(text: str) -> float:
    """The share of words in which letters of an alphabet stand beside those of another one."""
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    return sum(len(_alphabets(word)) > 1 for word in words) / len(words) if words else 0.0


def _alphabets(word: str) -> set[str]:
    names = {unicodedata.name(letter, "").partition(" ")[0] for letter in word}
    return names & _ALPHABETS


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
