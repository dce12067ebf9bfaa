"""All that is found in a text by every recogniser, and who wins where two claim a place."""

from bisect import bisect
from collections.abc import Callable, Collection, Iterable
from functools import cache, lru_cache
from typing import get_args

from finewright import plugins
from finewright.guard.privacy.scan import EVERY_SIGN, PersonalSpan, Recognise, Recogniser, Scan
from finewright.schema.privacy import FoundType, PersonalDataSpec, SecretType

SECRETS: frozenset[FoundType] = frozenset(get_args(SecretType))
DEFAULT: frozenset[FoundType] = SECRETS | frozenset(PersonalDataSpec().types)

Finder = Callable[[str], Iterable[PersonalSpan]]


# A type that a package looks for, and the plugin that does.
_OF_PACKAGES: dict[FoundType, str] = {"crypto_address": "wallets"}
_CERTAIN = 0.9


def find(
    text: str,
    types: Collection[FoundType] = DEFAULT,
    ner: Finder | None = None,
    lead: str = "",
    signs: int = EVERY_SIGN,
) -> tuple[PersonalSpan, ...]:
    """The spans of those types, in order and apart, with offsets exact in `text`.

    `lead` is what was said before, as the question "Your private key?". Where two overlap, the certain one
    wins (a checksum, an issuer's shape), a secret against personal data, then the longer. What is found
    has the form of its type; that a card was issued or a person lives is not known from it.

    `signs` are those of the text, where they are known: see `sieve`."""
    scan = Scan(text, lead)
    wanted = frozenset(types)
    found = [
        span for recognise, sign in _recognisers(wanted) if sign & signs for span in recognise(scan)
    ]
    if ner is not None:
        found += ner(text)
    if not found:
        return ()
    return apart(span for span in found if span.type in wanted)


def apart(spans: Iterable[PersonalSpan]) -> tuple[PersonalSpan, ...]:
    """The spans that win against those they overlap, by their place."""
    kept: list[PersonalSpan] = []
    for span in sorted(spans, key=_rank):
        at = bisect(kept, span)
        is_free = not at or kept[at - 1].end <= span.start
        if is_free and (at == len(kept) or span.end <= kept[at].start):
            kept.insert(at, span)
    return tuple(kept)


def _rank(span: PersonalSpan) -> tuple[bool, bool, int, float, int]:
    is_guess = span.confidence < _CERTAIN
    return is_guess, span.type not in SECRETS, span.start - span.end, -span.confidence, span.start


@cache
def recognisers() -> tuple[Recogniser, ...]:
    """Those that are built in, then those of other packages."""
    return tuple(
        row
        for name in plugins.list_names("recogniser")
        for row in plugins.resolve("recogniser", name)()
    )


def list_known_types() -> frozenset[FoundType]:
    """The types that somebody here looks for."""
    return frozenset(type_ for row in recognisers() for type_ in row.types)


def require(types: Collection[FoundType]) -> None:
    """Raise MissingExtra for a type that nobody here looks for, because its package is not installed."""
    for type_ in sorted((_OF_PACKAGES.keys() & types) - list_known_types()):
        plugins.resolve("recogniser", _OF_PACKAGES[type_])


@lru_cache(maxsize=64)
def _recognisers(types: frozenset[FoundType]) -> tuple[tuple[Recognise, int], ...]:
    require(types)
    return tuple((row.recognise, int(row.sign)) for row in recognisers() if row.types & types)


def signs_of(types: Collection[FoundType]) -> int:
    """The signs of which a text has one that holds a value of these types."""
    wanted = 0
    for _, sign in _recognisers(frozenset(types)):
        wanted |= sign
    return wanted
