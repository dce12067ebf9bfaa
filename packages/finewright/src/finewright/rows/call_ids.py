"""Calls and their results that name no ids, as TRL and many chat templates leave them: matched by name, then
by order. A template that tells results by order reads them the same way."""

from collections.abc import Iterator
from typing import Any

from finewright.rows.notes import Json, RowNotes


def with_ids(key: str, messages: list[Any], notes: RowNotes) -> list[Any]:
    """The messages in which each result names the call it answers; what was matched is a warning.

    As they are where every result names one already. Any: free JSON, which validation looks at."""
    if not any(isinstance(message, dict) and message.get("role") == "tool" for message in messages):
        return messages
    if not any(map(_is_nameless, messages)):
        return messages
    fresh = _fresh_ids(messages)
    named: list[Any] = []
    waiting: list[Json] = []
    first = ""
    for i, message in enumerate(messages):
        made = message
        if calls := _calls(message):
            calls = [call if call.get("id") else {**call, "id": next(fresh)} for call in calls]
            made = {**message, "tool_calls": calls}
            waiting += calls
        elif _is_result(message) and (call := _answered(message, waiting)):
            waiting = [other for other in waiting if other is not call]
            if _is_nameless(message):
                first = first or f"{key}[{i}]"
                made = {**message, "tool_call_id": call["id"]}
        named.append(made)
    if first:
        what = "results name no call: they are matched with the calls by name, then by order"
        notes.warning(f"{first}.tool_call_id", what, "name the id of the call that each answers")
    return named


def _calls(message: object) -> list[Json]:
    """The calls of a turn; none where they are not a list of objects, which is told elsewhere."""
    calls = message.get("tool_calls") if isinstance(message, dict) else None
    are_calls = isinstance(calls, list) and all(isinstance(call, dict) for call in calls)
    return list(calls) if are_calls and calls else []


def _is_result(message: object) -> bool:
    return isinstance(message, dict) and message.get("role") == "tool"


def _is_nameless(message: object) -> bool:
    return _is_result(message) and message.get("tool_call_id") in (None, "")  # type: ignore[attr-defined]


def _answered(message: Json, waiting: list[Json]) -> Json | None:
    """The call that the result is of: the one of its id, of its name, or the first that waits."""
    if given := message.get("tool_call_id"):
        return next((call for call in waiting if call.get("id") == given), None)
    named = [call for call in waiting if message.get("name") and _name(call) == message["name"]]
    return next(iter(named or waiting), None)


def _name(call: Json) -> object:
    function = call.get("function")
    return function.get("name") if isinstance(function, dict) else None


def _fresh_ids(messages: list[Any]) -> Iterator[str]:
    """Ids that no call has yet."""
    taken = {str(call.get("id")) for message in messages for call in _calls(message)}
    return (name for i in range(1, 1 << 30) if (name := f"call_{i}") not in taken)
