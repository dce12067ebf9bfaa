"""Phone numbers: by their country code, by a word that calls them so, or by a country that gives them out.

The last are written in groups as such numbers are, or stand amid letters of the country's script. The
numbering plans are those of `phonenumbers`, whose matcher also parts several numbers in a row; the words are
`lists/phone_words.txt`. Not covered: numbers of seven digits and more in one piece that nothing calls a phone
number; a phone number amid a sum, or with a unit after it."""

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from finewright.errors import MissingExtra
from finewright.guard.privacy.scan import (
    SEPARATORS,
    UNSPACED,
    PersonalSpan,
    Recogniser,
    Scan,
    Sign,
    only_digits,
    recogniser,
)
from finewright.plugins import install_command

# Countries whose numbers are written without their code in texts of Latin letters, and of other scripts.
REGIONS = (
    "US", "GB", "DE", "FR", "ES", "IT", "NL", "BE", "AT", "CH", "PT", "PL", "SE", "DK", "IE", "TR", "VN",
)  # fmt: skip
_SCRIPTS = (
    (re.compile("[\u0400-\u04ff]"), ("RU", "UA", "KZ", "BG")),
    (re.compile("[\uac00-\ud7af]"), ("KR",)),
    (re.compile("[\u3040-\u30ff]"), ("JP",)),
    (re.compile("[\u3400-\u9fff]"), ("CN",)),
    (re.compile("[\u0e00-\u0e7f]"), ("TH",)),
    (re.compile("[\u0370-\u03ff]"), ("GR",)),
)
# Of all plans Germany's takes the most lengths, from 4 digits to 15: what it cannot be, no number is.
_ANY_LENGTH = "DE"
_FEWEST, _MOST = 7, 13
_REACH, _REACH_OTHER, _NEAR = 45, 30, 60
_PIECE = re.compile(r"[(0-9](?:(?!\s[-/\u2013]\s).)*", re.DOTALL)
_EXTENSION = re.compile(
    r"\s?,?\s?(?:x|ext\.?|extension|durchwahl|#)\s?[0-9]{1,6}(?![0-9])", re.IGNORECASE
)
_OPENING = re.compile(r"(?:\+ ?\(?|\() ?\Z")
_GAP = f"[{SEPARATORS}]{{0,3}}"
_INTERNATIONAL = re.compile(rf"(?:\+\(?|00 ?)[1-9](?:{_GAP}[0-9]){{6,14}}")
_NORTH_AMERICAN = re.compile(
    r"(?:1[-. ])?(?:\([2-9][0-9]{2}\)[-. ]?|[2-9][0-9]{2}([-.]))[2-9][0-9]{2}(?(1)\1|[-. ])[0-9]{4}"
)
_TRUNK = re.compile(
    r"(?![0-9]{4}\.[0-9]{4}\.)\(?0[1-9][0-9]*[^0-9].*|[2-9][0-9]{2} [2-9][0-9]{2} [0-9]{4}"
)
# What may stand on neither side: letters, digits of the same figure, signs of money and paths, and, but for a
# number with its plus, the signs of a sum: 3*200-150, <<1700-1200=500>>, 12 - 4500.
_LETTER = rf"[^\W{UNSPACED}]"
_GLUED_BEFORE = re.compile(rf"(?:{_LETTER}|[_.$€£#%/]|[0-9]:|\w-|(?<![^\W\d_])=)\Z")
_GLUED_AFTER = re.compile(rf"{_LETTER}|[_%€$£°]")
_COUNTED_BEFORE = re.compile(r"(?:[*\u00d7\u00f7^]|<<|[0-9)]\s*[-+/=<>\u2013])\s*\Z")
_COUNTED_AFTER = re.compile(r"\s*(?:[=*+\u00d7\u00f7^]|<<|>>|[/<>\u2013-]\s*[0-9])")
# Dates, the postcodes of the United States in full, years, versions, digits in their order.
_OTHER = re.compile(
    r"(?:[0-9]{1,2}([./-])[0-9]{1,2}\1(?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}([./-])[0-9]{1,2}\2[0-9]{1,2}"
    r"|[0-9]{5}-[0-9]{4}|(?:19|20)[0-9]{2}\s?[-\u2013/]\s?(?:19|20)?[0-9]{2}|(?:[0-9]+\.)+[0-9](?:\.[0-9]+)*"
    r"|0?123456789?0?)(?![0-9])"
)
# Two figures with a hyphen or slash between are a range but where local numbers are written so: 555-1234.
_FIGURES = re.compile(
    r".*\s[-/]\s.*|[0-9]+\..*-.*|(?!\d{3}-\d{4}$|\d{4}-\d{4}$|\d{1,3}[-/]\d{5})\d+[-/]\d+",
    re.DOTALL,
)


