"""What is trained of a row, read back, is the row again; where it is not, the row is refused by name."""

from dataclasses import replace

import pytest

from families.families import FAMILIES
from families.families import chat as family_chat
from finewright.errors import DataError
from finewright.evaluate.expected import unaskable
from finewright.judge.answer import Answer
from finewright.lm.answers.reader import answer_of_tokens
from finewright.lm.chat import Chat
from finewright.lm.encode import encode_rows, encode_turns
from finewright.schema.rows import Row
from lm.answers.test_reader import ASKED, CALLS, TOOLS, TRL, chat_of, openai, trl_chat

SPELLED = "<|end|> ends, <|im_end|> and <turn|> too, <|channel|> does not"
CONTENTS = {
    "words": ({"content": "Lima"}, Answer("Lima")),
    "a thought": ({"content": "2", "reasoning_content": "1+1"}, Answer("2", "1+1")),
    "a thought in the content": ({"content": "<think>\n1+1\n</think>\n\n2"}, Answer("2", "1+1")),
    "spelled marks": ({"content": SPELLED}, Answer(SPELLED)),
    "a named close": ({"content": "It ends with </think>."}, Answer("It ends with </think>.")),
    "a call": ({"content": None, "tool_calls": openai(CALLS[:1])}, Answer("", calls=CALLS[:1])),
}
OPENED = (
    "{% for m in messages %}<{{ m.role }}>{% if loop.last and m.role == 'assistant' %}<think>\n"
    "{% endif %}{{ m.content }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<assistant><think>\n{% endif %}"
)
CUT = (
    "{% for t in tools or [] %}{{ t | tojson }}{% endfor %}{% for m in messages %}<{{ m.role }}>"
    "{{ m.content }}{% for c in m.tool_calls or [] %}<|im_end|>!{{ c.function | tojson }}"
    "{% endfor %}<|im_end|>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)


def row_of(answer: dict[str, object]) -> Row:
    tools = tuple(TOOLS) if answer.get("tool_calls") else None
    return Row("r", (ASKED, {"role": "assistant", **answer}), tools, "rows.jsonl", 3)


def learned(chat: Chat, row: Row) -> str:
    (encoded,) = encode_turns(chat, row)
    ids = [token for token, is_it in zip(encoded.input_ids, encoded.trained, strict=True) if is_it]
    return str(chat.tokenizer.decode(ids))


def read_back(chat: Chat, row: Row) -> Answer:
    """As a server reads it: up to the first token at which it stops."""
    (encoded,) = encode_turns(chat, row)
    start = encoded.trained.index(True)
    prompt = chat.tokenizer.decode(encoded.input_ids[:start])
    ids = encoded.input_ids[start:]
    stop = next((t for t, token in enumerate(ids) if token in chat.stop_ids), len(ids))
    read = answer_of_tokens(chat, ids[:stop], prompt=prompt, tools=row.tools, ended=True)
    return replace(read, content=read.content.strip())  # some write a blank before it


def is_again(chat: Chat, title: str) -> bool:
    """Is it refused, or read back as the row has it?"""
    answer, expected = CONTENTS[title]
    try:
        return read_back(chat, row_of(answer)) == expected
    except DataError as error:
        return bool(str(error))


@pytest.mark.parametrize("title", CONTENTS)
@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_trained_is_read_back_as_the_row_or_refused(name: str, title: str) -> None:
    assert is_again(family_chat(name), title)


@pytest.mark.parametrize("title", CONTENTS)
@pytest.mark.parametrize("path", sorted(TRL.glob("*.jinja")), ids=lambda path: path.stem)
def test_what_is_trained_under_trls_templates_is_read_back(path: object, title: str) -> None:
    try:
        chat = trl_chat(path.stem)  # type: ignore[attr-defined]
        _ = chat.marks
    except DataError:
        return  # a template of images, which does not chat
    assert is_again(chat, title)


@pytest.mark.parametrize("title", ["words", "a thought", "spelled marks", "a call"])
@pytest.mark.parametrize("name", ["gptoss", "muse_glimmer", "qwen3", "gemma4_v5"])
def test_these_are_trained_not_refused(name: str, title: str) -> None:
    answer, expected = CONTENTS[title]
    assert read_back(trl_chat(name), row_of(answer)) == expected


def test_cohere_2s_marks_around_a_content_are_no_part_of_it() -> None:
    chat, row = trl_chat("cohere2"), row_of({"content": "Lima"})
    assert learned(chat, row) == "Lima<|END_RESPONSE|><|END_OF_TURN_TOKEN|>"
    assert read_back(chat, row) == Answer("Lima")


def test_a_row_without_a_thought_closes_the_one_that_the_prompt_opens() -> None:
    row = row_of({"content": "Lima"})
    assert learned(chat_of(OPENED), row) == "</think>\n\nLima<|im_end|>"
    assert read_back(chat_of(OPENED), row) == Answer("Lima")


def test_a_close_within_a_line_is_refused_where_the_prompt_opens_a_thought() -> None:
    row = row_of({"content": "It ends with </think>."})
    for chat in (trl_chat("qwen3_5_think"), chat_of(OPENED)):
        with pytest.raises(DataError, match="it may end one or be named"):
            encode_turns(chat, row)
    meant = row_of({"content": "<think></think>It ends with </think>."})
    assert read_back(chat_of(OPENED), meant).content == "It ends with </think>."


def test_a_token_that_stops_within_an_answer_is_told_with_the_row() -> None:
    rows = [row_of({"content": None, "tool_calls": openai(CALLS[:1])})]
    (problem,) = encode_rows(chat_of(CUT), rows, max_length=999, on_overlong="error").problems
    assert (problem.level, problem.file, problem.row) == ("error", "rows.jsonl", 3)
    assert "writes '<|im_end|>' within this answer, where generation stops" in problem.message
    (problem,) = unaskable(chat_of(CUT), rows)
    assert "tool calls behind a token at which generation stops" in problem.message
