"""Stand-ins keep their form and their consistency, and nothing of the value."""

import ipaddress
import random
import re

import phonenumbers
import pytest
import stdnum.be.nn
import stdnum.iban
import stdnum.it.codicefiscale
import stdnum.luhn
import stdnum.pl.pesel
from faker import Faker

from finewright.guard.privacy.banking import issuer_of
from finewright.guard.privacy.find import find
from finewright.guard.privacy.pseudonyms import Pseudonyms, digest
from finewright.schema.privacy import FoundType

KEY = b"0123456789abcdef"
NAMES = Pseudonyms(KEY)
VALUES: list[tuple[FoundType, str]] = [
    ("email", "ann.weber@acme.io"),
    ("phone", "+49 (0)30 1234567"),
    ("phone", "(415) 555-2671"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("card", "4111-1111-1111-1111"),
    ("card", "378282246310005"),
    ("national_id", "536-90-4399"),
    ("national_id", "RSSMRA85T10A562S"),
    ("national_id", "756.9217.0769.85"),
    ("date_of_birth", "12 March 1985"),
    ("ip", "203.0.113.9"),
    ("ip", "2001:db8:85a3::8a2e:370:7334"),
    ("url", "https://acme.io/ann"),
    ("name", "Anna Weber"),
    ("address", "12 Main Street, Springfield, CA 94043"),
]


@pytest.mark.parametrize(("type_", "value"), VALUES)
def test_one_key_gives_one_stand_in_and_another_key_another(type_: FoundType, value: str) -> None:
    first = Pseudonyms(KEY).of(type_, value)
    assert first == Pseudonyms(KEY).of(type_, value)
    assert first != value
    assert len({Pseudonyms(bytes([i]) * 16).of(type_, value) for i in range(8)}) > 1


def test_two_ways_of_writing_a_value_have_one_stand_in() -> None:
    assert NAMES.of("email", "Ann@Acme.io") == NAMES.of("email", "ann@acme.io")
    spaced, plain = "DE89 3704 0044 0532 0130 00", "DE89370400440532013000"
    assert NAMES.of("iban", spaced).replace(" ", "") == NAMES.of("iban", plain)


def test_a_given_name_is_the_same_person_alone() -> None:
    assert NAMES.of("name", "Anna Weber").split()[0] == NAMES.of("name", "Anna")
    assert NAMES.of("name", "ANNA") == NAMES.of("name", "Anna").upper()


def test_ibans_keep_country_length_and_gaps_and_are_valid() -> None:
    fake = Faker(["de_DE", "es_ES", "fr_FR", "it_IT", "nl_NL", "pl_PL", "en_GB"])
    fake.seed_instance(1)
    for _ in range(60):
        value = fake.iban()
        stand_in = NAMES.of("iban", value)
        assert stdnum.iban.is_valid(stand_in, check_country=False)
        assert (stand_in[:2], len(stand_in)) == (value[:2], len(value))
    assert [i for i, c in enumerate(NAMES.of("iban", VALUES[3][1])) if c == " "] == [
        4,
        9,
        14,
        19,
        24,
    ]


def test_cards_keep_their_issuer_and_pass_luhn() -> None:
    fake = Faker()
    fake.seed_instance(1)
    for _ in range(60):
        value = fake.credit_card_number()
        stand_in = NAMES.of("card", value)
        assert stdnum.luhn.is_valid(stand_in)
        assert (len(stand_in), issuer_of(stand_in)) == (len(value), issuer_of(value))


def test_phones_keep_their_country_and_are_valid() -> None:
    for region in ("US", "GB", "DE", "FR", "ES", "IT", "NL", "PL"):
        number = phonenumbers.example_number(region)
        value = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
        stand_in = phonenumbers.parse(NAMES.of("phone", value), None)
        assert stand_in.country_code == number.country_code
        assert phonenumbers.is_valid_number(stand_in)
        assert stand_in.national_number != number.national_number


def test_identity_numbers_keep_shape_and_check() -> None:
    fake = Faker(["it_IT", "pl_PL"])
    fake.seed_instance(2)
    for _ in range(8):
        pesel = fake["pl_PL"].pesel()
        # One in fifty is a Belgian number as well.
        if not stdnum.be.nn.is_valid(pesel):
            assert stdnum.pl.pesel.is_valid(NAMES.of("national_id", pesel))
        code = NAMES.of("national_id", fake["it_IT"].ssn())
        assert stdnum.it.codicefiscale.calc_check_digit(code[:-1]) == code[-1]


def test_dates_keep_their_format_and_stay_near() -> None:
    for value in ("1985-03-12", "03/12/1985", "12. März 1985", "March 12, 1985"):
        stand_in = NAMES.of("date_of_birth", value)
        assert find(f"born on {stand_in}", {"date_of_birth"})[0].end == len(f"born on {stand_in}")
        year = int(re.findall("[0-9]{4}", stand_in)[0])
        assert 1982 <= year <= 1988


def test_addresses_of_machines_are_of_harmless_ranges() -> None:
    assert ipaddress.ip_address(NAMES.of("ip", "8.8.8.8")) in ipaddress.ip_network("198.18.0.0/15")
    assert ipaddress.ip_address(NAMES.of("ip", "2a00::1")) in ipaddress.ip_network("2001:db8::/32")
    assert NAMES.of("email", "a@b.io").rpartition("@")[2] in {
        "example.com",
        "example.net",
        "example.org",
    }


def test_different_values_mostly_have_different_stand_ins() -> None:
    draw = random.Random(4)  # noqa: S311
    emails = {f"u{draw.randrange(10**9)}@acme.io" for _ in range(2000)}
    assert len({NAMES.of("email", email) for email in emails}) == len(emails)


def test_a_digest_tells_repeats_under_one_key_alone() -> None:
    assert digest(KEY, "email", "A@b.io") == digest(KEY, "email", "a@b.io")
    assert digest(KEY, "email", "a@b.io") != digest(b"another key, as long", "email", "a@b.io")
    assert digest(KEY, "email", "a@b.io") != digest(KEY, "name", "a@b.io")


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("Hauptstraße 5, 10115 Berlin", r"[A-Z]\w+straße \d, \d{5} [A-Z]\w+"),
        ("12 rue de la Paix, 75002 Paris", r"\d\d rue de la [A-Z]\w+, \d{5} [A-Z]\w+"),
        (
            "221B Baker Street, London NW1 6XE",
            r"\d{3}[A-Z] [A-Z]\w+ Street, [A-Z]\w+ [A-Z]{2}\d \d[A-Z]{2}",
        ),
        ("P.O. Box 12, Springfield, IL 62701", r"P\.O\. Box \d\d, [A-Z]\w+, IL \d{5}"),
    ],
)
def test_addresses_keep_their_form_and_are_found_again(value: str, form: str) -> None:
    stand_in = NAMES.of("address", value)
    assert re.fullmatch(form, stand_in)
    assert [stand_in[s.start : s.end] for s in find(stand_in, {"address"})] == [stand_in]
