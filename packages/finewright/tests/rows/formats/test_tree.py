"""Ranked trees and ranked answers."""

import pytest

from .door import A2, Q2, A, B, Out, Q, door, out, passes, read_only, refused


def node(text: str, role: str, *replies: dict, **more: object) -> dict:
    return {"text": text, "role": role, "replies": list(replies), **more}


def asked(text: str, *replies: dict, **more: object) -> dict:
    return node(text, "prompter", *replies, **more)


def told(text: str, *replies: dict, **more: object) -> dict:
    return node(text, "assistant", *replies, **more)


TREE = asked(
    "Q",
    told("B", rank=1),
    told("A", asked("Q2", told("B", rank=2), told("A2", rank=0), told("C", rank=1)), rank=0),
)
ROW = {"message_tree_id": "t", "prompt": TREE}
ID = {"message_tree_id": "t"}


@pytest.mark.parametrize("row", [ROW, TREE | ID])
def test_a_tree_is_the_conversation_of_the_best_replies(row):
    passes(row, Out([Q, A, Q2, A2], columns=ID), "messages")


def test_a_tree_is_a_pair_at_every_prompt_with_ranked_answers_where_pairs_are_asked_for():
    found = door(ROW, {"prompt": asked("Q", told("A"))}, type="preference")
    before = [Q, read_only(A), Q2]
    assert [out(row) for row in found.rows] == [
        Out([Q, A], [Q, B], columns=ID),
        Out([*before, A2], [*before, B], columns=ID),
    ]
    assert [(row.file, row.row) for row in found.rows] == [("rows.jsonl", 1)] * 2
    counts = found.counts
    assert (counts.rows_in, counts.rows_kept, counts.rows_dropped) == (3, 2, {"no_pair": 1})
    assert [(p.level, p.row) for p in found.problems] == [("warning", 2)]


def test_a_tree_is_its_first_prompt_where_prompts_are_asked_for():
    passes(ROW, Out([Q], columns=ID), "prompt_only", type="prompt_only")


def test_equal_ranks_are_no_pair():
    row = {"prompt": asked("Q", told("A", rank=0), told("B", rank=0))}
    assert door(row, type="preference").counts.rows_dropped == {"no_pair": 1}


@pytest.mark.parametrize("mark", [{"deleted": True}, {"review_result": False}])
def test_replies_that_were_taken_back_are_left_out(mark):
    row = {"prompt": asked("Q", told("B", rank=0, **mark), told("A", rank=1))}
    passes(row, Out([Q, A]), "messages")


def test_the_path_ends_with_an_answer():
    passes({"prompt": asked("Q", told("A", asked("Q2")))}, Out([Q, A]), "messages")


@pytest.mark.parametrize(
    ("prompt", "key"),
    [
        (asked("Q", "x"), "prompt.replies[0]"),
        (asked("Q", told(3)), "prompt.replies[0]"),
        (asked("Q", told("A") | {"replies": "x"}), "prompt.replies[0].replies"),
        (asked("Q", node("A", "x")), "prompt.replies[0].role"),
        (asked("Q", told("")), "prompt.replies[0]"),
        (asked("Q"), "prompt"),
    ],
)
def test_a_mistake_is_named_by_the_way_to_it(prompt, key):
    keys = [found for found, _ in refused({"prompt": prompt})]
    assert key in keys


def test_a_tree_of_a_thousand_replies_is_refused_by_its_depth():
    tree = told("A")
    for _ in range(1000):
        tree = told("A", tree)
    assert "nested deeper than 100 replies" in refused({"prompt": tree})[0][1]


def test_ranked_answers_are_the_best_against_the_worst():
    answers = [{"answer": text, "rank": rank} for text, rank in (("C", 2), ("B", 3), ("A", 1))]
    passes({"prompt": "Q", "answers": answers}, Out([Q, A], [Q, B]), "preference")
    answers[0]["rank"] = "x"
    assert refused({"prompt": "Q", "answers": answers})[0][0] == "answers[0]"


def test_answers_without_ranks_are_a_column():
    passes({"prompt": "Q", "answers": ["A"]}, Out([Q], columns={"answers": ["A"]}), "prompt_only")


def test_a_prompt_that_is_a_dialogue_is_its_turns():
    answers = [{"answer": "Yes.", "rank": 1}, {"answer": "No.", "rank": 2}]
    row = {"prompt": "\n\nHuman: Is it?\n\nAssistant: ", "answers": answers}
    (made,) = door(row).rows
    assert [turn["content"] for turn in made.messages] == ["Is it?", "Yes."]
