"""What an answer is: its thoughts, its content, its calls."""

import pytest

from finewright.judge.answer import Answer, Call, answer_of, split_thoughts


@pytest.mark.parametrize(
    ("text", "thoughts", "content"),
    [
        ('<think>\n2 and 2\n</think>\n\n{"sum": 4}', "2 and 2", '{"sum": 4}'),
        ("</think>\n\nYes.", "", "Yes."),
        ("The mark </think> closes a thought.", "", "The mark </think> closes a thought."),
        ("<think>they ask of <think></think>It opens one.", "they ask of <think>", "It opens one."),
        ("<think>\n\n</think>\n\nYes.", "", "Yes."),
        ("Write <think> to think.", "", "Write <think> to think."),
        ("<think>for ever", "", "<think>for ever"),
    ],
)
def test_thoughts_stand_before_what_is_said(text: str, thoughts: str, content: str) -> None:
    assert split_thoughts(text) == (thoughts, content)


def test_a_close_alone_ends_a_thought_where_the_prompt_opened_one() -> None:
    said = {"role": "assistant", "content": '2 and 2</think>{"sum": 4}'}
    assert split_thoughts(said["content"], is_open=True) == ("2 and 2", '{"sum": 4}')
    assert answer_of(said, is_open=True) == Answer('{"sum": 4}', "2 and 2")
    assert answer_of(said) == Answer(said["content"])


def test_a_message_is_read_with_its_calls() -> None:
    function = {"name": "fee", "arguments": '{"card": "gold"}'}
    message = {"role": "assistant", "content": None, "tool_calls": [{"function": function}]}

    assert answer_of(message) == Answer("", calls=(Call("fee", {"card": "gold"}),))


def test_arguments_that_are_no_json_are_a_fault() -> None:
    message = {"role": "assistant", "tool_calls": [{"function": {"name": "fee", "arguments": "{"}}]}

    assert answer_of(message) == Answer("", fault="the arguments of fee are no JSON")


@pytest.mark.parametrize(
    "call",
    [
        {"type": "custom", "custom": {"name": "fee", "input": "x"}},
        {"id": "1"},
        {"function": None},
        {"function": {"arguments": "{}"}},
        "fee",
    ],
)
def test_a_call_of_no_function_is_a_fault(call: object) -> None:
    assert answer_of({"tool_calls": [call]}) == Answer("", fault="a call of no function")


@pytest.mark.parametrize("arguments", [None, "", "{}", {}])
def test_a_call_without_arguments_has_none(arguments: object) -> None:
    message = {"tool_calls": [{"function": {"name": "fee", "arguments": arguments}}]}
    assert answer_of(message).calls == (Call("fee", {}),)


def test_a_thought_that_never_closes_is_a_fault() -> None:
    message = {"role": "assistant", "content": "<think>2 and"}

    assert answer_of(message) == Answer("", fault="a thought that never closes")


def test_thoughts_beside_the_content_leave_it_as_it_is() -> None:
    message = {"role": "assistant", "reasoning_content": "2 and 2", "content": "4"}

    assert answer_of(message) == Answer("4", "2 and 2")
