"""Typed conversations out of JSON rows; every mistake is named with its row, key and mend."""

import difflib
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from finewright.data.read import ReadRow, listed
from finewright.schema.common import Problem, RowCounts
from finewright.schema.data import DataType
from finewright.schema.rows import Row

Json = dict[str, Any]  # Any: a row is free JSON until it has passed

_ROLES = ("system", "user", "assistant", "tool")
_PEERS_ROLES = {
    "human": "user",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "ai": "assistant",
    "chatgpt": "assistant",
    "developer": "system",
    "function": "tool",
    "observation": "tool",
}
_EXPECTED = {
    "auto": "`messages`, or `prompt` and `completion`",
    "messages": "`messages`",
    "prompt_completion": "`prompt` and `completion`",
}
# Keys by which other formats are known, and how jq turns such a row into one of ours.
_FOREIGN = (
    (
        ("instruction", "output"),
        "Alpaca",
        'jq -c \'{prompt: ([.instruction, .input // ""] | map(select(. != "")) | join("\\n")), '
        "completion: .output}'",
    ),
    (
        ("conversations",),
        "ShareGPT",
        'jq -c \'{messages: [.conversations[] | {role: ({human: "user", gpt: "assistant"}[.from] '
        "// .from), content: .value}]}'",
    ),
    (("chosen", "rejected"), "preference pairs", "jq -c '{prompt, completion: .chosen}'"),
    (("text",), "plain text", "say what is asked and what is answered: `prompt` and `completion`"),
)


class Validated(NamedTuple):
    """The usable rows, what became of the others, which shapes they had, and what must be said."""

    rows: tuple[Row, ...]
    counts: RowCounts
    types: dict[DataType, int]
    problems: tuple[Problem, ...]


def validate(
    rows: Iterable[ReadRow], expected_type: Literal["auto", "messages", "prompt_completion"]
) -> Validated:
    """Check rows and bring them into message form; a row with an error is counted and left out.

    Exact repeats are kept. Keys beside the ones of the shape, such as `meta`, are ignored."""
    usable: list[Row] = []
    problems: list[Problem] = []
    types: Counter[DataType] = Counter()
    num_rows = 0
    for row in rows:
        num_rows += 1
        notes = _Notes(row.file, row.row)
        shape = _shape(row.data, expected_type, notes)
        usable_row = _conversation(row.data, shape, notes) if shape else None
        problems += notes.problems
        if shape and usable_row:
            types[shape] += 1
            usable.append(usable_row)
    dropped = num_rows - len(usable)
    counts = RowCounts(
        rows_in=num_rows,
        rows_kept=len(usable),
        rows_dropped={"invalid": dropped} if dropped else {},
    )
    problems += _repeats(usable)
    return Validated(tuple(usable), counts, dict(types), listed(problems))


@dataclass(slots=True)
class _Notes:
    """What is wrong with one row."""

    file: str
    row: int
    problems: list[Problem] = field(default_factory=list)
    has_error: bool = False

    def error(self, key: str, message: str, hint: str = "") -> None:
        self.has_error = True
        self._say("error", key, message, hint)

    def warning(self, key: str, message: str, hint: str = "") -> None:
        self._say("warning", key, message, hint)

    def _say(self, level: Literal["error", "warning"], key: str, message: str, hint: str) -> None:
        self.problems.append(
            Problem(level=level, file=self.file, row=self.row, key=key, message=message, hint=hint)
        )


class _Turn(NamedTuple):
    """A message and the key it stands at."""

    key: str
    message: Json


def _shape(data: Json, expected: str, notes: _Notes) -> DataType | None:
    has_messages, has_pair = "messages" in data, "prompt" in data and "completion" in data
    if expected == "auto" and has_messages and has_pair:
        what = "both `messages` and `prompt` with `completion` are here"
        notes.error("", what, "set data.type to the one to train on")
    elif has_messages and expected != "prompt_completion":
        return "messages"
    elif has_pair and expected != "messages":
        return "prompt_completion"
    else:
        found = ", ".join(f"`{key}`" for key in list(data)[:8]) or "none"
        what = f"expected the keys {_EXPECTED[expected]}; found: {found}"
        notes.error("", what, _shape_hint(data, has_messages=has_messages, has_pair=has_pair))
    return None


