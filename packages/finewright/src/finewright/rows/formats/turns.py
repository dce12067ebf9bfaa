"""Messages in any spelling as OpenAI's: who speaks, what is called, and what is learned.

Four spellings of the same switch become `weight`: OpenAI's `weight`, Axolotl's `train` (and
`train_detail`, where it covers a whole turn), ms-swift's `loss`, LLaMA-Factory's `loss_weight`. Peers' names
of roles, in any case, become ours; those of calls and their results (`function_call`, `observation`,
`function_response`, `ipython`) become `tool_calls` and `tool` turns with ids of our own, `call_1` and so on.
A thought (`thinking`, `reasoning`) is `reasoning_content`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from finewright.errors import DataError
from finewright.rows.containers.json_rules import find_list, json_value
from finewright.rows.formats.content import has_values, read_parts
from finewright.rows.formats.native import Expected, KeyedMessage, KeyedValue, Side, text
from finewright.rows.notes import Json, RowNotes, kind_of_json, show_value
from finewright.schema.common import without

CALL, RESULT = "call", "result"
ROLES: Mapping[str, str] = {
    "developer": "system",
    **dict.fromkeys(("human", "prompter"), "user"),
    **dict.fromkeys(
        ("gpt", "chatgpt", "bot", "model", "ai", "bing", "bard", "llm", "chatbot"), "assistant"
    ),
    **dict.fromkeys(("function_call", "tool_call"), CALL),
    **dict.fromkeys(("function", "observation", "ipython", "environment"), RESULT),
    **dict.fromkeys(("tool_response", "function_response", "tool_result", "tool_output"), RESULT),
}
SHAREGPT_ROLES: Mapping[str, str] = {**ROLES, "tool": RESULT}
_OURS = frozenset(("system", "user", "assistant", "tool"))
_THOUGHTS = ("thinking", "reasoning")
_SWITCHES = ("train", "train_detail", "loss", "loss_weight")
# Where columns of a table hold one type, that is often text.
_LISTS = frozenset({"messages", "conversations"})
_FROM = frozenset({"from", "value"})
_FOREIGN = frozenset({*_SWITCHES, *_THOUGHTS, "function_call", "from", "value"})


def are_ours(messages: object) -> bool:
    """Whether it is a list in which nothing is spelled otherwise. Mistakes are validation's to name."""
    if not isinstance(messages, list):
        return not isinstance(messages, str)
    for message in messages:
        if isinstance(message, dict):
            role = message.get("role")
            # Most messages of most files: decided here, for this is read for every row.
            is_plain = isinstance(role, str) and role in _OURS and _FOREIGN.isdisjoint(message)
            if not (is_plain and isinstance(message.get("content"), str)) and _is_foreign(message):
                return False
    return True


def _is_foreign(message: Json) -> bool:
    role, content = message.get("role"), message.get("content")
    if not _FOREIGN.isdisjoint(message) or (isinstance(content, list) and has_values(content)):
        return True
    return isinstance(role, str) and role not in _OURS and role_named(role, ROLES) != role


def role_named(role: str, roles: Mapping[str, str]) -> str:
    """What is meant by a role in any case, with a hyphen or not; an unknown one stays what it is."""
    plain = role.strip().lower().replace("-", "_")
    return roles.get(plain, plain if plain in _OURS else role)


def speaks(message: Mapping[str, object]) -> bool:
    """Whether the message has a speaker that is known by some name."""
    role = message.get("role", message.get("from"))
    return isinstance(role, str) and (role in _OURS or role_named(role, ROLES) != role)


def turns(key: str, messages: object, notes: RowNotes, roles: Mapping[str, str] = ROLES) -> Side:
    """The messages at that key, spelled our way; what is no list, or an empty one, stays what it is.

    Text of a side stays text, whatever it spells; where only a list can be meant, it is read as one."""
    if isinstance(messages, str) and key in _LISTS:
        messages = _parse_list(key, messages, notes)
    if not isinstance(messages, list) or not messages:
        return KeyedValue(key, messages)
    dialogue = _Dialogue(notes, roles)
    for index, message in enumerate(messages):
        dialogue.add(f"{key}[{index}]", message)
    return dialogue.said


def _parse_list(key: str, text: str, notes: RowNotes) -> object:
    try:
        found = find_list(text)
    except DataError as error:
        notes.error(key, str(error), error.hint)
        return text
    return text if found is None else found


def with_system(side: Side, data: Json, notes: RowNotes) -> Side:
    """The conversation after the row's `system` text, unless it begins with a system turn itself."""
    system = data.get("system")
    if not system or isinstance(side, KeyedValue):
        return side
    first = side[0].message if side else None
    if isinstance(first, dict) and first.get("role") == "system":
        if first.get("content") != system:
            what = "the conversation begins with a system turn of its own, which is taken"
            notes.warning("system", what, "leave one of the two out")
        return side
    return [text("system", "system", system), *side]


