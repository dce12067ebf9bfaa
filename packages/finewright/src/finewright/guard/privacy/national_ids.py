"""Identity numbers of people: all states of the EU, the UK, CH, NO, IN, BR, CA, the US and 15 more.

The kinds, and what each is called in its country's language, are `catalog/national_ids.yaml`. A number whose
check is weak counts only where words say what it is: in front, right after it, or in the question before. A
number that fails its check is none. Not covered: letters in lower case, numbers from before the check (nine
digits in Czechia), numbers
of Denmark, Malta, the UK and the US and India's PAN without a word, for these have no check.

Checks of the identity numbers that python-stdnum has not, on digits without separators.

Each takes a number of its kind's form and says whether it can have been given out.

What several checks share: Luhn and ISO 7064 on digits alone, and days."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import cache
from importlib import import_module
from itertools import combinations
from random import Random
from typing import NamedTuple

from stdnum import verhoeff

from finewright.catalog.national_ids import IdentityRule, identity_rules
from finewright.errors import MissingExtra
from finewright.guard.privacy.scan import (
    Number,
    PersonalSpan,
    Recogniser,
    Scan,
    Sign,
    recogniser,
    words,
)
from finewright.plugins import install_command

_LUHN_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


_MOD_97 = 97


_TEN, _ELEVEN = 10, 11


_PRIMES = (29, 23, 19, 17, 13, 11, 7, 5, 3, 2)


_S = "[ .\\-/+\u00a0\u2011]"
_GROUP = re.compile("[0-9]+")
# What may stand before the name of a number that follows it: 53060357982 (numer PESEL).
_LEADS = re.compile(r"[ (,:=\[-]*(?:(?:num\w{1,4}|n[úu]mero|nr\.?|no\.?|n[°º]) (?:de |di |do )?)?")
_REACH, _REACH_LEAD, _REACH_AFTER, _REACH_LIST = 50, 80, 30, 400
_LISTED = "0123456789-,; \n"
_MOST_GROUPS = 7
_BARE = str.maketrans("", "", " .-/+()\u00a0\u2011")
_FIVE_DIGITS = re.compile("[0-9]{5,}")
# Outlines (`Scan`) of what numbers with letters have.
_FIVE, _DOTTED, _LETTER_DIGIT = b"00000", b"0.000.000", (b"A0", b"A-0", b"A 0")


class Kind(NamedTuple):
    """A rule, ready to search: the whole form in one pattern, and what the bare number begins with."""

    rule: IdentityRule
    form: re.Pattern[str]
    begins: re.Pattern[str]

    @property
    def words(self) -> re.Pattern[str]:
        """What it is called; few texts have a number of which this is asked."""
        return _compile_words(self.rule.words)

    def fits(self, text: str) -> bool:
        """Whether the text is a number of this kind, by form and check."""
        bare = text if self.rule.has_signs else bare_id(text)
        is_formed = self.form.fullmatch(text) and self.begins.match(bare)
        return bool(is_formed) and _is_checked(self.rule.check, bare)

    def stands_alone(self, text: str) -> bool:
        """Whether it counts without a word around."""
        alone = self.rule.alone
        return alone == "always" or (alone != "never" and any(sign in text for sign in alone))


def recognisers() -> tuple[Recogniser, ...]:
    """Identity numbers of people."""
    return (recogniser(recognise, "national_id", sign=Sign.IDENTITY),)


def recognise(scan: Scan) -> Iterator[PersonalSpan]:
    """Identity numbers whose check fits, alone or called by their name."""
    if not scan.has_digits:
        return
    for number in scan.numbers:
        if len(number.digits) >= 8:  # noqa: PLR2004 - the shortest
            yield from _within(scan, number)
    yield from _find_lettered_numbers(scan)


def _within(scan: Scan, number: Number) -> Iterator[PersonalSpan]:
    """The numbers of so many groups of digits as a kind is written in."""
    groups = [match.span() for match in _GROUP.finditer(scan.text, number.start, number.end)]
    kinds_of = _kinds_of()
    for first, (start, _) in enumerate(groups):
        sizes: tuple[int, ...] = ()
        for last in groups[first : first + _MOST_GROUPS]:
            sizes += (last[1] - last[0],)
            kinds = kinds_of.get(sizes)
            if kinds and scan.is_alone(start, last[1]):
                yield from _check_digits(scan, start, last[1], kinds)


def _find_lettered_numbers(scan: Scan) -> Iterator[PersonalSpan]:
    """The numbers with letters; a form is tried where its first characters are, for most texts have none."""
    forms, outline = _group_lettered_kinds(), scan.outline
    matches = [
        (kind, kind.form.match(scan.text, digits.start()))
        for digits in (_FIVE_DIGITS.finditer(scan.text) if _FIVE in outline else ())
        for kind in forms.from_digits
    ]
    others = forms.with_dots if _DOTTED in outline else ()
    if scan.has_outline(_LETTER_DIGIT):
        others += forms.others
    matches += [(kind, match) for kind in others for match in kind.form.finditer(scan.text)]
    for kind, match in matches:
        if match and scan.is_alone(*match.span()):
            yield from _check_digits(scan, match.start(), match.end(), (kind,))


def _check_digits(
    scan: Scan, start: int, end: int, kinds: tuple[Kind, ...]
) -> Iterator[PersonalSpan]:
    text = scan.text[start:end]
    around = _around(scan, start, end)
    for kind in kinds:
        # The check takes the longest, and nearly every run of digits has the form of some kind.
        if (kind.stands_alone(text) or around.calls(kind)) and kind.fits(text):
            reason = "checked" if kind.rule.check_digits else "called so; it has no check"
            why = f"{kind.rule.country} identity number, {reason}"
            yield PersonalSpan(start, end, "national_id", 0.95, why)
            return


class _Around(NamedTuple):
    """What stands before a number, what follows it, and whether words before it mean any identity number."""

    before: str
    after: str
    is_common: bool

    def calls(self, kind: Kind) -> bool:
        """Whether the words around name this kind."""
        return (
            (kind.rule.common and self.is_common)
            or kind.words.search(self.before) is not None
            or kind.words.match(self.after) is not None
        )


def _around(scan: Scan, start: int, end: int) -> _Around:
    if start < _REACH:
        before = scan.leading(start, _REACH_LEAD)
    else:  # one in a list is called what the first of it is
        before = scan.before(start, _REACH_LIST).rstrip(_LISTED)[-_REACH:]
    after = scan.after(end, _REACH_AFTER)
    lead = _LEADS.match(after)
    after = after[lead.end() :] if lead else after
    return _Around(
        before, after, _compile_words(identity_rules().common).search(before) is not None
    )


@cache
def _compile_words(alternatives: str) -> re.Pattern[str]:
    return words(alternatives)


def _is_checked(names: str, bare: str) -> bool:
    """Whether any of the checks takes it. Without one the form is all that there is."""
    try:
        return not names or any(_check(name)(bare) for name in names.split())
    except LookupError:
        # python-stdnum looks a place up last, in tables that have provinces without counties.
        return True


@cache
def _check(name: str) -> Callable[[str], bool]:
    """A module of python-stdnum (`at.vnr`), or a function of `id_checks`."""
    is_listed = "." in name
    module = f"stdnum.{name}" if is_listed else "finewright.guard.privacy.national_ids"
    try:
        found: Callable[[str], bool] = getattr(
            import_module(module), "is_valid" if is_listed else name
        )
    except ModuleNotFoundError:
        raise MissingExtra(
            "checking identity numbers needs python-stdnum", hint=install_command("[data]")
        ) from None
    return found


@cache
def kinds() -> tuple[Kind, ...]:
    """Every kind of the catalog."""
    return tuple(
        Kind(
            rule,
            re.compile(rule.form or "|".join(_pattern(parts) for parts in _ways_to_write(rule))),
            re.compile(rule.begins),
        )
        for rule in identity_rules().kinds
    )


class _Lettered(NamedTuple):
    """Those that begin with five digits, those with dots between digits, those with letters before digits."""

    from_digits: tuple[Kind, ...]
    with_dots: tuple[Kind, ...]
    others: tuple[Kind, ...]


@cache
def _group_lettered_kinds() -> _Lettered:
    from_digits, with_dots, others = [], [], []
    for kind in kinds():
        if re.match(r"\[0-9\]\{(?:[5-8]|17)", kind.rule.form):
            from_digits.append(kind)
        elif r"\." in kind.rule.form:
            with_dots.append(kind)
        elif kind.rule.form:
            others.append(kind)
    return _Lettered(tuple(from_digits), tuple(with_dots), tuple(others))


@cache
def _kinds_of() -> dict[tuple[int, ...], tuple[Kind, ...]]:
    """Of the sizes of groups, the kinds that are written so."""
    found: dict[tuple[int, ...], tuple[Kind, ...]] = {}
    for kind in kinds():
        for parts in _ways_to_write(kind.rule) if kind.rule.groups else ():
            found[parts] = (*found.get(parts, ()), kind)
    return found


def _ways_to_write(rule: IdentityRule) -> list[tuple[int, ...]]:
    """The ways to write a number: in its groups, in one piece; where it is loose, with any of them joined."""
    sizes = tuple(map(int, rule.groups.split()))
    cuts = range(1, len(sizes))
    chosen = (
        [c for n in range(len(sizes)) for c in combinations(cuts, n)]
        if rule.loose
        else [(), (*cuts,)]
    )
    return [
        tuple(sum(sizes[a:b]) for a, b in zip((0, *c), (*c, len(sizes)), strict=True))
        for c in dict.fromkeys(chosen)
    ]


def _pattern(parts: tuple[int, ...]) -> str:
    return _S.join(f"[0-9]{{{size}}}" for size in parts)


def bare_id(text: str) -> str:
    """The number without what separates its groups."""
    return text.translate(_BARE)


_SWEEPS, _MOST_SWEEPS, _MOST_TAILS = 2, 40, 3


def _num_tails(fitting: Sequence[Kind], sweep: int) -> int:
    """How many digits are drawn after one; a number of many kinds is hard to leave, so that more give way."""
    num_checks = max((kind.rule.check_digits for kind in fitting), default=0)
    more = max(0, sweep - _SWEEPS + 1)
    return min(num_checks + more, _MOST_TAILS) if num_checks else 0


def similar_id(value: str, draw: Random) -> str:
    """Another number that every kind takes which takes this one, in the same form.

    Walks from the number, character by character: each is drawn anew, and the check digits after it; what no
    check takes is put back. Two rounds through, and more while nothing has changed."""
    fitting = [kind for kind in kinds() if kind.fits(value)]
    places = [i for i, character in enumerate(value) if character.isalnum()]
    drawn = value
    for sweep in range(_MOST_SWEEPS):
        if sweep >= _SWEEPS and drawn != value:
            break
        num_tails = _num_tails(fitting, sweep)
        for place in places:
            tails = [i for i in places[len(places) - num_tails :] if i != place]
            drawn = _move_digit(drawn, place, tails, fitting, draw)
    return drawn


def _move_digit(text: str, place: int, tails: list[int], fitting: list[Kind], draw: Random) -> str:
    options = [_with(text, place, draw.choice(_like(text[place])))]
    for tail in tails:
        options = [_with(option, tail, c) for option in options for c in _like(text[tail])]
    draw.shuffle(options)
    return next((o for o in options if all(kind.fits(o) for kind in fitting)), text)


def _like(character: str) -> str:
    return "0123456789" if character.isdigit() else "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _with(text: str, place: int, character: str) -> str:
    return f"{text[:place]}{character}{text[place + 1 :]}"


def canadian(digits: str) -> bool:
    """Social Insurance Number: Luhn; also one that begins with 0, as made-up ones do, or 8."""
    return int(digits) > 0 and luhn(digits)


def _sum(digits: str, weights: Iterable[int]) -> int:
    """The sum of digits times weights, as far as there are weights."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def hu_tax(digits: str) -> bool:
    """Adóazonosító jel, Act XX of 1996: each digit times its place, mod 11."""
    return _sum(digits, range(1, 10)) % _ELEVEN == int(digits[9])


