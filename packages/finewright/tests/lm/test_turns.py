"""What is learned of templates that drop, open or rename thoughts, and that end turns in their own way.

The expected texts are written down by hand from the makers' templates in tests/families/templates."""

from collections.abc import Sequence
from copy import copy
from functools import cache
from typing import Any

import pytest
from tokenizers import AddedToken

import tiny
from families.families import chat as family_chat
from families.families import template
from finewright.errors import DataError
from finewright.lm.chat import Chat, find_end_of_turn
from finewright.lm.encode import encode_example, encode_rows, encode_turns
from finewright.schema.rows import Row

pytestmark = pytest.mark.torch

Json = dict[str, Any]
# Of each template its control tokens, the end that its checkpoint declares first.
CONTROLS = {
    "gptoss": "<|return|> <|call|> <|start|> <|channel|> <|message|> <|end|>",
    "gemma4": "<turn|> <|tool_response> <|turn> <|channel> <channel|> <|tool_call> <tool_call|>",
    "nemotron_3_nano": "<|im_end|> <|im_start|>",
    "qwen3_8": "<|im_end|> <|im_start|>",
    "qwen3_5_nothink": "<|im_end|> <|im_start|>",
    "qwen3": "<|im_end|> <|im_start|>",
    "qwen2_5": "<|im_end|> <|im_start|>",
    "glm4moe": "<|user|> <|observation|> <|assistant|> <|system|>",
    "cohere2": "<|END_OF_TURN_TOKEN|> <|START_RESPONSE|> <|END_RESPONSE|> <|CHATBOT_TOKEN|>",
}
DECLARED = {"gptoss": 2, "gemma4": 2, "glm4moe": 2}


@cache
def chat(name: str, **options: object) -> Chat:
    made = copy(tiny.tiny_tokenizer("chatml"))
    controls = CONTROLS[name].split()
    made.add_tokens([AddedToken(c, special=True, normalized=False) for c in controls])
    made.chat_template = template(name)
    ends = made.convert_tokens_to_ids(controls)[: DECLARED.get(name, 1)]
    found = find_end_of_turn(made, ends, options)
    return Chat(made, found, options, frozenset(ends))


def user(content: str) -> Json:
    return {"role": "user", "content": content}


def says(content: str | None, **more: object) -> Json:
    return {"role": "assistant", "content": content, **more}


CALLS = [{"type": "function", "function": {"name": "clock", "arguments": '{"zone": "CET"}'}}]
CLOCK: Json = {
    "type": "function",
    "function": {"name": "clock", "description": "Time", "parameters": {"type": "object"}},
}


def row_of(*messages: Json, tools: tuple[Json, ...] | None = None, **more: Any) -> Row:
    return Row("r", messages, tools, "rows.jsonl", 7, **more)


def learned(found: Chat, row: Row) -> list[str]:
    """The text of each sequence's learned tokens, runs apart by |."""
    texts = []
    for each in encode_turns(found, row):
        runs: list[list[int]] = []
        for t, trained in enumerate(each.trained):
            if trained and not each.trained[t - 1]:
                runs.append([])
            if trained:
                runs[-1].append(each.input_ids[t])
        texts.append("|".join(map(found.tokenizer.decode, runs)))
    return texts


PLAIN = row_of(user("1+1?"), says("2."))
KEYED = row_of(user("1+1?"), says("2.", reasoning_content="One and one."))
INLINE = row_of(user("1+1?"), says("<think>\nOne and one.\n</think>\n\n2."))
FINAL = "<|start|>assistant<|channel|>final<|message|>"


@pytest.mark.parametrize(
    ("name", "plain", "thought"),
    [
        ("nemotron_3_nano", "\n</think>\n2.<|im_end|>", "One and one.\n</think>\n2.<|im_end|>"),
        ("qwen3_8", "\n</think>\n\n2.<|im_end|>", "One and one.\n</think>\n\n2.<|im_end|>"),
        (
            "qwen3",
            "<think>\n\n</think>\n\n2.<|im_end|>",
            "<think>\nOne and one.\n</think>\n\n2.<|im_end|>",
        ),
        (
            "gptoss",
            "<|channel|>final<|message|>2.<|return|>",
            f"<|channel|>analysis<|message|>One and one.<|end|>{FINAL}2.<|return|>",
        ),
        ("gemma4", "2.<turn|>", "<|channel>thought\nOne and one.\n<channel|>2.<turn|>"),
        (
            "glm4moe",
            "\n<think></think>\n2.<|user|>",
            "\n<think>One and one.</think>\n2.<|user|>",
        ),
    ],
)
def test_a_thought_is_learned_in_the_templates_own_place_and_none_where_there_is_none(
    name: str, plain: str, thought: str
) -> None:
    assert learned(chat(name), PLAIN) == [plain]
    assert learned(chat(name), KEYED) == learned(chat(name), INLINE) == [thought]


