"""ShareGPT, as LLaMA-Factory, Axolotl and ms-swift read it."""

import json

import pytest

from .door import A2, Q2, TOOL, A, B, Out, Q, S, calling, door, passes, read_only, refused, result

H, G, G_B = ({"from": who, "value": v} for who, v in (("human", "Q"), ("gpt", "A"), ("gpt", "B")))
H2, G2 = {"from": "human", "value": "Q2"}, {"from": "gpt", "value": "A2"}
CALL = {"from": "function_call", "value": '{"name": "f", "arguments": {"x": 1}}'}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"conversations": [H, G]}, Out([Q, A])),
        ({"conversations": [H, G, H2, G2], "id": "x"}, Out([Q, A, Q2, A2], columns={"id": "x"})),
        ({"conversations": [{"from": "system", "value": "S"}, H, G]}, Out([S, Q, A])),
        ({"conversations": [H, G], "system": "S"}, Out([S, Q, A])),
        ({"conversations": [Q, A]}, Out([Q, A])),
        ({"conversations": [H, G | {"weight": 0}, H2, G2]}, Out([Q, read_only(A), Q2, A2])),
        ({"conversations": [H, G | {"train": False}, H2, G2]}, Out([Q, read_only(A), Q2, A2])),
        ({"conversation": [{"human": "Q", "assistant": "A"}], "system": "S"}, Out([S, Q, A])),
        ({"conversation": [H, G]}, Out([Q, A])),
        (
            {
                "conversations": [
                    {"role": "user", "value": "Q"},
                    {"role": "assistant", "value": "A"},
                ]
            },
            Out([Q, A]),
        ),
        (
            {"messages": [{"from": "user", "value": "Q"}, {"from": "assistant", "value": "A"}]},
            Out([Q, A]),
        ),
    ],
)
def test_a_conversation(row, expected):
    passes(row, expected, "messages")


@pytest.mark.parametrize("role", ["gpt", "chatgpt", "bot", "model", "ai", "assistant"])
def test_the_assistant_has_many_names(role):
    passes({"conversations": [H, {"from": role, "value": "A"}]}, Out([Q, A]), "messages")


@pytest.mark.parametrize("role", ["observation", "tool", "function"])
def test_calls_and_what_they_return(role):
    tools = json.dumps([TOOL["function"]])
    row = {"conversations": [H, CALL, {"from": role, "value": "1"}, G], "tools": tools}
    passes(row, Out([Q, calling({"x": 1}), result("1"), A], tools=[TOOL]), "messages")


def test_two_calls_in_one_turn():
    both = {"from": "function_call", "value": f"[{CALL['value']}, {CALL['value']}]"}
    results = [{"from": "observation", "value": text} for text in "12"]
    expected = [Q, calling({"x": 1}, {"x": 1}), result("1"), result("2", 2), A]
    passes({"conversations": [H, both, *results, G]}, Out(expected), "messages")


def test_no_tools_are_an_empty_text():
    passes({"conversations": [H, G], "tools": ""}, Out([Q, A]), "messages")


@pytest.mark.parametrize("answer", [(G, G_B), (A, B), ("A", "B"), ([G], [G_B])])
def test_a_pair(answer):
    row = {"conversations": [H, G2, H2], "chosen": answer[0], "rejected": answer[1], "system": "S"}
    before = [S, Q, read_only(A2), Q2]
    passes(row, Out([*before, A], [*before, B]), "preference")


def test_a_judged_answer():
    row = {"conversations": [H, G], "kto_tag": True}
    passes(row, Out([Q, A], label=True), "unpaired_preference")
    passes(
        {"conversations": [H, G], "label": False}, Out([Q, A], label=False), "unpaired_preference"
    )
    passes({"conversations": [H, G], "label": 3}, Out([Q, A], columns={"label": 3}), "messages")


def test_a_prompt_where_it_is_asked_for():
    row = {"conversations": [H, G, H2], "answer": 1}
    expected = Out([Q, read_only(A), Q2], columns={"answer": 1})
    passes(row, expected, "prompt_only", type="prompt_only")


@pytest.mark.parametrize(
    ("row", "key", "said"),
    [
        ({"conversations": []}, "conversations", "an empty list"),
        ({"conversations": "x"}, "conversations", "text; a list of messages is expected"),
        ({"conversations": ["x"]}, "conversations[0]", "text; a message is an object"),
        ({"conversations": [H, {"from": "gpt"}]}, "conversations[1].value", "missing"),
        ({"conversations": [H, {"value": "A"}]}, "conversations[1].from", "missing"),
        (
            {"conversations": [H, {"from": "gtp", "value": "A"}]},
            "conversations[1].from",
            "unknown role",
        ),
        ({"conversations": [H, G | {"value": 3}]}, "conversations[1].value", "a number"),
        ({"conversations": [H, G | {"value": ["x"]}]}, "conversations[1].value[0]", "text; only"),
        ({"conversations": [H, G | {"value": ""}]}, "conversations[1]", "all labels masked"),
        ({"conversations": [H]}, "conversations", "no assistant turn"),
        (
            {"conversations": [H, CALL | {"value": "f()"}, G]},
            "conversations[1].value",
            "a call is JSON",
        ),
        (
            {"conversations": [H, CALL | {"value": '{"name": "f", "arguments": 3}'}, G]},
            "conversations[1].value",
            "neither an object nor JSON text of an object",
        ),
        (
            {"conversations": [H, {"from": "tool", "value": "1"}, G]},
            "conversations[1]",
            "a result, and",
        ),
        ({"conversations": [H, G], "tools": 5}, "tools", "a list of objects"),
        ({"conversations": [H], "chosen": G, "rejected": G}, "rejected", "the same as chosen"),
        (
            {"conversations": [H], "chosen": H2, "rejected": G},
            "chosen",
            "begins with the user's turn",
        ),
        (
            {"conversations": [H], "chosen": {"from": "gpt"}, "rejected": G},
            "chosen.value",
            "missing",
        ),
        (
            {"conversations": [H, G], "chosen": G, "rejected": G_B},
            "conversations[1].from",
            "the prompt ends",
        ),
        ({"conversation": [{"human": 3, "assistant": "A"}]}, "conversation[0].human", "a number"),
        ({"conversation": 3}, "conversation", "a number; a list of messages"),
    ],
)
def test_a_mistake_is_named_by_the_users_key(row, key, said):
    assert refused(row)[0][0] == key
    assert refused(row)[0][1].startswith(said)


def test_conversations_beside_messages_are_not_guessed():
    found = door({"conversations": [H, G], "messages": [Q, A]})
    assert found.problems[0].message == "both `messages` and `conversations` are here"


@pytest.mark.parametrize("broken", [r'"f\ud800"', '"f", "name": "g"', '"f", "arguments": NaN'])
def test_a_call_that_breaks_the_rules_of_json_is_none(broken):
    call = {"from": "function_call", "value": f'{{"name": {broken}}}'}
    row = {"conversations": [{"from": "human", "value": "Q"}, call]}
    assert refused(row)[0][0] == "conversations[1].value"
