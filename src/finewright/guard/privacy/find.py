"""All that is found in a text: the table of recognisers, and who wins where two claim a place."""

from bisect import bisect
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from typing import NamedTuple, get_args

from finewright.guard.privacy import (
    addresses,
    assigned,
    banking,
    births,
    internet,
    keys,
    names,
    national_ids,
    phones,
    tokens,
    wallets,
)
from finewright.guard.privacy.scan import Recognise, Scan, Span
from finewright.schema.privacy import FoundType, PersonalDataSpec, SecretType

SECRETS: frozenset[FoundType] = frozenset(get_args(SecretType))
DEFAULT: frozenset[FoundType] = SECRETS | frozenset(PersonalDataSpec().types)

Finder = Callable[[str], Iterable[Span]]


class Recogniser(NamedTuple):
    """Who looks for which types."""

    types: frozenset[FoundType]
    recognise: Recognise


def _of(recognise: Recognise, *types: FoundType) -> Recogniser:
    return Recogniser(frozenset(types), recognise)


RECOGNISERS = (
    _of(internet.email, "email"),
    _of(internet.url, "url"),
    _of(internet.ip, "ip"),
    _of(phones.recognise, "phone"),
    _of(banking.iban, "iban"),
    _of(banking.card, "card"),
    _of(national_ids.recognise, "national_id"),
    _of(births.recognise, "date_of_birth"),
    _of(wallets.recognise, "crypto_address"),
    _of(names.recognise, "name"),
    _of(addresses.recognise, "address"),
    _of(
        tokens.recognise,
        "cloud_key",
        "forge_token",
        "chat_token",
        "payment_key",
        "model_key",
        "package_token",
        "service_key",
        "jwt",
    ),
    _of(tokens.aws_secret, "cloud_key"),
    _of(tokens.private_key, "private_key"),
    _of(keys.ethereum_key, "ethereum_key"),
    _of(keys.mnemonic, "mnemonic"),
    _of(assigned.password, "password"),
    _of(assigned.connection_string, "connection_string"),
    _of(assigned.keyed, "secret_value"),
)
_CERTAIN = 0.9


def find(
    text: str, types: Collection[FoundType] = DEFAULT, ner: Finder | None = None
) -> tuple[Span, ...]:
    """The spans of those types, in order and apart, with offsets exact in `text`.

    Where two overlap, the certain one wins (a checksum, an issuer's shape), then the longer. What is
    found has the form of its type; that a card was issued or a person lives is not known from it."""
    scan = Scan(text)
    wanted = frozenset(types)
    found = [span for recognise in _recognisers(wanted) for span in recognise(scan)]
    if ner is not None:
        found += [span for span in ner(text) if span.type in wanted]
    if len(found) < 2:  # noqa: PLR2004
        return tuple(span for span in found if span.type in wanted)
    return apart(span for span in found if span.type in wanted)


def apart(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The spans that win against those they overlap, by their place."""
    kept: list[Span] = []
    for span in sorted(spans, key=_rank):
        at = bisect(kept, span)
        is_free = not at or kept[at - 1].end <= span.start
        if is_free and (at == len(kept) or span.end <= kept[at].start):
            kept.insert(at, span)
    return tuple(kept)


def _rank(span: Span) -> tuple[bool, int, float, int]:
    return span.confidence < _CERTAIN, span.start - span.end, -span.confidence, span.start


@lru_cache(maxsize=64)
def _recognisers(types: frozenset[FoundType]) -> tuple[Recognise, ...]:
    return tuple(row.recognise for row in RECOGNISERS if row.types & types)
