"""Phone numbers: international by their country code, national by shape or by the words around.

`phonenumbers` (the numbering plans that Android uses) judges candidates; it is asked only about runs of
digits that are long enough. A mobile number of China and a Russian one with its 8 count where a word calls
them so, or amid letters of their script. Not covered: numbers of seven digits and more in one piece that
nothing calls a phone number; a phone number amid a sum, or with a unit after it."""
# ruff: noqa: RUF001

import re
from collections.abc import Iterator
from typing import Any

from finewright.errors import MissingExtra
from finewright.guard.privacy.scan import (
    SEPARATORS,
    UNSPACED,
    PersonalSpan,
    Recogniser,
    Scan,
    Sign,
    is_glued,
    only_digits,
    recogniser,
)

# Countries whose numbers are written without their code in texts of the languages that we read.
REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "BE", "AT", "CH", "PT", "PL", "SE", "DK", "IE")
# The same of countries of other scripts, whose numbers begin with a zero.
_ZERO_REGIONS = (*REGIONS, "TR", "UA", "VN", "JP", "KR", "TH")
# Where a number is only said to be one, its length must be that of a phone number somewhere.
_MORE_REGIONS = (
    "FI",
    "NO",
    "CZ",
    "HU",
    "GR",
    "RO",
    "IN",
    "BR",
    "TR",
    "UA",
    "RU",
    "KZ",
    "CN",
    "VN",
    "JP",
    "KR",
    "TH",
)
_LABEL = (
    r"(?:phones?|fon|telephones?|tele?f|tel|tel[eé]fon[oe]?[a-z]*|t[ée]l[ée]phone[a-z]*|t[ée]l|mobiles?|mobil[a-z]*"
    r"|m[óo]vil|cell(?:ulare|phone)?|celular|handy[a-z]*|portable|fax|call(?:ed|ing|s)?|dial(?:ed|ing|led)?"
    r"|rings?|sms|text(?:ed|ing)? (?:me|us|him|her|them)|whatsapp|reach(?:ed)? (?:me|us|him|her|them)"
    r"|contact(?:ed)?|messages? to|voicemail|hotline"
    r"|ruf(?:en|nummer)?|anrufen|nummer|numbers? (?:is|are)|appele[rz]?[a-z-]*|joindre|ll[aá]m[ae][a-z]*"
    r"|m[aá]rca(?:me|nos)|(?<!la )liga(?:r|me)?|ligue[a-z-]*"
    r"|chiam[aiou][a-z]*|num[ée]ro|n[úu]mero|numer|recapito|contacto|m[óo]b"
    r"|puh[a-z]*|tlf|тел(?:ефон[а-я]*)?|моб[а-я]*|сотов[а-я]*|(?:по)?звон[а-я]*|номер[а-я]*|дзвон[а-я]*"
    r"|ara(?:y[ıi]n[a-z]*)?|cep[a-zı]*|numaram?[a-zı]*|số|điện thoại|sđt|gọi|liên hệ)"
)
# Where words are not apart.
_LABELLED_UNSPACED = re.compile(
    r"(?:电话|手机|電話|手機|联系|拨打|微信|携帯|番号|热线|전화|연락|휴대폰|번호|โทร|เบอร์)[^0-9\n]{0,12}$"
)
_FILLER = (
    r"(?:is|at|on|me|us|him|her|them|back|no|nr|num|number|nummer|the|my|our|his|le|la|el|est|es|è|é|ist|er|lautet"
    r"|unter|auf|an|al|är|au|sur|ao|para|to|via|or|oder|ou|please|now|today|mich|uns|bitte)"
)
_LABELLED = re.compile(
    rf"(?<!\w){_LABEL}(?:[\s:=.#()\"'*_,-]+{_FILLER}(?!\w)){{0,5}}[\s:=.#()\"'*_,-]{{0,6}}$"
    r"|(?<!\w)(?:office|desk|home|work|number)\)?[:=]\s*$|(?<!\w)(?:ph|t|m)[.:]\s?$"
)
_LABEL_AFTER = re.compile(
    r"[\s,;:-]*\(?(?:is (?:my|his|her|our|their) )?(?:(?:fax|mobile|cell|phone|tel|mobil|fijo)\b"
    r"|(?:office|desk|home|work)(?:\)|\s*(?:[\n,\\]|$)| (?:phone|number|line)))"
)
# What makes figures of it: 3*200-150, <<1700-1200=500>>, 12 - 4500 ...
_COUNTED_BEFORE = re.compile(r"(?:[*\u00d7\u00f7^]|<<|[0-9)]\s*[-+/=<>\u2013])\s*$")
_COUNTED_AFTER = re.compile(r"\s*(?:[=*+\u00d7\u00f7^]|<<|>>|[/<>\u2013-]\s*[0-9])")
# Groups with spaces alone between are figures of a list, or of something that is counted: 441 711 7491 euros.
# Two figures with a hyphen or slash between are a range but where local numbers are written so: 555-1234.
_FIGURES = re.compile(
    r".*\s[-/]\s.*|[0-9]+\..*-.*|(?!\d{3}-\d{4}$|\d{4}-\d{4}$|\d{1,3}[-/]\d{5})\d+[-/]\d+",
    re.DOTALL,
)
_UNIT = re.compile(
    r"\s?(?:%|ms|s|rpm|k?m|[cm]m|k?g|[kmg]b|mah|kwh?|watts?|euros?|dollars?|usd|eur|gbp|units?|points?|pieces?"
    r"|people|visitors|hours?|minutes?|days?|years?|miles?|met(?:er|re)s?|items?|steps?|times?)\b"
)
_VERSION = re.compile(r"\b(?:version|firmware|release|build|model|v|iso|isbn|no\. of)\b[^\n]*$")
# What a number right after it is, where nothing calls it a phone number.
_CALLED_OTHER = re.compile(
    r"(?<!\w)(?:orders?|invoices?|parts?|tickets?|case|reference|ref|tracking|serial|item|sku|ssn|sin"
    r"|заказ[а-я]*|сч[её]т[а-я]*|sipariş|mã đơn(?: hàng)?|tài khoản"
    r"|bestellung|rechnung|auftrag|commande|facture|pedido|factura|ordine|fattura)"
    r"(?:\s(?:is|no\.?|nr\.?|number|id|số|là))*\s?[:#]?\s?$"
)
_OTHER_UNSPACED = re.compile(r"(?:订单|单号|编号|账号|卡号|快递|序列|注文|주문)[^0-9\n]{0,8}$")
_CHINESE = re.compile(r"1[3-9][0-9](?:[- ]?[0-9]{4}){2}")
_RUSSIAN = re.compile(
    r"8[ -]?(?:\([3489][0-9]{2}\)|[3489][0-9]{2})[ -]?[0-9]{3}(?:[ -]?[0-9]{2}){2}"
)
_IN_UNSPACED, _IN_CYRILLIC = re.compile(f"[{UNSPACED}]"), re.compile("[а-яё]")
_NEAR = 60
_PLAIN_SIGNS = frozenset("0123456789 ")
_DIGIT_BEFORE, _MORE_AFTER = re.compile("[0-9] $"), re.compile(r" [0-9\w]")
_EXTENSION = re.compile(
    r"\s?,?\s?(?:x|ext\.?|extension|durchwahl|#)\s?[0-9]{1,6}(?![0-9])", re.IGNORECASE
)
_GAP = f"[{SEPARATORS}]{{0,3}}"
_INTERNATIONAL = re.compile(rf"(?:\+\(?|00 ?)[1-9](?:{_GAP}[0-9]){{6,14}}")
_NORTH_AMERICAN = re.compile(
    r"(?:1[-. ])?(?:\([2-9][0-9]{2}\)[-. ]?|[2-9][0-9]{2}([-. ]))[2-9][0-9]{2}(?(1)\1|[-. ])[0-9]{4}"
)
_TRUNK = re.compile(rf"\(?0[1-9][0-9]*(?:{_GAP}[0-9]+)+")
_PLAIN = re.compile(rf"\(?[0-9](?:{_GAP}[0-9]){{6,13}}")
# Dates, the postcodes of the United States in full, versions.
_OTHER = re.compile(
    r"(?:[0-9]{1,2}([./-])[0-9]{1,2}\1(?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}([./-])[0-9]{1,2}\2[0-9]{1,2}"
    r"|[0-9]{5}-[0-9]{4}|(?:19|20)[0-9]{2}\s?[-\u2013/]\s?(?:19|20)?[0-9]{2}|(?:[0-9]+\.)+[0-9](?:\.[0-9]+)*)(?![0-9])"
)
# A phone number only where it is called one.
_DOTTED_FOURS = re.compile(r"[0-9]{4}(?:\.[0-9]{4}){2}")
_FEWEST_TRUNK, _MOST_TRUNK = 9, 13
_WINDOW = 60
_COUNTED = frozenset({"0123456789", "1234567890", "123456789", "12345678"})


