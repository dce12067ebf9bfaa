"""Encodings of keys agree with the texts that define them."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.guard.privacy import encodings


@given(st.binary(min_size=1, max_size=70))
def test_base58_comes_back_as_it_went(data: bytes) -> None:
    assert encodings.base58_bytes(encodings.base58_text(data)) == data
    assert encodings.base58check_payload(encodings.base58check_text(data)) == data


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        # The key of the Bitcoin wiki's "Wallet import format".
        (
            "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
            "800c28fca386c7a227600b2fe50b7cae11ec86d3bf1fbe471be89827e19d72aa1d",
        ),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "0062e907b15cbf27d5425399ebf6f0fb50ebb88f18"),
    ],
)
def test_published_base58check_is_read(text: str, payload: str) -> None:
    found = encodings.base58check_payload(text)
    assert found is not None
    assert found.hex() == payload


# The valid and the invalid checksums of BIP-173 and BIP-350.
@pytest.mark.parametrize(
    "text", ["A12UEL5L", "a12uel5l", "?1ezyfcl", "A1LQFN3A", "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx"]
)  # fmt: skip
def test_published_bech32_is_read(text: str) -> None:
    read = encodings.bech32_read(text)
    assert read is not None
    assert encodings.bech32_text(read.prefix, read.values, read.constant) == text.lower()


@pytest.mark.parametrize("text", ["A12UEL5l", "x1b4n0q5v", "M1VUXWEZ", "pzry9x0s0muk", "a12uel5m"])
def test_what_is_no_bech32_is_none(text: str) -> None:
    assert encodings.bech32_read(text) is None


@settings(max_examples=10)
@given(st.binary(min_size=32, max_size=32))
def test_a_public_key_is_that_of_the_reference(seed: bytes) -> None:
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert encodings.derive_ed25519_public(seed) == raw
    assert encodings.is_ed25519_pair(seed + raw)
    assert not encodings.is_ed25519_pair(raw + seed)
