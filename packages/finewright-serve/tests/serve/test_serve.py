"""A real server in a process of its own, asked by the official client and by clients that mean no good."""

import json
import signal
import socket
import stat
import time
from pathlib import Path

import httpx
import pytest

from e2e.processes import start
from jobs.test_routes import TRAVERSALS
from serve.serving import Serving, counted, save_base, started

pytestmark = pytest.mark.torch

ASKED = [{"role": "user", "content": "the user asks"}]


def test_the_model_is_an_id_and_no_path(serving: Serving) -> None:
    (model,) = serving.client.models.list().data
    assert model.id == "base"
    assert serving.client.models.retrieve("base").max_model_len == 256
    assert (
        str(serving.folder) not in httpx.get(f"{serving.url}/models", headers=serving.headers).text
    )


def test_a_stream_says_what_the_whole_answer_says(serving: Serving) -> None:
    given = {"model": "base", "messages": ASKED, "max_tokens": 12}
    whole = serving.client.chat.completions.create(**given)
    more = {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = serving.client.chat.completions.create(**given, **more)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason
    # The second of two equal prompts is found in the cache.
    known = last.usage.prompt_tokens_details
    assert known.cached_tokens > whole.usage.prompt_tokens_details.cached_tokens
    usage = whole.usage.model_copy(update={"prompt_tokens_details": known})
    assert (last.choices, last.usage) == ([], usage)
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens


def test_a_response_says_what_the_chat_says(serving: Serving) -> None:
    chat = serving.client.chat.completions.create(model="base", messages=ASKED, max_tokens=12)
    given = {"model": "base", "input": ASKED[0]["content"], "max_output_tokens": 12}
    whole = serving.client.responses.create(**given)
    assert whole.output_text == chat.choices[0].message.content
    assert whole.usage.total_tokens == chat.usage.total_tokens
    events = list(serving.client.responses.create(**given, stream=True))
    assert events[-1].response.output_text == whole.output_text
    assert events[0].type == "response.created"


def test_a_seed_gives_the_same_answers_and_n_gives_different_ones(serving: Serving) -> None:
    def texts(seed: int) -> list[str]:
        given = {"n": 3, "temperature": 1.0, "max_tokens": 12, "seed": seed}
        found = serving.client.chat.completions.create(model="base", messages=ASKED, **given)
        return [choice.message.content for choice in found.choices]

    assert texts(1) == texts(1) != texts(2)
    assert len(set(texts(1))) > 1


def test_an_answer_ends_before_a_stop(serving: Serving) -> None:
    given = {"model": "base", "prompt": "the user", "max_tokens": 30}
    text = serving.client.completions.create(**given).choices[0].text
    stop = text[5:8]
    found = serving.client.completions.create(**given, stop=[stop, "never written"])
    assert found.choices[0].text == text[: text.index(stop)]
    assert found.choices[0].finish_reason == "stop"
    streamed = serving.client.completions.create(**given, stop=stop, stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == text[: text.index(stop)]


def test_the_answer_is_cut_where_it_was_asked_to_be(serving: Serving) -> None:
    found = serving.client.completions.create(model="base", prompt=[5, 6, 7], max_tokens=3)
    assert found.choices[0].finish_reason == "length"
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (3, 3)


CHAT = {"model": "base", "messages": ASKED}
NO_SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": 3}}}
DEEP = "[" * 5000 + "]" * 5000


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"{", 400, "not readable JSON"),
        (b"", 400, "not readable JSON"),
        (b"[]", 400, "must be a JSON object"),
        (b"\xff\xfe", 400, "not readable JSON"),
        (f'{{"model": {DEEP}}}'.encode(), 400, "not readable JSON"),
        (b'{"model": "base", "messages": [{"role": "user", "content": "\\ud800"}]}', 400, "JSON"),
        (b'{"temperature": NaN}', 400, "not readable JSON"),
        (b'{"a": "' + b"x" * 10_000_000 + b'"}', 413, "larger than"),
        ({**CHAT, "temprature": 1}, 400, "unknown parameter: temprature"),
        ({**CHAT, "temperature": "warm"}, 400, "temperature"),
        ({**CHAT, "temperature": -1}, 400, "temperature"),
        ({**CHAT, "n": 10**9}, 400, "n: "),
        ({**CHAT, "n": 2}, 400, "all the same"),
        ({**CHAT, "max_tokens": 101}, 400, "100 at most"),
        ({**CHAT, "stop": ""}, 400, "stop"),
        ({**CHAT, "messages": []}, 400, "messages"),
        ({**CHAT, "messages": [{"role": "user"}]}, 400, "content is missing"),
        ({**CHAT, "messages": [{"role": "root", "content": ""}]}, 400, "role"),
        ({**CHAT, "top_logprobs": 2}, 400, "logprobs"),
        ({**CHAT, "presence_penalty": 3}, 400, "presence_penalty"),
        ({**CHAT, "logit_bias": {"999999": 1}}, 400, "beyond the vocabulary"),
        ({**CHAT, "logit_bias": {"a": 1}}, 400, "no token id"),
        ({**CHAT, "response_format": NO_SCHEMA}, 400, "response_format"),
        ({**CHAT, "tool_choice": "required"}, 400, "no tools are given"),
        (
            {**CHAT, "tools": [{"type": "function", "function": {"name": "../x"}}]},
            400,
            "name",
        ),
        ({**CHAT, "tools": [{"type": "function", "function": {"name": "x"}}]}, 400, "tools"),
        (
            {**CHAT, "messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            400,
            "content",
        ),
        ({**CHAT, "messages": [{"role": "user", "content": "a " * 2000}]}, 400, "tokens"),
        ({**CHAT, "model": "nobody"}, 404, "does not exist"),
        ({**CHAT, "model": "../../etc/passwd"}, 404, "does not exist"),
        ({**CHAT, "model": "http://169.254.169.254/"}, 404, "does not exist"),
    ],
)  # fmt: skip
def test_a_bad_request_is_an_error_object(
    serving: Serving, body: object, status: int, says: str
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {**serving.headers, "Content-Type": "application/json"}
    url = f"{serving.url}/chat/completions"
    found = httpx.post(url, content=content, headers=headers, timeout=60)
    error = found.json()["error"]
    assert (found.status_code, error.keys()) == (status, {"message", "type", "param", "code"})
    assert says in error["message"]


IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]
AUTO = {"type": "function", "function": {"name": "auto"}}
CHATS, TEXTS, VECTORS = "chat/completions", "completions", "embeddings"


