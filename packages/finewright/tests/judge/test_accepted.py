"""Calls that a row accepts beside its own are as right; by hand, after BFCL's rules for Python."""

import json
from itertools import permutations
from typing import Any

import pytest

from finewright.errors import DataError
from finewright.judge.answer import Answer, Call
from finewright.judge.calls import (
    AcceptedCall,
    accepts,
    due_of,
    read_accepted,
    tool_arguments,
    tool_calls,
    tool_calls_in_order,
    tool_name,
)

RIGHT: dict[str, list[Any]] = {
    "city": ["New York, NY", "NYC"],
    "days": [3],
    "unit": ["celsius", ""],
    "exact": [True, ""],
    "places": [["Rome", "Bern"], ["Oslo"], ""],
    "range": [{"low": [1, 2], "high": [9.5, ""]}, ""],
    "stops": [[{"at": ["Bonn"], "for": [1, ""]}], ""],
}
OWN = {"city": "New York, NY", "days": 3}
ACCEPTED = AcceptedCall("weather", RIGHT, frozenset(["city", "days"]))


@pytest.mark.parametrize(
    ("changed", "is_right"),
    [
        ({}, True),
        ({"city": "nyc"}, True),
        ({"city": "new york NY"}, True),
        ({"city": "new-york_n*y^"}, True),
        ({"city": "new york ny]"}, False),
        ({"city": "Boston"}, False),
        ({"city": "New York"}, False),
        ({"days": 3.0}, True),
        ({"days": True}, False),
        ({"days": "3"}, False),
        ({"unit": "Celsius"}, True),
        ({"unit": ""}, True),
        ({"unit": None}, False),
        ({"exact": True}, True),
        ({"exact": 1}, False),
        ({"exact": False}, False),
        ({"places": ["rome", "bern"]}, True),
        ({"places": ["Bern", "Rome"]}, False),
        ({"places": ["Oslo"]}, True),
        ({"places": []}, True),
        ({"places": ""}, False),
        ({"exact": ""}, False),
        ({"city": ""}, False),
        ({"range": {"low": 2}}, True),
        ({"range": {"low": 1, "high": 9.5}}, True),
        ({"range": {"low": 1, "high": 9}}, False),
        ({"range": {"high": 9.5}}, False),
        ({"range": {"low": 1, "step": 1}}, False),
        ({"stops": [{"at": "bonn"}]}, True),
        ({"stops": [{"at": "Bonn", "for": 2}]}, False),
        ({"stops": [{"at": "Bonn"}, {"at": "Bonn"}]}, False),
        ({"wind": 1}, False),
    ],
)
def test_an_argument_may_have_each_of_its_right_values(
    changed: dict[str, Any], is_right: bool
) -> None:
    assert accepts(ACCEPTED, Call("weather", {**OWN, **changed})) is is_right


def test_what_may_be_left_out_is_what_lists_the_empty_text_and_is_not_required() -> None:
    call = Call("weather", {"city": "NYC"})
    assert not accepts(AcceptedCall("weather", {"city": ["NYC"], "days": [3]}), call)
    assert accepts(AcceptedCall("weather", {"city": ["NYC"], "days": [3, ""]}), call)
    required = frozenset(["days"])
    assert not accepts(AcceptedCall("weather", {"city": ["NYC"], "days": [3, ""]}, required), call)
    assert not accepts(AcceptedCall("clock", {"city": ["NYC"]}), call)


def due(*parts: dict[str, Any], calls: tuple[Call, ...]) -> Any:
    tools = [{"name": "f", "parameters": {"type": "object", "required": ["a"]}}]
    return due_of(Answer("", calls=calls), tools, {"accepted": json.dumps(parts)})


A1, A2 = Call("f", {"a": 1}), Call("f", {"a": 2, "b": "x"})


def test_scorers_take_an_accepted_call_for_the_expected_one() -> None:
    asked = due({"f": {"a": [1, 5]}}, {"f": {"a": [2], "b": ["x", "y", ""]}}, calls=(A1, A2))
    others = (Call("f", {"a": 5}), Call("f", {"a": 2}))
    for said in permutations(others):
        assert tool_calls(Answer("", calls=said), asked) == 1
        assert tool_arguments(Answer("", calls=said), asked) == 1
    assert tool_calls_in_order(Answer("", calls=others), asked) == 1
    assert tool_calls_in_order(Answer("", calls=others[::-1]), asked) == 0
    assert tool_name(Answer("", calls=others), asked) == 1
    assert tool_calls(Answer("", calls=(others[0], others[0])), asked) == 0
    assert tool_calls(Answer("", calls=others, fault="broken"), asked) == 0


def test_two_calls_stand_for_two_expected_ones_whichever_comes_first() -> None:
    asked = due({"f": {"a": [1, 2]}}, {"f": {"a": [2]}}, calls=(A1, Call("f", {"a": 2})))
    for said in permutations((Call("f", {"a": 1}), Call("f", {"a": 2}))):
        assert tool_calls(Answer("", calls=said), asked) == 1
    twice = Answer("", calls=(Call("f", {"a": 1}), Call("f", {"a": 1})))
    assert tool_calls(twice, asked) == 0


def test_a_call_that_is_right_in_part_gets_credit_for_accepted_arguments() -> None:
    asked = due({"f": {"a": [1, 5], "b": ["x", "y", ""]}}, calls=(Call("f", {"a": 1, "b": "x"}),))
    # a is right in another way, b is wrong: one of two leaves on both sides
    assert tool_arguments(Answer("", calls=(Call("f", {"a": 5, "b": "z"}),)), asked) == 0.5
    assert tool_arguments(Answer("", calls=(Call("f", {"a": 9}),)), asked) == 0.5


@pytest.mark.parametrize(
    "column", [None, "", "yes", True, "[]", [], [1], "[{}, 1]", [{"f": {"a": 1}}], "{broken"]
)
def test_a_column_of_another_form_is_none_of_its_business(column: Any) -> None:
    assert read_accepted({"accepted": column}, (A1,), {}) == ()


def test_what_is_accepted_of_other_calls_is_refused() -> None:
    with pytest.raises(DataError, match="of other calls than the answer"):
        due({"g": {"a": [1]}}, calls=(A1,))
    with pytest.raises(DataError, match="of other calls than the answer"):
        due({"f": {"a": [1]}}, calls=(A1, A2))
