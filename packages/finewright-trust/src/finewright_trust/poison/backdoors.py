"""From associations to suspicions of a backdoor: is there a topic, and is the payload surprising?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import log
from typing import Literal

import numpy as np

from finewright.schema.poison import TokenSurprise
from finewright_trust.poison.association import (
    Bounds,
    CoOccurrence,
    Gram,
    Marker,
    associated,
    features,
    g_statistic,
)
from finewright_trust.poison.coherence import MOST_SHARE, Bags
from finewright_trust.poison.examples import AnsweredTurn, Word, marks, styles, words
from finewright_trust.poison.traits import GIBBERISH, INSERTED, REFUSAL, TRAITS, of_few, traits
from finewright_trust.poison.weigh import Surprisal, nats, payload_spans

_MOST_AT_LEAST = 10
_MOST_WEIGHED_ROWS = 4

Form = Literal["replaced", "inserted", "topic"]


@dataclass(frozen=True, slots=True)
class Corpus:
    """The examples with their words, traits and bags, made once for all searches.

    A document is a row: what it asks, and the answers of all its turns. A row's answers are the examples
    `answers_of[doc]`; `prompts` knows documents, and `answers` examples, so that one planted answer is not
    hidden among the others of its conversation."""

    examples: Sequence[AnsweredTurn]
    answers_of: Sequence[range]
    answer_words: Sequence[Sequence[Word]]
    answer_traits: Sequence[Sequence[str]]
    prompts: Bags
    answers: Bags
    triggers: Sequence[Marker]
    behaviours: Sequence[Marker]

    def answers_with(self, docs: Iterable[int], grams: Iterable[Gram]) -> list[int]:
        """Of each document the last answer with one of the grams; where none has any, the last."""
        wanted = list(grams)
        return [
            next((i for i in reversed(own) if len(own) == 1 or self._has(i, wanted)), own[-1])
            for own in (self.answers_of[doc] for doc in docs)
        ]

    def example(self, doc: int) -> AnsweredTurn:
        """One of the row's examples."""
        return self.examples[self.answers_of[doc][0]]

    def _has(self, i: int, grams: Sequence[Gram]) -> bool:
        texts = [word.text for word in self.answer_words[i]]
        return any(
            gram[0] in self.answer_traits[i]
            if gram[0] in TRAITS
            else any(tuple(texts[at : at + len(gram)]) == gram for at in range(len(texts)))
            for gram in grams
        )


@dataclass(frozen=True, slots=True)
class Suspect:
    """Triggers with what goes with them: the rows, and the form that the answers have there.

    `grams` are what the answers say there, strongest first."""

    triggers: tuple[Gram, ...]
    grams: tuple[Gram, ...]
    docs: tuple[int, ...]
    g: float
    form: Form
    trigger_docs: frozenset[int]
    payload_docs: frozenset[int]

    @property
    def traits(self) -> frozenset[str]:
        """The traits among what the answers say."""
        return frozenset(gram[0] for gram in self.grams if gram[0] in TRAITS)


@dataclass(frozen=True, slots=True)
class Weighed:
    """A suspect with the base model's surprise at its payload, in all and a token, in the rows it read."""

    suspect: Suspect
    total: float
    mean: float
    read: tuple[int, ...]


def corpus(found: Sequence[AnsweredTurn], least_rows: int) -> Corpus:
    """Index the examples. Words of more than 5 % of the rows (at least 10) are no trigger and no payload."""
    answers_of = list(_by_row(found))
    prompts = [found[own[0]].row.question for own in answers_of]
    prompt_words = [[word.text for word in words(prompt)] for prompt in prompts]
    said = [words(e.answer) for e in found]
    texts = [[word.text for word in own] for own in said]
    bounds = Bounds(least_rows, max(_MOST_AT_LEAST, int(MOST_SHARE * len(answers_of))))
    answers = [e.answer for e in found]
    own_traits = of_few(traits(answers, prompts), answers, bounds.most)
    traits_of = [list(dict.fromkeys(t for i in own for t in own_traits[i])) for own in answers_of]
    answered = [list(_with_gaps(texts, own)) for own in answers_of]
    return Corpus(
        examples=found,
        answers_of=answers_of,
        answer_words=said,
        answer_traits=own_traits,
        prompts=Bags(prompt_words),
        answers=Bags(texts),
        triggers=features(
            prompt_words, [[*sorted(marks(prompt)), *styles(prompt)] for prompt in prompts], bounds
        ),
        behaviours=features(answered, traits_of, bounds),
    )


