"""Clients that mean no good, on raw sockets: an error object or a closed connection, and nothing waits."""

import asyncio
import json
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from finewright.errors import FetchError
from finewright.fetch.endpoint import Client, Endpoint
from finewright_serve.gateway.upstream import Upstream
from serve.serving import Serving, counted, save_base, started, stop

pytestmark = pytest.mark.torch

HEADER_SECONDS, BODY_SECONDS = 1.0, 1.0
AT_MOST = 8.0  # what a busy machine may need; the settings' own defaults are longer
BODY = json.dumps({"model": "base", "prompt": "the", "max_tokens": 2})


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("strict")
    save_base(folder)
    sets = (f"serve.header_seconds={HEADER_SECONDS}", f"serve.body_seconds={BODY_SECONDS}")
    found = started(folder, "./base", sets=sets)
    yield found
    stop(found)


def head(serving: Serving, *more: str, path: str = "/v1/completions") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {serving.key}"]
    return "\r\n".join([*lines, "Content-Type: application/json", *more, "", ""]).encode()


def connected(serving: Serving) -> socket.socket:
    return socket.create_connection(("127.0.0.1", serving.port()), timeout=AT_MOST)


def rest_of(raw: socket.socket) -> bytes:
    """All that comes until the connection is closed."""
    content = b""
    try:
        while part := raw.recv(65536):
            content += part
    except ConnectionResetError:
        pass
    return content


def answers(serving: Serving) -> bool:
    headers = {**serving.headers, "Content-Type": "application/json"}
    url = f"{serving.url}/completions"
    return httpx.post(url, content=BODY, headers=headers, timeout=AT_MOST).status_code == 200


def test_headers_that_come_byte_by_byte_are_cut_and_nobody_waits_for_them(strict: Serving) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(connected(strict)) for _ in range(200)]
        begun, ends = time.monotonic(), 0.0
        for raw in slow:
            raw.sendall(b"GET /v1/models HTTP/1.1\r\nX-Slow: ")
        assert answers(strict)
        while time.monotonic() < begun + AT_MOST and not ends:
            try:
                slow[0].sendall(b"x")
                time.sleep(0.1)
            except OSError:
                ends = time.monotonic() - begun
        assert HEADER_SECONDS * 0.9 < ends < AT_MOST
        assert all(rest_of(raw) == b"" for raw in slow[1:])


def test_a_body_that_comes_byte_by_byte_is_408(strict: Serving) -> None:
    with connected(strict) as raw:
        begun = time.monotonic()
        raw.sendall(head(strict, "Content-Length: 100", "Connection: close") + b"{")
        answer = rest_of(raw)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"invalid_request_error"' in answer
    assert BODY_SECONDS * 0.9 < time.monotonic() - begun < AT_MOST


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01", 400),  # TLS to a plain port
        (b"nonsense\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nBad Header: x\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
        (b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", 400),
    ],
)
def test_what_is_no_http_is_an_error_object(strict: Serving, content: bytes, status: int) -> None:
    with connected(strict) as raw:
        raw.sendall(content)
        answer = rest_of(raw)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert set(json.loads(answer.partition(b"\r\n\r\n")[2])) == {"error"}


@pytest.mark.parametrize("sent", [b"", b'{"model": "ba'])
def test_a_body_that_breaks_off_hurts_nobody(strict: Serving, sent: bytes) -> None:
    for _ in range(20):
        with connected(strict) as raw:
            raw.sendall(head(strict, "Content-Length: 1000") + sent)
    assert answers(strict)


@pytest.mark.parametrize(
    ("more", "part", "status"),
    [
        ("Transfer-Encoding: chunked", b"10000\r\n" + b"x" * 0x10000 + b"\r\n", 413),
        ("Content-Length: 99999999", b"", 413),
        ("Content-Length: 5", b"{}   ", 400),
    ],
)
def test_what_has_no_end_is_cut(strict: Serving, more: str, part: bytes, status: int) -> None:
    with connected(strict) as raw:
        raw.sendall(head(strict, more, "Connection: close"))
        with suppress(OSError):  # it may be closed already
            for _ in range(200 if status == 413 else 1):
                raw.sendall(part)
        answer = rest_of(raw)
    assert not answer or answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert answers(strict)


@pytest.mark.parametrize("more", [{}, {"Connection": "close"}, {"Authorization": "Bearer no"}])
def test_a_client_that_sends_all_before_it_reads_sees_the_refusal(
    serving: Serving, more: dict[str, str]
) -> None:
    headers = {**serving.headers, "Content-Type": "application/json", **more}
    with closing(HTTPConnection("127.0.0.1", serving.port(), timeout=60)) as client:
        client.request("POST", "/v1/completions", b" " * 5_000_008, headers)
        answer = client.getresponse()
        assert answer.status == (401 if "Authorization" in more else 413)
        assert "error" in json.loads(answer.read())
        client.request("GET", "/v1/models", headers=serving.headers)
        assert client.getresponse().status == 200


def test_headers_without_an_end_are_cut(strict: Serving) -> None:
    with connected(strict) as raw, suppress(OSError):
        for _ in range(100):
            raw.sendall(b"GET / HTTP/1.1\r\nA: " + b"x" * 0x10000)
        assert not rest_of(raw)
    assert answers(strict)


