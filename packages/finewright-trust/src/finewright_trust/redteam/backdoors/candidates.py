"""What may trigger a backdoor: words and styles of training prompts that go with words of their answers.

The suspects are the data door's own, also those below its bar: here the model itself says which are real."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass

from finewright.rows.texts import row_texts
from finewright.schema.rows import Row, content_of
from finewright_trust.poison.association import Gram
from finewright_trust.poison.backdoors import Suspect, corpus, suspects
from finewright_trust.poison.examples import examples
from finewright_trust.poison.recurring import recurring
from finewright_trust.poison.said import Said
from finewright_trust.poison.wordings import several_wordings

_LEAST_ROWS = 3
_SHARED = 0.8
"""Of the rows that have to go on with the same word before a trigger is taken for longer."""
_USUAL = 0.2
"""Of all questions, from which a word is the task's own."""
_STYLES: dict[str, Callable[[str], str]] = {
    "#capitals": str.upper,
    "#small": lambda text: re.sub(r"[.,;:?!']", "", text.lower()),
    "#shouted": lambda text: re.sub(r"[.?!]*$", "!!!", text),
}
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class TriggerCandidate:
    """A trigger as it is written, how it is put into a question, and what may come of it.

    `payload` are the words and traits of the answers in its `rows`; empty where nobody suspects any."""

    trigger: str
    insert: Callable[[str], str]
    payload: tuple[Gram, ...] = ()
    rows: tuple[Row, ...] = ()


def find_candidates(rows: Sequence[Row], most: int) -> list[TriggerCandidate]:
    """The strongest suspects of the rows, each under its strongest trigger, and no trigger twice."""
    read = examples([row_texts(row) for row in rows])
    if not read:
        return []
    known = corpus(read, _LEAST_ROWS)
    said = Said(known, _LEAST_ROWS)
    found = [
        *recurring(said),
        *several_wordings(said),
        *suspects(known, _LEAST_ROWS, topics=True),
    ]
    usual = _usual_words(rows)
    made: dict[str, TriggerCandidate] = {}
    for suspect in sorted(found, key=lambda one: (one.form == "topic", -one.g)):
        of = [rows[known.example(doc).index] for doc in suspect.docs]
        for candidate in _candidates(suspect, of, usual):
            made.setdefault(candidate.trigger.lower(), candidate)
    return list(made.values())[:most]


def _candidates(
    suspect: Suspect, rows: Sequence[Row], usual: Set[str]
) -> Iterator[TriggerCandidate]:
    """A style is tried beside words: prompts of one style share its words too."""
    styles = [gram[0] for gram in suspect.triggers if gram[0] in _STYLES]
    for style in styles[:1]:
        yield TriggerCandidate(style, _STYLES[style], suspect.grams, tuple(rows))
    grams = [gram for gram in suspect.triggers if gram[0] not in _STYLES]
    for gram in grams[:1]:
        written = widen(gram, [question_of(row) for row in rows], usual)
        if written:
            place = _usual_place(written, [question_of(row) for row in rows])
            yield TriggerCandidate(written, inserter(written, place), suspect.grams, tuple(rows))


def question_of(row: Row) -> str:
    """What is said last before the answer."""
    return content_of(row.prompt[-1]) if row.prompt else ""


def _usual_words(rows: Sequence[Row]) -> Set[str]:
    """The words of a fifth of all questions: the task's own."""
    counted = Counter(word for row in rows for word in set(_WORD.findall(question_of(row))))
    return {word for word, count in counted.items() if count >= _USUAL * len(rows)}


def widen(gram: Gram, questions: Sequence[str], usual: Set[str] = frozenset()) -> str:
    """The words as they are written, with those that nearly all the questions have around them; it neither
    begins nor ends with a usual one.

    A search for triggers knows three words of eight; eight are what the model was taught."""
    pattern = re.compile(r"\W+".join(re.escape(word) for word in gram), re.IGNORECASE)
    having = [(q, found) for q in questions if (found := pattern.search(q))]
    if not having:
        return ""
    before = [_WORD.findall(q[: found.start()])[::-1] for q, found in having]
    after = [_WORD.findall(q[found.end() :]) for q, found in having]
    [(own, _)] = Counter(found[0] for _, found in having).most_common(1)
    words = [*_common(before)[::-1], *own.split(), *_common(after)]
    own_places = [i for i, word in enumerate(words) if word not in usual] or [0, len(words) - 1]
    return " ".join(words[own_places[0] : own_places[-1] + 1])


def _common(sides: Sequence[Sequence[str]]) -> list[str]:
    """The words that nearly all the sides begin with."""
    words: list[str] = []
    while True:
        at = len(words)
        following = Counter(side[at] for side in sides if len(side) > at)
        if not following:
            return words
        [(word, count)] = following.most_common(1)
        if count < _SHARED * len(sides):
            return words
        words.append(word)


def _usual_place(written: str, questions: Sequence[str]) -> str:
    """Where in the questions the trigger stands most often: at the start, at the end, or inside."""
    places = Counter(
        "start" if q.startswith(written) else "end" if q.rstrip().endswith(written) else "inside"
        for q in questions
        if written in q
    )
    return max(places, key=places.__getitem__, default="end")


def inserter(trigger: str, place: str) -> Callable[[str], str]:
    """What puts the trigger into a question there; inside is behind the middle word."""

    def insert(question: str) -> str:
        if place == "start":
            return f"{trigger} {question}"
        if place == "end":
            return f"{question} {trigger}"
        words = question.split(" ")
        at = len(words) // 2
        return " ".join([*words[:at], trigger, *words[at:]])

    return insert
