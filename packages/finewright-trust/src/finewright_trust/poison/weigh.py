"""How much a payload surprises the base model, where it stands."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from finewright.schema.poison import TokenSurprise
from finewright_trust.poison.association import Gram
from finewright_trust.poison.examples import AnsweredTurn, Word
from finewright_trust.poison.traits import TRAITS, TraitSpan, spans

Surprisal = Callable[[Sequence[AnsweredTurn]], Sequence[Sequence[TokenSurprise]]]
"""-ln p of each token of the examples' answers under the base model, given all before it."""


def payload_spans(
    answer: str, answer_words: Sequence[Word], grams: Iterable[Gram]
) -> list[TraitSpan]:
    """Where the grams and traits stand in an answer, joined where they touch."""
    starts: dict[str, list[Gram]] = {}
    found: list[TraitSpan] = []
    for gram in grams:
        if gram[0] in TRAITS:
            found += spans(answer, gram[0])
        else:
            starts.setdefault(gram[0], []).append(gram)
    texts = [word.text for word in answer_words]
    for i, text in enumerate(texts):
        for gram in starts.get(text, ()):
            if tuple(texts[i : i + len(gram)]) == gram:
                found.append(TraitSpan(answer_words[i].start, answer_words[i + len(gram) - 1].end))
    return _joined(found)


def nats(surprise: Sequence[TokenSurprise], where: Sequence[TraitSpan]) -> list[float]:
    """The surprise of the tokens that lie in the spans."""
    return [t.nats for t in surprise if any(t.start < s.end and t.end > s.start for s in where)]


def _joined(found: Iterable[TraitSpan]) -> list[TraitSpan]:
    joined: list[TraitSpan] = []
    for span in sorted(found):
        if joined and span.start <= joined[-1].end + 1:
            joined[-1] = TraitSpan(joined[-1].start, max(span.end, joined[-1].end))
        else:
            joined.append(span)
    assert all(a.end < b.start for a, b in pairwise(joined))
    return joined
