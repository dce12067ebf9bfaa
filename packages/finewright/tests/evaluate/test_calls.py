"""A file of perfect calls scores 100 %, silence and thoughts that never close 0 %, whatever the metric."""

import json
from collections.abc import Sequence

import pytest

from families.families import chat as family_chat
from finewright import plugins
from finewright.compare.local import check_speech
from finewright.errors import DataError
from finewright.evaluate.answered import AnsweredRow
from finewright.evaluate.answers import question_of, response_of
from finewright.evaluate.expected import unaskable
from finewright.evaluate.measured import RowSet
from finewright.evaluate.samples import answer_counts, row_of_sample
from finewright.evaluate.score import (
    ScoreOptions,
    column_of,
    find_speechless,
    score_answers,
)
from finewright.judge.answer import Answer, text_to_compare
from finewright.judge.calls import column_scorer, due_of
from finewright.lm.encode import encode_rows
from finewright.lm.generate import Generation
from finewright.schema.evaluate import CallSaid, Sample
from finewright.schema.rows import Row
from lm.answers.test_reader import trl_chat

pytestmark = pytest.mark.torch
OPTIONS = ScoreOptions(confidence=0.9, resamples=100, seed=0)
TOOLS = (
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "d",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    },
)
METRICS = ("exact_match", "token_f1", "json_f1", "rouge_l", "tool_calls", "tool_name")
METRICS = (*METRICS, "tool_arguments", "tool_schema", "tool_calls_in_order")


def row_of(number: int, answer: dict[str, object]) -> Row:
    asked = {"role": "user", "content": f"Weather {number}?"}
    return Row(str(number), (asked, {"role": "assistant", **answer}), TOOLS, "test.jsonl", number)


def calling(city: str) -> dict[str, object]:
    function = {"name": "weather", "arguments": json.dumps({"city": city})}
    return {"content": None, "tool_calls": [{"type": "function", "function": function}]}


CITIES = ("Paris", "Rome", "東京", 'a "b"')
ROWS = [row_of(i, calling(city)) for i, city in enumerate(CITIES, 1)]
PERFECT = [
    f"<tool_call>\n{json.dumps({'name': 'weather', 'arguments': {'city': city}})}\n</tool_call>"
    for city in CITIES
]


def answered(rows: Sequence[Row], texts: Sequence[str]) -> list[AnsweredRow]:
    chat = family_chat("qwen3")
    found = []
    for row, text in zip(rows, texts, strict=True):
        question = question_of(chat, row)
        ids = chat.tokenizer(text, add_special_tokens=False)["input_ids"]
        said = response_of(chat, question, Generation(tuple(ids), 2)).answer
        due = question.due
        compared = text_to_compare(said, due.answer)
        found.append(AnsweredRow(row.row, question.expected, compared, said=said, due=due))
    return found


def scores(rows: Sequence[Row], texts: Sequence[str], *metrics: str) -> list[float]:
    found = score_answers("a", "test", metrics or METRICS, answered(rows, texts), OPTIONS)
    return [score.value for score in found.scores]


def test_a_file_of_perfect_calls_scores_100_percent() -> None:
    assert scores(ROWS, PERFECT) == [1.0] * len(METRICS)


@pytest.mark.parametrize("text", ["", "It is sunny.", "<think>\nI should call", PERFECT[0][:-30]])
def test_silence_text_and_broken_calls_score_0(text: str) -> None:
    assert scores(ROWS, [text] * len(ROWS)) == [0.0] * len(METRICS)


def test_a_thinking_models_json_is_json() -> None:
    rows = [row_of(1, {"content": '{"sum": 4}'})]
    text = '<think>2 + 2</think>\n\n{"sum": 4}'
    assert scores(rows, [text], "valid_json", "exact_match", "json_f1") == [1.0, 1.0, 1.0]


def test_no_call_counts_the_rows_where_none_is_due() -> None:
    rows = [*ROWS[:2], row_of(9, {"content": "No."}), row_of(10, {"content": "No."})]
    found = answered(rows, [PERFECT[0], "", "No.", PERFECT[0]])
    (score,) = score_answers("a", "test", ["no_call"], found, OPTIONS).scores
    assert (score.value, score.n) == (0.5, 2)


def test_a_metric_that_says_nothing_of_a_set_is_refused_before_it_is_asked() -> None:
    due = [question_of(family_chat("qwen3"), row).due for row in ROWS]
    with pytest.raises(DataError, match="no_call says nothing of calls"):
        check_speech(RowSet("calls", ROWS), ["no_call"], due)


def holds(answer: str, needle: str) -> float:
    return float(needle in answer)


HOLDS = column_scorer("needle", holds)


