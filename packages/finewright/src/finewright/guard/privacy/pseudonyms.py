"""Stand-ins that keep the form of what they replace, the same one for the same value under one key.

Every stand-in is drawn from HMAC-SHA256(key, type, value): without the key nobody can tell which value
it stands for, not even by trying all phone numbers. Promised: an e-mail stays one (at a domain reserved
by RFC 2606), an IBAN keeps its country and valid check digits, a card its issuer and Luhn in a range for
tests, a phone its country, an identity number its shape and check, a date its format within three years,
an IP becomes one of the ranges for documentation and benchmarks (RFC 2544, 3849). Not promised: that two
values never share a stand-in (names and IPv4 addresses may), nor that nobody has the drawn number.

The key that pseudonyms and digests are made with: of a file, or fresh and thrown away."""

import hashlib
import hmac
import random
import re
import secrets
from functools import cache
from pathlib import Path

from finewright.errors import DataError
from finewright.guard.privacy import addresses, banking, births, national_ids, phones
from finewright.guard.privacy.find import recognisers
from finewright.guard.privacy.gazetteer import ListName, read_word_list
from finewright.guard.privacy.name_features import flags_of
from finewright.guard.privacy.national_ids import luhn, mod_97_10
from finewright.guard.privacy.scan import StandIn, only_digits
from finewright.schema.privacy import FoundType
from finewright.store.atomic import os_errors

_FEWEST_BYTES = 16


Draw = random.Random
_SEEN_AT_MOST = 100_000
_LOWER, _UPPER = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def normal(type_: FoundType, value: str) -> str:
    """The form in which two ways of writing a value are the same."""
    if type_ in ("email", "name"):
        return " ".join(value.casefold().split())
    if type_ == "iban":
        return banking.bare_iban(value)
    if type_ == "national_id":
        return national_ids.bare_id(value)
    return only_digits(value) if type_ in ("card", "phone") else value


def digest(key: bytes, type_: FoundType, value: str) -> str:
    """What tells repeats of a value, and nothing more to who has not the key."""
    return _mac(key, type_, normal(type_, value)).hex()[:16]


