"""Vertex AI's files for Gemini: `contents` with roles user and model, `systemInstruction`, functions.

https://docs.cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-prepare and, for
`completions` with a `score`, .../gemini-preference-tuning-prepare. Keys may be in snake case. Parts that
are files are refused: only text is trained."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from finewright.rows.formats.native import (
    Expected,
    KeyedMessage,
    KeyedValue,
    Native,
    Side,
    form,
    native,
    text,
)
from finewright.rows.formats.turns import is_prompt
from finewright.rows.notes import Json, RowNotes, kind_of_json, show_value

_OWN = ("contents", "systemInstruction", "system_instruction", "completions")
_ROLES = {"model": "assistant", "user": "user", "function": "user", None: "user"}


def _conversation(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    said = _read_contents(data, notes)
    if is_prompt(said, expected):
        yield native("prompt_only", data, {"prompt": said}, _tools(data, notes), _OWN)
    else:
        yield native("messages", data, {"messages": said}, _tools(data, notes), _OWN)


def _preference(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    scored = data["completions"]
    items = scored if isinstance(scored, list) else []
    scores = [item.get("score") if isinstance(item, dict) else None for item in items]
    if scores not in ([0, 1], [1, 0]):
        what = "two completions are expected, one with score 1 (preferred), one with 0"
        notes.error("completions", what)
        return
    better, worse = scores.index(1), scores.index(0)
    sides: dict[str, Side] = {"prompt": _read_contents(data, notes)}
    for name, i in (("chosen", better), ("rejected", worse)):
        key = f"completions[{i}].completion"
        sides[name] = _Turns(notes).of(key, [items[i].get("completion")], is_list=False)
    yield native("preference", data, sides, _tools(data, notes), _OWN)


def _read_contents(data: Json, notes: RowNotes) -> list[KeyedMessage]:
    contents = data["contents"]
    if isinstance(contents, dict):
        said = _Turns(notes).of("contents", [contents], is_list=False)
    elif isinstance(contents, list) and contents:
        said = _Turns(notes).of("contents", contents)
    else:
        empty = "an empty list" if contents == [] else kind_of_json(contents)
        notes.error("contents", f"{empty}; a list of contents is expected")
        return []
    key = "systemInstruction" if "systemInstruction" in data else "system_instruction"
    system = data.get(key)
    if isinstance(system, dict):
        system = "".join(_read_texts(f"{key}.parts", system.get("parts"), notes))
    return [text(key, "system", system), *said] if system else said


def _read_texts(key: str, parts: object, notes: RowNotes) -> Iterator[str]:
    for i, part in enumerate(parts if isinstance(parts, list) else [parts]):
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part["text"]
        else:
            notes.error(f"{key}[{i}]", f"{_kind(part)}; only text is trained")


class _Turns:
    """Contents as turns; functions get ids of our own, in the order they are called."""

    def __init__(self, notes: RowNotes) -> None:
        self.notes = notes
        self.num_calls = 0
        self.waiting: list[tuple[str, object]] = []

    def of(
        self, key: str, contents: Sequence[object], *, is_list: bool = True
    ) -> list[KeyedMessage]:
        said: list[KeyedMessage] = []
        for i, content in enumerate(contents):
            place = f"{key}[{i}]" if is_list else key
            if isinstance(content, dict) and isinstance(content.get("parts"), list):
                said += self._turn(place, content)
            else:
                self.notes.error(place, "a content is an object with role and parts")
        return said

    def _turn(self, place: str, content: Json) -> Iterator[KeyedMessage]:
        role = content.get("role")
        is_named = role is None or isinstance(role, str)
        turn: Json = {"role": _ROLES.get(role, role) if is_named else role}
        texts, thoughts = list[str](), list[str]()
        calls, results = [], []
        for i, part in enumerate(content["parts"]):
            key = f"{place}.parts[{i}]"
            call, result = (_either(part, names) for names in _FUNCTIONS)
            if isinstance(call, dict):
                calls.append(self._call(call))
            elif isinstance(result, dict):
                results.append(self._result(key, result))
            elif isinstance(part, dict) and isinstance(part.get("text"), str):
                (thoughts if part.get("thought") else texts).append(part["text"])
            else:
                self.notes.error(key, f"{_kind(part)}; only text and functions are trained")
        yield from results
        if thoughts:
            turn["reasoning_content"] = "".join(thoughts)
        if texts or calls or not results:
            turn["content"] = "".join(texts)
            yield KeyedMessage(place, {**turn, "tool_calls": calls} if calls else turn, _PARTS)

    def _call(self, call: Json) -> Json:
        self.num_calls += 1
        name = call.get("name")
        self.waiting.append((f"call_{self.num_calls}", name))
        function = {"name": name, "arguments": call.get("args") or {}}
        return {"id": f"call_{self.num_calls}", "type": "function", "function": function}

    def _result(self, key: str, result: Json) -> KeyedMessage:
        named = [each for each in self.waiting if each[1] == result.get("name")]
        if not named:
            what = f"a result of {show_value(result.get('name'))}, which was not called before"
            self.notes.error(key, what, "add the functionCall")
            return KeyedMessage(key, {})
        self.waiting.remove(named[0])
        content = json.dumps(result.get("response"), ensure_ascii=False)
        turn = {"role": "tool", "tool_call_id": named[0][0], "content": content}
        return KeyedMessage(key, {**turn, "name": result.get("name")})


_PARTS = {"content": "parts", "tool_calls": "parts"}
_FUNCTIONS = (("functionCall", "function_call"), ("functionResponse", "function_response"))


def _either(part: object, names: Sequence[str]) -> object:
    return next((part[n] for n in names if n in part), None) if isinstance(part, dict) else None


def _kind(part: object) -> str:
    return (
        f"a part of {', '.join(map(str, part))}" if isinstance(part, dict) else kind_of_json(part)
    )


def _tools(data: Json, notes: RowNotes) -> dict[str, KeyedValue]:
    tools = data.get("tools")
    if not tools:
        return {}
    found: list[Any] = []  # Any: free JSON
    for tool in tools if isinstance(tools, list) else [tools]:
        declared = _either(tool, ("functionDeclarations", "function_declarations"))
        if isinstance(declared, list):
            found += [{"type": "function", "function": function} for function in declared]
        else:
            found.append(tool)
    return {"tools": KeyedValue("tools", found)}


# fmt: off
FORMS = (
    form("gemini", "contents", ("messages", "prompt_only"), _conversation,
         why="Vertex AI's Gemini: `contents` of parts"),
    form("gemini", "contents completions", ("preference",), _preference,
         why="Vertex AI's Gemini: two completions with a score"),
)
# fmt: on
