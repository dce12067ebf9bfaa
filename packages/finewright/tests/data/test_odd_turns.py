"""What is wrong or doubtful about calls, results and thoughts is told with its row and key."""

import json

import pytest

from finewright.data.check import check_rows
from finewright.data.odd_turns import odd_turns as turns_of
from finewright.data.row_warnings import odd_turns, warnings_of
from finewright.data.validate import Validated, validate
from finewright.rows.fates import ReadOptions
from finewright.rows.read import ReadRow

Q = {"role": "user", "content": "Q"}
A = {"role": "assistant", "content": "A"}


def call(name: str = "f", arguments: object = "{}", id: str | None = "c1") -> dict[str, object]:
    named = {"id": id} if id else {}
    return {**named, "type": "function", "function": {"name": name, "arguments": arguments}}


def calling(*calls: dict[str, object], content: object = None) -> dict[str, object]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def result(id: str, content: str = "1") -> dict[str, object]:
    return {"role": "tool", "tool_call_id": id, "content": content}


def tool(name: str) -> dict[str, object]:
    return {"type": "function", "function": {"name": name, "parameters": {}}}


def check(*rows: dict[str, object]) -> Validated:
    return validate([ReadRow("rows.jsonl", i, row) for i, row in enumerate(rows, 1)], "auto")


@pytest.mark.parametrize(
    "arguments", ["{", "[1]", "", None, 5, '{"a": NaN}', '{"a": 1, "a": 2}', "{'a': 1}"]
)
def test_arguments_that_are_no_json_are_an_error_with_the_mend(arguments: object) -> None:
    found = check({"messages": [Q, calling(call(arguments=arguments))]})
    assert found.rows == ()
    assert (
        found.problems[0]
        .line()
        .startswith(
            "rows.jsonl:1: messages[1].tool_calls[0].function.arguments: neither an object nor JSON text"
        )
    )
    assert "write the arguments as JSON" in found.problems[0].hint


@pytest.mark.parametrize("content", ["<think>so", "\n<think>\nso it goes", "<think>"])
def test_a_thought_that_never_closes_is_an_error_where_it_would_be_learned(content: str) -> None:
    open_thought = {"role": "assistant", "content": content}
    found = check({"messages": [Q, A, Q, open_thought]})
    assert found.rows == ()
    (problem,) = found.problems
    assert (problem.level, problem.row, problem.key) == ("error", 1, "messages[3].content")
    assert "never closes" in problem.message
    assert "close it with </think>" in problem.hint
    unlearned = {**open_thought, "weight": 0}
    assert check({"messages": [Q, unlearned, Q, A]}).problems == ()
    pair = {"prompt": "Q", "chosen": [A], "rejected": [open_thought]}
    assert check(pair).problems[0].key == "rejected[0].content"


def test_think_in_a_users_text_stays_text_and_is_told() -> None:
    asked = {"role": "user", "content": "<think> what does this mark mean?"}
    found = check({"messages": [asked, A]})
    assert found.problems == ()
    assert found.rows[0].messages == (asked, A)


def test_think_within_an_answer_is_text() -> None:
    said = {"role": "assistant", "content": "The mark <think> opens a thought."}
    assert check({"messages": [Q, said]}).problems == ()


def test_no_result_is_lost_where_parallel_calls_share_an_id() -> None:
    calls = calling(call(id="a"), call("g", id="b"), call("h", id="a"))
    results = [result("a", "1"), result("a", "2"), result("b", "3")]
    (row,) = check({"messages": [Q, calls, *results, A]}).rows
    assert [m.get("content") for m in row.messages[2:5]] == ["1", "2", "3"]


def test_results_of_parallel_calls_are_read_in_the_order_of_the_calls() -> None:
    calls = calling(call(id="a"), call("g", id="b"), call("h", id="c"))
    results = [result("c", "3"), result("a", "1"), result("b", "2")]
    found = check({"messages": [Q, calls, *results, A]})
    (row,) = found.rows
    assert [m.get("content") for m in row.messages[2:5]] == ["1", "2", "3"]
    assert [m.get("tool_call_id") for m in row.messages[2:5]] == ["a", "b", "c"]
    assert [(p.level, p.key) for p in found.problems] == [("warning", "messages[2].tool_call_id")]
    assert "another order than the calls" in found.problems[0].message
    mended = check({"messages": [Q, calls, *row.messages[2:5], A]})
    assert (mended.rows[0].id, mended.problems) == (row.id, ())


@pytest.mark.parametrize(
    ("turns", "key"),
    [
        ([calling(call(id="a"), call(id="b")), result("a"), A], "messages[1].tool_calls[1].id"),
        ([calling(call(id="a")), Q, A], "messages[1].tool_calls[0].id"),
        ([calling(call(id="a"), call(id="a")), result("a"), A], "messages[1].tool_calls[1].id"),
        ([calling(call(id="a")), result("a"), result("a"), A], "messages[3].tool_call_id"),
    ],
)
def test_calls_and_results_that_do_not_match_are_warned_of(turns: list[object], key: str) -> None:
    found = check({"messages": [Q, *turns]})
    assert len(found.rows) == 1
    assert [(p.level, p.key) for p in found.problems] == [("warning", key)]


def test_ids_may_be_used_again_in_a_later_turn_and_a_last_call_needs_no_result() -> None:
    again = [calling(call(id="a")), result("a"), A, Q, calling(call(id="a")), result("a"), A]
    assert check({"messages": [Q, *again]}).problems == ()
    assert check({"messages": [Q, *again, Q, calling(call(id="a"), call(id="b"))]}).problems == ()


