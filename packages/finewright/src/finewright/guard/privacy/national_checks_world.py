"""The checks of identity numbers outside Europe and North America, and of Russia, Turkey and Ukraine.

Each takes the bare number: digits, and capital letters where it has any."""

from finewright.guard.privacy.checksums import is_date, luhn, weighted

_TEN, _ELEVEN, _Y1900 = 10, 11, 1900
_AU = (1, 4, 3, 7, 5, 8, 6, 9, 10)
_CURP = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"


def _is_day(digits: str) -> bool:
    """Year, month, day of two digits each, in this century or the last."""
    year, month, day = (int(digits[i : i + 2]) for i in (0, 2, 4))
    return is_date(_Y1900 + year, month, day) or is_date(2000 + year, month, day)


def cn_ric(text: str) -> bool:
    """居民身份证号码, GB 11643-1999: the day of birth, and ISO 7064 MOD 11-2 with X for 10."""
    if not is_date(int(text[6:10]), int(text[10:12]), int(text[12:14])):
        return False
    total = sum(int(digit) * pow(2, 17 - i, _ELEVEN) for i, digit in enumerate(text[:17]))
    return "0123456789X"[(1 - total) % _ELEVEN] == text[17].upper()


def ru_inn(digits: str) -> bool:
    """ИНН of a person: two sums mod 11 mod 10."""
    first = weighted(digits[:10], (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % _ELEVEN % _TEN
    second = weighted(digits[:11], (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % _ELEVEN % _TEN
    return digits[:2] != "00" and (first, second) == (int(digits[10]), int(digits[11]))


def ru_snils(digits: str) -> bool:
    """СНИЛС: weights 9 to 1, mod 101, 100 written as 00."""
    check = weighted(digits[:9], (9, 8, 7, 6, 5, 4, 3, 2, 1)) % 101 % 100
    return int(digits[:9]) > 1_001_998 and check == int(digits[9:])  # noqa: PLR2004 - the first with a check


def tr_kimlik(digits: str) -> bool:
    """T.C. kimlik no: odd places times 7 less the even ones mod 10, then the sum of ten digits mod 10."""
    numbers = [int(digit) for digit in digits]
    tenth = (7 * sum(numbers[0:9:2]) - sum(numbers[1:8:2])) % _TEN
    return numbers[0] > 0 and (tenth, sum(numbers[:10]) % _TEN) == (numbers[9], numbers[10])


def kr_rrn(digits: str) -> bool:
    """주민등록번호: the day, and weights 2 to 9, 2 to 5; 11 less the sum mod 11, mod 10."""
    total = weighted(digits[:12], (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5))
    check = (_ELEVEN - total % _ELEVEN) % _TEN
    is_place = int(digits[7:9]) <= 96  # noqa: PLR2004 - the last code of a place
    return is_place and _is_day(digits) and check == int(digits[12])


def jp_my_number(digits: str) -> bool:
    """個人番号, ordinance 85 of 2014: weights 6 to 2 and 7 to 2, 11 less the sum mod 11, 10 and 11 as 0."""
    rest = weighted(digits[:11], (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % _ELEVEN
    return int(digits[11]) == (0 if rest <= 1 else _ELEVEN - rest)


def th_pin(digits: str) -> bool:
    """เลขประจำตัวประชาชน: weights 13 to 2, 11 less the sum mod 11, mod 10."""
    check = (_ELEVEN - weighted(digits[:12], tuple(range(13, 1, -1))) % _ELEVEN) % _TEN
    return digits[0] not in "09" and check == int(digits[12])


def il_id(digits: str) -> bool:
    """מספר זהות: Luhn."""
    return int(digits) > 0 and luhn(digits)


def za_id(digits: str) -> bool:
    """South African identity number: the day, a citizen or not, and Luhn."""
    return digits[10] in "01" and _is_day(digits) and luhn(digits)


def mx_curp(text: str) -> bool:
    """CURP: the day, and weights 18 to 2 of 37 characters, 10 less the sum mod 10."""
    total = sum((18 - i) * _CURP.index(character) for i, character in enumerate(text[:17]))
    return _is_day(text[4:10]) and int(text[17]) == -total % _TEN


def cl_rut(text: str) -> bool:
    """RUT: weights 2 to 7 from the right, 11 less the sum mod 11, K for 10."""
    total = sum(int(digit) * (2 + i % 6) for i, digit in enumerate(reversed(text[:-1])))
    return "0123456789K0"[_ELEVEN - total % _ELEVEN] == text[-1]


def ar_cuil(digits: str) -> bool:
    """CUIL and CUIT of persons: weights 5 to 2 and 7 to 2, 11 less the sum mod 11, 10 as 9."""
    check = "012345678990"[
        _ELEVEN - weighted(digits[:10], (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % _ELEVEN
    ]
    return digits[:2] in ("20", "23", "24", "27") and check == digits[10]


def ua_rnokpp(digits: str) -> bool:
    """РНОКПП: weights -1, 5, 7, 9, 4, 6, 10, 5, 7, mod 11 mod 10."""
    check = weighted(digits[:9], (-1, 5, 7, 9, 4, 6, 10, 5, 7)) % _ELEVEN % _TEN
    return int(digits) > 0 and check == int(digits[9])


def au_tfn(digits: str) -> bool:
    """Tax file number: weights 1, 4, 3, 7, 5, 8, 6, 9, 10, the sum divisible by 11."""
    return int(digits) > 0 and weighted(digits, _AU) % _ELEVEN == 0


def kz_iin(digits: str) -> bool:
    """ИИН: the day; the places as weights mod 11, if 10 then 3 to 11, 1, 2."""
    check = weighted(digits[:11], tuple(range(1, 12))) % _ELEVEN
    if check == _TEN:
        check = weighted(digits[:11], (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)) % _ELEVEN
    return _is_day(digits) and check == int(digits[11])


def vn_cccd(digits: str) -> bool:
    """Số căn cước: the province, and the century and sex; it has no check digit."""
    return digits[0] == "0" and digits[3] in "0123" and int(digits[6:]) > 0
