"""A question -> what the model reads, as text and as tokens, and the grammar of its answer. What the model's
chat template has no words for is refused by the key that brought it."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from finewright.errors import DataError
from finewright_serve.gateway.errors import INVALID, ApiError, unsupported
from finewright_serve.gateway.names import marked, marks_of, refuse_lost
from finewright_serve.gateway.question import GatewayQuestion

if TYPE_CHECKING:
    from finewright.lm.chat import Chat, Message
    from finewright.lm.engine.schemas import Grammar

_MOST_CALLS = 8  # of an answer that must be calls
_MOST_CHARACTERS = 16
"""Of a token, in the mean of a whole prompt: code has 4, long words 10, tables padded with blanks 7 to 13
(counted with SmolLM2's tokenizer)."""
_LOOKED_AT = 3
"""Characters of a token in the parts by which a long text is counted: what is made to be dear, digits and
spelled control tokens, has 2 at most, and is found out by the first of them."""
_CUT_APART = 16
"""Tokens that a part may have more than the whole text has there: no token is cut into more."""


def grammar_of(chat: "Chat", question: GatewayQuestion, prompt: str) -> "Grammar | None":
    """What the answer must be. Raises ApiError where a call cannot be forced, and where no answer can be held
    to the schema: a wrong value where none would be valid."""
    from finewright.lm.engine.schemas import Grammar, WrongSchema, check_schema, schema_grammar
    from finewright_serve.answers.forced import forced_call

    wish = question.tools
    if wish is not None and wish.choice != "auto":
        most = 1 if wish.at_most_one else _MOST_CALLS
        try:
            return Grammar("calls", forced_call(chat, wish.tools, wish.choice, prompt, most))
        except WrongSchema as error:
            raise ApiError(f"tools: {error}", param="tools", code=INVALID) from None
        except DataError as error:
            raise unsupported("tool_choice", f"{error}; take auto or none") from None
    form = question.form
    if form is None:
        return None
    if form.kind != "json":
        return Grammar(form.kind, form.text)
    try:
        check_schema(form.schema or {})
    except WrongSchema as error:
        raise ApiError(f"{form.param}: {error}", param=form.param, code=INVALID) from None
    except DataError as error:
        raise unsupported(form.param, str(error)) from None
    return schema_grammar(form.schema)


def form_param(question: GatewayQuestion) -> str:
    """The key that the grammar of the question's answer comes from."""
    return question.form.param if question.form is not None else "tool_choice"


def refuse_unknown_tokens(question: GatewayQuestion, vocab_size: int) -> None:
    """Raise ApiError for the first token id of the client's that the model has no token of."""
    ids = question.text if isinstance(question.text, tuple) else ()
    for param, given in (("prompt", ids), ("logit_bias", question.sampling.logit_bias or ())):
        unknown = next((token for token in given if token >= vocab_size), None)
        if unknown is not None:
            what = f"token {unknown} is beyond the vocabulary of {vocab_size} tokens"
            raise ApiError(f"{param}: {what}", param=param, code=INVALID)


def refuse_long_text(question: GatewayQuestion, room: int) -> None:
    """Raise ApiError for more than a prompt of `room` tokens has, before any work is done with it."""
    longest = room * _MOST_CHARACTERS
    if question.messages is not None:
        tools = json.dumps(question.tools.tools, ensure_ascii=False) if question.tools else ""
        _refuse_more(num_characters(question.messages) + len(tools), longest, room)
        _refuse_more(
            len(question.messages), room, room, unit="messages"
        )  # each is a token at least
    elif isinstance(question.text, str):
        _refuse_more(len(question.text), longest, room, param="prompt")


def _refuse_more(
    size: int, most: int, room: int, *, param: str = "messages", unit: str = "characters"
) -> None:
    if size > most:
        what = f"{size} {unit}, and {most} at most are read: this model has room for {room} tokens"
        raise ApiError(f"{param}: {what}", param=param, code="context_length_exceeded")


def num_characters(value: object) -> int:
    """Characters of all texts in the JSON value, its keys left out."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(num_characters, value.values()))
    return sum(map(num_characters, value)) if isinstance(value, list | tuple) else 0


def prompt_of(chat: "Chat", question: GatewayQuestion, room: int) -> tuple[str, tuple[int, ...]]:
    """The prompt as text and as tokens. Raises ApiError with the chat template's own complaint, and where its
    beginning alone has more tokens than there is room for."""
    if question.messages is None:
        if not isinstance(question.text, str):
            return "", question.text
        text = question.text
        for start in _starts(len(text), room):
            _refuse_long(len(chat.tokenizer(text[:start])["input_ids"]), room, "prompt")
        return text, tuple(chat.tokenizer(text, add_special_tokens=True)["input_ids"])
    messages = list(question.messages)
    tools = list(question.tools.tools) if question.tools else None
    try:
        rendered = chat.whole_prompt(messages, tools)
    except DataError as error:
        if tools and _is_readable(chat, messages):
            raise unsupported("tools", str(error)) from None
        raise ApiError(str(error), param="messages") from None
    if marks := marks_of(messages):
        refuse_lost(marks, chat.prompt(marked(messages, marks), tools).text)
    for start in _starts(len(rendered.text), room):
        _refuse_long(len(chat.prompt_ids(rendered.until(start))), room, "messages")
    return rendered.text, chat.prompt_ids(rendered)


def _starts(length: int, room: int) -> range:
    """Where to count the tokens of a text's beginning before all of it is read: nowhere in most texts."""
    step = max(1, _LOOKED_AT * room)
    return range(step, length, step)


def _refuse_long(size: int, room: int, param: str) -> None:
    if size > room + _CUT_APART:
        what = (
            f"the prompt has more than {room} tokens; this model reads and writes {room} together"
        )
        raise ApiError(what, param=param, code="context_length_exceeded")


def _is_readable(chat: "Chat", messages: "list[Message]") -> bool:
    """Has the chat template words for all of the conversation, without tools?"""
    try:
        chat.whole_prompt(messages)
    except DataError:
        return False
    return True
