"""Dates of birth: dates that the words around call so, in English, German, French, Spanish, Italian,
Russian, Chinese, Japanese and Korean.

Not covered: a date that nothing calls a birth, and an age."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from finewright.guard.privacy.national_ids import is_date
from finewright.guard.privacy.scan import PersonalSpan, Recogniser, Scan, Sign, recogniser

MONTHS = (
    ("january", "february", "march", "april", "may", "june",
     "july", "august", "september", "october", "november", "december"),
    ("januar", "februar", "märz", "april", "mai", "juni",
     "juli", "august", "september", "oktober", "november", "dezember"),
    ("janvier", "février", "mars", "avril", "mai", "juin",
     "juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    ("enero", "febrero", "marzo", "abril", "mayo", "junio",
     "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"),
    ("gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno",
     "luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre"),
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
)  # fmt: skip
_NUMBER_OF = {name: i for names in MONTHS for i, name in enumerate(names, start=1)} | {"sept": 9}
_MONTH = "|".join(sorted(_NUMBER_OF, key=len, reverse=True))
CALLED = (
    "born", "birth", "dob", "d.o.b", "geboren", "geburt", "geb.", "naissance", "naci", "nacío", "mplea",
    "nato il", "nata il", "nascita", "né le", "née le", "nee le", "ne le", "anniversaire", "рожд", "родил",
    "出生", "生日", "生年月日", "誕生日", "생년월일", "생일",
)  # fmt: skip
_WORD = re.compile(
    r"(?<!\w)(?:born|birth(?:day|date)?s?|birth[\s_-]?da(?:y|te)|date[\s_-]of[\s_-]birth|dob|d\.o\.b\.?"
    r"|geboren[a-z]*|geburts\w*|geb\.|naissance|nacid[oa]s?|nacimiento|nació|cumpleaños"
    r"|nat[oa] (?:il|a)|nascita|compleanno|née? le|anniversaire|рожд\w*|родил\w*)(?!\w)"
    r"|出生|生日|生年月日|誕生日|생년월일|생일"  # where words are not apart
)
_WORD_AFTER = re.compile(
    r"[\s,()]*(?:is |was |as )?(?:my |his |her |your |their |the )?"
    r"(?:birth(?:day|date)|date[\s_-]of[\s_-]birth|dob\b|geburts(?:tag|datum)|birth)"
)
_DATE = re.compile(
    r"(?P<y1>(?:19|20)[0-9]{2})[-/.](?P<m1>[0-9]{1,2})[-/.](?P<d1>[0-9]{1,2})"
    r"|(?P<d2>[0-9]{1,2})(?P<s>[-/.]) ?(?P<m2>[0-9]{1,2})(?P=s) ?(?P<y2>(?:19|20)?[0-9]{2})"
    rf"|(?P<d3>[0-9]{{1,2}})(?:st|nd|rd|th|\.|er|º)?,?[ -](?:de |of )?(?P<m3>{_MONTH})\.?,?[ -](?:de |del )?"
    r"(?P<y3>(?:19|20)[0-9]{2})"
    rf"|(?P<m4>{_MONTH})\.? (?P<d4>[0-9]{{1,2}})(?:st|nd|rd|th)?,? (?P<y4>(?:19|20)[0-9]{{2}})"
    r"|(?P<y5>(?:19|20)[0-9]{2}) ?[年년] ?(?P<m5>[0-9]{1,2}) ?[月월] ?(?P<d5>[0-9]{1,2}) ?[日일]",
    re.IGNORECASE,
)
# What the outline (`Scan`) of each date has: a year of four digits, or two numbers with a sign between.
DATED = (b"0000", *(b"0%c%s0" % (sign, gap) for sign in b"-/." for gap in (b"", b" ")))
_CALLED_IN = re.compile("|".join(map(re.escape, CALLED)), re.IGNORECASE)
_REACH_BEFORE, _REACH_AFTER = 50, 30
# A date within reach ends within it.
_STRETCH, _LONGEST = 120, 30
_CENTURY = 100


class DateParts(NamedTuple):
    """A date's day, month and year as numbers, and the offsets in the text that each has."""

    day: int
    month: int
    year: int
    day_at: tuple[int, int]
    month_at: tuple[int, int]
    year_at: tuple[int, int]


def recognisers() -> tuple[Recogniser, ...]:
    """Dates of birth."""
    return (recogniser(recognise, "date_of_birth", sign=Sign.BIRTH),)


def recognise(scan: Scan) -> Iterator[PersonalSpan]:
    """Dates near a word of birth: up to 50 characters after it, or right before."""
    if not (scan.has_digits and scan.has_outline(DATED) and scan.has_any(CALLED)):
        return
    for match in _near_words(scan):
        start, end = match.span()
        if not (match["y5"] or scan.is_alone(start, end)) or date_parts(match[0]) is None:
            continue
        if _WORD.search(_sentence(scan, start)) or _WORD_AFTER.match(scan.after(end, _REACH_AFTER)):
            yield PersonalSpan(start, end, "date_of_birth", 0.9, "a date that is called a birth")


def _near_words(scan: Scan) -> Iterator[re.Match[str]]:
    """The dates of the stretches of text around words of birth, beyond which none counts."""
    stop = 0
    for word in _CALLED_IN.finditer(scan.text):
        end = min(len(scan.text), word.end() + _STRETCH)
        for found in _DATE.finditer(scan.text, max(stop, word.start() - _STRETCH), end):
            if found.end() < end - _LONGEST or end == len(scan.text):  # else it may be cut
                stop = found.end()
                yield found


def _sentence(scan: Scan, start: int) -> str:
    """What stands before, from the last date on: that one has the word to itself."""
    before = scan.before(start, _REACH_BEFORE)
    dates = list(_DATE.finditer(before))
    return before[dates[-1].end() :] if dates else before


def date_parts(text: str) -> DateParts | None:
    """The parts of a date that is the whole text; None if there is no such day.

    Of 03/04/1980 the first is the day, unless only the month before the day makes a day that is."""
    match = _DATE.fullmatch(text)
    if not match:
        return None
    form = next(number for number in "12345" if match[f"y{number}"])
    month_text = match[f"m{form}"].lower()
    day, year = int(match[f"d{form}"]), int(match[f"y{form}"])
    month = int(month_text) if month_text.isdigit() else _NUMBER_OF[month_text]
    day_at, month_at = match.span(f"d{form}"), match.span(f"m{form}")
    year += 1900 if year < _CENTURY else 0
    if is_date(year, month, day):
        return DateParts(day, month, year, day_at, month_at, match.span(f"y{form}"))
    if form == "2" and is_date(year, day, month):
        return DateParts(month, day, year, month_at, day_at, match.span("y2"))
    return None
