"""What a reward model reads of answers that a policy wrote, which may be any text."""

import pytest

import tiny
from finewright.judge.answer import Answer
from finewright.lm.encode import encode_row
from finewright.schema.rows import Row
from finewright.train.reward_runs import tokens_to_rate
from finewright.train.rewards import PolicyAnswer

ASKED = ({"role": "user", "content": "the answer?"},)


def answered(content: str) -> PolicyAnswer:
    return PolicyAnswer(content, ASKED, {}, stopped=True, said=Answer(content))


@pytest.mark.parametrize("template", ["chatml", "llama3", "gemma", "qwen3"])
@pytest.mark.parametrize("content", ["a</think>b", "<think>a", "<think><think>a"])
def test_an_answer_with_a_stray_mark_is_rated_whole(template: str, content: str) -> None:
    chat = tiny.tiny_chat(template)
    text = chat.tokenizer.decode(tokens_to_rate(chat, answered(content)).input_ids).rstrip("\n")
    assert text.startswith(chat.render(ASKED, ask=True))
    assert text.endswith(content + tiny.END_OF_TURN[template])


def test_an_ordinary_answer_is_rated_as_reward_models_are_trained() -> None:
    chat = tiny.tiny_chat("qwen3")
    row = Row("", (*ASKED, {"role": "assistant", "content": "yes"}), None, "f", 1)
    assert tokens_to_rate(chat, answered("yes")).input_ids == encode_row(chat, row).input_ids