def hu_taj(digits: str) -> bool:
    """TAJ, Act XX of 1996: digits in odd places times 3, in even ones times 7, mod 10."""
    return int(digits) > 0 and _sum(digits, (3, 7) * 4) % _TEN == int(digits[8])


def hu_person(digits: str) -> bool:
    """Személyi azonosító, Act XX of 1996: the place times the digit mod 11; places count down from 1997."""
    year = (2000 if digits[0] in "34" else 1900) + int(digits[1:3])
    places = range(1, 11) if year < 1997 else range(10, 0, -1)  # noqa: PLR2004 - the act's own date
    is_day = is_date(year, int(digits[3:5]), int(digits[5:7]))
    return is_day and _sum(digits, places) % _ELEVEN == int(digits[10])


def lu_matricule(digits: str) -> bool:
    """Matricule: the day; Luhn over the first eleven, then Verhoeff over the same (OECD, Luxembourg TIN)."""
    is_day = is_date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    return is_day and luhn(digits[:12]) and verhoeff.is_valid(digits[:11] + digits[12])


def pt_niss(digits: str) -> bool:
    """NISS: the first ten primes, falling, as weights; 9 less the sum mod 10."""
    return 9 - _sum(digits, _PRIMES) % _TEN == int(digits[10])


def ru_snils(digits: str) -> bool:
    """СНИЛС: weights 9 to 1, mod 101, 100 written as 00; those up to 001-001-998 have no check."""
    check = _sum(digits, range(9, 0, -1)) % 101 % 100
    return int(digits[:9]) > 1_001_998 and check == int(digits[9:])  # noqa: PLR2004 - the first with a check


def kz_iin(digits: str) -> bool:
    """ИИН: the day; the places as weights mod 11, if 10 then 3 to 11, 1, 2."""
    day = int(digits[2:4]), int(digits[4:6])
    is_day = any(is_date(century + int(digits[:2]), *day) for century in (1900, 2000))
    check = _sum(digits, range(1, 12)) % _ELEVEN
    if check == _TEN:
        check = _sum(digits, (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)) % _ELEVEN
    return is_day and check == int(digits[11])


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: every second digit from the right is doubled, the sum ends in 0."""
    numbers = [ord(digit) - 48 for digit in reversed(digits)]
    return (sum(numbers[0::2]) + sum(_LUHN_DOUBLED[n] for n in numbers[1::2])) % 10 == 0


def mod_97_10(text: str) -> int:
    """ISO 7064 MOD 97-10 of letters (A = 10) and digits; 1 when the check digits fit."""
    return int("".join(str(int(character, 36)) for character in text)) % _MOD_97


def is_date(year: int, month: int, day: int) -> bool:
    """Whether there is such a day."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
