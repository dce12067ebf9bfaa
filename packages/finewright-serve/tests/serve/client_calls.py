"""Calls of official clients, each by its name: what came of it, as JSON; and their versions.

    python client_calls.py URL KEY MODEL EMBEDDER

A client that is not installed is left out. A refusal is the server's, with its words; anything else that goes
wrong is an error."""

import asyncio
import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

URL, KEY, MODEL, EMBEDDER = sys.argv[1:5]
ASKED = [{"role": "user", "content": "Hi"}]
SCHEMA = {
    "type": "object",
    "properties": {"a": {"enum": ["x", "y"]}},
    "required": ["a"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}


def openai_calls() -> dict[str, Callable[[], Any]]:
    import openai
    from pydantic import BaseModel

    class Answer(BaseModel):
        a: bool

    client = openai.OpenAI(base_url=URL, api_key=KEY, max_retries=0)
    chat, short = client.chat.completions, {"model": MODEL, "messages": ASKED, "max_tokens": 8}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}

    def streamed(**more: Any) -> None:
        assert list(chat.create(stream=True, **short, **more))[-1] is not None

    def extra(check: Callable[[str], bool], **body: Any) -> None:
        text = chat.create(**short, extra_body=body).choices[0].message.content
        assert check(text), text

    async def not_waiting() -> None:
        async with openai.AsyncOpenAI(base_url=URL, api_key=KEY, max_retries=0) as other:
            await other.chat.completions.create(**short)

    def named() -> None:
        choice = {"type": "function", "function": {"name": "look"}}
        found = chat.create(**{**short, "max_tokens": 100}, tools=[TOOL], tool_choice=choice)
        assert json.loads(found.choices[0].message.tool_calls[0].function.arguments)["a"] in "xy"

    def streamed_call() -> None:
        more = {"max_tokens": 100, "tools": [TOOL], "tool_choice": "required", "stream": True}
        deltas = [
            each.choices[0].delta for each in chat.create(**{**short, **more}) if each.choices
        ]
        parts = [call.function.arguments or "" for d in deltas for call in d.tool_calls or ()]
        assert json.loads("".join(parts))["a"] in "xy"

    def items() -> None:
        assert client.responses.create(model=MODEL, input="Hi", max_output_tokens=16).output

    def item_stream() -> None:
        events = client.responses.create(model=MODEL, input="Hi", max_output_tokens=16, stream=True)
        assert [each.type for each in events][-1] in ("response.completed", "response.incomplete")

    def vector(given: Any, **more: Any) -> None:
        assert (
            len(client.embeddings.create(model=EMBEDDER, input=given, **more).data[0].embedding) > 9
        )

    text = client.completions
    return {
        "chat": lambda: chat.create(**short),
        "chat, async": lambda: asyncio.run(not_waiting()),
        "chat, stream": streamed,
        "chat, stream with usage": lambda: streamed(stream_options={"include_usage": True}),
        "chat, n, seed, stop, top_p": lambda: chat.create(
            **short, n=2, seed=1, stop=["q"], top_p=0.9, temperature=1
        ),
        "chat, penalties and logit_bias": lambda: chat.create(
            **short, presence_penalty=1, frequency_penalty=1, logit_bias={"5": -100}
        ),
        "chat, logprobs": lambda: chat.create(**short, logprobs=True, top_logprobs=5),
        "chat, max_completion_tokens": lambda: chat.create(
            model=MODEL, messages=ASKED, max_completion_tokens=4
        ),
        "chat, json_object": lambda: chat.create(**short, response_format={"type": "json_object"}),
        "chat, json_schema": lambda: json.loads(
            chat.create(**{**short, "max_tokens": 100}, response_format=form).choices[0].message.content
        ),
        "chat, parse": lambda: chat.parse(
            model=MODEL, messages=ASKED, max_tokens=100, response_format=Answer
        ).choices[0].message.parsed.a,
        "chat, tools": lambda: chat.create(**short, tools=[TOOL]),
        "chat, a forced tool": named,
        "chat, a forced tool, stream": streamed_call,
        "chat, top_k, min_p, repetition_penalty": lambda: extra(
            bool, top_k=1, min_p=0.1, repetition_penalty=1.2, temperature=1
        ),
        "chat, guided_choice": lambda: extra(lambda t: t in ("yes", "no"), guided_choice=["yes", "no"]),
        "chat, guided_regex": lambda: extra(lambda t: len(t) == 3 and t.isdigit(), guided_regex="[0-9]{3}"),
        "chat, structured_outputs choice": lambda: extra(
            lambda t: t in ("yes", "no"), structured_outputs={"choice": ["yes", "no"]}
        ),
        "chat, structured_outputs grammar": lambda: extra(
            lambda t: t in ("yes", "no"), structured_outputs={"grammar": 'root ::= "yes" | "no"'}
        ),
        "chat, web search": lambda: chat.create(**short, web_search_options={}),
        "chat, store": lambda: chat.create(**short, store=True),
        "completions": lambda: text.create(model=MODEL, prompt="Hi", max_tokens=4),
        "completions, token ids": lambda: text.create(model=MODEL, prompt=[5, 6], max_tokens=4),
        "completions, several": lambda: text.create(model=MODEL, prompt=["a", "b"], max_tokens=4),
        "completions, stream": lambda: list(text.create(model=MODEL, prompt="a", max_tokens=4, stream=True)),
        "completions, echo": lambda: text.create(model=MODEL, prompt="a", echo=True),
        "responses": items,
        "responses, stream": item_stream,
        "responses, parse": lambda: client.responses.parse(
            model=MODEL, input="Hi", max_output_tokens=60, text_format=Answer
        ).output_parsed.a,
        "responses, previous_response_id": lambda: client.responses.create(
            model=MODEL, input="Hi", previous_response_id="resp_1"
        ),
        "embeddings": lambda: vector("Hi"),
        "embeddings, floats": lambda: vector(["Hi", "you"], encoding_format="float"),
        "embeddings, token ids": lambda: vector([5, 6]),
        "embeddings, dimensions": lambda: vector("Hi", dimensions=8),
        "models": lambda: client.models.list().data[0].id,
        "models, one": lambda: client.models.retrieve(MODEL),
        "files": client.files.list,
        "jobs": client.fine_tuning.jobs.list,
        "moderations": lambda: client.moderations.create(input="Hi"),
        "images": lambda: client.images.generate(prompt="Hi", model=MODEL),
    }  # fmt: skip


