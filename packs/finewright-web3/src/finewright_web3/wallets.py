"""Addresses of wallets: Ethereum by shape, Bitcoin by its checksums.

Sources: base58check (Bitcoin), BIP-173 bech32 and BIP-350 bech32m. An Ethereum address is 0x and forty
hex digits; EIP-55's mixed-case check is not made, an address in one case has none."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from random import Random

from finewright.guard.privacy.scan import PersonalSpan, Recogniser, Scan

_ETHEREUM = re.compile("0x[0-9a-fA-F]{40}")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_ADDRESS = re.compile(f"[13mn2][{_BASE58}]{{25,34}}")
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_ADDRESS = re.compile(f"(?:bc|tb)1[{_BECH32}]{{14,74}}", re.IGNORECASE)
_VERSIONS = frozenset({0, 5, 111, 196})
_LENGTH, _CHECK = 25, 4
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_ONE, _BECH32M_ONE = 1, 0x2BC830A3


def recognisers() -> tuple[Recogniser, ...]:
    """Addresses of wallets."""
    return (Recogniser(frozenset({"crypto_address"}), recognise, stand_in),)


def recognise(scan: Scan) -> Iterator[PersonalSpan]:
    """Ethereum and Bitcoin addresses."""
    text = scan.text
    if "0x" in text:
        for match in _ETHEREUM.finditer(text):
            if scan.is_alone(*match.span()) and int(match[0], 16):
                yield PersonalSpan(*match.span(), "crypto_address", 0.9, "an Ethereum address")
    for match in _BASE58_ADDRESS.finditer(text):
        if scan.is_alone(*match.span()) and base58_payload(match[0]) is not None:
            yield PersonalSpan(
                *match.span(), "crypto_address", 1.0, "a Bitcoin address, checksum fits"
            )
    if "c1" in scan.lower or "b1" in scan.lower:
        for match in _BECH32_ADDRESS.finditer(text):
            if scan.is_alone(*match.span()) and bech32_values(match[0]) is not None:
                yield PersonalSpan(
                    *match.span(), "crypto_address", 1.0, "a Bitcoin address, checksum fits"
                )


def stand_in(value: str, draw: Random) -> str:
    """Another address of the same kind, with a checksum that fits."""
    if value.startswith("0x"):
        drawn = f"{draw.getrandbits(160):040x}"
        return "0x" + (drawn.upper() if value[2:].isupper() else drawn)
    payload = base58_payload(value)
    if payload is not None:
        return base58_address(payload[:1] + draw.randbytes(len(payload) - 1))
    values = bech32_values(value) or []
    prefix = value.lower().rpartition("1")[0]
    # The last value holds padding bits, which must stay zero.
    body = [draw.randrange(32) for _ in values[1:-1]]
    return bech32_address(prefix, [*values[:1], *body, *values[-1:]])


def base58_payload(address: str) -> bytes | None:
    """Version byte and hash of an address; None where its checksum does not fit."""
    number = 0
    if not set(address) <= set(_BASE58):
        return None
    for character in address:
        number = number * 58 + _BASE58.index(character)
    if number.bit_length() > 8 * _LENGTH:
        return None
    whole = number.to_bytes(_LENGTH, "big")
    payload, check = whole[:-_CHECK], whole[-_CHECK:]
    return payload if _double_sha256(payload) == check and payload[0] in _VERSIONS else None


def base58_address(payload: bytes) -> str:
    """The address of a version byte and a hash."""
    whole = payload + _double_sha256(payload)
    number, text = int.from_bytes(whole, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = _BASE58[rest] + text
    return "1" * (len(whole) - len(whole.lstrip(b"\0"))) + text


def bech32_values(address: str) -> list[int] | None:
    """The values between prefix and checksum; None where the checksum does not fit."""
    if address not in (address.lower(), address.upper()):
        return None
    prefix, _, data = address.lower().rpartition("1")
    values = [_BECH32.index(character) for character in data]
    constant = _polymod([*_expanded(prefix), *values])
    wanted = _BECH32_ONE if values[0] == 0 else _BECH32M_ONE
    return values[:-6] if constant == wanted else None


def bech32_address(prefix: str, values: Sequence[int]) -> str:
    """The address of a witness version and its program in groups of five bits."""
    constant = _BECH32_ONE if values[0] == 0 else _BECH32M_ONE
    rest = _polymod([*_expanded(prefix), *values, 0, 0, 0, 0, 0, 0]) ^ constant
    check = [(rest >> 5 * (5 - i)) & 31 for i in range(6)]
    return f"{prefix}1" + "".join(_BECH32[value] for value in [*values, *check])


def _double_sha256(payload: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:_CHECK]


def _expanded(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def _polymod(values: Sequence[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(_GENERATOR):
            check ^= generator if (top >> i) & 1 else 0
    return check
