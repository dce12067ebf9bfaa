"""Guards around answers, as the official client meets them: what comes in, leaves, and is told of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from finewright.errors import DataError, SpecError
from finewright_serve.gateway.question import AnswerPiece, CalledTool, GatewayQuestion, TokenUsage
from finewright_serve.gateway.steps import PlainStep, QuestionCaller
from finewright_serve.guards.guard import Finding, PlainGuard, TextPlace
from finewright_serve.guards.load import load_guards
from finewright_serve.guards.pipeline import GuardStep
from finewright_serve.guards.spec import GuardSpec
from gateway.test_responses import Scripted, asking

openai = pytest.importorskip("openai")

MAIL = "ann.weber@example.com"
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
USAGE = TokenUsage(5, 3)
ASKED = [{"role": "user", "content": f"my mail is {MAIL}, what now?"}]
TOOL_TURNS = [
    *ASKED,
    {
        "role": "assistant",
        "tool_calls": [
            {
                "id": "c",
                "type": "function",
                "function": {"name": "f", "arguments": f'{{"a": "{MAIL}"}}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "c", "content": f"from {MAIL}: the code is kestrel"},
]


def step(*specs: dict[str, Any]) -> GuardStep:
    return GuardStep(load_guards([GuardSpec(**each) for each in specs], Path()))


def pieces(*texts: str, **last: Any) -> list[AnswerPiece]:
    parts = [AnswerPiece(content=text) for text in texts]
    return [*parts, AnswerPiece(**{"finish": "stop", "usage": USAGE, **last})]


async def chat(client: Any, **more: Any) -> Any:
    return await client.chat.completions.create(**{"model": "m", "messages": ASKED, **more})


async def stream(client: Any, **more: Any) -> tuple[str, str, list[Any], Any]:
    """The text, the finish, what guards decided, and the usage."""
    text, finish, decided, usage = "", "", [], None
    options = {"stream": True, "stream_options": {"include_usage": True}}
    async for chunk in await chat(client, **options, **more):
        decided += (chunk.model_extra or {}).get("guards", [])
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
    return text, finish, decided, usage


def test_what_comes_in_is_redacted_wherever_it_stands() -> None:
    engine = Scripted(pieces("fine"))
    guards = step({"guard": "personal_data", "input": "redact", "untrusted": "redact"})
    found = asking(engine, lambda client: chat(client, messages=TOOL_TURNS), [guards])
    (question,) = engine.questions
    assert MAIL not in str(question.messages)
    user, call, result = question.messages
    assert user["content"] == "my mail is [EMAIL], what now?"
    assert call["tool_calls"][0]["function"]["arguments"] == '{"a": "[EMAIL]"}'
    assert result["content"] == "from [EMAIL]: the code is kestrel"
    kind = {"guard": "personal_data", "action": "redact", "what": "email"}
    assert found.model_extra["guards"] == [
        {**kind, "side": "input", "number": 2},
        {**kind, "side": "untrusted", "number": 1},
    ]


def test_a_question_that_is_blocked_reaches_no_engine_and_says_where_and_why() -> None:
    engine = Scripted(pieces("fine"))
    guards = step(
        {"guard": "deny", "untrusted": "block", "settings": {"words": ("kestrel",)}},
    )
    with pytest.raises(openai.BadRequestError) as refused:
        asking(engine, lambda client: chat(client, messages=TOOL_TURNS), [guards])
    assert engine.questions == []
    assert (refused.value.code, refused.value.param) == ("content_filter", "messages.2.content")
    assert "refused by the guard deny: denied found; if that is wrong" in refused.value.message
    assert "x-request-id" in refused.value.message
    assert "kestrel" not in refused.value.message
    # the same word of the user's own is none of what others wrote
    asked = [{"role": "user", "content": "kestrel"}]
    asking(engine, lambda client: chat(client, messages=asked), [guards])


@pytest.mark.parametrize("size", [1, 3, 50])
def test_a_secret_in_pieces_never_leaves_a_stream(size: int) -> None:
    text = f"Well, the token is {TOKEN}, as you know. " + "More of the answer. " * 30
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    engine = Scripted(pieces(*parts))
    redacting, blocking = (
        step({"guard": "secrets", "output": action}) for action in ("redact", "block")
    )
    said, finish, decided, usage = asking(engine, stream, [redacting])
    assert said == text.replace(TOKEN, "[FORGE_TOKEN]")
    assert (finish, usage.completion_tokens) == ("stop", 3)
    assert [each["action"] for each in decided] == ["redact"]
    said, finish, decided, usage = asking(engine, stream, [blocking])
    assert said == "Well, the token is "
    # the tokens of a blocked answer are counted to its end
    assert (finish, usage.completion_tokens) == ("content_filter", 3)
    assert [(each["action"], each["what"]) for each in decided] == [("block", "forge_token")]


def test_thoughts_and_arguments_of_calls_leave_as_the_answer_does() -> None:
    call = CalledTool("f", f'{{"to": "{MAIL}", "n": 1, "card": 4111111111111111}}')
    engine = Scripted(
        [AnswerPiece(thoughts=f"I tell {MAIL}"), *pieces(calls=(call,), finish="tool_calls")]
    )
    found = asking(engine, chat, [step({"guard": "personal_data", "output": "redact"})])
    message = found.choices[0].message
    assert message.model_extra["reasoning_content"] == "I tell [EMAIL]"
    assert message.tool_calls[0].function.arguments == (
        '{"to": "[EMAIL]", "n": 1, "card": "[CARD]"}'
    )
    found = asking(engine, chat, [step({"guard": "personal_data", "output": "block"})])
    assert found.choices[0].finish_reason == "content_filter"
    assert found.choices[0].message.tool_calls is None
    assert MAIL not in found.to_json()


def test_a_response_that_is_blocked_is_incomplete_by_the_filter() -> None:
    engine = Scripted(pieces("the mail is ", MAIL))

    async def ask(client: Any) -> tuple[Any, Any]:
        given = {"model": "m", "input": "who?"}
        whole = await client.responses.create(**given)
        events = [each async for each in await client.responses.create(**given, stream=True)]
        return whole, events[-1].response

    for found in asking(engine, ask, [step({"guard": "personal_data", "output": "block"})]):
        assert found.output_text == "the mail is "
        assert (found.status, found.incomplete_details.reason) == ("incomplete", "content_filter")
        assert found.model_extra["guards"][0]["guard"] == "personal_data"
        assert MAIL not in found.to_json()


def test_a_completion_is_guarded_as_a_chat_is() -> None:
    engine = Scripted(pieces("mail ", MAIL))

    async def ask(client: Any) -> Any:
        return await client.completions.create(model="m", prompt=f"{MAIL}: ")

    guards = step({"guard": "personal_data", "input": "redact", "output": "redact"})
    found = asking(engine, ask, [guards])
    assert engine.questions[0].text == "[EMAIL]: "
    assert found.choices[0].text == "mail [EMAIL]"
    assert [each["side"] for each in found.model_extra["guards"]] == ["input", "output"]


@pytest.mark.parametrize(
    ("keys", "is_on"),
    [
        ({}, True),
        ({"keys": ("k1",)}, True),
        ({"keys": ("house",)}, True),
        ({"keys": ("k2",)}, False),
        ({"except_keys": ("house",)}, False),
    ],
)
def test_a_guard_is_for_the_keys_that_the_spec_names(keys: dict[str, Any], is_on: bool) -> None:
    import asyncio

    spec = {"guard": "personal_data", "input": "redact", **keys}
    question = GatewayQuestion("m", tuple(ASKED), key="k1", project="house")
    asker = QuestionCaller("k1", "user", "/", "house")
    found = asyncio.run(step(spec).before(question, asker))
    assert (MAIL not in str(found.messages)) == is_on


class Broken(PlainGuard):
    """A guard that fails."""

    def find(self, text: str, place: TextPlace) -> Sequence[Finding]:
        raise ZeroDivisionError(text)


class Records(PlainStep):
    """What an audit would be given."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    async def after(self, question: GatewayQuestion, asker: QuestionCaller, record: Any) -> None:
        self.records.append(record)