def tools_of(data: Json) -> dict[str, KeyedValue]:
    """The row's tools as a list of OpenAI's objects: out of JSON text, bare functions, or `functions`."""
    key = "tools" if data.get("tools") is not None else "functions"
    tools = data.get(key)
    if tools is None or (isinstance(tools, str) and not tools.strip()):
        return {}
    if isinstance(tools, str):
        read = _json(tools)
        tools = tools if read is None else read
    if isinstance(tools, list):
        tools = [_wrap_tool(tool) for tool in tools]
    return {"tools": KeyedValue(key, tools)}


def is_prompt(side: Side, expected: Expected) -> bool:
    """Whether a conversation that ends with no answer is meant as a prompt, as `data.type` asks."""
    return expected == "prompt_only" and not (
        isinstance(side, KeyedValue) or ends_with_answer(side)
    )


def ends_with_answer(side: Sequence[KeyedMessage]) -> bool:
    """Whether the assistant has the last word."""
    last = side[-1].message if side else None
    return isinstance(last, dict) and last.get("role") == "assistant"


class _Keys(NamedTuple):
    """What a message calls who speaks and what is said."""

    role: str
    content: str


def _keys_of(message: Json) -> _Keys:
    # Pygmalion's rows have a role with a value.
    role = "from" if "role" not in message and not _FROM.isdisjoint(message) else "role"
    has_value = "content" not in message and ("value" in message or role == "from")
    return _Keys(role, "value" if has_value else "content")


def _names(keys: _Keys, calls_key: str) -> dict[str, str]:
    """Our keys -> those of the file, where they differ."""
    names = {"role": keys.role, "content": keys.content, "tool_calls": keys.content}
    names = {} if keys == ("role", "content") else names
    return {**names, "tool_calls": calls_key} if calls_key else names


@dataclass(slots=True)
class _Dialogue:
    """The turns so far, and the calls that wait for their result."""

    notes: RowNotes
    roles: Mapping[str, str]
    said: list[KeyedMessage] = field(default_factory=list)
    waiting: list[Json] = field(default_factory=list)
    num_calls: int = 0

    def add(self, place: str, message: object) -> None:
        if not isinstance(message, dict):
            self.said.append(KeyedMessage(place, message))
            return
        keys = _keys_of(message)
        role = message.get(keys.role)
        meant = role_named(role, self.roles) if isinstance(role, str) else role
        if meant == "tool" and self.num_calls and self.waiting:
            # ms-swift's `tool` is its `tool_response`; calls that it wrote as turns have no ids.
            meant = RESULT
        own = {keys.role, keys.content, *_SWITCHES, *_THOUGHTS, "function_call"}
        turn = without(message, own)
        if role is not None:
            turn = {"role": {CALL: "assistant", RESULT: "tool"}.get(str(meant), meant), **turn}
        if keys.content in message:
            turn["content"] = message[keys.content]
        self._think(place, message, turn)
        self._switch(place, message, turn)
        if has_values(turn.get("content")):
            self._speak(f"{place}.{keys.content}", turn)
        calls_key = self._connect(place, message, turn, str(meant), keys)
        self._append(place, turn, _names(keys, calls_key), joins=meant == CALL)

    def _connect(self, place: str, message: Json, turn: Json, meant: str, keys: "_Keys") -> str:
        """Ties calls to their results, and says at which key the calls of this turn stood, if it has any."""
        if meant == CALL:
            self._call(f"{place}.{keys.content}", message.get(keys.content), turn)
            return keys.content
        if isinstance(message.get("function_call"), dict):
            self._wait(turn, [message["function_call"]])
            return "function_call"
        if meant == RESULT:
            self._result(place, turn)
        elif isinstance(turn.get("tool_calls"), list) and not has_values(message.get(keys.content)):
            self.waiting += [call for call in turn["tool_calls"] if isinstance(call, dict)]
        return ""

    def _append(self, place: str, turn: Json, names: Mapping[str, str], *, joins: bool) -> None:
        last = self.said[-1].message if self.said else None
        if joins and isinstance(last, dict) and _goes_on(last, turn):
            last["tool_calls"] = [*last.get("tool_calls", ()), *turn["tool_calls"]]
        else:
            self.said.append(KeyedMessage(place, turn, names))

    def _think(self, place: str, message: Json, turn: Json) -> None:
        """A thought under the key that it has here; two that differ are an error."""
        for name in _THOUGHTS:
            thought = message.get(name)
            if thought is None or thought == "":
                continue
            if turn.setdefault("reasoning_content", thought) != thought:
                what = "another thought than the one beside it"
                self.notes.error(f"{place}.{name}", what, "keep one of the two")

    def _speak(self, key: str, turn: Json) -> None:
        """What the parts of the content say: text, a thought, calls."""
        said = read_parts(key, turn["content"], self.notes)
        turn["content"] = said.text
        if said.thought:
            turn["reasoning_content"] = said.thought
        if said.calls:
            calls = [_json(call) if isinstance(call, str) else call for _, call in said.calls]
            for (place, _), call in zip(said.calls, calls, strict=True):
                if not _is_call(call):
                    self.notes.error(place, _NO_CALL)
            self._wait(turn, [call for call in calls if _is_call(call)])

    def _switch(self, place: str, message: Json, turn: Json) -> None:
        """What is learned of the turn, as `weight: 0` or nothing."""
        for name in _SWITCHES:
            value = message.get(name)
            if value is None:
                continue
            if name == "train_detail":
                value = _detail(f"{place}.{name}", value, turn, self.notes)
            elif not (isinstance(value, bool) or value in (0, 1)):
                what = f"{show_value(value)}; a turn is learned (true) or read only (false)"
                self.notes.error(f"{place}.{name}", what)
            if turn.get("role") == "assistant":
                if not value:
                    turn["weight"] = 0
            elif value:
                what = (
                    f"only the assistant's turns are learned, and this is the {turn.get('role')}'s"
                )
                self.notes.warning(f"{place}.{name}", what, "write false")

    def _call(self, key: str, content: object, turn: Json) -> None:
        """The calls that a turn's text is, as JSON of one or of a list."""
        calls = _json(content) if isinstance(content, str) else content
        calls = calls if isinstance(calls, list) else [calls]
        if not all(map(_is_call, calls)):
            self.notes.error(key, _NO_CALL)
            return
        turn["content"] = ""
        self._wait(turn, calls)

    def _wait(self, turn: Json, functions: Sequence[Json]) -> None:
        turn.setdefault("content", "")
        turn["tool_calls"] = []
        for function in functions:
            self.num_calls += 1
            call = {"id": f"call_{self.num_calls}", "type": "function", "function": function}
            turn["tool_calls"].append(call)
            self.waiting.append(call)

    def _result(self, place: str, turn: Json) -> None:
        """The turn says which call it answers: the one of its name, or the first that waits."""
        if turn.get("tool_call_id"):
            return
        named = [call for call in self.waiting if turn.get("name") and _name(call) == turn["name"]]
        call = next(iter(named or self.waiting), None)
        if call is None:
            what = "a result, and no call before it that waits for one"
            self.notes.error(
                place,
                what,
                "write the call as `tool_calls` of the turn before it, or leave this turn out",
            )
            return
        self.waiting = [other for other in self.waiting if other is not call]
        turn["tool_call_id"] = call.get("id")
        if not isinstance(turn.get("content"), str | list) and turn.get("content") is not None:
            turn["content"] = json.dumps(turn["content"], ensure_ascii=False)


