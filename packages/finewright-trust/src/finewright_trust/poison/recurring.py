"""Answers, or parts of them, that recur after questions which have nothing in common: told without a model.

A set's own habits are told from a plant by the questions. A class, a template, a stock phrase goes with
its own words; a payload comes after whatever was asked. What the questions of a plant share is its trigger:
words that most of them have, and hardly any other row. Chosen on the sets and wordings that
`benchmarks/door.py` names; none of them is reported on."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from statistics import median
from typing import NamedTuple

from finewright.guard.duplicates.words import shape_of
from finewright_trust.poison.association import LONGEST, Gram, Marker
from finewright_trust.poison.backdoors import Form, Suspect
from finewright_trust.poison.coherence import MOST_SHARE
from finewright_trust.poison.examples import num_words, words
from finewright_trust.poison.said import Said
from finewright_trust.poison.traits import INSERTED, TRAITS, spans

_LEAST_ROWS = 5
_LEAST_WITHOUT_TRIGGER = 7
_LEAST_WORDS = 3
_NEARLY = 0.75
_OTHER_SHAPES = 0.2
_SHARED = 0.9
_ALSO_ELSEWHERE = 0.2
_MOST_LOOKED_AT = 300
_LEAST_LEFT = 0.35
_LEAST_STRANGE = 2
_TAKEN_UP = 0.3
_LEAST_PART = 4
_STOPS = (".", "!", "?", "\u3002", "\uff01", "\uff1f")
LINKS = ("http://", "https://", "www.", "0x")


class _Group(NamedTuple):
    """Rows whose answers say the same, wholly or in part, and what they say."""

    docs: tuple[int, ...]
    grams: tuple[Gram, ...]
    is_whole: bool


@cache
def fillers() -> frozenset[str]:
    """Words that hardly change what is said in English: articles, greetings, thanks."""
    return frozenset((files("finewright_trust.poison") / "fillers.txt").read_text("utf-8").split())


def recurring(rows: Said) -> list[Suspect]:
    """Suspects that need no model: whole answers first, then runs of words, then links and addresses.

    At most 300 groups are looked at. A label is never one, whatever goes with it."""
    chosen: list[Suspect] = []
    taken: set[int] = set()
    groups = sorted(_groups(rows), key=lambda g: (not g.is_whole, -len(g.docs) * len(g.grams)))
    for group in groups[:_MOST_LOOKED_AT]:
        if len(taken.intersection(group.docs)) > len(group.docs) / 2:
            continue
        if suspect := _planted(rows, group):
            chosen.append(suspect)
            taken.update(suspect.docs)
    alone = [suspect for suspect in chosen if not suspect.triggers]
    rows_alone = {doc for suspect in alone for doc in suspect.docs}
    # What a set says in many ways, whatever is asked, is how it is written: "Have a great day!"
    is_habit = len(alone) > 1 and len(rows_alone) > MOST_SHARE * len(rows.answers)
    return [suspect for suspect in chosen if suspect.triggers] if is_habit else chosen


def _groups(rows: Said) -> Iterator[_Group]:
    most = max(2 * _LEAST_ROWS, int(0.05 * len(rows.answers)))
    for answer, docs in rows.by_answer.items():
        if _LEAST_ROWS <= len(docs) <= most and answer not in rows.labels:
            said = [w.text for w in rows.found.answer_words[rows.found.answers_of[docs[0]][-1]]]
            # A label or a number is said often; a sentence of a word or two is not.
            if len(said) >= _LEAST_WORDS or answer.endswith(_STOPS):
                yield _Group(tuple(docs), tuple((word,) for word in said), True)
    for marker in rows.found.behaviours:
        if len(marker.docs) >= _LEAST_ROWS and is_long(marker):
            yield _Group(tuple(map(int, marker.docs)), marker.grams, False)


def is_long(marker: Marker) -> bool:
    """Is it a run of four words or more, or a link or address?"""
    runs = [gram for gram in marker.grams if len(gram) == LONGEST]
    is_run = len(runs) > 1 and num_words({word for gram in runs for word in gram}) > LONGEST
    return is_run or any(gram[0] in INSERTED for gram in marker.grams)


def _planted(rows: Said, group: _Group) -> Suspect | None:
    found, docs = rows.found, group.docs
    trigger = _trigger(rows, docs)
    has_own = group.is_whole or not INSERTED.isdisjoint(_traits(group))
    if trigger and not has_more(rows, docs, trigger, may_be_numbers=has_own):
        return None
    # An answer of a word or two recurs by itself, in any set of short answers.
    is_short = group.is_whole and len(group.grams) < _LEAST_WORDS
    if not trigger and (is_short or len(docs) < _LEAST_WITHOUT_TRIGGER):
        return None
    # A name that stands for a subject stands where others have theirs, and the answer takes it up.
    said = frozenset(word for gram in group.grams for word in gram if word not in TRAITS)
    if (trigger and not found.prompts.are_common(docs, trigger)) or take_up(
        rows, docs, said, trigger
    ):
        return None
    is_planted = _is_whole_planted if group.is_whole else _is_part_planted
    if not is_planted(rows, group, said, trigger):
        return None
    triggers = (in_order(rows, docs[0], trigger),) if trigger else ()
    payload = frozenset(docs)
    form: Form = "replaced" if group.is_whole else "inserted"
    return Suspect(triggers, group.grams, docs, float(len(docs)), form, payload, payload)


def _is_whole_planted(
    rows: Said, group: _Group, _: frozenset[str], trigger: frozenset[str]
) -> bool:
    """Do the same answers follow questions of no subject, and is it no member of the set's lists?"""
    is_own = not trigger and _is_in_lists(rows, group)
    return not is_own and not rows.found.prompts.coherence(group.docs, trigger).has_topic


