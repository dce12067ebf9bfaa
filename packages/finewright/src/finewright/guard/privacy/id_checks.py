"""Checks of the identity numbers that python-stdnum has not, on digits without separators.

Each takes a number of its kind's form and says whether it can have been given out."""

from collections.abc import Iterable

from stdnum import verhoeff

from finewright.guard.privacy.checksums import is_date, luhn

_TEN, _ELEVEN = 10, 11
_PRIMES = (29, 23, 19, 17, 13, 11, 7, 5, 3, 2)


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
