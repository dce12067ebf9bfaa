"""Made-up values look like what a wallet prints, and are the same on every machine."""

import re
from random import Random

import pytest

from finewright_web3.values import kind_of, make_up


@pytest.mark.parametrize(
    ("kind", "unit", "form"),
    [
        ("addressName", "", r"0x[0-9a-f]{4}\.\.[0-9a-f]{4}"),
        ("amount", "POL", r"\d+\.\d{1,2} POL"),
        ("tokenAmount", "stETH", r"\d+(\.\d{1,2})? stETH"),
        ("tokenAmount", "", r"\d+(\.\d{1,2})? [A-Za-z]+"),
        ("allowance", "", r"unlimited|\d+(\.\d{1,2})? [A-Za-z]+"),
        ("unit", "%", r"\d+\.\d{1,2}%"),
        ("unit", "days", r"\d+\.\d{1,2} days"),
        ("unit", "", r"\d+\.\d{1,2}"),
        ("date", "", r"202[567]-\d\d-\d\d"),
        ("calldata", "", r"0x[0-9a-f]{8}"),
        ("bool", "", r"true|false"),
        ("enum", "", r"[0-4]"),
        ("raw", "", r"\d{1,5}"),
        ("small", "", r"[1-9]|1[0-2]"),
        ("a kind of tomorrow", "", r"\d{1,5}"),
    ],
)
def test_a_value_has_the_form_of_its_kind(kind, unit, form):
    rng = Random(0)  # noqa: S311 - made-up values
    values = [make_up(kind, unit, rng) for _ in range(300)]
    assert [value for value in values if not re.fullmatch(form, value)] == []


def test_an_amount_is_never_zero():
    rng = Random(0)  # noqa: S311 - made-up values
    assert not [
        v for v in (make_up("amount", "ETH", rng) for _ in range(3000)) if float(v[:-4]) <= 0
    ]


def test_the_values_of_a_seed_are_fixed():
    rng = Random("a")  # noqa: S311 - made-up values
    assert [make_up(kind, "ETH", rng) for kind in ("addressName", "amount", "date")] == [
        "0x419a..298f",
        "0.43 ETH",
        "2025-08-02",
    ]


@pytest.mark.parametrize(
    ("display", "name", "signature", "kind"),
    [
        ("date", "x", "f(uint256 x)", "date"),
        ("raw", "x", "f(bool x)", "bool"),
        ("raw", "order.x", "f((address[] x) order)", "address"),
        ("raw", "_proof", "f(bytes)", "bytes"),
        ("raw", "deadline", "f(uint256 deadline)", "date"),
        ("raw", "_recipient", "0x12345678", "address"),
        ("raw", "description", "f(string)", "link"),
        ("raw", "_threshold", "f(uint256 _threshold)", "small"),
        ("raw", "tokenId", "f(uint256 tokenId)", "raw"),
    ],
)
def test_the_kind_of_a_raw_argument_is_told_by_type_or_name(display, name, signature, kind):
    assert kind_of(display, name, signature) == kind
