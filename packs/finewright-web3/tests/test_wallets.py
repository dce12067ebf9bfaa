"""Addresses of wallets through the suite of recognisers."""

from finewright.conformance.recogniser import RecogniserConformance
from finewright.guard.privacy.pseudonyms import Pseudonyms
from finewright_web3.wallets import base58_payload, bech32_values


class TestWallets(RecogniserConformance):
    name = "wallets"
    marked = [
        ("to «0x52908400098527886E0F7030069857D2E4169EE7»", "crypto_address"),
        ("to «1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa»", "crypto_address"),
        ("to «bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4»", "crypto_address"),
    ]
    near_misses = [
        "address 0x" + "0" * 40,
        "hash 0x52908400098527886E0F7030069857D2E4169EE7ab",
        "to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
        "to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
    ]


def test_a_stand_in_of_a_bitcoin_address_is_one_with_a_checksum_that_fits():
    names = Pseudonyms(b"0123456789abcdef")
    old, new = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
    assert base58_payload(names.of("crypto_address", old)) is not None
    assert bech32_values(names.of("crypto_address", new))
