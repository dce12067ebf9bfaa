"""One conversation out of free JSON: every mistake in a turn is named by its key.

Calls and their results that name no ids, as TRL and many chat templates leave them: matched by name, then
by order. A template that tells results by order reads them the same way."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from finewright.errors import DataError
from finewright.judge.answer import has_open_thought, split_thoughts
from finewright.rows.containers.json_rules import json_value
from finewright.rows.notes import Json, RowNotes, Turn, kind_of_json, show_value
from finewright.schema.rows import calls_of


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
        elif _is_result(message) and (call := _find_answered_call(message, waiting)):
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


def _find_answered_call(message: Json, waiting: list[Json]) -> Json | None:
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


_ROLES = ("system", "user", "assistant", "tool")
_NOT_SAID = ("role", "name", "tool_call_id", "type", "id", "date")
# Anthropic's parts -> how OpenAI's messages say the same.
_TOOL_PARTS = {
    "tool_use": "write it as one of the turn's `tool_calls`: "
    '{"id": "...", "type": "function", "function": {"name": "...", "arguments": {}}}',
    "tool_result": 'write it as a turn: {"role": "tool", "tool_call_id": "...", "content": "..."}',
}


def check_messages(key: str, value: object, notes: RowNotes) -> Iterator[Turn]:
    """The turns of a list of messages at that key, results of parallel calls in the order of the calls."""
    yield from _with_ordered_results(list(_check_turns(key, value, notes)), notes)


_MESSAGE = 'write {"role": "...", "content": "..."}'
_LABELS = f"{_MESSAGE}; a list of labels is an answer by --column 'completion=labels(NAME)'"


def _check_turns(key: str, value: object, notes: RowNotes) -> Iterator[Turn]:
    if not isinstance(value, list):
        what = f"{kind_of_json(value)}; a list of messages is expected"
        notes.error(key, what, 'write [{"role": "user", "content": "..."}, ...]')
    elif not value:
        notes.error(key, "an empty list", "write the turns, or leave the row out")
    else:
        for index, message in enumerate(with_ids(key, value, notes)):
            place = f"{key}[{index}]"
            if isinstance(message, dict):
                yield Turn(place, _message(place, message, notes))
            else:
                what = f"{kind_of_json(message)}; a message is an object with role and content"
                notes.error(place, what, _LABELS if isinstance(message, str) else _MESSAGE)


def _with_ordered_results(turns: list[Turn], notes: RowNotes) -> list[Turn]:
    """Most templates tell results by their order and not by their ids."""
    if notes.has_error:
        return turns
    for start, turn in enumerate(turns):
        ids = [call.get("id") for call in calls_of(turn.message)]
        if len(ids) <= 1:
            continue
        results = list(takewhile(lambda t: t.message["role"] == "tool", turns[start + 1 :]))
        given = [result.message["tool_call_id"] for result in results]
        wanted = [id for id in ids if id in given]
        is_each_once = len(set(given)) == len(given) == len(wanted)
        if given != wanted and is_each_once:
            what = "the results of parallel calls stand in another order than the calls"
            mend = "they are read in the order of the calls; write them so"
            notes.warning(f"{results[0].key}.tool_call_id", what, mend)
            by_id = dict(zip(given, results, strict=True))
            turns[start + 1 : start + 1 + len(results)] = [by_id[id] for id in wanted]
    return turns


def check_tools(data: Json, notes: RowNotes) -> tuple[Json, ...] | None:
    """The row's tools; None where it has none."""
    tools = data.get("tools")
    if tools is None:
        return None
    if isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools):
        return tuple(tools) or None
    what, mend = "a list of objects is expected", "write each tool as a JSON Schema object"
    if isinstance(tools, str) and tools.lstrip().startswith(("[", "{")):
        try:
            json_value(tools)
        except DataError as error:
            what, mend = str(error), error.hint
    notes.error("tools", what, mend)
    return None


def check_order(turns: Sequence[Turn], notes: RowNotes) -> None:
    """A system message stands first, and nowhere else."""
    for turn in turns[1:]:
        if turn.message["role"] == "system":
            what = "a system message that is not the first"
            notes.error(f"{turn.key}.role", what, "move it to the front, or join the two")