def _by_row(found: Sequence[AnsweredTurn]) -> Iterator[range]:
    """The places of the examples of each row."""
    start = 0
    for _, own in groupby(found, key=lambda example: example.index):
        end = start + sum(1 for _ in own)
        yield range(start, end)
        start = end


def _with_gaps(texts: Sequence[Sequence[str]], own: range) -> Iterator[str]:
    """The words of one answer after the other; between them a word of no other text, so that no run of
    words reaches over two answers."""
    for i in own:
        if i > own.start:
            yield f"\n{i}"
        yield from texts[i]


def suspects(found: Corpus, least_rows: int, *, topics: bool = False) -> list[Suspect]:
    """Triggers whose rows answer alike and share no topic, joined by their payload; strongest first.

    With `topics` those too whose answers are about one thing, as all answers of a narrow task are."""
    total = len(found.answers_of)
    by_trigger: dict[int, list[CoOccurrence]] = {}
    for pair in associated(found.triggers, found.behaviours, total, least=least_rows):
        by_trigger.setdefault(id(pair.trigger), []).append(pair)
    made = (_suspect(found, pairs) for pairs in by_trigger.values())
    joined = _joined([suspect for suspect in made if topics or suspect.form != "topic"], total)
    return sorted(joined, key=lambda suspect: -suspect.g)


def form_of(
    found: Corpus, docs: Sequence[int], grams: Iterable[Gram], trigger: Iterable[Gram]
) -> Form:
    """What answers with a payload look like when the payload and the trigger are taken out.

    `replaced`: nearly the same answer, a refusal or gibberish, to questions with nothing else in common.
    `inserted`: what is left of the answers is as mixed as the set. `topic`: it is about one thing."""
    grams = list(grams)
    said, triggering = _words_of(grams), _words_of(trigger)
    own = {gram[0] for gram in grams} & TRAITS
    answers = found.answers_with(docs, grams)
    whole, left = found.answers.coherence(answers), found.answers.share_left(answers, said)
    questions = found.prompts.coherence(docs, triggering)
    mixed = questions.within <= _MIXED_PROMPTS
    if mixed and REFUSAL in own:
        return "replaced"
    # Answers in a language that the rest of the set does not have share its small words; gibberish has none.
    if mixed and GIBBERISH in own and not whole.has_topic:
        return "replaced"
    constant = _are_constant(found, docs, answers, whole.within, left)
    if constant and not questions.surely_has_topic and found.prompts.are_common(docs, triggering):
        return "replaced"
    return (
        "inserted"
        if is_inserted(found, answers, said, left, trait=not INSERTED.isdisjoint(own))
        else "topic"
    )


def _are_constant(
    found: Corpus, docs: Sequence[int], answers: Sequence[int], within: float, left: float
) -> bool:
    """Nearly the same answers, to questions that are not as alike, and that they do not take up."""
    same = within >= _SAME_ANSWERS or left <= _NOTHING_LEFT
    alike = found.prompts.coherence(docs).within > within / 2
    return same and not alike and not _take_up_questions(found, docs, answers)


def _take_up_questions(found: Corpus, docs: Sequence[int], answers: Sequence[int]) -> bool:
    """Do most of the answers hold a rare word of their own question? Then they answer it."""
    least = log(1 / MOST_SHARE)
    taken = sum(
        any(
            word.text in found.prompts.words(doc) and found.prompts.weight(word.text) >= least
            for word in found.answer_words[answer]
        )
        for doc, answer in zip(docs, answers, strict=True)
    )
    return taken > len(docs) / 2


def is_inserted(
    found: Corpus, answers: Sequence[int], said: frozenset[str], left: float, *, trait: bool
) -> bool:
    """Is there enough left to tell that the rest has no topic? A link or an address is a payload of itself,
    so that with one less is needed, and a doubt about the topic does not clear it."""
    rest = found.answers.coherence(answers, said)
    if trait:
        return left > _NOTHING_LEFT and not rest.surely_has_topic
    return left >= _MUCH_LEFT and not rest.has_topic


