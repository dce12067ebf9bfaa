"""IBANs and payment cards, told by their check digits.

Sources: SWIFT IBAN registry (lengths), ISO 13616 and ISO 7064 (check); ISO/IEC 7812 (Luhn) and the
issuers' published ranges. Not covered: account numbers without check digits."""

import re
from collections.abc import Iterator

from finewright.guard.privacy.national_ids import luhn, mod_97_10
from finewright.guard.privacy.scan import (
    PersonalSpan,
    Recogniser,
    Scan,
    Sign,
    is_glued,
    only_digits,
    recogniser,
    words,
)

IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27,
    "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28,
    "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
    "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27,
    "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25,
    "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18,
    "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33,
    "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28,
    "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip
_COUNTRY_AND_CHECK = (b"AA00", b"aa00", b"Aa00", b"aA00")
_CHECK_DIGITS = re.compile("[0-9][0-9][ \u00a0-]?[0-9A-Za-z]")
_GAPS = " -\u00a0\u202f"


def recognisers() -> tuple[Recogniser, ...]:
    """IBANs and numbers of cards."""
    return (
        recogniser(iban, "iban", sign=Sign.COUNTRY),
        recogniser(card, "card", sign=Sign.NUMBER),
    )


def iban(scan: Scan) -> Iterator[PersonalSpan]:
    """IBANs with or without gaps, in either case: length of the country, and MOD 97-10."""
    text = scan.text
    if not scan.has_outline(_COUNTRY_AND_CHECK):
        return
    for match in _CHECK_DIGITS.finditer(text):
        start = match.start() - 2
        country = text[max(0, start) : match.start()].upper()
        length = IBAN_LENGTHS.get(country)
        if length is None or start < 0 or _is_glued(text[start - 1 : start]):
            continue
        end = _end_of(text, start, length)
        if end and not _is_glued(text[end : end + 1]) and is_iban(text[start:end]):
            yield PersonalSpan(start, end, "iban", 1.0, f"{country} IBAN, check digits fit")


def _is_glued(character: str) -> bool:
    return character != "_" and is_glued(character)


def is_iban(text: str) -> bool:
    """Whether length and check digits fit."""
    bare = bare_iban(text)
    return (
        len(bare) == IBAN_LENGTHS.get(bare[:2])
        and bare.isascii()
        and mod_97_10(bare[4:] + bare[:4]) == 1
    )


def bare_iban(text: str) -> str:
    """The IBAN as it is compared: no gaps, upper case."""
    return "".join(character for character in text if character not in _GAPS).upper()


def _end_of(text: str, start: int, length: int) -> int:
    """Where so many letters and digits from `start` on end; 0 if something else stands between."""
    seen = gap = 0
    for place in range(start, min(len(text), start + 2 * length)):
        character = text[place]
        if character.isascii() and character.isalnum():
            seen, gap = seen + 1, 0
            if seen == length:
                return place + 1
        elif character in _GAPS and not gap:
            gap = 1
        else:
            return 0
    return 0


# (first, last) leading digits, and the lengths of the whole number.
ISSUERS = (
    ("4", "4", {13, 16, 19}, "Visa"),
    ("51", "55", {16}, "Mastercard"),
    ("2221", "2720", {16}, "Mastercard"),
    ("34", "34", {15}, "American Express"),
    ("37", "37", {15}, "American Express"),
    ("300", "305", {14, 16}, "Diners Club"),
    ("3095", "3095", {14, 16}, "Diners Club"),
    ("36", "36", {14, 16, 19}, "Diners Club"),
    ("38", "39", {14, 16, 19}, "Diners Club"),
    ("6011", "6011", {16, 19}, "Discover"),
    ("644", "659", {16, 19}, "Discover"),
    ("3528", "3589", {16, 19}, "JCB"),
    ("1800", "1800", {15}, "JCB"),
    ("2131", "2131", {15}, "JCB"),
    ("62", "62", {16, 17, 18, 19}, "UnionPay"),
    ("2200", "2204", {16}, "Mir"),
    ("50", "50", set(range(12, 20)), "Maestro"),
    ("56", "69", set(range(12, 20)), "Maestro"),
)
_CARD = re.compile("[0-9](?:[ \u00a0\u2011-]?[0-9]){11,18}")
_CARD_WORDS = words(
    "cards?", "cc", "visa", "mastercard", "maestro", "amex", "american express", "diners?", "jcb", "discover",
    "[a-z]*karten?(?:nummer)?", "cartes?", "tarjetas?", "cart[ae]", "cart[aã]o", "kort[a-z]*", "pan",
)  # fmt: skip
# What to do with figures: Sort: 4855 4346 4739 2389.
_FIGURES = re.compile(
    r"(?<!\w)(?:sort|evaluate|sum|average|mean|median|arrange|maximum|minimum)"
    r"(?: (?:of|these|the|following|numbers|figures|values|list))*\s?:?\s?$"
)
_SHORT, _GROUPED, _FEWEST = 14, 16, 12


def card(scan: Scan) -> Iterator[PersonalSpan]:
    """Payment cards: an issuer's range and length, and Luhn.

    One of fewer than 14 digits, of more than 16 in one piece, or of a range that is not listed is one only
    where it is called so."""
    for number in scan.numbers:
        if len(number.digits) < _FEWEST:
            continue
        for match in _CARD.finditer(scan.text, number.start, number.end):
            found = _find_card(scan, match)
            if found:
                yield found


def _find_card(scan: Scan, match: re.Match[str]) -> PersonalSpan | None:
    digits = only_digits(match[0])
    if _is_amid_figures(scan, match) or not luhn(digits):
        return None
    issuer = issuer_of(digits)
    is_odd = len(digits) < _SHORT or (len(digits) > _GROUPED and match[0].isdigit())
    is_sure = issuer not in ("", "Maestro") and not is_odd
    if is_sure or (digits[0] in "23456" and _CARD_WORDS.search(scan.before(match.start()))):
        return PersonalSpan(
            match.start(), match.end(), "card", 0.95, f"{issuer} card, Luhn fits".lstrip()
        )
    return None


def _is_amid_figures(scan: Scan, match: re.Match[str]) -> bool:
    """Whether it is a part of a longer number, or of a row of them."""
    start, end = match.span()
    if not scan.is_alone(start, end) or scan.is_fraction(start):
        return True
    return " " in match[0] and _FIGURES.search(scan.before(start)) is not None


def issuer_of(digits: str) -> str:
    """Who issues cards of that range and length; nothing if nobody does."""
    for first, last, lengths, name in ISSUERS:
        if len(digits) in lengths and first <= digits[: len(first)] <= last:
            return name
    return ""
