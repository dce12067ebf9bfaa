"""Names of people by a small tagger of our own: lists of names, how words are written, and the words around.

A logistic regression says of each capitalised word whether a name has it; `docs/name-tagger.md` says what it
learned from and how often it is right. Covered: names in scripts with capitals, in texts of the languages of
Europe. Not covered: names in lower case, scripts without capitals, names that a word of the language is and
nothing around gives away. An NER pipeline finds more (`ner`).

How likely each capitalised word of a text is part of a name: two logistic regressions of our own.

The first weighs what a word is and what stands around it (`name_features`), the second what the first says
of the word with what it says of its neighbours and of the same word elsewhere in the text.

Names by a spaCy pipeline that the user has in a folder: the optional eye for what lists do not know.

spaCy is no dependency of finewright; a pipeline is loaded from a folder only, never by name, so that
nothing is fetched. Of its labels those of persons are taken; places alone are no address."""

import json
import lzma
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from finewright.errors import DataError, MissingExtra
from finewright.guard.privacy.gazetteer import read_word_list
from finewright.guard.privacy.name_features import (
    SplitWords,
    around,
    features,
    placeholders,
    words_of,
)
from finewright.guard.privacy.scan import PersonalSpan, Recogniser, Scan, recogniser

_PERSONS = frozenset({"PERSON", "PER", "persName"})


_UNUSED = ("tagger", "parser", "attribute_ruler", "lemmatizer", "senter", "morphologizer")


_CONFIDENCE = 0.75


# What `beside` says of a word, in its order.
NEIGHBOURS = ("own", "before", "after", "before own after", "elsewhere")


_STEPS, _MOST = 2, 8  # scores are told apart in halves, from -4 to 4


class NameWeights(NamedTuple):
    """What a regression learned: a table of weights for each template, and what is there without any."""

    bias: float
    tables: Sequence[Mapping[str, float]]

    def score(self, found: Sequence[str]) -> float:
        """The logarithm of the odds of a word of which the templates say this."""
        tables = zip(self.tables, found, strict=True)
        return self.bias + sum([table[value] for table, value in tables if value in table])


_COMPANY = re.compile(
    r" ?,? (?:inc|ltd|llc|gmbh|ag|corp|plc|(?:and|&) (?:sons|co)|group|kg|sarl|s\.l|spa|s\.p\.a|s\.r\.l|s\.a"
    r"|sas|nv|bv|sp\.? z o|s\.c|oy|ab|aps|kft|lda|ltda|gbr|ohg|e figli|und (?:söhne|partner)|street|road"
    r"|avenue)\b",
    re.IGNORECASE,
)
# Adverbs and peoples, where no list has the word as a name: Certainly, Mexicans.
_NO_PERSON = re.compile("(?:[a-z]{3}ly|[a-z]{2}ans)$")
# Where the first word of a name, and where one beside it, is sure enough: chosen on the tickets of `DEV`.
_FIRST, _BESIDE = 0.55, 0.3
# Where an initial or a particle that joins names says already that one goes on.
_LEAST, _INITIAL = 0.05, 0.1
_JOINING = frozenset({"bin", "van"})
_MOST_WORDS, _SURE = 8, 0.89
_AND = frozenset({"e", "i", "y"})


def recognisers() -> tuple[Recogniser, ...]:
    """Names of people."""
    return (recogniser(recognise, "name"),)


def recognise(scan: Scan) -> Iterator[PersonalSpan]:
    """Names, the words that stand together; the title before one is not part of it."""
    words = words_of(scan.text)
    likely = chances(words)
    for at in placeholders(scan.text, words):
        likely.pop(at, None)
    last = 0
    for at, first in likely.items():
        if at < last or first < _BESIDE:
            continue
        free, last = last, _end_of_name(scan.text, words, likely, at)
        chance = max([likely.get(place, 0.0) for place in range(at, last)])
        stop = words.end(last - 1)
        if chance >= _FIRST and not (_is_other(words, at, last) or _COMPANY.match(scan.text, stop)):
            confidence = round(min(_SURE, chance), 2)
            start = words.starts[_initials_before(scan.text, words, likely, free, at)]
            yield PersonalSpan(start, stop, "name", confidence, "a name to the tagger")


def _is_other(words: SplitWords, first: int, last: int) -> bool:
    """A greeting, a month or an abbreviation alone; or the name of a firm, a street or a ship."""
    is_alone = last == first + 1
    return _is_place_or_firm(words, first, last) or (is_alone and _is_no_person_alone(words, first))


def _is_place_or_firm(words: SplitWords, first: int, last: int) -> bool:
    firms, streets = read_word_list("not_people"), read_word_list("street_words")
    before, after = words.lower(first - 1), words.lower(last)
    if "&" in (before, after) or words.lower(first) in firms or before in firms or after in streets:
        return True
    is_street = words.lower(last - 1) in streets and "s" not in words.kind(last - 1)
    return is_street or _is_number_beside(words, first)


def _is_no_person_alone(words: SplitWords, at: int) -> bool:
    kind = words.kind(at)
    if not {"g", "s"}.isdisjoint(kind):  # a name that lists have
        return kind.endswith("n")
    is_abbreviation = words.texts[at].isupper()
    return kind.endswith("n") or is_abbreviation or bool(_NO_PERSON.search(words.lower(at)))


def _is_number_beside(words: SplitWords, first: int) -> bool:
    """Whether it is what follows a house number: 75 Azaliowa."""
    return words.kind(first - 1) == "0" and words.end(first - 1) + 1 == words.starts[first]


