# ruff: noqa: RUF001
"""Figures are no phone numbers, whatever is counted; phone numbers are found as they are written."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finewright.guard.privacy.find import find

NUMBERS = st.integers(min_value=1, max_value=99_999).map(str)
OPERATORS = st.sampled_from(["+", "-", "*", "/", " - ", " + ", " x ", "=", " = "])
LEADS = st.sampled_from(
    ["He works ", "So she calls it ", "At home: ", "The office has ", "= ", "number "]
)


@given(LEADS, NUMBERS, st.lists(st.tuples(OPERATORS, NUMBERS), min_size=1, max_size=5), NUMBERS)
def test_a_sum_is_no_phone_number(
    lead: str, first: str, rest: list[tuple[str, str]], result: str
) -> None:
    terms = first + "".join(operator + number for operator, number in rest)
    for text in (f"{lead}{terms} = {result}.", f"{lead}<<{terms}={result}>>{result} left"):
        assert [text[s.start : s.end] for s in find(text, {"phone"})] == []


@pytest.mark.parametrize(
    "text",
    [
        "Sales grew 1700-1200 at home, and 3*200-150 at work.",
        "from 2019-2023 and 1999/2000",
        "call options 2024-05-06",
        "phone firmware 4.12.5512-8992",
        "dial: 4400-7000 rpm",
        "it costs 441 711 7491 euros",
        "order 13812345678 has shipped",
        "订单号13812345678已发货",
        "Номер заказа: 89161234567",
        "We sold 8 800 555 35 35 units",
        "ID 0301.2000.4567",
        "la liga 2019 2020 123",
    ],
)
def test_what_only_looks_like_a_phone_number(text: str) -> None:
    assert find(text, {"phone"}) == ()


@given(st.sampled_from(("US", "GB", "DE", "FR", "ES", "IT", "NL", "CH", "PL", "PT")), st.data())
def test_a_number_that_is_called_so_is_found(region: str, data: st.DataObject) -> None:
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    form = data.draw(st.sampled_from([1, 2]), "international or national")
    value = phonenumbers.format_number(example, form)
    lead = data.draw(st.sampled_from(["Tel: ", "call me at ", "Meine Nummer ist ", "phone="]))
    text = f"{lead}{value}, thanks"
    assert [text[s.start : s.end] for s in find(text, {"phone"})] == [value]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Позвоните нам: 8 800 555-35-35, мы открыты.", "8 800 555-35-35"),
        ("Мой номер 8 (916) 123-45-67.", "8 (916) 123-45-67"),
        ("Звоните 89161234567 вечером", "89161234567"),
        ("我的手机号是13812345678，谢谢", "13812345678"),
        ("请拨打138 1234 5678", "138 1234 5678"),
        ("电话：010-62345678", "010-62345678"),
        ("Beni 0532 123 45 67 numarasından arayın.", "0532 123 45 67"),
        ("Gọi cho tôi số 0912 345 678 nhé", "0912 345 678"),
        ("携帯は090-1234-5678です", "090-1234-5678"),
        ("휴대폰 010-1234-5678", "010-1234-5678"),
        ("Call 0800.1234.5678", "0800.1234.5678"),
        ("Fon 0611.2345.6789", "0611.2345.6789"),
        ("Telefonszám: 06 30 123 4567", "06 30 123 4567"),
        ("Τηλέφωνο: 2101234567", "2101234567"),
        ("Ring mig på 21 23 84 33", "21 23 84 33"),
    ],
)
def test_numbers_are_found_as_other_scripts_write_them(text: str, number: str) -> None:
    assert [text[s.start : s.end] for s in find(text, {"phone"})] == [number]


def test_two_numbers_in_a_row_are_two() -> None:
    text = "call 415-555-2671 415-555-2672, or 030 1234567, 030 7654321"
    assert [text[s.start : s.end] for s in find(text, {"phone"})] == [
        "415-555-2671", "415-555-2672", "030 1234567", "030 7654321",
    ]  # fmt: skip


def test_a_number_with_digits_too_many_is_taken_whole() -> None:
    text = "call +44 7700 912345678 now"
    assert [text[s.start : s.end] for s in find(text, {"phone"})] == ["+44 7700 912345678"]
    text = "call +44 7700 900123 456 times"
    assert [text[s.start : s.end] for s in find(text, {"phone"})] == ["+44 7700 900123"]
