"""Calls that are as right as the expected ones: a row's `accepted`, as the Berkeley Function Calling
Leaderboard lists them (Patil et al. 2025; its `ast_checker`, for Python).

    [{"weather": {"city": ["New York", "NYC"], "days": [1, ""]}}]

For each expected call, in order, the right values of each argument; `""` among them says that the argument
may be left out, unless the tool requires it, or be an empty text or list. Texts are the same whatever their
case, blanks and `,./-_*^`. Other values are equal as JSON values are; an object's values are lists of right
ones again."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from finewright.errors import DataError
from finewright.judge.answer import Call
from finewright.judge.json_text import canonical, json_at, parse_json

COLUMN = "accepted"
_LEFT_OUT = ""
_NOT_COMPARED = re.compile(r"[ ,./\-_*^]")


class AcceptedCall(NamedTuple):
    """A tool, the right values of each of its arguments, and those that no call may leave out."""

    name: str
    values: Mapping[str, Sequence[Any]]  # Any: free JSON
    required: frozenset[str] = frozenset()


def accepted_of(
    columns: Mapping[str, Any], calls: Sequence[Call], required: Mapping[str, frozenset[str]]
) -> tuple[AcceptedCall, ...]:
    """What a row's column accepts for each of its calls; nothing where the column is of another form.

    `required` are the arguments that each tool demands. Raises DataError where the column has the form and
    is of other calls than the row's."""
    parts = _parts(columns.get(COLUMN))
    if parts is None:
        return ()
    if [name for name, _ in parts] != [call.name for call in calls]:
        raise DataError(
            f"`{COLUMN}` is of other calls than the answer",
            hint=f"give it one object a call, in the order of the calls, or rename the column {COLUMN}",
        )
    return tuple(
        AcceptedCall(name, values, required.get(name, frozenset())) for name, values in parts
    )


def settled(
    said: Sequence[Call], due: Sequence[Call], accepted: Sequence[AcceptedCall]
) -> tuple[Call, ...]:
    """The calls that were said, each that is as right as an expected one written as that one.

    No expected call stands for two. Of calls that are right in part, the right arguments are written as
    expected, by the first expected call of the tool that is left."""
    found = list(said)
    if not accepted:
        return tuple(found)
    pairs = _matched(said, accepted)
    left = [i for i in range(len(due)) if i not in pairs.values()]
    for place, call in enumerate(said):
        if place in pairs:
            found[place] = due[pairs[place]]
        elif (i := next((i for i in left if due[i].name == call.name), None)) is not None:
            left.remove(i)
            found[place] = _nearest(call, due[i], accepted[i])
    return tuple(found)


def accepts(accepted: AcceptedCall, call: Call) -> bool:
    """Is the call as right as the expected one?"""
    arguments = call.arguments
    if call.name != accepted.name or not isinstance(arguments, Mapping):
        return False
    may_go = {name for name in accepted.values if _may_be_left_out(accepted, name)}
    return accepted.values.keys() - may_go <= arguments.keys() and all(
        _is_one_of(value, accepted.values.get(name, ())) for name, value in arguments.items()
    )


def _as_due(
    said: Mapping[str, Any], due: Mapping[str, Any], accepted: AcceptedCall
) -> dict[str, Any]:  # Any: free JSON
    """The arguments that were said, the right ones as they are expected or left out."""
    found = {}
    for name, value in said.items():
        is_right = _is_one_of(value, accepted.values.get(name, ()))
        if not is_right:
            found[name] = value
        elif name in due:
            found[name] = due[name]
    return found


def _nearest(call: Call, due: Call, accepted: AcceptedCall) -> Call:
    """The call with its right arguments written as the expected ones."""
    if not isinstance(call.arguments, Mapping) or not isinstance(due.arguments, Mapping):
        return call
    found = _as_due(call.arguments, due.arguments, accepted)
    left_out = {
        name: value
        for name, value in due.arguments.items()
        if name not in call.arguments and _may_be_left_out(accepted, name)
    }
    return Call(call.name, {**found, **left_out})


def _may_be_left_out(accepted: AcceptedCall, name: str) -> bool:
    return _LEFT_OUT in accepted.values.get(name, ()) and name not in accepted.required


def _matched(said: Sequence[Call], accepted: Sequence[AcceptedCall]) -> dict[int, int]:
    """Place of a said call -> that of an expected one that it is as right as: as many as can be.

    By augmenting paths (Kuhn 1955)."""
    of_due: dict[int, int] = {}

    def place(i: int, seen: set[int]) -> bool:
        for j, each in enumerate(accepted):
            if j not in seen and accepts(each, said[i]):
                seen.add(j)
                if j not in of_due or place(of_due[j], seen):
                    of_due[j] = i
                    return True
        return False

    for i in range(len(said)):
        place(i, set())
    return {i: j for j, i in of_due.items()}


def _is_one_of(value: object, right: Sequence[object]) -> bool:
    real = [each for each in right if each != _LEFT_OUT]
    if len(real) < len(right) and value in ("", []):  # written, and left out all the same
        return all(each is None or isinstance(each, type(value)) for each in real)
    return any(_is_right(value, each) for each in real)


def _is_right(value: object, right: object) -> bool:
    if isinstance(value, str) and isinstance(right, str):
        return _plain(value) == _plain(right)
    if isinstance(value, list) and isinstance(right, list):
        pairs = zip(value, right, strict=False)
        return len(value) == len(right) and all(_is_right(*pair) for pair in pairs)
    if isinstance(value, dict) and isinstance(right, dict) and _lists_values(right):
        return _is_right_object(value, right)
    return _same(value, right)


def _is_right_object(value: Mapping[str, object], right: Mapping[str, Sequence[Any]]) -> bool:
    may_go = {key for key, values in right.items() if _LEFT_OUT in values}
    has_all = right.keys() - may_go <= value.keys()
    return has_all and all(_is_one_of(value[key], right.get(key, ())) for key in value)


def _same(value: object, right: object) -> bool:
    ours, theirs = parse_json(json.dumps(value)), parse_json(json.dumps(right))
    if ours is None or theirs is None:
        return False
    return canonical(ours.value) == canonical(theirs.value)


def _lists_values(right: Mapping[str, object]) -> bool:
    return all(isinstance(values, list) for values in right.values())


def _plain(text: str) -> str:
    return _NOT_COMPARED.sub("", text).lower().replace("'", '"')


def _as_json(text: str) -> object:
    """The JSON that the whole text is, or None."""
    found = json_at(text, 0)
    return found.value if found and not text[found.end :].strip() else None


def _parts(column: object) -> list[tuple[str, Mapping[str, Sequence[Any]]]] | None:
    """The tools and values that the column lists; None where it is of another form, or lists nothing."""
    column = _as_json(column) if isinstance(column, str) else column
    if not isinstance(column, list) or not column:
        return None
    parts: list[tuple[str, Mapping[str, Sequence[Any]]]] = []
    for part in column:
        if not isinstance(part, Mapping) or not all(map(_is_of_tool, part.values())):
            return None
        parts += part.items()
    return parts


def _is_of_tool(values: object) -> bool:
    return isinstance(values, Mapping) and _lists_values(values)
