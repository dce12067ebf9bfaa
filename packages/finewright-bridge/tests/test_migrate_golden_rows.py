"""Golden prompts with the old model's answers, and the right ones where they are known."""

import json
from pathlib import Path

import pytest

from finewright.errors import DataError
from finewright_bridge.migrate.golden_rows import (
    collect_expected,
    golden_text,
    prompts_of,
    read_files,
    read_recorded,
    rows_to_measure,
)


def turns(*texts: str) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


@pytest.fixture
def written(tmp_path):
    def written(*rows: object, name: str = "rows.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return written


def test_a_recorded_answer_is_told_in_any_of_the_usual_shapes(written):
    path = written(
        {"prompt": "a?", "answer": "A", "expected": "right"},
        {"messages": turns("b?"), "answer": "B"},
        {"messages": turns("c?", "C")},
        {"prompt": "d?", "completion": "D"},
        {"prompt": turns("e?"), "answer": "E", "expected": {"x": 1}},
    )
    rows, problems = read_recorded(path, {})
    assert problems == ()
    assert [(row.prompt.messages[-1]["content"], row.answer) for row in rows] == [
        (f"{letter}?", letter.upper()) for letter in "abcde"
    ]
    assert [row.expected for row in rows] == ["right", None, None, None, '{"x":1}']


def test_right_answers_come_from_the_files_by_the_question(written):
    files = read_files(
        [written({"messages": turns("a?", "right")}, {"messages": turns("x?", "y")})]
    )
    rows, _ = read_recorded(written({"prompt": "a?", "answer": "A"}), collect_expected(files.rows))
    assert [row.expected for row in rows] == ["right"]


def test_the_frozen_file_reads_back_as_the_same_rows(written, tmp_path):
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    rows, _ = read_recorded(
        written(
            {"prompt": "a?", "answer": "A", "expected": "right"},
            {"messages": turns("b?", "B", "c?"), "tools": [tool], "answer": "C"},
        ),
        {},
    )
    (tmp_path / "golden.jsonl").write_text(golden_text(rows))
    again, problems = read_recorded(tmp_path / "golden.jsonl", {})
    assert problems == ()
    assert [row.to_json() for row in again] == [row.to_json() for row in rows]
    assert [row.messages[-1]["content"] for row in rows_to_measure(again)] == ["A", "C"]


def test_tool_calls_are_kept_as_calls_and_repeated_prompts_left_out(written):
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    path = written(
        {"prompt": "a?", "answer": "first"},
        {"prompt": "a?", "answer": "second"},
        {"messages": [*turns("b?"), {"role": "assistant", "content": None, "tool_calls": [call]}]},
    )
    rows, problems = read_recorded(path, {})
    assert [row.answer for row in rows] == ["first", '[{"arguments": {}, "name": "f"}]']
    assert [row.messages[-1].get("tool_calls") for row in rows_to_measure(rows)] == [None, [call]]
    assert rows[1].to_json()["messages"][-1]["tool_calls"] == [call]
    assert [problem.message for problem in problems] == [
        "1 answers are to a prompt that was there before: left out",
    ]


def test_a_row_without_an_answer_is_an_error_with_its_line(written):
    _, problems = read_recorded(written({"prompt": "a?", "answer": "A"}, {"prompt": "b?"}), {})
    assert [(p.level, p.row, p.key) for p in problems] == [("error", 2, "answer")]


def test_prompts_are_drawn_once_each_and_the_same_every_time(written):
    rows = [{"messages": turns(f"q{n % 30}?", str(n))} for n in range(60)]
    read = read_files([written(*rows)])
    asked = prompts_of(read.rows, 10)
    texts = [row.messages[-1]["content"] for row in asked]
    assert len(set(texts)) == 10
    assert all(row.messages[-1]["role"] == "user" for row in asked)
    assert prompts_of(read.rows, 10) == asked
    assert len(prompts_of(read.rows, 100)) == 30


def test_preference_files_are_read_and_expect_the_preferred_answer(written):
    pair = {
        "input": {"messages": turns("a?"), "tools": [], "parallel_tool_calls": True},
        "preferred_output": [{"role": "assistant", "content": "good"}],
        "non_preferred_output": [{"role": "assistant", "content": "bad"}],
    }
    read = read_files([written(pair)])
    assert read.problems == ()
    assert list(collect_expected(read.rows).values()) == ["good"]
    assert [row.rejected is not None for row in read.rows] == [True]


def test_pairs_and_conversations_are_not_trained_together(written):
    pair = {"prompt": "a?", "chosen": "good", "rejected": "bad"}
    chat = written({"messages": turns("a?", "A")}, name="chat.jsonl")
    with pytest.raises(DataError, match=r"both conversations .* and pairs .* are here"):
        read_files([chat, written(pair)])


def test_an_empty_file_has_no_rows_to_train_on(written):
    read = read_files([written()])
    assert read.rows == ()
    assert [problem.level for problem in read.problems] == ["error"]