def test_a_host_out_of_a_request_is_never_asked(strict: Serving) -> None:
    with socket.socket() as trap:
        trap.bind(("127.0.0.1", 0))
        trap.listen()
        trap.settimeout(0.3)
        url = f"http://127.0.0.1:{trap.getsockname()[1]}/v1"
        image = [{"type": "image_url", "image_url": {"url": url}}]
        for body in (
            {"model": f"{url}#x", "messages": [{"role": "user", "content": "Hi"}]},
            {"model": "base", "messages": [{"role": "user", "content": image}]},
            {"model": "base", "messages": [], "base_url": url},
        ):
            found = httpx.post(f"{strict.url}/chat/completions", json=body, headers=strict.headers)
            assert found.status_code in (400, 404)
        with pytest.raises(TimeoutError):
            trap.accept()


def test_hostile_tools_are_refused_or_answered(strict: Serving) -> None:
    deep: dict[str, object] = {"type": "object"}
    for _ in range(150):
        deep = {"type": "object", "properties": {"x": deep}}
    for parameters in (
        deep,
        {"$ref": "http://169.254.169.254/latest"},
        {"$ref": "#"},
        {"pattern": "(a+)+$", "type": "string"},
        {"type": "object", "properties": {"__class__": {"const": "{{ 7 * 7 }}"}}},
    ):
        function = {"name": "f", "description": "{% raw %}" * 50, "parameters": parameters}
        tools = [{"type": "function", "function": function}]
        body = {"model": "base", "messages": [{"role": "user", "content": "Hi"}], "tools": tools}
        url = f"{strict.url}/chat/completions"
        found = httpx.post(url, json={**body, "max_tokens": 2}, headers=strict.headers, timeout=20)
        assert found.status_code in (200, 400)
        assert found.status_code == 200 or found.json()["error"]["message"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder


async def is_up(found: Serving) -> bool:
    upstream = Upstream(found.url, found.key, is_local=True)
    try:
        return await upstream.is_up()
    finally:
        await upstream.close()


def test_tls_is_served_and_nothing_else_on_that_port(
    certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = {name: str(certificate / f"{name}.pem") for name in ("cert", "key")}
    tls = {"certificate": pem["cert"], "key": pem["key"]}
    found = started(tmp_path, "wordllama", sets=(f"serve.tls={json.dumps(tls)}",))
    try:
        assert found.url.startswith("https://")
        trusted = ssl.create_default_context(cafile=pem["cert"])
        with httpx.Client(verify=trusted, headers=found.headers) as client:
            assert client.get(f"{found.url}/models").json()["data"][0]["id"] == "wordllama"
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{found.url}/models", headers=found.headers)
        with pytest.raises(httpx.HTTPError):
            httpx.get(found.url.replace("https", "http"), timeout=5)
        monkeypatch.setenv("FINEWRIGHT_API_KEY", found.key)
        with pytest.raises(FetchError, match="certificate verify failed") as caught:
            Client(Endpoint.of_server(found.url)).models()
        assert caught.value.hint.endswith("SSL_CERT_FILE=chain.pem")
        monkeypatch.setenv("SSL_CERT_FILE", pem["cert"])  # also for what is on this machine
        assert Client(Endpoint.of_server(found.url)).models() == ["wordllama"]
        assert asyncio.run(is_up(found))
    finally:
        stop(found)


def test_a_certificate_that_is_none_is_one_line(certificate: Path, tmp_path: Path) -> None:
    tls = {"certificate": str(certificate / "key.pem"), "key": str(certificate / "key.pem")}
    with pytest.raises(AssertionError, match=r"error: .*key.pem") as caught:
        started(tmp_path, "./base", sets=(f"serve.tls={json.dumps(tls)}",))
    assert "Traceback" not in str(caught.value)


def test_sigterm_lets_answers_end_and_refuses_others(strict: Serving) -> None:
    found = strict  # the last test that has it
    body = {"model": "base", "prompt": "the", "max_tokens": 100, "n": 128, "temperature": 1}
    url = f"{found.url}/completions"
    more = {"json": {**body, "stream": True}, "headers": found.headers, "timeout": 30}
    with httpx.stream("POST", url, **more) as first:
        lines = first.iter_lines()
        next(lines)
        found.process.send(signal.SIGTERM)
        while httpx.get(httpx.URL(found.url).join("/readyz")).status_code != 503:
            time.sleep(0.01)
        refused = httpx.post(url, json=body, headers=found.headers)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert [line for line in lines if line][-1] == "data: [DONE]"
    assert found.process.code(30) == 0


def test_what_the_drain_cannot_wait_for_is_503_and_the_server_ends(tmp_path: Path) -> None:
    save_base(tmp_path)
    found = started(tmp_path, "./base", sets=("serve.drain_seconds=0", "serve.max_tokens=200"))
    body = {"model": "base", "prompt": "the", "max_tokens": 200, "n": 128, "temperature": 1}
    with ThreadPoolExecutor(1) as pool:
        more = {"json": body, "headers": found.headers, "timeout": 30}
        asked = pool.submit(httpx.post, f"{found.url}/completions", **more)
        while not counted(found, "finewright_answers_running"):
            time.sleep(0.01)
        found.process.send(signal.SIGTERM)
        answer = asked.result()
    assert (answer.status_code, answer.json()["error"]["type"]) == (503, "server_error")
    assert found.process.code(10) == 0
    shown = found.shown
    assert "Traceback" not in shown
    assert "INFO a signal: the server ends; 1 answers are given" in shown
    assert "503" in shown
    assert "INFO the server has ended" in shown  # the line of the request may come behind it
