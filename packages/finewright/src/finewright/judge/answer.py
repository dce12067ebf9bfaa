"""What an answer is: thoughts, content, calls, and whether it ended. Everything that judges, shows or
learns from an answer means this by it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from finewright.schema.rows import calls_of, content_of


class MarkPair(NamedTuple):
    """What stands before and after a thought or a call."""

    open: str
    close: str


THINK = MarkPair("<think>", "</think>")


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that an answer calls. `arguments` are a JSON value, an object where the call is sound."""

    name: str
    arguments: Any  # Any: free JSON


@dataclass(frozen=True, slots=True)
class Answer:
    """An assistant's turn, read. Scorers see `content` unless they ask for more.

    `ended` is False where the model was cut off; `fault` says what could not be read, as a thought that
    never closes or a call whose arguments are no JSON; what could not be read is in none of the parts."""

    content: str
    thoughts: str = ""
    calls: tuple[Call, ...] = ()
    ended: bool = True
    fault: str = ""


class ThoughtAndContent(NamedTuple):
    """A text's thoughts, without the marks around them, and what is said after them."""

    thoughts: str
    content: str


def split_thoughts(
    text: str, marks: MarkPair = THINK, *, is_open: bool = False
) -> ThoughtAndContent:
    """An answer that spells its thoughts as `<think>...</think>` before what it says, in its two parts.

    Where the prompt opens the thought (`is_open`), the text may begin within it. Elsewhere a close behind
    other text is a word of it, and nothing is split; nor is a text that names both marks. A thought that
    never closes is not split either: see `has_open_thought`."""
    before, close, content = text.partition(marks.close)
    thoughts = before.lstrip()
    begins_with_mark = thoughts.startswith(marks.open) or not thoughts
    if not close or not (begins_with_mark or (is_open and marks.open not in thoughts)):
        return ThoughtAndContent("", text)
    return ThoughtAndContent(thoughts.removeprefix(marks.open).strip(), content.lstrip())


def has_open_thought(text: str, marks: MarkPair = THINK) -> bool:
    """Whether the text begins with a thought that never closes."""
    return text.lstrip().startswith(marks.open) and marks.close not in text


def answer_of(message: Mapping[str, Any], *, is_open: bool = False) -> Answer:
    """What an assistant's message in OpenAI's form says: the answer that a row expects.

    Thoughts stand in `reasoning_content`, else at the head of `content` as `split_thoughts` has it. JSON text
    in a call's arguments becomes the value it spells; text that spells none is a fault, and so is what calls
    no function."""
    thoughts, content = message.get("reasoning_content"), content_of(message)
    if not thoughts:
        thoughts, content = split_thoughts(content, is_open=is_open)
    calls, fault = [], ""
    for call in calls_of(message):
        try:
            calls.append(_call(call))
        except ValueError as error:
            fault = str(error)
    if has_open_thought(content):
        content, fault = "", "a thought that never closes"
    return Answer(content, thoughts, tuple(calls), fault=fault)


def text_to_compare(answer: Answer, due: Answer) -> str:
    """What scorers of texts see of an answer: its content, or its calls where a call is due.

    A perfect call is then the same text as the expected one, and silence is none."""
    return calls_text(answer.calls) if due.calls else answer.content


def calls_text(calls: Sequence[Call]) -> str:
    """The calls as one JSON text, the same for the same calls in whatever order; "" for none."""
    texts = sorted(
        json.dumps(
            {"name": call.name, "arguments": _plain_numbers(call.arguments)},
            ensure_ascii=False,
            sort_keys=True,
        )
        for call in calls
    )
    return f"[{', '.join(texts)}]" if texts else ""


def _plain_numbers(value: Any) -> Any:  # Any: free JSON
    """With 1 for 1.0, which JSON holds for the same number."""
    if isinstance(value, Mapping):
        return {key: _plain_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _call(call: object) -> Call:
    """The call that OpenAI's form has. Raises ValueError, which says why, for one that cannot be read."""
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise ValueError("a call of no function")
    try:
        return Call(function["name"], _parse_arguments(function.get("arguments")))
    except ValueError:
        raise ValueError(f"the arguments of {function['name']} are no JSON") from None


def _parse_arguments(arguments: object) -> Any:  # Any: free JSON
    if arguments is None:
        return {}
    return json.loads(arguments or "{}") if isinstance(arguments, str) else arguments
