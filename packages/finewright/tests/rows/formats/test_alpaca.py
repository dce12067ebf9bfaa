"""Alpaca, as LLaMA-Factory reads it."""

import pytest

from .door import A2, Q2, TOOL, A, B, Out, Q, S, door, out, passes, read_only, refused

BASE = {"instruction": "Q", "output": "A"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, Out([Q, A])),
        ({"input": ""}, Out([Q, A])),
        ({"input": None}, Out([Q, A])),
        ({"input": "I"}, Out([Q | {"content": "Q\nI"}, A])),
        ({"system": "S"}, Out([S, Q, A])),
        ({"system": ""}, Out([Q, A])),
        ({"history": [["Q2", "A2"]]}, Out([Q2, A2, Q, A])),
        ({"history": [], "id": 1}, Out([Q, A], columns={"id": 1})),
        (
            {"text": "Below is an instruction"},
            Out([Q, A], columns={"text": "Below is an instruction"}),
        ),
        ({"tools": [TOOL]}, Out([Q, A], tools=[TOOL])),
        ({"instruction": "", "input": "Q"}, Out([Q, A])),
    ],
)
def test_an_instruction_is_answered(more, expected):
    passes(BASE | more, expected, "messages")


def test_the_whole_of_it():
    row = BASE | {"input": "I", "system": "S", "history": [["Q2", "A2"]]}
    expected = [S, Q2, A2, Q | {"content": "Q\nI"}, A]
    passes(row, Out(expected), "messages", type="prompt_completion")


def test_a_pair():
    row = {"instruction": "Q", "input": "I", "chosen": "A", "rejected": "B"}
    asked = Q | {"content": "Q\nI"}
    passes(row, Out([asked, A], [asked, B]), "preference")
    row |= {"history": [["Q2", "A2"]], "system": "S"}
    before = [S, Q2, read_only(A2), asked]
    passes(row, Out([*before, A], [*before, B]), "preference")


@pytest.mark.parametrize("tag", ["kto_tag", "label"])
@pytest.mark.parametrize("liked", [True, False])
def test_a_judged_output(tag, liked):
    passes(BASE | {tag: liked}, Out([Q, A], label=liked), "unpaired_preference")


def test_a_label_that_is_a_class_is_a_column():
    passes(BASE | {"label": 2}, Out([Q, A], columns={"label": 2}), "messages")


@pytest.mark.parametrize("label", [1, 0, "false"])
def test_a_label_that_may_be_a_rating_is_a_column_and_said(label):
    found = door(BASE | {"label": label})
    assert [out(row) for row in found.rows] == [Out([Q, A], columns={"label": label})]
    assert [problem.level for problem in found.problems] == ["info"]


@pytest.mark.parametrize(
    ("change", "key", "said"),
    [
        ({"instruction": 5}, "instruction", "a number; text is expected"),
        ({"instruction": ""}, "instruction", "empty: nothing is asked"),
        ({"input": ["x"]}, "input", "a list; text is expected"),
        ({"output": None}, "output", "null; only an assistant message with tool_calls may lack it"),
        ({"output": ""}, "output", "all labels masked: nothing in this row would be trained"),
        ({"output": 3}, "output", "a number; text is expected"),
        ({"history": "x"}, "history", "text; a list of [question, answer] is expected"),
        ({"history": [["Q"]]}, "history[0]", "a pair of question and answer is expected"),
        ({"history": [["Q", 3]]}, "history[0][1]", "a number; text is expected"),
        ({"system": 3}, "system", "a number; text is expected"),
        ({"tools": 3}, "tools", "a list of objects is expected"),
    ],
)
def test_a_mistake_is_named_by_the_users_key(change, key, said):
    assert refused(BASE | change)[0] == (key, said)


def test_a_pair_beside_an_output_is_not_guessed():
    row = BASE | {"chosen": "A", "rejected": "B"}
    found = door(row)
    assert (
        "`instruction` with `output` and `instruction` with `chosen`" in found.problems[0].message
    )
    passes(row, Out([Q, A], [Q, B], columns={"output": "A"}), "preference", type="preference")


def test_a_prompt_beside_the_pair_is_what_is_asked():
    row = {"instruction": "I", "prompt": "Q", "chosen": "A", "rejected": "B"}
    passes(row, Out([Q, A], [Q, B], columns={"instruction": "I"}), "preference")