@pytest.mark.parametrize("name", ["qwen3_8", "nemotron_3_nano", "gptoss", "gemma4", "glm4moe"])
@pytest.mark.parametrize("row", [PLAIN, KEYED], ids=["plain", "thought"])
def test_the_tokens_of_what_is_asked_begin_the_row(name: str, row: Row) -> None:
    asked = chat(name).encode_prompt(row.messages[:1])
    (sequence,) = encode_turns(chat(name), row)
    assert sequence.input_ids[: len(asked)] == asked
    assert sequence.trained.index(True) == len(asked)


def test_each_of_several_thoughts_is_learned_as_it_is_asked_for() -> None:
    row = row_of(
        *(user("a"), says("b", reasoning_content="one")),
        *(user("c"), says("d", reasoning_content="two")),
    )
    assert learned(chat("qwen3"), row) == [
        "<think>\none\n</think>\n\nb<|im_end|>",
        "<think>\ntwo\n</think>\n\nd<|im_end|>",
    ]
    first, second = encode_turns(chat("qwen3"), row)
    asked = chat("qwen3").encode_prompt(row.messages[:3])
    assert second.input_ids[: len(asked)] == asked
    assert "one" not in chat("qwen3").tokenizer.decode(second.input_ids)
    assert encode_example(chat("qwen3"), row).num_trained == first.num_trained + second.num_trained


def test_every_answer_of_gpt_oss_learns_a_token_that_ends_it() -> None:
    row = row_of(user("a"), says("b"), user("c"), says("d"))
    ends = [f"<|channel|>final<|message|>{text}<|return|>" for text in "bd"]
    assert learned(chat("gptoss"), row) == ends


@pytest.mark.parametrize(
    ("name", "end"),
    [("gptoss", "<|call|>"), ("gemma4", "<|tool_response>"), ("glm4moe", "<|observation|>")],
)
def test_a_call_ends_with_its_own_token(name: str, end: str) -> None:
    row = row_of(user("Time?"), says(None, tool_calls=CALLS), tools=(CLOCK,))
    (text,) = learned(chat(name), row)
    assert text.endswith(end)
    assert text.count(end) == 1
    assert set(chat(name).tokenizer.encode(end, add_special_tokens=False)) <= chat(name).stop_ids


def test_cohere_learns_its_declared_end() -> None:
    assert learned(chat("cohere2"), PLAIN) == ["2.<|END_RESPONSE|><|END_OF_TURN_TOKEN|>"]


def test_a_thought_before_a_call_is_still_asked_with_the_answer_after_it() -> None:
    """gpt-oss's template forgets it as soon as the answer is there; the model is asked with it."""
    called = says(None, tool_calls=CALLS, reasoning_content="look")
    tool = {"role": "tool", "content": "noon", "tool_call_id": "x"}
    row = row_of(user("Time?"), called, tool, says("It is noon."), tools=(CLOCK,))
    (sequence,) = encode_turns(chat("gptoss"), row)
    assert "analysis<|message|>look<|end|>" in chat("gptoss").tokenizer.decode(sequence.input_ids)


