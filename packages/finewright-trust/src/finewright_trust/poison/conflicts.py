"""Rows that contradict each other: the same question, or nearly, with another label, and one pair both ways.

Of answers only where they are labels: few different ones, each short. A question that is answered twice in
words of one's own is no conflict. Mistakes of labelling look like this, and flipped labels too; no backdoor
does."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from finewright.schema.rows import RowTexts
from finewright_trust.poison.examples import AnsweredTurn, words

_MOST_LABELS_SHARE = 0.1
_MOST_LABEL_WORDS = 6
_NEAR = 0.8
_RAREST = 3
_MOST_IN_BLOCK = 40


class Conflict(NamedTuple):
    """Rows (indices of examples) that ask the same or nearly, and the labels they give."""

    docs: tuple[int, ...]
    labels: tuple[str, ...]
    same: bool


def conflicts(found: Sequence[AnsweredTurn]) -> list[Conflict]:
    """Every question with more than one label, and every pair of near questions with different labels.

    Near: 80 % of the different words shared. Pairs that share none of their three rarest words are not
    compared."""
    labels = [" ".join(e.answer.split()).casefold() for e in found]
    if not _are_labels(labels):
        return []
    prompts = [" ".join(e.row.before.split()).casefold() for e in found]
    by_question = defaultdict(list)
    for i, question in enumerate(prompts):
        by_question[question].append(i)
    same = [
        Conflict(tuple(docs), tuple(sorted({labels[i] for i in docs})), True)
        for docs in by_question.values()
        if len({labels[i] for i in docs}) > 1
    ]
    firsts = [docs[0] for docs in by_question.values()]
    return same + list(_near(firsts, [found[i].row.before for i in firsts], labels))


class Contradiction(NamedTuple):
    """Places of the pairs of a question that prefer one answer, and of as many or more that reject it."""

    fewer: tuple[int, ...]
    more: tuple[int, ...]


def contradictions(rows: Sequence[RowTexts]) -> list[Contradiction]:
    """Pairs that ask the same and prefer what others reject; case and space make no difference."""
    ways: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        if row.pair is not None:
            a, b, c = (" ".join(text.casefold().split()) for text in row.pair)
            ways[a, b, c].append(i)
    both = (
        sorted((own, ways[question, other, one]), key=len)
        for (question, one, other), own in list(ways.items())
        if one < other and (question, other, one) in ways
    )
    return [Contradiction(tuple(fewer), tuple(more)) for fewer, more in both]


def _are_labels(answers: Sequence[str]) -> bool:
    different = set(answers)
    longest = max((len(answer.split()) for answer in different), default=0)
    few = 1 < len(different) <= max(2, _MOST_LABELS_SHARE * len(answers))
    return few and longest <= _MOST_LABEL_WORDS


def _near(docs: Sequence[int], prompts: Sequence[str], labels: Sequence[str]) -> Iterator[Conflict]:
    bags = [frozenset(word.text for word in words(text)) for text in prompts]
    found = Counter(word for bag in bags for word in bag)
    blocks = defaultdict(list)
    for i, bag in enumerate(bags):
        for word in sorted((w for w in bag if found[w] > 1), key=lambda w: (found[w], w))[:_RAREST]:
            blocks[word].append(i)
    pairs = {
        pair
        for block in blocks.values()
        if len(block) <= _MOST_IN_BLOCK
        for pair in combinations(block, 2)
    }
    for a, b in sorted(pairs):
        shared = len(bags[a] & bags[b])
        if labels[docs[a]] != labels[docs[b]] and shared >= _NEAR * len(bags[a] | bags[b]):
            both = (docs[a], docs[b])
            yield Conflict(both, tuple(sorted({labels[i] for i in both})), False)
