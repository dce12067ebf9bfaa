"""Generated text is read by the template's own marks; TRL's parsers are the referee where it has one."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trl
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from trl.chat_template_utils import add_response_schema, parse_response

from families.families import FAMILIES
from families.families import chat as family_chat
from finewright.judge.answer import Call
from finewright.lm.answers.begun import BegunCall
from finewright.lm.answers.reader import AnswerReader, answer_of_tokens, reader_of
from finewright.lm.answers.tagged import argument_types
from finewright.lm.chat import Chat

TRL = Path(trl.__file__).parent / "chat_templates"
ENDS = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|return|>",
    "<turn|>",
    "<|eot|>",
    "<|endoftext|>",
    "<|tool_response>",
    "<|END_OF_TURN_TOKEN|>",
]
ASKED = {"role": "user", "content": "Compare the weather."}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "d",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "days": {"type": "integer"},
                    "exact": {"type": "boolean"},
                    "where": {"type": "object"},
                },
                "required": [],
            },
        },
    }
    for name in ("weather", "get-time.now")
]
CALLS = (
    Call("weather", {"city": "4", "days": 4, "exact": True}),
    Call("weather", {"city": 'a "quoted"\n<tool>', "where": {"at": [1, 2.5, None, "x"]}}),
    Call("get-time.now", {"city": "Zürich 東京 'x'"}),
)
READ_BY_TRL = (
    *("glm4moe", "gptoss", "llama3_1", "qwen3", "qwen3_5_think", "qwen3_5_nothink"),
    *("nemotron_3_nano", "lfm2_2_5", "gemma4_v5", "qwen2_5"),
)
WITH_CALLS = (*READ_BY_TRL, "qwen3_8", "muse_glimmer", "lfm2_v2", "gemma4", "deepseekv3")
WITHOUT = ("llama3", "gemma3", "phi3", "cohere2")


def chat_of(template: str) -> Chat:
    characters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({each: i for i, each in enumerate(characters)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made,
        **{"bos_token": "<bos>", "eos_token": "<eos>"},
        chat_template=template,
        clean_up_tokenization_spaces=False,
    )
    marks = sorted(set(re.findall(r"<\|\w+\|?>|<\w+\|>", template)) - set(ENDS))
    tokenizer.add_special_tokens({"additional_special_tokens": [*ENDS, *marks]})
    return Chat(tokenizer, frozenset(tokenizer.convert_tokens_to_ids(ENDS)))


def trl_chat(name: str) -> Chat:
    return chat_of((TRL / f"{name}.jinja").read_text(encoding="utf-8"))


def openai(calls: tuple[Call, ...]) -> list[dict[str, object]]:
    return [
        {
            "id": f"callabc{number:02}",
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for number, call in enumerate(calls)
    ]


def written(chat: Chat, answer: dict[str, object]) -> tuple[str, str]:
    """The prompt, and what the template writes after it, without the end of the turn."""
    whole = chat.render([ASKED, {"role": "assistant", **answer}], tools=TOOLS)
    prompt = chat.render([ASKED], tools=TOOLS, ask=True)
    if not whole.startswith(prompt):  # the prompt's empty thought
        prompt = prompt.partition("<think>")[0]
    assert whole.startswith(prompt)
    text = whole.removeprefix(prompt)
    for end in ("<|im_end|>", "<|eot_id|>", "<turn|>", "<|tool_response>"):
        text = text.partition(end)[0]
    return prompt, text


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
@pytest.mark.parametrize("name", WITH_CALLS)
def test_the_call_that_a_template_writes_is_read_back_value_by_value(name: str, call: Call) -> None:
    chat = trl_chat(name)
    prompt, text = written(chat, {"content": "", "tool_calls": openai((call,))})
    read = reader_of(chat).read(text, prompt, TOOLS)
    assert (read.calls, read.fault) == ((call,), "")


@pytest.mark.parametrize("name", [n for n in WITH_CALLS if n not in ("gptoss", "llama3_1")])
def test_parallel_calls_are_read_in_their_order(name: str) -> None:
    chat = trl_chat(name)
    prompt, text = written(chat, {"content": "", "tool_calls": openai(CALLS)})
    assert reader_of(chat).read(text, prompt, TOOLS).calls == CALLS


@pytest.mark.parametrize("name", ["qwen2_5", "qwen3", "deepseekv3"])
def test_calls_are_known_while_they_are_written(name: str) -> None:
    chat = trl_chat(name)
    prompt, text = written(chat, {"content": "I look.", "tool_calls": openai(CALLS)})
    reader, before = reader_of(chat), tuple[BegunCall, ...]()
    for end in range(len(text) + 1):
        begun = reader.calls_so_far(text[:end], prompt)
        pairs = zip(before, begun, strict=False)
        assert all(now.arguments.startswith(then.arguments) for then, now in pairs)
        assert len(begun) >= len(before)
        before = begun
    found = tuple(Call(each.name, json.loads(each.arguments)) for each in before)
    assert found == CALLS
    assert all(each.is_whole for each in before)


@pytest.mark.parametrize("name", ["llama3_1", "glm4moe", "gptoss"])
def test_calls_without_marks_or_json_are_known_at_the_end_alone(name: str) -> None:
    chat = trl_chat(name)
    prompt, text = written(chat, {"content": "", "tool_calls": openai(CALLS[:1])})
    assert reader_of(chat).calls_so_far(text, prompt) == ()


@pytest.mark.parametrize("name", READ_BY_TRL)
def test_what_is_read_is_what_trl_reads(name: str) -> None:
    chat = trl_chat(name)
    answer = {"content": "", "reasoning_content": "Two cities.", "tool_calls": openai(CALLS[:1])}
    if name == "gptoss":
        answer["thinking"] = answer.pop("reasoning_content")
    prompt, text = written(chat, answer)
    tokenizer = add_response_schema(chat.tokenizer)
    # TRL reads ids or text with the end of turn
    ends = {"gptoss": "", "llama3_1": "<|eot_id|>", "gemma4_v5": "", "glm4moe": ""}
    referee = parse_response(
        tokenizer, text + ends.get(name, "<|im_end|>"), prefix=prompt, tools=TOOLS
    )
    read = reader_of(chat).read(text, prompt, TOOLS)
    assert (
        read.thoughts == (referee.get("reasoning_content") or referee.get("thinking") or "").strip()
    )
    assert read.content == (referee.get("content") or "").strip()
    assert [{"name": call.name, "arguments": call.arguments} for call in read.calls] == [
        call["function"] for call in referee["tool_calls"]
    ]


@pytest.mark.parametrize("name", WITHOUT)
def test_a_template_without_words_for_calls_says_so(name: str) -> None:
    reader = reader_of(trl_chat(name))
    assert reader.cannot_call == "the chat template has no words for tool calls"


UNKNOWN = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% for c in m.tool_calls or [] %}"
    "!!{{ c.function.name }}!ARGUMENTS{% endfor %}<|im_end|>"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)


def test_a_syntax_that_nobody_knows_is_refused_not_guessed() -> None:
    pairs = "{% for k, v in c.function.arguments.items() %}{{ k }}~{{ v }};{% endfor %}"
    reader = reader_of(chat_of(UNKNOWN.replace("ARGUMENTS", pairs)))
    assert (
        reader.cannot_call
        == "the chat template writes tool calls in a syntax that is not known here"
    )


def test_a_syntax_of_a_name_and_json_is_learned_from_the_template() -> None:
    chat = chat_of(UNKNOWN.replace("ARGUMENTS", "{{ c.function.arguments | tojson }}"))
    for calls in (CALLS[:1], CALLS[1:2], CALLS):
        _, text = written(chat, {"content": "Wait.", "tool_calls": openai(calls)})
        read = reader_of(chat).read(text, "", TOOLS)
        assert (read.content, read.calls, read.fault) == ("Wait.", calls, "")


@pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if f.call])
def test_marks_that_are_special_tokens_survive_decoding(name: str) -> None:
    chat = family_chat(name)
    call = Call("weather", {"city": "Paris", "days": 4})
    turn = {"role": "assistant", "content": "", "tool_calls": openai((call,))}
    whole, prompt = chat.render([ASKED, turn], tools=TOOLS), chat.prompt([ASKED], TOOLS)
    start = (
        len(prompt.text)
        if whole.startswith(prompt.text)
        else len(prompt.text.partition("<think>")[0])
    )
    ids = chat.tokenizer(whole[start:], add_special_tokens=False)["input_ids"]
    ids = ids[: next(i for i, token in enumerate(ids) if token in chat.stop_ids)]
    read = answer_of_tokens(chat, ids, prompt=whole[:start], tools=TOOLS, ended=True)
    assert (read.calls, read.content, read.fault) == ((call,), "", "")


HERMES = reader_of(trl_chat("qwen3"))
CODER = reader_of(trl_chat("qwen3_8"))
GPT_OSS = reader_of(trl_chat("gptoss"))
LLAMA = reader_of(trl_chat("llama3_1"))


@pytest.mark.parametrize(
    ("reader", "text", "content", "num_calls", "fault"),
    [
        (HERMES, "It is 0.", "It is 0.", 0, ""),
        (
            HERMES,
            '<tool_call>\n{"name": "f", "arguments": {"a": }}\n</tool_call>',
            "",
            0,
            "cannot be read",
        ),
        (HERMES, '<tool_call>{"name": "f", "arguments": [1]}</tool_call>', "", 0, "cannot be read"),
        (
            HERMES,
            '<tool_call>{"name": "f", "arguments": {"a": NaN}}</tool_call>',
            "",
            0,
            "cannot be read",
        ),
        (HERMES, '<tool_call>{"arguments": {}}</tool_call>', "", 0, "cannot be read"),
        (
            HERMES,
            'Yes.\n<tool_call>{"name": "f", "arguments": {"a": 1',
            "Yes.",
            0,
            "cannot be read",
        ),
        (HERMES, '<tool_call>{"name": "f", "arguments": {}}', "", 1, ""),
        (
            HERMES,
            'I look.\n<tool_call>{"name": "f", "arguments": {}}</tool_call>',
            "I look.",
            1,
            "",
        ),
        (
            HERMES,
            '<tool_call>{"name": "f", "arguments": {"a": "</tool_call>"}}</tool_call>',
            *("", 1, ""),
        ),
        (
            HERMES,
            '<tool_call>{"name": "f", "arguments": {}}</tool_call>\n<tool_call>{"name"}</tool_call>',
            *("", 1, "cannot be read"),
        ),
        (HERMES, "<think>\nhm\n</think>\n\nIt is 0.", "It is 0.", 0, ""),
        (HERMES, "<think>\nhm, it is", "", 0, "a thought that never closes"),
        (
            HERMES,
            "The mark <think> opens, </think> closes.",
            "The mark <think> opens, </think> closes.",
            0,
            "",
        ),
        (
            CODER,
            "<tool_call>\n<function=f>\n<parameter=a>\n1\n</tool_call>",
            "",
            0,
            "cannot be read",
        ),
        (LLAMA, '{"name": "f", "parameters": {"a": 1}}', "", 1, ""),
        (LLAMA, '{"name": "Ann", "age": 7}', '{"name": "Ann", "age": 7}', 0, ""),
        (
            LLAMA,
            'So: {"name": "f", "parameters": {}}',
            'So: {"name": "f", "parameters": {}}',
            0,
            "",
        ),
        (GPT_OSS, "<|channel|>final<|message|>It is 0.", "It is 0.", 0, ""),
        (
            GPT_OSS,
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>It is 0.",
            *("It is 0.", 0, ""),
        ),
        (GPT_OSS, "<|channel|>analysis<|message|>hm", "", 0, "a thought that never closes"),
        (
            GPT_OSS,
            '<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a": 1}',
            *("", 1, ""),
        ),
        (
            GPT_OSS,
            ' to=functions.f<|channel|>commentary json<|message|>{"a": ',
            "",
            0,
            "cannot be read",
        ),
        (GPT_OSS, "It is 0.", "", 0, "an answer outside of all channels"),
    ],
)
def test_what_is_generated_is_read_or_a_fault(
    reader: AnswerReader, text: str, content: str, num_calls: int, fault: str
) -> None:
    read = reader.read(text, "", TOOLS)
    assert (read.content, len(read.calls)) == (content, num_calls)
    assert fault in read.fault
    assert bool(fault) == bool(read.fault)


def test_a_thought_that_the_prompt_opened_is_one() -> None:
    read = CODER.read("hm\n</think>\n\n4", "<|im_start|>assistant\n<think>\n")
    assert (read.thoughts, read.content) == ("hm", "4")
    assert CODER.read("hm, 4", "<|im_start|>assistant\n<think>\n", ended=False).content == ""
    assert CODER.read("hm, 4", "assistant\n<think>\n\n</think>\n\n").content == "hm, 4"


def test_an_answer_that_names_the_close_of_a_thought_is_whole() -> None:
    said = "The mark </think> closes a thought."
    assert CODER.read(said, "<|im_start|>assistant\n").content == said
    assert CODER.so_far(said, "<|im_start|>assistant\n").content == said


def test_json_that_is_an_answer_is_no_call_where_no_tool_is_declared() -> None:
    text = '{"name": "Ann", "parameters": {"age": 7}}'
    assert LLAMA.read(text).content == text


def test_the_declared_type_tells_a_number_from_its_text() -> None:
    text = (
        "<tool_call>\n<function=weather>\n<parameter=city>\n4\n</parameter>\n<parameter=days>\n4\n"
        "</parameter>\n<parameter=more>\n[4]\n</parameter>\n</function>\n</tool_call>"
    )
    (call,) = CODER.read(text, "", TOOLS).calls
    assert call.arguments == {"city": "4", "days": 4, "more": [4]}


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "function": None},
        {"name": "weather", "parameters": "none"},
        {"name": "weather", "parameters": {"properties": ["city"]}},
        {
            "name": "weather",
            "parameters": {"properties": {"city": {"type": [{}, 4], "anyOf": True}}},
        },
    ],
)
def test_a_schema_that_is_none_declares_no_type(tool: dict[str, Any]) -> None:
    assert not any(argument_types([tool]).values())


@pytest.mark.parametrize("reader", [HERMES, GPT_OSS], ids=["marks", "channels"])
def test_an_answer_grows_as_it_is_shown(reader: AnswerReader) -> None:
    text = {
        HERMES: '<think>\nhm\n</think>\n\nIt is 0.\n<tool_call>{"name": "f", "arguments": {}}',
        GPT_OSS: "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final"
        "<|message|>It is 0.",
    }[reader]
    shown = [reader.so_far(text[:n]) for n in range(len(text) + 1)]
    assert (shown[-1].thoughts, shown[-1].content.strip()) == ("hm", "It is 0.")
    for before, after in pairwise(shown):
        assert after.thoughts.startswith(before.thoughts)
        assert after.content.startswith(before.content)
