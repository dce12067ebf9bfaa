"""ms-swift's forms."""

import pytest

from .door import A2, Q2, A, B, Out, Q, S, passes, read_only, refused


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"query": "Q", "response": "A"}, Out([Q, A])),
        ({"query": "Q2", "response": "A2", "history": [["Q", "A"]]}, Out([Q, A, Q2, A2])),
        (
            {"query": "Q", "response": "A", "system": "S", "channel": "c"},
            Out([S, Q, A], columns={"channel": "c"}),
        ),
        (
            {"messages": [Q, A | {"loss": False}, Q2, A2], "channel": "c"},
            Out([Q, read_only(A), Q2, A2], columns={"channel": "c"}),
        ),
    ],
)
def test_a_conversation(row, expected):
    passes(row, expected, "messages")


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [S, Q, A], "rejected_response": "B"},
        {"messages": [S, Q, A], "rejected_response": [B]},
        {"messages": [S, Q, A], "rejected_messages": [S, Q, B]},
        {"messages": [Q, A], "system": "S", "rejected_messages": [Q, B]},
        {"query": "Q", "response": "A", "rejected_response": "B", "system": "S"},
    ],
)
def test_a_pair(row):
    passes(row, Out([S, Q, A], [S, Q, B]), "preference")


def test_earlier_answers_of_a_pair_are_read_only():
    row = {"messages": [Q, A, Q2, A2], "rejected_response": "B"}
    before = [Q, read_only(A), Q2]
    passes(row, Out([*before, A2], [*before, B]), "preference")


def test_a_judged_response():
    row = {"query": "Q", "response": "A", "label": False}
    passes(row, Out([Q, A], label=False), "unpaired_preference")


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"query": "Q", "response": ""}, "response"),
        ({"query": 3, "response": "A"}, "query"),
        ({"query": "Q", "response": "A", "history": [["Q", None]]}, "history[0][1]"),
        ({"messages": [Q], "rejected_response": "B"}, "messages[0]"),
        ({"messages": [], "rejected_response": "B"}, "messages"),
        ({"messages": 3, "rejected_response": "B"}, "messages"),
        ({"messages": [Q, A], "rejected_response": "A"}, "rejected_response"),
        ({"messages": [Q, A], "rejected_response": 3}, "rejected_response"),
        (
            {"messages": [{"role": "x", "content": "Q"}, A], "rejected_response": "B"},
            "messages[0].role",
        ),
        ({"messages": [Q, A], "rejected_messages": [Q2, B]}, "rejected_messages[0]"),
        ({"query": "Q", "response": "A", "images": ["a.png"]}, "images"),
    ],
)
def test_a_mistake_is_named_by_the_users_key(row, key):
    assert refused(row)[0][0] == key
