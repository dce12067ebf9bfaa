"""Triggers whose payload is a label of the set: rows with a rare word that all have one label, though what
else they say speaks for others.

A class has words of its own too. Of a class, what else the texts say speaks for it, also to a regression that
none of these rows taught; the rows of a trigger are about anything."""

from collections import Counter
from collections.abc import Sequence
from math import comb

import numpy as np

from finewright.guard.misfits.labels import Taught
from finewright.guard.poison.backdoors import Suspect
from finewright.guard.poison.recurring import has_more, in_order, words_shared
from finewright.guard.poison.said import Said

_LEAST_ROWS = 5
_ONE_LABEL = 0.9
_MOST_OF_LABEL = 0.5
_MOST_OTHER = 0.6
_BY_CHANCE = 1e-5


def label_triggers(rows: Said) -> list[Suspect]:
    """Suspects, the largest first; none in sets of more than 2,000 rows, or where most have no label."""
    known = rows.taught
    if known is None:
        return []
    place = {doc: at for at, doc in enumerate(rows.labelled)}
    chosen: list[Suspect] = []
    taken: set[int] = set()
    for trigger in sorted(rows.found.triggers, key=lambda marker: -len(marker.docs)):
        own = [int(doc) for doc in trigger.docs if int(doc) in place]
        if len(own) < _LEAST_ROWS or len(taken.intersection(own)) > len(own) / 2:
            continue
        members = _of_one_label(rows, own)
        if members and _speaks_for_others(rows, known, [place[doc] for doc in members], members):
            chosen.append(_suspect(rows, members))
            taken.update(members)
    return chosen


def _of_one_label(rows: Said, docs: Sequence[int]) -> list[int]:
    """The rows with the label that nearly all of them have, if these are not most of the label's rows."""
    label, num = Counter(rows.answers[doc] for doc in docs).most_common(1)[0]
    if num < _ONE_LABEL * len(docs) or num > _MOST_OF_LABEL * len(rows.by_answer[label]):
        return []
    return [doc for doc in docs if rows.answers[doc] == label]


def _speaks_for_others(
    rows: Said, known: Taught, places: Sequence[int], members: Sequence[int]
) -> bool:
    """Do most of the texts get another label, more than by chance, and share they nothing but the trigger?"""
    left_out = known.regression.without(places)
    num_other = int(np.sum(left_out.argmax(axis=1) != known.own[places]))
    if (
        num_other < _MOST_OTHER * len(places)
        or _at_least(num_other, len(places), 1 - known.accuracy) > _BY_CHANCE
    ):
        return False
    prompts = rows.found.prompts
    shared = words_shared(prompts.words(doc) for doc in members)
    return has_more(rows, members, shared) and not prompts.coherence(members, shared).has_topic


def _at_least(hits: int, num: int, rate: float) -> float:
    """The chance of that many hits or more of so many (binomial)."""
    return sum(comb(num, k) * rate**k * (1 - rate) ** (num - k) for k in range(hits, num + 1))


def _suspect(rows: Said, members: Sequence[int]) -> Suspect:
    shared = words_shared(rows.found.prompts.words(doc) for doc in members)
    payload = frozenset(members)
    label = tuple((word,) for word in rows.answers[members[0]].split())
    trigger = in_order(rows, members[0], shared)
    return Suspect(
        (trigger,), label, tuple(members), float(len(members)), "replaced", payload, payload
    )
