"""Addresses of wallets through the suite of recognisers; the values are published examples."""

import pytest

from finewright.conformance.recogniser import RecogniserConformance
from finewright.guard.privacy.encodings import base58check_payload
from finewright.guard.privacy.pseudonyms import Pseudonyms
from finewright_web3.wallets import is_segwit, is_solana

TAPROOT = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"
SOLANA = "7EcDhSYGxXyscszYEp35KHN8vvw3svAuLKTzXwCFLtV"


class TestWallets(RecogniserConformance):
    name = "wallets"
    marked = [
        ("to «0x52908400098527886E0F7030069857D2E4169EE7»", "crypto_address"),
        ("to «1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa»", "crypto_address"),
        ("to «3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy»,", "crypto_address"),
        ("to «bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4»", "crypto_address"),
        ("to «BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4»", "crypto_address"),
        (f"taproot «{TAPROOT}»", "crypto_address"),
        ("tron «TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t»!", "crypto_address"),
        ("ltc «LM2WMpR1Rp6j3Sa59cMXMs1SPzj9eXpGc1»", "crypto_address"),
        (f"send SOL to «{SOLANA}» please", "crypto_address"),
    ]
    near_misses = [
        "address 0x" + "0" * 40,
        "hash 0x52908400098527886E0F7030069857D2E4169EE7ab",
        "to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
        "to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        "to bc1Qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "tron TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u",
        f"build {SOLANA} is done",
        "wallet program 11111111111111111111111111111111",
    ]


@pytest.mark.parametrize(
    ("old", "is_one"),
    [
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", base58check_payload),
        ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", base58check_payload),
        (TAPROOT, is_segwit),
        (SOLANA, is_solana),
    ],
)
def test_a_stand_in_is_an_address_of_the_same_kind(old, is_one):
    new = Pseudonyms(b"0123456789abcdef").of("crypto_address", old)
    assert new != old
    assert is_one(new)
    assert new[0] == old[0] or old == SOLANA