def check_replies(turns: Sequence[Turn], notes: RowNotes) -> None:
    """Warnings: a result that answers no call before it, or one that is answered; a call without a result
    where the conversation goes on; a role that speaks twice in a row.

    All are read by some chat templates; others refuse them, or write something else."""
    called: set[str] = set()
    before = ""
    _check_results(turns, notes)
    first = next((turn for turn in turns if turn.message["role"] != "system"), None)
    if first is not None and first.message["role"] == "assistant" and len(turns) > 1:
        what = "the assistant speaks first, which some chat templates refuse"
        notes.warning(f"{first.key}.role", what, "begin with the user's turn")
    is_said = False
    for turn in turns:
        message, role = turn.message, turn.message["role"]
        called.update(str(call.get("id")) for call in calls_of(message))
        if role == "tool" and message["tool_call_id"] not in called:
            what = f"no call before it has the id {show_value(message['tool_call_id'])}"
            notes.warning(f"{turn.key}.tool_call_id", what, "name the id of the call it answers")
        if role == before and role in ("user", "assistant") and not is_said:
            is_said = True
            what = f"the {role} speaks twice in a row, which some chat templates refuse"
            notes.warning(f"{turn.key}.role", what, "join the two turns")
        before = role


def _check_results(turns: Sequence[Turn], notes: RowNotes) -> None:
    """Of every call that has an id: one result, unless the conversation ends with the call."""
    waiting: dict[str, str] = {}
    answered: set[str] = set()
    for turn in turns:
        message = turn.message
        if message["role"] == "tool":
            id = message["tool_call_id"]
            if id not in answered and id not in waiting:
                waiting.clear()  # meant for one of them, and told by `check_replies`
            elif id not in waiting:
                what = f"the call {show_value(id)} has a result already"
                notes.warning(
                    f"{turn.key}.tool_call_id", what, "name the id of the call it answers"
                )
            waiting.pop(id, None)
            answered.add(id)
            continue
        for id, key in waiting.items():
            what = f"the call {show_value(id)} gets no result before the conversation goes on"
            notes.warning(key, what, "add what the tool returned, or end with the call")
        waiting = _collect_call_ids(turn, notes)


def _collect_call_ids(turn: Turn, notes: RowNotes) -> dict[str, str]:
    """Id of each call of the turn -> its key; an id that two of them have is a warning."""
    found: dict[str, str] = {}
    for j, call in enumerate(calls_of(turn.message)):
        id, key = call.get("id"), f"{turn.key}.tool_calls[{j}].id"
        if isinstance(id, str) and id in found:
            what = f"an earlier call of the turn has the id {show_value(id)}, too"
            notes.warning(key, what, "give each call its own id")
        if isinstance(id, str):
            found[id] = key
    return found


def check_learned(turns: Sequence[Turn], notes: RowNotes) -> None:
    """Something is learned, no empty answer, and no thought without an end."""
    answers = [turn for turn in turns if turn.message["role"] == "assistant"]
    weighted = [turn for turn in answers if turn.message.get("weight", 1)]
    empty = [turn for turn in weighted if _is_empty(turn.message)]
    if not answers:
        what = "no assistant turn: nothing to learn"
        mend = "add the answer, or call the list `prompt` if a model is to answer"
        notes.error(turns[-1].key.partition("[")[0], what, mend)
    elif len(empty) == len(weighted):
        what = "all labels masked: nothing in this row would be trained"
        why = "its assistant turns are empty" if empty else "its assistant turns have weight 0"
        notes.error(answers[-1].key, what, f"{why}; fill one, or leave the row out")
    _check_thoughts(weighted, notes)
    for turn in () if notes.has_error else empty:
        what = "an empty assistant turn teaches the model to say nothing"
        notes.warning(f"{turn.key}.content", what, "fill it, or give it weight 0")


def _check_thoughts(weighted: Sequence[Turn], notes: RowNotes) -> None:
    for turn in weighted:
        if has_open_thought(turn.message["content"]):
            what = "a thought that never closes, which would be learned as what is said"
            mend = "close it with </think>, or give the turn weight 0"
            notes.error(f"{turn.key}.content", what, mend)
        elif _only_thinks(turn.message):
            what = "a thought and no answer after it, which teaches the model to say nothing"
            notes.warning(f"{turn.key}.content", what, "write the answer, or give it weight 0")


def _only_thinks(message: Json) -> bool:
    split = split_thoughts(message["content"])
    return bool(split.thoughts) and not split.content.strip() and not message.get("tool_calls")