def recognisers() -> tuple[Recogniser, ...]:
    """Phone numbers."""
    return (recogniser(recognise, "phone", sign=Sign.NUMBER),)


def recognise(scan: Scan) -> Iterator[PersonalSpan]:
    """Phone numbers with their extension; an extension alone is none."""
    for number in scan.numbers:
        start = _opening(scan.text, number.start)
        place, end = start, number.end
        while place < end:
            found = _at(scan, place, min(end, place + _WINDOW))
            if found is None:
                break
            yield found
            place = found.end


def _opening(text: str, start: int) -> int:
    """Where the number begins when its bracket or plus is counted."""
    for mark in "(+":
        while start and text[start - 1] == " " and start > 1 and text[start - 2] == mark:
            start -= 1
        if start and text[start - 1] == mark:
            start -= 1
    return start


def _at(scan: Scan, place: int, end: int) -> PersonalSpan | None:
    while place < end and scan.text[place] not in "+(0123456789":
        place += 1
    for pattern, judge in (
        (_INTERNATIONAL, _international),
        (_CHINESE, _chinese),
        (_RUSSIAN, _russian),
        (_NORTH_AMERICAN, _north_american),
        (_TRUNK, _with_trunk),
        (_PLAIN, _called_phone),
    ):
        # Only a shape as plain as North America's is looked for behind other digits.
        look = pattern.search if pattern is _NORTH_AMERICAN else pattern.match
        match = look(scan.text, place, end)
        if match and _is_apart(scan, match.start(), match.end()):
            found = judge(scan, match)
            if found:
                return _extended(scan, found)
    return None


