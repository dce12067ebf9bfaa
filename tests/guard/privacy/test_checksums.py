"""Check digits against python-stdnum: drawn numbers of the right shape, valid ones, and those damaged."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import stdnum.at.vnr
import stdnum.be.nn
import stdnum.ch.ssn
import stdnum.de.idnr
import stdnum.es.dni
import stdnum.es.nie
import stdnum.fr.nir
import stdnum.iban
import stdnum.it.codicefiscale
import stdnum.luhn
import stdnum.nl.bsn
import stdnum.pl.pesel
import stdnum.pt.nif
import stdnum.se.personnummer
import stdnum.us.ssn
from faker import Faker

from finewright.guard.privacy import checksums
from finewright.guard.privacy.banking import is_iban

DRAWN = 4000
Check = Callable[[str], bool]
KINDS: dict[str, tuple[Check, Any, str]] = {
    "DE": (checksums.de_tax_id, stdnum.de.idnr, "#" * 11),
    "FR": (checksums.fr_nir, stdnum.fr.nir, "1" + "#" * 14),
    "ES DNI": (checksums.es_dni, stdnum.es.dni, "########@"),
    "ES NIE": (checksums.es_dni, stdnum.es.nie, "X#######@"),
    "PL": (checksums.pl_pesel, stdnum.pl.pesel, "##01######0"),
    "NL": (checksums.nl_bsn, stdnum.nl.bsn, "#" * 9),
    "PT": (checksums.pt_nif, stdnum.pt.nif, "#" * 9),
    "AT": (checksums.at_svnr, stdnum.at.vnr, "####1#01##"),
    "CH": (checksums.ch_ahv, stdnum.ch.ssn, "756##########"),
    "US": (checksums.us_ssn, stdnum.us.ssn, "#" * 9),
    "Luhn": (checksums.luhn, stdnum.luhn, "#" * 16),
}


def drawn(form: str, draw: random.Random) -> str:
    digit = {"#": "0123456789", "@": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    return "".join(draw.choice(digit[c]) if c in digit else c for c in form)


@pytest.mark.parametrize("kind", KINDS)
def test_a_check_agrees_with_the_reference(kind: str) -> None:
    check, reference, form = KINDS[kind]
    draw = random.Random(kind)  # noqa: S311
    numbers = [drawn(form, draw) for _ in range(DRAWN)]
    expected = [bool(reference.is_valid(number)) for number in numbers]
    assert [check(number) for number in numbers] == expected


VALID: dict[str, tuple[Check, Any, Callable[[Faker], str]]] = {
    "FR": (checksums.fr_nir, stdnum.fr.nir, lambda fake: fake["fr_FR"].ssn()),
    "IT": (checksums.it_codice_fiscale, stdnum.it.codicefiscale, lambda fake: fake["it_IT"].ssn()),
    "PL": (checksums.pl_pesel, stdnum.pl.pesel, lambda fake: fake["pl_PL"].pesel()),
    "BE": (checksums.be_national, stdnum.be.nn, lambda fake: fake["nl_BE"].ssn()),
    "SE": (
        checksums.se_personnummer,
        stdnum.se.personnummer,
        lambda fake: fake["sv_SE"].ssn(long=False).replace("-", ""),
    ),
    "IBAN": (is_iban, stdnum.iban, lambda fake: fake["de_DE"].iban()),
}


def damaged(number: str, draw: random.Random) -> str:
    place = draw.choice([i for i, character in enumerate(number) if character.isdigit()])
    other = draw.choice([digit for digit in "0123456789" if digit != number[place]])
    return number[:place] + other + number[place + 1 :]


@pytest.mark.parametrize("kind", VALID)
def test_valid_numbers_pass_and_a_wrong_digit_is_seen(kind: str) -> None:
    check, reference, make = VALID[kind]
    draw = random.Random(kind)  # noqa: S311
    fake = Faker(["fr_FR", "it_IT", "pl_PL", "nl_BE", "sv_SE", "de_DE"])
    fake.seed_instance(3)
    numbers = [make(fake) for _ in range(150)]
    wrong = [damaged(number, draw) for number in numbers]
    assert all(check(number) for number in numbers)
    # What the reference takes after the damage, the check may take too: a birth day is not a check digit.
    assert [check(number) for number in wrong] == [bool(reference.is_valid(n)) for n in wrong]


def test_the_italian_letter_is_the_reference_s() -> None:
    draw = random.Random(5)  # noqa: S311
    bodies = [drawn("@@@@@@##A##@###", draw) for _ in range(DRAWN)]
    letters = [stdnum.it.codicefiscale.calc_check_digit(body) for body in bodies]
    assert all(
        checksums.it_codice_fiscale(body + letter)
        for body, letter in zip(bodies, letters, strict=True)
    )
    others = ["B" if letter == "A" else "A" for letter in letters]
    assert not any(
        checksums.it_codice_fiscale(b + other) for b, other in zip(bodies, others, strict=True)
    )


def test_corsican_numbers_are_read_by_their_rule() -> None:
    number = "184032A123456"
    key = 97 - int(number.replace("2A", "19")) % 97
    assert checksums.fr_nir(f"{number}{key:02}")
    assert stdnum.fr.nir.is_valid(f"{number}{key:02}")
    assert not checksums.fr_nir(f"{number}{key % 97 + 1:02}")


@pytest.mark.parametrize(
    ("number", "is_nino"),
    [("AB123456C", True), ("ZZ123456A", False), ("DA123456A", False), ("AB123456E", False)],
)
def test_a_nino_is_told_by_its_letters(number: str, is_nino: bool) -> None:
    assert checksums.uk_nino(number) is is_nino
