"""OpenAI's files: tools, legacy functions, the switches of what is learned, pairs, and rows to grade."""

import json

import pytest

from .door import A2, Q2, TOOL, A, B, Out, Q, S, calling, door, passes, read_only, refused, result

FUNCTION = TOOL["function"]
CALLED = {"role": "assistant", "function_call": {"name": "f", "arguments": '{"x": 1}'}}


def test_legacy_functions_become_tools():
    row = {
        "messages": [Q, CALLED, {"role": "function", "name": "f", "content": "1"}, A],
        "functions": [FUNCTION],
    }
    messages = [Q, calling('{"x": 1}'), result("1", name="f"), A]
    passes(row, Out(messages, tools=[TOOL]), "messages")


def test_results_answer_the_call_of_their_name_and_else_the_first_that_waits():
    two = {"role": "assistant", "content": None, "tool_calls": calling({}, {})["tool_calls"]}
    two["tool_calls"][1]["function"] = {"name": "g", "arguments": {}}
    of_g = {"role": "tool_response", "name": "g", "content": "2"}
    row = {"messages": [Q, two, of_g, {"role": "tool_response", "content": "1"}, A]}
    (found,) = door(row).rows
    # Told in the order of the calls.
    assert [m.get("tool_call_id") for m in found.messages] == [None, None, "call_1", "call_2", None]
    assert [m["content"] for m in found.messages[2:4]] == ["1", "2"]


def test_a_result_without_a_call_is_named():
    row = {"messages": [Q, {"role": "function", "name": "f", "content": "1"}, A]}
    assert refused(row)[0] == (
        "messages[1]",
        "a result, and no call before it that waits for one",
    )


def test_calls_in_messages_of_their_own_are_calls_of_one_turn():
    calls = [
        {"role": "tool_call", "content": f'{{"name": "f", "arguments": {{"x": {i}}}}}'}
        for i in "12"
    ]
    results = [{"role": "tool_response", "content": text} for text in "34"]
    expected = [Q, calling({"x": 1}, {"x": 2}), result("3"), result("4", 2), A]
    passes({"messages": [Q, *calls, *results, A]}, Out(expected), "messages")


@pytest.mark.parametrize(
    "switch",
    [
        {"weight": 0},
        {"train": False},
        {"loss": False},
        {"loss": 0},
        {"train_detail": [{"begin_offset": 0, "end_offset": 0, "train": False}]},
    ],
)
def test_each_spelling_of_what_is_not_learned_is_the_same_row(switch):
    passes(
        {"messages": [Q, A | switch, Q2, A2]},
        Out([Q, read_only(A), Q2, A2]),
        "messages",
    )


@pytest.mark.parametrize(
    "switch",
    [
        {"train": True},
        {"loss": True},
        {"loss": 1},
        {"train": None},
        {"train_detail": [{"begin_offset": 0, "end_offset": 0, "train": True}]},
    ],
)
def test_what_is_learned_needs_no_switch(switch):
    passes({"messages": [Q, A | switch]}, Out([Q, A]), "messages")


def test_the_readers_turn_is_never_learned_and_it_is_said_where_it_was_asked_for():
    passes({"messages": [Q | {"train": False}, A]}, Out([Q, A]), "messages")
    found = door({"messages": [Q | {"train": True}, A]})
    assert [(p.level, p.key) for p in found.problems] == [("warning", "messages[0].train")]
    assert found.rows[0].messages == (Q, A)


@pytest.mark.parametrize(
    ("switch", "key", "said"),
    [
        ({"loss": 0.5}, "messages[1].loss", "0.5; a turn is learned (true) or read only (false)"),
        ({"train": "no"}, "messages[1].train", "'no'; a turn is learned (true) or"),
        (
            {"train_detail": [{"begin_offset": 1, "end_offset": 1, "train": True}]},
            "messages[1].train_detail",
            "parts of a turn are learned; here a turn is learned whole",
        ),
        ({"train_detail": 7}, "messages[1].train_detail", "parts of a turn"),
        ({"train_detail": [{"train": True}]}, "messages[1].train_detail", "parts of a turn"),
    ],
)
def test_what_is_learned_in_part_is_refused(switch, key, said):
    row = {"messages": [Q, A | {"content": "AB"} | switch]}
    assert refused(row)[0][0] == key
    assert refused(row)[0][1].startswith(said)


def test_all_masked_is_told_by_the_turn():
    row = {"messages": [Q, A | {"train": False}]}
    assert refused(row) == [
        ("messages[1]", "all labels masked: nothing in this row would be trained")
    ]


def test_the_developer_is_the_system():
    passes({"messages": [{"role": "developer", "content": "S"}, Q, A]}, Out([S, Q, A]), "messages")


def test_the_system_key_is_the_first_turn():
    passes(
        {"system": "S", "messages": [Q, A], "id": 7}, Out([S, Q, A], columns={"id": 7}), "messages"
    )
    passes({"system": "", "messages": [Q, A]}, Out([Q, A]), "messages")
    passes({"system": None, "messages": [Q, A]}, Out([Q, A]), "messages")
    passes({"system": "S", "messages": [S, Q, A]}, Out([S, Q, A]), "messages")


def test_two_systems_are_told_and_the_conversations_own_is_taken():
    found = door({"system": "T", "messages": [S, Q, A]})
    assert [(p.level, p.key) for p in found.problems] == [("warning", "system")]
    assert found.rows[0].messages == (S, Q, A)


