"""Postal addresses by their order alone: a street and its number, then postcode and town.

No word needs to say street: `Karu põik 61, 80098 Pärnu`, `40 rue des six frères Ruellan, 44230 Tours`, over a
comma or a line end; or the town before its postcode. Not covered: a town that is a common word."""

import re
from collections.abc import Iterator
from itertools import chain

from finewright.guard.privacy.births import MONTHS
from finewright.guard.privacy.gazetteer import read_word_list
from finewright.guard.privacy.name_features import flags_of
from finewright.guard.privacy.scan import PersonalSpan, Scan

_UPPER = r"[^\W\d_a-zà-öø-ÿ]"
_TOWN_WORD = rf"{_UPPER}[^\W\d_]+(?:['\u2019.-][^\W\d_]+)*"
_TOWN = (
    rf"(?P<town>{_TOWN_WORD})(?:[ -](?:[a-zà-ÿ'\u2019]{{1,4}} )?(?:{_TOWN_WORD}|{_UPPER}\b)){{0,3}}"
)
_GAP = r"(?:,[ \t]{0,3}(?:\n[ \t]*)?|\n[ \t]*)"
_CODE_AND_TOWN = re.compile(
    rf"{_GAP}(?:[A-Z]{{1,3}}[- ])?"
    r"(?:[0-9]{4,5}(?:-[0-9]{3})?(?: [A-Z]{2}\b)?|[0-9]{3}(?: [0-9]{2})?)"
    rf"[ ]{{1,2}}{_TOWN}"
)
_TOWN_AND_CODE = re.compile(
    rf"{_GAP}{_TOWN},?[ ]"
    r"(?:[A-Z]{2}-[0-9]{4,5}|[A-Z]{3} [0-9]{4}|[0-9]{3} [0-9]{2,3}|[0-9]{5,6}(?:-[0-9]{3})?)"
    r"(?![\w-])"
)
_BREAK = re.compile(r"[\n,;:!?()\"\u201c\u201e]|\.\s+(?=\w{4})")
_NUMBER_LAST = re.compile(r"[0-9]{1,5}(?:[ -]?[0-9]{1,4})?[ ]?[a-zA-Z]?(?:/[0-9]{1,4})?\.?[ ]*$")
_NUMBER_FIRST = re.compile(
    r"(?<![\w.,])[0-9]{1,5}[a-zA-Z]?(?: bis| ter)?,? (?=[^\W\d_])(?:[^\s,]+ ){0,7}[^\s,]+$"
)
_STREET_WORD = re.compile(r"[^\W\d_][\w.'\u2019-]*")
_SMALL = frozenset({
    "de", "del", "della", "degli", "dei", "delle", "di", "da", "do", "dos", "das", "du", "des", "la", "le",
    "les", "los", "las", "el", "y", "e", "van", "von", "der", "den", "het", "ter", "zur", "zum",
    "of", "the", "u", "na", "pod", "nad", "ob", "i", "av", "al",
})  # fmt: skip
_SENTENCE = frozenset({
    "at", "in", "is", "to", "from", "and", "und", "et", "en", "op", "au", "near", "live", "lives", "auf",
    "bei", "est", "es", "a", "w", "on", "for", "ist", "till", "i", "na", "em",
})  # fmt: skip
# What stands before a number and is no street, and after one and is no town.
_NO_STREET = frozenset({
    "seite", "kapitel", "section", "page", "chapter", "article", "artikel", "table", "tabelle", "version",
    "order", "paragraph", "figure", "abbildung", "part", "teil", "step", "schritt", "room", "zimmer",
    "no", "nr", "act", "art", "absatz", "capítulo", "chapitre", "capitolo", "sección", "página", "pagina",
    "line", "zeile", "row", "item", "question", "frage", "block", "lot", "ticket", "invoice", "rechnung",
    "day", "tag", "week", "woche", "group", "gruppe", "level", "stufe", "volume", "band", "vol", "issue",
    "flight", "bus", "gate",
    *(month for months in MONTHS for month in months),
})  # fmt: skip
_NO_TOWN = frozenset(
    {
        "euro",
        "euros",
        "eur",
        "usd",
        "dollar",
        "dollars",
        "franken",
        "pfund",
        "kronen",
        "zloty",
        "stück",
        "uhr",
        "menschen",
        "einwohner",
        "personen",
        "items",
        "people",
        "meter",
        "kilometer",
        "gramm",
        "kilo",
        "prozent",
    }
)
_REACH, _MOST_WORDS = 80, 6


def recognise(scan: Scan) -> Iterator[PersonalSpan]:
    """Streets with their number before a postcode with its town."""
    if not scan.has_digits:
        return
    for match in chain(_CODE_AND_TOWN.finditer(scan.text), _TOWN_AND_CODE.finditer(scan.text)):
        if not _is_town(match["town"]):
            continue
        first = max(0, match.start() - _REACH)
        breaks = list(_BREAK.finditer(scan.text, first, match.start()))
        first = breaks[-1].end() if breaks else first
        start = _street(scan.text, first, match.start())
        if start is not None:
            why = "a street, a number, a postcode and a town"
            yield PersonalSpan(start, match.end(), "address", 0.85, why)


def _is_town(word: str) -> bool:
    flags = flags_of(word.lower())
    if word.lower() in _NO_TOWN:
        return False
    return "p" in flags or not ("c" in flags or "n" in flags)


def _street(text: str, first: int, last: int) -> int | None:
    """Where the street begins that ends at a place; None if no street with a number does."""
    number = _NUMBER_LAST.search(text, first, last)
    if number and number.start() > first and text[number.start() - 1] == " ":
        return _words_before(text, first, number.start())
    leading = _NUMBER_FIRST.search(text, first, last)
    return leading.start() if leading and re.search(_UPPER, leading[0]) else None


def _words_before(text: str, first: int, last: int) -> int | None:
    """Back over a street's words: capitalised, small ones between, one of any case at the end."""
    words = list(_STREET_WORD.finditer(text, first, last))[-_MOST_WORDS:]
    start = None
    for place, word in enumerate(reversed(words)):
        lower = word[0].lower()
        if lower in _NO_STREET:
            return None
        if word[0][0].isupper() and not (lower in read_word_list("not_names") and place):
            start = word.start()
        elif (place and lower not in _SMALL) or (lower in _SENTENCE and not place):
            break
    return start
