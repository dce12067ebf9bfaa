"""Vertex AI's files for Gemini."""

import pytest

from .door import A2, Q2, TOOL, A, B, Out, Q, S, calling, door, passes, read_only, refused, result


def said(role: str, *parts: dict | str) -> dict:
    return {"role": role, "parts": [{"text": p} if isinstance(p, str) else p for p in parts]}


U, M, M_B = said("user", "Q"), said("model", "A"), said("model", "B")
CALL = {"functionCall": {"name": "f", "args": {"x": 1}}}
RESPONSE = {"functionResponse": {"name": "f", "response": {"y": 2}}}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"contents": [U, M]}, Out([Q, A])),
        ({"contents": [U, M, said("user", "Q2"), said("model", "A2")]}, Out([Q, A, Q2, A2])),
        ({"contents": [U, said("model", "A", "2")]}, Out([Q, A2])),
        ({"contents": [U, M], "systemInstruction": said("system", "S")}, Out([S, Q, A])),
        ({"contents": [U, M], "system_instruction": {"parts": {"text": "S"}}}, Out([S, Q, A])),
        (
            {"contents": [U, M], "systemInstruction": "S", "id": 1},
            Out([S, Q, A], columns={"id": 1}),
        ),
        (
            {"contents": [U, said("model", {"text": "T", "thought": True}, "A")]},
            Out([Q, {"role": "assistant", "reasoning_content": "T", "content": "A"}]),
        ),
    ],
)
def test_a_conversation(row, expected):
    passes(row, expected, "messages")


@pytest.mark.parametrize("role", ["user", "function"])
def test_functions(role):
    row = {
        "contents": [U, said("model", CALL), said(role, RESPONSE), M],
        "tools": [{"functionDeclarations": [TOOL["function"]]}],
    }
    messages = [Q, calling({"x": 1}), result('{"y": 2}', name="f"), A]
    passes(row, Out(messages, tools=[TOOL]), "messages")


def test_two_calls_in_snake_case():
    calls = [{"function_call": {"name": "f", "args": {"x": i}}} for i in (1, 2)]
    results = [{"function_response": {"name": "f", "response": i}} for i in (3, 4)]
    row = {"contents": [U, said("model", *calls), said("user", *results), M]}
    messages = [Q, calling({"x": 1}, {"x": 2}), result("3", name="f"), result("4", 2, name="f"), A]
    passes(row, Out(messages), "messages")


@pytest.mark.parametrize("scores", [(1, 0), (0, 1), (1.0, 0.0)])
def test_a_pair(scores):
    texts = {1: "A", 0: "B"}
    completions = [{"score": s, "completion": said("model", texts[int(s)])} for s in scores]
    row = {"contents": [U], "completions": completions, "systemInstruction": said("system", "S")}
    passes(row, Out([S, Q, A], [S, Q, B]), "preference")


def test_a_prompt_where_it_is_asked_for():
    row = {"contents": [U, M, said("user", "Q2")], "references": {"a": 1}}
    expected = Out([Q, read_only(A), Q2], columns={"references": {"a": 1}})
    passes(row, expected, "prompt_only", type="prompt_only")


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"contents": 3}, "contents"),
        ({"contents": []}, "contents"),
        ({"contents": [3]}, "contents[0]"),
        ({"contents": [{"role": "user"}]}, "contents[0]"),
        ({"contents": [U, said("mdl", "A")]}, "contents[1].role"),
        ({"contents": [U, {"role": 3, "parts": [{"text": "A"}]}]}, "contents[1].role"),
        ({"contents": [U, said("model", {"fileData": {}})]}, "contents[1].parts[0]"),
        ({"contents": [U, said("model", "")]}, "contents[1]"),
        ({"contents": [U, said("user", RESPONSE), M]}, "contents[1].parts[0]"),
        ({"contents": [U, M], "systemInstruction": {"parts": [3]}}, "systemInstruction.parts[0]"),
        ({"contents": [U], "completions": []}, "completions"),
        ({"contents": [U], "completions": [{"score": 1, "completion": M}] * 2}, "completions"),
        (
            {"contents": [U], "completions": [{"score": i, "completion": M} for i in (1, 0)]},
            "completions[1].completion",
        ),
    ],
)
def test_a_mistake_is_named_by_the_users_key(row, key):
    assert refused(row)[0][0] == key


def test_one_content_need_not_be_a_list():
    assert door({"contents": said("user", "Q")}, type="prompt_only").rows[0].messages == (Q,)
