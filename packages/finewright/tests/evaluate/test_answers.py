"""What a held-out row asks, what it expects, and what a model answers."""

import pytest
import torch

import tiny
from finewright.errors import DataError
from finewright.evaluate.answers import answer_all, nll_of_expected, question_of
from finewright.lm.chat import Chat
from finewright.lm.generate import Sampling, generate
from finewright.lm.model import LM
from finewright.schema.rows import Row

pytestmark = pytest.mark.torch


def row_of(*turns: tuple[str, str]) -> Row:
    messages = tuple({"role": role, "content": content} for role, content in turns)
    return Row("id", messages, None, "test.jsonl", 7)


ASKED = row_of(("user", "the red"), ("assistant", "answer red"))


@pytest.fixture(scope="module")
def lm() -> LM:
    return LM(tiny.tiny_model("llama"), {})


@pytest.fixture(scope="module")
def chat() -> Chat:
    return tiny.tiny_chat()


def test_all_before_the_last_assistant_turn_is_asked(chat: Chat) -> None:
    row = row_of(
        ("system", "S"), ("user", "Q1"), ("assistant", "A1"), ("user", "Q2"), ("assistant", "A2")
    )
    question = question_of(chat, row)
    assert question.prompt == chat.render(row.messages[:4], ask=True)
    assert question.prompt.endswith("<|im_start|>assistant\n")
    assert "A2" not in question.prompt
    assert (question.last_turn, question.expected) == ("Q2", "A2")
    assert chat.tokenizer.decode(question.prompt_ids) == question.prompt


def test_turns_after_the_last_answer_are_not_asked(chat: Chat) -> None:
    question = question_of(chat, row_of(("user", "Q"), ("assistant", "A"), ("user", "thanks")))
    assert (question.last_turn, question.expected) == ("Q", "A")
    assert "thanks" not in question.prompt


@pytest.mark.parametrize("turns", [[("assistant", "A")], [("user", "Q")]])
def test_a_row_that_asks_nothing_is_refused(turns: list[tuple[str, str]], chat: Chat) -> None:
    with pytest.raises(
        DataError, match=r"^test.jsonl:7: no assistant turn that answers something$"
    ):
        question_of(chat, row_of(*turns))


def test_answers_are_those_of_each_prompt_alone_whatever_the_batch(lm: LM, chat: Chat) -> None:
    texts = ["the", "the red and the blue", "x" * 30, "a b", "the other"]
    questions = [question_of(chat, row_of(("user", t), ("assistant", "A"))) for t in texts]
    alone = [
        chat.tokenizer.decode(
            generate(
                lm,
                [q.prompt_ids],
                stop_ids=chat.stop_ids,
                sampling=Sampling(max_new_tokens=6),
            )[0].ids,
            skip_special_tokens=True,
        )
        for q in questions
    ]
    found = dict(answer_all(lm, chat, questions, max_new_tokens=6, batch_size=2))
    assert [found[i].answer.content for i in range(5)] == alone


def test_an_answer_that_hits_the_limit_did_not_stop(lm: LM, chat: Chat) -> None:
    ((_, answer),) = answer_all(
        lm, chat, [question_of(chat, ASKED)], max_new_tokens=1, batch_size=8
    )
    assert answer.answer.ended is False


def test_the_expected_loss_is_that_of_the_last_answers_tokens_alone(lm: LM, chat: Chat) -> None:
    row = row_of(("user", "Q"), ("assistant", "answer one"), ("user", "Q"), ("assistant", "answer"))
    nll, count = nll_of_expected(lm, chat, row)
    text = chat.render(row.messages)
    prompt = chat.render(row.messages[:3], ask=True)
    ids = torch.tensor([chat.tokenizer(text, add_special_tokens=False)["input_ids"]])
    start = len(chat.tokenizer(prompt, add_special_tokens=False)["input_ids"])
    end = chat.tokenizer("answer<|im_end|>", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logps = lm.model(ids).logits[0].log_softmax(-1)
    expected = sum(-float(logps[start + i - 1, token]) for i, token in enumerate(end))
    assert ids[0, start : start + len(end)].tolist() == end
    assert count == len(end)
    assert nll == pytest.approx(expected, abs=1e-4)
