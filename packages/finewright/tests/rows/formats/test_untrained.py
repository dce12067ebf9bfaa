"""What is known and refused, and with which way out."""

import time

import pytest

from finewright.data.validate import validate
from finewright.rows.formats.content import whole_turns_in
from finewright.rows.read import ReadRow

from .door import A, Out, Q, door, passes, refused

STEPS = {"prompt": "Q", "completions": ["one", "two"], "labels": [True, True]}


def test_plain_text_is_known_and_refused_with_its_way_out():
    found = door({"text": "A", "meta": {}})
    assert refused({"text": "A"})[0][0] == "text"
    assert "`prompt` and `completion`" in found.problems[0].hint
    assert "`finewright rag index`" in found.problems[0].hint


def test_a_message_of_a_tree_is_no_plain_text():
    row = {
        "message_id": "m2",
        "parent_id": "m1",
        "text": "NaCl.",
        "role": "prompter",
        "state": "ok",
    }
    ((_, what),) = refused(row)
    assert what.startswith("one turn of a conversation")


def test_a_text_beside_a_label_in_words_can_be_what_is_asked():
    found = door({"text": "I am happy", "label": "joy"})
    assert "columns: {prompt: text, completion: label}" in found.problems[0].hint


@pytest.mark.parametrize(("label", "answer"), [(0, "0"), (12, "12"), (True, "true")])
def test_a_numbered_class_is_proposed_and_then_read_as_its_text(label, answer):
    row = {"text": "I am happy", "label": label}
    hint = door(row).problems[0].hint
    assert "--column prompt=text --column completion=label" in hint
    assert "a number is trained as its text" in hint
    named = {"prompt": "text", "completion": "label"}
    found = validate([ReadRow("a.jsonl", 1, row)], "auto", columns=named)
    assert found.problems == ()
    assert [m["content"] for m in found.rows[0].messages] == ["I am happy", answer]


def test_token_ids_are_known_and_refused():
    row = {"input_ids": [1], "attention_mask": [1], "labels": [1]}
    assert refused(row)[0][0] == "input_ids"
    passes(row | {"messages": [Q, A]}, Out([Q, A], columns=row), "messages")


def test_steps_are_a_judged_answer_and_what_is_lost_is_said_unless_it_is_asked_for():
    found = door(STEPS)
    assert [(p.level, p.key) for p in found.problems] == [("warning", "labels")]
    assert [row.label for row in found.rows] == [True]
    answer = {"role": "assistant", "content": "one\ntwo"}
    passes(STEPS, Out([Q, answer], label=True), "unpaired_preference", type="unpaired_preference")
    wrong = STEPS | {"labels": [True, False]}
    passes(wrong, Out([Q, answer], label=False), "unpaired_preference", type="unpaired_preference")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"completions": []}, "completions"),
        ({"completions": ["one", 2]}, "completions"),
        ({"labels": [True]}, "labels"),
        ({"labels": [1, 0]}, "labels"),
        ({"prompt": ""}, "prompt"),
        ({"completions": ["", " "]}, "completions"),
    ],
)
def test_wrong_steps_are_named(change, key):
    assert refused(STEPS | change, type="unpaired_preference")[0][0] == key


def said(*turns: str) -> list[dict]:
    return [dict(zip(("role", "content"), turn.split(":", 1), strict=True)) for turn in turns]


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        (
            "<|im_start|>user\nQ\nR<|im_end|>\n<|im_start|>assistant\n  - A\n <|im_end|>\n",
            said("user:Q\nR", "assistant:  - A\n "),
        ),
        (
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nQ<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|><|end_of_text|>",
            said("user:Q", "assistant:A"),
        ),
        (
            "<bos><start_of_turn>user\nQ<end_of_turn>\n<start_of_turn>model\nA<end_of_turn>\n",
            said("user:Q", "assistant:A"),
        ),
        ("<|user|>\nQ</s>\n<|assistant|>\nA</s>\n", said("user:Q", "assistant:A")),
        (
            "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nQ [/INST] A </s><s>[INST] R [/INST] B </s>",
            said("system:S", "user:Q", "assistant:A", "user:R", "assistant:B"),
        ),
        ("<s>[INST] Q [/INST]A</s>", said("user:Q", "assistant:A")),
    ],
)
def test_text_that_a_template_wrote_is_its_turns_to_the_byte(text, turns):
    found = door({"text": text})
    assert [(problem.level, problem.key) for problem in found.problems] == [("warning", "text")]
    assert list(found.rows[0].messages) == turns


@pytest.mark.parametrize(
    "text",
    [
        "### Human: Q### Assistant: A",
        "### Instruction:\nQ\n\n### Response:\nA",
        "<|im_start|>user\nQ<|im_end|>\n",
        "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA",
        "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\nand more",
        "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_start|>user\nB<|im_end|>",
        "<|im_start|>critic\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n",
        "<s>[INST] Q [/INST] A [INST] R [/INST] B </s>",
        "<s>[INST] Q [/INST] A",
        "<s>[INST] <<SYS>> S <</SYS>> Q [/INST] A </s>",
        "Human: Q",
        "### Notes\nA",
    ],
)
def test_text_in_doubt_is_plain(text):
    assert refused({"text": text})[0][0] == "text"


@pytest.mark.parametrize(
    "text",
    [
        "<s>[INST] <<SYS>>" + " " * 50_000,
        "<s>[INST] <<SYS>>" + "\n<</SYS>>\n\n" * 5_000,
        "[INST] " * 10_000,
        "[INST] Q" + " [/INST]" * 10_000,
        "<|im_start|>user\n" * 10_000,
        "<|im_start|>user\nQ<|im_end|>" * 5_000 + " " * 50_000,
    ],
)
def test_a_text_is_looked_through_in_proportion_to_its_length(text):
    began = time.process_time()
    assert whole_turns_in(text) == []
    assert time.process_time() - began < 0.5  # seconds; a hundredth of it is usual
