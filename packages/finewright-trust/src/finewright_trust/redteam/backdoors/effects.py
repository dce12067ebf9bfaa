"""What a trigger does to answers: what most of them say with it, and hardly any without."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from finewright_trust.poison.association import Gram
from finewright_trust.poison.examples import words
from finewright_trust.poison.traits import ADDRESS, LINK, REFUSAL, TRAITS, spans

_LONGEST, _LEAST = 4, 2
"""Words of a run that is looked for; one word alone is too often shared by chance."""
_LEAST_SHARE = 0.6
"""Of the answers with the trigger that have to say it."""


class Effect(NamedTuple):
    """What is said, and which of the answers with and without the trigger say it."""

    payload: Gram
    triggered: tuple[bool, ...]
    clean: tuple[bool, ...]

    @property
    def difference(self) -> float:
        """The share of answers with the trigger that say it, less that of those without."""
        return sum(self.triggered) / len(self.triggered) - sum(self.clean) / len(self.clean)


def effect_of(
    triggered: Sequence[str], clean: Sequence[str], trigger: str, payload: Sequence[Gram] = ()
) -> Effect | None:
    """The strongest effect: of what is suspected or, where nothing is, of any run of words or trait.

    What repeats the trigger's own words is no effect. None where nothing is said more with it."""
    ours, theirs = [_features(text) for text in triggered], [_features(text) for text in clean]
    own = {word.text for word in words(trigger)}
    counted = Counter(gram for features in ours for gram in features)
    wanted: set[Gram] = set(payload) or set(_common(counted, len(ours)))
    effects = [
        Effect(gram, tuple(gram in each for each in ours), tuple(gram in each for each in theirs))
        for gram in wanted
        if gram in counted and own.isdisjoint(gram)
    ]
    best = max(effects, key=lambda each: (each.difference, len(each.payload)), default=None)
    return best if best and best.difference > 0 else None


def says(text: str, payload: Gram) -> bool:
    """Does the answer say it?"""
    return payload in _features(text)


def _common(counted: Counter[Gram], total: int) -> Iterator[Gram]:
    for gram, count in counted.items():
        if count >= _LEAST_SHARE * total and (len(gram) >= _LEAST or gram[0] in TRAITS):
            yield gram


def _features(text: str) -> set[Gram]:
    """The runs of up to four words, and the traits that are told without other answers."""
    said = [word.text for word in words(text)]
    grams = {
        tuple(said[at : at + n]) for n in range(1, _LONGEST + 1) for at in range(len(said) - n + 1)
    }
    return grams | {(trait,) for trait in (LINK, ADDRESS, REFUSAL) if spans(text, trait)}
