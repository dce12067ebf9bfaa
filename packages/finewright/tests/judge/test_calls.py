"""Scores of tool calls, against values that were worked out by hand."""

from itertools import permutations

import pytest

from finewright.judge.answer import Answer, Call, calls_text, text_to_compare
from finewright.judge.calls import (
    Due,
    find_undeclared,
    no_call,
    tool_arguments,
    tool_calls,
    tool_calls_in_order,
    tool_name,
    tool_schema,
)

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
                "required": ["city"],
            },
        },
    },
    {"type": "function", "function": {"name": "clock"}},
]
PARIS = Call("weather", {"city": "Paris", "days": 4})
ROME = Call("weather", {"city": "Rome", "days": 4})
CLOCK = Call("clock", {})


def answer(*calls: Call, content: str = "", fault: str = "") -> Answer:
    return Answer(content, calls=calls, fault=fault)


def due(*calls: Call) -> Due:
    return Due(answer(*calls, content="" if calls else "None of my tools fits."), TOOLS)


# calls, expected, tool_calls, tool_name, tool_arguments, tool_schema
@pytest.mark.parametrize(
    ("said", "expected", "scores"),
    [
        (answer(PARIS), due(PARIS), (1, 1, 1, 1)),
        (answer(), due(PARIS), (0, 0, 0, 0)),
        (answer(content="It is sunny."), due(PARIS), (0, 0, 0, 0)),
        (answer(ROME), due(PARIS), (0, 1, 0.5, 1)),
        (answer(ROME, PARIS), due(PARIS, ROME), (1, 1, 1, 1)),
        (answer(PARIS), due(PARIS, ROME), (0, 0, 2 / 3, 1)),
        (answer(PARIS, PARIS), due(PARIS), (0, 0, 2 / 3, 1)),
        (answer(CLOCK), due(CLOCK), (1, 1, 1, 1)),
        (answer(Call("weather", {"city": "Paris", "days": 4.0})), due(PARIS), (1, 1, 1, 1)),
        (answer(Call("weather", {"city": "Paris", "days": "4"})), due(PARIS), (0, 1, 0.5, 0)),
        (answer(Call("weather", {"days": True})), due(Call("weather", {"days": 1})), (0, 1, 0, 0)),
        (answer(Call("wether", {"city": "Paris"})), due(PARIS), (0, 0, 0, 0)),
        (answer(PARIS, fault="a call that cannot be read"), due(PARIS, ROME), (0, 0, 2 / 3, 0)),
        (answer(content="No."), due(), (1, 1, 1, 1)),
        (answer(CLOCK), due(), (0, 0, 0, 1)),
        (answer(fault="a call that cannot be read"), due(), (0, 0, 0, 0)),
    ],
)
def test_calls_are_scored_as_by_hand(
    said: Answer, expected: Due, scores: tuple[float, float, float, float]
) -> None:
    scorers = (tool_calls, tool_name, tool_arguments, tool_schema)
    assert tuple(scorer(said, expected) for scorer in scorers) == pytest.approx(scores)


def test_order_counts_only_where_it_is_asked_for() -> None:
    assert tool_calls_in_order(answer(ROME, PARIS), due(PARIS, ROME)) == 0
    assert tool_calls_in_order(answer(PARIS, ROME), due(PARIS, ROME)) == 1


def test_no_call_is_of_rows_where_none_is_due() -> None:
    assert no_call(answer(content="No."), due()) == 1
    assert no_call(answer(CLOCK), due()) == 0
    assert no_call(answer(fault="a call that cannot be read"), due()) == 0
    assert no_call(answer(PARIS), due(PARIS)) is None


def test_calls_of_tools_that_are_not_there_are_named() -> None:
    assert find_undeclared((PARIS, Call("bank", {})), TOOLS) == ["bank"]
    assert find_undeclared((CLOCK,), None) == ["clock"]


def test_the_text_of_calls_is_one_for_the_same_calls() -> None:
    calls = (PARIS, ROME, CLOCK)
    assert len({calls_text(order) for order in permutations(calls)}) == 1
    assert calls_text((Call("f", {"b": 1.0, "a": [True]}),)) == (
        '[{"arguments": {"a": [true], "b": 1}, "name": "f"}]'
    )


def test_scorers_of_texts_see_calls_where_calls_are_due() -> None:
    expected = answer(PARIS)
    assert text_to_compare(answer(PARIS, content="I look."), expected) == calls_text((PARIS,))
    assert text_to_compare(answer(content="sunny"), expected) == ""
    assert text_to_compare(answer(PARIS, content="sunny"), answer(content="sunny")) == "sunny"


def test_a_tool_without_a_name_declares_nothing_and_hides_no_other() -> None:
    tools = [{"type": "function", "function": None}, {"name": "clock"}, *TOOLS]
    assert tool_schema(answer(PARIS), Due(answer(PARIS), tools)) == 1
    assert tool_schema(answer(Call("", {})), Due(answer(PARIS), tools[:1])) == 0
    assert find_undeclared([PARIS, CLOCK], tools[:2]) == ["weather"]
