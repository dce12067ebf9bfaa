"""/v1/responses, as the official client reads it, of an engine that gives the pieces which a test says."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import app_of
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.gateway import Gateway
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.question import (
    AnswerPiece,
    CalledTool,
    GatewayQuestion,
    ScoredToken,
    ServedModel,
    TextVectors,
    TokenUsage,
)
from finewright_serve.gateway.responses_request import ResponsesRequest
from finewright_serve.gateway.steps import AnswerStep

openai = pytest.importorskip("openai")

USAGE = TokenUsage(5, 3)


class Scripted:
    """An engine that gives these pieces."""

    at_once = 4

    def __init__(self, pieces: Sequence[AnswerPiece]) -> None:
        self.pieces, self.questions = pieces, list[GatewayQuestion]()

    def models(self) -> Sequence[ServedModel]:
        return [ServedModel("m", "scripted")]

    async def is_ready(self) -> bool:
        return True

    async def close(self) -> None:
        pass

    async def answer(self, question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
        self.questions.append(question)
        for piece in self.pieces:
            yield piece

    async def embed(self, model: str, texts: Sequence[str]) -> TextVectors:
        raise ApiError("no")


def asking(engine: Scripted, work: Callable[[Any], Any], steps: Sequence[AnswerStep] = ()) -> Any:
    """What the work makes of a client of the engine."""
    admission = Admission(4, 1)
    app = app_of(Gateway([engine], admission, Measures(admission), steps=steps), None)

    async def run() -> Any:
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app))
        async with openai.AsyncOpenAI(
            base_url="http://test/v1", api_key="x", http_client=http, max_retries=0
        ) as client:
            return await work(client)

    return asyncio.run(run())


SCORE = ScoredToken("a", b"a", -0.5, (ScoredToken("b", b"b", -1.0),))
LAST = AnswerPiece(finish="stop", usage=USAGE)
TEXTS = st.text(alphabet="ab\u2028 é", max_size=4)
PIECES = st.builds(AnswerPiece, content=TEXTS, thoughts=TEXTS)
CALLS = st.lists(
    st.builds(CalledTool, st.sampled_from(["f", "g"]), st.just('{"a": 1}')), max_size=2
)


def seen(response: Any) -> Any:
    """The answer without what is drawn by lot."""
    found = response.to_dict()
    for item in found["output"]:
        item.pop("id")
        item.pop("call_id", None)
        # the client's stream adds what it parsed
        item.pop("parsed_arguments", None)
        for part in item.get("content", ()):
            part.pop("parsed", None)
    return {key: found[key] for key in ("status", "output", "usage", "incomplete_details")}


@settings(max_examples=40, deadline=None)
@given(st.lists(PIECES, max_size=5), CALLS, st.sampled_from(["stop", "length"]))
def test_the_events_tell_what_the_whole_response_tells(pieces, calls, finish) -> None:
    # an engine gives thoughts first: an answer after which a thought comes is another item
    pieces = [AnswerPiece(thoughts=p.thoughts) for p in pieces] + [
        AnswerPiece(content=p.content) for p in pieces
    ]
    last = AnswerPiece(calls=tuple(calls), finish="tool_calls" if calls else finish, usage=USAGE)
    engine = Scripted([*pieces, last])

    async def work(client: Any) -> tuple[Any, Any, list[Any]]:
        whole = await client.responses.create(model="m", input="Hi")
        async with client.responses.stream(model="m", input="Hi") as stream:
            events = [event async for event in stream]
            return whole, events[-1].response, events

    whole, streamed, events = asking(engine, work)
    assert seen(streamed) == seen(whole)
    assert whole.output_text == "".join(piece.content for piece in pieces)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert deltas == whole.output_text
    assert whole.status == ("incomplete" if finish == "length" and not calls else "completed")
    assert whole.output[-1].status == whole.status
    assert [c.name for c in whole.output if c.type == "function_call"] == [c.name for c in calls]
    assert whole.usage.total_tokens == 8


def test_scores_are_given_where_they_are_wanted() -> None:
    engine = Scripted([AnswerPiece(content="a", scores=(SCORE,)), LAST])
    given = {"model": "m", "input": "Hi", "include": ["message.output_text.logprobs"]}
    found = asking(engine, lambda c: c.responses.create(**given, top_logprobs=1))
    (score,) = found.output[0].content[0].logprobs
    assert (score.token, score.logprob, score.top_logprobs[0].token) == ("a", -0.5, "b")
    assert engine.questions[0].num_logprobs == 1


def test_items_are_the_conversation_that_they_were() -> None:
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
        {"type": "reasoning", "id": "rs", "summary": [],
         "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"type": "message", "role": "assistant", "id": "msg", "status": "completed",
         "content": [{"type": "output_text", "text": "I look.", "annotations": []}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "sun"},
        {"role": "developer", "content": "Be brief."},
    ]  # fmt: skip
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
    engine = Scripted([LAST])
    more = {"tools": [tool], "tool_choice": {"type": "function", "name": "f"}}
    asking(engine, lambda c: c.responses.create(model="m", input=items, instructions="S", **more))
    (question,) = engine.questions
    calls = [
        {"id": i, "type": "function", "function": {"name": n, "arguments": "{}"}}
        for i, n in (("c1", "f"), ("c2", "g"))
    ]
    said = {"role": "assistant", "content": "I look.", "reasoning_content": "hm"}
    assert list(question.messages or ()) == [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "Weather?"},
        {**said, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "sun"},
        {"role": "system", "content": "Be brief."},
    ]
    assert question.tools is not None
    assert question.tools.choice == "f"
    assert question.tools.tools[0]["function"] == {
        key: value for key, value in tool.items() if key != "type"
    }


def test_what_was_answered_can_be_sent_back() -> None:
    pieces = [AnswerPiece(thoughts="hm"), AnswerPiece(content="yes"), LAST]
    engine = Scripted(pieces)

    async def work(client: Any) -> None:
        first = await client.responses.create(model="m", input="Hi")
        items = [{"role": "user", "content": "Hi"}, *first.output]
        await client.responses.create(model="m", input=[*items, {"role": "user", "content": "Why"}])

    asking(engine, work)
    assert [row.get("content") for row in engine.questions[1].messages or ()] == [
        "Hi",
        "yes",
        "Why",
    ]


REQUIRED = {"type": "function", "name": "required"}


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "c"}, "conversation"),
        ({"store": True}, "store"),
        ({"background": True}, "background"),
        ({"reasoning": {"effort": "low"}}, "reasoning"),
        ({"max_tool_calls": 1}, "max_tool_calls"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [REQUIRED], "tool_choice": REQUIRED}, "tool_choice.name"),
        ({"text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": 1}}}}, "form"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"input": []}, "input"),
        ({"input": [{"type": "input_image"}]}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "text": ""}]}]}, "input"),
        ({"input": [{"type": 3}]}, "input"),
        ({"truncation": "auto"}, "truncation"),
        ({"n": 2}, "n"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_its_name(more: dict[str, Any], param: str) -> None:
    async def work(client: Any) -> Any:
        body = {"model": "m", "input": "Hi", **more}
        with pytest.raises(openai.BadRequestError) as caught:
            await client.post("/responses", cast_to=object, body=body)
        return caught.value.body

    error = asking(Scripted([LAST]), work)
    assert param in error["message"]
    assert param == "form" or error["param"].startswith(param)


def test_nothing_of_the_official_client_is_unknown() -> None:
    import inspect

    from openai.resources.responses import Responses

    passed = {"self", "extra_headers", "extra_query", "extra_body", "timeout"}
    # of no use without OpenAI's own services: unknown here, and refused as such
    theirs = {"access_programs", "background_options", "image", "moderation"}
    theirs |= {"prompt_cache_options", "prompt_cache_retention"}
    known = set(inspect.signature(Responses.create).parameters) - passed - theirs
    assert known <= set(ResponsesRequest.model_fields)