def _shape_hint(data: Json, *, has_messages: bool, has_pair: bool) -> str:
    if has_messages or has_pair:
        return f"set data.type to {'messages' if has_messages else 'prompt_completion'}"
    for keys, name, mend in _FOREIGN:
        if all(key in data for key in keys):
            return f"this is {name}: {mend}"
    return "rename the keys"


def _conversation(data: Json, shape: DataType, notes: _Notes) -> Row | None:
    turns = _turns(data, shape, notes)
    tools = _tools(data, notes)
    if turns and not notes.has_error:
        _check_order(turns, notes)
        _check_learned(turns, notes)
    if notes.has_error:
        return None
    messages = tuple(turn.message for turn in turns)
    return Row(_row_id(messages, tools), messages, tools, notes.file, notes.row)


def _row_id(messages: Sequence[Json], tools: Sequence[Json] | None) -> str:
    canonical = json.dumps(
        {"messages": messages, "tools": tools},
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _turns(data: Json, shape: DataType, notes: _Notes) -> list[_Turn]:
    if shape == "messages":
        return list(_checked_messages("messages", data["messages"], notes))
    prompt = [
        _Turn(turn.key, {**turn.message, "weight": 0})
        if turn.message.get("role") == "assistant"
        else turn
        for turn in _side("prompt", "user", data, notes)
    ]
    completion = list(_side("completion", "assistant", data, notes))
    if completion and not any(turn.message.get("role") == "assistant" for turn in completion):
        notes.error("completion", "no assistant turn: nothing to learn", "add the answer")
    return [*prompt, *completion]


def _side(key: str, role: str, data: Json, notes: _Notes) -> Iterator[_Turn]:
    """The messages of a prompt or a completion, which is text or a list of messages."""
    value = data[key]
    if isinstance(value, list):
        yield from _checked_messages(key, value, notes)
    elif not isinstance(value, str):
        notes.error(key, f"{_kind(value)}; text or a list of messages is expected")
    elif value.strip():
        yield _Turn(key, {"role": role, "content": value})
    elif key == "completion":
        notes.error(key, "empty: nothing to learn", "write the answer, or leave the row out")
    else:
        notes.error(key, "empty: nothing is asked", "write the question, or leave the row out")


def _checked_messages(key: str, value: object, notes: _Notes) -> Iterator[_Turn]:
    if not isinstance(value, list):
        notes.error(key, f"{_kind(value)}; a list of messages is expected")
    elif not value:
        notes.error(key, "an empty list", "write the turns, or leave the row out")
    else:
        for index, message in enumerate(value):
            place = f"{key}[{index}]"
            if isinstance(message, dict):
                yield _Turn(place, _message(place, message, notes))
            else:
                notes.error(
                    place, f"{_kind(message)}; a message is an object with role and content"
                )


def _message(place: str, message: Json, notes: _Notes) -> Json:
    """The message with its content as one text; its other keys stay for the chat template."""
    role = message.get("role")
    if role not in _ROLES:
        notes.error(f"{place}.role", *_unknown_role(message))
    calls = message.get("tool_calls") or []
    if calls:
        _check_calls(f"{place}.tool_calls", role, calls, notes)
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        notes.error(f"{place}.tool_call_id", "missing", "name the id of the call it answers")
    weight = message.get("weight", 1)
    if type(weight) is not int or weight not in (0, 1):
        notes.error(f"{place}.weight", f"{_shown(weight)}; it is 0 (read only) or 1 (learn)")
    may_be_null = role == "assistant" and bool(calls)
    return {**message, "content": _text(f"{place}.content", message, may_be_null, notes)}


def _unknown_role(message: Json) -> tuple[str, str]:
    if "role" not in message:
        is_sharegpt = "from" in message and "value" in message
        return "missing", "rename from to role and value to content" if is_sharegpt else ""
    role = message["role"]
    known = _PEERS_ROLES.get(role.lower()) if isinstance(role, str) else None
    close = difflib.get_close_matches(str(role).lower(), _ROLES, n=1)
    meant = known or (close[0] if close else "")
    what = f"unknown role {_shown(role)}; the roles are {', '.join(_ROLES)}"
    return what, f"did you mean {meant!r}?" if meant else ""


def _text(place: str, message: Json, may_be_null: bool, notes: _Notes) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    if content is None:
        if not may_be_null:
            what = "null" if "content" in message else "missing"
            notes.error(place, f"{what}; only an assistant message with tool_calls may lack it")
        return ""
    if isinstance(content, list):
        return "".join(_parts(place, content, notes))
    notes.error(place, f"{_kind(content)}; text is expected", "write it as a string")
    return ""


def _parts(place: str, parts: Sequence[object], notes: _Notes) -> Iterator[str]:
    for index, part in enumerate(parts):
        kind = part.get("type") if isinstance(part, dict) else None
        text = part.get("text") if isinstance(part, dict) else None
        if kind == "text" and isinstance(text, str):
            yield text
        else:
            shown = f"a part of type {_shown(kind)}" if kind else _kind(part)
            what = f'{shown}; only {{"type": "text", "text": "..."}} parts are supported'
            notes.error(f"{place}[{index}]", what)


def _check_calls(place: str, role: object, calls: object, notes: _Notes) -> None:
    if role != "assistant":
        notes.error(place, "only an assistant message may call tools")
    if not isinstance(calls, list):
        notes.error(place, f"{_kind(calls)}; a list of calls is expected")
        return
    for index, call in enumerate(calls):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            what = "a call is an object with function.name and function.arguments"
            notes.error(f"{place}[{index}]", what)
        elif not _is_object(function.get("arguments", {})):
            what = "neither an object nor JSON text of an object"
            notes.error(f"{place}[{index}].function.arguments", what)


def _is_object(arguments: object) -> bool:
    if isinstance(arguments, str):
        try:
            return isinstance(json.loads(arguments), dict)
        except (ValueError, RecursionError):
            return False
    return isinstance(arguments, dict)


def _tools(data: Json, notes: _Notes) -> tuple[Json, ...] | None:
    tools = data.get("tools")
    if tools is None:
        return None
    if isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools):
        return tuple(tools) or None
    notes.error("tools", "a list of objects is expected", "write each tool as a JSON Schema object")
    return None


