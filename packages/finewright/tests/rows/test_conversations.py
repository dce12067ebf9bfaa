"""Pairs, labelled answers and prompts: what each becomes, and how each mistake is named."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finewright.data.validate import Validated, validate
from finewright.rows.read import ReadRow

SYSTEM = {"role": "system", "content": "S"}
USER = {"role": "user", "content": "Q"}
GOOD = {"role": "assistant", "content": "good"}
BAD = {"role": "assistant", "content": "bad"}
READ_ONLY = {"weight": 0}
CALLING = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "1"}


def check(*rows: dict, expected="auto") -> Validated:
    numbered = [ReadRow("rows.jsonl", i, data) for i, data in enumerate(rows, start=1)]
    return validate(numbered, expected)


def lines(found: Validated) -> list[str]:
    return [problem.line() for problem in found.problems]


EXPLICIT_PAIRS = [
    {"prompt": "Q", "chosen": "good", "rejected": "bad"},
    {"prompt": [USER], "chosen": [GOOD], "rejected": [BAD]},
    {"prompt": "Q", "chosen": [GOOD], "rejected": "bad"},
    {"prompt": [USER], "chosen": "good", "rejected": [BAD]},
    {"chosen": [USER, GOOD], "rejected": [USER, BAD]},
]


@pytest.mark.parametrize("row", EXPLICIT_PAIRS)
def test_all_forms_of_a_pair_are_the_same_row(row):
    found = check(row)
    assert found.problems == ()
    assert found.types == {"preference": 1}
    (pair,) = found.rows
    assert (pair.messages, pair.rejected) == ((USER, GOOD), (USER, BAD))
    assert (pair.label, pair.columns, pair.is_prompt) == (None, {}, False)
    assert pair.id == check(EXPLICIT_PAIRS[0]).rows[0].id


@pytest.mark.parametrize(
    ("chosen", "rejected", "num_shared"),
    [
        ([SYSTEM, USER, GOOD], [SYSTEM, USER, BAD], 2),
        ([USER, GOOD, USER, GOOD], [USER, GOOD, USER, BAD], 3),
        ([USER, GOOD, USER, GOOD], [USER, BAD, USER, GOOD], 1),
        ([USER, GOOD], [USER, BAD, USER, GOOD], 1),
        ([USER, CALLING, RESULT, GOOD], [USER, CALLING, RESULT, BAD], 3),
        # What a tool returned is no answer: the pair begins with the call before it.
        ([USER, CALLING, RESULT, GOOD], [USER, CALLING, RESULT | {"content": "2"}, GOOD], 1),
        ([USER, CALLING, RESULT, GOOD], [USER, CALLING, BAD], 1),
        ([USER, GOOD, GOOD], [USER, GOOD, BAD], 1),
        ([USER, GOOD | {"weight": 0}, USER, GOOD], [USER, GOOD, USER, BAD], 3),
    ],
)
def test_the_prompt_of_whole_conversations_is_what_they_share_before_an_answer(
    chosen, rejected, num_shared
):
    found = check({"chosen": chosen, "rejected": rejected})
    assert {problem.level for problem in found.problems} <= {"warning"}
    (pair,) = found.rows
    prompt = [m | READ_ONLY if m["role"] == "assistant" else m for m in chosen[:num_shared]]
    assert list(pair.messages) == [*prompt, *chosen[num_shared:]]
    assert list(pair.rejected) == [*prompt, *rejected[num_shared:]]


@pytest.mark.parametrize("prompt", [[USER], [SYSTEM, USER], [SYSTEM, USER, GOOD, USER]])
def test_a_completion_that_begins_with_the_prompt_says_it_once(prompt):
    repeated = prompt[prompt[0] == SYSTEM :]
    found = check({"prompt": prompt, "completion": [*repeated, BAD]})
    assert found.rows[0].messages == check({"prompt": prompt, "completion": [BAD]}).rows[0].messages
    assert "completion begins with the prompt, which is taken once" in lines(found)[0]


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (
            {"prompt": "Q", "chosen": [USER, GOOD], "rejected": "bad"},
            "chosen: chosen begins with the prompt, which is taken once "
            "(leave it out there, or leave `prompt` out)",
        ),
        (
            {"prompt": [USER], "chosen": [GOOD], "rejected": [USER, BAD]},
            "rejected: rejected begins with the prompt, which is taken once "
            "(leave it out there, or leave `prompt` out)",
        ),
        (
            {"prompt": "Q", "chosen": "Q\n\ngood", "rejected": "Q bad"},
            "chosen: chosen and rejected begin with the prompt, which is taken once "
            "(leave it out there; if it is of the answers, write messages)",
        ),
    ],
)
def test_a_prompt_that_the_answers_repeat_is_taken_once(row, line):
    found = check(row)
    assert lines(found) == [f"rows.jsonl:1: {line}"]
    assert found.problems[0].level == "warning"
    assert (found.rows[0].messages, found.rows[0].rejected) == ((USER, GOOD), (USER, BAD))


def test_text_that_one_answer_alone_repeats_is_its_own():
    found = check({"prompt": "Q", "chosen": "Q? good", "rejected": "bad"})
    assert found.problems == ()
    assert found.rows[0].messages[1]["content"] == "Q? good"


def test_answers_of_the_prompt_are_read_and_not_learned():
    found = check({"prompt": [USER, GOOD, USER], "chosen": "good", "rejected": "bad"})
    assert [m.get("weight") for m in found.rows[0].messages] == [None, 0, None, None]
    assert [m.get("weight") for m in found.rows[0].rejected] == [None, 0, None, None]


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (
            {"prompt": "Q", "chosen": "good", "rejected": "good"},
            "rejected: the same as chosen: nothing to prefer (leave the row out)",
        ),
        (
            {"chosen": [USER, GOOD], "rejected": [USER, GOOD | READ_ONLY]},
            "rejected: the same as chosen: nothing to prefer (leave the row out)",
        ),
        (
            {"chosen": "good", "rejected": [USER, BAD]},
            "chosen: text, and there is no `prompt`: nobody can tell where the answer begins "
            "(add `prompt`, or write both as lists of messages)",
        ),
        (
            {"chosen": [USER, GOOD], "rejected": [USER | {"content": "R"}, BAD]},
            "rejected[0]: here the conversations differ, and not in an answer "
            "(begin both with the same prompt)",
        ),
        (
            {"chosen": [USER, GOOD, USER], "rejected": [USER, GOOD, BAD]},
            "rejected[2]: here the conversations differ, and not in an answer "
            "(begin both with the same prompt)",
        ),
        (
            {"chosen": [USER, GOOD], "rejected": [USER, GOOD, BAD]},
            "chosen: it ends where the other one goes on (end both with an answer)",
        ),
        (
            {"chosen": [GOOD], "rejected": [BAD]},
            "chosen[0]: chosen and rejected begin with no question in common "
            "(begin both with the same prompt, or add `prompt`)",
        ),
        (
            {"prompt": [USER, GOOD], "chosen": "good", "rejected": "bad"},
            "prompt[1].role: the prompt ends with the assistant's turn: nothing is asked "
            "(end it with the turn that is to be answered)",
        ),
        (
            {"prompt": "Q", "chosen": [USER | {"content": "R"}, GOOD], "rejected": "bad"},
            "chosen: begins with the user's turn, which the prompt does not have "
            "(begin with the answer, or leave `prompt` out if both conversations are whole)",
        ),
        (
            {"prompt": "Q", "chosen": [GOOD, USER], "rejected": "bad"},
            "chosen[1].role: the last turn is the user's: it is answers that are liked "
            "(end with the assistant's answer)",
        ),
        (
            {"prompt": "Q", "chosen": "good", "rejected": " "},
            "rejected: empty: nothing to learn (write the answer, or leave the row out)",
        ),
        (
            {"prompt": "Q", "chosen": [BAD | READ_ONLY], "rejected": "bad2"},
            "chosen[0]: all labels masked: nothing in this row would be trained "
            "(its assistant turns have weight 0; fill one, or leave the row out)",
        ),
        (
            {"prompt": "Q", "chosen": 1, "rejected": "bad"},
            "chosen: a number; text or a list of messages is expected (write it as text, in quotes)",
        ),
        (
            {"prompt": None, "chosen": "good", "rejected": "bad"},
            "prompt: null; text or a list of messages is expected (write it, or leave the row out)",
        ),
        (
            {"prompt": [USER, SYSTEM], "chosen": "good", "rejected": "bad"},
            "prompt[1].role: a system message that is not the first "
            "(move it to the front, or join the two)",
        ),
    ],
)
def test_a_wrong_pair_is_told_by_one_line(row, line):
    found = check(row)
    assert found.rows == ()
    assert lines(found)[0] == f"rows.jsonl:1: {line}"
    assert {problem.level for problem in found.problems} == {"error"}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Q", "completion": "good", "label": True},
        {"prompt": [USER], "completion": [GOOD], "label": True},
        {"messages": [USER, GOOD], "label": True},
    ],
)
def test_an_answer_with_a_label_is_unpaired_preference(row):
    found = check(row, row | {"label": False})
    assert found.problems == ()
    assert found.types == {"unpaired_preference": 2}
    assert [row.messages for row in found.rows] == [(USER, GOOD)] * 2
    assert [row.label for row in found.rows] == [True, False]
    assert found.rows[0].id != found.rows[1].id


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("true", "'true'; it is true (liked) or false (write true, without quotes)"),
        ("False", "'False'; it is true (liked) or false (write false, without quotes)"),
    ],
)
def test_a_label_in_quotes_is_told_which_one_is_meant(label, told):
    found = check({"prompt": "Q", "completion": "A", "label": label})
    assert lines(found) == [f"rows.jsonl:1: label: {told}"]


@pytest.mark.parametrize("label", [1, 0, "1", "0", "TRUE"])
def test_a_number_is_a_rating_only_where_rated_answers_are_asked_for(label):
    row = {"prompt": "Q", "completion": "A", "label": label}
    (line,) = lines(check(row))
    assert line.startswith(f"rows.jsonl:1: label: {label!r}; it is true (liked) or false (")
    (made,) = check(row, expected="unpaired_preference").rows
    assert made.label is (label in (1, "1", "TRUE"))


@pytest.mark.parametrize("label", ["spam", 3, None, ["a"]])
def test_a_label_that_says_something_else_is_a_column(label):
    found = check({"messages": [USER, GOOD], "label": label})
    assert found.types == {"messages": 1}
    assert found.rows[0].columns == {"label": label}
    asked = check({"messages": [USER, GOOD], "label": label}, expected="unpaired_preference")
    assert "it is true (liked) or false (write true or false; a label" in lines(asked)[0]


def test_an_unpaired_row_ends_with_the_answer_that_was_liked():
    found = check({"messages": [USER, GOOD, USER], "label": True})
    assert (
        "messages[2].role: the last turn is the user's: it is answers that are liked"
        in (lines(found)[-1])
    )
    assert found.rows == ()


def test_a_prompt_alone_keeps_its_other_keys():
    found = check({"prompt": "Q", "answer": "42", "meta": {"a": 1}})
    assert found.problems == ()
    assert found.types == {"prompt_only": 1}
    (row,) = found.rows
    assert (row.messages, row.columns) == ((USER,), {"answer": "42", "meta": {"a": 1}})
    assert row.is_prompt


def test_a_prompt_of_messages_may_have_tools_and_earlier_answers():
    tools = [{"type": "function", "function": {"name": "f"}}]
    found = check({"prompt": [SYSTEM, USER, GOOD, USER], "tools": tools})
    assert found.problems == ()
    assert found.rows[0].messages == (SYSTEM, USER, GOOD | READ_ONLY, USER)
    assert (found.rows[0].tools, found.rows[0].columns) == (tuple(tools), {})


@pytest.mark.parametrize(
    ("prompt", "line"),
    [
        ("", "prompt: empty: nothing is asked (write the question, or leave the row out)"),
        ([], "prompt: an empty list (write the turns, or leave the row out)"),
        (
            7,
            "prompt: a number; text or a list of messages is expected (write it as text, in quotes)",
        ),
        (
            [USER, GOOD],
            "prompt[1].role: the prompt ends with the assistant's turn: nothing is asked "
            "(end it with the turn that is to be answered)",
        ),
        (
            [USER, SYSTEM],
            "prompt[1].role: a system message that is not the first "
            "(move it to the front, or join the two)",
        ),
    ],
)
def test_a_wrong_prompt_is_told_by_one_line(prompt, line):
    found = check({"prompt": prompt, "answer": "42"})
    assert lines(found) == [f"rows.jsonl:1: {line}"]


@pytest.mark.parametrize(
    ("row", "names", "types"),
    [
        (
            {"messages": [USER, GOOD], "prompt": "Q", "completion": "A"},
            "`messages` and `prompt` with `completion`",
            "messages or prompt_completion",
        ),
        (
            {"messages": [USER, GOOD], "chosen": [USER, GOOD], "rejected": [USER, BAD]},
            "`messages` and `chosen` with `rejected`",
            "messages or preference",
        ),
        (
            {"prompt": "Q", "completion": "A", "chosen": "good", "rejected": "bad"},
            "`prompt` with `completion` and `chosen` with `rejected`",
            "prompt_completion or preference",
        ),
    ],
)
def test_a_row_of_two_types_is_an_error_that_names_data_type(row, names, types):
    assert lines(check(row)) == [
        f"rows.jsonl:1: both {names} are here"
        f" (set --type, or data.type in a spec, to the one to train on: {types})"
    ]
    meant = types.rpartition(" ")[2]
    assert check(row, expected=meant).types == {meant: 1}


def test_a_label_of_two_conversations_is_an_error_whatever_the_type():
    row = {"messages": [USER, GOOD], "prompt": "Q", "completion": "A", "label": True}
    assert lines(check(row, expected="unpaired_preference")) == [
        "rows.jsonl:1: both `messages` and `prompt` with `completion` are here "
        "(leave out the one that the label is not about)"
    ]


PAIR = {"prompt": "Q", "chosen": "good", "rejected": "bad"}


@pytest.mark.parametrize(
    ("row", "expected", "hint"),
    [
        (PAIR, "messages", "set --type, or data.type in a spec, to preference"),
        ({"prompt": "Q", "completion": "A", "label": True}, "preference", "unpaired_preference"),
        (
            {"messages": [USER, GOOD]},
            "prompt_only",
            "set --type, or data.type in a spec, to messages",
        ),
        (
            {"prompt": "Q", "completoin": "A"},
            "prompt_completion",
            "set --type, or data.type in a spec, to prompt_only, or add the keys that are missing",
        ),
        ({"prompt": "Q", "chosen": "A"}, "preference", "a pair has both: add `rejected`"),
    ],
)
def test_a_row_of_another_type_is_told_which(row, expected, hint):
    found = check(row, expected=expected)
    assert found.rows == ()
    assert hint in found.problems[0].hint


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (PAIR | {"score_chosen": 9}, "preference"),
        ({"messages": [USER, GOOD], "score_chosen": 9}, "messages"),
        ({"messages": [USER, GOOD], "label": True, "score_chosen": 9}, "unpaired_preference"),
        ({"prompt": "Q", "completion": "A", "score_chosen": 9}, "prompt_completion"),
    ],
)
def test_other_keys_are_columns_and_no_part_of_the_id(row, expected):
    plain = {key: value for key, value in row.items() if key != "score_chosen"}
    found = check(row, plain)
    assert found.types == {expected: 2}
    assert [row.columns for row in found.rows] == [{"score_chosen": 9}, {}]
    assert found.rows[0].id == found.rows[1].id
    assert ["repeats an earlier row" in line for line in lines(found)] == [True]


def test_prompts_that_expect_other_answers_are_other_rows():
    found = check({"prompt": "Q", "answer": "1"}, {"prompt": "Q", "answer": "2"}, {"prompt": "Q"})
    assert found.problems == ()
    assert len({row.id for row in found.rows}) == 3


def digest(said: dict) -> str:
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def test_an_id_is_the_digest_of_all_that_makes_the_row():
    pair, liked, prompt = check(
        PAIR, {"messages": [USER, GOOD], "label": True}, {"prompt": "Q", "answer": 1}
    ).rows
    said = {"messages": [USER, GOOD], "tools": None}
    assert pair.id == digest(said | {"rejected": [USER, BAD]})
    assert liked.id == digest(said | {"label": True})
    assert prompt.id == digest({"messages": [USER], "tools": None, "columns": {"answer": 1}})


@pytest.mark.parametrize(
    ("row", "row_id"),
    [
        ({"messages": [USER, GOOD]}, "241e8950b7e06d3a"),
        ({"prompt": "Q", "completion": "good"}, "241e8950b7e06d3a"),
        ({"prompt": [USER, BAD, USER], "completion": [GOOD]}, "fb522c6657800e79"),
        ({"messages": [USER, GOOD], "tools": [{"name": "ü"}], "meta": 1}, "159c0f4f51703422"),
    ],
)
def test_the_ids_of_conversations_are_what_they_ever_were(row, row_id):
    assert check(row).rows[0].id == row_id


TURNS = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "assistant"]),
        st.sampled_from("AB"),
    ),
    min_size=1,
    max_size=5,
)


@given(TURNS, TURNS, TURNS)
def test_a_pair_that_is_kept_has_one_prompt_and_two_answers(shared, chosen, rejected):
    found = check({"chosen": [*shared, *chosen], "rejected": [*shared, *rejected]})
    for row in found.rows:
        texts = [[(m["role"], m["content"]) for m in side] for side in (row.messages, row.rejected)]
        asked = [(m["role"], m["content"]) for m in (*shared, *chosen)]
        assert texts[0] == asked
        assert texts[0] != texts[1]
        assert row.messages[-1]["role"] == row.rejected[-1]["role"] == "assistant"
        learned = [
            next(i for i, m in enumerate(side) if m["role"] == "assistant" and "weight" not in m)
            for side in (row.messages, row.rejected)
        ]
        assert learned[0] == learned[1] > 0
        assert row.messages[: learned[0]] == row.rejected[: learned[0]]
        assert row.messages[learned[0] - 1]["role"] == "user"


@pytest.mark.parametrize("key", ["label", "kto_tag"])
def test_of_several_answers_the_label_is_about_the_last_alone(key):
    answers = [{"role": "assistant", "content": text} for text in "AB"]
    (row,) = check({"messages": [USER, answers[0], USER, answers[1]], key: False}).rows
    assert row.messages == (USER, {**answers[0], "weight": 0}, USER, answers[1])
    read_only = {**answers[1], "weight": 0}
    found = check({"messages": [USER, answers[0], USER, read_only], key: True})
    assert (found.rows, found.problems[0].key) == ((), "messages[3].weight")


@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [
        ("The sky is blue.", "The sky is green."),
        ("Say hi: hello", "Say hi: hullo"),
        ("Q: 2+2? A: 4", "Q: 2+2? A: five"),
    ],
)
def test_the_common_beginning_of_two_texts_is_their_prompt_as_in_trl(chosen, rejected):
    data_utils = pytest.importorskip("trl.data_utils")
    theirs = data_utils.extract_prompt({"chosen": chosen, "rejected": rejected})
    found = check({"chosen": chosen, "rejected": rejected})
    (row,) = found.rows
    assert [p.level for p in found.problems] == ["warning"]
    sides = (*row.messages, row.rejected[-1])
    assert [turn["content"] for turn in sides] == [
        theirs[k] for k in ("prompt", "chosen", "rejected")
    ]


@pytest.mark.parametrize("texts", [("Yes.", "No."), ("A b", "A b c"), ("A", "A")])
def test_texts_without_a_common_beginning_or_an_end_of_their_own_are_refused(texts):
    assert check(dict(zip(("chosen", "rejected"), texts, strict=True))).rows == ()