class _Words(NamedTuple):
    """What is looked for around a number: in front of it or right after it."""

    label: re.Pattern[str]
    label_after: re.Pattern[str]
    other: re.Pattern[str]
    unit: re.Pattern[str]


@cache
def _read_phone_words() -> _Words:
    text = (files("finewright.guard.privacy") / "lists" / "phone_words.txt").read_text("utf-8")
    lists = {
        name: "|".join(re.escape(word.strip()).replace(r"\*", r"\w*") for word in words.split("|"))
        for name, words in re.findall(r"^\[(.+)\]\n((?:[^\[#].*\n)+)", text, re.MULTILINE)
    }
    gap = r"[\s:=.#()\"'*_,-]"
    return _Words(
        re.compile(
            rf"(?<!\w)(?:{lists['label']})(?:{gap}+(?:{lists['between']})(?!\w)){{0,5}}{gap}{{0,6}}\Z"
            rf"|(?<!\w)(?:{lists['short label']})\)?[.:=]\s?\Z"
            rf"|(?:{lists['label of scripts without spaces']})[^0-9\n]{{0,12}}\Z"
        ),
        re.compile(
            rf"[\s,;:-]*\(?(?:is (?:my|his|her|our|their) )?(?:(?:{lists['label after']})(?!\w)"
            rf"|(?:{lists['short label']})\s*(?:[)\n,\\]|$))"
        ),
        re.compile(
            rf"(?<!\w)(?:{lists['something else']})(?:\s(?:is|no\.?|nr\.?|number|id|số|là))*\s?[:#]?\s?\Z"
            rf"|(?<!\w)(?:{lists['version']})(?!\w)[^\n]{{0,16}}\Z"
            rf"|(?:{lists['something else of scripts without spaces']})[^0-9\n]{{0,8}}\Z"
        ),
        re.compile(rf"\s?(?:{lists['unit']})(?!\w)"),
    )


def recognisers() -> tuple[Recogniser, ...]:
    """Phone numbers."""
    return (recogniser(recognise, "phone", sign=Sign.NUMBER),)


def recognise(scan: Scan) -> Iterator[PersonalSpan]:
    """Phone numbers with their extension; an extension alone is none."""
    last = 0
    for number in scan.numbers:
        start = max(last, _opening(scan.text, number.start))
        found = _international(scan, start, number.end)
        if found:
            yield found
            start = last = found.end
        for first, end in _candidates(scan.text, start, number.end):
            value = scan.text[first : min(end, number.end)]
            why = _reason(scan, value, first, end)
            if why:
                yield PersonalSpan(first, end, "phone", 0.8, why)
                last = end


def _opening(text: str, start: int) -> int:
    """Where the number begins when its bracket and its plus are counted."""
    match = _OPENING.search(text, max(0, start - 3), start)
    return match.start() if match else start


