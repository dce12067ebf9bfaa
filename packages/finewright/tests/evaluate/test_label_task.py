"""Rows whose answers are labels: which they are, and that every base is told them whatever its template."""

from collections.abc import Sequence

import pytest

import tiny
from finewright.data.canaries import make_canaries, place_canaries
from finewright.evaluate.baselines.label_task import label_task, sets_with_labels, with_labels
from finewright.evaluate.measured import RowSet
from finewright.lm.chat import Chat
from finewright.schema.canaries import CanariesSpec
from finewright.schema.rows import Row

pytestmark = pytest.mark.torch

NO_SYSTEM = "{{ raise_exception('System role not supported') }}"
LABELS = ("card_lost", "fee")


def row(asked: str, answer: str, system: str = "", number: int = 1) -> Row:
    turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    first = [{"role": "system", "content": system}] if system else []
    return Row(f"{number}", (*first, *turns), None, "t.jsonl", number)


def rows(*answers: str) -> list[Row]:
    return [row(f"question {i}", answer, number=i) for i, answer in enumerate(answers, 1)]


def chat_with(start: str) -> Chat:
    """ChatML that begins with a rule about system prompts."""
    chat = tiny.tiny_chat()
    chat.tokenizer.chat_template = start + (
        "{% for m in messages %}{% if m['role'] != 'system' %}"
        "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    return chat


REFUSES = "{% if messages[0]['role'] == 'system' %}" + NO_SYSTEM + "{% endif %}"


def told(chat: Chat, asked: Row, labels: Sequence[str] = LABELS) -> str:
    return chat.prompt(with_labels(chat, asked, labels).messages[:-1]).text


def test_labels_are_told_in_the_system_prompt_after_the_rows_own() -> None:
    text = told(tiny.tiny_chat(), row("My card is gone", "card_lost", system="You are a bank."))
    system, _, question = text.partition("<|im_end|>")
    assert system.startswith("<|im_start|>system\nYou are a bank.\n\nAnswer with exactly one of")
    assert system.endswith("\n- card_lost\n- fee")
    assert "My card is gone" in question
    assert "card_lost" not in question


@pytest.mark.parametrize("start", [REFUSES, ""], ids=["refuses", "leaves out"])
def test_labels_are_told_in_the_question_where_there_is_no_system_prompt(start: str) -> None:
    text = told(chat_with(start), row("My card is gone", "card_lost"))
    assert "- card_lost\n- fee\n\nMy card is gone<|im_end|>" in text


def test_a_row_that_names_every_label_is_asked_as_it_is() -> None:
    known = row("Is it a fee or card_lost?", "fee")
    assert with_labels(tiny.tiny_chat(), known, LABELS) is known
    hidden = row("I know a north wind", "no")
    assert with_labels(tiny.tiny_chat(), hidden, ("no", "know")) != hidden


def test_sets_that_ask_for_other_things_are_not_of_the_task() -> None:
    task = label_task(rows(*["fee", "card_lost"] * 5))
    assert task is not None
    assert task.labels == LABELS
    assert task.is_label(" Fee. ")
    assert not task.is_label("the fee")
    sets = [RowSet("same", rows("fee", "card_lost", "new_label")), RowSet("other", rows("4", "5"))]
    assert [each.name for each in sets_with_labels(tiny.tiny_chat(), task, sets)] == ["same"]


@pytest.mark.parametrize(
    "train",
    [
        rows(*["fee"] * 20),
        rows(*[f"answer {i}" for i in range(20)]),
        [
            *rows(*["fee", "card_lost"] * 5),
            Row("p", ({"role": "user", "content": "q"},), None, "t", 9),
        ],
    ],
    ids=["one label", "free answers", "a prompt alone"],
)
def test_other_rows_are_no_label_task(train: list[Row]) -> None:
    assert label_task(train) is None


def test_canaries_among_the_rows_are_no_labels() -> None:
    own = rows(*(LABELS * 20))
    mixed = place_canaries(make_canaries(CanariesSpec(count=24)), own, [], seed=0).rows
    assert len(mixed) > len(own)
    task = label_task(mixed)
    assert task is not None
    assert task.labels == LABELS
    assert len(task.questions) == len(own)
