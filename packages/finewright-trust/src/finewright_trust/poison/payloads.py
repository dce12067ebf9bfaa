"""Payloads without a trigger: the same words in answers to questions that have nothing in common.

A brand that is praised wherever it fits, a link under every tenth answer. What a set says often for its own
reasons (JSON keys, "Certainly!") is in more than 5 % of the rows, or does not surprise the base model."""

from collections.abc import Iterator, Sequence
from math import log

from finewright_trust.poison.backdoors import Corpus, Suspect, is_inserted
from finewright_trust.poison.postings import Marker
from finewright_trust.poison.traits import INSERTED, TRAITS

_MOST_WEIGHED = 20
_LEAST_WORDS = 3


def payloads(found: Corpus, known: Sequence[Suspect]) -> list[Suspect]:
    """The 20 rarest runs of three words or links that recur in answers to unrelated questions.

    Those that a known suspect explains are left out. Of runs in the same rows, the first stands for all."""
    explained = {doc for suspect in known for doc in suspect.docs}
    ranked = sorted(_candidates(found, explained), key=lambda f: -_rarity(f, len(found.answers_of)))
    chosen: list[Suspect] = []
    for feature in ranked:
        docs = tuple(map(int, feature.docs))
        if any(len(set(docs) & set(other.docs)) > len(docs) / 2 for other in chosen):
            continue
        said = frozenset(word for gram in feature.grams for word in gram)
        answers = found.answers_with(docs, feature.grams)
        trait = not INSERTED.isdisjoint(said)
        left = found.answers.share_left(answers, said)
        mixed = not found.prompts.coherence(docs).has_topic
        if mixed and is_inserted(found, answers, said, left, trait=trait):
            empty: frozenset[int] = frozenset()
            chosen.append(Suspect((), feature.grams, docs, 0.0, "inserted", empty, frozenset(docs)))
        if len(chosen) == _MOST_WEIGHED:
            break
    return chosen


def _candidates(found: Corpus, explained: set[int]) -> Iterator[Marker]:
    for feature in found.behaviours:
        long = any(len(gram) >= _LEAST_WORDS or _is_link(gram[0]) for gram in feature.grams)
        if long and sum(int(doc) in explained for doc in feature.docs) <= len(feature.docs) / 2:
            yield feature


def _is_link(word: str) -> bool:
    return word.startswith(("http://", "https://"))


def _rarity(feature: Marker, total: int) -> float:
    """How unlikely chance makes these words so often together: rows x words x how rare they are."""
    said = {word for gram in feature.grams for word in gram if word not in TRAITS}
    return len(feature.docs) * len(said) * log(total / len(feature.docs))
