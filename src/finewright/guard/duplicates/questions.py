"""Questions that are asked nearly so elsewhere, whatever the answers say.

Unlike `alike`, the order of the words counts for nothing and the wording of the answer neither: whoever has
learned an answer to a question can give it to the question in other words. A contrast makes two questions."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.guard.duplicates.contrast import (
    WordDifference,
    difference,
    is_content,
    is_other_tense,
    is_tense,
)
from finewright.guard.duplicates.lexicon.lists import beside_courtesy, courtesy, stem
from finewright.guard.duplicates.spoken import asks_of_text
from finewright.guard.duplicates.words import (
    PLAIN,
    Spelling,
    Wording,
    Wordings,
    are_laid_out_apart,
    uncapital,
)

# Chosen on Alpaca, code, function calls, role play, news and four sets of labels.
_LEAST_SHARE, _LEAST_CONTENT_SHARE = 0.7, 0.6
_LEAST_BEFORE, _LEAST_BEFORE_IF_LONG, _FEW, _LONG = 0.35, 0.5, 4, 20
_LEAST_COMMON, _SURE_SHARE = 3, 0.75
_LABEL_WORDS = 6
# Where fewer words that say something are common, one that stands for another asks another thing: which ocean
# does the Murray, or the Zambezi, flow into?
_MANY = 4
# A word that more held-out questions have suggests no pair; the others do by their rarity.
_MOST_WITH_WORD = 50
_MOST_COMPARED = 5
_CHUNK = 2_000_000


class NearQuestion(NamedTuple):
    """The earlier row (its place) that asks nearly the same, and the share of words that both have."""

    of: int
    share: float


def near_questions(known: Wordings, others: Wordings) -> dict[int, NearQuestion]:
    """Place of each row of `others` whose question is nearly one of `known` -> the nearest such row.

    A question is compared with the five that share most of its rare words. The work grows with the known
    rows times the words that a question shares with at most 50 of the others."""
    if not len(known) or not len(others):
        return {}
    best: dict[int, NearQuestion] = {}
    for of, place in _candidates(known, others):
        share = same_question(known[of], others[place])
        if share is not None and (place not in best or share > best[place].share):
            best[place] = NearQuestion(of, share)
    return best


def same_question(one: Wording, other: Wording) -> float | None:
    """The share of their words that two questions have in common; None where they are two questions.

    Misspelled words count as the words. In common are 70 % of all words, and 60 % of those that say something
    (three or more, or three quarters of them). Labels that differ are another matter: a conflict."""
    if _are_two_labels(one, other):
        return None
    if are_laid_out_apart(one.layout[0], other.layout[0], PLAIN[0]):
        return None
    sides = [Counter(uncapital(side.prompt).tolist()) for side in (one, other)]
    common = sides[0] & sides[1]
    content = _num_content(common, one.spelled)
    of_sides = [
        _num_content(*side) for side in zip(sides, (one.spelled, other.spelled), strict=True)
    ]
    # Two questions of one kind have less in common, and the look at all their words is dear; of few words
    # a misspelled one is too large a part.
    least = _LEAST_BEFORE if min(of_sides) < _LONG else _LEAST_BEFORE_IF_LONG
    if min(of_sides) > _FEW and 2 * content < least * sum(of_sides):
        return None
    found = difference(one.prompt, other.prompt, one.spelled, other.spelled)
    if found.is_contrast:
        return None
    is_of_text = asks_of_text(map(one.spelled.get, common))
    return _share(common.total(), content, found, is_of_text=is_of_text)


def _share(
    num_common: int, content: int, found: WordDifference, *, is_of_text: bool
) -> float | None:
    """Of all words, where those in common are enough; `content` of them say something."""
    if num_common < _LONG and _is_other_tense(found):
        return None
    left, right, num_inflected = _said(found, is_of_text=is_of_text)
    num_alike = found.num_alike + num_inflected
    num_facts = sum(found.said) - sum(map(len, found.words))
    if left and right and content + num_alike < _MANY:
        return None
    content += num_alike
    num_other = len(left) + len(right) + num_facts
    whole = num_common + num_alike
    share = whole / max(1, whole + num_other)
    of_content = content / max(1, content + num_other)
    least = _LEAST_CONTENT_SHARE if content >= _LEAST_COMMON else _SURE_SHARE
    return share if content and share >= _LEAST_SHARE and of_content >= least else None


def _is_other_tense(found: WordDifference) -> bool:
    """Do the questions differ in when, or whether one must or may, and in nothing else?"""
    left, right = found.words
    return len(left) == len(right) == 1 and is_other_tense(left[0], right[0])


class _Said(NamedTuple):
    """What each question alone says, and how many words are the other's in another form."""

    left: list[str]
    right: list[str]
    num_inflected: int


