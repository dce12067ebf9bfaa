"""Forced calls: what the grammar lets a model write is read back as one call of the tool, and nothing else is
let through."""

from typing import Any

import pytest
from tests.lm.answers.test_reader import TRL

import tiny
from finewright.errors import DataError
from finewright.lm.answers.reader import reader_of
from finewright.lm.chat import Chat, find_end_of_turn
from finewright.lm.engine.schemas import Constraint, Grammar, Grammars
from finewright_serve.answers.forced import forced_call

pytestmark = pytest.mark.torch

ASKED = {"role": "user", "content": "Compare the weather."}
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"enum": ["Rome", "Bonn"]}, "days": {"type": "integer", "maximum": 9}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": name, "description": "d", "parameters": parameters}}
    for name, parameters in (("weather", PARAMETERS), ("get-time.now", {"type": "object"}))
]
ARGUMENTS = {"city": "Rome", "days": 4}


def chat_of(template: str, special: tuple[str, ...] = ()) -> Chat:
    tokenizer = tiny.tiny_tokenizer()
    tokenizer.chat_template = (TRL / f"{template}.jinja").read_text(encoding="utf-8")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_end|>", *special]})
    return Chat(tokenizer, find_end_of_turn(tokenizer, []))


def begun(chat: Chat, choice: str, prompt: str) -> Constraint:
    size = len(chat.tokenizer)
    grammar = Grammar("calls", forced_call(chat, TOOLS, choice, prompt))
    return Grammars(chat.tokenizer, size, chat.stop_ids).begin(grammar)


def is_taken(chat: Chat, constraint: Constraint, text: str) -> bool:
    """Could a model write this text, and end after it?"""
    for token in chat.tokenizer(text, add_special_tokens=False)["input_ids"]:
        if not constraint.allow()[token]:
            return False
        assert not constraint.add(token)
    return any(bool(constraint.allow()[stop]) for stop in chat.stop_ids)


def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"type": "function", "function": function}],
    }


@pytest.mark.parametrize(
    ("template", "special"),
    [
        ("qwen3", ()),
        ("qwen3", ("<tool_call>", "</tool_call>")),
        ("qwen2_5", ()),
        ("llama3_1", ("<|eot_id|>",)),
        ("gptoss", ("<|channel|>", "<|message|>", "<|call|>", "<|start|>", "<|constrain|>")),
    ],
)
def test_what_the_template_writes_of_a_call_is_taken_and_nothing_else(
    template: str, special: tuple[str, ...]
) -> None:
    chat = chat_of(template, special)
    prompt = chat.render([ASKED], tools=TOOLS, ask=True)
    whole = chat.render([ASKED, call("weather", ARGUMENTS)], tools=TOOLS)
    text = whole[len(prompt) :]
    for stop in map(chat.tokenizer.decode, chat.stop_ids):
        text = text.partition(stop)[0]
    assert reader_of(chat).read(text, prompt, TOOLS).calls[0].arguments == ARGUMENTS
    for choice in ("required", "weather"):
        assert is_taken(chat, begun(chat, choice, prompt), text)
    assert not is_taken(chat, begun(chat, "get-time.now", prompt), text)
    for other in ("", "It rains.", text.replace("Rome", "Oslo"), text.replace("weather", "other")):
        assert not is_taken(chat, begun(chat, "required", prompt), other)


@pytest.mark.parametrize(
    ("template", "has_several"), [("qwen3", True), ("qwen2_5", True), ("llama3_1", False)]
)
def test_several_calls_are_taken_where_the_template_has_a_form_for_them(
    template: str, has_several: bool
) -> None:
    chat = chat_of(template)
    prompt = chat.render([ASKED], tools=TOOLS, ask=True)
    turn = call("weather", ARGUMENTS)
    one = chat.render([ASKED, turn], tools=TOOLS)[len(prompt) :].partition("<|im_end|>")[0]
    second = call("get-time.now", {})["tool_calls"]
    grammar = forced_call(chat, TOOLS, "required", prompt, 2)
    several = Grammars(chat.tokenizer, len(chat.tokenizer), chat.stop_ids)
    if not has_several:
        assert grammar == forced_call(chat, TOOLS, "required", prompt)
        return
    calls = {**turn, "tool_calls": [*turn["tool_calls"], *second]}
    two = chat.render([ASKED, calls], tools=TOOLS)[len(prompt) :].partition("<|im_end|>")[0]
    three = two + two[len(one) :]
    assert len(reader_of(chat).read(two, prompt, TOOLS).calls) == 2
    for text, is_due in ((one, True), (two, True), (three, False)):
        assert is_taken(chat, several.begin(Grammar("calls", grammar)), text) == is_due
    assert not is_taken(chat, begun(chat, "required", prompt), two)


@pytest.mark.parametrize(
    ("template", "why"), [("glm4moe", "no JSON"), ("gemma3", "no words for tool calls")]
)
def test_a_form_that_is_none_is_a_reason(template: str, why: str) -> None:
    chat = chat_of(template)
    with pytest.raises(DataError, match=why):
        forced_call(chat, TOOLS, "required", chat.render([ASKED], ask=True))


def test_a_prompt_that_opens_a_thought_is_a_reason() -> None:
    chat = chat_of("qwen2_5")
    prompt = chat.render([ASKED], tools=TOOLS, ask=True) + "<think>\n"
    with pytest.raises(DataError, match="thoughts"):
        forced_call(chat, TOOLS, "required", prompt)


def test_a_tool_without_parameters_is_called_without_arguments() -> None:
    chat = chat_of("qwen3")
    tools = [{"type": "function", "function": {"name": "now"}}]
    prompt = chat.render([ASKED], tools=tools, ask=True)
    several = Grammars(chat.tokenizer, len(chat.tokenizer), chat.stop_ids)
    for arguments, is_due in (({}, True), ({"time": "noon"}, False)):
        whole = chat.render([ASKED, call("now", arguments)], tools=tools)
        text = whole[len(prompt) :].partition("<|im_end|>")[0]
        grammar = Grammar("calls", forced_call(chat, tools, "required", prompt))
        assert is_taken(chat, several.begin(grammar), text) == is_due


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"type": "array"}, "tool now: its parameters must be of type object"),
        ({"type": "object", "minProperties": 1}, "a key could be written twice"),
        (
            {"properties": {"a": {"not": {}}}},
            r"^tool now: its parameters: json_schema: \$.properties.a.not: no answer can be held to it here;"
            r" leave it out, and check it in the answer$",
        ),
    ],
)
def test_parameters_that_no_call_can_keep_are_a_reason(
    parameters: dict[str, object], why: str
) -> None:
    chat = chat_of("qwen3")
    tools = [{"type": "function", "function": {"name": "now", "parameters": parameters}}]
    with pytest.raises(DataError, match=why):
        forced_call(chat, tools, "required", chat.render([ASKED], tools=tools, ask=True))
