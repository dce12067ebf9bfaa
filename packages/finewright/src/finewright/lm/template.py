"""A tokenizer's chat template: messages to text, always in the same way.

Templates differ in how they want arguments of calls and in the keys that they read; what is called here is
what they are given. `options` are the template's own switches, as `enable_thinking`, and part of every
rendering, so that what is trained is rendered as what is asked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment, TemplateError, meta, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from transformers import PreTrainedTokenizerBase

from finewright.errors import DataError, ModelError
from finewright.feature import ask_day, day_of
from finewright.lm.rendering import amplifies, render
from finewright.lm.trial import OTHER
from finewright.schema.common import without
from finewright.schema.run import DAY
from finewright.store.jail import Jailed, Limits, run_jailed

Message = Mapping[str, Any]

# Llama 3's templates name this day when they are told none.
_NO_DAY = "2024-07-26"
_CODES = ("%d", "%m", "%b", "%B", "%Y", "%y")
# What every template is given; the rest of what it reads are its switches.
_GIVEN = frozenset(["messages", "tools", "documents", "add_generation_prompt", "raise_exception"])


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """The template of a tokenizer, with its switches set."""

    tokenizer: PreTrainedTokenizerBase
    options: Mapping[str, Any] = field(default_factory=dict)  # Any: free JSON

    @property
    def source(self) -> str:
        """The template's own text."""
        return str(self.tokenizer.chat_template)

    def text(
        self, messages: Sequence[Message], tools: Sequence[Any] | None = None, *, ask: bool = False
    ) -> str:
        """The conversation as the model reads it; `ask` adds the generation prompt.

        A template that asks for the day is told the one of its switch, and 26 July 2024 where that is not
        set. Raises DataError with the template's own complaint (roles out of order, and so on)."""
        try:
            return self._rendering([_message_to_render(m) for m in messages], tools, ask)
        except (TemplateError, TypeError, ValueError, KeyError) as error:
            raise DataError(f"the chat template refuses this conversation: {error}") from None

    def _rendering(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[Any] | None, ask: bool
    ) -> str:
        tools = list(tools) if tools else None
        template = self.tokenizer.get_chat_template(tools=tools)
        options = {
            **without(self.options, (DAY,)),
            "tools": tools,
            "tokenize": False,
            "add_generation_prompt": ask,
            "chat_template": self._day_function() + template if DAY in template else template,
        }
        try:
            return self._apply(messages, options)
        except TypeError:
            # DeepSeek's templates append the arguments to text; the others print them as JSON
            return self._apply([_with_argument_texts(message) for message in messages], options)

    def _day_function(self) -> str:
        """The function that templates ask for the day, as text of a template."""
        text = str(self.options.get(DAY, _NO_DAY))
        day = ask_day() if text == "today" else day_of(text or "''", f"chat_template: {DAY}: ")
        assert day is not None  # of a text there is a day, or an error
        parts = "".join(f" | replace('{code}', '{day.strftime(code)}')" for code in _CODES)
        return "{% macro strftime_now(format) %}{{ format" + parts + " }}{% endmacro %}\n"

    def _apply(self, messages: Sequence[Mapping[str, Any]], options: dict[str, Any]) -> str:
        if not amplifies(self.tokenizer.get_chat_template(tools=options["tools"])):
            return str(self.tokenizer.apply_chat_template(list(messages), **options))
        source = options["chat_template"]
        left_out = ("tokenize", "chat_template")
        variables = {**self.tokenizer.special_tokens_map, **without(options, left_out)}
        return _render_in_jail(source, {**variables, "documents": None, "messages": messages})


def _render_in_jail(source: str, variables: dict[str, Any]) -> str:
    """The text of a template that could make much of little. Raises TypeError and ValueError with its own
    complaint, and ModelError where it takes more than a conversation needs, then and ever after."""
    if source in _ended:
        raise ModelError(_ended[source], hint=OTHER)
    try:
        found = run_jailed(render, source, variables, limits=_LIMITS)
    except Jailed as error:
        _ended[source] = f"the chat template is not used: for a conversation {error}"
        raise ModelError(_ended[source], hint=OTHER) from None
    if isinstance(text := found.get("text"), str):
        return text
    raise (TypeError if found.get("is_type") else ValueError)(str(found.get("refused")))


_LIMITS = Limits(cpu_seconds=2.0, memory_mib=256)
"""Of one rendering: a conversation of 1 MB takes 0.1 s."""
_ended: dict[str, str] = {}


class _Generation(Extension):
    """`{% generation %}`, with which some templates mark what an assistant writes."""

    tags = {"generation"}  # noqa: RUF012 - jinja's own form

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def switches(template: str) -> frozenset[str]:
    """The names by which a template can be switched, as `enable_thinking`.

    What it reads and never sets itself, or asks whether it is defined. Whether a value of one is known to
    it, only a rendering shows."""
    known: list[str | type[Extension]] = ["jinja2.ext.loopcontrols", _Generation]
    tree = Environment(extensions=known).parse(template)  # noqa: S701 - nothing is rendered
    first_stored: dict[str, int] = {}
    for name in tree.find_all(nodes.Name):
        if name.ctx != "load":
            line = min(name.lineno, first_stored.get(name.name, name.lineno))
            first_stored[name.name] = line
    tested = {
        node.node.name
        for node in tree.find_all((nodes.Test, nodes.Filter))
        if node.name in ("defined", "undefined", "default", "d")
        and isinstance(node.node, nodes.Name)
        and node.lineno <= first_stored.get(node.node.name, node.lineno)
    }
    free = meta.find_undeclared_variables(tree)
    read = (free - first_stored.keys()) | (free & tested)
    return frozenset(name for name in read - _GIVEN if not name.endswith("_token"))


def _message_to_render(message: Message) -> dict[str, Any]:
    kept = without(message, ("weight", "tool_calls"))
    if kept.get("content") is None:
        kept["content"] = ""  # templates print "None" otherwise
    if message.get("tool_calls"):  # a null or an empty list is a call to some templates
        kept["tool_calls"] = list(message["tool_calls"])
    return kept


def _with_argument_texts(message: Message) -> dict[str, Any]:
    if "tool_calls" not in message:
        return dict(message)
    calls = []
    for call in message["tool_calls"]:
        text = json.dumps(call["function"]["arguments"], ensure_ascii=False)
        calls.append({**call, "function": {**call["function"], "arguments": text}})
    return {**message, "tool_calls": calls}
