"""Validation: each wrong row is named by row, key, message and mend, and the counts add up."""

import hashlib
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.data.validate import Validated, read_validated, validate
from finewright.errors import DataError
from finewright.rows.formats.native import forms
from finewright.rows.read import ReadRow
from finewright.schema.data import DataType
from finewright.schema.rows import parse_rows, write_rows

USER = {"role": "user", "content": "Q"}
ANSWER = {"role": "assistant", "content": "A"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "1"}


def check(*rows: dict, expected="auto") -> Validated:
    numbered = [ReadRow("rows.jsonl", i, data) for i, data in enumerate(rows, start=1)]
    return validate(numbered, expected)


def errors(found: Validated) -> list[tuple[str, str]]:
    return [(p.key, p.message) for p in found.problems if p.level == "error"]


def test_messages_pass_as_they_are():
    turns = [{"role": "system", "content": "S"}, USER, ANSWER | {"weight": 0}, USER, ANSWER]
    found = check({"messages": turns, "meta": {"any": "thing"}})
    assert found.problems == ()
    assert found.types == {"messages": 1}
    row = found.rows[0]
    assert (list(row.messages), row.tools, row.file, row.row) == (turns, None, "rows.jsonl", 1)


def test_prompt_and_completion_become_a_conversation():
    found = check({"prompt": "Q", "completion": "A"})
    assert found.problems == ()
    assert found.rows[0].messages == (USER, ANSWER)
    assert found.types == {"prompt_completion": 1}


def test_only_the_completion_trains_when_the_prompt_is_a_conversation():
    found = check({"prompt": [USER, ANSWER, USER], "completion": [ANSWER]})
    assert [m.get("weight") for m in found.rows[0].messages] == [None, 0, None, None]


def test_text_parts_are_joined():
    parts = [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]
    found = check({"messages": [{"role": "user", "content": parts}, ANSWER]})
    assert found.rows[0].messages[0]["content"] == "AB"


def test_an_assistant_that_calls_a_tool_needs_no_content():
    tools = [{"type": "function", "function": {"name": "f"}}]
    found = check({"messages": [USER, CALLING, RESULT, ANSWER], "tools": tools})
    assert found.problems == ()
    assert found.rows[0].tools == tuple(tools)
    assert found.rows[0].messages[1] == {**CALLING, "content": ""}


