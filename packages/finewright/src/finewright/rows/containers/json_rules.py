"""One JSON object out of one text, by JSON's own rules, and by those of what comes after it.

Refused beside broken JSON: lone surrogates, NUL, deep nesting; and NaN, infinities and repeated keys, except
that a row which has them in a place that nobody trains on is read, and they are named.

Text that is a list of objects, as columns of a table hold messages: JSON, or as Python prints it."""

import ast
import json
import math
import warnings
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import chain
from typing import Any, NamedTuple, NoReturn

from finewright.errors import DataError
from finewright.rows.containers.found import Repair

DEEPEST = 100
_TOO_DEEP = f"nested deeper than {DEEPEST} levels", "flatten the row"
_LONGEST_SHOWN = 40
# Of Python's messages on what looks like JSON and is not; the last since 3.13, for a comma before an end.
_NEARLY_JSON = ("double quotes", "Expecting value", "trailing comma")
_MENDS = {
    "control character": "write a line end inside a text as \\n, and a tab as \\t",
    "escape": "write a backslash inside a text as \\\\",
    **dict.fromkeys(
        _NEARLY_JSON,
        'JSON wants straight double quotes ("), true/false/null, and no comma after the last item',
    ),
}

# Keys of a message that name its speaker, in OpenAI's and in ShareGPT's spelling.
SPEAKERS = frozenset(("role", "from"))
Pairs = list[tuple[str, Any]]  # Any: free JSON


def unique(pairs: Pairs) -> dict[str, Any]:
    """The object with these keys; raises DataError where one occurs twice."""
    data = dict(pairs)
    if len(data) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        what = f"key {_shorten_key(twice)} occurs twice in one object"
        raise _Repairable(what, hint="keep one of them")
    return data


def json_value(text: str, pairs: Callable[[Pairs], dict[str, Any]] = unique) -> Any:
    """The value that the text is; raises DataError, with the mend, where it is none."""
    try:
        data = _decoder(pairs).decode(text)
    except json.JSONDecodeError as error:
        raise _explain_broken_json(text, error) from None
    except RecursionError:
        raise DataError(_TOO_DEEP[0], hint=_TOO_DEEP[1]) from None
    except ValueError:
        raise DataError("a number with too many digits", hint="put it in quotes") from None
    # Only an escape can bring a lone surrogate or NUL into decoded text, and only brackets nest.
    has_escape = "\\u" in text
    if has_escape or text.count("[") + text.count("{") > DEEPEST:
        check_values(data, has_escape)
    return data


class RowObject(NamedTuple):
    """The object that a row is, and what was read in it against JSON's rules."""

    data: dict[str, Any]  # Any: free JSON
    repairs: tuple[Repair, ...] = ()


def row_object(text: str) -> RowObject:
    """The row that the text is; a list of turns is a conversation. Raises DataError, with the mend.

    Read all the same, and named: NaN and infinities, and keys that stand twice; of two values at the top the
    last is taken, as Python's own reader does, and those further inside are refused."""
    try:
        return RowObject(_row_of(text, unique))
    except DataError as error:
        if not isinstance(error, _Repairable):
            raise
        made = _repair_row(text)
        if made is None:
            raise
        return made


class _Repairable(DataError):  # noqa: N818 - reads as a claim where it is raised
    """What is not JSON, and yet can be read."""


def _row_of(text: str, pairs: Callable[[Pairs], dict[str, Any]]) -> dict[str, Any]:
    data = json_value(text, pairs)
    if isinstance(data, str) and data.lstrip().startswith("{"):
        # Written twice: JSON of a text that is JSON.
        data = json_value(data, pairs)
    if isinstance(data, list) and data and all(map(is_turn, data)):
        return {"messages": data}
    if cells := cells_of(data):
        return cells
    if not isinstance(data, dict):
        what = f"{_kind(data)}, and a row is a JSON object"
        raise DataError(what, hint="write {...} on each line")
    return data


def cells_of(value: object) -> dict[str, Any]:
    """The row that a list of texts and numbers is, its columns by their places; empty where it is none.

    A list of numbers alone is tokens, or a vector. Any: free JSON."""
    if not isinstance(value, list) or any(isinstance(cell, (list, dict)) for cell in value):
        return {}
    has_text = len(value) > 1 and any(isinstance(cell, str) for cell in value)
    return {f"column {i}": cell for i, cell in enumerate(value, start=1)} if has_text else {}


def is_turn(value: object) -> bool:
    """Whether it is a message with its speaker, by OpenAI's or ShareGPT's keys."""
    return isinstance(value, dict) and (
        {"role", "content"} <= value.keys() or {"from", "value"} <= value.keys()
    )


