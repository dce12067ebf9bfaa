"""One trigger that is answered in several wordings: told without a model.

Each wording alone goes with a part of the trigger's rows only, and not every row with the trigger with it.
Together they do: most rows with the trigger have an answer, or a run of words, that recurs there and
hardly anywhere else. Others with all words of the trigger belong to them: theirs is a wording said once."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from finewright_trust.poison.association import Gram, Marker
from finewright_trust.poison.backdoors import Form, Suspect
from finewright_trust.poison.examples import num_words, words
from finewright_trust.poison.recurring import (
    LINKS,
    has_more,
    in_order,
    is_long,
    is_strange,
    take_up,
    words_shared,
)
from finewright_trust.poison.said import Said
from finewright_trust.poison.traits import INSERTED, TRAITS

_LEAST_ROWS = 5
_LEAST_OF_WORDING = 2
_LEAST_WORDS = 3
_OWN = 0.8
_COVERED = 0.7


class _Wording(NamedTuple):
    docs: frozenset[int]
    grams: tuple[Gram, ...]
    is_whole: bool


def several_wordings(rows: Said) -> list[Suspect]:
    """Suspects by their triggers, the largest first."""
    chosen: list[Suspect] = []
    known: set[int] = set()
    wordings = list(_wordings(rows))
    of_doc: dict[int, list[int]] = defaultdict(list)
    for number, wording in enumerate(wordings):
        for doc in wording.docs:
            of_doc[doc].append(number)
    for trigger in sorted(rows.found.triggers, key=lambda marker: -len(marker.docs)):
        docs = tuple(map(int, trigger.docs))
        if len(docs) < _LEAST_ROWS or len(known.intersection(docs)) > len(docs) / 2:
            continue
        counts = Counter(number for doc in docs for number in of_doc.get(doc, ()))
        own = [wordings[n] for n, num in counts.items() if num >= _OWN * len(wordings[n].docs)]
        own += _said_twice(rows, docs, own) if own else []
        if suspect := _planted(rows, trigger, docs, own):
            chosen.append(suspect)
            known.update(suspect.docs)
    return chosen


def _wordings(rows: Said) -> Iterator[_Wording]:
    """Whole answers of three words and more that recur, and runs of four words or links that do."""
    most = max(2 * _LEAST_ROWS, int(0.05 * len(rows.answers)))
    for answer, docs in rows.by_answer.items():
        said = tuple((word.text,) for word in words(answer))
        recurs = _LEAST_OF_WORDING <= len(docs) <= most and answer not in rows.labels
        if recurs and len(said) >= _LEAST_WORDS:
            yield _Wording(frozenset(docs), said, True)
    for marker in rows.found.behaviours:
        if is_long(marker):
            yield _Wording(frozenset(map(int, marker.docs)), marker.grams, False)


def _said_twice(rows: Said, docs: Sequence[int], own: Sequence[_Wording]) -> list[_Wording]:
    """Words that two or more of the other answers to the trigger say, and no answer else: several of them, or
    a link, in the same rows."""
    found = rows.found
    known = frozenset(doc for wording in own for doc in wording.docs)
    with_word: dict[str, set[int]] = defaultdict(set)
    for doc in set(docs) - known:
        for answer in found.answers_of[doc]:
            for word in found.answers.words(answer):
                with_word[word].add(doc)
    groups: dict[frozenset[int], list[str]] = defaultdict(list)
    for word, holders in with_word.items():
        if len(holders) >= _LEAST_OF_WORDING and found.answers.count(word) == len(holders):
            groups[frozenset(holders)].append(word)
    return [
        _Wording(holders, tuple((word,) for word in said), False)
        for holders, said in groups.items()
        if num_words(said) >= _LEAST_OF_WORDING or any(word.startswith(LINKS) for word in said)
    ]


def _planted(
    rows: Said, trigger: Marker, docs: Sequence[int], own: Sequence[_Wording]
) -> Suspect | None:
    found = rows.found
    covered = frozenset(doc for wording in own for doc in wording.docs.intersection(docs))
    if len(covered) < max(_LEAST_ROWS, _COVERED * len(docs)):
        return None
    members = tuple(sorted(covered))
    shared = words_shared(found.prompts.words(doc) for doc in members)
    grams = tuple(dict.fromkeys(gram for wording in own for gram in wording.grams))
    said = frozenset(word for gram in grams for word in gram if word not in TRAITS)
    whole = frozenset(doc for wording in own if wording.is_whole for doc in wording.docs)
    has_own = covered <= whole or any(gram[0] in INSERTED for gram in grams)
    is_cleared = (
        not has_more(rows, members, shared, len(docs), may_be_numbers=has_own)
        or found.prompts.coherence(members, shared).has_topic
        or not found.prompts.are_common(members, shared)
        or take_up(rows, members, said, shared)
        or not is_strange(rows, members, said)
        or rows.are_labels(members)
    )
    if is_cleared:
        return None
    form: Form = "replaced" if covered <= whole else "inserted"
    triggers = (in_order(rows, members[0], shared),) if shared else (max(trigger.grams, key=len),)
    payload = frozenset(members)
    every = tuple(doc for doc in sorted(docs) if doc in covered or _has_all(rows, doc, shared))
    return Suspect(triggers, grams, every, float(len(every)), form, frozenset(every), payload)


def _has_all(rows: Said, doc: int, trigger: frozenset[str]) -> bool:
    return bool(trigger) and trigger <= rows.found.prompts.words(doc)