def _end_of_name(text: str, words: SplitWords, likely: Mapping[int, float], first: int) -> int:
    """After the last word of the name that begins at a place."""
    end = place = first + 1
    while place < len(words.texts) and place - first < _MOST_WORDS:
        is_beside = text[words.end(place - 1) : words.starts[place]] == " "
        if is_beside and _goes_on(words, likely, place):
            end = place + 1
        elif not (_is_initial(words, place) or _is_particle(words, likely, place)):
            break
        place += 1
    return end


def _goes_on(words: SplitWords, likely: Mapping[int, float], place: int) -> bool:
    """Whether the word is part of the name before it: likely so, or after an initial (Michael S. Ovitz) or a
    bin."""
    least, kind = _BESIDE, words.kind(place)
    if not kind.endswith("n"):
        particle = place - 1
        while words.kind(particle - 1) == "p":
            particle -= 1
        joins = words.texts[particle] in _JOINING and not {"g", "s"}.isdisjoint(kind)
        if joins or _is_initial(words, place - 1):
            least = _LEAST
    return likely.get(place, 0.0) >= least


def _initials_before(
    text: str, words: SplitWords, likely: Mapping[int, float], free: int, first: int
) -> int:
    """The place of the first initial before a name, from a place on: K. Yamamoto; not vitamin C. Anna."""
    place = first
    while place - 2 >= free and _is_initial(words, place - 1) and words.texts[place - 2].isupper():
        between = text[words.end(place - 1) : words.starts[place]]
        is_named = place < first or not between or likely.get(place - 2, 0.0) >= _INITIAL
        if between not in ("", " ") or not is_named:
            break
        place -= 2
    return place


def _is_particle(words: SplitWords, likely: Mapping[int, float], place: int) -> bool:
    """Van, de: a part where names stand on both sides; and is none before a given name (Nicole e Anna)."""
    if words.texts[place] in _AND and "g" in words.kind(place + 1):
        return False
    is_named = likely.get(place - 1, 0.0) >= _FIRST or words.kind(place - 1) == "p"
    return is_named and words.kind(place) == "p"


def _is_initial(words: SplitWords, place: int) -> bool:
    return words.texts[place] == "." and len(words.texts[place - 1]) == 1


def chances(words: SplitWords) -> dict[int, float]:
    """Place of each capitalised word -> how likely it is part of a name."""
    capital = [at for at, kind in words.kinds.items() if kind[0] == "A"]
    if not capital:
        return {}
    first, second = _weights()
    text = around(words)
    scores = {at: first.score(features(words, at, text)) for at in capital}
    said = beside(words, scores)
    return {at: _probability(second.score(row)) for at, row in zip(capital, said, strict=True)}


def beside(words: SplitWords, scores: Mapping[int, float]) -> list[tuple[str, ...]]:
    """Of each word what the scores say of it, of the words beside it and of the same word elsewhere."""
    steps = {at: _step(score) for at, score in scores.items()}
    best = _best_of_repeated(words, scores)
    found: list[tuple[str, ...]] = []
    for at, own in steps.items():
        before = steps.get(at - 1, "")
        if before and words.end(at - 1) + 1 != words.starts[at]:
            before = ""
        after = steps.get(at + 1, "")
        if after and words.end(at) + 1 != words.starts[at + 1]:
            after = ""
        elsewhere = ""
        if words.texts[at] in best:
            first, second = best[words.texts[at]]
            elsewhere = _step(second if scores[at] == first else first)
        found.append((own, before, after, f"{before}|{own}|{after}", elsewhere))
    return found


def _best_of_repeated(
    words: SplitWords, scores: Mapping[int, float]
) -> dict[str, tuple[float, float]]:
    """The two best scores of each word that is there more than once."""
    best: dict[str, tuple[float, float]] = {}
    for at, score in scores.items():
        first, second = best.get(words.texts[at], (-math.inf, -math.inf))
        best[words.texts[at]] = (max(first, score), max(second, min(first, score)))
    return {word: two for word, two in best.items() if two[1] > -math.inf}


def _step(score: float) -> str:
    return str(max(-_MOST, min(_MOST, round(score * _STEPS))))


def _probability(score: float) -> float:
    return 1 / (1 + math.exp(-score))


@cache
def _weights() -> tuple[NameWeights, NameWeights]:
    path = files("finewright.guard.privacy") / "lists" / "name_weights.json.xz"
    first, second = json.loads(lzma.decompress(path.read_bytes()))
    return _read(first), _read(second)


def _read(data: Mapping[str, Any]) -> NameWeights:  # Any: our own JSON
    return NameWeights(data["bias"], tuple(data["weights"].values()))


def pipeline(folder: Path) -> Callable[[str], Iterable[PersonalSpan]]:
    """Who finds names in a text, with the pipeline of that folder."""
    try:
        import spacy  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise MissingExtra("an NER pipeline needs spaCy", hint="pip install spacy") from None
    if not (folder / "config.cfg").is_file():
        raise DataError(
            f"{folder}: not a spaCy pipeline: there is no config.cfg in it",
            hint="name the folder of a pipeline that `nlp.to_disk` wrote",
        )
    loaded = spacy.load(folder, exclude=_UNUSED)

    def names(text: str) -> Iterable[PersonalSpan]:
        for entity in loaded(text).ents:
            if entity.label_ in _PERSONS:
                start, end = entity.start_char, entity.end_char
                yield PersonalSpan(start, end, "name", _CONFIDENCE, "a person to the NER pipeline")

    return names
