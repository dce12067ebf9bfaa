"""What is shown of an answer while it comes."""

import pytest

import tiny
from finewright.judge.answer import ThoughtAndContent
from finewright.lm.answers.reader import AnswerReader
from finewright.lm.answers.stream import AnswerStream

pytestmark = pytest.mark.torch


def test_a_thought_that_the_prompt_opened_is_one_after_a_token_without_text() -> None:
    chat = tiny.tiny_chat()
    reader = AnswerReader(dropped_ids=frozenset(chat.stop_ids))
    stream = AnswerStream(chat, reader, "<think>\n")
    assert stream.add(sorted(chat.stop_ids)) == ThoughtAndContent("", "")
    shown = stream.add(chat.tokenizer("the red door")["input_ids"])
    rest = stream.end(chat.tokenizer("</think>Yes")["input_ids"], ended=True)
    assert (shown.thoughts + rest.thoughts, shown.content + rest.content) == ("the red door", "Yes")
