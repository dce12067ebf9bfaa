"""Values of every type of personal data, and of identity numbers of every country, drawn by other hands.

Check digits are those of python-stdnum, phone numbers those of `phonenumbers`, the rest made up."""

import random
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from typing import NamedTuple

import phonenumbers
from stdnum import iban, luhn
from stdnum.at import vnr
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.iso7064 import mod_11_10
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.pl import pesel
from stdnum.pt import nif

from finewright.guard.privacy.banking import IBAN_LENGTHS, ISSUERS
from finewright.schema.privacy import PersonalType

Draw = random.Random


class Drawn(NamedTuple):
    """How values of a type and a country are drawn, and a text that they stand in."""

    type: PersonalType
    carrier: str
    value: Callable[[Draw], str]


def digits(draw: Draw, size: int, first: str = "0123456789") -> str:
    return draw.choice(first) + "".join(draw.choices("0123456789", k=size - 1))


def birth(draw: Draw, form: str) -> str:
    """A day as `ymd`, `dmy` and the like, two digits each."""
    parts = {"y": draw.randrange(100), "m": draw.randint(1, 12), "d": draw.randint(1, 28)}
    return "".join(f"{parts[part]:02}" for part in form)


def _spanish(draw: Draw) -> str:
    body = digits(draw, 8)
    return body + draw.choice(["", "-"]) + dni.calc_check_digit(body)


def _foreign_in_spain(draw: Draw) -> str:
    body = draw.choice("XYZ") + digits(draw, 7)
    gap = draw.choice(["", "-"])
    return f"{body[0]}{gap}{body[1:]}{gap}{nie.calc_check_digit(body)}"


def _german(draw: Draw) -> str:
    order = draw.sample("0123456789", 10)
    order[draw.randrange(1, 10)] = order[draw.randrange(10)]
    body = "".join(order)
    whole = body + mod_11_10.calc_check_digit(body)
    return whole if idnr.is_valid(whole) else _german(draw)


def _french(draw: Draw) -> str:
    body = digits(draw, 13, "12")
    return body + f"{97 - int(body) % 97:02}"


def _italian(draw: Draw) -> str:
    consonants = "".join(draw.choices("BCDFGLMNPRSTVZ", k=6))
    year, month, day = draw.randrange(100), draw.choice("ABCDEHLMPRST"), draw.randint(1, 28)
    body = f"{consonants}{year:02}{month}{day:02}{draw.choice('ABCDEFGHI')}{digits(draw, 3)}"
    return body + codicefiscale.calc_check_digit(body)


def _polish(draw: Draw) -> str:
    body = birth(draw, "ymd") + digits(draw, 4)
    return body + pesel.calc_check_digit(body)


def _dutch(draw: Draw) -> str:
    value = digits(draw, 9)
    return value if bsn.is_valid(value) else _dutch(draw)


def _belgian(draw: Draw) -> str:
    body = birth(draw, "ymd") + digits(draw, 3)
    check = 97 - int(body) % 97
    return f"{body[:2]}.{body[2:4]}.{body[4:6]}-{body[6:]}.{check:02}"


def _portuguese(draw: Draw) -> str:
    body = digits(draw, 8, "123")
    return body + nif.calc_check_digit(body)


def _austrian(draw: Draw) -> str:
    number, day = digits(draw, 3, "123456789"), birth(draw, "dmy")
    check = vnr.calc_check_digit(f"{number}0{day}")
    return f"{number}{check} {day}" if check != "10" else _austrian(draw)


def _swedish(draw: Draw) -> str:
    body = birth(draw, "ymd") + digits(draw, 3)
    return f"{body[:6]}-{body[6:]}{luhn.calc_check_digit(body)}"


def _swiss(draw: Draw) -> str:
    body = "756" + digits(draw, 9)
    check = -sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(body)) % 10
    return f"756.{body[3:7]}.{body[7:11]}.{body[11]}{check}"


def _british(draw: Draw) -> str:
    return (
        f"{draw.choice('ACEHJLM')}{draw.choice('ABCEHJLM')}{digits(draw, 6)}{draw.choice('ABCD')}"
    )


