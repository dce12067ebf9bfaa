"""SmolLM2's template with tools: without any it renders as the one in the model's file, to the byte."""

from collections.abc import Sequence

import pytest

from finewright.catalog.models import chat_template

pytestmark = pytest.mark.torch

# As SmolLM2-135M-Instruct's GGUF file has it.
OWN = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n' }}"
    "{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TURNS = {
    "S": {"role": "system", "content": " Be brief.\n"},
    "U": {"role": "user", "content": "Hi <b> 'é' {{ x }}\n\n"},
    "A": {"role": "assistant", "content": ""},
    "T": {"role": "tool", "content": "{}"},
}
CALL = {
    "id": "a",
    "type": "function",
    "function": {"name": "decode", "arguments": {"tx": 'a"é', "n": 1}},
}
TOOL = {
    "type": "function",
    "function": {"name": "decode", "description": "D.", "parameters": {"type": "object"}},
}


def render(
    template: str, messages: Sequence[dict], tools: list | None = None, *, asks: bool = False
) -> str:
    from transformers.utils.chat_template_utils import render_jinja_template

    (text,), _ = render_jinja_template(
        conversations=[list(messages)],
        tools=tools,
        chat_template=template,
        add_generation_prompt=asks,
    )
    return str(text)


@pytest.mark.parametrize("turns", ["U", "SU", "SUA", "UAUA", "SUATU", "A", "S", "USU", "TU"])
@pytest.mark.parametrize("asks", [True, False])
def test_without_tools_it_renders_as_the_models_own(turns, asks):
    messages = [TURNS[turn] for turn in turns]
    ours = render(chat_template("smollm2.jinja"), messages, asks=asks)
    assert ours == render(OWN, messages, asks=asks)


def test_tools_and_their_calls_are_written():
    answer = {"role": "assistant", "content": None, "tool_calls": [CALL, CALL]}
    written = render(
        chat_template("smollm2.jinja"), [TURNS["U"], answer, TURNS["T"]], [TOOL], asks=True
    )
    call = '<tool_call>{"name": "decode", "arguments": {"tx": "a\\"é", "n": 1}}</tool_call>'
    assert written == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face\n\n"
        'Tools, each called as <tool_call>{"name": ..., "arguments": ...}</tool_call>:\n'
        '{"name": "decode", "description": "D.", "parameters": {"type": "object"}}<|im_end|>\n'
        f"<|im_start|>user\nHi <b> 'é' {{{{ x }}}}\n\n<|im_end|>\n"
        f"<|im_start|>assistant\n{call}\n{call}<|im_end|>\n"
        "<|im_start|>tool\n{}<|im_end|>\n<|im_start|>assistant\n"
    )