def _is_apart(scan: Scan, start: int, end: int) -> bool:
    value = scan.text[start:end]
    return (
        not _is_glued_before(scan, start)
        and not _is_glued_after(scan, end)
        and value.count("(") == value.count(")")
        and (value[0] == "+" or not _is_counted(scan, start, end))
    )


def _is_glued_before(scan: Scan, start: int) -> bool:
    left = scan.text[start - 1] if start else " "
    earlier = scan.text[start - 2] if start > 1 else " "
    # `phone=030...` assigns; `40=030...` counts.
    is_sign = left in "_.$€£#%=/" and not (left == "=" and earlier.isalpha())
    is_part = left == "-" and earlier.isalnum()
    return is_sign or is_part or is_glued(left) or scan.is_fraction(start)


def _is_glued_after(scan: Scan, end: int) -> bool:
    right = scan.text[end] if end < len(scan.text) else " "
    return right in "_%€$£°" or (is_glued(right) and not _EXTENSION.match(scan.text, end))


def _is_counted(scan: Scan, start: int, end: int) -> bool:
    """Is it a part of a sum, a difference or a comparison?"""
    before, after = scan.before(start, 6), scan.after(end, 6)
    return bool(_COUNTED_BEFORE.search(before) or _COUNTED_AFTER.match(after))


def _extended(scan: Scan, span: PersonalSpan) -> PersonalSpan:
    match = _EXTENSION.match(scan.text, span.end)
    return span._replace(end=match.end()) if match else span


def _international(scan: Scan, match: re.Match[str]) -> PersonalSpan | None:
    start, end = match.span()
    while end > start:
        value = scan.text[start:end]
        # +49 (0) 30 ...: the national zero is written, and not dialled.
        digits = only_digits(value.replace("(0)", ""))
        if is_possible("+" + digits.removeprefix("00"), None):
            # Where less than half of it is a number, it is one with a digit too many.
            if 2 * len(digits) < len(only_digits(match[0])):
                end = match.end()
            return PersonalSpan(start, end, "phone", 0.95, "a phone number with its country code")
        shorter = re.search(rf"[{SEPARATORS}]+[0-9]+$", value)
        end = start + shorter.start() if shorter else start
    return None


