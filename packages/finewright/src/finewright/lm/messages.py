"""Messages as a chat template wants them: arguments as values, thoughts apart from what is said.

Rows come with the arguments of calls as JSON text, as OpenAI's API has them, and with thoughts under one of
several keys or between `<think>` marks at the head of the content. A template has one place for each."""

import json
from collections.abc import Sequence
from typing import Any

from finewright.errors import DataError
from finewright.judge.answer import split_thoughts
from finewright.lm.marks import THOUGHT_KEYS, Marks
from finewright.lm.template import Message
from finewright.schema.common import without


def prepare_messages(messages: Sequence[Message], marks: Marks) -> list[Message]:
    """The messages as the template of these marks takes them. Raises DataError for broken arguments.

    Where the template knows no thoughts, those in a content stay there, as its text."""
    return [_prepare(i, message, marks) for i, message in enumerate(messages)]


def read_thought(message: Message) -> str:
    """What a message says under a key for thoughts; those in its content are not looked for."""
    given = (message.get(key) for key in THOUGHT_KEYS)
    return next((text.strip() for text in given if isinstance(text, str) and text.strip()), "")


def _split_thought(message: Message, marks: Marks) -> Message:
    """The thought under the template's key for it, and the content without it."""
    thought, content = read_thought(message), message.get("content")
    found: dict[str, Any] = {}
    if not thought and marks.thinks and isinstance(content, str):
        thought, found["content"] = split_thoughts(content, is_open=marks.is_open)
    return {**found, marks.key or THOUGHT_KEYS[0]: thought} if thought else found


def _prepare(number: int, message: Message, marks: Marks) -> Message:
    if message["role"] != "assistant":
        return message
    found = without(message, THOUGHT_KEYS)
    found |= _split_thought(message, marks)
    if message.get("tool_calls"):
        found["tool_calls"] = [_call(number, call) for call in message["tool_calls"]]
    return found


def _call(number: int, call: Any) -> dict[str, Any]:  # Any: free JSON
    """The call with its arguments as an object: JSON text would be quoted once more."""
    try:
        function = call["function"]
        name, arguments = function["name"], function.get("arguments") or {}
    except (TypeError, KeyError, AttributeError):
        raise DataError(f"messages[{number}]: a tool call without the name of a function") from None
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError as error:
            raise DataError(
                f"messages[{number}]: the arguments of {name} are no JSON: {error}"
            ) from None
    if not isinstance(arguments, dict):
        raise DataError(f"messages[{number}]: the arguments of {name} are no JSON object")
    return {"type": "function", **call, "function": {**function, "arguments": arguments}}
