"""Check digits that several numbers share: Luhn, ISO 7064, Verhoeff, weighted sums, on digits alone."""

from datetime import date

_LUHN_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_MOD_97 = 97


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: every second digit from the right is doubled, the sum ends in 0."""
    numbers = [ord(digit) - 48 for digit in reversed(digits)]
    return (sum(numbers[0::2]) + sum(_LUHN_DOUBLED[n] for n in numbers[1::2])) % 10 == 0


def mod_97_10(text: str) -> int:
    """ISO 7064 MOD 97-10 of letters (A = 10) and digits; 1 when the check digits fit."""
    return int("".join(str(int(character, 36)) for character in text)) % _MOD_97


def mod_11_10(digits: str) -> bool:
    """ISO 7064 MOD 11,10, as in the German tax number."""
    check = 5
    for digit in digits:
        check = (((check or 10) * 2) % 11 + int(digit)) % 10
    return check == 1


def weighted(digits: str, weights: tuple[int, ...]) -> int:
    """The sum of digits times weights."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))


def is_date(year: int, month: int, day: int) -> bool:
    """Is there such a day?"""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


# The group of the symmetries of a pentagon, and its permutation (Verhoeff, 1969).
_PRODUCT = tuple(
    tuple((i + j) % 5 + 5 * (j > 4) if i < 5 else (i - j) % 5 + 5 * (j < 5) for j in range(10))  # noqa: PLR2004
    for i in range(10)
)
_PERMUTED = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def verhoeff(digits: str) -> bool:
    """Verhoeff's check: the product of the permuted digits, from the right, is the identity."""
    check = 0
    for place, character in enumerate(reversed(digits)):
        digit = int(character)
        for _ in range(place % 8):
            digit = _PERMUTED[digit]
        check = _PRODUCT[check][digit]
    return check == 0
