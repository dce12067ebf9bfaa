"""Drawn identity numbers are found and damaged ones are not; check digits against python-stdnum."""

import random
import sys

import pytest
import stdnum.iban
import stdnum.luhn
from faker import Faker
from tests.guard.privacy.values import IDS

from finewright.catalog.national_ids import identity_rules
from finewright.errors import MissingExtra
from finewright.guard.privacy import national_ids
from finewright.guard.privacy.banking import is_iban
from finewright.guard.privacy.find import find
from finewright.guard.privacy.national_ids import kinds

DRAWN = 3000


def test_luhn_agrees_with_the_reference() -> None:
    draw = random.Random("luhn")  # noqa: S311
    numbers = [IDS.drawn("################", draw) for _ in range(DRAWN)]
    expected = [stdnum.luhn.is_valid(number) for number in numbers]
    assert any(expected)
    assert [national_ids.luhn(number) for number in numbers] == expected


@pytest.mark.parametrize("name", IDS.KINDS)
def test_a_drawn_number_is_found_and_a_slip_is_not_called_one(name: str) -> None:
    kind, draw = IDS.KINDS[name], random.Random(name)  # noqa: S311
    values = [kind.draw(draw) for _ in range(30)]
    for text in kind.texts:
        assert [value for value in values if not _found(text, value)] == []
    if kind.is_checked:
        # One slip in a hundred makes a number of this or another kind; a rest of 10 in Czechia is written 0.
        slips = [IDS.slipped(value, draw) for value in values for _ in range(3)]
        assert sum(_found(kind.texts[0], slip) for slip in slips) <= len(slips) / 10


def _found(text: str, value: str) -> bool:
    return bool(find(text.replace("{}", value), {"national_id"}))


def test_every_kind_of_the_catalog_has_values_and_a_way_to_be_found() -> None:
    countries = {name.split()[0] for name in IDS.KINDS}
    assert {rule.country for rule in identity_rules().kinds} == countries
    names = {name for kind in kinds() for name in kind.rule.check.split()}
    assert all(callable(national_ids._check(name)) for name in names)


def test_ibans_pass_and_a_wrong_digit_is_seen() -> None:
    draw = random.Random(3)  # noqa: S311
    fake = Faker("de_DE")
    fake.seed_instance(3)
    numbers = [fake.iban() for _ in range(150)]
    assert all(is_iban(number) for number in numbers)
    for number in numbers:
        wrong = IDS.slipped(number, draw)
        assert is_iban(wrong) == bool(stdnum.iban.is_valid(wrong))


@pytest.mark.parametrize(
    ("number", "is_nino"),
    [("AB123456C", True), ("ZZ123456A", False), ("DA123456A", False), ("AB123456E", False)],
)
def test_a_nino_is_told_by_its_letters(number: str, is_nino: bool) -> None:
    assert bool(find(f"NI number: {number}", {"national_id"})) is is_nino


def test_a_county_that_no_table_has_is_no_reason_to_stop() -> None:
    number = "635335198001011233"  # at which python-stdnum 2.2 raises KeyError
    assert [span.type for span in find(f"身份证号码{number}", {"national_id"})] == ["national_id"]


def test_without_its_library_numbers_are_refused_and_not_passed_by(monkeypatch) -> None:
    national_ids._check.cache_clear()
    monkeypatch.setitem(sys.modules, "stdnum.de.idnr", None)
    try:
        with pytest.raises(MissingExtra, match="identity numbers needs python-stdnum") as caught:
            find("Steuer-ID: 86095742719", {"national_id"})
        assert caught.value.hint == 'pip install "finewright[data]"'
    finally:
        national_ids._check.cache_clear()
