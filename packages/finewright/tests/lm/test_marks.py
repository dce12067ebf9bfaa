"""Of templates as their makers publish them: where they take a thought, what they write around it, switches.

What is expected is read off the templates by hand."""

from copy import copy

import pytest

import tiny
from families.families import template
from finewright.errors import DataError
from finewright.lm.marks import Marks, find_marks
from finewright.lm.template import ChatTemplate, switches

pytestmark = pytest.mark.torch


def rendering(source: str) -> ChatTemplate:
    made = copy(tiny.tiny_tokenizer("chatml"))
    made.chat_template = source
    return ChatTemplate(made)


KEY, THINK = "reasoning_content", "\n</think>\n\n"
CHATML = "<|im_end|>\n"
HARMONY = "<|end|><|start|>assistant<|channel|>final<|message|>"
EXPECTED = {
    "qwen2_5": Marks("", False, "<think>\n", THINK, "", CHATML),
    "qwen3": Marks(KEY, False, "<think>\n", THINK, f"<think>\n{THINK}", CHATML),
    "qwen3_5_nothink": Marks(KEY, False, "<think>\n", THINK, "", CHATML),
    "qwen3_8": Marks(KEY, True, "", THINK, THINK, CHATML),
    "nemotron_3_nano": Marks(KEY, True, "", "\n</think>\n", "\n</think>\n", CHATML),
    "deepseek_r1": Marks("", True, "", THINK, "", "<\uff5cend\u2581of\u2581sentence\uff5c>"),
    "glm4moe": Marks(KEY, False, "\n<think>", "</think>\n", "\n<think></think>\n", ""),
    "gptoss": Marks(
        KEY,
        False,
        "<|channel|>analysis<|message|>",
        HARMONY,
        "<|channel|>final<|message|>",
        "<|return|>",
    ),
    "gemma4": Marks(KEY, False, "<|channel>thought\n", "\n<channel|>", "", "<turn|>\n"),
    "gemma4_first": Marks(KEY, False, "<|channel>thought\n", "\n<channel|>", "", "<turn|>\n"),
    "cohere2": Marks("", False, "<think>\n", THINK, "", "<|END_RESPONSE|><|END_OF_TURN_TOKEN|>"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_marks_of_a_template_are_found_by_rendering(name: str) -> None:
    assert find_marks(rendering(template(name))) == EXPECTED[name]


def test_a_template_that_fails_while_it_renders_is_refused_in_one_line() -> None:
    failing = "{% for m in messages %}{{ m['content'] }}{% endfor %}{{ 1 // 0 }}"
    with pytest.raises(DataError, match=r"^the chat template fails on .*: \w+Error: [^\n]+$"):
        find_marks(rendering(failing))


def test_a_template_that_leaves_out_the_answer_is_refused() -> None:
    silent = "{% for m in messages %}{{ m['content'] if m['role'] == 'user' }}{% endfor %}"
    with pytest.raises(DataError, match="leaves out what an assistant says"):
        find_marks(rendering(silent))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("qwen2_5", set()),
        ("qwen3", {"enable_thinking"}),
        (
            "qwen3_8",
            {"enable_thinking", "reasoning_effort", "preserve_thinking", "add_vision_id"},
        ),
        ("gptoss", {"reasoning_effort", "model_identity", "builtin_tools", "strftime_now"}),
        ("nemotron_3_nano", {"enable_thinking", "truncate_history_thinking"}),
        ("gemma4", {"enable_thinking", "preserve_thinking"}),
        ("glm4moe", {"enable_thinking"}),
    ],
)
def test_the_switches_of_a_template_are_what_it_asks_for(name: str, expected: set[str]) -> None:
    assert switches(template(name)) == expected


def test_a_switch_is_part_of_every_rendering() -> None:
    made = rendering(template("qwen3"))
    off = ChatTemplate(made.tokenizer, {"enable_thinking": False})
    asks = [{"role": "user", "content": "Hi"}]
    assert off.text(asks, ask=True) == f"{made.text(asks, ask=True)}<think>\n{THINK}"
