"""Rewards judge what follows the thoughts, and calls as calls."""

from pathlib import Path
from typing import Any

import pytest

from families.families import chat as family_chat
from finewright.errors import StageError
from finewright.lm.encode import encode_example
from finewright.lm.example import Example
from finewright.lm.generate import Generation
from finewright.schema.rewards import RewardSpec
from finewright.schema.rows import Row
from finewright.train.rewards import Judge, build, check, read_expected_calls
from finewright.train.rollouts import _answer_to_judge, _read_generation
from finewright.train.rows import rows_for

pytestmark = pytest.mark.torch
CHAT = family_chat("qwen3")
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
CALL = {"type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
PERFECT = '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>'


def example(answer: dict[str, Any], tools: tuple[dict[str, Any], ...] | None = TOOLS) -> Example:
    turns = ({"role": "user", "content": "Weather?"}, {"role": "assistant", **answer})
    taken, problems = rows_for("grpo", [Row("1", turns, tools, "train.jsonl", 1)])
    assert not problems
    return encode_example(CHAT, taken[0])


def no_reward_model(run: Path) -> Judge:
    raise AssertionError(run)


def paid(row: Example, text: str, *functions: str) -> list[float]:
    specs = [RewardSpec(function=function) for function in functions]
    ids = CHAT.tokenizer(text, add_special_tokens=False)["input_ids"]
    answered = _answer_to_judge(_read_generation(CHAT, row, Generation(tuple(ids), 1)), row)
    means = build(specs, Path().joinpath, no_reward_model).score([answered]).means
    return [means[f"reward/{function}"] for function in functions]


def test_a_reasoning_model_is_paid_for_what_follows_its_thoughts() -> None:
    row = example({"content": '{"sum": 4}'}, None)
    text = '<think>\n{"sum": 5}? No.\n</think>\n\n{"sum": 4}'
    assert paid(row, text, "exact", "valid_json", "json_f1", "numeric") == [1, 1, 1, 1]
    assert paid(row, '<think>\n{"sum": 4}', "exact", "json_f1", "mentions") == [0, 0, 0]


def test_thoughts_of_the_rows_own_answer_are_not_expected() -> None:
    row = example({"content": "<think>2 + 2</think>4"}, None)
    assert row.columns["answer"] == "4"


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        (PERFECT, [1, 1, 1, 1, 1, 1]),
        ("<think>\nhm\n</think>\n\n" + PERFECT, [1, 1, 1, 1, 1, 1]),
        (PERFECT.replace("Paris", "Rome"), [0, 1, 0, 1, 0, 0.5]),
        ("It is sunny.", [0, 0, 0, 0, 0, 0]),
        ("", [0, 0, 0, 0, 0, 0]),
        (PERFECT[:-20], [0, 0, 0, 0, 0, 0]),
    ],
)
def test_calls_are_paid_as_calls(text: str, scores: list[float]) -> None:
    row = example({"content": None, "tool_calls": [CALL]})
    functions = ("tool_calls", "tool_name", "tool_arguments", "tool_schema", "exact", "json_f1")
    assert paid(row, text, *functions) == scores


def test_a_call_where_none_is_due_earns_nothing() -> None:
    row = example({"content": "I cannot."})
    assert paid(row, "I cannot.", "tool_calls", "no_call") == [1, 1]
    assert paid(row, PERFECT, "tool_calls", "no_call") == [0, 0]


def test_expected_calls_are_read_in_either_form_or_refused() -> None:
    ours = read_expected_calls('[{"name": "f", "arguments": {"a": 1}}]')
    assert ours == read_expected_calls([{"function": {"name": "f", "arguments": '{"a": 1}'}}])
    assert read_expected_calls(None) == read_expected_calls("") == read_expected_calls([]) == ()
    for wrong in ("f(a=1)", 4, ["f"], [{"arguments": {}}], [{"name": "f", "arguments": "{"}]):
        with pytest.raises(StageError, match="expected calls cannot be read"):
            read_expected_calls(wrong)


def test_check_names_rows_whose_calls_cannot_be_read_and_that_none_is_expected() -> None:
    specs = [RewardSpec(function="tool_calls")]
    (problem,) = check(specs, [{"tool_calls": "f(a=1)"}], Path().joinpath)
    assert (problem.level, problem.message[:6]) == ("error", "row 1:")
    (problem,) = check(specs, [{"answer": "x"}], Path().joinpath)
    assert problem.level == "warning"
    assert "pays for calling nothing" in problem.message
    assert check(specs, [{"tool_calls": [{"name": "f", "arguments": {}}]}], Path().joinpath) == []
