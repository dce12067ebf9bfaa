"""Every key of a request is honoured or refused with its name and a reason; none has another type."""

import asyncio
import json
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, ValidationError
from starlette.testclient import TestClient

from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import app_of
from finewright_serve.gateway.gateway import Gateway, GatewayLimits
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.question import AnswerPiece, CalledTool, TokenUsage
from finewright_serve.gateway.requests import ChatRequest, CompletionRequest, EmbeddingRequest
from finewright_serve.gateway.responses_request import ResponsesRequest
from gateway.test_responses import LAST, Scripted, asking
from jobs.test_routes import HOSTS

CHATS, TEXTS, ITEMS, VECTORS = "chat/completions", "completions", "responses", "embeddings"
HI = {"role": "user", "content": "Hi"}
OPENS = {CHATS: {"messages": [HI]}, TEXTS: {"prompt": "a"}, ITEMS: {"input": "Hi"}, VECTORS: {}}


def posted(route: str, body: Mapping[str, Any], engine: Scripted | None = None) -> httpx.Response:
    """The answer to a request of a model `m` that says enough."""
    admission = Admission(4, 1)
    gateway = Gateway([engine or Scripted([LAST])], admission, Measures(admission), LIMITS)
    given = {"model": "m", **OPENS[route], **body}

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(app_of(gateway, None))
        async with httpx.AsyncClient(transport=transport, base_url="http://x/v1/") as client:
            return await client.post(route, json=given)

    return asyncio.run(post())


LIMITS = GatewayLimits(max_tokens=1000)


def tool(parameters: object, name: str = "f") -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


CALLS = {
    "role": "assistant",
    "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}, "type": "function"}],
}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "sun"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "sun"}
MANY: list[object] = [{}] * 3000
CROWD = {str(i): 500 for i in range(40_001)}
HALF, LONG = ({"properties": {f"p{i}": {"type": "string"} for i in range(n)}} for n in (3500, 9000))