def test_an_empty_list_of_calls_is_no_call() -> None:
    assert check({"messages": [Q, {**A, "tool_calls": []}]}).problems == ()
    empty = check({"messages": [Q, {"role": "assistant", "content": None, "tool_calls": []}]})
    assert [p.key for p in empty.problems] == ["messages[1].content"]


def test_thoughts_that_are_no_text_are_an_error() -> None:
    found = check({"messages": [Q, {**A, "reasoning_content": ["so"]}]})
    assert [p.key for p in found.problems] == ["messages[1].reasoning_content"]
    assert found.rows == ()


def test_odd_turns_are_counted_with_the_first_row() -> None:
    undeclared = {
        "messages": [Q, A, Q, calling(call("f"), call("g", id="c2"))],
        "tools": [tool("f")],
    }
    bare = {"messages": [Q, calling(call("f"))]}
    declared = {"messages": [Q, calling(call("f"))], "tools": [tool("f"), {"name": "g"}]}
    beside = {"messages": [Q, calling(call("f"), content="Let me look.")], "tools": [tool("f")]}
    twice = {
        "messages": [
            Q,
            {"role": "assistant", "content": "<think>b</think>A", "reasoning_content": "a"},
        ]
    }
    closes = [
        {**A, "content": text} for text in ("b</think>A", "<think>b</think>A", "<think> </think>")
    ]
    named = {**A, "content": "Between <think> and </think>."}
    odd = [
        {"messages": [Q, turn]}
        for turn in (*closes, named, {**closes[0], "reasoning_content": "b"})
    ]
    found = check(declared, undeclared, bare, beside, twice, *odd)
    told = {(p.level, p.row, p.key): p.message for p in warnings_of(found.rows, odd_turns)}
    assert told == {
        ("warning", 2, "messages[3].tool_calls[1].function.name"):
            "2 rows call tools that the row's `tools` do not declare, this one first: 'g'",
        ("info", 4, "messages[1].content"): "1 row has text beside a call",
        ("warning", 5, "messages[1].content"):
            "1 row has thoughts both in reasoning_content and in the content",
        ("warning", 6, "messages[1].content"):
            "1 row has </think> without <think> before it",
    }  # fmt: skip


def test_check_tells_of_odd_turns_and_of_marks_in_a_users_text(tmp_path) -> None:
    rows = [
        {"messages": [Q, calling(call("f"))]},
        {"messages": [{"role": "user", "content": "what is <think>?"}, A]},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = {
        p.row: p.message for p in check_rows(path, ReadOptions(), lambda problem: None).problems
    }
    assert "do not declare" in told[1]
    assert "<think> (1)" in told[2]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ('{"n": 1}', ""),
        ('{"n": 1, "unit": "C"}', ""),
        ("{}", "f: 'n' is a required property"),
        ('{"n": "one"}', "f: n: not of type 'integer'"),
        ('{"n": 1, "unit": "K"}', "f: unit: breaks 'enum'"),
        ({"n": 1, "more": 2}, "f: Additional properties are not allowed ('more' was unexpected)"),
    ],
)
def test_arguments_that_break_the_tools_own_schema_are_told(arguments: object, says: str) -> None:
    parameters = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "unit": {"enum": ["C", "F"]}},
        "required": ["n"],
        "additionalProperties": False,
    }
    declared = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    row = {
        "messages": [Q, calling(call(arguments=arguments)), result("c1"), A],
        "tools": [declared],
    }
    (checked,) = check(row).rows
    assert [turn.says for turn in turns_of(checked) if turn.kind == "misfit"] == [says] * bool(says)


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        (
            {"properties": {"n": {"pattern": "(?<=a)b"}}},
            "is not matched in bounded time: '(?<=a)b'",
        ),
        (
            {"properties": {"n": {"pattern": "^[a-z"}}},
            "not a valid JSON Schema: $.properties.n.pattern",
        ),
        ({"properties": {"n": {"type": "str"}}}, "not a valid JSON Schema: $.properties.n.type"),
    ],
)
def test_of_a_schema_that_cannot_be_held_to_no_call_is_called_wrong(
    parameters: object, why: str
) -> None:
    declared = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    messages = [Q, calling(call(arguments='{"n": "x"}')), result("c1"), A]
    found = check({"messages": messages, "tools": [declared]})
    [told] = warnings_of(found.rows, odd_turns)
    assert (told.level, told.key) == ("info", "messages[1].tool_calls[0].function.arguments")
    assert told.message.startswith(
        "1 row calls a tool whose schema cannot be held to, so that nobody looked"
    )
    assert why in told.message
    assert told.hint.startswith("fix the tool's `parameters`")


def test_arguments_that_nobody_learns_may_break_the_schema() -> None:
    parameters = {"type": "object", "required": ["n"]}
    declared = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    right, wrong = calling(call(arguments='{"n": 1}')), calling(call())
    past = {**wrong, "weight": 0}
    rows = check(
        {"prompt": [Q], "chosen": [right], "rejected": [wrong], "tools": [declared]},
        {"messages": [Q, past, result("c1"), A], "tools": [declared]},
        {"prompt": [Q], "chosen": [wrong], "rejected": [right], "tools": [declared]},
    ).rows
    kinds = [[turn.kind for turn in turns_of(row)] for row in rows]
    assert ["misfit" in found for found in kinds] == [False, False, True]
