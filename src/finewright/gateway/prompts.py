"""A question -> what the model reads, as text and as tokens, and the grammar of its answer. What the model's
chat template has no words for is refused by the key that brought it."""

from typing import TYPE_CHECKING

from finewright.errors import DataError
from finewright.gateway.errors import INVALID, ApiError, unsupported
from finewright.gateway.names import marked, marks_of, refuse_lost
from finewright.gateway.question import GatewayQuestion

if TYPE_CHECKING:
    from finewright.lm.chat import Chat, Message
    from finewright.lm.engine.constraint import Grammar

_MOST_CALLS = 8  # of an answer that must be calls


def grammar_of(chat: "Chat", question: GatewayQuestion, prompt: str) -> "Grammar | None":
    """What the answer must be. Raises ApiError where a call cannot be forced, and where no answer can be held
    to the schema: a wrong value where none would be valid."""
    from finewright.lm.answers.forced import forced_call
    from finewright.lm.engine.constraint import Grammar, schema_grammar
    from finewright.lm.engine.schemas import WrongSchema, check_schema

    wish = question.tools
    if wish is not None and wish.choice != "auto":
        most = 1 if wish.at_most_one else _MOST_CALLS
        try:
            return Grammar("calls", forced_call(chat, wish.tools, wish.choice, prompt, most))
        except WrongSchema as error:
            raise ApiError(f"tools: {error}", param="tools", code=INVALID) from None
        except DataError as error:
            raise unsupported("tool_choice", f"{error}; take auto or none") from None
    if question.form is None:
        return None
    try:
        check_schema(question.form.schema or {})
    except WrongSchema as error:
        raise ApiError(f"response_format: {error}", param="response_format", code=INVALID) from None
    except DataError as error:
        raise unsupported("response_format", str(error)) from None
    return schema_grammar(question.form.schema)


def refuse_unknown_tokens(question: GatewayQuestion, vocab_size: int) -> None:
    """Raise ApiError for the first token id of the client's that the model has no token of."""
    ids = question.text if isinstance(question.text, tuple) else ()
    for param, given in (("prompt", ids), ("logit_bias", question.sampling.logit_bias or ())):
        unknown = next((token for token in given if token >= vocab_size), None)
        if unknown is not None:
            what = f"token {unknown} is beyond the vocabulary of {vocab_size} tokens"
            raise ApiError(f"{param}: {what}", param=param, code=INVALID)


def prompt_of(chat: "Chat", question: GatewayQuestion) -> tuple[str, tuple[int, ...]]:
    """The prompt as text and as tokens. Raises ApiError with the chat template's own complaint."""
    if question.messages is None:
        if isinstance(question.text, str):
            text = question.text
            return text, tuple(chat.tokenizer(text, add_special_tokens=True)["input_ids"])
        return "", question.text
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
    return rendered.text, tuple(chat.tokens(rendered).ids)


def _is_readable(chat: "Chat", messages: "list[Message]") -> bool:
    """Has the chat template words for all of the conversation, without tools?"""
    try:
        chat.whole_prompt(messages)
    except DataError:
        return False
    return True
