"""Addresses of wallets: Ethereum by shape, Bitcoin and its kin and Tron by checksum, Solana by context.

Sources: base58check (Bitcoin), BIP-173 bech32 and BIP-350 bech32m, the version bytes that each chain's
`chainparams` names. An Ethereum address is 0x and forty hex digits; EIP-55's mixed-case check is not made,
an address in one case has none. One of Solana is 32 bytes in base58 without a checksum: it counts where
the words around, or the text, speak of Solana or of a wallet."""

import re
from collections.abc import Iterator
from random import Random

from finewright.sdk import (
    BECH32_ONE,
    BECH32M_ONE,
    PersonalSpan,
    Recogniser,
    Scan,
    base58_bytes,
    base58_text,
    base58check_payload,
    base58check_text,
    bech32_read,
    bech32_text,
)

_ETHEREUM = re.compile("0x[0-9a-fA-F]{40}")
_BASE58_WORD = re.compile("(?<![0-9A-Za-z_])[1-9A-HJ-NP-Za-km-z]{25,44}(?![0-9A-Za-z_])")
_BECH32_WORD = re.compile(
    "(?<![0-9A-Za-z_])(?:(?:bc|tb|bcrt|ltc|tltc)1[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{14,74}"
    "|(?:BC|TB|LTC)1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{14,74})(?![0-9A-Za-z_])"
)
# The first byte of an address, and whose it is.
_CHAINS = {
    0x00: "Bitcoin", 0x05: "Bitcoin", 0x6F: "Bitcoin", 0xC4: "Bitcoin", 0x30: "Litecoin", 0x32: "Litecoin",
    0x3A: "Litecoin", 0x41: "Tron", 0x1E: "Dogecoin", 0x16: "Dogecoin", 0x4C: "Dash", 0x10: "Dash",
}  # fmt: skip
_PAYLOAD, _SOLANA_BYTES = 21, 32
_WITNESS_ZERO_SIZES, _LEAST_PROGRAM, _MOST_PROGRAM = (32, 52), 4, 64
_SOLANA = re.compile(
    r"\bsol\b|solana|phantom|solflare|lamport|\bspl\b|wallet|pubkey|public_?key|address|adresse|dirección"
    r"|indirizzo|recipient|owner|airdrop|mint|token account|solscan"
)
_REACH = 80


def recognisers() -> tuple[Recogniser, ...]:
    """Addresses of wallets."""
    return (Recogniser(frozenset({"crypto_address"}), recognise, stand_in),)


def recognise(scan: Scan) -> Iterator[PersonalSpan]:
    """Addresses of Ethereum, of Bitcoin and its kin, of Tron and Solana."""
    if not scan.has_long_word:
        return
    text = scan.text
    if "0x" in text:
        for match in _ETHEREUM.finditer(text):
            if scan.is_alone(*match.span()) and int(match[0], 16):
                yield PersonalSpan(*match.span(), "crypto_address", 0.9, "an Ethereum address")
    for match in _BASE58_WORD.finditer(text):
        chain = _chain(match[0])
        if chain:
            why = f"an address of {chain}, checksum fits"
            yield PersonalSpan(*match.span(), "crypto_address", 1.0, why)
        elif is_solana(match[0]) and _speaks_of_solana(scan, match.start()):
            yield PersonalSpan(*match.span(), "crypto_address", 0.9, "a Solana address")
    for match in _BECH32_WORD.finditer(text):
        if is_segwit(match[0]):
            why = "a Bitcoin or Litecoin address, checksum fits"
            yield PersonalSpan(*match.span(), "crypto_address", 1.0, why)


def _chain(word: str) -> str | None:
    payload = base58check_payload(word)
    return _CHAINS.get(payload[0]) if payload and len(payload) == _PAYLOAD else None


def is_solana(word: str) -> bool:
    """Is it 32 bytes in base58, and no word or program of ones?"""
    data = base58_bytes(word)
    kinds = (str.isdigit, str.islower, str.isupper)
    is_mixed = all(any(is_of(c) for c in word) for is_of in kinds)
    return data is not None and len(data) == _SOLANA_BYTES and is_mixed and "111111" not in word


def _speaks_of_solana(scan: Scan, start: int) -> bool:
    return "solana" in scan.lower or _SOLANA.search(scan.before(start, _REACH)) is not None


def is_segwit(address: str) -> bool:
    """Do checksum, witness version and length fit (BIP-141, BIP-350)?"""
    read = bech32_read(address)
    if read is None or not read.values or read.values[0] > 16:  # noqa: PLR2004 - OP_16
        return False
    size = len(read.values) - 1
    is_sized = _LEAST_PROGRAM <= size <= _MOST_PROGRAM
    if read.values[0] == 0:
        return read.constant == BECH32_ONE and size in _WITNESS_ZERO_SIZES
    return read.constant == BECH32M_ONE and is_sized


def stand_in(value: str, draw: Random) -> str:
    """Another address of the same kind, with a checksum that fits."""
    if value.startswith("0x"):
        drawn = f"{draw.getrandbits(160):040x}"
        return "0x" + (drawn.upper() if value[2:].isupper() else drawn)
    payload = base58check_payload(value)
    if payload is not None:
        return base58check_text(payload[:1] + draw.randbytes(len(payload) - 1))
    read = bech32_read(value)
    if read is not None:
        # The last value holds padding bits, which must stay zero.
        body = [draw.randrange(32) for _ in read.values[1:-1]]
        text = bech32_text(read.prefix, [read.values[0], *body, read.values[-1]], read.constant)
        return text.upper() if value.isupper() else text
    while True:
        drawn = base58_text(draw.randbytes(_SOLANA_BYTES))
        if is_solana(drawn):
            return drawn
