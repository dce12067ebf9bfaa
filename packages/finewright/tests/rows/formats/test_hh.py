"""HH-RLHF's texts."""

import pytest

from .door import A2, Q2, A, B, Out, Q, door, passes, read_only, refused

ASKED = "\n\nHuman: Q\n\nAssistant:"
LONG = "\n\nHuman: Q\n\nAssistant: A\n\nHuman: Q2\n\nAssistant:"


def test_two_texts_are_a_pair():
    row = {"chosen": f"{ASKED} A", "rejected": f"{ASKED} B"}
    passes(row, Out([Q, A], [Q, B]), "preference")


def test_a_pair_differs_in_its_last_answer():
    row = {"chosen": f"{LONG} A2", "rejected": f"{LONG} B"}
    before = [Q, read_only(A), Q2]
    passes(row, Out([*before, A2], [*before, B]), "preference")


@pytest.mark.parametrize(
    ("row", "expected", "data_type"),
    [
        ({"chosen": " A", "rejected": "B"}, Out([Q, A], [Q, B]), "preference"),
        ({"completion": " A"}, Out([Q, A]), "prompt_completion"),
        ({"completion": "A", "label": True}, Out([Q, A], label=True), "unpaired_preference"),
        ({"answer": "A"}, Out([Q], columns={"answer": "A"}), "prompt_only"),
    ],
)
def test_a_prompt_may_end_with_the_mark_of_the_answer(row, expected, data_type):
    passes({"prompt": ASKED, **row}, expected, data_type)
    passes({"prompt": "Human: Q", **row}, expected, data_type)


def test_a_text_is_a_conversation():
    passes({"text": f"{LONG} A2"}, Out([Q, A, Q2, A2]), "messages")


def test_what_is_said_may_have_lines_and_blank_lines():
    row = {"text": "Human: one\n\ntwo: three\nHuman: four\n\nAssistant: A"}
    assert door(row).rows[0].messages[0]["content"] == "one\n\ntwo: three\nHuman: four"


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"chosen": f"{ASKED} A", "rejected": f"{ASKED} A"}, "rejected"),
        ({"chosen": f"{ASKED} A", "rejected": "\n\nHuman: R\n\nAssistant: B"}, "rejected"),
        ({"chosen": f"{ASKED}", "rejected": f"{ASKED} B"}, "chosen"),
        ({"prompt": ASKED, "chosen": "", "rejected": "B"}, "chosen"),
        ({"chosen": "A", "rejected": "B"}, "chosen"),
    ],
)
def test_a_mistake_is_named_by_the_users_key(row, key):
    assert refused(row)[0][0] == key
