"""The client of endpoints against a real server: what it sends, tries again, and how failures read."""

import socket
import threading

import pytest

from finewright.errors import FetchError
from finewright.fetch.endpoint import Client, Endpoint
from served import Reply, answered, served, vectors

pytest.importorskip("httpx")

KEY = "sk-very-secret-1234"
QUESTION = [{"role": "user", "content": "2 + 2?"}]


def client_of(url: str, pauses: list[float] | None = None, timeout_s: float = 5) -> Client:
    waited = pauses if pauses is not None else []
    return Client(Endpoint.parse(f"{url}#m-1"), timeout_s=timeout_s, pause=waited.append)


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("FINEWRIGHT_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_a_chat_call_sends_the_messages_the_model_and_the_key_and_reads_the_answer():
    with served(lambda _: answered("4")) as server:
        answer = client_of(server.url).chat(QUESTION, max_tokens=5)
    assert (answer.text, answer.finish_reason, answer.model) == ("4", "stop", "m-1")
    assert (answer.prompt_tokens, answer.completion_tokens) == (7, 3)
    (call,) = server.asked
    assert call.path == "/v1/chat/completions"
    assert call.body == {"model": "m-1", "messages": QUESTION, "max_tokens": 5}
    assert {k.lower(): v for k, v in call.headers.items()}["authorization"] == f"Bearer {KEY}"


def test_tool_calls_come_back_as_they_are():
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    with served(lambda _: answered(None, tool_calls=[call])) as server:
        answer = client_of(server.url).chat(QUESTION)
    assert (answer.text, answer.tool_calls) == ("", (call,))


def test_vectors_are_put_into_the_order_of_the_texts():
    rows = [{"index": 1, "embedding": [0, 1]}, {"index": 0, "embedding": [1, 0]}]
    with served(lambda _: Reply({"data": rows})) as server:
        assert client_of(server.url).embeddings(["a", "b"]) == [[1, 0], [0, 1]]
    assert server.asked[0].body["input"] == ["a", "b"]


def test_too_many_calls_and_server_errors_are_tried_again_and_the_server_says_how_long_to_wait():
    replies = iter(
        [
            Reply({"error": {"message": "slow down"}}, 429, {"retry-after": "7"}),
            Reply(b"<html>", 503),
            Reply({"error": "x"}, 500, {"retry-after": "9999"}),
            answered("ok"),
        ]
    )
    pauses: list[float] = []
    with served(lambda _: next(replies)) as server:
        assert client_of(server.url, pauses).chat(QUESTION).text == "ok"
    assert pauses == [7, 2, 60]


def test_a_server_that_stays_down_is_given_up_after_five_tries():
    pauses: list[float] = []
    with (
        served(lambda _: Reply({"error": {"message": "out of\nmemory"}}, 500)) as server,
        pytest.raises(FetchError) as error,
    ):
        client_of(server.url, pauses).chat(QUESTION)
    assert str(error.value) == f"{server.url}#m-1: it says 500: out of memory"
    assert (len(server.asked), pauses) == (5, [1, 2, 4, 8])


def test_an_account_without_money_is_not_asked_again():
    spent = Reply({"error": {"message": "no credit", "code": "insufficient_quota"}}, 429)
    with served(lambda _: spent) as server, pytest.raises(FetchError, match="429: no credit"):
        client_of(server.url).chat(QUESTION)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (
            Reply({"error": {"message": f"bad key {KEY}"}}, 401),
            "it refuses the key (401: bad key ***)",
        ),
        (Reply(b"", 403), "it refuses the key (403)"),
        (Reply({"detail": "no"}, 404), "no such model or address (404)"),
        (Reply({"error": "too long"}, 400), "it says 400: too long"),
        (Reply(b"", 302, {"location": "http://127.0.0.1:1/"}), "it says 302"),
        (Reply(b'{"choices": [', 200), "its answer is not a JSON object"),
        (Reply([1]), "its answer is not a JSON object"),
        (Reply(b"[" * 100_000), "its answer is not a JSON object"),
        (Reply({"error": "a\x1b[2Jb"}, 400), "it says 400: a [2Jb"),
        (Reply({"choices": []}), "its answer has no message"),
        (Reply({"choices": [{"message": {"content": 5}}]}), "its answer has no message"),
        (Reply({"choices": [{"message": None}]}), "its answer has no message"),
        (
            Reply({"choices": [{"message": {"content": "", "tool_calls": ["x"]}}]}),
            "its answer has no message",
        ),
    ],
)
def test_a_failure_is_one_line_and_tried_once(reply, said):
    with served(lambda _: reply) as server, pytest.raises(FetchError) as error:
        client_of(server.url).chat(QUESTION)
    assert str(error.value) == f"{server.url}#m-1: {said}"
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (vectors([[1.0]]), "1 vectors came back for 2 texts"),
        (Reply({}), "its answer has no `data`"),
        (Reply({"data": [{"index": 0, "embedding": [1]}] * 2}), "not vectors numbered from 0"),
        (Reply({"data": [1, 2]}), "not vectors numbered from 0"),
        (vectors([[1.0], []]), "not a list of numbers"),
        (Reply({"data": [{"embedding": [1]}, {"embedding": "AAAA"}]}), "not a list of numbers"),
    ],
)
def test_wrong_vectors_are_refused(reply, said):
    with served(lambda _: reply) as server, pytest.raises(FetchError, match=said):
        client_of(server.url).embeddings(["a", "b"])


