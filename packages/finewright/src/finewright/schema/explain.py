"""What pydantic finds wrong with a spec, said in plain words about the keys the user wrote."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, get_args, get_origin

from finewright.schema.aliases import close_choice, did_you_mean, kinds_at
from finewright.schema.amounts import COUNT, SHARE, number_of
from finewright.schema.nodes import Loc, Tree, prefixes, short, walk
from finewright.schema.run import RUN_NAME

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_MUST = {
    "string_type": "be text",
    "int_type": "be a whole number",
    "int_parsing": "be a whole number",
    "int_from_float": "be a whole number",
    "float_type": "be a number",
    "float_parsing": "be a number",
    "finite_number": "be a finite number",
    "bool_type": "be true or false",
    "bool_parsing": "be true or false",
    "tuple_type": "be a list",
    "list_type": "be a list",
    "dict_type": "be keys with values",
    "model_type": "be keys with values",
    "model_attributes_type": "be keys with values",
    "literal_error": "be {expected}",
    "union_tag_invalid": "be one of {expected_tags}",
    "greater_than": "be greater than {gt:g}",
    "greater_than_equal": "be at least {ge:g}",
    "less_than": "be less than {lt:g}",
    "less_than_equal": "be at most {le:g}",
    "too_short": "have at least {min_length} item(s)",
    "too_long": "have at most {max_length} item(s)",
    "string_too_short": "have at least {min_length} character(s)",
    "string_too_long": "have at most {max_length} character(s)",
    "string_pattern_mismatch": "match {pattern}",
}
_PATTERNS = {
    RUN_NAME: "be 1 to 63 lower-case letters, digits and hyphens, and not start with a hyphen",
}
_CHOICES = {"literal_error": "expected", "union_tag_invalid": "expected_tags"}
_QUOTED = re.compile(r"'([^']*)'")
_BETWEEN = re.compile(r", | or ")
_NUMBERS: set[object] = {int, float}


def group(errors: Iterable["ErrorDetails"], data: Tree) -> dict[Loc, list["ErrorDetails"]]:
    """The errors by the place the user knows, without those that only follow from a deeper one."""
    found: dict[Loc, list[ErrorDetails]] = {}
    for error in errors:
        found.setdefault(visible(error, data), []).append(error)
    above = {outer for loc in found for outer in prefixes(loc[:-1]) if loc}
    return {loc: errors for loc, errors in found.items() if loc not in above}


def explain(loc: Loc, errors: Sequence["ErrorDetails"], text: str | None) -> str:
    """One line on what is wrong at `loc`; `text` is the scalar there as written."""
    first = errors[0]
    if first["type"] in ("missing", "union_tag_not_found"):
        return "required key is missing"
    if first["type"] == "extra_forbidden":
        return f"unknown key{did_you_mean(loc)}"
    musts = list(dict.fromkeys(must for error in errors for must in _musts(error)))
    if "" in musts:
        own = next(error for error in errors if not _must(error))
        return own["msg"].removeprefix("Value error, ")
    return f"must {_join_choices(musts)}, not {_show_input(first, text)}{_mend(errors, text)}"


def _join_choices(musts: Sequence[str]) -> str:
    choices = [musts[0], *(must.removeprefix("be ") for must in musts[1:])]
    return " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))


def odd_numbers(data: Tree) -> Iterator["ErrorDetails"]:
    """Values that pydantic takes for a number and nobody means as one: `yes`, `.inf`, `nan`."""
    for loc, value in walk(data):
        is_odd = isinstance(value, bool) or _is_endless(value)
        kinds = kinds_at(loc) if is_odd else ()
        if any(map(_is_numeric, kinds)) and not {bool, str} & {*kinds}:
            kind = "float_type" if isinstance(value, bool) else "finite_number"
            yield {"type": kind, "loc": loc, "msg": "", "input": value}


def visible(error: "ErrorDetails", data: Tree) -> Loc:
    """Where the user sees the error."""
    # The arm of a union is part of pydantic's location; the user never wrote it.
    found: list[str | int] = []
    here = data
    for part in error["loc"]:
        is_item = isinstance(here, list) and isinstance(part, int) and part < len(here)
        if is_item or (isinstance(here, dict) and part in here):
            here = here[part]
            found.append(part)
    if error["type"] == "missing":
        found.append(error["loc"][-1])
    elif error["type"].startswith("union_tag"):
        found.append(error["ctx"]["discriminator"].strip("'"))
    return tuple(found)


def _musts(error: "ErrorDetails") -> list[str]:
    """What would be right, one by one."""
    if error["type"] != "literal_error":
        return [_must(error)]
    return [f"be {choice}" for choice in _BETWEEN.split(error["ctx"]["expected"])]


def _must(error: "ErrorDetails") -> str:
    context = error.get("ctx", {})
    kind = error["type"]
    if kind == "string_pattern_mismatch" and context["pattern"] in _PATTERNS:
        return _PATTERNS[context["pattern"]]
    if kind in _MUST:
        return _MUST[kind].format(**context)
    _, expected, must = error["msg"].partition("Input should ")
    return must if expected else ""


def _input(error: "ErrorDetails") -> Tree:
    return error["ctx"]["tag"] if error["type"] == "union_tag_invalid" else error["input"]


def _show_input(error: "ErrorDetails", text: str | None) -> str:
    value = _input(error)
    if value is None:
        return "empty"
    if isinstance(value, list | dict):
        return ("a list" if isinstance(value, list) else "keys with values") if value else "empty"
    if isinstance(value, bool):
        return f"`{text}`, which YAML reads as {str(value).lower()}"
    return repr(short(value)) if isinstance(value, str) else short(text or str(value))


def _mend(errors: Sequence["ErrorDetails"], text: str | None) -> str:
    kinds = {error["type"] for error in errors}
    value = errors[0]["input"]
    if isinstance(value, int | float) and "string_type" in kinds:
        return f'; write "{text or value}" in quotes'
    if value is None and "model_type" in kinds:
        return "; write its keys below it, or delete the line"
    near = "".join(map(_near_choice, errors))
    return _mend_of_text(value, kinds, near) if isinstance(value, str) else near


def _mend_of_text(value: str, kinds: set[str], near: str) -> str:
    """A number that a text says, a choice that it is near to, or the list of it alone."""
    if (number := _number_meant(value, kinds)) is not None:
        return f"; write {number}"
    is_list = not kinds.isdisjoint({"tuple_type", "list_type"})
    return f"; write [{short(value)}]" if is_list and not near else near


def _number_meant(text: str, kinds: set[str]) -> object:
    """The number that a text such as `300k`, `90%` or `1e12` says, where one of that kind is due."""
    is_float = bool(kinds & {"float_type", "float_parsing"})
    if not is_float and not kinds & {"int_type", "int_parsing"}:
        return None
    try:
        number = number_of(text, {**COUNT, **SHARE})
    except ValueError:
        return None
    return number if isinstance(number, int) or (is_float and number != text) else None


def _near_choice(error: "ErrorDetails") -> str:
    expected = error.get("ctx", {}).get(_CHOICES.get(error["type"], ""), "")
    value = _input(error)
    return close_choice(value, _QUOTED.findall(expected)) if isinstance(value, str) else ""


def _is_numeric(kind: object) -> bool:
    if get_origin(kind) is Literal:
        return any(type(choice) is int for choice in get_args(kind))
    return kind in _NUMBERS


def _is_endless(value: Tree) -> bool:
    try:
        return isinstance(value, str | float) and not math.isfinite(float(value))
    except ValueError:
        return False