class Pseudonyms:
    """The stand-ins of one key; those drawn lately are remembered, in memory alone."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._seen: dict[tuple[str, str], str] = {}

    def of(self, type_: FoundType, value: str) -> str:
        """The stand-in of a value."""
        seen = self._seen.get((type_, value))
        if seen is None:
            if len(self._seen) >= _SEEN_AT_MOST:
                self._seen.clear()
            seen = self._seen[type_, value] = self._draw_stand_in(type_, value)
        return seen

    def _draw_stand_in(self, type_: FoundType, value: str) -> str:
        if type_ == "name":
            # Word by word: "Anna" is the same person as "Anna Weber".
            return re.sub(r"[^\W\d_]{2,}", lambda word: self._name(word[0]), value)
        return _stand_in(type_)(value, _draw(self._key, type_, normal(type_, value)))

    def _name(self, word: str) -> str:
        lower = word.lower()
        is_surname = lower in read_word_list("surnames") and lower not in read_word_list(
            "given_names"
        )
        pool = _pool("surnames" if is_surname else "given_names")
        if word == lower:
            return word  # van, de, di
        drawn = _draw(self._key, "name", lower).choice(pool)
        return drawn.upper() if word.isupper() else drawn.capitalize()


@cache
def _pool(name: ListName) -> tuple[str, ...]:
    """The names of a list that are read as one anywhere: not Don, not April."""
    return tuple(
        sorted(name for name in read_word_list(name) if not set(flags_of(name)) & set("cnp"))
    )


@cache
def _list_ascii_names(name: ListName) -> tuple[str, ...]:
    return tuple(word for word in _pool(name) if word.isascii())


def _mac(key: bytes, type_: str, text: str) -> bytes:
    return hmac.digest(key, f"{type_}\0{text}".encode("utf-8", "surrogatepass"), hashlib.sha256)


def _draw(key: bytes, type_: str, text: str) -> Draw:
    return random.Random(_mac(key, type_, text))  # noqa: S311 - its seed is a keyed digest


def _email(_: str, draw: Draw) -> str:
    given, surname = (
        draw.choice(_list_ascii_names("given_names")),
        draw.choice(_list_ascii_names("surnames")),
    )
    return (
        f"{given}.{surname}{draw.randrange(10**5):05}@example.{draw.choice(('com', 'org', 'net'))}"
    )


def _similar(value: str, draw: Draw) -> str:
    """Digits for digits and letters for letters; all else stays."""
    return "".join(_similar_character(character, draw) for character in value)


def _similar_character(character: str, draw: Draw) -> str:
    if not character.isascii() or not character.isalnum():
        return character
    if character.isdigit():
        return draw.choice("0123456789")
    return draw.choice(_UPPER if character.isupper() else _LOWER)


def _put_in(form: str, characters: str) -> str:
    """The form with its letters and digits replaced, in order, in the case that they had."""
    rest = iter(characters)
    return "".join(
        (new.lower() if old.islower() else new)
        for old in form
        for new in ((next(rest),) if old.isalnum() else (old,))
    )


def _iban(value: str, draw: Draw) -> str:
    bare = banking.bare_iban(value)
    body = _similar(bare[4:], draw)
    check = 98 - mod_97_10(f"{body}{bare[:2]}00")
    return _put_in(value, f"{bare[:2]}{check:02}{body}")


# The ranges of the numbers that issuers and processors publish for tests.
_TEST_RANGES = {
    "Visa": "400000", "Mastercard": "555555", "American Express": "378282", "Diners Club": "362272",
    "Discover": "601111", "JCB": "356600", "UnionPay": "620000", "Mir": "220000", "Maestro": "676770",
}  # fmt: skip


def _card(value: str, draw: Draw) -> str:
    digits = only_digits(value)
    issuer = banking.issuer_of(digits)
    prefix = _TEST_RANGES.get(issuer, digits[:6])
    if issuer == "JCB" and digits[0] in "12":
        prefix = digits[:4]  # the older numbers of 15 digits
    body = prefix + "".join(draw.choice("0123456789") for _ in digits[len(prefix) : -1])
    check = next(digit for digit in "0123456789" if luhn(body + digit))
    return _put_in(value, body + check)


_PHONE_TRIES = 200


def _phone(value: str, draw: Draw) -> str:
    is_international = value.lstrip("( ").startswith(("+", "00"))
    region = None if is_international else _region_of(value)
    kept = _count_kept_of_phone(value) if is_international else _trunk(value)
    drawn = value
    for _ in range(_PHONE_TRIES):
        drawn = value[:kept] + _similar(value[kept:], draw)
        digits = only_digits(drawn.replace("(0)", ""))
        number = "+" + digits.removeprefix("00") if is_international else digits
        if drawn != value and (phones.is_valid(number, region) or not (region or is_international)):
            return drawn
    return drawn


def _count_kept_of_phone(value: str) -> int:
    """How many characters say the country, with the national zero in brackets."""
    parsed = phones.parse("+" + only_digits(value).removeprefix("00"), None)
    if parsed is None:
        return 0
    seen, wanted = (
        0,
        len(str(parsed.country_code)) + (2 if only_digits(value).startswith("00") else 0),
    )
    for place, character in enumerate(value):
        seen += character.isdigit()
        if seen == wanted:
            rest = re.match(r"[^0-9]*\(0\)", value[place + 1 :])
            return place + 1 + (rest.end() if rest else 0)
    return 0


def _trunk(value: str) -> int:
    match = re.match(r"\D*0?", value)
    return match.end() if match else 0


def _region_of(value: str) -> str | None:
    digits = only_digits(value)
    return next((region for region in phones.REGIONS if phones.is_valid(digits, region)), None)


def _date(value: str, draw: Draw) -> str:
    parts = births.date_parts(value)
    if parts is None:
        return "".join("0" if character.isdigit() else character for character in value)
    month, day = draw.randrange(1, 13), draw.randrange(1, 29)
    year = parts.year + draw.choice((-3, -2, -1, 1, 2, 3))
    new = {
        parts.day_at: str(day).zfill(len(value[slice(*parts.day_at)])),
        parts.month_at: _month_like(value[slice(*parts.month_at)], month),
        parts.year_at: str(year)[-len(value[slice(*parts.year_at)]) :],
    }
    for (start, end), text in sorted(new.items(), reverse=True):
        value = value[:start] + text + value[end:]
    return value


def _month_like(written: str, month: int) -> str:
    if written.isdigit():
        return str(month).zfill(len(written))
    names = next((names for names in births.MONTHS if written.lower() in names), births.MONTHS[-1])
    name = names[month - 1]
    return (
        name.upper() if written.isupper() else name.capitalize() if written[0].isupper() else name
    )


def _ip(value: str, draw: Draw) -> str:
    if ":" in value:
        return ":".join(["2001", "db8", *(f"{draw.randrange(1, 2**16):x}" for _ in range(6))])
    return f"198.{draw.choice((18, 19))}.{draw.randrange(256)}.{draw.randrange(1, 255)}"


def _url(value: str, draw: Draw) -> str:
    scheme, mark, _ = value.rpartition("://")
    return f"{scheme}{mark}{'' if mark else 'www.'}example.org/{draw.randrange(16**10):010x}"


def _drop_dots(pattern: str) -> str:
    return pattern.replace(r"\.?", "").replace(r"\.", "")


_WORD = re.compile(r"[^\W_]+")
_STAYS = re.compile(
    rf"{_drop_dots(addresses.ROMANCE_WORDS)}|{addresses.UNITS}|Stra(?:ß|ss)e|Str|Weg|Platz|Allee|Gasse|Ring"
    r"|Ufer|Damm|Postfach|Apartado|Postbus|Box|[A-Z]{1,2}"
)
_STREET_END = re.compile(rf"(?<=\w){_drop_dots(addresses.STREET_ENDS)}$")


def _address(value: str, draw: Draw) -> str:
    """The same form with other numbers and names; what says street, box or state stays, and small words."""
    return _WORD.sub(lambda word: _address_word(word[0], draw), value)


def _address_word(word: str, draw: Draw) -> str:
    if word.isdigit():
        return draw.choice("123456789") + _similar(word[1:], draw)
    if any(character.isdigit() for character in word):
        return _similar(word, draw)
    is_kept = _STAYS.fullmatch(word) or word.lower() in read_word_list("street_words")
    if is_kept or word[0].islower():
        return word
    if end := _STREET_END.search(word):
        return draw.choice(_STREETS) + end[0]
    name = draw.choice(_TOWNS)
    return name.upper() if word.isupper() else name


_STREETS = (
    "Maple",
    "Alder",
    "Birch",
    "Cedar",
    "Heron",
    "Linden",
    "Mill",
    "Orchard",
    "Station",
    "Willow",
)
_TOWNS = (
    "Alderbrook",
    "Cedarhurst",
    "Elmfield",
    "Fernhollow",
    "Heronsgate",
    "Larkmoor",
    "Stonefield",
)


_KINDS: dict[FoundType, StandIn] = {
    "email": _email,
    "phone": _phone,
    "iban": _iban,
    "card": _card,
    "national_id": national_ids.similar_id,
    "date_of_birth": _date,
    "ip": _ip,
    "url": _url,
    "address": _address,
}


@cache
def _stand_in(type_: FoundType) -> StandIn:
    """Ours, or that of a recogniser of another package; else digits for digits, letters for letters."""
    theirs = (row.stand_in for row in recognisers() if type_ in row.types and row.stand_in)
    return _KINDS.get(type_) or next(theirs, _similar)


def key_of(path: Path | None) -> bytes:
    """The bytes of the file, or 32 fresh ones where none is named.

    Whoever has the key can test whether a value is behind a pseudonym; keep the file apart from the rows."""
    if path is None:
        return secrets.token_bytes(32)
    with os_errors(path):
        key = path.read_bytes()
    if len(key) < _FEWEST_BYTES:
        raise DataError(
            f"{path}: {len(key)} bytes are too few for a key",
            hint=f"make one of 32 random bytes: head -c 32 /dev/urandom > {path}",
        )
    return key
