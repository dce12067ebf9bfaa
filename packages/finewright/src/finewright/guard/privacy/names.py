"""Names of people by a small tagger of our own: lists of names, how words are written, and the words around.

A logistic regression says of each capitalised word whether a name has it; `docs/name-tagger.md` says what it
learned from and how often it is right. Covered: names in scripts with capitals, in texts of the languages of
Europe. Not covered: names in lower case, scripts without capitals, names that a word of the language is and
nothing around gives away. An NER pipeline finds more (`ner`)."""

import re
from collections.abc import Iterator, Mapping

from finewright.guard.privacy.gazetteer import listed
from finewright.guard.privacy.name_chances import chances
from finewright.guard.privacy.name_features import SplitWords, placeholders, words_of
from finewright.guard.privacy.scan import PersonalSpan, Recogniser, Scan, recogniser

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
    firms, streets = listed("not_people"), listed("street_words")
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
    """Is it what follows a house number: 75 Azaliowa?"""
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
    """Is the word part of the name before it: likely so, or after an initial (Michael S. Ovitz) or a bin?"""
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