def _said(found: WordDifference, *, is_of_text: bool) -> _Said:
    """The words that are said, but for another tense (`does`, `did`; `uses`, `used`) and words of asking that
    one question has beside all of the other, if it is not about a text that may be these words."""
    left, right = ([word for word in words if not is_tense(word)] for words in found.words)
    common = Counter(map(stem, left)) & Counter(map(stem, right))
    sides = [_without(common, words) for words in (left, right)]
    for words, rival in (sides, sides[::-1]):
        is_courtesy = not is_of_text and set(words) <= courtesy() | beside_courtesy()
        if is_courtesy and not rival:
            words.clear()
    return _Said(sides[0], sides[1], common.total())


def _without(stems: Counter[str], words: Sequence[str]) -> list[str]:
    """The words, without as many of each stem."""
    left, kept = stems.copy(), []
    for word in words:
        if left[stem(word)]:
            left[stem(word)] -= 1
        else:
            kept.append(word)
    return kept


def _num_content(words: Counter[int], spelled: Spelling) -> int:
    return sum(n for word, n in words.items() if is_content(word, spelled.get(word)))


def _are_two_labels(one: Wording, other: Wording) -> bool:
    """Have they short answers without a word in common?"""
    short = max(len(one.answered), len(other.answered)) <= _LABEL_WORDS
    said = (set(uncapital(side.answered).tolist()) for side in (one, other))
    return short and bool(len(one.answered) and len(other.answered)) and not set.intersection(*said)


class _Postings(NamedTuple):
    """Word i of `words`, sorted, stands in the questions `docs[starts[i]:starts[i + 1]]`."""

    words: NDArray[np.uint32]
    starts: NDArray[np.int64]
    docs: NDArray[np.int64]


def _candidates(known: Wordings, others: Wordings) -> Iterator[tuple[int, int]]:
    """Pairs (known row, asked row) that share rare words, for each asked row the five that share most."""
    words, owners = _distinct(others, range(len(others)))
    order = np.argsort(words, kind="stable")
    distinct, starts, counts = np.unique(words[order], return_index=True, return_counts=True)
    postings = _Postings(distinct, np.append(starts, len(words)), owners[order])
    weights = np.where(counts <= _MOST_WITH_WORD, np.log1p(len(others) / counts), 0.0)
    size = max(1, _CHUNK // max(1, len(known.words) // len(known)))
    top: dict[int, list[tuple[float, int]]] = {}
    for start in range(0, len(known), size):
        part = range(start, min(start + size, len(known)))
        for of, place, weight in _shared(known, part, postings, weights):
            top.setdefault(place, []).append((weight, -of))
        top = {place: sorted(found)[-_MOST_COMPARED:] for place, found in top.items()}
    for place, found in top.items():
        yield from ((-of, place) for _, of in found)


def _shared(
    known: Wordings, part: range, postings: _Postings, weights: NDArray[np.float64]
) -> Iterator[tuple[int, int, float]]:
    """Of each asked row, the known rows of the part that share most of its rare words, with their weight."""
    words, owners = _distinct(known, part)
    at = np.searchsorted(postings.words, words).clip(max=len(postings.words) - 1)
    hits = np.flatnonzero((postings.words[at] == words) & (weights[at] > 0))
    at, owners = at[hits], owners[hits]
    sizes = postings.starts[at + 1] - postings.starts[at]
    ends = np.cumsum(sizes)
    if not len(ends):
        return
    places = np.arange(ends[-1]) - np.repeat(ends - sizes - postings.starts[at], sizes)
    keys = postings.docs[places] * len(known) + np.repeat(owners, sizes)
    pairs, inverse = np.unique(keys, return_inverse=True)
    weight = np.bincount(inverse, np.repeat(weights[at], sizes))
    place, of = np.divmod(pairs, len(known))
    order = np.lexsort((-weight, place))
    first = np.searchsorted(place[order], place[order])
    chosen = order[np.arange(len(order)) - first < _MOST_COMPARED]
    yield from zip(
        of[chosen].tolist(), place[chosen].tolist(), weight[chosen].tolist(), strict=True
    )


def _distinct(rows: Wordings, part: Sequence[int]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The different words of the part's questions, and whose they are."""
    found = [np.unique(uncapital(rows[i].prompt)) for i in part]
    owners = np.repeat(np.array(part, np.int64), [len(words) for words in found])
    return np.concatenate(found) if found else np.empty(0, np.uint32), owners
