"""Numbers as people write them: `300k`, `2M`, `1e12`, `5 GB`, `8 s`, `2 weeks`, `$2.5k`, `90%`.

A comma stands between thousands alone, for `1,5` is one and a half to some and fifteen to others; `m` is a
million of what is counted, but of no time, where it may be a minute or a month."""

import math
import re
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

Units = Mapping[str, float]

_BYTES_A_TOKEN = 4
"""Of plain English text; other languages have fewer bytes a token, and so more tokens."""
COUNT: Units = {"k": 10**3, "m": 10**6, "mio": 10**6, "b": 10**9, "bn": 10**9}
_TEXT: Units = {
    f"{prefix}{byte}": 1024**power / _BYTES_A_TOKEN
    for power, prefix in enumerate("kmgt", 1)
    for byte in ("b", "ib")
}
TOKENS: Units = {**COUNT, **_TEXT}
_SECONDS: Units = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
}
MILLISECONDS: Units = {"ms": 1, **{unit: 1000 * each for unit, each in _SECONDS.items()}}
DAYS: Units = {
    **dict.fromkeys(("min", "minute", "minutes"), 1 / 1440),
    **dict.fromkeys(("h", "hour", "hours"), 1 / 24),
    **dict.fromkeys(("d", "day", "days"), 1),
    **dict.fromkeys(("w", "week", "weeks"), 7),
    **dict.fromkeys(("month", "months"), 365 / 12),
    **dict.fromkeys(("year", "years"), 365),
}
SHARE: Units = {"%": 0.01}
_EXACT_DIGITS = 15
"""Of a float: 57 % is 0.57, and not 0.5700000000000001."""
_NUMBER = re.compile(
    r"\$?\s*((?:\d{1,3}(?:[,_]\d{3})+|\d+)(?:\.\d+)?)(e[+-]?\d{1,2})?\s*([a-z]*|%)"
)
_AS_JSON_SCHEMA = r"^\$?\s*\d[\d,_]*(\.\d+)?([eE][+-]?\d{1,2})?\s*([A-Za-z]*|%)$"
_EXAMPLES = (
    (COUNT, "300 or 300k"),
    (TOKENS, "400k or 5 GB"),
    (MILLISECONDS, "800 ms or 8 s"),
    (DAYS, "7 or 2 weeks"),
    (SHARE, "0.9 or 90%"),
)
_COMMA = re.compile(r"\$?\d+,\d+\s*\D*")
Written = Annotated[str, Field(pattern=_AS_JSON_SCHEMA)]


def number_of(written: object, units: Units) -> object:
    """The number that a text says, whole where it is; what is no text, or no number, stays as it is.

    Raises ValueError for a number with a unit that is none of these."""
    found = _NUMBER.fullmatch(written.strip().casefold()) if isinstance(written, str) else None
    if found is None:
        return written
    digits, unit = found[1].replace(",", "").replace("_", "") + (found[2] or ""), found[3]
    if not math.isfinite(float(digits) * units.get(unit, 1)):
        raise ValueError("is too large a number")
    if not unit:
        return _parse_digits(digits, has_power=bool(found[2]))
    if unit not in units:
        known = f"known are {', '.join(units)}" if units else "it has none"
        raise ValueError(f"{written!r} has no unit that this is counted in; {known}")
    number = float(f"{float(digits) * units[unit]:.{_EXACT_DIGITS}g}")
    return int(number) if unit in _TEXT else _whole(number)


def _parse_digits(digits: str, *, has_power: bool) -> float:
    if digits.isdigit():
        return int(digits)
    return _whole(float(digits)) if has_power else float(digits)


def _whole(number: float) -> float:
    return int(number) if number.is_integer() else number


def _amount(given: object, units: Units) -> object:
    """The number; raises ValueError, with how to write it, for a text that is none and is not `unknown`."""
    number = number_of(given, units)
    if not isinstance(number, str) or number == "unknown":
        return number
    example = next(text for each, text in _EXAMPLES if each is units)
    comma = ", with a point for a comma" if _COMMA.fullmatch(number.strip()) else ""
    raise ValueError(f"must be a number such as {example}, or unknown, not {given!r}{comma}")


def _amounts(given: object, units: Units) -> object:
    """A number, or each of a target and a limit."""
    if isinstance(given, Mapping):
        return {key: _amount(value, units) for key, value in given.items()}
    return _amount(given, units)


def as_written(units: Units, plain: Any) -> BeforeValidator:  # Any: an annotation
    """Reads what a person writes for a value of the type `plain`; editors are shown that both may stand."""
    return BeforeValidator(partial(_amounts, units=units), json_schema_input_type=plain | Written)