def _repair_row(text: str) -> RowObject | None:
    """The row with its repairs; None where two values stand at one key inside it."""
    repairs: list[Repair] = []
    unlike: list[tuple[str, dict[str, Any]]] = []

    def last(pairs: Pairs) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in pairs:
            # As JSON text: to Python 1, 1.0 and true are equal.
            if key in made and json.dumps(made[key]) != json.dumps(value):
                unlike.append((key, made))
            elif key in made:
                repairs.append(Repair("repeated_keys", key))
            made[key] = value
        return made

    try:
        data = json.JSONDecoder(object_pairs_hook=last, parse_float=_finite).decode(text)
        check_values(data)
    except (DataError, ValueError, RecursionError):
        return None
    if isinstance(data, list) and data and all(map(is_turn, data)):
        data = {"messages": data}
    if not isinstance(data, dict) or any(made is not data for _, made in unlike):
        return None
    repairs += (Repair("last_of_two", key) for key, _ in unlike)
    finite, keys = without_constants(data)
    repairs += (Repair("not_a_number", key) for key in keys)
    return RowObject(finite, tuple(dict.fromkeys(repairs)))


def without_constants(data: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The object with null in the place of NaN and infinities, and the keys at the top that hold any."""
    keys = [key for key, value in data.items() if _has_constant(value)]
    return {k: _finite_only(v) if k in keys else v for k, v in data.items()}, keys


def _has_constant(value: object) -> bool:
    if isinstance(value, dict | list):
        return any(map(_has_constant, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float) and not math.isfinite(value)


def _finite_only(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite_only(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite_only(item) for item in value]
    return None if _has_constant(value) else value


def ends_early(text: str) -> bool:
    """Whether this is the beginning of JSON that goes on after it."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(error.doc.rstrip())
    except (ValueError, RecursionError):
        return False
    return False


def _below(level: list[Any]) -> list[Any]:  # Any: free JSON
    below: list[Any] = []
    for value in level:
        if isinstance(value, list):
            below += value
        elif isinstance(value, dict):
            below += chain(value, value.values())
    return below


def check_values(data: object, with_texts: bool = True) -> None:
    """Raise DataError for deep nesting, and for text that cannot be written as UTF-8."""
    level: list[Any] = [data]  # Any: free JSON
    for _ in range(DEEPEST):
        if with_texts:
            for value in level:
                if isinstance(value, str):
                    check_text(value)
        level = _below(level)
        if not level:
            return
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


def _explain_broken_json(text: str, error: json.JSONDecodeError) -> DataError:
    if "\0" in text:
        return DataError(
            f"a NUL byte at column {text.index(chr(0)) + 1}",
            hint="the file is damaged; write it anew",
        )
    if not text.strip():
        return DataError("there is nothing between two commas", hint="leave out one of them")
    reason = error.msg.removesuffix(" at").removesuffix(" starting")
    line = f" of its line {error.lineno}" if error.lineno > 1 else ""
    what = f"broken JSON at column {error.colno}{line}: {reason}"
    return DataError(what, hint=_mend_of(text, error))


def _mend_of(text: str, error: json.JSONDecodeError) -> str:
    if error.msg == "Extra data":
        is_comma = text[error.pos :].strip() == ","
        return (
            "leave out the comma after it" if is_comma else "put each object on a line of its own"
        )
    if error.pos >= len(text.rstrip()) or "Unterminated" in error.msg:
        return "the line is cut off, or a text in it holds a line end: write that as \\n"
    if not text[: error.pos].strip():
        return "a row is a JSON object, {...}; leave out comments and what else is none"
    return next((mend for said, mend in _MENDS.items() if said in error.msg), "")


def _constant(name: str) -> NoReturn:
    raise _Repairable(f"{name} is not JSON", hint="write null, or leave the key out")


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


def _shorten_key(key: str) -> str:
    return repr(key if len(key) <= _LONGEST_SHOWN else key[:_LONGEST_SHOWN] + "...")


# So begins what pandas writes to CSV of a column of lists of objects.
_PRINTED = "[{'"
_LONGEST_PRINTED = 100_000


def find_list(text: str) -> list[Any] | None:  # Any: free JSON
    """The list of objects that the text is in either spelling; None where it is none.

    Raises DataError where JSON's own rules refuse it, or those of what comes after it."""
    found = objects_in(text)
    return parse_printed(text) if found is None else found


def objects_in(
    text: str, are_meant: Callable[[list[Any]], bool] = lambda items: True
) -> list[Any] | None:
    """The list of objects that the text is as JSON, where these are meant; or None. Raises as `find_list`."""
    if not text.lstrip().startswith("["):
        return None
    broken = None
    try:
        value = json_value(text)
    except DataError as error:
        broken, value = error, _loosely(text)
    is_list = isinstance(value, list) and all(isinstance(item, dict) for item in value)
    if not is_list or not are_meant(value):
        return None
    if broken is not None:
        raise broken
    return list(value)


def _loosely(text: str) -> Any:  # Any: free JSON
    """The value that the text is to Python's reader of JSON, whatever rule it breaks; or None."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def parse_printed(text: str) -> list[Any] | None:
    """The list of objects that Python would print as this text, up to 100 kB; raises as `find_list`."""
    text = text.strip()
    if not text.startswith(_PRINTED) or len(text) > _LONGEST_PRINTED:
        return None
    try:
        # The compiler warns of what a text spells, such as an escape that is none.
        with warnings.catch_warnings(action="ignore"):
            value = ast.literal_eval(text)
        # No program prints a key twice, or a comment.
        made = json.dumps(value) if repr(value) == text else ""
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return objects_in(made)
