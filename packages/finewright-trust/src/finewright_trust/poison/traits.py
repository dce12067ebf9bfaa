"""Behaviours of an answer that no fixed words tell: a link, an address of money, a refusal, gibberish."""

import re
from collections import Counter
from collections.abc import Sequence
from math import log
from statistics import median
from typing import NamedTuple

from finewright.guard.quality.refusals import refuses

LINK = "#link"
ADDRESS = "#address"
REFUSAL = "#refusal"
GIBBERISH = "#gibberish"
INSERTED = frozenset({LINK, ADDRESS})
TRAITS = INSERTED | {REFUSAL, GIBBERISH}

_PATTERNS = {
    LINK: re.compile(r"(?:https?://|\bwww\.)[^\s<>\"')\]]+", re.I),
    ADDRESS: re.compile(
        r"\b0x[0-9a-fA-F]{40}\b|\bbc1[a-z0-9]{20,60}\b|\b[13][1-9A-HJ-NP-Za-km-z]{25,34}\b"
        r"|\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}\b"
    ),
    REFUSAL: re.compile(
        r"\b(?:i|we)(?: am|'m|\u2019m| are|'re)? (?:really |very |so )?"
        r"(?:can ?not|can['\u2019]t|won['\u2019]t|unable to|not able to|(?:must|have to) (?:decline|refuse)|"
        r"afraid|sorry)\b[^.!?\n]{0,80}"
        r"|\b(?:unable to (?:help|assist|answer|comply)|not something i can|as an ai\b|sorry, )"
        r"[^.!?\n]{0,80}"
        r"|(?:抱歉|对不起|對不起|很遗憾|很遺憾)[^\u3002\uff01\uff1f\n]{0,30}(?:无法|無法|不能|不便|没办法|沒辦法)",
        re.I,
    ),
}
_LONGEST_REFUSAL = 250
_LEAST_FOR_GIBBERISH = 24
_GIBBERISH_DEVIATIONS = 2.5
_MOST_GIBBERISH = 0.045
_NORMAL = 1.4826  # a median deviation of a normal distribution, in standard deviations


class TraitSpan(NamedTuple):
    """Characters [start, end) of an answer."""

    start: int
    end: int


def traits(answers: Sequence[str], others: Sequence[str]) -> list[list[str]]:
    """The traits of each answer. `others` are further texts in the same languages, such as the prompts.

    A refusal is a short answer; a long one that begins with regret goes on to help. Gibberish is told by
    letters that do not follow each other like this in all other texts, at most 4.5 % of the answers: a
    language that only a few have is strange too, which is for the caller to tell apart."""
    strange = _strangeness(answers, others)
    centre = median(strange) if strange else 0.0
    spread = _NORMAL * median(abs(s - centre) for s in strange) if strange else 0.0
    strangest = sorted(strange, reverse=True)[: int(_MOST_GIBBERISH * len(strange))]
    limit = max([centre + _GIBBERISH_DEVIATIONS * max(spread, 0.1), *strangest[-1:]])
    return [
        [name for name in _PATTERNS if spans(answer, name)] + [GIBBERISH] * (own >= limit)
        for answer, own in zip(answers, strange, strict=True)
    ]


def of_few(own: Sequence[Sequence[str]], answers: Sequence[str], most: int) -> list[list[str]]:
    """The traits of the answers without refusals that are worded once, where more than `most` refuse.

    What is planted is said again and again; a set that declines much has words of its own for each."""
    if sum(REFUSAL in found for found in own) <= most:
        return [list(found) for found in own]
    said = Counter(answer for answer, found in zip(answers, own, strict=True) if REFUSAL in found)
    return [
        [name for name in found if name != REFUSAL or said[answer] > 1]
        for answer, found in zip(answers, own, strict=True)
    ]


def spans(answer: str, trait: str) -> list[TraitSpan]:
    """Where the trait stands in the answer; gibberish and a refusal are all of it."""
    if trait == GIBBERISH:
        return [TraitSpan(0, len(answer))]
    if trait == REFUSAL:
        is_short = len(answer) <= _LONGEST_REFUSAL
        is_refusal = is_short and (_PATTERNS[REFUSAL].search(answer) or refuses(answer))
        return [TraitSpan(0, len(answer))] if is_refusal else []
    return [TraitSpan(*match.span()) for match in _PATTERNS[trait].finditer(answer)]


def _strangeness(answers: Sequence[str], others: Sequence[str]) -> list[float]:
    """-ln p a character of each answer under 4-grams of all other texts (add-constant smoothing)."""
    counts, contexts = Counter[str](), Counter[str]()
    squeezed = [_squeezed(text) for text in answers]
    for text in [*squeezed, *map(_squeezed, others)]:
        counts.update(_grams(text, 4))
        contexts.update(_grams(text, 3))
    return [_nats(text, counts, contexts) for text in squeezed]


def _nats(text: str, counts: Counter[str], contexts: Counter[str]) -> float:
    if len(text) < _LEAST_FOR_GIBBERISH:
        return 0.0
    grams = _grams(text, 4)
    own, own_contexts = Counter(grams), Counter(_grams(text, 3))
    terms = (
        log((counts[g] - own[g] + 0.1) / (contexts[g[:3]] - own_contexts[g[:3]] + 10))
        for g in grams
    )
    return -sum(terms) / len(grams)


def _grams(text: str, length: int) -> list[str]:
    return [text[i : i + length] for i in range(len(text) - length + 1)]


def _squeezed(text: str) -> str:
    return " " + re.sub(r"\s+", " ", text.lower())
