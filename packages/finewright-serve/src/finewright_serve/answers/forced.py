"""Answers that must call a tool: the grammar of the model's own form of a call.

The form is what the chat template writes around the arguments of a call. It is used where these stand in it
as one JSON object, and where the reader reads such an answer back as the call that was forced."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from finewright.errors import DataError
from finewright.judge.answer import Call
from finewright.judge.calls import function_of, name_of_tool
from finewright.lm.answers.begun import CallForm
from finewright.lm.answers.reader import AnswerReader, Tools, reader_of
from finewright.lm.chat import Chat
from finewright.lm.engine.schemas import check_schema

_IN_BRACKETS = re.compile(r"<.+>")
_SAMPLE = {"sample": 1}
_AS_TEMPLATES_WRITE = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
}


def forced_call(chat: Chat, tools: Tools, choice: str, prompt: str, most: int = 1) -> str:
    """A grammar, in llguidance's Lark, of answers to `prompt` that are one call of the tool named `choice`
    or, for "required", of any of them, and up to `most` calls where the model has a form for several.

    Raises DataError with the reason where the model has no such form, or the prompt leaves no room for it."""
    reader = reader_of(chat)
    wanted = [tool for tool in tools if choice in ("required", name_of_tool(tool))]
    forms = [_form(chat, reader, name_of_tool(tool), prompt) for tool in wanted]
    start = _start(chat, forms, most if choice == "required" else 1)
    schemas = [json.dumps(_schema(tool), ensure_ascii=False) for tool in wanted]
    rules = [f"arguments_{number}: %json {schema}" for number, schema in enumerate(schemas)]
    return "\n".join([f"start: {start}", *rules])


def _several(chat: Chat, forms: Sequence[CallForm], after: str, most: int) -> str:
    """One call of any of the tools, and up to `most` with what stands between two of them."""
    first = " | ".join(_call(chat, form.before, i) for i, form in enumerate(forms))
    others = " | ".join(_call(chat, form.between, i) for i, form in enumerate(forms))
    end = " ".join(_terminals(chat, after))
    return f"({first}) ({others}){{0,{most - 1}}} {end}"


def _call(chat: Chat, before: str, number: int, after: str = "") -> str:
    return " ".join([*_terminals(chat, before), f"arguments_{number}", *_terminals(chat, after)])


def _start(chat: Chat, forms: Sequence[CallForm], most: int) -> str:
    """One call of any of the forms, or up to `most` where all may stand beside each other."""
    ends = {form.after for form in forms}
    if most > 1 and len(ends) == 1 and all(form.between for form in forms):
        return _several(chat, forms, ends.pop(), most)
    return " | ".join(_call(chat, form.before, i, form.after) for i, form in enumerate(forms))


def _until_stop(chat: Chat, text: str) -> str:
    """The text before the first token at which generation stops."""
    for stop in filter(None, map(chat.tokenizer.decode, sorted(chat.stop_ids))):
        text = text.partition(stop)[0]
    return text


def _form(chat: Chat, reader: AnswerReader, name: str, prompt: str) -> CallForm:
    """What the model writes around the arguments of a call of the tool; between two of them nothing where
    two would not be read back."""
    if reader.cannot_call:
        raise DataError(reader.cannot_call)
    if reader.form is None:
        raise DataError(
            "this model writes the arguments of calls as no JSON, and no call can be forced"
        )
    before, after, between = (part.replace(reader.form.name, name) for part in reader.form[1:])
    after = _until_stop(chat, after)
    sample = json.dumps(_SAMPLE)
    read = reader.read(f"{before}{sample}{after}", prompt, _declaring_nothing(name))
    if read.calls != (Call(name, _SAMPLE),) or read.fault:
        raise DataError(
            "after this prompt the model writes its thoughts first, and no call can be forced;"
            " serve it with thoughts switched off (chat_template)"
        )
    two = reader.read(f"{before}{sample}{between}{sample}{after}", prompt, _declaring_nothing(name))
    if two.calls != (Call(name, _SAMPLE),) * 2 or two.fault:
        between = ""
    return CallForm(name, before, after, between)


def _declaring_nothing(name: str) -> Tools:
    return [{"type": "function", "function": {"name": name}}]


def _schema(tool: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    """Of the arguments; blanks as templates write them, so that none can be written without end."""
    given = function_of(tool).get("parameters") or {"properties": {}, "additionalProperties": False}
    name = name_of_tool(tool)
    if given.get("type", "object") != "object":
        raise DataError(f"tool {name}: its parameters must be of type object")
    try:
        check_schema(given)
    except DataError as error:
        raise type(error)(f"tool {name}: its parameters: {error}") from None
    return {"type": "object", **given, "x-guidance": _AS_TEMPLATES_WRITE}


def _marks(chat: Chat) -> dict[str, int]:
    return {
        token.content: number
        for number, token in chat.tokenizer.added_tokens_decoder.items()
        if token.content and (token.special or _IN_BRACKETS.fullmatch(token.content))
    }


def _terminals(chat: Chat, text: str) -> Iterator[str]:
    """The text as terminals: tokens that are marks by their ids, all else by its characters. llguidance takes
    every added token in angle brackets for a mark, which no characters spell."""
    special = _marks(chat)
    longest_first = sorted(special, key=len, reverse=True)
    pattern = "|".join(map(re.escape, longest_first)) or r"(?!)"
    at = 0
    for found in re.finditer(pattern, text):
        if found.start() > at:
            yield json.dumps(text[at : found.start()], ensure_ascii=False)
        yield f"<[{special[found[0]]}]>"
        at = found.end()
    if at < len(text):
        yield json.dumps(text[at:], ensure_ascii=False)
