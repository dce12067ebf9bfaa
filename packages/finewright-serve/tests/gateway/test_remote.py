"""What other servers do, done by real HTTP servers here: the answer comes whole, or says why not."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import astuple

import pytest

from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.question import (
    AnswerForm,
    AnswerPiece,
    GatewayQuestion,
    SamplingWish,
    ServedModel,
    TokenUsage,
    ToolWish,
)
from finewright_serve.gateway.remote import RemoteEngine, RemoteModel
from finewright_serve.gateway.upstream import Upstream
from finewright_serve.gateway.wire import events_of
from served import Asked, Reply, Server, served

QUESTION = GatewayQuestion("m", ({"role": "user", "content": "Hi"},))
USAGE = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}


def chunk(finish: str | None = None, **delta: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def stream(*events: object, end: str = "data: [DONE]\n\n", cut: int = 0) -> Reply:
    body = "".join(f"data: {json.dumps(each, ensure_ascii=False)}\n\n" for each in events) + end
    content = body.encode()
    # a body that is shorter than it says it is ends as a connection that breaks off
    return Reply(content[: len(content) - cut], headers={"content-type": "text/event-stream"})


FINE = stream(chunk(content="a"), chunk(content="b\u2028c"), chunk("stop"), USAGE)


def engine(*servers: Server | str, key: str = "") -> RemoteEngine:
    urls = [each if isinstance(each, str) else each.url for each in servers]
    upstreams = [Upstream(url, key, timeout=1, is_local=True) for url in urls]
    models = [RemoteModel(ServedModel("m", "remote"), "theirs")]
    return RemoteEngine(models, upstreams, at_once=8, most=64)


def asked(found: RemoteEngine, question: GatewayQuestion = QUESTION) -> list[AnswerPiece]:
    async def all_pieces() -> list[AnswerPiece]:
        try:
            return [piece async for piece in found.answer(question)]
        finally:
            await found.close()

    return asyncio.run(all_pieces())


def test_the_question_goes_as_it_is_and_the_answer_comes_as_it_is() -> None:
    question = GatewayQuestion(
        "m",
        QUESTION.messages,
        max_tokens=7,
        sampling=SamplingWish(0.5, 0.9, 3, 1.0, -1.0, {5: 2.0}),
        stops=("x",),
        num_logprobs=2,
        tools=ToolWish(({"type": "function", "function": {"name": "f"}},), "f", at_most_one=True),
        form=AnswerForm({"type": "object"}),
    )
    with served(lambda _: FINE) as server:
        first, second, last = asked(engine(server, key="secret"), question)
    assert (first.content, second.content, last.finish) == ("a", "b\u2028c", "stop")
    assert last.usage == TokenUsage(3, 2, cached=None)
    (call,) = server.asked
    assert call.headers["Authorization"] == "Bearer secret"
    assert call.path == "/v1/chat/completions"
    assert call.body == {
        "model": "theirs",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": "Hi"}],
        **{"max_tokens": 7, "temperature": 0.5, "top_p": 0.9, "seed": 3, "stop": ["x"]},
        **{"presence_penalty": 1.0, "frequency_penalty": -1.0, "logit_bias": {"5": 2.0}},
        **{"logprobs": True, "top_logprobs": 2, "parallel_tool_calls": False},
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
        },
    }


def test_calls_are_put_together_from_their_deltas() -> None:
    def call(number: int, **function: str) -> dict[str, object]:
        return {"tool_calls": [{"index": number, "function": function}]}

    reply = stream(
        chunk(**call(0, name="f", arguments='{"a"')),
        chunk(**call(0, arguments=": 1}")),
        chunk(**call(1, name="g")),
        chunk("tool_calls"),
    )
    with served(lambda _: reply) as server:
        *parts, last = asked(engine(server))
    assert [(c.name, c.arguments) for c in last.calls] == [("f", '{"a": 1}'), ("g", "{}")]
    assert last.finish == "tool_calls"
    found = [astuple(part) for piece in parts for part in piece.call_parts]
    assert found == [(0, "f", ""), (0, "", '{"a"'), (0, "", ": 1}")]
    assert last.num_in_parts == 1


def test_more_of_a_name_that_was_told_is_an_error() -> None:
    deltas = [{"index": 0, "function": {"name": "f", "arguments": "{}"}}] * 2
    with (
        served(lambda _: stream(chunk(tool_calls=deltas), chunk("tool_calls"))) as server,
        pytest.raises(ApiError, match="another form"),
    ):
        asked(engine(server))


def test_scores_come_with_their_bytes() -> None:
    score = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
    likely = {**score, "top_logprobs": [{"token": "é", "logprob": -1}]}
    event = {
        "choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [likely]}}]
    }
    with served(lambda _: stream(event, chunk("stop"))) as server:
        first, _ = asked(engine(server))
    (found,) = first.scores
    assert (found.text, found.raw, found.logp) == ("a", b"a", -0.5)
    assert (found.others[0].raw, found.others[0].logp) == ("é".encode(), -1.0)


def failing(status: int, message: str = "no") -> Callable[[Asked], Reply]:
    return lambda _: Reply({"error": {"message": message}}, status)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 404])
def test_another_address_answers_where_one_fails(status: int) -> None:
    with served(failing(status)) as bad, served(lambda _: FINE) as good:
        found = engine(bad, "http://127.0.0.1:9/v1", good)
        assert [piece.content for piece in asked(found)][:2] == ["a", "b\u2028c"]
    assert (len(bad.asked), len(good.asked)) == (1, 1)


def test_an_address_that_failed_is_asked_last() -> None:
    async def twice(found: RemoteEngine) -> None:
        for _ in range(2):
            assert [piece async for piece in found.answer(QUESTION)]
        await found.close()

    with served(failing(500)) as bad, served(lambda _: FINE) as good:
        asyncio.run(twice(engine(bad, good)))
    assert (len(bad.asked), len(good.asked)) == (1, 2)


def test_one_that_comes_back_in_time_is_asked_again() -> None:
    replies = iter([failing(503)(Asked("", {}, {})), FINE])
    with served(lambda _: next(replies)) as server:
        assert len(asked(engine(server))) == 3
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("reply", "status", "says"),
    [
        (failing(400, "too many\ntokens"), 400, "too many tokens"),
        (failing(422, "tools?"), 422, "tools?"),
        (failing(429, "slow down"), 429, "slow down"),
        (failing(401, "the key sk-1 is bad"), 502, "refuses the key that this server has"),
        (failing(500, "secret trace"), 503, "gives no answer"),
        (failing(302), 502, "it says 302"),
        (lambda _: Reply(b"", headers={"content-type": "text/event-stream"}), 502, "empty"),
        (lambda _: stream(chunk(content="a")), 502, "ended too early"),
        (lambda _: stream({"error": {"message": "out of memory"}}), 502, "out of memory"),
        (lambda _: stream({"choices": [{"index": 7}]}), 502, "another form"),
        (lambda _: stream({"choices": 3}), 502, "another form"),
        (lambda _: Reply(b"data: {nothing\n\n"), 502, "no JSON"),
        (lambda _: Reply(b"data: [1]\n\n"), 502, "no object"),
    ],
)
def test_what_goes_wrong_there_is_said(
    reply: Callable[[Asked], Reply], status: int, says: str
) -> None:
    with served(reply) as server, pytest.raises(ApiError, match=says) as caught:
        asked(engine(server, key="sk-1"))
    assert caught.value.status == status
    assert "sk-1" not in str(caught.value)


def test_nothing_is_asked_again_once_an_answer_has_begun() -> None:
    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal num_asked
        num_asked += 1
        await reader.readuntil(b"\r\n\r\n")
        part = f"data: {json.dumps(chunk(content='a'))}\n\n".encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"
        writer.write(head + part)
        await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answering, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        found = engine(f"http://127.0.0.1:{port}/v1")
        async with server:
            pieces = found.answer(QUESTION)
            assert (await anext(pieces)).content == "a"
            with pytest.raises(ApiError, match="broke off") as caught:
                await anext(pieces)
            await found.close()
        assert caught.value.status == 502

    num_asked = 0
    asyncio.run(run())
    assert num_asked == 1


def test_silence_ends() -> None:
    async def run() -> None:
        left = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(-1)
            writer.close()
            left.set()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        found = engine(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
        async with server:
            with pytest.raises(ApiError, match="silent for 1 s") as caught:
                await anext(found.answer(QUESTION))
            await asyncio.wait_for(left.wait(), 1)
            await found.close()
        assert caught.value.status == 504

    asyncio.run(run())


def test_nobody_up_is_not_ready() -> None:
    async def run() -> bool:
        found = engine("http://127.0.0.1:9/v1")
        try:
            return await found.is_ready()
        finally:
            await found.close()

    assert asyncio.run(run()) is False


def test_vectors_come_in_their_order() -> None:
    reply = {"data": [{"index": 1, "embedding": [1]}, {"index": 0, "embedding": [0.5]}]}

    async def run(server: Server) -> None:
        found = engine(server)
        vectors = await found.embed("m", ["x", "y"])
        await found.close()
        assert (vectors.vectors, vectors.num_tokens) == ([[0.5], [1.0]], 4)

    with served(lambda _: Reply({**reply, "usage": {"prompt_tokens": 4}})) as server:
        asyncio.run(run(server))
    assert server.asked[0].body["input"] == ["x", "y"]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_do_not_depend_on_where_the_parts_are_cut(size: int) -> None:
    content = (
        b': hello\r\n\r\ndata: {"a": 1}\r\n\r\ndata:{"a": 2}\n\nevent: x\ndata: [DONE]\n\nrest'
    )

    async def run() -> list[object]:
        async def parts():
            for at in range(0, len(content), size):
                yield content[at : at + size]

        return [event async for event in events_of(parts())]

    assert asyncio.run(run()) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("arguments", "kept"), [('{"a": "b', ["f"]), ("", ["f"]), ('{"a": 1}', ["f", "g"])]
)
def test_a_call_that_was_cut_is_none(arguments: str, kept: list[str]) -> None:
    deltas = [
        {"index": 0, "function": {"name": "f"}},
        {"index": 1, "function": {"name": "g", "arguments": arguments}},
    ]
    with served(lambda _: stream(chunk(tool_calls=deltas), chunk("length"))) as server:
        *_, last = asked(engine(server))
    assert (last.finish, [call.name for call in last.calls]) == ("length", kept)


@pytest.mark.parametrize("empty", [chunk(), chunk("stop"), chunk(content="")])
def test_what_says_nothing_after_the_end_ends_nothing(empty: dict[str, object]) -> None:
    usage = {**empty, "usage": USAGE["usage"]}
    with served(lambda _: stream(chunk(content="a"), chunk("stop"), usage)) as server:
        first, last = asked(engine(server))
    assert (first.content, last.finish, last.usage) == ("a", "stop", TokenUsage(3, 2, None))


def test_two_answers_both_end() -> None:
    question = GatewayQuestion("m", QUESTION.messages, num_answers=2)
    reply = stream(chunk("stop"), chunk("stop"))
    with served(lambda _: reply) as server, pytest.raises(ApiError, match="ended too early"):
        asked(engine(server), question)
