"""Postal addresses without a model: a street by its form, and what follows it line by line.

Covered: the written forms of the US, UK, Germany and Austria, France, Spain, Italy and the Netherlands,
with unit, postcode and town; a post office box with its postcode; `streets` has those of any language whose
postcode and town follow. Not covered: a town or a country alone, a
street without a number."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from finewright.guard.privacy import streets
from finewright.guard.privacy.gazetteer import read_word_list
from finewright.guard.privacy.scan import PersonalSpan, Recogniser, Scan, recogniser

_UPPER = r"[^\W\d_a-zà-öø-ÿ]"
# Without hyphens, where these part words: one reading of a run of them, not thousands.
_PLAIN = rf"{_UPPER}[^\W\d_]*(?:['\u2019.][^\W\d_]+)*"
_CAPITAL = rf"{_UPPER}[^\W\d_]*(?:['\u2019.-][^\W\d_]+)*"
UNITS = (
    r"(?:Apt|Suite|Unit|Flat|Studio|Room|Floor|Piso|Apartamento|Puerta|Appartamento|Wohnung|Box|Appt"
    r"|Apartment)"
)
# Each pattern begins with one class of characters or with literals: so a search skips what cannot begin one.
_NUMBER_AFTER = r" [0-9]{1,4} ?[a-zA-Z]?\b(?:/[0-9]+)?"
STREET_ENDS = (
    r"(?:straße|strasse|str\.|weg|platz|allee|gasse|ring|ufer|damm|steig|hof|laan|straat|gracht|plein|kade|dijk"
    r"|pad|singel|baan|dreef|gatan|vägen|gränd|gränden|stigen|torget|gata|gate|gaten|gade|vej|vejen|vegen|veien"
    r"|katu|kuja|tie|polku|brücke|wall|graben|stígur|braut|utca|str)"
)
_JOINED = re.compile(rf"{_UPPER}[^\W\d_]*(?:-[^\W\d_]+)*{STREET_ENDS}{_NUMBER_AFTER}")
# Words of English that end as streets of other languages do: During 1996, Spring 2007, Firewall 2.
_IS_WORD = re.compile(
    r"(?:(?:Du|Sp|Offsp|St|B|W|Th)ring|Bring|String|\w+(?:gregate|igate|egate|ogate)|(?:Note|i|Launch|Key|Touch)pad|IPad"
    r"|\w*[Bb]rigade|(?:Fire|Corn)wall|(?:Neck|Bow)tie|Renegade)\b"
)
_APART = re.compile(
    rf"{_PLAIN}[ -](?:{_PLAIN}[ -]){{0,2}}(?:Straße|Strasse|Str\.|Weg|Platz|Allee|Gasse|Ring|Ufer|Damm)"
    rf"{_NUMBER_AFTER}"
)
ROMANCE_WORDS = (
    r"(?:Calle|C/|Avenida|Avda\.?|Av\.|Plaza|Paseo|Pasaje|Ronda|Camino|Glorieta|Rambla|Callejón|Cañada|Acceso"
    r"|Alameda|Cuesta|Pasadizo|Urbanización|Vial|Via|Viale|Piazza|Corso|Strada|Vicolo|Largo|Contrada|Canale"
    r"|Borgo|Rotonda|Stretto|Incrocio|Rue|rue|Avenue|avenue|Boulevard|boulevard|Chemin|chemin|Place|place|Impasse|impasse|Allée|Rua"
    r"|Travessa|Praça|R\.|Beco|Ul\.|ul\.|Al\.|al\.|Pl\.|pl\.|Aleja|aleja|Plac|plac|Ulica|ulica)"
)
_OF = r"(?: (?:de|del|della|dei|di|du|des|la|el|los|las|le|do|da|dos|das)){0,3}(?: [dl]['\u2019])?"
_ROMANCE = re.compile(
    rf"{ROMANCE_WORDS}{_OF} ?"
    rf"{_CAPITAL}(?:(?: (?:de|del|di|du|y|i|da|do|das|dos|ao))? {_CAPITAL}){{0,3}}"
    r"(?:,? ?(?:[0-9]{1,4}(?:/[0-9]+)?(?![0-9])|S/N))?"
)
# A box is an address only with its postcode: "your Postfach 12 is full" is none.
_BOX = re.compile(
    r"(?:Postfach|Case postale|Casella postale|Apartado(?: de [Cc]orreos)?|Postbus|P\. ?O\. ?Box|PO Box"
    r"|Boîte postale|BP|CP) [0-9]{1,6}(?: [0-9]{2,3}){0,2}(?![0-9])"
)
# No word says street, as in `22B Derwent Parade, South Ockendon RM15 5EE`: the code must have a form of its
# own.
_UNNAMED = re.compile(rf"[0-9]{{1,5}}[A-Za-z]? (?:{_CAPITAL}\.? ){{0,3}}{_CAPITAL}(?=,? )")
_WITH_CODE = (_BOX, _UNNAMED)
# A code of Britain, a state of the US before a ZIP code that begins as its region's do, or a province of
# Canada before a code. `Fire Safety, EN 13501` has none.
_SURE_CODE = re.compile(
    r"\b(?:[A-Z]{1,2}[0-9][0-9A-Z]? ?[0-9][A-Z]{2}"
    r"|(?:(?:CT|MA|ME|NH|NJ|RI|VT|PR|VI),? 0|(?:DE|NY|PA),? 1|(?:DC|MD|NC|SC|VA|WV),? 2"
    r"|(?:AL|FL|GA|MS|TN),? 3|(?:IN|KY|MI|OH),? 4|(?:IA|MN|MT|ND|SD|WI),? 5|(?:IL|KS|MO|NE),? 6"
    r"|(?:AR|LA|OK|TX),? 7|(?:AZ|CO|ID|NM|NV|UT|WY),? 8|(?:AK|CA|GU|HI|OR|WA),? 9)[0-9]{4}"
    r"|(?:AB|BC|MB|NB|NL|NS|NT|NU|ON|PE|QC|SK|YT),? [A-Z][0-9][A-Z] ?[0-9][A-Z][0-9])\b"
)
# What may follow: a unit, a postcode with its town or the reverse, a town, a state, a country.
_CODE = (
    r"(?:[A-Z]{2} [0-9]{5}(?:-[0-9]{4})?|[0-9]{4} ?[A-Z]{2}\b|(?:[A-Z]{1,2}-)?[0-9]{4,5}(?:-[0-9]{3,4})?"
    r"(?: [A-Z]{2}\b)?|[0-9]{2}-[0-9]{3}|[0-9]{3} ?[0-9]{2,3}|[A-Z]{1,2}[0-9][0-9A-Z]? ?[0-9][A-Z]{2}"
    r"|(?:[A-Z]{2} )?[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9])(?![0-9A-Za-z-])"
)
_TOWN = (
    rf"{_CAPITAL}\b(?:[ -](?:(?:am|an der|de|del|di|do|da|la|le|les|sur|upon|on|in|im|of|van|den) )?"
    rf"{_CAPITAL}\b)"
    r"{0,3}(?: \([A-Z]{2}\))?"
)
_NEXT = re.compile(
    rf"(?:,\s{{0,6}}|\s{{1,6}}|\s?\n[>? ]{{1,6}})(?:{UNITS}\.? ?\w+(?: ?[A-Z0-9]\b)?"
    rf"|(?:Col\.|Colonia|Barrio|Urb\.|Bairro) {_TOWN}"
    rf"|(?P<code>{_CODE})(?P<of_code> {_TOWN})?|(?P<town>{_TOWN})(?: (?P<town_code>{_CODE}))?)"
)
_MOST_SEGMENTS, _LONGEST_TAIL = 6, 40
_DIGIT = re.compile("[0-9]")


class _Tail(NamedTuple):
    end: int
    has_code: bool


def recognisers() -> tuple[Recogniser, ...]:
    """Postal addresses."""
    return (recogniser(recognise, "address"), recogniser(streets.recognise, "address"))


def recognise(scan: Scan) -> Iterator[PersonalSpan]:
    """A street with a number, or with a postcode after it; with the lines of the address that follow."""
    if not _DIGIT.search(scan.text):
        return
    for pattern in (*_english(), _JOINED, _APART, _ROMANCE, *_WITH_CODE):
        for match in pattern.finditer(scan.text):
            start = _with_lead(scan.text, match.start())
            if _is_within_word(scan.text, start):
                continue
            tail = _tail(scan.text, match.end())
            has_number = _DIGIT.search(scan.text, start, match.end())
            if pattern is _JOINED and _IS_WORD.match(match[0]) and not tail.has_code:
                continue
            if pattern is _UNNAMED and not _SURE_CODE.search(scan.text, match.end(), tail.end):
                continue
            if tail.has_code or (pattern not in _WITH_CODE and has_number):
                confidence = 0.85 if tail.has_code else 0.65
                yield PersonalSpan(
                    start, tail.end, "address", confidence, "a street and its number"
                )


# A number or a unit before the street: `12 bis, rue ...`, `Apt. 5, 12 Main Street`.
_LEAD = re.compile(rf"(?:(?<!\w)[0-9]{{1,4}}(?: ?bis| ?ter)?,? |{UNITS}\.? \w+,?\s+)$")
_LONGEST_LEAD = 24


def _with_lead(text: str, start: int) -> int:
    lead = _LEAD.search(text[max(0, start - _LONGEST_LEAD) : start])
    return start - len(lead[0]) if lead else start


@cache
def _english() -> tuple[re.Pattern[str], ...]:
    street_words = sorted(read_word_list("street_words"), key=len, reverse=True)
    suffix = "|".join(f"[{word[0].upper()}{word[0]}]{word[1:]}" for word in street_words)
    return (
        re.compile(
            r"[0-9]{1,5}[A-Za-z]?(?:[-\u2013][0-9]{1,5}[A-Za-z]?)?,? "
            rf"(?:[0-9]{{1,3}}(?:st|nd|rd|th) |(?:{_CAPITAL}\.? ){{1,4}})(?:{suffix})\b\.?"
            r"(?: [NS]?[EW]\b| [NS]\b)?"
        ),
        re.compile(rf"[0-9]{{1,5}}(?:/[0-9]+)? (?:{_CAPITAL}\s){{1,4}}\s?{UNITS}\.? [0-9]+"),
        re.compile(rf"{UNITS}\.? [0-9]+\w*,?\s+(?:{_CAPITAL} ){{1,4}}(?:{suffix})\b"),
    )


def _is_within_word(text: str, at: int) -> bool:
    return at > 0 and (text[at - 1].isalnum() or text[at - 1] in "-_")


def _tail(text: str, end: int) -> _Tail:
    """Where the address ends, and whether a postcode is in what follows the street.

    A town counts with a postcode, or right after a comma or line end: words of a sentence may follow."""
    last, has_code, is_open = end, False, False
    for _ in range(_MOST_SEGMENTS):
        match = _NEXT.match(text, end)
        if not match:
            break
        is_code = bool(match["code"] or match["town_code"])
        is_town = bool(match["town"]) and not is_code
        if is_town and _follows_in_line(text, end):
            break
        gap, end = text[end], match.end()
        # After a postcode alone comes its town.
        if not is_town or (is_open and gap == ","):
            last, has_code = end, has_code or is_code
        is_open = bool(match["code"] and not match["of_code"])
    return _Tail(last if has_code or end - last > _LONGEST_TAIL else end, has_code)


def _follows_in_line(text: str, end: int) -> bool:
    return text[end] == " " and "\n" not in text[end : end + 6]