_NO_CALL = 'a call is JSON such as {"name": "f", "arguments": {}}'


def _is_call(call: object) -> bool:
    return isinstance(call, dict) and isinstance(call.get("name"), str)


def _name(call: Json) -> object:
    function = call.get("function")
    return function.get("name") if isinstance(function, dict) else None


def _goes_on(last: Json, turn: Json) -> bool:
    """Whether the call is of the turn before. ms-swift writes each into a message of its own."""
    is_one = last.get("role") == "assistant" and last.get("weight") == turn.get("weight")
    return is_one and bool(turn.get("tool_calls"))


def _detail(key: str, detail: object, turn: Json, notes: RowNotes) -> bool:
    """Axolotl's character spans; a turn is learned whole or not at all."""
    are_spans = isinstance(detail, list) and all(isinstance(span, dict) for span in detail)
    spans: Sequence[Json] = detail if isinstance(detail, list) and are_spans else []
    trains = {bool(span.get("train")) for span in spans}
    if len(trains) == 1 and _covers(spans, turn.get("content")):
        return trains.pop()
    what = "parts of a turn are learned; here a turn is learned whole, or read only"
    notes.error(key, what, "write train: true or false, or make two turns of it")
    return True


def _covers(spans: Sequence[Json], content: object) -> bool:
    if not isinstance(content, str):
        return False
    ends = [(span.get("begin_offset"), span.get("end_offset")) for span in spans]
    whole = [(b, e) for b, e in ends if isinstance(b, int) and isinstance(e, int)]
    if len(whole) < len(ends):
        return False
    upto = 0
    for begin, end in sorted(whole):
        if begin > upto:
            return False
        upto = max(upto, end + 1)
    return upto >= len(content)


def _json(value: str) -> Any:  # Any: free JSON
    """The value that the text is by JSON's own rules; None where it is none."""
    try:
        return json_value(value)
    except DataError:
        return None


def _wrap_tool(tool: object) -> object:
    """LLaMA-Factory and the legacy `functions` list bare functions."""
    is_bare = isinstance(tool, dict) and "name" in tool and "function" not in tool
    return {"type": "function", "function": tool} if is_bare else tool


def text_or_error(key: str, value: object, notes: RowNotes) -> str:
    """A text, or nothing where there is none; anything else is an error."""
    if value is None or isinstance(value, str):
        return value or ""
    notes.error(key, f"{kind_of_json(value)}; text is expected")
    return ""
