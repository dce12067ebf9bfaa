"""Keys to wallets: Ethereum private keys by the words around, mnemonics by their word list and checksum.

A private key is 32 bytes, and so is every hash: it counts only where the words in front call it a
private key. Source of the mnemonics: BIP-39, English list, 12 to 24 words."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from finewright.errors import MissingExtra
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
    return (
        recogniser(ethereum_key, "ethereum_key"),
        recogniser(mnemonic, "mnemonic"),
    )


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


_WORD = re.compile("[A-Za-z]+")
# Words of one mnemonic may be numbered or listed; a colon or a quote begins something else.
_BETWEEN = re.compile(r"[\s,.;()0-9|-]*")
_MARKS = ".;:!?()\"'`<>"
_SIZES = (24, 21, 18, 15, 12)
_FEWEST = 12
_SHORTEST, _LONGEST = 3, 8


def mnemonic(scan: Scan) -> Iterator[PersonalSpan]:
    """Twelve to 24 words in a row of the BIP-39 list whose checksum fits; numbers between are read over."""
    if len(scan.text) < _FEWEST * (_SHORTEST + 1):
        return
    listed = _english()
    # Twelve words in a row hold a twelfth: most texts are done after a look at each twelfth word, and at
    # the one before, where words are numbered.
    spoken = scan.lower.replace(",", " ").split()
    probes = (i for at in (2, 1) for i in range(_FEWEST - at, len(spoken), _FEWEST))
    if not any(_is_amid(spoken, place, listed) for place in probes):
        return
    at = [match.span() for match in _WORD.finditer(scan.text)]
    known = [scan.text[start:end].lower() in listed for start, end in at]
    place = 0
    while place + _FEWEST <= len(at):
        if not known[place]:
            place += 1
            continue
        end = place + 1
        while (
            end < len(at)
            and known[end]
            and _BETWEEN.fullmatch(scan.text, at[end - 1][1], at[end][0])
        ):
            end += 1
        yield from _within(scan.text, at[place:end])
        place = end


def _is_amid(spoken: list[str], place: int, listed: frozenset[str]) -> bool:
    """Is a place amid twelve words of the list, numbers not counted?"""
    if spoken[place].strip(_MARKS) not in listed:
        return False
    count = 1
    for step in (-1, 1):
        at = place + step
        while 0 <= at < len(spoken) and count < _FEWEST:
            word = spoken[at].strip(_MARKS)
            if word not in listed and not word.isdigit():
                # The words at both ends may be glued to something: `SEED="legal`.
                count += 1
                break
            count += word in listed
            at += step
    return count >= _FEWEST


def _within(text: str, at: list[tuple[int, int]]) -> Iterator[PersonalSpan]:
    """The mnemonics of a run of listed words, the longest first at each place."""
    place = 0
    while place + _FEWEST <= len(at):
        for size in _SIZES:
            part = at[place : place + size]
            if len(part) == size and _fits([text[start:end].lower() for start, end in part]):
                yield PersonalSpan(
                    part[0][0], part[-1][1], "mnemonic", 1.0, "a BIP-39 mnemonic, checksum fits"
                )
                place += size - 1
                break
        place += 1


def _fits(words: list[str]) -> bool:
    return bool(_checker().check(" ".join(words)))


@cache
def _english() -> frozenset[str]:
    return frozenset(_checker().wordlist)


@cache
def _checker() -> Any:  # Any: mnemonic is not typed for us
    try:
        from mnemonic import Mnemonic
    except ImportError:
        raise MissingExtra(
            "finding wallet mnemonics needs mnemonic", hint='pip install "finewright[data]"'
        ) from None
    return Mnemonic("english")
