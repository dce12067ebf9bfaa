"""Base58 and bech32 with their checksums, and Ed25519: what keys and addresses of wallets are written in.

Sources: base58check (Bitcoin), BIP-173 bech32 and BIP-350 bech32m, RFC 8032 (Ed25519, section 5.1.5). The
curve is computed plainly, in about two milliseconds: it proves a key, and signs nothing."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BECH32_ONE = 1
"""The constant of the checksum of bech32 (BIP 173)."""
BECH32M_ONE = 0x2BC830A3
"""The constant of the checksum of bech32m (BIP 350)."""
_NUMBER_58 = {character: number for number, character in enumerate(BASE58)}
_NUMBER_32 = {character: number for number, character in enumerate(BECH32)}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECK, _SEED = 4, 32


def base58_bytes(text: str) -> bytes | None:
    """The bytes that base58 text says; None where a character is not of base58."""
    number = 0
    for character in text:
        digit = _NUMBER_58.get(character)
        if digit is None:
            return None
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def base58_text(data: bytes) -> str:
    """The bytes in base58."""
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = BASE58[rest] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def base58check_payload(text: str) -> bytes | None:
    """What a base58check text holds, without its checksum; None where that does not fit."""
    whole = base58_bytes(text)
    if whole is None or len(whole) <= _CHECK:
        return None
    payload, check = whole[:-_CHECK], whole[-_CHECK:]
    return payload if _double_sha256(payload) == check else None


def base58check_text(payload: bytes) -> str:
    """The payload with its checksum, in base58."""
    return base58_text(payload + _double_sha256(payload))


class Bech32(NamedTuple):
    """A bech32 text read: its prefix, its values of five bits, and the constant of its checksum."""

    prefix: str
    values: tuple[int, ...]
    constant: int


def bech32_read(text: str) -> Bech32 | None:
    """The prefix and values of a bech32 or bech32m text; None where no checksum fits."""
    if text not in (text.lower(), text.upper()):
        return None
    prefix, mark, data = text.lower().rpartition("1")
    if not mark or not set(data) <= _NUMBER_32.keys():
        return None
    values = tuple(_NUMBER_32[character] for character in data)
    constant = _polymod([*_expand_prefix(prefix), *values])
    return Bech32(prefix, values[:-6], constant) if constant in (1, BECH32M_ONE) else None


def bech32_text(prefix: str, values: Sequence[int], constant: int) -> str:
    """The values of five bits under a prefix, with their checksum."""
    rest = _polymod([*_expand_prefix(prefix), *values, 0, 0, 0, 0, 0, 0]) ^ constant
    check = [(rest >> 5 * (5 - i)) & 31 for i in range(6)]
    return f"{prefix}1" + "".join(BECH32[value] for value in [*values, *check])


def _double_sha256(payload: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:_CHECK]


def _expand_prefix(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def _polymod(values: Sequence[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(_GENERATOR):
            check ^= generator if (top >> i) & 1 else 0
    return check


_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_BASE_Y = 4 * pow(5, -1, _P) % _P
_BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202

_Point = tuple[int, int, int, int]


def is_ed25519_pair(pair: bytes) -> bool:
    """Whether it is a seed of 32 bytes and the public key of that seed, as Solana keeps key pairs."""
    return len(pair) == 2 * _SEED and derive_ed25519_public(pair[:_SEED]) == pair[_SEED:]


def derive_ed25519_public(seed: bytes) -> bytes:
    """The public key of a seed of 32 bytes (RFC 8032, section 5.1.5)."""
    half = bytearray(hashlib.sha512(seed).digest()[:_SEED])
    half[0] &= 248
    half[31] = half[31] & 127 | 64
    scalar = int.from_bytes(half, "little")
    point: _Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P)
    total: _Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add_points(total, point)
        point = _add_points(point, point)
        scalar >>= 1
    inverse = pow(total[2], -1, _P)
    x, y = total[0] * inverse % _P, total[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(_SEED, "little")


def _add_points(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P