def test_a_column_scorer_reads_its_column_and_skips_rows_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(plugins.BUILTIN["scorer"], "holds", f"{__name__}:HOLDS")
    scorer = HOLDS
    plain = Answer("hay")
    with_column = due_of(plain, None, {"needle": "needle"})
    assert [scorer(Answer(text), with_column) for text in ("a needle in hay", "hay", "")] == [
        1.0,
        0.0,
        0.0,
    ]
    without = [due_of(plain, None, columns) for columns in ({}, {"needle": ""}, {"needle": 3})]
    assert [scorer(plain, due) for due in without] == [None, None, None]
    problem = find_speechless("holds", "test", without)
    assert problem is not None
    assert "each of its 3 rows is without text in its column 'needle'" in problem.message
    assert find_speechless("holds", "test", [*without, with_column]) is None
    assert column_of("holds") == "needle"


@pytest.mark.parametrize("name", ["llama3", "gemma3"])
def test_a_row_with_a_call_is_refused_where_calls_cannot_be_read(name: str) -> None:
    with pytest.raises(DataError, match=r"test\.jsonl:1: .*no words for tool calls"):
        question_of(trl_chat(name), ROWS[0])


def test_a_call_that_the_row_breaks_is_refused() -> None:
    turn = calling("x")
    turn["tool_calls"][0]["function"]["arguments"] = '{"city": '  # type: ignore[index]
    with pytest.raises(DataError, match=r"test\.jsonl:1: the arguments of weather are no JSON"):
        question_of(family_chat("qwen3"), row_of(1, turn))


def test_a_recorded_answer_is_scored_as_it_was() -> None:
    sample = Sample(
        **{"system": "a", "data": "test", "row": 1, "prompt": "?", "stopped": True},
        expected='[{"arguments": {}, "name": "f"}]',
        answer="",
        scores={"tool_schema": 0.25, "exact_match": 0.0},
        calls=(CallSaid(name="g", arguments={}),),
        expected_calls=(CallSaid(name="f", arguments={}),),
    )
    metrics = ["tool_schema", "tool_calls", "exact_match"]
    found = score_answers("a", "test", metrics, [row_of_sample(sample)], OPTIONS)
    assert found.per_row == [{"tool_schema": 0.25, "tool_calls": 0.0, "exact_match": 0.0}]


def test_thoughts_faults_and_strange_calls_are_counted() -> None:
    common = {"system": "a", "data": "t", "prompt": "?", "expected": "4", "answer": "4"}
    samples = [
        Sample(
            **common,
            row=1,
            stopped=True,
            scores={},
            thoughts="hm",
            num_tokens=10,
            num_thought_tokens=6,
        ),
        Sample(
            **common,
            row=2,
            stopped=False,
            scores={},
            fault="a thought that never closes",
            num_tokens=20,
        ),
        Sample(
            **common,
            **{"row": 3, "stopped": True, "scores": {}, "num_tokens": 10},
            calls=(CallSaid(name="g", arguments={}),),
            tools_undeclared=("g",),
        ),
    ]
    counts = answer_counts("a", "t", samples)
    assert (counts.thinking, counts.thought_tokens_mean, counts.thought_share) == (1, 6.0, 0.15)
    assert (counts.calls, counts.undeclared_calls, counts.ended) == (1, 1, 2)
    assert (counts.faults, counts.first_fault) == (1, "row 2: a thought that never closes")


TWO = {
    "content": None,
    "tool_calls": [*calling("Paris")["tool_calls"], *calling("Rome")["tool_calls"]],
}  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "why"), [("gptoss", "leaves out tool call 2"), ("llama3_1", "refuses")]
)
def test_calls_that_the_template_cannot_write_in_one_turn_are_refused(name: str, why: str) -> None:
    rows = [row_of(1, calling("Paris")), row_of(2, TWO), row_of(3, TWO)]
    (problem,) = unaskable(trl_chat(name), rows)
    assert (problem.level, problem.file, problem.row) == ("error", "test.jsonl", 2)
    assert problem.message.startswith("2 of 3 held-out rows")
    assert "the expected answer cannot be given" in problem.message
    assert why in problem.message
    assert "leave such rows out" in problem.hint
    with pytest.raises(DataError, match=r"test\.jsonl:2: the expected answer cannot be given"):
        question_of(trl_chat(name), rows[1])


@pytest.mark.parametrize("name", ["qwen3", "glm4moe", "gemma4"])
def test_calls_that_the_template_writes_are_asked(name: str) -> None:
    assert unaskable(trl_chat(name), [*ROWS, row_of(9, TWO)]) == ()


@pytest.mark.parametrize("calls", [[], None])
def test_an_empty_list_of_calls_is_no_call(calls: object) -> None:
    plain = {"role": "assistant", "content": "Sunny."}
    for name in ("qwen3", "gptoss", "llama3_1", "gemma4", "glm4moe", "deepseekv3"):
        chat, asked = trl_chat(name), ROWS[0].messages[0]
        empty = chat.render([asked, {**plain, "tool_calls": calls}])
        assert empty == chat.render([asked, plain])


def test_a_row_of_calls_that_the_template_loses_does_not_train() -> None:
    rows = encode_rows(trl_chat("gptoss"), [row_of(2, TWO)], max_length=9999, on_overlong="error")
    (problem,) = rows.problems
    assert (problem.level, problem.row) == ("error", 2)
    assert "leaves out tool call 2 of this turn" in problem.message
