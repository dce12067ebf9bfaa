"""Axolotl's preference styles, judged answers and segments."""

import pytest

from .door import A2, Q2, A, B, Out, Q, S, door, out, passes, refused


@pytest.mark.parametrize(
    "row",
    [
        {"question": "Q", "chosen": "A", "rejected": "B"},
        {"input": "Q", "chosen": "A", "rejected": "B"},
        {"instruction": "Q", "chosen_response": "A", "rejected_response": "B"},
        {"prompt": "Q", "chosen_response": "A", "rejected_response": "B"},
        {"prompt": "Q", "chosen": "A", "rejected": "B"},
        {"messages": [Q], "chosen": A, "rejected": B},
    ],
)
def test_every_style_is_the_same_pair(row):
    passes(row, Out([Q, A], [Q, B]), "preference")
    passes({"system": "S", **row}, Out([S, Q, A], [S, Q, B]), "preference")


def test_two_whole_conversations():
    passes({"chosen": [Q, A], "rejected": [Q, B]}, Out([Q, A], [Q, B]), "preference")


@pytest.mark.parametrize("asked", ["question", "instruction", "prompt"])
def test_a_judged_answer(asked):
    row = {asked: "Q", "completion": "A", "label": True, "system": "S"}
    passes(row, Out([S, Q, A], label=True), "unpaired_preference")
    del row["label"]
    passes(row, Out([S, Q, A]), "prompt_completion")


def test_a_prompt_beside_another_question_is_what_is_asked():
    row = {"prompt": "Q", "chosen": "A", "rejected": "B", "question": "other"}
    passes(row, Out([Q, A], [Q, B], columns={"question": "other"}), "preference")
    expected = Out(
        [Q | {"content": "other"}, A], [Q | {"content": "other"}, B], columns={"prompt": "Q"}
    )
    passes(row, expected, "preference", format="axolotl")


def test_segments_are_questions_and_answers_in_turn():
    parts = [(False, "Q"), (True, "A"), (False, "Q"), (False, "2"), (True, "A2")]
    found = door(segments(*parts))
    assert [out(row) for row in found.rows] == [Out([Q, A, Q2, A2])]
    assert [(p.level, p.key) for p in found.problems] == [("warning", "segments")]


def segments(*parts: tuple[bool, str]) -> dict:
    return {"segments": [{"label": label, "text": text} for label, text in parts]}


ASKS = "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize(
    ("parts", "messages"),
    [
        (
            [(True, "<s>Hello\n"), (True, "there. "), (False, "goodbye "), (True, "farewell</s>")],
            [
                {"role": "assistant", "content": "Hello\nthere. "},
                {"role": "user", "content": "goodbye "},
                {"role": "assistant", "content": "farewell"},
            ],
        ),
        (
            [(False, ASKS + "B<|im_end|>\n" + ASKS), (True, "A<|im_end|>\n")],
            [Q, B | {"weight": 0}, Q, A],
        ),
        ([(False, "<s>[INST] Q [/INST]"), (True, " A</s>")], [Q, A]),
        (
            [
                (False, "<|start_header_id|>user<|end_header_id|>\n\nQ<|eot_id|>"),
                (False, "<|start_header_id|>assistant<|end_header_id|>\n\n"),
                (True, "A<|eot_id|>"),
            ],
            [Q, A],
        ),
        (
            [(False, "<start_of_turn>user\nQ<end_of_turn>\n<start_of_turn>model\n"), (True, "A")],
            [Q, A],
        ),
    ],
)
def test_segments_that_a_template_wrote_are_its_turns(parts, messages):
    found = door(segments(*parts))
    assert [list(row.messages) for row in found.rows] == [messages]
    assert "text without a template in Axolotl" in found.problems[0].message


def test_an_answer_that_is_learned_in_part_is_refused():
    row = segments((False, ASKS + "A "), (True, "B<|im_end|>"))
    assert "parts of an answer are learned" in refused(row)[0][1]


@pytest.mark.parametrize(
    ("segments", "key"),
    [
        ([], "segments"),
        ("x", "segments"),
        (["x"], "segments[0]"),
        ([{"text": "x"}], "segments[0].label"),
        ([{"label": 1, "text": "x"}], "segments[0].label"),
        ([{"label": True}], "segments[0]"),
        (
            [{"label": False, "text": "<s>[INST] Q"}, {"label": True, "text": "A"}],
            "segments[0].text",
        ),
        (
            [{"label": False, "text": "Q"}, {"label": True, "text": "A<|im_end|>"}],
            "segments[1].text",
        ),
        (
            [{"label": False, "text": "### Human: Q"}, {"label": True, "text": "A"}],
            "segments[0].text",
        ),
        ([{"label": False, "text": "Q"}], "segments"),
        ([{"label": False, "text": "Q"}, {"label": True, "text": " "}], "segments[1]"),
    ],
)
def test_segments_that_cannot_be_turns_are_refused(segments, key):
    assert refused({"segments": segments})[0][0] == key


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"question": 3, "chosen": "A", "rejected": "B"}, "question"),
        ({"input": "Q", "chosen": 3, "rejected": "B"}, "chosen"),
        (
            {"instruction": "Q", "chosen_response": "A", "rejected_response": ""},
            "rejected_response",
        ),
        (
            {"instruction": "Q", "chosen_response": "A", "rejected_response": "A"},
            "rejected_response",
        ),
        ({"messages": [Q], "chosen": A, "rejected": {"role": "assistant"}}, "rejected.content"),
        ({"question": "Q", "completion": ""}, "completion"),
    ],
)
def test_a_mistake_is_named_by_the_users_key(row, key):
    assert refused(row)[0][0] == key


def test_a_conversation_beside_two_others_is_not_guessed():
    row = {"messages": [Q, A], "chosen": [Q, A], "rejected": [Q, B]}
    assert "both `messages` and `chosen` with `rejected`" in door(row).problems[0].message
