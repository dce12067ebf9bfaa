"""What several checks share: Luhn and ISO 7064 on digits alone, and days."""

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


def is_date(year: int, month: int, day: int) -> bool:
    """Is there such a day?"""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