def _chinese(scan: Scan, match: re.Match[str]) -> PersonalSpan | None:
    """A mobile number of China, called so or amid Chinese."""
    return _amid(scan, match, "CN", _IN_UNSPACED, "a mobile number as China writes it")


def _russian(scan: Scan, match: re.Match[str]) -> PersonalSpan | None:
    """A number of Russia or Kazakhstan with its 8, called so or amid Cyrillic letters."""
    return _amid(scan, match, "RU", _IN_CYRILLIC, "a phone number as Russia writes it")


def _amid(
    scan: Scan, match: re.Match[str], region: str, letters: re.Pattern[str], why: str
) -> PersonalSpan | None:
    start, end = match.span()
    before = scan.before(start, _NEAR)
    if not _is_called_phone(scan, match):
        is_other = _CALLED_OTHER.search(before[-30:]) or _OTHER_UNSPACED.search(before[-30:])
        around = f"{before} {scan.after(end, _NEAR)}"
        if is_other or not letters.search(around):
            return None
    if not is_valid(only_digits(match[0]), region):
        return None
    return PersonalSpan(start, end, "phone", 0.8, why)


def _north_american(scan: Scan, match: re.Match[str]) -> PersonalSpan | None:
    start, end = match.span()
    if _VERSION.search(scan.before(start, 24)):
        return None
    is_plain = not set(match[0]) - _PLAIN_SIGNS
    if is_plain and not _is_called_phone(scan, match):
        if _CALLED_OTHER.search(scan.before(start, 30)):
            return None
        is_amid = _DIGIT_BEFORE.search(scan.before(start, 4)) or _MORE_AFTER.match(
            scan.after(end, 4)
        )
        if is_amid or not is_valid(only_digits(match[0]), "US"):
            return None
    return PersonalSpan(start, end, "phone", 0.85, "a phone number as North America writes it")


def _with_trunk(scan: Scan, match: re.Match[str]) -> PersonalSpan | None:
    digits = only_digits(match[0])
    is_long = _FEWEST_TRUNK <= len(digits) <= _MOST_TRUNK
    if digits in _COUNTED or not is_long or _OTHER.match(match[0]):
        return None
    if not _is_called_phone(scan, match):
        is_other = _CALLED_OTHER.search(scan.before(match.start(), 30))
        if is_other or _DOTTED_FOURS.fullmatch(match[0]):
            return None
        if not any(is_valid(digits, region) for region in _ZERO_REGIONS):
            return None
    return PersonalSpan(match.start(), match.end(), "phone", 0.8, "a national phone number")


def _called_phone(scan: Scan, match: re.Match[str]) -> PersonalSpan | None:
    digits = only_digits(match[0])
    is_other = digits in _COUNTED or _OTHER.match(match[0]) or _FIGURES.fullmatch(match[0])
    if is_other or not _is_called_phone(scan, match):
        return None
    if _UNIT.match(scan.after(match.end(), 12)) or _VERSION.search(scan.before(match.start(), 24)):
        return None
    if any(is_possible(digits, region) for region in (*REGIONS, *_MORE_REGIONS)):
        return PersonalSpan(match.start(), match.end(), "phone", 0.7, "called a phone number")
    return None


def _is_called_phone(scan: Scan, match: re.Match[str]) -> bool:
    """Does a word right in front, or right after it, call it a phone number?"""
    before = scan.before(match.start(), 45)
    if _CALLED_OTHER.search(before[-30:]):
        return False
    if _LABELLED.search(before) or _LABELLED_UNSPACED.search(before):
        return True
    return _LABEL_AFTER.match(scan.after(match.end(), 24)) is not None


def is_possible(digits: str, region: str | None) -> bool:
    """Is there a numbering plan with numbers of that length?"""
    parsed = parse(digits, region)
    return parsed is not None and bool(_library().is_possible_number(parsed))


def is_valid(digits: str, region: str | None) -> bool:
    """Is the number in a range that is given out?"""
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
            "finding phone numbers needs phonenumbers", hint='pip install "finewright[data]"'
        ) from None
    return phonenumbers