def _check_order(turns: Sequence[_Turn], notes: _Notes) -> None:
    for turn in turns[1:]:
        if turn.message["role"] == "system":
            what = "a system message that is not the first"
            notes.error(f"{turn.key}.role", what, "move it to the front, or join the two")
    last = turns[-1]
    if last.message["role"] != "assistant":
        what = f"the last turn is the {last.message['role']}'s: nothing to learn at the end"
        notes.warning(f"{last.key}.role", what, "end with the assistant's answer")


def _check_learned(turns: Sequence[_Turn], notes: _Notes) -> None:
    answers = [turn for turn in turns if turn.message["role"] == "assistant"]
    weighted = [turn for turn in answers if turn.message.get("weight", 1)]
    empty = [turn for turn in weighted if _is_empty(turn.message)]
    if not answers:
        what = "no assistant turn: nothing to learn"
        notes.error(turns[-1].key.partition("[")[0], what, "add the answer")
    elif len(empty) == len(weighted):
        what = "all labels masked: nothing in this row would be trained"
        why = "its assistant turns are empty" if empty else "its assistant turns have weight 0"
        notes.error(answers[-1].key, what, f"{why}; fill one, or leave the row out")
    else:
        for turn in empty:
            what = "an empty assistant turn teaches the model to say nothing"
            notes.warning(f"{turn.key}.content", what, "fill it, or give it weight 0")


def _is_empty(message: Mapping[str, Any]) -> bool:  # Any: free JSON
    return not message["content"].strip() and not message.get("tool_calls")


def _repeats(rows: Sequence[Row]) -> Iterator[Problem]:
    first: dict[str, Row] = {}
    repeats = [row for row in rows if first.setdefault(row.id, row) is not row]
    if repeats:
        row = repeats[0]
        source = first[row.id]
        many = f"{len(repeats)} rows repeat" if len(repeats) > 1 else "1 row repeats"
        yield Problem(
            level="warning",
            file=row.file,
            row=row.row,
            message=f"{many} an earlier row exactly, this one {source.file}:{source.row}",
            hint="repeats are kept, and weigh more; remove them unless you mean it",
        )


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {list: "a list", dict: "an object", str: "text", bool: "a boolean"}
    return names.get(type(value), "a number")


def _shown(value: object) -> str:
    longest = 40
    text = repr(value)
    return text if len(text) <= longest else f"{text[:longest]}..."