def failing(**more: Any) -> GuardStep:
    return GuardStep([(GuardSpec(guard="deny", **more), Broken())])


def test_a_guard_that_fails_is_closed_or_open_as_configured_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine, audit = Scripted(pieces("an answer")), Records()
    with pytest.raises(openai.InternalServerError) as refused:
        asking(engine, chat, [failing(input="log"), audit])
    assert (refused.value.code, engine.questions) == ("guard_failed", [])
    closed = asking(engine, chat, [failing(output="log"), audit])
    assert closed.choices[0].finish_reason == "content_filter"
    assert closed.choices[0].message.content == ""
    both = failing(input="block", output="block", fail="open")
    opened = asking(engine, chat, [both, audit])
    assert opened.choices[0].message.content == "an answer"
    told = [[(each.side, each.action) for each in record.guards] for record in audit.records]
    assert told == [
        [("input", "failed")],
        [("output", "failed")],
        [("input", "failed"), ("output", "failed")],
    ]
    assert "the guard deny failed: ZeroDivisionError" in caplog.text
    assert MAIL not in caplog.text


def test_what_a_guard_cannot_see_is_refused() -> None:
    engine = Scripted(pieces("a"))
    guards = step({"guard": "secrets", "input": "block", "output": "redact"})
    with pytest.raises(openai.BadRequestError, match="logprobs"):
        asking(engine, lambda client: chat(client, logprobs=True), [guards])

    async def ids(client: Any) -> Any:
        return await client.completions.create(model="m", prompt=[1, 2])

    with pytest.raises(openai.BadRequestError, match="token ids"):
        asking(engine, ids, [guards])