@pytest.mark.parametrize(
    ("messages", "key", "said"),
    [
        ("hello", "messages", "text; a list of messages is expected"),
        ([], "messages", "an empty list"),
        ([USER, "hi"], "messages[1]", "a message is an object"),
        ([{"content": "Q"}, ANSWER], "messages[0].role", "missing"),
        ([{"role": 7, "content": "Q"}, ANSWER], "messages[0].role", "unknown role 7"),
        ([{"role": ["user"], "content": ""}, ANSWER], "messages[0].role", "unknown role ['user']"),
        ([USER, {"role": "assistant"}], "messages[1].content", "missing"),
        ([USER, {"role": "assistant", "content": None}], "messages[1].content", "null"),
        ([{"role": "user", "content": None}, ANSWER], "messages[0].content", "null"),
        ([USER, ANSWER | {"content": 5}], "messages[1].content", "a number; text is expected"),
        ([USER, ANSWER | {"content": {}}], "messages[1].content", "an object; text is expected"),
        (
            [{"role": "user", "content": [{"type": "image_url"}]}, ANSWER],
            "messages[0].content[0]",
            "a part of type 'image_url'",
        ),
        ([USER, {"role": "system", "content": "S"}, ANSWER], "messages[1].role", "not the first"),
        ([USER], "messages", "no assistant turn"),
        ([USER, ANSWER | {"weight": 2}], "messages[1].weight", "2; it is 0"),
        ([USER, ANSWER | {"weight": 0}], "messages[1]", "all labels masked"),
        ([USER, ANSWER | {"content": " \n"}], "messages[1]", "all labels masked"),
        ([USER, {"role": "tool", "content": "1"}, ANSWER], "messages[1].tool_call_id", "missing"),
        ([USER | {"tool_calls": [CALL]}, ANSWER], "messages[0].tool_calls", "only an assistant"),
        ([USER, CALLING | {"tool_calls": 5}], "messages[1].tool_calls", "a list of calls"),
        ([USER, CALLING | {"tool_calls": [{}]}], "messages[1].tool_calls[0]", "function.name"),
        (
            [USER, CALLING | {"tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}],
            "messages[1].tool_calls[0].function.arguments",
            "neither an object nor JSON text",
        ),
    ],
)
def test_a_wrong_conversation_is_named_by_its_key(messages, key, said):
    found = check({"messages": messages})
    assert found.rows == ()
    assert [k for k, _ in errors(found)] == [key]
    assert said in errors(found)[0][1]
    assert found.problems[0].row == 1


@pytest.mark.parametrize(
    ("role", "meant"),
    [
        *((role, "user") for role in ("human", "Human", "USER", "prompter")),
        *((role, "assistant") for role in ("gpt", "Bot", "model", "ai", "chatgpt", "bing")),
        *((role, "system") for role in ("developer", "System")),
    ],
)
def test_the_roles_of_peers_are_ours_in_any_case(role, meant):
    found = check({"messages": [{"role": role, "content": "x"}, USER, ANSWER]})
    assert [row.messages[0] for row in found.rows] == [{"role": meant, "content": "x"}]


@pytest.mark.parametrize(
    "role", ["tool", "function_response", "ipython", "observation", "function", "tool-response"]
)
def test_a_result_without_an_id_is_that_of_the_call_before_it(role):
    nameless = {"function": {"name": "f", "arguments": "{}"}}
    calling = {"role": "assistant", "tool_calls": [nameless, {**nameless}]}
    results = [{"role": role, "content": each} for each in "12"]
    found = check({"messages": [USER, calling, *results, ANSWER]})
    (row,) = found.rows
    assert [call["id"] for call in row.messages[1]["tool_calls"]] == ["call_1", "call_2"]
    assert [m.get("tool_call_id") for m in row.messages] == [None, None, "call_1", "call_2", None]
    assert [p.level for p in found.problems] == ["warning"]


def test_results_are_matched_by_their_name_before_their_order():
    calls = [{"function": {"name": name, "arguments": "{}"}} for name in "fg"]
    results = [{"role": "tool", "name": name, "content": name} for name in "gf"]
    (row,) = check(
        {"messages": [USER, {"role": "assistant", "tool_calls": calls}, *results, ANSWER]}
    ).rows
    assert [(m["tool_call_id"], m["content"]) for m in row.messages[2:4]] == [
        ("call_1", "f"),
        ("call_2", "g"),
    ]


@pytest.mark.parametrize(
    ("role", "meant"),
    [
        ("usr", "user"),
        ("assitant", "assistant"),
        ("sytem", "system"),
    ],
)
def test_an_unknown_role_is_told_what_was_meant(role, meant):
    found = check({"messages": [{"role": role, "content": "x"}, USER, ANSWER]})
    assert found.problems[0].hint == f"did you mean '{meant}'?"


@pytest.mark.parametrize(
    ("row", "key", "said"),
    [
        ({"prompt": "Q", "completion": "  "}, "completion", "empty: nothing to learn"),
        ({"prompt": "", "completion": "A"}, "prompt", "empty: nothing is asked"),
        ({"prompt": 1, "completion": "A"}, "prompt", "a number; text or a list"),
        ({"prompt": "Q", "completion": None}, "completion", "null; text or a list"),
        ({"prompt": "Q", "completion": [USER]}, "completion", "no assistant turn"),
        ({"prompt": [USER], "completion": []}, "completion", "an empty list"),
        ({"prompt": [USER], "completion": [{"role": "assistant"}]}, "completion[0].content", "mis"),
        ({"messages": [USER, ANSWER], "tools": "f"}, "tools", "a list of objects"),
        ({"messages": [USER, ANSWER], "tools": ["f"]}, "tools", "a list of objects"),
        ({"messages": [USER], "prompt": "Q", "completion": "A"}, "", "both `messages` and"),
    ],
)
def test_other_wrong_rows_are_named_by_their_key(row, key, said):
    found = check(row)
    assert [k for k, _ in errors(found)] == [key]
    assert said in errors(found)[0][1]


@pytest.mark.parametrize(
    ("row", "mend"),
    [
        ({"question": "Q", "answer": "A"}, "columns: {prompt: question, completion: answer}"),
        ({"prompt": "Q", "chosen": "A"}, "a pair has both: add `rejected`"),
        ({"rejected": "A"}, "a pair has both: add `chosen`"),
        ({"a": 1}, "rename the keys, or name them: --column OURS=THEIRS"),
        ({}, "rename the keys"),
    ],
)
def test_a_row_of_no_known_format_is_told_what_it_could_be(row, mend):
    found = check(row)
    found_keys = ", ".join(f"`{key}`" for key in row) or "none"
    expected = "`messages`; `prompt` and `completion`; `chosen` and `rejected`; or `prompt` alone"
    assert errors(found) == [("", f"expected the keys {expected}; found: {found_keys}")]
    assert mend in found.problems[0].hint


def test_a_named_format_is_taken_at_its_word():
    rows = [ReadRow("f", 1, {"instruction": "Q", "output": "A", "messages": [USER, ANSWER]})]
    (problem,) = validate(rows, "auto").problems
    assert problem.message == "both `messages` and `instruction` with `output` are here"
    assert problem.hint == "set --format, or in a spec the source's format, to openai or alpaca"
    assert validate(rows, "auto", format="alpaca").rows[0].columns == {"messages": [USER, ANSWER]}
    assert "instruction" in validate(rows, "auto", format="OpenAI").rows[0].columns


@pytest.mark.parametrize(
    ("row", "hint"),
    [
        (
            {"instruction": "Q", "output": "A"},
            "set --format, or in a spec the source's format, to alpaca",
        ),
        ({"Ticket": "Q", "Reply": "A"}, "columns: {prompt: Ticket, completion: Reply}"),
    ],
)
def test_a_row_that_is_not_of_the_named_format_is_told_of_which_it_is(row, hint):
    found = validate([ReadRow("f", 1, row)], "auto", format="sharegpt")
    assert found.problems[0].message.startswith("this is not sharegpt, which has `conversations`")
    assert hint in found.problems[0].hint


def test_an_unknown_format_is_one_problem_and_no_row_is_lost():
    rows = [ReadRow("f", i, {"prompt": "Q", "completion": "A"}) for i in (1, 2)]
    found = validate(rows, "auto", format="alpacca")
    assert [p.line() for p in found.problems] == [
        "format: unknown format 'alpacca' (did you mean 'alpaca'?)"
    ]
    assert found.counts.rows_in == sum(found.counts.rows_dropped.values()) == 2


def test_named_columns_are_read_and_mistakes_are_told_by_the_names_of_the_file():
    columns = {"prompt": "Frage", "completion": "Antwort"}
    rows = [
        {"Frage": "Q", "Antwort": "A", "Quelle": "x"},
        {"Frage": "Q", "Antwort": " "},
        {"Frage": "Q", "Antwor": "A"},
    ]
    numbered = [ReadRow("f", i, row) for i, row in enumerate(rows, start=1)]
    found = validate(numbered, "auto", columns=columns)
    assert (found.rows[0].messages, found.rows[0].columns) == ((USER, ANSWER), {"Quelle": "x"})
    assert [(p.row, p.key, p.hint) for p in found.problems] == [
        (2, "Antwort", "write the answer, or leave the row out"),
        (3, "Antwort", "did you mean 'Antwor'?"),
    ]


def test_a_column_that_bears_our_name_changes_places_with_the_named_one():
    row = ReadRow("f", 1, {"prompt": 7, "question": "Q", "completion": "A"})
    (found,) = validate([row], "auto", columns={"prompt": "question"}).rows
    assert (found.messages, found.columns) == ((USER, ANSWER), {"question": 7})


@pytest.mark.parametrize("key", ["images", "videos", "audios"])
def test_a_row_with_pictures_or_sounds_is_refused(key):
    found = check(
        {"messages": [USER, ANSWER], key: ["a.png"]}, {"messages": [USER, ANSWER], key: []}
    )
    assert errors(found) == [(key, f"the row has {key}, and only text is trained")]
    assert len(found.rows) == 1


@pytest.mark.parametrize(
    ("row", "level"),
    [
        ({"prompt": "Q <image>", "completion": "A", "image": "a.png"}, "error"),
        ({"prompt": "Q", "completion": "A", "image": {"bytes": None, "path": "a.png"}}, "error"),
        ({"prompt": "Q", "completion": "<svg><image></svg>", "image": "a.png"}, "warning"),
        (
            {"messages": [USER, {"role": "assistant", "content": "<audio>"}], "audio": "a.wav"},
            "warning",
        ),
        ({"messages": [USER, ANSWER], "image": 1}, "warning"),
        ({"messages": [USER, ANSWER], "video": True}, "warning"),
        ({"messages": [USER, ANSWER], "audio": {"text": "what is said"}}, "warning"),
    ],
)
def test_a_row_is_refused_for_a_medium_that_is_asked_about_and_not_for_a_mention(row, level):
    found = check(row)
    assert [p.level for p in found.problems if "only text is trained" in p.message] == [level]
    assert len(found.rows) == (level == "warning")


@pytest.mark.parametrize(
    ("label", "level"),
    [("yes", "info"), ("Bad", "info"), (-1, "info"), ("news", ""), (None, "warning")],
)
def test_a_label_of_messages_that_may_be_meant_as_a_rating_is_said(label, level):
    found = check({"messages": [USER, ANSWER], "label": label})
    assert [p.level for p in found.problems if p.key == "label"] == [level][: bool(level)]
    assert len(found.rows) == 1


def test_the_expected_type_decides_between_two_shapes():
    row = {"messages": [USER, ANSWER], "prompt": "P", "completion": "C"}
    assert check(row, expected="messages").rows[0].messages == (USER, ANSWER)
    assert check(row, expected="prompt_completion").rows[0].messages[0]["content"] == "P"


def test_a_row_of_the_other_type_is_refused_with_the_mend():
    found = check({"prompt": "Q", "completion": "A"}, expected="messages")
    assert errors(found) == [("", "expected the keys `messages`; found: `prompt`, `completion`")]
    assert found.problems[0].hint == "set --type, or data.type in a spec, to prompt_completion"


@pytest.mark.parametrize(
    ("messages", "key"),
    [
        ([USER, ANSWER, USER], "messages[2].role"),
        ([USER, ANSWER | {"content": ""}, USER, ANSWER], "messages[1].content"),
        ([USER, USER, USER, ANSWER], "messages[1].role"),
        ([USER, ANSWER, ANSWER], "messages[2].role"),
        ([USER, CALLING, RESULT | {"tool_call_id": "c2"}, ANSWER], "messages[2].tool_call_id"),
        ([USER, RESULT, ANSWER], "messages[1].tool_call_id"),
    ],
)
def test_a_doubtful_row_is_kept_with_a_warning(messages, key):
    found = check({"messages": messages})
    assert len(found.rows) == 1
    assert [(p.level, p.key) for p in found.problems] == [("warning", key)]


def test_all_mistakes_of_all_rows_are_told_at_once():
    bad = {"messages": [{"role": "x", "content": 1}, ANSWER]}
    found = check(bad, {"messages": [USER, ANSWER]}, bad)
    assert [(p.row, p.key) for p in found.problems] == [
        (1, "messages[0].role"),
        (1, "messages[0].content"),
        (3, "messages[0].role"),
        (3, "messages[0].content"),
    ]
    assert (found.counts.rows_in, found.counts.rows_kept) == (3, 1)
    assert found.counts.rows_dropped == {"invalid": 2}


def test_repeats_are_kept_and_reported_once_with_their_count():
    row = {"prompt": "Q", "completion": "A"}
    found = check(row, {"prompt": "Q", "completion": "B"}, row, row)
    assert found.counts.rows_kept == 4
    assert [(p.level, p.row) for p in found.problems] == [("warning", 3)]
    assert (
        "2 rows repeat an earlier row exactly, this one rows.jsonl:1" in found.problems[0].message
    )


def test_the_id_of_a_row_is_the_digest_of_its_conversation():
    plain = check({"messages": [USER, ANSWER]}).rows[0]
    other_order = {"meta": 1, "messages": [dict(reversed(USER.items())), ANSWER]}
    canonical = '{"messages":[{"content":"Q","role":"user"},{"content":"A","role":"assistant"}],"tools":null}'
    assert plain.id == hashlib.sha256(canonical.encode()).hexdigest()[:16]
    assert check(other_order).rows[0].id == plain.id
    assert check({"messages": [USER, ANSWER | {"weight": 1}]}).rows[0].id != plain.id


KEYS = (
    "messages role content prompt completion chosen rejected label tools tool_calls weight "
    "function name arguments type text from value parts functionCall functionResponse train loss "
    "function_call replies rank answer score"
)
TOP_KEYS = sorted(
    {
        *("label", "tools", "functions", "system", "history", "kto_tag", "input", "images"),
        *(key for form in forms() for key in form.keys),
    }
)
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(
        ["", "user", "assistant", "human", "gpt", "function_call", "observation", "x"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=4)
    ),
    max_leaves=15,
)
TURN = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant"]), "content": st.sampled_from("ABC")},
    optional={"weight": st.sampled_from([0, 1])},
)
ANY = JUNK | st.sampled_from("ABC") | st.lists(TURN, max_size=4)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(TOP_KEYS), ANY, max_size=4), max_size=3),
    st.sampled_from(["auto", *get_args(DataType)]),
)
def test_any_json_is_kept_or_counted_and_named(rows, expected):
    found = check(*rows, expected=expected)
    counts = found.counts
    assert counts.rows_in >= len(rows)
    assert counts.rows_in == counts.rows_kept + sum(counts.rows_dropped.values())
    assert sum(found.types.values()) == len(found.rows) == counts.rows_kept
    named = {problem.row for problem in found.problems if problem.level == "error"}
    is_listed_whole = None not in named and "; and " not in str(found.problems)
    assert (
        named | {row.row for row in found.rows} == {*range(1, len(rows) + 1)} or not is_listed_whole
    )
    assert parse_rows(write_rows(found.rows)) == list(found.rows)


def test_rows_of_a_file_that_is_not_there_are_no_empty_rows(tmp_path):
    with pytest.raises(DataError, match=r"gone\.jsonl: there is no such file"):
        read_validated(tmp_path / "gone.jsonl")
