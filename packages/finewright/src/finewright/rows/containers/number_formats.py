"""Numbers of a workbook as it shows them: `00000` keeps the zeros of a postcode, `0.00%` is a percentage.

Covered (ECMA-376 part 1, 18.8.31): General, digits with zeros, decimals, thousands, percentages, signs and
texts between digits, currencies, sections for negative numbers and zero. Not covered, so read as stored,
which is said: fractions, powers of ten, conditions. Points and commas are as the codes have them."""

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import NamedTuple

# A workbook keeps 15 digits of a number: ECMA-376 stores doubles.
MOST_DIGITS = 15
# Positive, negative, zero; a fourth section is for texts.
_OF_NUMBERS = 3
_GENERAL = ("General", "@", "")
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|\[\$(?P<currency>[^\]-]*)[^\]]*\]|\[(?:Black|Blue|Cyan|Green'
    r"|Magenta|Red|White|Yellow|Color ?\d+)\]|_.|\*.|(?P<digits>[0#?][0#?,]*(?:\.[0#?]*)?)"
    r"|(?P<sign>[-+$€£¥()% /:])",
    re.IGNORECASE,
)


class _Part(NamedTuple):
    """A text that stands as it is, or digits by their places."""

    text: str
    is_digits: bool = False


def shown_number(value: int | float, code: str) -> str | None:
    """The number as the format code shows it; None where the code is not followed."""
    if code in _GENERAL:
        return general(value)
    sections = _sections(code)
    if sections is None:
        return None
    exact = Decimal(repr(value))
    section = sections[0]
    if value < 0 and len(sections) > 1:
        section, exact = sections[1], -exact
    elif value == 0 and len(sections) == _OF_NUMBERS:
        section = sections[2]
    digits = [part.text for part in section if part.is_digits]
    if not digits:
        return "".join(part.text for part in section) or None
    scale = sum(part.text.count("%") for part in section if not part.is_digits) * 2
    sign, filled = _filled(digits, exact.scaleb(scale))
    texts = iter(filled)
    return sign + "".join(next(texts) if part.is_digits else part.text for part in section).strip()


def general(value: int | float) -> str:
    """The number in all its digits, as a workbook keeps them."""
    if isinstance(value, int):
        return str(value)
    text = format(Decimal(f"{value:.{MOST_DIGITS}g}"), "f")
    return text if value.is_integer() or "." not in text else text.rstrip("0").rstrip(".")


@lru_cache(maxsize=1024)
def _sections(code: str) -> list[list[_Part]] | None:
    """The parts of each section; None where one has what is not covered."""
    made: list[list[_Part]] = [[]]
    at = 0
    while at < len(code):
        if code[at] == ";":
            if len(made) == _OF_NUMBERS:
                break
            made.append([])
            at += 1
            continue
        found = _TOKEN.match(code, at)
        if found is None:
            return None
        at = found.end()
        if digits := found["digits"]:
            made[-1].append(_Part(digits, is_digits=True))
        else:
            parts = (found["quoted"], found["escaped"], found["currency"], found["sign"])
            made[-1].append(_Part(next((part for part in parts if part), "")))
    return None if any(map(_is_odd, made)) else made


def _is_odd(section: list[_Part]) -> bool:
    """Are its digits in several groups, some of them with decimals, thousands or none that are filled?"""
    groups = [part.text for part in section if part.is_digits]
    marks = "".join(part.text for part in section if not part.is_digits)
    is_fraction = len(groups) > 1 and any(sign in marks for sign in "/:")
    return (
        is_fraction
        or (len(groups) > 1 and any(set(group) & set(".,?") for group in groups))
        or any(group.endswith(",") or ",." in group for group in groups)
    )


def _filled(groups: list[str], value: Decimal) -> tuple[str, list[str]]:
    """The sign, and the digits of each group: of several the last are in the last group."""
    whole, _, decimals = groups[-1].partition(".")
    rounded = abs(value).quantize(Decimal(1).scaleb(-len(decimals)), ROUND_HALF_UP)
    number, _, fraction = format(rounded, "f").partition(".")
    fewest = len(decimals.rstrip("#?"))
    fraction = fraction[:fewest] + fraction[fewest:].rstrip("0")
    pattern = "".join(groups[:-1]) + whole
    number = "" if number == "0" and "0" not in pattern else number.zfill(pattern.count("0"))
    if "," in whole:
        number = re.sub(r"(?<=\d)(?=(?:\d{3})+\Z)", ",", number)
    texts: list[str] = []
    for group in [*groups[:0:-1], ""]:
        size = sum(sign in "0#?" for sign in group.partition(".")[0])
        cut = len(number) - size if group else 0
        texts.insert(0, number[max(cut, 0) :])
        number = number[: max(cut, 0)]
    if "." in groups[-1]:
        texts[-1] += f".{fraction}"
    return ("-" if value < 0 and rounded else ""), texts
