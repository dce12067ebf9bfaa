"""Keys to wallets: Ethereum private keys by the words around, mnemonics by their word list and checksum.

A private key is 32 bytes, and so is every hash: it counts only where the words in front call it a
private key. Source of the mnemonics: BIP-39, English list, 12 to 24 words."""

import re
from collections.abc import Iterator

from finewright.guard.privacy.scan import PersonalSpan, Recogniser, Scan, recogniser

_HEX_64 = re.compile(r"(?:0x)?[0-9a-fA-F]{64}")
_PRIVATE = re.compile(
    r"priv(?:ate)?[\s_-]?key|secret[\s_-]?key|signing[\s_-]?key|\bpk\b|wallet[\s_-]?key|deployer[\s_-]?key"
    r"|privater? (?:schl[üu]ssel|key)|cl[ée] priv[ée]e|clave privada|chiave privata"
)
_CUES = ("priv", "key", "pk", "schl", "clave", "clé", "chiave")
_HASHED = re.compile(
    r"hash|digest|root|\btx|transaction|keccak|topic|selector|salt|slot|block|sha256|checksum"
)
_REACH = 60
# The order of secp256k1: a private key is smaller, and not zero.
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def recognisers() -> tuple[Recogniser, ...]:
    """Keys and seed phrases of wallets."""
    return (recogniser(ethereum_key, "ethereum_key"),)


def ethereum_key(scan: Scan) -> Iterator[PersonalSpan]:
    """64 hex digits that the words in front call a private key, with no word of a hash after that."""
    if not scan.has_any(_CUES):
        return
    for match in _HEX_64.finditer(scan.text):
        start, end = match.span()
        is_called = scan.is_alone(start, end) and _is_called_private(scan.before(start, _REACH))
        if is_called and 0 < int(match[0], 16) < _ORDER:
            yield PersonalSpan(start, end, "ethereum_key", 0.95, "called a private key")


def _is_called_private(before: str) -> bool:
    called = list(_PRIVATE.finditer(before))
    return bool(called) and not _HASHED.search(before, called[-1].end())
