"""Our own shapes, with what others write beside them."""

import json

import pytest

from .door import A2, Q2, A, B, Out, Q, S, door, passes, read_only, refused


@pytest.mark.parametrize(
    ("row", "expected", "data_type"),
    [
        ({"prompt": "Q", "completion": "A"}, Out([S, Q, A]), "prompt_completion"),
        ({"prompt": [Q], "completion": [A]}, Out([S, Q, A]), "prompt_completion"),
        ({"prompt": "Q", "chosen": "A", "rejected": "B"}, Out([S, Q, A], [S, Q, B]), "preference"),
        (
            {"prompt": "Q", "completion": "A", "label": False},
            Out([S, Q, A], label=False),
            "unpaired_preference",
        ),
        ({"prompt": "Q", "answer": "A"}, Out([S, Q], columns={"answer": "A"}), "prompt_only"),
    ],
)
def test_a_system_text_beside_a_prompt_is_its_first_turn(row, expected, data_type):
    passes({"system": "S", **row}, expected, data_type)


def test_ultras_answers_begin_with_the_prompt():
    row = {"prompt": "Q", "chosen": [Q, A], "rejected": [Q, B]}
    for more, system in (({}, ()), ({"system": "S"}, (S,))):
        found = door({**more, **row})
        assert [p.level for p in found.problems] == ["warning", "warning"]
        assert found.rows[0].messages == (*system, Q, A)
        assert found.rows[0].rejected == (*system, Q, B)
    assert refused({**row, "system": "S", "chosen": [Q2, A]})


def test_a_system_that_says_nothing_is_left_out():
    passes({"system": " ", "prompt": "Q", "completion": "A"}, Out([Q, A]), "prompt_completion")
    passes({"system": None, "prompt": "Q", "completion": "A"}, Out([Q, A]), "prompt_completion")


def test_two_systems_are_told():
    found = door({"system": "T", "prompt": [S, Q], "completion": "A"})
    assert [(p.level, p.key) for p in found.problems] == [("warning", "system")]
    assert found.rows[0].messages == (S, Q, A)


def test_other_spellings_inside_a_side_are_ours_too():
    row = {
        "prompt": [{"from": "human", "value": "Q"}],
        "completion": [A | {"train": False}, Q2, A2 | {"loss": True}],
    }
    passes(row, Out([Q, read_only(A), Q2, A2]), "prompt_completion")
    row["prompt"] = [{"from": "somebody", "value": "Q"}]
    assert door(row).problems[0].key == "prompt[0].from"


@pytest.mark.parametrize(
    ("row", "key"),
    [
        (
            {"system": "S", "prompt": [{"role": "usr", "content": "Q"}], "completion": "A"},
            "prompt[0].role",
        ),
        ({"system": "S", "prompt": [Q, A], "chosen": "A", "rejected": "B"}, "prompt[1].role"),
        ({"system": "S", "prompt": "", "completion": "A"}, "prompt"),
        ({"system": "S", "prompt": "Q", "chosen": "A", "rejected": " "}, "rejected"),
        ({"system": "S", "prompt": "Q", "completion": " "}, "completion"),
    ],
)
def test_a_mistake_is_named_where_it_stands_also_after_a_system(row, key):
    assert refused(row)[0][0] == key


SPELLED = [json.dumps([Q]), json.dumps([A]), str([A]), '[{"from": "Rome", "value": "1"}]', "[]"]


@pytest.mark.parametrize("spelled", SPELLED)
def test_text_of_a_side_stays_text_whatever_it_spells(spelled):
    asked, answered = (
        {"role": "user", "content": spelled},
        {"role": "assistant", "content": spelled},
    )
    passes({"prompt": spelled, "completion": spelled}, Out([asked, answered]), "prompt_completion")
    pair = Out([asked, answered], rejected=[asked, B])
    passes({"prompt": spelled, "chosen": spelled, "rejected": "B"}, pair, "preference")
    shared = {"conversations": [{"from": "human", "value": spelled}]}
    passes({**shared, "chosen": spelled, "rejected": "B"}, pair, "preference")