def _candidates(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where numbers of some country's length stand, each with its extension.

    Most runs of digits are one number, or some with ` - ` between; others are left to the matcher."""
    for piece in _PIECE.finditer(text, start, end):
        first, last = piece.span()
        size = len(only_digits(piece[0]))
        if _FEWEST <= size <= _MOST:
            is_open = piece[0][0] == "(" and ")" not in piece[0]
            yield first + is_open, _with_extension(text, last)
        elif size > _MOST:
            library = _library()
            for match in library.PhoneNumberMatcher(
                piece[0], _ANY_LENGTH, library.Leniency.POSSIBLE
            ):
                if _FEWEST <= len(only_digits(match.raw_string)) <= _MOST:
                    yield first + match.start, first + match.end


def _with_extension(text: str, end: int) -> int:
    extension = _EXTENSION.match(text, end)
    return extension.end() if extension else end


def _international(scan: Scan, start: int, stop: int) -> PersonalSpan | None:
    match = _INTERNATIONAL.match(scan.text, start, stop)
    end = match.end() if match else start
    while end > start:
        value = scan.text[start:end]
        # +49 (0) 30 ...: the national zero is written, and not dialled.
        digits = only_digits(value.replace("(0)", "")).removeprefix("00")
        if is_possible(f"+{digits}", None):
            # Where less than half of it is a number, it is one with a digit too many.
            if match and 2 * len(digits) < len(only_digits(match[0])):
                end = match.end()
            end = _with_extension(scan.text, end)
            if not _is_apart(scan, value, start, end):
                return None
            return PersonalSpan(start, end, "phone", 0.95, "a phone number with its country code")
        shorter = re.search(rf"[{SEPARATORS}]+[0-9]+$", value)
        end = start + shorter.start() if shorter else start
    return None


def _reason(scan: Scan, value: str, start: int, end: int) -> str | None:
    """Why it is a phone number; None where it is none."""
    if not _is_apart(scan, value, start, end) or _OTHER.match(value):
        return None
    words, before, after = _read_phone_words(), scan.before(start, _REACH), scan.after(end, _REACH)
    if words.unit.match(after) or words.other.search(before[-_REACH_OTHER:]):
        return None
    if words.label.search(before) or words.label_after.match(after):
        is_figure = value[0] not in "(0" and _FIGURES.fullmatch(value)
        return None if is_figure else "called a phone number"
    if _NORTH_AMERICAN.fullmatch(value):
        return "a phone number as North America writes it"
    around = f"{scan.before(start, _NEAR)} {scan.after(end, _NEAR)}"
    regions = [region for letters, of in _SCRIPTS if letters.search(around) for region in of]
    if not regions and not _TRUNK.fullmatch(value):
        return None
    is_given_out = any(is_valid(only_digits(value), region) for region in regions or REGIONS)
    return "a national phone number" if is_given_out else None


def _is_apart(scan: Scan, value: str, start: int, end: int) -> bool:
    """Whether it is no part of a word, of another figure or of a sum."""
    text, near = scan.text, max(0, start - 6)
    if _GLUED_BEFORE.search(text, near, start) or _GLUED_AFTER.match(text, end):
        return False
    is_counted = _COUNTED_BEFORE.search(text, near, start) or _COUNTED_AFTER.match(text, end)
    return value[0] == "+" or not is_counted


def is_possible(digits: str, region: str | None) -> bool:
    """Whether there is a numbering plan with numbers of that length."""
    parsed = parse(digits, region)
    return parsed is not None and bool(_library().is_possible_number(parsed))


def is_valid(digits: str, region: str | None) -> bool:
    """Whether the number is in a range that is given out."""
    parsed = parse(digits, region)
    return parsed is not None and bool(_library().is_valid_number(parsed))


def parse(digits: str, region: str | None) -> Any | None:  # Any: phonenumbers has no types
    """The number as `phonenumbers` reads it, or None."""
    library = _library()
    try:
        return library.parse(digits, region)
    except library.NumberParseException:
        return None


def _library() -> Any:  # Any: phonenumbers has no types
    try:
        import phonenumbers
    except ImportError:
        raise MissingExtra(
            "finding phone numbers needs phonenumbers", hint=install_command("[data]")
        ) from None
    return phonenumbers