def test_tools_may_be_json_text():
    passes(
        {"messages": [Q, A], "tools": '[{"name": "f", "parameters": {"type": "object"}}]'},
        Out([Q, A], tools=[TOOL]),
        "messages",
    )
    assert refused({"messages": [Q, A], "tools": "f"}) == [
        ("tools", "a list of objects is expected")
    ]


def test_a_preference_pair():
    row = {
        "input": {"messages": [S, Q], "tools": [TOOL], "parallel_tool_calls": True},
        "preferred_output": [A],
        "non_preferred_output": [B],
    }
    passes(row, Out([S, Q, A], [S, Q, B], tools=[TOOL]), "preference")
    older = {"input": row["input"], "preferred_completion": [A], "non_preferred_completion": [B]}
    passes(older, Out([S, Q, A], [S, Q, B], tools=[TOOL]), "preference")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"input": "Q"}, "input"),
        ({"input": {}}, "input"),
        ({"input": {"messages": 5}}, "input.messages"),
        ({"input": {"messages": [{"role": "usr", "content": "Q"}]}}, "input.messages[0].role"),
        ({"preferred_output": []}, "preferred_output"),
        ({"preferred_output": [{"role": "assistant"}]}, "preferred_output[0].content"),
        ({"non_preferred_output": [A]}, "non_preferred_output"),
        ({"input": {"messages": [Q], "tools": 5}}, "input.tools"),
    ],
)
def test_a_mistake_in_a_pair_is_named_by_the_users_key(change, key):
    row = {"input": {"messages": [Q]}, "preferred_output": [A], "non_preferred_output": [B]}
    assert refused(row | change)[0][0] == key


def test_a_conversation_to_answer_beside_what_graders_read_is_a_prompt():
    row = {"messages": [S, Q], "reference": {"answer": 42}}
    passes(row, Out([S, Q], columns={"reference": {"answer": 42}}), "prompt_only")


def test_a_conversation_that_ends_with_the_question_is_a_prompt_where_it_is_asked_for():
    row = {"messages": [Q, A, Q2], "reference": 1}
    passes(
        row, Out([Q, read_only(A), Q2], columns={"reference": 1}), "prompt_only", type="prompt_only"
    )
    assert door(row).types == {"messages": 1}


def test_a_judged_conversation_without_an_answer_is_a_mistake_not_a_prompt():
    assert refused({"messages": [Q], "label": True})[0][0] == "messages"


@pytest.mark.parametrize("tag", [{"label": True}, {"kto_tag": True}])
def test_a_liked_conversation(tag):
    passes({"messages": [Q, A], **tag}, Out([Q, A], label=True), "unpaired_preference")


def test_text_parts_are_joined_and_named_by_their_key():
    parts = [{"type": "text", "text": "A"}, {"type": "text", "text": "2"}]
    passes(
        {"messages": [Q, A | {"content": parts, "train": True}]},
        Out([Q, A | {"content": "A2"}]),
        "messages",
    )
    wrong = {"messages": [Q, A | {"content": [{"type": "image_url"}], "train": True}]}
    assert refused(wrong)[0][0] == "messages[1].content[0]"


def test_parts_without_a_type_are_text_where_they_say_nothing_else():
    spoken = [{"role": "user", "content": [{"text": "Q"}]}, {"role": "Chatbot", "content": "A"}]
    passes({"system": [{"text": "S"}], "messages": spoken}, Out([S, Q, A]), "messages")
    spoken[0]["content"] = [{"text": "Q", "cachePoint": {}}]
    assert refused({"messages": spoken})


def test_a_call_that_is_a_part_is_refused_with_how_it_is_written():
    part = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    found = door({"messages": [Q, {"role": "assistant", "content": [part]}]})
    assert "`tool_calls`" in found.problems[0].hint


def test_a_call_after_what_is_said_is_of_the_same_turn():
    call = {"role": "tool_call", "content": '{"name": "f", "arguments": {}}'}
    row = {"messages": [Q, A, call, {"role": "tool", "content": "1"}, A2]}
    passes(row, Out([Q, calling({}) | A, result("1"), A2]), "messages")
    masked = {"messages": [Q, A | {"loss": False}, call, {"role": "tool", "content": "1"}, A2]}
    found = door(masked)
    assert found.rows[0].messages == (Q, read_only(A), calling({}), result("1"), A2)
    assert [p.key for p in found.problems] == ["messages[2].role"]


@pytest.mark.parametrize("spelled", [json.dumps([Q, A]), str([Q, A])])
def test_messages_that_are_text_are_read_as_the_list_that_they_spell(spelled):
    assert door({"messages": spelled}).rows[0].messages == (Q, A)


@pytest.mark.parametrize(
    ("spelled", "said"),
    [
        (r'[{"role": "user", "content": "\ud800"}]', "half of a character"),
        ('[{"role": "user", "role": "user"}]', "key 'role' occurs twice"),
        ("[{'role': 'user', 'content': nan}]", "a list of messages is expected"),
    ],
)
def test_messages_that_are_text_keep_the_rules_of_json(spelled, said):
    [(key, message)] = refused({"messages": spelled})
    assert key == "messages"
    assert said in message


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        (r'[{"name": "f\ud800"}]', "half of a character"),
        ('[{"name": "f", "name": "g"}]', "key 'name' occurs twice"),
        ('[{"name": "f", "parameters": {"default": NaN}}]', "NaN is not JSON"),
        ("[{'name': 'f'}]", "broken JSON at column 3"),
        ('{"name": "f"}', "a list of objects is expected"),
    ],
)
def test_tools_that_are_text_keep_the_rules_of_json(tools, said):
    [(key, message)] = refused({"messages": [Q, A], "tools": tools})
    assert key == "tools"
    assert said in message
