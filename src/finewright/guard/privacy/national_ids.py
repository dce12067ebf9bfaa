"""Identity numbers of people: the EU's larger states and some neighbours, with their check digits.

Covered: DE, FR, IT, ES, PL, NL, BE, PT, AT, SE, CH, UK, US. A number whose check is weak counts only
where the words in front of it say what it is; so do numbers that fail their check but have the shape
of their country, at a lower confidence. Not covered: letters in lower case."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from finewright.guard.privacy import checksums
from finewright.guard.privacy.scan import PersonalSpan, Recogniser, Scan, recogniser, words

_S = "[ .\\-/\u00a0\u2011]?"
_CONTEXT = words(
    "ssn", "social security(?: number| no)?", "national (?:id|insurance|identity)[a-z ]*", "nino",
    "tax(?:payer)? (?:id|number|no|identification)[a-z ]*", "tin", "id (?:number|no|card)",
    "identity (?:number|card)", "personal (?:id|number|identification)[a-z ]*", "steuer-?id",
    "steuerident[a-z]*", "idnr", "sozialversicherung[a-z]*", "svnr", "sv-nummer", "ausweis[a-z]*",
    "ahv[a-z-]*", "s[ée]curit[ée] sociale", "nir", "num[ée]ro (?:de s[ée]cu|fiscal)[a-z ]*",
    "codice fiscale", "c\\.?f\\.?", "dni", "nie", "nif", "documento", "identificaci[oó]n",
    "seguridad social", "contribuinte", "identifica[cç][aã]o fiscal", "pesel", "bsn", "sofi[a-z-]*",
    "burgerservice[a-z]*", "rijksregister[a-z]*", "registre national", "insz", "niss",
    "personnummer", "personnr", "citizen service number",
)  # fmt: skip
_REACH = 50


class _Kind(NamedTuple):
    country: str
    shape: re.Pattern[str]
    check: Callable[[str], bool]
    digits: int
    is_strong: Callable[[str], bool]


def _always(_: str) -> bool:
    return True


def _never(_: str) -> bool:
    return False


def _has_separator(text: str) -> bool:
    return not text.isalnum()


def _has_hyphen(text: str) -> bool:
    return "-" in text


def _shape(*groups: str) -> re.Pattern[str]:
    return re.compile(_S.join(groups))


def _d(*sizes: int) -> tuple[str, ...]:
    return tuple(f"[0-9]{{{size}}}" for size in sizes)


# Numbers of digits alone, looked for within runs of digits; the strong ones need no words around.
_NUMERIC = (
    _Kind("FR", _shape("[123478]", *_d(2, 2, 2, 3, 3, 2)), checksums.fr_nir, 15, _always),
    _Kind("CH", _shape("756", *_d(4, 4, 2)), checksums.ch_ahv, 13, _always),
    _Kind("BE", _shape(*_d(2, 2, 2, 3, 2)), checksums.be_national, 11, _always),
    _Kind("DE", _shape(*_d(2, 3, 3, 3)), checksums.de_tax_id, 11, _never),
    _Kind("PL", _shape(*_d(11)), checksums.pl_pesel, 11, _never),
    _Kind("SE", re.compile("(?:19|20)?[0-9]{6}[-+]?[0-9]{4}"), checksums.se_personnummer, 10, _has_separator),
    _Kind("AT", _shape(*_d(4, 6)), checksums.at_svnr, 10, _never),
    _Kind("US", re.compile("[0-9]{3}([- ]?)[0-9]{2}\\1[0-9]{4}"), checksums.us_ssn, 9, _has_hyphen),
    _Kind("NL", _shape(*_d(4, 2, 3)), checksums.nl_bsn, 9, _never),
    _Kind("PT", _shape(*_d(3, 3, 3)), checksums.pt_nif, 9, _never),
)  # fmt: skip
# Numbers that letters tell apart.
_LETTERED = (
    _Kind(
        "IT",
        re.compile(
            "[A-Z][A-Z]{2} ?[A-Z]{3} ?[0-9L-NP-V]{2}[ABCDEHLMPRST][0-9L-NP-V]{2} ?[A-Z][0-9L-NP-V]{3}[A-Z]"
        ),
        checksums.it_codice_fiscale,
        16,
        _always,
    ),
    _Kind(
        "FR",
        re.compile("[12] ?[0-9]{2} ?[0-9]{2} ?2[AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}"),
        checksums.fr_nir,
        15,
        _always,
    ),
    _Kind("UK", re.compile("[A-Z][A-Z] ?(?:[0-9]{2} ?){3}[A-D]"), checksums.uk_nino, 9, _always),
    _Kind("ES", re.compile("[XYZ][- ]?[0-9]{7}[- ]?[A-Z]"), checksums.es_dni, 9, _always),
)
_DNI = _Kind("ES", re.compile("[0-9]{8}[- ]?[A-Z]"), checksums.es_dni, 9, _always)
_BARE = str.maketrans("", "", " .-/+\u00a0\u2011")
_SHAPED = frozenset({"US", "FR", "PL", "DE", "BE", "SE", "AT", "NL", "PT", "CH"})


def recognisers() -> tuple[Recogniser, ...]:
    """Identity numbers of people."""
    return (recogniser(recognise, "national_id"),)


def recognise(scan: Scan) -> Iterator[PersonalSpan]:
    """Identity numbers with a check that fits, or that the words in front call by their name."""
    for number in scan.numbers:
        if len(number.digits) >= 8:  # noqa: PLR2004 - the shortest, a DNI, has eight
            yield from _within(scan, number.start, number.end)
    for kind in _LETTERED:
        for match in kind.shape.finditer(scan.text):
            found = _checked(scan, kind, match.start(), match.end())
            if found:
                yield found


def _within(scan: Scan, start: int, end: int) -> Iterator[PersonalSpan]:
    reach = min(len(scan.text), end + 2)
    is_called_id: bool | None = None
    for kind in (*_NUMERIC, _DNI):
        for match in kind.shape.finditer(scan.text, start, reach if kind is _DNI else end):
            if not scan.is_alone(match.start(), match.end()):
                continue
            found = _checked(scan, kind, match.start(), match.end())
            if found is None:
                is_called_id = _is_called_id(scan, start) if is_called_id is None else is_called_id
                found = _called_id(kind, match.start(), match.end()) if is_called_id else None
            if found:
                yield found


def _checked(scan: Scan, kind: _Kind, start: int, end: int) -> PersonalSpan | None:
    text = scan.text[start:end]
    bare = bare_id(text)[-kind.digits :]
    if not scan.is_alone(start, end) or not kind.check(bare):
        return None
    if kind.is_strong(text) or _is_called_id(scan, start):
        return PersonalSpan(
            start, end, "national_id", 0.95, f"{kind.country} identity number, checked"
        )
    return None


def _called_id(kind: _Kind, start: int, end: int) -> PersonalSpan | None:
    """A number of the right shape that fails its check, but is called an identity number."""
    if kind.country not in _SHAPED:
        return None
    return PersonalSpan(start, end, "national_id", 0.7, "called an identity number; no check fits")


def _is_called_id(scan: Scan, start: int) -> bool:
    return _CONTEXT.search(scan.before(start, _REACH)) is not None


def bare_id(text: str) -> str:
    """The number without what separates its groups."""
    return text.translate(_BARE)


def check_of(text: str) -> Callable[[str], bool] | None:
    """What a number of the same kind passes, shape and check digits; None if the number has no kind."""
    kinds = (*_LETTERED, _DNI, *_NUMERIC)
    return next((partial(_is_of, kind) for kind in kinds if _is_of(kind, text)), None)


def _is_of(kind: _Kind, text: str) -> bool:
    return bool(kind.shape.fullmatch(text)) and kind.check(bare_id(text)[-kind.digits :])
