"""Text that is a list of objects, as columns of a table hold messages: JSON, or as Python prints it."""

import ast
import json
import warnings
from collections.abc import Callable
from typing import Any

from finewright.errors import DataError
from finewright.rows.containers.json_rules import json_value

# So begins what pandas writes to CSV of a column of lists of objects.
_PRINTED = "[{'"
_LONGEST_PRINTED = 100_000


def listed_in(text: str) -> list[Any] | None:  # Any: free JSON
    """The list of objects that the text is in either spelling; None where it is none.

    Raises DataError where JSON's own rules refuse it, or those of what comes after it."""
    found = objects_in(text)
    return printed_in(text) if found is None else found


def objects_in(
    text: str, are_meant: Callable[[list[Any]], bool] = lambda items: True
) -> list[Any] | None:
    """The list of objects that the text is as JSON, where these are meant; or None. Raises as `listed_in`."""
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


def printed_in(text: str) -> list[Any] | None:
    """The list of objects that Python would print as this text, up to 100 kB; raises as `listed_in`."""
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
