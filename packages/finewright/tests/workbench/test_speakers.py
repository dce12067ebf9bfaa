"""A server's model is named, or is the only one there."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from finewright.errors import DataError, FetchError
from finewright.workbench.chat import Manner
from finewright.workbench.speakers import EndpointSpeaker, speakers_of
from served import Reply, served


@contextmanager
def listing(*models: str) -> Iterator[str]:
    """A server that lists these models."""

    class Listing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps({"data": [{"id": name} for name in models]}).encode()
            self.send_response(200 if self.path == "/v1/models" else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Listing) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


def test_the_only_model_of_a_server_needs_no_name() -> None:
    with listing("base:my-run") as url:
        assert EndpointSpeaker(url).name == "base:my-run"


def test_several_models_are_listed_with_the_command_that_names_one() -> None:
    with listing(*"abcdefghij") as url, pytest.raises(DataError) as caught:
        EndpointSpeaker(url)
    assert str(caught.value) == f"{url}: it serves 10 models: a, b, c, d, e, f, g, h, ..."
    assert caught.value.hint == f"name the one to talk to: finewright chat {url}#a"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/v1", "http://", "ftp://x/v1", "http://u:p@x/v1"]
)
def test_an_address_where_no_server_is_is_one_line(url: str) -> None:
    with pytest.raises(FetchError) as caught:
        EndpointSpeaker(url)
    assert "\n" not in str(caught.value)
    assert "#" not in str(caught.value)
    assert ":p@" in url or str(caught.value).startswith(f"{url}: ")
    assert ":p@" not in str(caught.value)


def test_two_models_of_one_name_are_told_apart() -> None:
    one, other = "http://127.0.0.1:1/v1#a", "http://127.0.0.1:2/v1#a"
    assert [each.name for each in speakers_of(one, other)] == [one, other]
    assert [each.name for each in speakers_of(one, f"{one}b")] == ["a", "ab"]
    with pytest.raises(DataError, match="it is the same model"):
        speakers_of(one, one)


@pytest.mark.parametrize(
    ("guards", "lines"),
    [
        (
            [
                {
                    "guard": "secrets",
                    "side": "output",
                    "action": "redact",
                    "what": "cloud_key",
                    "number": 2,
                }
            ],
            ["secrets: replaced: cloud key in the answer, 2 times"],
        ),
        (
            [
                {
                    "guard": "a\x1b",
                    "side": "input",
                    "action": "failed",
                    "what": "x\ny",
                    "number": 1,
                },
                "x",
                {},
            ],
            ["a\x1b: failed: x y in the question"],
        ),
        ({"guard": "a"}, []),
        (5, []),
    ],
)
def test_what_guards_did_is_a_line_each(guards: object, lines: list[str]) -> None:
    last = {"choices": [{"delta": {}, "finish_reason": "stop"}], "guards": guards}
    with served(lambda _: Reply(f"data: {json.dumps(last)}\n\n".encode())) as server:
        pieces = EndpointSpeaker(f"{server.url}#m").answer(
            [{"role": "user", "content": "q"}], Manner(6, 0.0, 0)
        )
        assert [tuple(piece) for piece in pieces] == [("guard", line) for line in lines]


@pytest.mark.parametrize(
    ("annotations", "sources"),
    [
        (
            [{"type": "url_citation", "url_citation": {"title": "T", "url": "http://x"}}],
            ["T http://x"],
        ),
        ([{"type": "url_citation", "title": "T\nU", "url": "http://x"}], ["T U http://x"]),
        ([{"type": "url_citation", "title": "T", "quote": "a\nb"}], ['T: "a b"']),
        (["x", None, {"type": "file_path", "filename": "a.md"}], ["a.md"]),
        ([{"type": "url_citation", "url_citation": "http://x"}], []),
        ([{"type": "file_path", "file_path": ["a"]}], []),
        ([{"title": ["T"], "url": 5}], []),
        ({"a": 1}, []),
        ("abc", []),
        (5, []),
        (None, []),
    ],
)
def test_annotations_of_another_form_name_no_source(
    annotations: object, sources: list[str]
) -> None:
    chunk = {"choices": [{"delta": {"content": "hi", "annotations": annotations}}]}
    with served(lambda _: Reply(f"data: {json.dumps(chunk)}\n\n".encode())) as server:
        pieces = EndpointSpeaker(f"{server.url}#m").answer(
            [{"role": "user", "content": "q"}], Manner(6, 0.0, 0)
        )
        assert [piece.text for piece in pieces] == ["hi", *sources]
