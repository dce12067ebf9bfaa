"""Names of people without a model: a list of common given names and surnames, and the words around.

Covered: capitalised names in scripts with capitals, in text of English, German, French, Spanish or
Italian habit. Not covered: names in lower case, other scripts, names that neither a list nor a word
around gives away; benchmarks/privacy.py shows how many that are. An NER pipeline finds more (`ner`)."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from finewright.guard.privacy.gazetteer import listed
from finewright.guard.privacy.scan import PersonalSpan, Recogniser, Scan, recogniser, words

# Letters that are no small ones of Latin script; the s of a possessive ends the name.
_UPPER = r"[^\W\d_a-zà-öø-ÿ]"
_PART = rf"{_UPPER}(?:[^\W\d_]|['\u2019](?!s\b)(?=[^\W\d_]))*(?:-[^\W\d_]+)*"
_PARTICLES = frozenset({
    "van", "von", "vom", "de", "del", "della", "di", "da", "do", "dos", "das", "du", "la", "le", "der", "den",
    "zu", "zur", "ter", "ten", "bin", "al", "y",
})  # fmt: skip
_AND_PARTICLES = rf"(?:(?:{'|'.join(sorted(_PARTICLES))})[ ]){{0,2}}"
_RUN = re.compile(rf"{_PART}\.?(?:[ ]{_AND_PARTICLES}{_PART}(?:\.(?= [^\W\da-z]))?){{0,4}}")
_TITLES = frozenset({
    "mr", "mrs", "ms", "miss", "mister", "dr", "prof", "sir", "lady", "lord", "herr", "herrn", "frau",
    "fräulein", "señor", "señora", "srta", "sr", "sra", "don", "doña", "monsieur", "madame", "mademoiselle",
    "mme", "mlle", "signor", "signora", "signore", "sig", "dott", "ing", "dhr", "mevr", "mevrouw", "meneer",
    "pan", "pani", "senhor", "senhora",
})  # fmt: skip
_CALLED = words(
    r"name (?:is|was|to|as)", r"names?(?: on the account)?\??(?: user)?\s*[:=]",
    r"(?:am|is|are|was|were|be|people|everyone|everybody) (?:called|named)", "calls? me", "call me",
    "named (?:him|her)?", "known as", "dear", "hi", "hello", "hey", "sincerely", "regards", "signed",
    "heiße", "heißt", "heisse", "mein name ist", "liebe", "lieber", "m'appelle", "s'appelle", "cher", "chère",
    "me llamo", "se llama", "mi nombre es", "querid[oa]", "estimad[oa]", "mi chiamo", "si chiama", "gentile",
    "beneficiary", "guardian", "attn",
)  # fmt: skip
_SAYS = re.compile(
    r"(?:'s|\u2019s)? (?:said|says|asked|shouted|told|wrote|replied|lives|lived|works|has been|will be)\b"
)
_COMPANY = re.compile(
    r" ?,? (?:inc|ltd|llc|gmbh|ag|corp|plc|and sons|group|kg|sarl|s\.l\.|spa|street|road|avenue)\b",
    re.IGNORECASE,
)
_LONGEST, _REACH = 6, 30
_TWO = 2


class _Word(NamedTuple):
    lower: str
    start: int
    end: int


def recognisers() -> tuple[Recogniser, ...]:
    """Names of people."""
    return (recogniser(recognise, "name"),)


def recognise(scan: Scan) -> Iterator[PersonalSpan]:
    """Names, the longest run of words that belongs to one; the title before it is not part of it."""
    for match in _RUN.finditer(scan.text):
        start = match.start()
        if start and scan.text[start - 1].isalnum():
            continue
        run = [
            _Word(part[0].strip(".").lower(), start + part.start(), start + part.end())
            for part in re.finditer(r"\S+", match[0])
        ]
        found = _named(scan, run)
        if found:
            yield found


def _named(scan: Scan, run: list[_Word]) -> PersonalSpan | None:
    """The name in a run of capitalised words, if there is one."""
    first = 0
    while first < len(run) and run[first].lower in no_names():
        first += 1
    is_titled = bool(first) and run[first - 1].lower in _TITLES
    if first and run[first - 1].lower in _places():
        return None
    stop = (i for i in range(first + 1, len(run)) if _ends_name(scan, run[i]))
    name = run[first : next(stop, len(run))][:_LONGEST]
    if not name or _COMPANY.match(scan.text, name[-1].end):
        return None
    reason = ("a title stands before it", 0.85) if is_titled else _reason(scan, name)
    if reason is None:
        # "Hotel Anna Weber": the name begins where a given name does.
        later = (i for i in range(1, len(name) - 1) if name[i].lower in listed("given_names"))
        name = name[next(later, len(name)) :]
        reason = ("begins with a given name", 0.7) if name else None
    if reason is None:
        return None
    end = name[-1].end - scan.text.startswith(".", name[-1].end - 1)
    return PersonalSpan(name[0].start, end, "name", reason[1], reason[0])


def _reason(scan: Scan, name: list[_Word]) -> tuple[str, float] | None:
    before = scan.before(name[0].start, _REACH)
    if before.endswith(" ") and before.split()[-1:] and before.split()[-1].strip(".") in _TITLES:
        return "a title stands before it", 0.85
    return _several(name, before) if len(name) > 1 else _single(scan, name[0], before)


def _several(name: list[_Word], before: str) -> tuple[str, float] | None:
    if _is_listed(name[0].lower, listed("given_names")):
        return "begins with a given name", 0.8
    if len(name) == _TWO and _is_listed(name[1].lower, listed("surnames")):
        return "ends with a surname", 0.65
    return ("called a name", 0.6) if _is_called(before) else None


def _single(scan: Scan, word: _Word, before: str) -> tuple[str, float] | None:
    is_called = _is_called(before)
    is_ambiguous = word.lower in listed("ambiguous_names")
    if _is_listed(word.lower, listed("given_names")) and (is_called or not is_ambiguous):
        return "a given name", 0.7
    is_inside = not _starts_sentence(before)
    if is_inside and word.lower in listed("surnames"):
        return "a surname", 0.55
    if is_called or (is_inside and _SAYS.match(scan.text, word.end)):
        return "called a name", 0.55
    return None


def _ends_name(scan: Scan, word: _Word) -> bool:
    is_particle = word.lower in _PARTICLES and scan.text[word.start].islower()
    return word.lower in no_names() and not is_particle


def _is_called(before: str) -> bool:
    ends = [match.end() for match in _CALLED.finditer(before)]
    return bool(ends) and not before[ends[-1] :].strip(" ,:\n")


def _is_listed(word: str, names: frozenset[str]) -> bool:
    return all(part in names for part in word.split("-"))


def _starts_sentence(before: str) -> bool:
    return not before.strip() or before.rstrip()[-1] in '.!?:\n>"' or before.endswith("\n")


@cache
def _places() -> frozenset[str]:
    """What stands before a name and makes it that of a place: Port Jennifer, North Anna."""
    compass = {"north", "south", "east", "west", "new", "san", "santa", "saint", "st", "los", "las"}
    return frozenset(word for word in listed("street_words") if len(word) > _TWO) | compass


@cache
def no_names() -> frozenset[str]:
    """Capitalised words that are no name: of the list, of places, titles."""
    return listed("not_names") | _places() | _TITLES
