"""What each method takes, what becomes such rows, and how the others are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finewright.schema.rows import Row
from finewright.schema.train_section import METHODS
from finewright.train.rows import rows_for

USER = {"role": "user", "content": "Q"}
GOOD = {"role": "assistant", "content": "good"}
BAD = {"role": "assistant", "content": "bad"}
READ_ONLY = {"weight": 0}

CONVERSATION = Row("c", (USER, GOOD), None, "rows.jsonl", 1, columns={"meta": 1})
PAIR = Row("p", (USER, GOOD), None, "rows.jsonl", 2, rejected=(USER, BAD))
LIKED = Row("l", (USER, GOOD), None, "rows.jsonl", 3, label=True)
DISLIKED = Row("d", (USER, BAD), None, "rows.jsonl", 4, label=False)
PROMPT = Row("q", (USER,), None, "rows.jsonl", 5, columns={"answer": "42"})
ALL = (CONVERSATION, PAIR, LIKED, DISLIKED, PROMPT)
PAIR_METHODS = ("dpo", "orpo", "simpo", "reward")


@pytest.mark.parametrize(
    ("method", "rows"),
    [
        ("sft", [CONVERSATION]),
        *((method, [PAIR]) for method in PAIR_METHODS),
        ("kto", [LIKED, DISLIKED]),
        ("grpo", [PROMPT]),
        ("ppo", [PROMPT]),
    ],
)
def test_a_methods_own_rows_are_taken_as_they_are(method, rows):
    assert rows_for(method, rows) == (rows, [])


@pytest.mark.parametrize(
    ("method", "refused"),
    [
        ("sft", "pldq"),
        *((method, "cldq") for method in PAIR_METHODS),
        ("kto", "cq"),
        ("grpo", "ld"),
        ("ppo", "ld"),
    ],
)
def test_rows_that_a_method_cannot_take_are_errors(method, refused):
    assert "".join(row.id for row in ALL if not rows_for(method, [row]).rows) == refused
    problems = [p for row in ALL for p in rows_for(method, [row]).problems if p.level == "error"]
    assert len(problems) == len(refused)
    assert {problem.key for problem in problems} == {"train.method"}
    assert all(f"; {method} takes " in problem.message and problem.hint for problem in problems)


@pytest.mark.parametrize(
    ("method", "row", "line"),
    [
        (
            "sft",
            PAIR,
            "rows.jsonl:2: train.method: 1 row is of the preference pairs, this one first; sft takes "
            "conversations (`messages`, or `prompt` and `completion`) "
            "(train.method dpo, orpo, simpo, reward or kto learns from them)",
        ),
        (
            "dpo",
            CONVERSATION,
            "rows.jsonl:1: train.method: 1 row is of the conversations with one answer, this one "
            "first; dpo takes preference pairs (`chosen` and `rejected`) "
            "(train.method sft, distill or gkd learns from them; a pair has a `chosen` and a `rejected` "
            "answer)",
        ),
        (
            "sft",
            Row("q", (USER,), None, "rows.jsonl", 5, columns={"completoin": "A"}),
            "rows.jsonl:5: train.method: 1 row is of the prompts without an answer, this one first; "
            "sft takes conversations (`messages`, or `prompt` and `completion`) (name the answer "
            "`completion`, or let train.method grpo or ppo sample answers; found beside `prompt`: "
            "`completoin`)",
        ),
        (
            "grpo",
            Row("a", (GOOD,), None, "rows.jsonl", 6),
            "rows.jsonl:6: train.method: 1 row is of the answers to nothing, this one first; grpo "
            "takes prompts, or conversations and pairs whose answers are taken for the expected ones "
            "(add the question before the answer)",
        ),
    ],
)
def test_a_refusal_says_what_the_rows_are_and_the_mend(method, row, line):
    assert [problem.line() for problem in rows_for(method, [row]).problems] == [line]


def test_a_file_and_reason_is_told_once_with_its_count():
    other = [Row("p", (USER, GOOD), None, "b.jsonl", i, rejected=(USER, BAD)) for i in (3, 5, 9)]
    found = rows_for("sft", [PAIR, CONVERSATION, *other, PROMPT])
    assert found.rows == [CONVERSATION]
    told = [(p.file, p.row, p.message.partition(",")[0]) for p in found.problems]
    assert told == [
        ("rows.jsonl", 2, "1 row is of the preference pairs"),
        ("b.jsonl", 3, "3 rows are preference pairs"),
        ("rows.jsonl", 5, "1 row is of the prompts without an answer"),
    ]


def test_sft_leaves_out_what_follows_the_last_answer():
    doubtful = Row("c", (USER, GOOD, USER), None, "rows.jsonl", 1)
    assert rows_for("sft", [doubtful]).rows == [Row("c", (USER, GOOD), None, "rows.jsonl", 1)]


def test_sft_ends_with_the_answer_that_is_learned():
    unlearned = {**GOOD, "weight": 0}
    doubtful = Row("c", (USER, GOOD, USER, unlearned), None, "rows.jsonl", 1)
    assert rows_for("sft", [doubtful]).rows == [Row("c", (USER, GOOD), None, "rows.jsonl", 1)]


def test_kto_makes_a_liked_and_a_disliked_answer_of_a_pair():
    assert rows_for("kto", [PAIR]) == (
        [
            Row("p", (USER, GOOD), None, "rows.jsonl", 2, label=True),
            Row("p", (USER, BAD), None, "rows.jsonl", 2, label=False),
        ],
        [],
    )


@pytest.mark.parametrize(("row", "said"), [(LIKED, "liked"), (DISLIKED, "disliked")])
def test_kto_warns_of_answers_that_are_all_alike(row, said):
    (problem,) = rows_for("kto", [row, row]).problems
    assert (problem.level, problem.key) == ("warning", "data.sources")
    assert problem.message == f"all 2 answers are {said}: kto learns from the difference"


@pytest.mark.parametrize("method", ["grpo", "ppo"])
@pytest.mark.parametrize(
    ("row", "messages", "columns"),
    [
        (CONVERSATION, (USER,), {"meta": 1, "answer": "good"}),
        (PAIR, (USER,), {"answer": "good"}),
        (
            Row("c", (USER, BAD, USER, GOOD), None, "f", 1),
            (USER, BAD | READ_ONLY, USER),
            {"answer": "good"},
        ),
        (Row("c", (USER, GOOD), None, "f", 1, columns={"answer": 42}), (USER,), {"answer": 42}),
        (Row("c", (USER, GOOD, USER), None, "f", 1), (USER,), {"answer": "good"}),
        (Row("c", (USER, GOOD | {"content": ""}), None, "f", 1), (USER,), {}),
    ],
)
def test_a_conversation_becomes_its_prompt_and_the_expected_answer(method, row, messages, columns):
    ((made,), problems) = rows_for(method, [row])
    assert problems == []
    assert (made.messages, made.rejected, made.columns) == (messages, None, columns)
    assert (made.id, made.file, made.row) == (row.id, row.file, row.row)
    assert made.is_prompt


@given(st.sampled_from(sorted(METHODS)), st.lists(st.sampled_from(ALL)))
def test_every_row_is_taken_or_counted_in_an_error(method, rows):
    found = rows_for(method, rows)
    errors = [problem for problem in found.problems if problem.level == "error"]
    refused = sum(int(problem.message.partition(" ")[0]) for problem in errors)
    from_pairs = sum(row is PAIR for row in rows) if method == "kto" else 0
    assert len(found.rows) - from_pairs + refused == len(rows)
    assert len(errors) == len({(problem.file, problem.message) for problem in errors})