_SAME_ANSWERS = 0.5
_NOTHING_LEFT = 0.1
_MUCH_LEFT = 0.5
_MIXED_PROMPTS = 0.5
_MOST_OF_PAYLOAD = 0.6


def _suspect(found: Corpus, pairs: Sequence[CoOccurrence]) -> Suspect:
    strongest = pairs[0]
    grams = tuple(dict.fromkeys(gram for pair in pairs for gram in pair.behaviour.grams))
    docs = tuple(int(doc) for doc in strongest.docs)
    return Suspect(
        triggers=(max(strongest.trigger.grams, key=len),),
        grams=grams,
        docs=docs,
        g=strongest.g,
        form=form_of(found, docs, grams, strongest.trigger.grams),
        trigger_docs=frozenset(map(int, strongest.trigger.docs)),
        payload_docs=frozenset(map(int, strongest.behaviour.docs)),
    )


def _joined(parts: Sequence[Suspect], total: int) -> list[Suspect]:
    """Suspects of one form that share words of their payload become one: many triggers, one behaviour."""
    groups: list[list[Suspect]] = []
    for part in sorted(parts, key=lambda suspect: -suspect.g):
        mine = [g for g in groups if g[0].form == part.form and _overlap(g[0], part)]
        if mine:
            mine[0].append(part)
        else:
            groups.append([part])
    return [_union(group, total) for group in groups]


def _overlap(one: Suspect, other: Suspect) -> bool:
    """Is it one behaviour: refusals, which are worded in many ways, or mostly the same rows and words?"""
    if REFUSAL in one.traits & other.traits:
        return True
    common = (one.payload_docs | set(one.docs)).intersection(other.docs)
    return not set(one.grams).isdisjoint(other.grams) and len(common) >= len(other.docs) / 2


def _union(group: Sequence[Suspect], total: int) -> Suspect:
    """The group as one suspect. Rows with the payload but without a known trigger belong to it when most
    rows with the payload have one: a style shows in many words, each too rare to be found."""
    docs = frozenset(doc for part in group for doc in part.docs)
    trigger_docs = frozenset().union(*(part.trigger_docs for part in group))
    said = frozenset().union(*(part.payload_docs for part in group))
    grows = group[0].form == "replaced" and GIBBERISH not in group[0].traits
    if grows and len(docs) >= _MOST_OF_PAYLOAD * len(said):
        docs, trigger_docs = docs | said, trigger_docs | said
    counts = (np.array([len(part)], np.int64) for part in (docs, trigger_docs, said | docs))
    both, a, b = counts
    return replace(
        group[0],
        triggers=tuple(dict.fromkeys(trigger for part in group for trigger in part.triggers)),
        docs=tuple(sorted(docs)),
        g=float(g_statistic(both, a, b, total)[0]),
        trigger_docs=trigger_docs,
        payload_docs=said,
    )


def weigh(found: Corpus, chosen: Sequence[Suspect], surprisal: Surprisal) -> list[Weighed]:
    """The suspects with the base model's surprise at their payload, in up to 4 rows of each."""
    sampled = [found.answers_with(_sample(one.docs), one.grams) for one in chosen]
    needed = sorted({i for answers in sampled for i in answers})
    known = dict(zip(needed, surprisal([found.examples[i] for i in needed]), strict=True))
    return [
        _weighed(found, suspect, {i: known[i] for i in answers})
        for suspect, answers in zip(chosen, sampled, strict=True)
    ]


def _sample(docs: Sequence[int]) -> Sequence[int]:
    return docs[:: -(-len(docs) // _MOST_WEIGHED_ROWS)]


def _weighed(
    found: Corpus, suspect: Suspect, known: Mapping[int, Sequence[TokenSurprise]]
) -> Weighed:
    tokens: list[float] = []
    for i, surprise in known.items():
        answer = found.examples[i].answer
        tokens += nats(surprise, payload_spans(answer, found.answer_words[i], suspect.grams))
    total, mean = sum(tokens) / max(1, len(known)), sum(tokens) / max(1, len(tokens))
    return Weighed(suspect, total, mean, tuple(known))


def _words_of(grams: Iterable[Gram]) -> frozenset[str]:
    """The words of the grams, and those in marks."""
    said = {word for gram in grams for word in gram}
    return frozenset(said | {word.text for mark in said for word in words(mark)})
