"""Text that is a list of objects, as columns of a table hold messages: JSON, or as Python prints it."""

import ast
import json
import warnings
from typing import Any

from finewright.rows.containers.json_rules import json_value

# So begins what pandas writes to CSV of a column of lists of objects.
_PRINTED = "[{'"
_LONGEST_PRINTED = 100_000


def listed_in(text: str) -> list[Any] | None:  # Any: free JSON
    """The list of objects that the text is in either spelling; None where it is none.

    Raises DataError where JSON's own rules refuse it, or those of what comes after it."""
    return printed_in(text) if objects_in(text) is None else json_value(text)


def objects_in(text: str) -> list[Any] | None:
    """The list of objects that the text is to Python's reader of JSON, whatever rule it breaks; or None."""
    if not text.lstrip().startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) and all(isinstance(i, dict) for i in value) else None


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
    return json_value(made) if objects_in(made) is not None else None