def test_decisions_are_counted() -> None:
    from finewright_serve.gateway.admission import Admission
    from finewright_serve.gateway.measures import Measures
    from finewright_serve.gateway.question import GuardDecision
    from finewright_serve.gateway.steps import AnswerRecord

    measures = Measures(Admission(1, 1))
    decided = (GuardDecision("deny", "input", "block", "denied", 2),)
    measures.ended("m", AnswerRecord("content_filter", USAGE, 1.0, decided))
    line = 'guard_decisions_total{action="block",guard="deny",side="input"} 2.0'
    assert line in measures.text().decode()


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"guard": "deny", "input": "block"}, "settings: neither words nor patterns"),
        (
            {"guard": "deny", "input": "block", "settings": {"patterns": ["("]}},
            r"serve\.guards\.0: settings\.patterns\.0: not a regular expression",
        ),
        ({"guard": "secrets", "input": "mark"}, r"\.input: the guard secrets cannot mark there"),
        (
            {"guard": "secrets", "input": "log", "settings": {"type": 1}},
            r"settings\.type: unknown key; did you mean 'types'",
        ),
        (
            {"guard": "deny", "input": "log", "settings": {"words": ["a"]}},
            r"0\.settings\.words\.0: must have at least 2",
        ),
    ],
)
def test_what_cannot_be_guarded_ends_the_start_with_one_line(spec: Any, says: str) -> None:
    with pytest.raises((DataError, SpecError), match=says):
        load_guards([GuardSpec(**spec)], Path())


def test_a_guard_that_stands_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="stands nowhere"):
        GuardSpec(guard="secrets")


def test_the_example_is_one_that_starts() -> None:
    from finewright.schema.load_section import load_section
    from finewright_serve.spec import ServeSpec

    path = Path(__file__).parents[4] / "examples" / "guards.yaml"
    spec = load_section("serve", ServeSpec, path).spec
    names = [spec.guard for spec, _ in load_guards(spec.guards, path.parent)]
    assert len(names) == len({*names}) == 7


def test_a_text_without_guards_is_not_held_back() -> None:
    guards = step({"guard": "personal_data", "input": "redact"})
    engine = Scripted(pieces("a", "b"))

    async def count(client: Any) -> int:
        chunks = [each async for each in await chat(client, stream=True)]
        return sum(bool(each.choices[0].delta.content) for each in chunks)

    assert asking(engine, count, [guards]) == 2


def test_what_begins_and_does_not_end_counts_as_found() -> None:
    from finewright_serve.guards.held import MOST_HELD, ArmedGuard, HeldText

    ((_, guard),) = load_guards([GuardSpec(guard="secrets", output="redact")], Path())
    armed = [ArmedGuard("secrets", guard, "redact", False)]
    place, seen = TextPlace("output"), []
    held = HeldText(armed, place, seen.append, lambda *_: None)
    key = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpAIB\n" * (MOST_HELD // 8)
    text = "here: " + key
    out = "".join(held.add(text[at : at + 500]) for at in range(0, len(text), 500)) + held.end()
    assert out.startswith("here: [")
    assert "MIIE" not in out[: len("here: [WITHOUT_END]") + 1]
    assert seen[0].found.what in {"without end", "private_key"}


def test_only_the_content_must_be_json() -> None:
    answer = [AnswerPiece(thoughts="hm"), *pieces('{"a": 1}')]
    guards = step({"guard": "json_answer", "output": "block"})
    found = asking(Scripted(answer), chat, [guards])
    assert (found.choices[0].message.content, found.choices[0].finish_reason) == (
        '{"a": 1}',
        "stop",
    )
    found = asking(Scripted(pieces("no")), chat, [guards])
    assert (found.choices[0].message.content, found.choices[0].finish_reason) == (
        "",
        "content_filter",
    )