@pytest.mark.parametrize(
    ("route", "body", "param", "says"),
    [
        (CHATS, {"temperature": "0.5"}, "temperature", "valid number"),
        (CHATS, {"stream": "yes"}, "stream", "valid boolean"),
        (CHATS, {"stream": 1}, "stream", "valid boolean"),
        (CHATS, {"n": True}, "n", "valid integer"),
        (CHATS, {"n": 1.5}, "n", "valid integer"),
        (CHATS, {"seed": "1"}, "seed", "valid integer"),
        (CHATS, {"max_tokens": "5"}, "max_tokens", "valid integer"),
        (CHATS, {"max_tokens": 10**400}, "max_tokens", "less than 2147483648"),
        (CHATS, {"max_completion_tokens": 10**400}, "max_completion_tokens", "less than 2147483648"),
        (CHATS, {"temperature": 10**400}, "temperature", "valid number"),
        (ITEMS, {"max_output_tokens": 10**400}, "max_output_tokens", "less than 2147483648"),
        (CHATS, {"logit_bias": {"5": "1"}}, "logit_bias.5", "valid number"),
        (CHATS, {"metadata": {"a": 1}}, "metadata.a", "valid string"),
        (CHATS, {"store": 0}, "store", "no answers are kept here"),
        (TEXTS, {"best_of": True}, "best_of", "ask for n"),
        (TEXTS, {"logprobs": True}, "logprobs", "valid integer"),
        (TEXTS, {"prompt": [True]}, "prompt.0", "valid integer"),
        (TEXTS, {"prompt": ["a"] * 65, "n": 2, "temperature": 1}, "prompt", "more than 128 answers"),
        (TEXTS, {"prompt": [1, "a"]}, "prompt.1", "valid integer"),
        (TEXTS, {"prompt": ["a", ""]}, "prompt", "nothing to go on from"),
        (TEXTS, {"prompt": [[]]}, "prompt", "nothing to go on from"),
        (ITEMS, {"top_p": "1"}, "top_p", "valid number"),
        (VECTORS, {"input": "a", "dimensions": "3"}, "dimensions", "valid integer"),
        *((route, {"stream_options": {}}, "stream_options", "stream: true")
          for route in (CHATS, TEXTS, ITEMS)),
        (ITEMS, {"stream": True, "stream_options": {"include_usage": True}},
         "stream_options.include_usage", "unknown parameter"),
        (CHATS, {"messages": [HI, RESULT]}, "messages.1.tool_call_id", "no call of a message before"),
        (CHATS, {"messages": [HI, CALLS, RESULT, RESULT]}, "messages.3.tool_call_id", "no result yet"),
        (CHATS, {"messages": [HI, CALLS, {**RESULT, "name": "g"}]}, "messages.2.name", "call is of 'f'"),
        (CHATS, {"messages": [HI, CALLS, {"role": "tool", "content": ""}]}, "messages.2",
         "tool_call_id is missing"),
        (CHATS, {"messages": [{**HI, "refusal": "no"}]}, "messages.0", "role assistant have refusal"),
        (CHATS, {"messages": [HI, {"role": "assistant", "content": "a", "refusal": "b"}]}, "messages.1",
         "an answer is one of them"),
        (ITEMS, {"input": [HI, OUTPUT]}, "input.1.call_id", "no call of a message before"),
        (ITEMS, {"input": [{"type": "web_search_call"}]}, "input.0", "an item is a message"),
        (CHATS, {"tools": [tool({"type": "array"})]}, "tools.0.function.parameters", "write 'object'"),
        (CHATS, {"tools": [tool({"properties": {"a": {"type": 3}}})]}, "tools.0.function.parameters",
         "$.properties.a.type"),
        (CHATS, {"tools": [tool({"$ref": "http://x/"})]}, "tools.0.function.parameters",
         "nothing is fetched"),
        (CHATS, {"tools": [tool({}), tool({})]}, "tools.1.function.name", "there are two tools 'f'"),
        (CHATS, {"tools": [tool(HALF, f"f{i}") for i in range(3)]}, "tools", "262144 are taken"),
        (ITEMS, {"tools": [{"type": "web_search"}]}, "tools.0", "no tool of type web_search is run here"),
        (CHATS, {"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools.0", "type custom"),
        (CHATS, {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": LONG}}},
         "response_format.json_schema.schema", "120000 are taken"),
        *((CHATS, {"tool_choice": choice}, "tool_choice", "no tools are given")
          for choice in ("auto", "none", "required")),
        (CHATS, {"reasoning_effort": "low"}, "reasoning_effort", "not set here"),
        (CHATS, {"functions": []}, "functions", "send them as tools"),
        (CHATS, {"temprature": 1}, "temprature", "did you mean 'temperature'?"),
        (CHATS, {"max_completion_tokens": 1001}, "max_completion_tokens", "gives 1000 at most"),
        (ITEMS, {"max_output_tokens": 1001}, "max_output_tokens", "gives 1000 at most"),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused_by_its_name(
    route: str, body: dict[str, Any], param: str, says: str
) -> None:
    found = posted(route, body)
    error = found.json()["error"]
    assert (found.status_code, error["param"]) == (400, param)
    assert says in error["message"]
    assert param in error["message"]


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (ChatRequest, {"messages": MANY}),
        (ChatRequest, {"messages": [{"role": "user", "content": MANY}]}),
        (ChatRequest, {"messages": [{"role": "assistant", "tool_calls": MANY}]}),
        (ChatRequest, {"messages": [HI], "modalities": MANY}),
        (ChatRequest, {"messages": [HI], "stop": MANY}),
        (ChatRequest, {"messages": [HI], "tools": MANY}),
        (CompletionRequest, {"prompt": MANY}),
        (CompletionRequest, {"prompt": [MANY]}),
        (ResponsesRequest, {"input": MANY}),
        (ResponsesRequest, {"input": [{"role": "user", "content": MANY}]}),
        (ResponsesRequest, {"input": [{"type": "reasoning", "summary": MANY, "content": MANY}]}),
        (ResponsesRequest, {"input": "a", "include": MANY}),
    ],
)
def test_of_a_list_the_first_wrong_item_alone_is_a_mistake(
    model: type[BaseModel], body: dict[str, Any]
) -> None:
    """A mistake for each of a million items takes 20 s, in which no other thread runs."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate({"model": "m", **body})
    assert caught.value.error_count() <= 256


@pytest.mark.parametrize(
    ("crowd", "param"),
    [
        ({"logit_bias": CROWD}, "logit_bias"),
        ({"metadata": CROWD}, "metadata"),
        (CROWD, None),
        ({"messages": [{**HI, **CROWD}]}, "messages"),
        ({"messages": [HI] * 20_001}, "messages"),
        ({"messages": [HI] * 15_000, "tools": [{"a": 1, "b": 2}] * 5_000}, None),
    ],
)
def test_a_body_with_too_many_keys_is_refused_before_they_are_looked_at(
    crowd: dict[str, Any], param: str | None
) -> None:
    found = posted(CHATS, crowd)
    assert found.status_code == 400
    assert found.json()["error"]["param"] == param
    assert "have more than 40000 keys together" in found.json()["error"]["message"]


def test_a_chat_of_as_many_messages_as_there_may_be_keys_is_answered() -> None:
    assert posted(CHATS, {"messages": [HI] * 19_999}).status_code == 200  # and model, messages


def test_patterns_of_other_libraries_are_none_of_ours() -> None:
    named = {"host": {"pattern": r"^([a-z]+\.)+[a-z]+$"}, "name": {"pattern": r"^\p{L}+$"}}
    assert posted(CHATS, {"tools": [tool({"properties": named})]}).status_code == 200


@pytest.mark.parametrize("host", HOSTS)
def test_no_host_of_a_request_is_asked(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("somebody connected")

    url = f"http://{host}/x"
    image = [{"type": "image_url", "image_url": {"url": url}}]
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"$ref": url}}}
    file = [{"role": "user", "content": [{"type": "input_file", "file_url": url}]}]
    mcp = [{"type": "mcp", "server_label": "a", "server_url": url}]
    bodies: list[tuple[str, dict[str, Any]]] = [
        (CHATS, {"model": url}),
        (CHATS, {"model": f"{url}#m"}),
        (CHATS, {"messages": [{"role": "user", "content": image}]}),
        (CHATS, {"tools": [tool({"$ref": url})]}),
        (CHATS, {"response_format": schema}),
        (CHATS, {"base_url": url}),
        (ITEMS, {"input": file}),
        (ITEMS, {"tools": mcp}),
        (VECTORS, {"model": url, "input": "a"}),
    ]
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    statuses = [posted(*each).status_code for each in bodies]
    assert statuses == [404, 404, *[400] * 6, 404]
    assert posted(CHATS, {"messages": [{"role": "user", "content": url}]}).status_code == 200


def test_every_parameter_of_the_official_client_is_known() -> None:
    from openai.types import completion_create_params, embedding_create_params
    from openai.types.chat import completion_create_params as chat_create_params
    from openai.types.responses import response_create_params

    ours = {
        ChatRequest: chat_create_params.CompletionCreateParamsBase,
        CompletionRequest: completion_create_params.CompletionCreateParamsBase,
        ResponsesRequest: response_create_params.ResponseCreateParamsBase,
        EmbeddingRequest: embedding_create_params.EmbeddingCreateParams,
    }
    for request, theirs in ours.items():
        assert {*theirs.__annotations__} <= {*request.model_fields}


def test_a_conversation_with_results_names_and_a_refusal_is_taken_as_it_is() -> None:
    engine = Scripted([LAST])
    said = {"role": "assistant", "content": None, "refusal": "I will not."}
    messages = [{**HI, "name": "Ann"}, said, HI, CALLS, {**RESULT, "name": "f"}]
    assert posted(CHATS, {"messages": messages, "temperature": 1}, engine).status_code == 200
    rows = engine.questions[0].messages
    assert rows is not None
    assert (rows[0]["name"], rows[1]["content"]) == ("Ann", "I will not.")
    assert rows[4] == {**RESULT, "name": "f"}


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [(1, 2)]),
        ([[1, 2], [3]], [(1, 2), (3,)]),
    ],
)
def test_every_prompt_is_answered_in_16_tokens(prompt: object, texts: list[object]) -> None:
    pieces = [AnswerPiece(i, f"{i}", finish="stop") for i in range(2)]
    engine = Scripted([*pieces[:1], replace(pieces[1], usage=TokenUsage(5, 3))])
    more = {"prompt": prompt, "n": 2, "temperature": 1}
    found = posted(TEXTS, more, engine).json()
    assert [each.text for each in engine.questions] == texts
    assert {each.max_tokens for each in engine.questions} == {16}
    choices = [(each["index"], each["text"]) for each in found["choices"]]
    assert choices == [(i, str(i % 2)) for i in range(2 * len(texts))]
    assert found["usage"]["total_tokens"] == 8 * len(texts)
    given = {**more, "stream": True, "stream_options": {"include_usage": True}}
    lines = posted(TEXTS, given, engine).text.splitlines()
    chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert [(c["index"], c["text"]) for chunk in chunks for c in chunk["choices"]] == choices
    assert chunks[-1]["usage"] == found["usage"]


def test_the_reason_of_an_end_comes_alone_in_the_last_chunk() -> None:
    call = CalledTool("f", '{"a": 1}')
    pieces = [
        AnswerPiece(content="I look."),
        AnswerPiece(content=" So.", calls=(call,), finish="tool_calls", usage=TokenUsage(5, 3)),
    ]

    async def chunks(client: Any) -> list[Any]:
        given = {"model": "m", "messages": [HI], "stream": True}
        return [chunk async for chunk in await client.chat.completions.create(**given)]

    *before, last = (chunk.choices[0] for chunk in asking(Scripted(pieces), chunks))
    assert (last.finish_reason, last.delta.to_dict()) == ("tool_calls", {})
    assert {each.finish_reason for each in before} == {None}
    assert "".join(each.delta.content or "" for each in before) == "I look. So."
    assert before[-1].delta.tool_calls[0].function.arguments == '{"a": 1}'


@pytest.mark.parametrize("number", ["1e400", "-1e400"])
@pytest.mark.parametrize("key", ["temperature", "top_p", "seed", "max_tokens", "n"])
@pytest.mark.parametrize("route", [CHATS, TEXTS])
def test_a_number_beyond_a_double_is_refused_by_its_key(route: str, key: str, number: str) -> None:
    admission = Admission(4, 1)
    app = app_of(Gateway([Scripted([LAST])], admission, Measures(admission)), None)
    body = json.dumps({"model": "m", **OPENS[route]})[:-1] + f', "{key}": {number}}}'
    headers = {"Content-Type": "application/json"}
    found = TestClient(app).post(f"/v1/{route}", content=body, headers=headers)
    assert (found.status_code, found.json()["error"]["param"]) == (400, key)


def test_cached_tokens_are_what_the_engine_says_or_null() -> None:
    for cached in (0, 48, None):
        last = replace(LAST, usage=TokenUsage(60, 2, cached))
        chat = posted(CHATS, {}, Scripted([last])).json()["usage"]
        items = posted(ITEMS, {}, Scripted([last])).json()["usage"]
        assert chat["prompt_tokens_details"] == {"cached_tokens": cached}
        assert items["input_tokens_details"] == {"cached_tokens": cached}
