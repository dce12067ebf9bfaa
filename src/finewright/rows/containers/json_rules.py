"""One JSON object out of one text, by JSON's own rules, and by those of what comes after it.

Refused beside broken JSON: NaN and infinities, repeated keys, lone surrogates, NUL, deep nesting."""

import json
import math
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import chain
from typing import Any, NoReturn

from finewright.errors import DataError

DEEPEST = 100
_TOO_DEEP = f"nested deeper than {DEEPEST} levels", "flatten the row"
_LONGEST_SHOWN = 40

Pairs = list[tuple[str, Any]]  # Any: free JSON


def unique(pairs: Pairs) -> dict[str, Any]:
    """The object with these keys; raises DataError where one occurs twice."""
    data = dict(pairs)
    if len(data) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise DataError(f"key {_shown(twice)} occurs twice in one object", hint="keep one of them")
    return data


def json_object(text: str, pairs: Callable[[Pairs], dict[str, Any]] = unique) -> dict[str, Any]:
    """The object that the text is; raises DataError, with the mend, for anything else."""
    data = json_value(text, pairs)
    if not isinstance(data, dict):
        raise DataError(
            f"{_kind(data)}, and a row is a JSON object", hint="write {...} on each line"
        )
    return data


def json_value(text: str, pairs: Callable[[Pairs], dict[str, Any]] = unique) -> Any:
    """The value that the text is; raises DataError, with the mend, where it is none."""
    try:
        data = _decoder(pairs).decode(text)
    except json.JSONDecodeError as error:
        raise _broken(text, error) from None
    except RecursionError:
        raise DataError(_TOO_DEEP[0], hint=_TOO_DEEP[1]) from None
    except ValueError:
        raise DataError("a number with too many digits", hint="put it in quotes") from None
    # Only an escape can bring a lone surrogate or NUL into decoded text, and only brackets nest.
    has_escape = "\\u" in text
    if has_escape or text.count("[") + text.count("{") > DEEPEST:
        check_values(data, has_escape)
    return data


def ends_early(text: str) -> bool:
    """Is this the beginning of JSON that goes on after it?"""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(error.doc.rstrip())
    except (ValueError, RecursionError):
        return False
    return False


def check_values(data: object, with_texts: bool = True) -> None:
    """Raise DataError for deep nesting, and for text that cannot be written as UTF-8."""
    level: list[Any] = [data]  # Any: free JSON
    for _ in range(DEEPEST):
        if with_texts:
            for value in level:
                if isinstance(value, str):
                    check_text(value)
        below: list[Any] = []
        for value in level:
            if isinstance(value, list):
                below += value
            elif isinstance(value, dict):
                below += chain(value, value.values())
        if not below:
            return
        level = below
    raise DataError(_TOO_DEEP[0], hint=_TOO_DEEP[1])


def check_text(text: str) -> None:
    """Raise DataError for a NUL and for half of a character."""
    if "\0" in text:
        raise DataError("a string holds a NUL character (\\u0000)", hint="remove it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise DataError(
            f"a string holds half of a character (\\u{code:04x}, a lone surrogate)",
            hint="the text was cut inside an emoji; cut it elsewhere, or remove the escape",
        ) from None


@cache
def _decoder(pairs: Callable[[Pairs], dict[str, Any]]) -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=pairs, parse_constant=_constant, parse_float=_finite)


def _broken(text: str, error: json.JSONDecodeError) -> DataError:
    if "\0" in text:
        return DataError(
            f"a NUL byte at column {text.index(chr(0)) + 1}",
            hint="the file is damaged; write it anew",
        )
    reason = error.msg.removesuffix(" at").removesuffix(" starting")
    hint = ""
    if error.msg == "Extra data":
        hint = "put each object on a line of its own"
    elif error.pos >= len(text.rstrip()) or "Unterminated" in error.msg:
        hint = "the line is cut off"
    elif "double quotes" in error.msg or "Expecting value" in error.msg:
        hint = "JSON wants double quotes, true/false/null, and no comma after the last item"
    line = f" of its line {error.lineno}" if error.lineno > 1 else ""
    return DataError(f"broken JSON at column {error.colno}{line}: {reason}", hint=hint)


def _constant(name: str) -> NoReturn:
    raise DataError(f"{name} is not JSON", hint="write null, or leave the key out")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise DataError("a number is too large", hint="put it in quotes")
    return number


def _kind(data: object) -> str:
    if data is None:
        return "null"
    names = {list: "an array", str: "a string", bool: "a boolean"}
    return names.get(type(data), "a number")


def _shown(key: str) -> str:
    return repr(key if len(key) <= _LONGEST_SHOWN else key[:_LONGEST_SHOWN] + "...")