def _american(draw: Draw) -> str:
    return f"{draw.randint(1, 665):03}-{draw.randint(1, 99):02}-{draw.randint(1, 9999):04}"


ID_OF: Mapping[str, tuple[str, Callable[[Draw], str]]] = {
    "AT": ("SVNR: {}", _austrian),
    "BE": ("rijksregisternummer {}", _belgian),
    "CH": ("AHV-Nummer {}", _swiss),
    "DE": ("Steuer-ID: {}", _german),
    "ES": ("DNI {}", _spanish),
    "ES NIE": ("NIE {}", _foreign_in_spain),
    "FR": ("NIR {}", _french),
    "GB": ("NI number {}", _british),
    "IT": ("codice fiscale {}", _italian),
    "NL": ("BSN {}", _dutch),
    "PL": ("PESEL {}", _polish),
    "PT": ("NIF {}", _portuguese),
    "SE": ("personnummer {}", _swedish),
    "US": ("SSN: {}", _american),
}


def _account(country: str, draw: Draw) -> str:
    body = digits(draw, IBAN_LENGTHS[country] - 4)
    return f"{country}{iban.calc_check_digits(f'{country}00{body}')}{body}"


def _card(first: str, last: str, size: int, draw: Draw) -> str:
    prefix = str(draw.randint(int(first), int(last))).zfill(len(first))
    body = prefix + digits(draw, size - 1 - len(prefix))
    return body + luhn.calc_check_digit(body)


def _phone(region: str, draw: Draw) -> str:
    example = phonenumbers.example_number(region)
    text = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    places = [at for at, character in enumerate(text) if character.isdigit()][-2:]
    return "".join(draw.choice("0123456789") if at in places else c for at, c in enumerate(text))


_FORMS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%d %B %Y", "%B %d, %Y", "%d-%m-%y")


def _ip6(draw: Draw) -> str:
    return ":".join(f"{draw.randrange(0x1000, 0x10000):x}" for _ in range(8))


def _ip4(draw: Draw) -> str:
    return ".".join(str(draw.randint(2, 250)) for _ in range(4))


def _date(form: str, draw: Draw) -> str:
    return date(draw.randint(1925, 1999), draw.randint(1, 12), draw.randint(1, 28)).strftime(form)


def _word(draw: Draw, size: int) -> str:
    return "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=size))


VALUES: Mapping[str, Drawn] = {
    **{f"id {name}": Drawn("national_id", text, value) for name, (text, value) in ID_OF.items()},
    **{f"iban {c}": Drawn("iban", "to {} today", partial(_account, c)) for c in IBAN_LENGTHS},
    **{
        f"card {issuer} {first}": Drawn(
            "card", "my card {}.", partial(_card, first, last, max(sizes))
        )
        for first, last, sizes, issuer in ISSUERS
    },
    **{
        f"phone {region}": Drawn("phone", "call {} now", partial(_phone, region))
        for region in phonenumbers.SUPPORTED_REGIONS
    },
    **{
        f"born {form}": Drawn("date_of_birth", "born on {}", partial(_date, form))
        for form in _FORMS
    },
    "ip 4": Drawn("ip", "from {} at", _ip4),
    "ip 6": Drawn("ip", "from {} at", _ip6),
    "email": Drawn(
        "email", "write to {}.", lambda d: f"{_word(d, 5)}.{_word(d, 3)}@{_word(d, 6)}.org"
    ),
    "url": Drawn("url", "see {} there", lambda d: f"https://{_word(d, 6)}.com/{_word(d, 4)}"),
    "name": Drawn(
        "name", "Dear Mr. {}, thanks", lambda d: f"{_word(d, 7).title()} {_word(d, 8).title()}"
    ),
    "address": Drawn(
        "address",
        "at {}",
        lambda d: (
            f"{d.randint(1, 900)} {_word(d, 6).title()} Street, Leeds LS{d.randint(1, 9)} 4AA"
        ),
    ),
}