def test_a_silent_server_is_given_up():
    done = threading.Event()

    def silent(_):
        done.wait(10)
        return answered("late")

    with served(silent) as server:
        with pytest.raises(FetchError, match=r"no answer within 0\.05 s"):
            client_of(server.url, timeout_s=0.05).chat(QUESTION)
        done.set()


def test_no_server_is_one_line():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(FetchError, match="no connection: ") as error:
        client_of(f"http://127.0.0.1:{port}/v1").chat(QUESTION)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["FINEWRIGHT_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_another_machine_is_not_asked(monkeypatch, name):
    monkeypatch.delenv("FINEWRIGHT_OFFLINE")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv(name, "1")
    with pytest.raises(FetchError, match="not asked: FINEWRIGHT_OFFLINE or HF_HUB_OFFLINE is set"):
        client_of("https://models.example/v1").chat(QUESTION)


def test_a_key_never_leaves_the_machine_unencrypted(monkeypatch):
    monkeypatch.delenv("FINEWRIGHT_OFFLINE")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with pytest.raises(FetchError, match="never sent over an unencrypted connection"):
        client_of("http://models.example/v1").chat(QUESTION)


@pytest.mark.parametrize("key", ["ключ", "a\tb"])
def test_a_key_that_is_none_is_refused_and_not_shown(monkeypatch, key):
    monkeypatch.setenv("FINEWRIGHT_API_KEY", key)
    with pytest.raises(FetchError, match="characters that no key has") as error:
        client_of("http://127.0.0.1:1/v1").chat(QUESTION)
    assert key not in str(error.value)


def test_a_local_call_does_not_leave_by_a_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with served(lambda _: answered("4")) as server:
        assert client_of(server.url).chat(QUESTION).text == "4"


def test_proxy_settings_that_cannot_be_used_are_one_line(monkeypatch):
    monkeypatch.delenv("FINEWRIGHT_OFFLINE")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HTTPS_PROXY", "gopher://proxy")
    with pytest.raises(FetchError, match="settings of proxy or certificates cannot be used"):
        client_of("https://models.example/v1").chat(QUESTION)


def test_the_key_of_openai_is_for_openai_alone(monkeypatch):
    monkeypatch.delenv("FINEWRIGHT_API_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with served(lambda _: answered("4")) as server:
        client_of(server.url).chat(QUESTION)
    assert "authorization" not in {name.lower() for name in server.asked[0].headers}
    assert client_of("https://api.openai.com/v1")._headers()["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in client_of("https://notopenai.com/v1")._headers()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("https://host/v1", "not the address of a model"),
        ("https://#m", "not the address of a model"),
        ("ftp://host/v1#m", "not the address of a model"),
        ("https://host:x/v1#m", "not the address of a model"),
        ("https://host/v1?key=1#m", "not the address of a model"),
        ("https://me:hush@host/v1#m", "a name or password in an address"),
        ("https://me:hush@host/v1", "not the address of a model"),
    ],
)
def test_a_bad_address_is_refused_and_its_password_not_shown(target, said):
    with pytest.raises(FetchError, match=said) as error:
        Endpoint.parse(target)
    assert "hush" not in str(error.value)


def test_an_address_has_a_host_and_a_model():
    endpoint = Endpoint.parse("http://[::1]:8000/v1/#org/model:tag")
    assert (endpoint.base_url, endpoint.model) == ("http://[::1]:8000/v1", "org/model:tag")
    assert endpoint.is_local
    assert not Endpoint.parse("https://127.0.0.1.example/v1#m").is_local
