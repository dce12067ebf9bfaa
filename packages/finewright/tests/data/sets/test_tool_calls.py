"""Requests of the benchmark as conversations with tools."""

import json

import pytest
from jsonschema import Draft202012Validator

from finewright.conformance.packages import make_fetched, make_packaged_set, rows_of
from finewright.conformance.set import SetConformance
from finewright.data.sets.build import Fetched
from finewright.data.sets.tool_calls import NO_CALL, content

WEATHER = {
    "name": "weather.get",
    "description": "The weather.",
    "parameters": {
        "type": "dict",
        "required": ["city"],
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    },
}
TIME = {
    "name": "time",
    "description": "The time.",
    "parameters": {"type": "dict", "properties": {}},
}
FOLDER = "bfcl_eval/data"


def request(id: str, *turns: tuple[str, str], tools=(WEATHER, TIME)) -> dict:
    messages = [{"role": role, "content": text} for role, text in turns]
    return {"id": id, "question": [messages], "function": list(tools)}


def package(category: str, requests: list[dict], answers: dict[str, list] | None = None) -> Fetched:
    files = {f"{FOLDER}/BFCL_v4_{category}.json": "\n".join(map(json.dumps, requests))}
    if answers is not None:
        lines = [json.dumps({"id": id, "ground_truth": truth}) for id, truth in answers.items()]
        files[f"{FOLDER}/possible_answer/BFCL_v4_{category}.json"] = "\n".join(lines) + "\n"
    return make_fetched(files)


def built(category: str, requests: list[dict], answers: dict[str, list] | None = None):
    return content(
        [package(category, requests, answers)], make_packaged_set(license="Apache-2.0")
    ).rows


class TestToolCalls(SetConformance):
    name = "tool-calls"

    @pytest.fixture
    def fetched(self) -> list[Fetched]:
        return [package("irrelevance", [request("a", ("user", "Hi"))])]


def test_a_call_is_a_message_of_openais_format():
    asked = request(
        "live_simple_0", ("system", "Be brief."), ("user", "Weather in Rome for 3 days?\n")
    )
    answers = {"live_simple_0": [{"weather.get": {"city": ["Rome", "Roma"], "days": ["", 3]}}]}
    (row,) = rows_of(built("live_simple", [asked], answers), "train")
    assert row["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather in Rome for 3 days?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {
                        "name": "weather_get",
                        "arguments": '{"city": "Rome", "days": 3}',
                    },
                }
            ],
        },
    ]
    assert [tool["function"]["name"] for tool in row["tools"]] == ["weather_get", "time"]
    for tool in row["tools"]:
        assert tool["type"] == "function"
        Draft202012Validator.check_schema(tool["function"]["parameters"])
    assert json.loads(row["accepted"]) == [
        {"weather_get": {"city": ["Rome", "Roma"], "days": ["", 3]}}
    ]
    assert (row["category"], row["id"], row["license"]) == (
        "live_simple",
        "live_simple_0",
        "Apache-2.0",
    )
    assert row["source_file"] == f"{FOLDER}/BFCL_v4_live_simple.json"


def test_several_calls_stand_in_one_message_in_their_order():
    asked = request("parallel_0", ("user", "Weather in Rome and in Oslo"))
    truth = [{"weather.get": {"city": [city]}} for city in ("Rome", "Oslo")]
    (row,) = rows_of(built("parallel", [asked], {"parallel_0": truth}), "test")
    calls = row["messages"][-1]["tool_calls"]
    assert [call["id"] for call in calls] == ["call_1", "call_2"]
    assert [json.loads(call["function"]["arguments"])["city"] for call in calls] == ["Rome", "Oslo"]


def test_a_request_that_no_tool_fits_is_answered_without_a_call():
    asked = request("irrelevance_0", ("user", "Who are you?"))
    (row,) = rows_of(built("irrelevance", [asked]), "test")
    assert row["messages"][-1] == {"role": "assistant", "content": NO_CALL}


def test_what_users_sent_is_to_train_on_and_the_rest_to_test():
    live = built("live_irrelevance", [request("a", ("user", "hello"))])
    assert [len(rows_of(live, split)) for split in ("train", "test")] == [1, 0]
    written = built("irrelevance", [request("a", ("user", "hello"))])
    assert [len(rows_of(written, split)) for split in ("train", "test")] == [0, 1]


def test_an_assistants_turn_before_is_read_and_not_learned():
    turns = [("user", "Hello"), ("assistant", "Which city?"), ("user", "Rome")]
    (row,) = rows_of(built("irrelevance", [request("a", *turns)]), "test")
    assert [turn.get("weight", 1) for turn in row["messages"]] == [1, 0, 1, 1]


@pytest.mark.parametrize(
    ("asked", "truth", "reason"),
    [
        (
            request("a", ("user", "Hi")),
            [{"weather.get": {"city": [5]}}],
            "call that its tool's schema refuses",
        ),
        (
            request("a", ("user", "Hi")),
            [{"weather.get": {"days": [5]}}],
            "call that its tool's schema refuses",
        ),
        (
            request("a", ("user", "Hi")),
            [{"time": {"zone": ["UTC"]}}],
            "call with an argument that its tool does not have",
        ),
        (request("a", ("user", "Hi")), [{"news": {}}], "call of a tool that is not there"),
        (request("a", ("user", "Hi"), tools=()), [], "request without tools"),
        (request("a", ("user", " \n")), [{"time": {}}], "request without text"),
        (
            request("a", ("user", "Hi"), ("user", "there")),
            [{"time": {}}],
            "turns of user and assistant that do not alternate",
        ),
        (
            request("a", ("user", "Hi"), tools=(TIME, {**TIME, "description": "Another."})),
            [{"time": {}}],
            "tools of the same name",
        ),
    ],
)
def test_what_is_wrong_is_left_out_and_counted(asked, truth, reason):
    rows = built("live_simple", [asked], {"a": truth})
    assert rows_of(rows, "train") == []
    assert rows.dropped == {reason: 1}


def test_a_request_with_the_same_tools_is_there_once():
    twice = [request("a", ("user", "Hello")), request("b", ("user", "Hello"))]
    rows = built("irrelevance", twice)
    assert [row["id"] for row in rows_of(rows, "test")] == ["a"]
    assert rows.dropped == {"request that repeats": 1}


def test_long_names_are_cut_from_the_front():
    long = {**TIME, "name": "a." * 40 + "end"}
    (row,) = rows_of(built("irrelevance", [request("a", ("user", "Hi"), tools=[long])]), "test")
    name = row["tools"][0]["function"]["name"]
    assert len(name) == 64
    assert name.endswith("a_end")