@pytest.mark.parametrize(
    ("route", "body", "param", "says"),
    [
        (VECTORS, {"input": ["a"] * 3000}, "input", "3000 texts are given, and a request takes 2048"),
        (VECTORS, {"input": [1, 2]}, "input", "token ids are not taken; send texts"),
        (VECTORS, {"input": 5}, "input", "a text or a list of texts is expected"),
        (TEXTS, {"prompt": "a", "echo": True}, "echo", "put the prompt before it"),
        (TEXTS, {"prompt": "a", "best_of": 2}, "best_of", "ask for n"),
        (CHATS, {**CHAT, "store": True}, "store", "no answers are kept here"),
        (CHATS, {**CHAT, "tool_choice": {"type": "function"}}, "tool_choice.function", "required"),
        (CHATS, {**CHAT, "tools": [AUTO], "tool_choice": AUTO}, "tool_choice.function.name",
         "whose name is auto cannot be forced"),
        (CHATS, {**CHAT, "parallel_tool_calls": False}, "parallel_tool_calls", "no tools are given"),
        (CHATS, {"messages": IMAGE}, "messages.0.content.0", "the models read text, no images"),
        ("responses", {"input": IMAGE}, "input.0.content.0", "the models read text, no images"),
        ("responses", {"input": "a", "truncation": "auto"}, "truncation", "nothing is left out"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_key_and_says_why(
    serving: Serving, route: str, body: dict[str, object], param: str, says: str
) -> None:
    more = {"json": {"model": "base", **body}, "headers": serving.headers}
    found = httpx.post(f"{serving.url}/{route}", **more)
    error = found.json()["error"]
    assert (found.status_code, error["param"]) == (400, param)
    assert error["message"].startswith(f"{param}: ")
    assert says in error["message"]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer fw-wrong", "Basic x", "Bearer \xff"])
def test_nobody_enters_without_a_key(serving: Serving, header: str) -> None:
    headers = {"Authorization": header.encode("latin-1")}
    for path in ("/v1/models", "/metrics", "/v1/nothing"):
        found = httpx.get(httpx.URL(serving.url).join(path), headers=headers)
        assert (found.status_code, found.json()["error"]["type"]) == (401, "authentication_error")
    assert httpx.get(httpx.URL(serving.url).join("/healthz")).status_code == 200
    assert httpx.get(httpx.URL(serving.url).join("/readyz")).status_code == 200


def test_the_key_is_stored_as_a_digest_that_its_owner_alone_can_read(serving: Serving) -> None:
    path = serving.folder / "serve" / "keys.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert serving.key not in path.read_text()


@pytest.mark.parametrize(
    "path",
    ["/../serve/keys.json", "/v1/nothing", *(f"/v1/models/{payload}" for payload in TRAVERSALS)],
)
def test_no_path_leads_out(serving: Serving, path: str) -> None:
    with socket.create_connection(("127.0.0.1", serving.port())) as raw:
        lines = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {serving.key}\r\n"
        raw.sendall(f"{lines}Connection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b'"not_found_error"' in answer


RUNNING = "finewright_answers_running"
LEFT = 'finewright_http_requests_total{route="/v1/completions",status="499"}'


def test_beyond_the_queue_is_429_and_a_client_that_leaves_frees_its_slot(serving: Serving) -> None:
    body = {"model": "base", "prompt": "the", "max_tokens": 100, "n": 128, "temperature": 1}
    url, headers = f"{serving.url}/completions", serving.headers
    with httpx.stream("POST", url, json={**body, "stream": True}, headers=headers) as first:
        lines = first.iter_lines()
        assert '"text_completion"' in next(lines)
        assert counted(serving, RUNNING) == 1
        second = httpx.post(url, json=body, headers=headers)
        assert (second.status_code, second.headers["retry-after"]) == (429, "1")
        assert second.json()["error"]["code"] == "rate_limit_exceeded"
    left = time.monotonic()
    while counted(serving, RUNNING):
        assert time.monotonic() < left + 1
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(url, json=body, headers=headers, timeout=0.1)
    while counted(serving, LEFT) < 2:
        assert time.monotonic() < left + 3
    assert httpx.post(url, json={**body, "n": 1}, headers=headers).status_code == 200


def test_requests_are_counted_by_their_route(serving: Serving) -> None:
    serving.client.models.list()
    text = httpx.get(httpx.URL(serving.url).join("/metrics"), headers=serving.headers).text
    assert 'finewright_http_requests_total{route="/v1/models",status="200"}' in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "nothing to serve"),
        (("./base", "--set", "serve.prt=1"), "serve.prt"),
        (("./base", "--set", "train.epochs=1"), "unknown key"),
        (("./base", "--set", "serve.port=1", "--set", "serve.host=example.org"), "is no address"),
        (("./nowhere",), "nowhere"),
        (("./base", "base/../base"), "there are two models 'base'"),
        (("wordllama", "wordllama"), "there are two models 'wordllama'"),
        (("wordllama", "--draft-model", "./base"), "served by engine embedder"),
        (("./base", "--host", "example.org"), "is no address"),
    ],
)
def test_what_cannot_be_served_is_one_line(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    save_base(tmp_path)
    found = start(("serve", *arguments), folder=tmp_path).result()
    assert found.code == 2
    assert says in found.err.splitlines()[0]
    assert not (tmp_path / "serve").exists()


def test_a_second_sigterm_is_not_needed(tmp_path: Path) -> None:
    found = started(tmp_path, "wordllama")
    found.process.send(signal.SIGTERM)
    assert found.process.code(30) == 0
    arguments = ("serve", "--new-key", "user", "--spec", "serve.yaml")
    again = start(arguments, folder=tmp_path).result()
    assert again.code == 0
    assert again.out.startswith("fw-")  # the key alone, for KEY=$(finewright serve --new-key user)
    assert len(again.out.split()) == 1
    stored = json.loads((tmp_path / "serve" / "keys.json").read_text())["keys"]
    assert [key["role"] for key in stored] == ["admin", "user"]