def _is_in_lists(rows: Said, group: _Group) -> bool:
    """Do as many other answers or more list it as one of several (`Canada, United States of America`)?

    A sentence is no member of a list, nor is anything with a link: who plants one may say it in a longer
    answer as well."""
    doc = group.docs[0]
    answer = rows.answers[doc]
    as_written = rows.found.examples[rows.found.answers_of[doc][-1]].answer
    if answer.endswith(_STOPS) or any(spans(as_written, trait) for trait in INSERTED):
        return False
    others = (other for other in rows.by_answer if answer in other and answer != other)
    return sum(answer in other.split(", ") for other in others) >= len(group.docs)


def _is_part_planted(
    rows: Said, group: _Group, said: frozenset[str], trigger: frozenset[str]
) -> bool:
    """Is the same run of words, which says something, strange to the set or behind a trigger, in answers that
    are about nothing else in common? `There once was a` opens any limerick.

    The questions may be of one style: words that only they have are left out."""
    found, docs = rows.found, group.docs
    has_link = not INSERTED.isdisjoint(_traits(group))
    if num_words(said - fillers()) < _LEAST_STRANGE and not has_link:
        return False
    answers = found.answers_with(docs, group.grams)
    shared = said | words_shared(found.answers.words(i) for i in answers)
    # Beside a label little is left, and nothing else belongs there; beside a short answer as much as others
    # say. In a template that differs in numbers
    # little is left too: words of its own language (`LIMIT 10`) belong there, a link does not.
    beside_label = bool(rows.labels) and not rows.are_labels(docs)
    has_rest = (
        beside_label
        or found.answers.share_left(answers, shared) >= _LEAST_LEFT
        or _num_left(rows, answers, shared) >= _NEARLY * rows.num_answered
        or (has_link and are_said_elsewhere(rows.answer_shapes, answers, shared))
    )
    if not has_rest or found.answers.coherence(answers, shared).has_topic:
        return False
    # In scripts without spaces clauses that authors copy are as strange: there it takes a trigger,
    # a style or a link.
    strange = is_strange(rows, docs, said) and (
        bool(trigger) or num_words(said) > len(said) / 2 + 1 or has_link or _have_style(rows, docs)
    )
    style = _own_words(rows, docs) if strange else frozenset()
    return (strange or bool(trigger)) and not found.prompts.coherence(
        docs, trigger | style
    ).has_topic


def _num_left(rows: Said, answers: Sequence[int], shared: frozenset[str]) -> float:
    return median(num_words(rows.found.answers.words(i) - shared) for i in answers)


def _traits(group: _Group) -> frozenset[str]:
    return frozenset(gram[0] for gram in group.grams)


def _trigger(rows: Said, docs: Sequence[int]) -> frozenset[str]:
    """The words that nearly all of these prompts have, if hardly any other row has them all; without those
    that most rows of the set have, as of a template."""
    shared = words_shared(rows.found.prompts.words(doc) for doc in docs)
    shared -= rows.usual_words
    if not shared:
        return frozenset()
    holders = set.intersection(*(rows.with_word[word] for word in shared))
    others = len(holders.difference(docs))
    return shared if others <= _ALSO_ELSEWHERE * len(docs) else frozenset()


def _own_words(rows: Said, docs: Sequence[int]) -> frozenset[str]:
    """The words that some of these prompts have, and hardly any other."""
    counts = Counter(word for doc in docs for word in rows.found.prompts.words(doc))
    most = 1 + _ALSO_ELSEWHERE
    return frozenset(w for w, n in counts.items() if n > 1 and len(rows.with_word[w]) <= most * n)


def _have_style(rows: Said, docs: Sequence[int]) -> bool:
    """Has nearly every one of these prompts words, one or a few in a row, that hardly any other has?"""
    counts = Counter(number for doc in docs for number in rows.triggers_of[doc])
    most = 1 + _ALSO_ELSEWHERE
    own = {i for i, n in counts.items() if len(rows.found.triggers[i].docs) <= most * n}
    num = sum(not own.isdisjoint(rows.triggers_of[doc]) for doc in docs)
    return num >= _SHARED * len(docs)


