"""Which words of a prompt go with which words or traits of an answer, by the G-test.

Which documents hold which run of words: an inverted index in numpy."""

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


Floats = NDArray[np.float64]

_CHUNK = 4_000_000


@dataclass(frozen=True, slots=True)
class CoOccurrence:
    """A trigger and a behaviour: `docs` have both, and `g` tells how far that is from chance."""

    trigger: Marker
    behaviour: Marker
    docs: Ints
    g: float


def g_statistic(both: Ints, a: Ints, b: Ints, total: int) -> Floats:
    """G = 2 sum O ln(O / E) of the 2x2 tables with these counts (Dunning 1993, Computational Linguistics).

    `both` documents of `total` have the two features, `a` the one, `b` the other."""
    observed = np.stack([both, a - both, b - both, total - a - b + both]).astype(float)
    rows = np.stack([a, a, total - a, total - a]).astype(float)
    columns = np.stack([b, total - b, b, total - b]).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = observed * np.log(observed * total / (rows * columns))
    g: Floats = 2.0 * np.where(observed > 0, terms, 0.0).sum(0)
    return g


def associated(
    triggers: Sequence[Marker],
    behaviours: Sequence[Marker],
    total: int,
    *,
    least: int,
    share: float = 0.8,
    least_g: float = 20.0,
) -> list[CoOccurrence]:
    """The pairs that share at least `least` documents and `share` of the trigger's, strongest first.

    A behaviour whose words all stand in the trigger is no pair: answers repeat what is asked."""
    starts, of_doc = _by_document(behaviours, total)
    sizes_a = np.array([len(f.docs) for f in triggers], np.int64)
    sizes_b = np.array([len(f.docs) for f in behaviours], np.int64)
    found: list[CoOccurrence] = []
    for chunk in _chunks(triggers, np.diff(starts)):
        both, counts = _together(triggers, chunk, starts, of_doc, len(behaviours))
        a, b = np.divmod(both, len(behaviours)) if len(behaviours) else (both, both)
        g = g_statistic(counts, sizes_a[a], sizes_b[b], total)
        kept = (counts >= least) & (counts >= share * sizes_a[a]) & (g >= least_g)
        # As often together as by chance gives 0, less often gives G too.
        kept &= counts * total > sizes_a[a] * sizes_b[b]
        for i in np.flatnonzero(kept):
            trigger, behaviour = triggers[a[i]], behaviours[b[i]]
            if other := _without_words_of(trigger, behaviour):
                docs = np.intersect1d(trigger.docs, behaviour.docs, assume_unique=True)
                found.append(CoOccurrence(trigger, other, docs, float(g[i])))
    return sorted(found, key=lambda pair: -pair.g)


def _by_document(behaviours: Sequence[Marker], total: int) -> tuple[Ints, Ints]:
    """The behaviours of each document: document d has `of_doc[starts[d]:starts[d + 1]]`."""
    if not behaviours:
        return np.zeros(total + 1, np.int64), np.zeros(0, np.int64)
    docs = np.concatenate([f.docs for f in behaviours])
    ids = np.repeat(np.arange(len(behaviours)), [len(f.docs) for f in behaviours])
    order = np.argsort(docs, kind="stable")
    return np.concatenate([[0], np.cumsum(np.bincount(docs, minlength=total))]), ids[order]


def _chunks(triggers: Sequence[Marker], sizes: Ints) -> list[range]:
    """Runs of triggers that together have at most so many (trigger, behaviour) hits, for bounded memory."""
    chunks, start, load = [], 0, 0
    for i, trigger in enumerate(triggers):
        own = int(sizes[trigger.docs].sum())
        if load + own > _CHUNK and i > start:
            chunks.append(range(start, i))
            start, load = i, 0
        load += own
    return [*chunks, range(start, len(triggers))] if triggers else []


def _together(
    triggers: Sequence[Marker], chunk: range, starts: Ints, of_doc: Ints, base: int
) -> tuple[Ints, Ints]:
    """Keys trigger * base + behaviour of all that share a document, and how many documents."""
    docs = np.concatenate([triggers[i].docs for i in chunk])
    owners = np.repeat(np.array(chunk), [len(triggers[i].docs) for i in chunk])
    sizes = starts[docs + 1] - starts[docs]
    ends = np.cumsum(sizes)
    places = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes) + np.repeat(starts[docs], sizes)
    return np.unique(np.repeat(owners, sizes) * base + of_doc[places], return_counts=True)


def _without_words_of(trigger: Marker, behaviour: Marker) -> Marker | None:
    said = {word for gram in trigger.grams for word in gram}
    grams = tuple(gram for gram in behaviour.grams if said.isdisjoint(gram))
    return Marker(grams, behaviour.docs) if grams else None


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