def litellm_calls() -> dict[str, Callable[[], Any]]:
    import litellm

    here = {"api_base": URL, "api_key": KEY, "num_retries": 0}
    short = {"model": f"openai/{MODEL}", "messages": ASKED, "max_tokens": 8, **here}
    return {
        "completion": lambda: litellm.completion(**short),
        "completion, stream": lambda: list(litellm.completion(stream=True, **short)),
        "completion, tools": lambda: litellm.completion(tools=[TOOL], **short),
        "embedding": lambda: litellm.embedding(model=f"openai/{EMBEDDER}", input=["Hi"], **here),
    }


def langchain_calls() -> dict[str, Callable[[], Any]]:
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    here = {"base_url": URL, "api_key": KEY, "max_retries": 0}
    model = ChatOpenAI(model=MODEL, max_tokens=100, **here)
    schema = {"title": "look", "description": "It looks.", **SCHEMA}

    # without the last option it counts tokens by a vocabulary that it fetches, and sends these
    vectors = OpenAIEmbeddings(model=EMBEDDER, check_embedding_ctx_length=False, **here)
    return {
        "invoke": lambda: model.invoke("Hi"),
        "stream": lambda: list(model.stream("Hi")),
        "bind_tools": lambda: model.bind_tools([TOOL]).invoke("Hi"),
        "structured output": lambda: model.with_structured_output(
            schema, method="json_schema"
        ).invoke("Hi")["a"],
        "embed_query": lambda: vectors.embed_query("Hi"),
    }


def instructor_calls() -> dict[str, Callable[[], Any]]:
    import instructor
    import openai
    from pydantic import BaseModel

    class Answer(BaseModel, extra="forbid"):  # a model without training finds no end of other keys
        a: bool

    def ask(mode: Any) -> Any:
        client = instructor.from_openai(
            openai.OpenAI(base_url=URL, api_key=KEY, max_retries=0), mode=mode
        )
        return client.chat.completions.create(
            model=MODEL,
            messages=ASKED,
            max_tokens=300,
            response_model=Answer,
            max_retries=0,
        ).a

    return {
        "json schema": lambda: ask(instructor.Mode.JSON_SCHEMA),
        "tools": lambda: ask(instructor.Mode.TOOLS),
    }


def llama_index_calls() -> dict[str, Callable[[], Any]]:
    from llama_index.core.llms import ChatMessage
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding
    from llama_index.llms.openai_like import OpenAILike

    here = {"api_base": URL, "api_key": KEY, "max_retries": 0}
    model = OpenAILike(model=MODEL, is_chat_model=True, max_tokens=8, **here)
    said = [ChatMessage(role="user", content="Hi")]
    vectors = OpenAILikeEmbedding(model_name=EMBEDDER, **here)
    return {
        "chat": lambda: model.chat(said),
        "stream_chat": lambda: list(model.stream_chat(said)),
        "embedding": lambda: vectors.get_text_embedding("Hi"),
    }


CLIENTS = {
    "openai": ("openai", openai_calls),
    "litellm": ("litellm", litellm_calls),
    "langchain_openai": ("langchain-openai", langchain_calls),
    "instructor": ("instructor", instructor_calls),
    "llama_index": ("llama-index-llms-openai-like", llama_index_calls),
}
"""Module -> its package, and its calls."""


def outcome(call: Callable[[], Any]) -> str:
    try:
        call()
    except Exception as error:  # whatever a client makes of a refusal
        causes = []
        while error is not None:
            causes.append(error)
            error = error.__cause__ or error.__context__  # type: ignore[assignment] # the next one
        refusal = next(
            (e for e in causes if isinstance(getattr(e, "status_code", None), int)), None
        )
        if refusal is not None and refusal.status_code < 500:  # type: ignore[attr-defined] # as found
            return f"refused: {refusal}"
        return f"error: {type(causes[0]).__name__}: {causes[0]}"
    return "works"


if __name__ == "__main__":
    found = {
        package: {
            "version": version(package),
            "calls": {what: outcome(call) for what, call in calls().items()},
        }
        for name, (package, calls) in CLIENTS.items()
        if find_spec(name) is not None
    }
    sys.stdout.write(json.dumps(found) + "\n")