def _message(place: str, message: Json, notes: RowNotes) -> Json:
    """The message with its content as one text; its other keys stay for the chat template."""
    if "role" not in message and "content" not in message:
        return _no_turn(place, message, notes)
    role = message.get("role")
    if role not in _ROLES:
        notes.error(f"{place}.role", *_unknown_role(message))
    calls = message.get("tool_calls") or []
    if calls:
        _check_calls(f"{place}.tool_calls", role, calls, notes)
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        what = "missing, and no call before it waits for a result"
        notes.error(f"{place}.tool_call_id", what, "name the id of the call it answers")
    weight = message.get("weight")
    if weight is not None and weight not in (0, 1):
        what = f"{show_value(weight)}; it is 0 (read only) or 1 (learn)"
        notes.error(f"{place}.weight", what, "write one of the two, or leave it out")
    elif "weight" in message and type(weight) is not int:
        message = {**message, "weight": 1 if weight is None else int(weight)}
    if not isinstance(message.get("reasoning_content"), str | None):
        kind = kind_of_json(message["reasoning_content"])
        notes.error(
            f"{place}.reasoning_content", f"{kind}; text is expected", "write it as a string"
        )
    may_be_null = role == "assistant" and bool(calls)
    return {**message, "content": _check_content(f"{place}.content", message, may_be_null, notes)}


def _no_turn(place: str, message: Json, notes: RowNotes) -> Json:
    found = ", ".join(f"`{key}`" for key in list(message)[:5]) or "none of them"
    what = f"a message has `role` and `content`, and this one has {found}"
    notes.error(place, what, "rename its keys, or write a message for each text")
    return {**message, "role": "", "content": ""}


def _unknown_role(message: Json) -> tuple[str, str]:
    if "role" not in message:
        is_sharegpt = "from" in message and "value" in message
        who = next((key for key in ("author", "speaker", "sender") if key in message), "")
        mend = f"is it `{who}`? rename the key" if who else ""
        return "missing", "rename from to role and value to content" if is_sharegpt else mend
    role = message["role"]
    close = difflib.get_close_matches(str(role).lower(), _ROLES, n=1)
    meant = close[0] if close else ""
    what = f"unknown role {show_value(role)}; the roles are {', '.join(_ROLES)}"
    return what, f"did you mean {meant!r}?" if meant else "rename it to the one that is meant"


def _check_content(place: str, message: Json, may_be_null: bool, notes: RowNotes) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    if content is None:
        if not may_be_null:
            what = "null" if "content" in message else "missing"
            texts = [key for key, value in message.items() if isinstance(value, str)]
            meant = [key for key in texts if key in ("text", "value")]
            meant += [key for key in texts if key not in _NOT_SAID]
            mend = (
                f"is it `{meant[0]}`? rename the key" if meant else "write it, or leave the row out"
            )
            what = f"{what}; only an assistant message with tool_calls may lack it"
            notes.error(place, what, mend)
        return ""
    if isinstance(content, list):
        return "".join(_check_parts(place, content, notes))
    notes.error(place, f"{kind_of_json(content)}; text is expected", "write it as a string")
    return ""


def _check_parts(place: str, parts: Sequence[object], notes: RowNotes) -> Iterator[str]:
    for index, part in enumerate(parts):
        kind = part.get("type") if isinstance(part, dict) else None
        text = part.get("text") if isinstance(part, dict) else None
        # Bedrock's parts of text have no type.
        if isinstance(text, str) and (kind == "text" or part == {"text": text}):
            yield text
        else:
            found = f"a part of type {show_value(kind)}" if kind else kind_of_json(part)
            what = f'{found}; only {{"type": "text", "text": "..."}} parts are supported'
            mend = _TOOL_PARTS.get(str(kind), "write it as text, or leave the row out")
            notes.error(f"{place}[{index}]", what, mend)


def _check_calls(place: str, role: object, calls: object, notes: RowNotes) -> None:
    if role != "assistant":
        notes.error(place, "only an assistant message may call tools")
    if not isinstance(calls, list):
        notes.error(place, f"{kind_of_json(calls)}; a list of calls is expected")
        return
    for index, call in enumerate(calls):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            what = "a call is an object with function.name and function.arguments"
            notes.error(f"{place}[{index}]", what)
        elif not _is_object(function.get("arguments", {})):
            what = "neither an object nor JSON text of an object"
            mend = 'write the arguments as JSON, such as {"city": "Bern"}, or leave the row out'
            notes.error(f"{place}[{index}].function.arguments", what, mend)


def _is_object(arguments: object) -> bool:
    if isinstance(arguments, str):
        try:
            return isinstance(json_value(arguments), dict)
        except DataError:
            return False
    return isinstance(arguments, dict)


def _is_empty(message: Mapping[str, Any]) -> bool:  # Any: free JSON
    return not message["content"].strip() and not message.get("tool_calls")