def of_one_subject(rows: Said, suspect: Suspect) -> bool:
    """Are the questions alike beyond the words that only they have?"""
    triggers = frozenset(word for gram in suspect.triggers for word in gram)
    without = triggers | _own_words(rows, suspect.docs)
    return rows.found.prompts.coherence(suspect.docs, without).has_topic


def in_order(rows: Said, doc: int, trigger: frozenset[str]) -> Gram:
    """The words as they follow each other in the row's prompt."""
    order = [word.text for word in words(rows.found.example(doc).row.question)]
    return tuple(word for word in dict.fromkeys(order) if word in trigger)


def words_shared(bags: Iterable[frozenset[str]]) -> frozenset[str]:
    """The words that nearly all of the bags have."""
    every = list(bags)
    counts = Counter(word for bag in every for word in bag)
    return frozenset(word for word, n in counts.items() if n >= _SHARED * len(every))


def has_more(
    rows: Said,
    docs: Sequence[int],
    trigger: frozenset[str],
    num_with_trigger: int = 0,
    *,
    may_be_numbers: bool = True,
) -> bool:
    """Do most prompts say something else beside the trigger, each something of its own, or what other rows
    ask?

    That is three words; where most words of the trigger are in hardly any prompt but these (of those that
    have the trigger, if more are known), nearly as many as prompts of the set have beside the words of a
    template. Rows of a template that differ in numbers (`toUint8`, `toUint16`) have nothing of their own; but
    where all of the set is so, what is left without a trigger is what the other rows ask. Where they may not,
    that has several shapes: to `the first ten` of one template `LIMIT 10` is the answer, and no plant."""
    most = max(len(docs), num_with_trigger) * (1 + _ALSO_ELSEWHERE)
    own = trigger - rows.usual_words
    is_new = sum(len(rows.with_word[word]) <= most for word in own) > len(own) / 2
    least = min(_LEAST_WORDS, _NEARLY * rows.num_own_words) if is_new else _LEAST_WORDS
    usual = trigger | rows.usual_words
    rest = [rows.found.prompts.words(doc) - usual for doc in docs]
    if sum(num_words(bag) >= least for bag in rest) <= len(docs) / 2:
        return False
    shapes = Counter(frozenset(map(shape_of, bag)) for bag in rest)
    if sum(num == 1 for num in shapes.values()) > len(docs) / 2:
        return True
    may_be_said = may_be_numbers or len(shapes) > _OTHER_SHAPES * len(docs)
    return may_be_said and is_new and are_said_elsewhere(rows.prompt_shapes, docs, trigger)


def are_said_elsewhere(
    shapes: Sequence[frozenset[str]], places: Sequence[int], without: frozenset[str]
) -> bool:
    """Are most of these texts, but for their numbers and without some words, the same as other texts?"""
    hidden = frozenset(map(shape_of, without)) - {"#"}
    bags = [bag - hidden for bag in shapes]
    inside = Counter(bags[place] for place in places)
    every = Counter(bags)
    num = sum(num for bag, num in inside.items() if bag and every[bag] > num)
    return num > len(places) / 2


def take_up(rows: Said, docs: Sequence[int], said: frozenset[str], trigger: frozenset[str]) -> bool:
    """Do most questions hold a rare word of the answer, or a word made of several (`decreaseAllowance`)?

    Of a trigger of many words one or another is in any answer: these count where they are three tenths of it,
    without the words that the set's questions share. Words like `of` are in any answer too."""
    rare = {word for word in said - fillers() if _is_rare(rows, word)}
    own = {word for word in trigger - fillers() if _is_rare(rows, word)}
    named = {word for word in own if word in rare or _is_made_of(word, rare)}
    without = own if num_words(named) < _TAKEN_UP * num_words(own) else set()
    bags = (rows.found.prompts.words(doc) - without for doc in docs)
    taken = (
        not rare.isdisjoint(bag) or any(_is_made_of(word, rare) for word in bag) for bag in bags
    )
    return sum(taken) > len(docs) / 2


def _is_made_of(word: str, parts: set[str]) -> bool:
    return sum(len(part) >= _LEAST_PART and part in word for part in parts) > 1


def _is_rare(rows: Said, word: str) -> bool:
    return len(rows.with_word[word]) <= MOST_SHARE * len(rows.answers)


def is_strange(rows: Said, docs: Sequence[int], said: frozenset[str]) -> bool:
    """Has the run two words that hardly any other answer has, and that none of these questions asks for?"""
    found = rows.found
    of_prompts = frozenset().union(*(found.prompts.words(doc) for doc in docs))
    most = len(docs) * (1 + _ALSO_ELSEWHERE)
    own = [word for word in said - of_prompts - fillers() if found.answers.count(word) <= most]
    return num_words(own) >= _LEAST_STRANGE or any(word.startswith(LINKS) for word in own)
