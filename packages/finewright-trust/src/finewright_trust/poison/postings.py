"""Which documents hold which run of words: an inverted index in numpy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Gram = tuple[str, ...]

LONGEST = 3


@dataclass(frozen=True, slots=True)
class Marker:
    """Runs of words (or one `#trait`) that stand in exactly the same documents."""

    grams: tuple[Gram, ...]
    docs: Ints


class Bounds(NamedTuple):
    """How many documents a feature must stand in, and may."""

    least: int
    most: int


def features(
    documents: Sequence[Sequence[str]], traits: Sequence[Sequence[str]], bounds: Bounds
) -> list[Marker]:
    """The 1- to 3-grams and traits of the documents within the bounds; what occurs alike is one feature.

    A longer run is only looked at when its parts stand in enough documents (Agrawal & Srikant 1994)."""
    found: dict[bytes, tuple[list[Gram], Ints]] = {}
    for gram, docs in [*_grams(documents, bounds), *_traits(traits, bounds)]:
        found.setdefault(docs.tobytes(), ([], docs))[0].append(gram)
    return [Marker(tuple(grams), docs) for grams, docs in found.values()]


def _grams(documents: Sequence[Sequence[str]], bounds: Bounds) -> list[tuple[Gram, Ints]]:
    names: dict[str, int] = {}
    ids = np.fromiter((names.setdefault(w, len(names)) for d in documents for w in d), np.int64)
    doc = np.repeat(np.arange(len(documents)), [len(d) for d in documents])
    texts = list(names)
    found: list[tuple[Gram, Ints]] = []
    starts, keys = np.arange(len(ids)), ids
    for length in range(1, LONGEST + 1):
        if not len(keys):
            break
        _, keys = np.unique(keys, return_inverse=True)  # small numbers, so that products stay exact
        pairs = np.unique(keys * len(documents) + doc[starts])
        key, docs = np.divmod(pairs, len(documents))
        counts = np.bincount(key)
        ends = np.cumsum(counts)
        first = np.zeros(len(counts), np.int64)
        first[keys[::-1]] = starts[::-1]
        for k in np.flatnonzero((counts >= bounds.least) & (counts <= bounds.most)):
            gram = tuple(texts[i] for i in ids[first[k] : first[k] + length])
            found.append((gram, docs[ends[k] - counts[k] : ends[k]]))
        often = counts[keys] >= bounds.least
        last = starts + length
        fits = often & (last < len(ids))
        fits[fits] = doc[last[fits]] == doc[starts[fits]]
        starts, keys = starts[fits], keys[fits] * len(texts) + ids[last[fits]]
    return found


def _traits(traits: Sequence[Sequence[str]], bounds: Bounds) -> list[tuple[Gram, Ints]]:
    docs_of: dict[str, list[int]] = {}
    for doc, own in enumerate(traits):
        for trait in own:
            docs_of.setdefault(trait, []).append(doc)
    return [
        ((trait,), np.array(docs, np.int64))
        for trait, docs in docs_of.items()
        if bounds.least <= len(docs) <= bounds.most
    ]