@pytest.mark.parametrize(
    ("name", "messages", "message"),
    [
        ("qwen2_5", KEYED.messages, r"messages\[1\]: .* leaves out the thought of the answer"),
        ("qwen3_5_nothink", KEYED.messages, r"messages\[1\]: .* begins this answer otherwise"),
        ("qwen3", (user("a"), says("<think>\nb")), r"messages\[1\]: a thought that never closes"),
        (
            "gptoss",
            (user("a"), says("Let me see.", tool_calls=CALLS)),
            r"messages\[1\]: .* writes the text beside the tool call as a thought",
        ),
        (
            "qwen3",
            (
                user("a"),
                says(None, tool_calls=[{"function": {"name": "clock", "arguments": '{"a":'}}]),
            ),
            r"messages\[1\]: the arguments of clock are no JSON",
        ),
        (
            "qwen3",
            (
                user("a"),
                says(None, tool_calls=[{"function": {"name": "clock", "arguments": "[1]"}}]),
            ),
            r"messages\[1\]: the arguments of clock are no JSON object",
        ),
    ],
)
def test_what_cannot_be_learned_as_it_is_meant_is_refused(
    name: str, messages: Sequence[Json], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        encode_turns(chat(name), row_of(*messages))


@pytest.mark.parametrize("name", ["qwen3", "qwen3_8", "gptoss", "gemma4", "nemotron_3_nano"])
def test_a_thought_in_a_users_text_stays_text(name: str) -> None:
    asks = user("What does <think>this</think> do?")
    (sequence,) = encode_turns(chat(name), row_of(asks, says("It thinks.")))
    text = chat(name).tokenizer.decode(sequence.input_ids)
    assert asks["content"] in text
    assert learned(chat(name), row_of(asks, says("2."))) == learned(chat(name), PLAIN)


def test_switches_change_what_is_asked_and_what_is_learned_alike() -> None:
    off = chat("qwen3_8", enable_thinking=False)
    (sequence,) = encode_turns(off, PLAIN)
    asked = off.encode_prompt(PLAIN.messages[:1])
    assert off.tokenizer.decode(asked).endswith("<think>\n\n</think>\n\n")
    assert sequence.input_ids[: len(asked)] == asked
    assert learned(off, PLAIN) == ["2.<|im_end|>"]


def test_a_template_without_an_end_of_turn_is_told_once_with_its_first_row() -> None:
    silent = copy(tiny.tiny_tokenizer("chatml"))
    silent.chat_template = (
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    )
    silent.chat_template += "{% if add_generation_prompt %}assistant: {% endif %}"
    found = Chat(silent, find_end_of_turn(silent, [silent.eos_token_id]))
    encoded = encode_rows(found, [PLAIN, PLAIN], max_length=500, on_overlong="error")
    (problem,) = encoded.problems
    assert (problem.level, problem.row) == ("warning", 7)
    assert "of 2 rows" in problem.message
    assert "learn no end of turn" in problem.message


def test_of_a_pair_only_the_answers_behind_the_shared_prompt_are_learned() -> None:
    shared = (user("a"), says("b"), user("c"))
    row = row_of(*shared, says("good"), rejected=(*shared, says("bad")))
    example = encode_example(chat("qwen3"), row)
    decode = chat("qwen3").tokenizer.decode
    texts = [
        decode([i for i, t in zip(s.input_ids, s.trained, strict=True) if t])
        for s in example.sequences
    ]
    empty = "<think>\n\n</think>\n\n"
    assert texts == [f"{empty}good<|im_end|>", f"{empty}bad<|im_end|>"]
    assert example.is_pair


@pytest.mark.parametrize(
    ("family", "lost"),
    [
        ("phi4", "a tool call"),
        ("phi3", "a tool call"),
        ("deepseek_r1_distill", "a tool call"),
    ],
)
def test_what_is_asked_loses_no_tool_and_no_call_in_silence(family: str, lost: str) -> None:
    function = {"name": "fee", "arguments": {"card": "gold"}}
    call = {"id": "a1b2c3d4e", "type": "function", "function": function}
    messages = [
        {"role": "user", "content": "What does the gold card cost?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "12", "tool_call_id": "a1b2c3d4e"},
    ]
    tools = [{"type": "function", "function": {"name": "fee", "description": "A fee."}}]
    with pytest.raises(DataError, match=f"leaves out {lost}|refuses this conversation"):
        family_chat(family).whole_prompt(messages, tools)


def test_what_is_asked_is_the_prompt_where_the_template_has_words_for_tools() -> None:
    tools = [{"type": "function", "function": {"name": "fee", "description": "A fee."}}]
    asked = [{"role": "user", "content": "What does the gold card cost?"}]
    real = family_chat("qwen3")
    assert real.whole_prompt(asked, tools) == real.prompt(asked, tools)


def test_what_is_asked_loses_no_system_prompt_in_silence() -> None:
    chat = tiny.tiny_chat()
    chat.tokenizer.chat_template = (
        "{% for m in messages if m.role != 'system' %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    asked = [{"role": "user", "content": "hi"}]
    assert chat.whole_prompt(asked) == chat.prompt(asked)
    with pytest.raises(DataError, match="leaves out this system message"):
        chat.whole_prompt([{"role": "system", "content": "be brief"}, *asked])
