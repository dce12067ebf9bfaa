"""Values of every type of personal data, and of identity numbers of every country, drawn by other hands.

Check digits are those of python-stdnum, phone numbers those of `phonenumbers`, the rest made up."""

import importlib.util
import random
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import phonenumbers
from stdnum import iban, luhn

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


def _benchmark_values() -> ModuleType:
    path = Path(__file__).parents[5] / "benchmarks" / "door_parts" / "privacy" / "id_values.py"
    spec = importlib.util.spec_from_file_location("id_values", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


IDS = _benchmark_values()


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
    **{
        f"id {name}": Drawn("national_id", kind.texts[0], kind.draw)
        for name, kind in IDS.KINDS.items()
    },
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
