"""Every proposal and hint about keys, followed: the rows are those that a person calls right."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.features.data.check import check
from finewright.features.data.rows import read_options
from finewright.features.data.show import show
from finewright.rows.formats.proposals import proposals_of
from finewright.rows.formats.propose import proposal_of

from .door import door, refused

S, Q, A, T = "You are kind.", "How many singers?", "It is five.", "A rose"
TABLES = "CREATE TABLE singer (id INT)"
SQL = "SELECT count(*) FROM singer"


def said(row: dict, **asked: object) -> list[tuple[str, str]]:
    (made,) = door(row, **asked).rows
    return [(message["role"], message["content"]) for message in made.messages]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"question": Q, "category": T, "answer": A}, [("user", f"{Q}\n{T}"), ("assistant", A)]),
        (
            {"question": Q, "query": SQL, "query_category": "aggregation", "schema": TABLES},
            [("user", f"{Q}\n{TABLES}"), ("assistant", SQL)],
        ),
        (
            {"question": Q, "context": TABLES, "answer": SQL},
            [("user", f"{Q}\n{TABLES}"), ("assistant", SQL)],
        ),
        (
            {
                "sql_prompt": Q,
                "sql_context": TABLES,
                "sql": SQL,
                "sql_explanation": A,
                "domain": "x",
            },
            [("user", f"{Q}\n{TABLES}"), ("assistant", SQL)],
        ),
        ({"db_id": "x", "query": SQL, "question": Q}, [("user", Q), ("assistant", SQL)]),
        ({"sql": SQL, "explanation": A}, [("user", SQL), ("assistant", A)]),
        (
            {"system_prompt": S, "question": Q, "response": A},
            [("system", S), ("user", Q), ("assistant", A)],
        ),
        ({"a": T, "b": A}, [("user", T), ("assistant", A)]),
        ({"article": T, "summary": A}, [("user", T), ("assistant", A)]),
        ({"article": T, "question": Q, "answer": A}, [("user", f"{Q}\n{T}"), ("assistant", A)]),
        ({"title": Q, "selftext": T, "answer": A}, [("user", f"{Q}\n{T}"), ("assistant", A)]),
        ({"dialogue": T, "summary": A, "id": "7"}, [("user", T), ("assistant", A)]),
        (
            {
                "input": [{"role": "system", "content": S}, {"role": "user", "content": Q}],
                "ideal": A,
            },
            [("system", S), ("user", Q), ("assistant", A)],
        ),
        (
            {"answer": "8", "problem_source": "aops", "problem": Q, "solution": A, "mode": "cot"},
            [("user", Q), ("assistant", A)],
        ),
        (
            {"question": Q, "knowledge": T, "right_answer": A, "hallucinated_answer": T},
            [("user", f"{Q}\n{T}"), ("assistant", A)],
        ),
    ],
)
def test_a_proposal_that_is_followed_gives_the_row_that_is_meant(row, expected):
    assert refused(row)
    proposal = proposal_of(row)
    assert proposal is not None
    assert said(row, columns=proposal.columns) == expected


@pytest.mark.parametrize(
    "row",
    [
        {"anchor": Q, "positive": A, "negative": T},
        {"query": Q, "positive": A, "negative": T},
        {"id": 1, "subject": T, "description": Q, "comments": [{"author": 7, "body": A}]},
        {"query": Q, "answers": '[{"name": "f"}]', "tools": '[{"name": "f", "of": "x y"}]'},
    ],
)
def test_nothing_is_proposed_where_columns_cannot_say_what_is_meant(row):
    assert proposal_of(row) is None
    assert "--column OURS=THEIRS" in door(row).problems[0].hint


def test_the_key_that_is_named_for_a_missing_text_holds_what_is_said():
    said = {"id": "1", "type": "message", "role": "user", "text": Q}
    found = door({"messages": [said, {"role": "assistant", "content": A}]})
    assert found.problems[0].hint == "is it `text`? rename the key"


@pytest.mark.parametrize(
    "row",
    [
        {"question": Q, "options": [A, T], "answer": 1},
        {"question": Q, "choices": {"text": [A, T], "label": ["A", "B"]}, "answerKey": "B"},
        {"question": Q, "options": "A) It is five. B) A rose", "answer": "B"},
        {"question": Q, "A": A, "B": T, "C": S, "D": "x", "answer": "B"},
        {"sentence": Q, "option1": A, "option2": T, "answer": "2"},
        *(
            {"question": Q, "options": options, "answer": "A"}
            for options in (
                {"A": A, "B": T, "C": None},
                {"A": 4, "B": 5},
                {"A": True, "B": False},
                {"text": [A, T], "label": ["A", "B"], "num": 2},
                "(A)blue(B)red",
                "ABCD",
            )
        ),
        *(
            {key: Q, "A": A, "B": T, "C": S, "D": "x", answer: value}
            for key, answer, value in (
                ("text", "answer", "A"),
                ("input", "target", "A rose"),
                ("text", "label", 0),
                ("pytanie", "odpowiedz", "a"),
            )
        ),
        {"text": Q, "a": A, "b": T, "answer": "b"},
        {"question": Q, "A": A, "B": T, "D": S, "answer": "A"},
    ],
)
def test_choices_are_never_left_out_of_the_question(row):
    assert proposal_of(row) is None
    assert "as a list `choices` beside `question`" in door(row).problems[0].hint
    mended = {"question": Q, "choices": [A, T], "solution": T}
    assert said(mended) == [("user", f'{Q}\n- "{A}"\n- "{T}"'), ("assistant", T)]


def test_a_table_without_header_has_no_choices():
    assert "choices" not in door({"0": Q, "1": A, "split": "train"}).problems[0].hint


@pytest.mark.parametrize("key", ["evidence", "facts"])
@pytest.mark.parametrize("held", [[A, T], [{"text": A}], {"a": [S]}, ["月はチーズではない"]])
def test_passages_are_never_left_out_of_the_question(key, held):
    assert proposal_of({"claim": Q, key: held, "label": "REFUTES"}) is None


def test_of_two_answers_neither_is_proposed():
    row = {"instruction": Q, "output_1": A, "output_2": T, "preference": 1.2}
    assert "`output_1` and `output_2` are two answers" in door(row).problems[0].hint


@pytest.mark.parametrize(
    ("row", "choice", "expected"),
    [
        (
            {"id": 7, "chat": {"turn_1": {"Human": Q, "Bot": A}}},
            0,
            [("user", Q), ("assistant", A)],
        ),
        (
            {"turns": [{"speaker": "USER", "utterance": Q}, {"speaker": "SYSTEM", "utterance": A}]},
            0,
            [("user", Q), ("assistant", A)],
        ),
        ({"talk": [["agent", A], ["customer", Q]]}, 0, [("user", A), ("assistant", Q)]),
        ({"talk": [["customer", Q], ["agent", A]]}, 0, [("user", Q), ("assistant", A)]),
        ({"dialog": [Q, A], "act": [3, 4]}, 0, [("user", Q), ("assistant", A)]),
        ({"log": [{"text": Q, "metadata": {}}, {"text": A}]}, 0, [("user", Q), ("assistant", A)]),
        (
            {"question": Q, "answers": {"text": [A], "answer_start": [3]}},
            0,
            [("user", Q), ("assistant", A)],
        ),
        (
            {"question": Q, "contexts": [A, T], "ground_truth": A},
            0,
            [("user", f"{Q}\n{A}\n{T}"), ("assistant", A)],
        ),
        (
            {"story": T, "questions": [Q, T], "answers": {"input_text": [A, Q]}},
            0,
            [("system", T), ("user", Q), ("assistant", A), ("user", T), ("assistant", Q)],
        ),
        (
            {
                "prompt_id": 3,
                "question": Q,
                "list": [{"answer": T, "rank": 2}, {"answer": A, "rank": 1}],
            },
            0,
            [("user", Q), ("assistant", A)],
        ),
        (
            {"id": 7, "context": T, "qas": [{"question": Q, "answer": A}] * 2},
            0,
            [("system", T), *[("user", Q), ("assistant", A)] * 2],
        ),
        (
            {"of": {"Passage": T, "qas": [{"question": Q, "answer": A}]}},
            0,
            [("system", T), ("user", Q), ("assistant", A)],
        ),
        (
            {
                "document": T,
                "100%": [{"speaker": "user", "text": Q}, {"speaker": "assistant", "text": A}],
            },
            0,
            [("system", T), ("user", Q), ("assistant", A)],
        ),
        (
            {"premise": T, "hypothesis": A, "label": 2},
            0,
            [("user", f"{T}\n{A}"), ("assistant", "2")],
        ),
        (
            {"sentence1": T, "sentence2": A, "label": 1},
            0,
            [("user", f"{T}\n{A}"), ("assistant", "1")],
        ),
        ({"original": T, "disfluent": A}, 1, [("user", A), ("assistant", T)]),
    ],
)
def test_what_lies_deeper_or_could_be_two_things_is_named_as_it_can_be_asked_for(
    row, choice, expected
):
    found = proposals_of([row])
    named = [found.one] if found.one else list(found.choices)
    assert named[choice].options() in door(row).problems[0].hint
    assert said(row, columns=named[choice].columns) == expected


@pytest.mark.parametrize("answer", ["category", "answer"])
def test_a_column_that_is_the_same_in_every_row_is_no_answer(tmp_path, answer):
    rows = [
        {"question": f"How many are {i}?", answer: "general", "reply_text": f"{i} of them"}
        for i in range(8)
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = show(path)
    assert report.proposal is not None
    assert report.proposal.columns == {"prompt": "question", "completion": "reply_text"}
    assert report.proposal.options in check(path).problems[0].hint


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"instruction": Q, "input": T, "response": A}, [("user", f"{Q}\n{T}"), ("assistant", A)]),
        (
            {"instruction": Q, "context": T, "response": A, "category": "open_qa"},
            [("user", f"{Q}\n{T}"), ("assistant", A)],
        ),
        ({"INSTRUCTION": Q, "RESPONSE": A}, [("user", Q), ("assistant", A)]),
        (
            {"question": Q, "choices": ["five", "six"], "solution": "five", "explanation": A},
            [("user", f'{Q}\n- "five"\n- "six"'), ("assistant", "five")],
        ),
        (
            {"question": Q, "choices": ["five", "six"], "answer": "B"},
            [("user", f"{Q}\nA. five\nB. six"), ("assistant", "B")],
        ),
    ],
)
def test_instructions_of_axolotl_keep_all_that_is_asked(row, expected):
    assert said(row) == expected


@pytest.mark.parametrize(
    "row", [{"from": "human", "value": Q}, {"role": "user", "content": Q, "id": 7}]
)
def test_a_turn_a_row_is_no_question_with_an_answer(row):
    assert proposal_of({"id": 1} | row) is None or refused(row)
    assert "one turn of a conversation" in refused(row)[0][1]


def test_columns_of_one_file_leave_the_other_files_of_the_folder_as_they_are(tmp_path):
    files = {
        "tickets.jsonl": {"Ticket": Q, "Reply": A},
        "chat.jsonl": {
            "messages": [{"role": "user", "content": Q}, {"role": "assistant", "content": A}]
        },
        "pairs.jsonl": {"prompt": Q, "completion": T},
    }
    for name, row in files.items():
        (tmp_path / name).write_text(json.dumps(row) + "\n")
    proposal = show(tmp_path).proposal
    assert proposal is not None
    followed = check(tmp_path, read_options(columns=proposal.columns))
    assert (followed.passed, followed.rows_kept) == (True, 3)


def test_a_column_that_no_row_has_is_still_named(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"Frage": Q, "Antwort": A}) + "\n")
    found = check(tmp_path, read_options(columns={"prompt": "Fragen", "completion": "Antwort"}))
    assert "did you mean 'Frage'?" in found.problems[0].hint


_KEYS = [
    "question",
    "answers",
    "text",
    "context",
    "label",
    "turns",
    "speaker",
    "utterance",
    "log",
    "role",
    "content",
    "messages",
    "q_1",
    "q_2",
    "response_a",
    "response_b",
    "preference",
    "labels",
    "score",
    "rank",
    "history",
    "data",
    "a-b",
]
_VALUES = st.recursive(
    st.sampled_from(["", "Where is it?", "It is here.", "user", "USER", 0, -2, 3.5, None, True]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=5), min_size=1, max_size=6)
)
def test_any_rows_get_a_proposal_or_none_and_each_can_be_followed(rows):
    found = proposals_of(rows)
    for each in (found.one, *found.choices):
        for row in rows if each else ():
            door(row, columns=each.columns)
    for row in rows:
        door(row)


def written(tmp_path, rows):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_walk_that_rows_have_is_no_missing_column(tmp_path):
    path = written(tmp_path, [{"log": [[Q, A]]}])
    found = check(path, read_options(columns={"messages": "log[]"}))
    assert (found.rows_kept, found.problems) == (1, ())


@pytest.mark.parametrize(
    ("row", "walk"),
    [
        ({"log": [{"text": Q}, {"text": None}, {"text": T}, {"text": A}]}, "log[].text"),
        ({"log": [[Q, None], [T, A]]}, "log[]"),
        ({"log": {"1": {"text": Q}, "2": {}, "3": {"text": A}}}, "log.*.text"),
    ],
)
def test_a_turn_that_is_missing_never_makes_the_next_one_another_speakers(row, walk):
    assert "has nothing there" in door(row, columns={"messages": walk}).problems[0].message


def test_a_filter_leaves_out_what_is_no_turn():
    row = {"log": [{"text": Q}, {"text": None}, {"text": A}]}
    assert said(row, columns={"messages": "log[?text].text"}) == [("user", Q), ("assistant", A)]


@pytest.mark.parametrize(
    "row",
    [
        # One side of a conversation whose other side has another length.
        {"questions": [Q, T, S], "answers": [A, T]},
        # What they are about, which the turns alone would lose, beside a system of their own.
        {"context": T, "qas": [{"system": S, "question": Q, "answer": A}]},
        # Three speakers, of whom nobody is known.
        {"log": [{"speaker": who, "text": Q} for who in ("Ann", "Bob", "Cy")]},
        # Several turns, and the names of their sides say nothing.
        {"turns": [{"u": Q, "a": A}, {"u": T, "a": A}]},
        # Graded as text: the first is not the best.
        {"question": Q, "answers": [{"text": T, "score": "0"}, {"text": A, "score": "2"}]},
    ],
)
def test_no_walk_loses_turns_or_takes_any_answer(row):
    found = proposals_of([row] * 8)
    assert (found.one, found.choices) == (None, ())


def test_an_empty_list_in_the_first_row_hides_no_answers():
    rows = [
        {"context": f"{T} {i}", "question": f"{i}? {Q}", "answers": {"text": [A] * (i % 2)}}
        for i in range(8)
    ]
    found = proposals_of(rows).one
    assert found is not None
    assert found.columns["output"] == "answers.text[0]"


def test_what_is_asked_about_is_no_answer():
    rows = [{"context": f"{T} {i}", "question": f"{i}? {Q}"} for i in range(8)]
    assert proposals_of(rows).one is None


def test_turns_of_which_only_some_rows_say_what_they_are_about_are_not_proposed():
    talk = [{"speaker": "user", "text": Q}, {"speaker": "assistant", "text": A}]
    rows = [{"talk": talk, "context": T if i % 2 else None} for i in range(8)]
    found = proposals_of(rows)
    assert (found.one, found.choices) == (None, ())


@pytest.mark.parametrize(
    ("asked", "answered", "topic", "mark"),
    [
        ("Frage", "Antwort", "Thema", "?"),
        ("Domanda", "Risposta", "Categoria", "?"),
        ("Pytanie", "Odpowiedź", "Kategoria", "?"),
        ("Kérdés", "Válasz", "Téma", "?"),
        ("問題", "回答", "分類", "\uff1f"),
        ("سؤال", "جواب", "فئة", "\u061f"),
    ],
)
def test_columns_in_any_language_are_told_by_what_they_hold(asked, answered, topic, mark):
    rows = [
        {
            "nr": i,
            answered: f"It is {i} of them, on page {i}." if i else "42",
            asked: f"How many are there of {i}{mark if i % 4 else '.'}",
            topic: ("Billing", "Delivery stop")[i % 2],
            "url": f"https://example.org/{i}",
        }
        for i in range(12)
    ]
    found = proposals_of(rows).one
    assert found is not None
    assert found.columns == {"prompt": asked, "completion": answered}


def test_where_values_do_not_tell_which_text_asks_both_ways_are_named():
    rows = [
        {"Anfrage": f"It is broken, {i} times", "Antwort": f"Press {i}.", "n": i} for i in range(8)
    ]
    found = proposals_of(rows)
    ways = [("Anfrage", "Antwort"), ("Antwort", "Anfrage")]
    assert (found.one, [tuple(way.columns.values()) for way in found.choices]) == (None, ways)
