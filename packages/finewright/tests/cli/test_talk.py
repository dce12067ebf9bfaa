"""A conversation in a terminal remembers, until it is told to begin anew."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from finewright.cli.talk import beside, talk
from finewright.errors import DataError, FetchError
from finewright.workbench.chat import Manner, Spoken
from finewright.workbench.speakers import EndpointSpeaker, LocalSpeaker, Messages, Speaker
from finewright.workbench.systems import load_system
from served import Asked, Reply, served

pytestmark = pytest.mark.torch


class Terminal(io.StringIO):
    """Lines that somebody types."""

    def isatty(self) -> bool:
        return True


def test_reset_begins_a_new_conversation(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = load_system(str(tiny_folder))
    manner = Manner(max_new_tokens=6, temperature=0.0, seed=0)

    def typed(*lines: str) -> str:
        monkeypatch.setattr("sys.stdin", Terminal("".join(f"{line}\n" for line in lines)))
        talk([LocalSpeaker(model)], manner, system=None, prompt="")
        return capsys.readouterr().out

    once = typed("the red 100")
    assert typed("the red 100", "/reset", "the red 100") == 2 * once
    assert typed("the red 100", "/help", "the red 100") != 2 * once


def test_what_the_model_cannot_read_is_said_and_the_conversation_goes_on(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    speaker = LocalSpeaker(load_system(str(tiny_folder)))
    typed(monkeypatch, [speaker], "the red 100")
    once = capsys.readouterr().out
    typed(monkeypatch, [speaker], "long " * 300, "the red 100", "/history")
    said = capsys.readouterr()
    assert "the conversation fills the 256 tokens that the model reads" in said.err
    assert said.out == once
    assert "long" not in said.err


MANNER = Manner(max_new_tokens=6, temperature=0.0, seed=0)


def echoed(asked: Asked) -> Reply:
    """A server that says what it was asked last, word by word."""
    words = asked.body["messages"][-1]["content"].split()
    deltas = [{"reasoning_content": "hm"}, *({"content": f"{word} "} for word in words)]
    lines = [f"data: {json.dumps({'choices': [{'delta': delta}]})}\n\n" for delta in deltas]
    return Reply("".join([*lines, "data: [DONE]\n\n"]).encode())


def typed(monkeypatch: pytest.MonkeyPatch, speakers: list[Speaker], *lines: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("".join(f"{line}\n" for line in lines)))
    talk(speakers, MANNER, system=None, prompt="")


def test_a_served_model_is_talked_to_as_one_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "talk.jsonl"
    with served(echoed) as server:
        speaker = EndpointSpeaker(f"{server.url}#echo")
        lines = (
            "/system Be brief.",
            "one \\",
            "two",
            "/history",
            f"/save {saved}",
            f"/save {saved}",
        )
        typed(monkeypatch, [speaker], *lines, "/nothing")
    shown = capsys.readouterr()
    assert shown.out == "one two \n"
    (call,) = server.asked
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one \ntwo"},
    ]
    assert call.body["messages"] == messages
    said = {"role": "assistant", "content": "one two "}
    assert json.loads(saved.read_text()) == {"messages": [*messages, said], "model": "echo"}
    assert "there is such a file already" in shown.err
    assert "no such command" in shown.err
    assert "user: one \ntwo" in shown.err


@pytest.mark.parametrize("is_terminal", [True, False])
def test_what_moves_a_cursor_is_not_written_to_a_terminal(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "a\x1b]0;b\x07\x9b2J\x7fc\td"
    shown = Terminal() if is_terminal else io.StringIO()
    monkeypatch.setattr("sys.stdout", shown)
    with served(echoed) as server:
        typed(monkeypatch, [EndpointSpeaker(f"{server.url}#echo")], text, "/history")
    plain = "a]0;b2Jc d \n"
    assert shown.getvalue() == (plain if is_terminal else f"{text} \n".replace("\t", " "))
    assert "\x1b" not in capsys.readouterr().err


def test_two_answer_side_by_side(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(echoed) as server:
        speakers: list[Speaker] = [EndpointSpeaker(f"{server.url}#{name}") for name in ("a", "b")]
        typed(monkeypatch, speakers, "hello")
    header, rule, answer = capsys.readouterr().out.splitlines()
    assert [column.strip() for column in header.split("|")] == ["a", "b"]
    assert set(rule) <= set("-| ")
    assert [column.strip() for column in answer.split("|")] == ["hello", "hello"]
    assert [call.body["model"] for call in server.asked] == ["a", "b"]


@pytest.fixture(autouse=True)
def _interrupts() -> Iterator[None]:
    """As in a terminal: a process that a shell starts in the background ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Recording:
    """A speaker of a run with a system prompt, that keeps what it is asked."""

    name, system_prompt = "recording", "Be a pirate."

    def __init__(self) -> None:
        self.asked: list[Messages] = []

    def answer(self, messages: Messages, manner: Manner) -> Iterator[Spoken]:
        self.asked.append([dict(message) for message in messages])
        yield Spoken("content", "aye")


@pytest.mark.parametrize(
    ("system", "begins_with"),
    [
        (None, [{"role": "system", "content": "Be a pirate."}]),
        ("", []),
        ("Be brief.", [{"role": "system", "content": "Be brief."}]),
    ],
)
def test_an_empty_system_prompt_is_none_and_none_is_the_runs(
    system: str | None, begins_with: list[dict[str, str]]
) -> None:
    speaker = Recording()
    talk([speaker], MANNER, system=system, prompt="Hello")
    assert speaker.asked == [[*begins_with, {"role": "user", "content": "Hello"}]]


class Interrupting:
    """A speaker whose first answer is interrupted, before the piece of that number."""

    system_prompt = ""

    def __init__(self, before: int, name: str = "slow") -> None:
        self.before, self.name, self.is_asked = before, name, False

    def answer(self, messages: Messages, manner: Manner) -> Iterator[Spoken]:
        is_first, self.is_asked = not self.is_asked, True
        for number, word in enumerate(messages[-1]["content"].split()):
            if number == self.before and is_first:
                signal.raise_signal(signal.SIGINT)
            yield Spoken("content", f"{word} ")


@pytest.mark.parametrize(
    ("before", "out", "err"),
    [
        (2, "one two \nfour \n", "user: one two three\nassistant: one two \nuser: four\n"),
        (0, "\nfour \n", "slow\nuser: four\n"),
    ],
)
def test_ctrl_c_cuts_an_answer_and_the_conversation_goes_on(
    before: int,
    out: str,
    err: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    typed(monkeypatch, [Interrupting(before)], "one two three", "four", "/history")
    shown = capsys.readouterr()
    assert shown.out == out
    assert err in shown.err
    assert ("as if it had not been asked" in shown.err) is (before == 0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_of_two_the_second_is_not_asked_once_the_first_is_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    second = Interrupting(9, "second")
    typed(monkeypatch, [Interrupting(1, "first"), second], "one two", "/history")
    shown = capsys.readouterr()
    assert not second.is_asked
    assert shown.out.splitlines()[-1].split("|")[0].strip() == "one"
    assert shown.err.endswith("cut: as if it had not been asked\n> first\n\nsecond\n\n> ")


def test_of_two_what_both_said_stays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    speakers: list[Speaker] = [Interrupting(9, "first"), Interrupting(1, "second")]
    typed(monkeypatch, speakers, "one two", "/history")
    asked = "user: one two\nassistant: one"
    assert f"cut\n> first\n{asked} two \n\nsecond\n{asked} \n" in capsys.readouterr().err


def test_ctrl_c_does_not_wait_for_a_silent_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    is_cut, waited = threading.Event(), []
    main = threading.main_thread().ident or 0

    def silent(asked: Asked) -> Reply:
        if asked.body["messages"][-1]["content"] == "silent":
            signal.pthread_kill(main, signal.SIGINT)
            waited.append(not is_cut.wait(5))
        else:
            is_cut.set()
        return echoed(asked)

    with served(silent) as server:
        typed(monkeypatch, [EndpointSpeaker(f"{server.url}#echo")], "silent", "then")
        assert [[m["content"] for m in call.body["messages"]] for call in server.asked] == [
            ["silent"],
            ["then"],
        ]
    assert capsys.readouterr().out == "\nthen \n"
    assert not any(waited)


@pytest.mark.parametrize("speaks_first", [False, True])
def test_sigterm_ends_a_chat_at_once(speaks_first: bool) -> None:
    program = "from finewright.cli.main import main; main()"
    chunk = json.dumps({"choices": [{"delta": {"content": "word "}}]})
    is_asked, is_over = threading.Event(), threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"data: {chunk}\n\n".encode() if speaks_first else b"")
            is_asked.set()
            is_over.wait(30)

        def log_message(self, *_: object) -> None:
            pass

    terminal, of_chat = os.openpty()
    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        threading.Thread(target=server.serve_forever, args=[0.01]).start()
        url = f"http://127.0.0.1:{server.server_port}/v1#m"
        command = [sys.executable, "-c", program, "chat", url]
        chat = subprocess.Popen(
            command, stdin=of_chat, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        os.write(terminal, b"Hi\n")
        try:
            assert is_asked.wait(60)
            if speaks_first:
                assert chat.stdout is not None
                assert chat.stdout.read(4) == b"word"
            chat.terminate()
            _, said = chat.communicate(timeout=10)
        finally:
            chat.kill()
            is_over.set()
            server.shutdown()
            os.close(terminal)
            os.close(of_chat)
    assert chat.returncode == -signal.SIGTERM
    assert b"goes on" not in said


def test_of_two_sources_are_shown_and_are_no_part_of_what_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cited = {"type": "url_citation", "url_citation": {"title": "Fees", "url": "http://x"}}
    chunk = {"choices": [{"delta": {"content": "96 euros.", "annotations": [cited]}}]}
    saved = tmp_path / "talk.jsonl"
    with served(lambda _: Reply(f"data: {json.dumps(chunk)}\n\n".encode())) as server:
        speakers: list[Speaker] = [EndpointSpeaker(f"{server.url}#{name}") for name in ("a", "b")]
        typed(monkeypatch, speakers, "one", "two", f"/save {saved}")
    assert capsys.readouterr().out.count("source: Fees http://x") == 4
    assert [m["content"] for m in server.asked[2].body["messages"]] == ["one", "96 euros.", "two"]
    assert "source" not in saved.read_text()


def test_ctrl_c_drops_the_lines_that_were_begun(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[str | BaseException] = ["begun \\\n", KeyboardInterrupt(), "one\n", ""]
    lines = iter(given)

    def readline(_: Terminal) -> str:
        line = next(lines)
        if isinstance(line, str):
            return line
        raise line

    monkeypatch.setattr(Terminal, "readline", readline)
    with served(echoed) as server:
        typed(monkeypatch, [EndpointSpeaker(f"{server.url}#echo")])
    shown = capsys.readouterr()
    assert shown.out == "one \n"
    assert "Ctrl-D ends\n> " in shown.err


def piped(monkeypatch: pytest.MonkeyPatch, speakers: list[Speaker], content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))
    talk(speakers, MANNER, system=None, prompt="")


def test_a_pipe_knows_the_commands_and_lines_that_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "talk.jsonl"
    lines = f"one \\\ntwo\n/system Be brief.\n\nthrée\n /etc\n/save {saved}\nlast \\"
    with served(echoed) as server:
        piped(monkeypatch, [EndpointSpeaker(f"{server.url}#echo")], lines.encode())
    assert capsys.readouterr().out == "one two \n\nthrée \n/etc \nlast \n"
    rows = [json.loads(line)["messages"] for line in saved.read_text().splitlines()]
    asked = [[message["content"] for message in row[:-1]] for row in rows]
    assert asked == [["one \ntwo"], ["Be brief.", "thrée"], ["Be brief.", " /etc"]]
    assert [row[-1]["content"] for row in rows] == ["one two ", "thrée ", "/etc "]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (b"one\ntw\xff\n", "stdin, line 2: byte 0xff is no UTF-8"),
        (b"one\n/sytem x\n", "stdin, line 2: /sytem: there is no such command"),
        (b"one\n/save\n", "stdin, line 2: /save: it lacks its file"),
    ],
)
def test_a_mistake_in_a_pipe_ends_it_with_its_line(
    lines: bytes, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(echoed) as server, pytest.raises(DataError) as caught:
        piped(monkeypatch, [EndpointSpeaker(f"{server.url}#echo")], lines)
    assert str(caught.value) == says
    assert caught.value.hint
    assert capsys.readouterr().out == "one \n"


def test_a_long_name_stands_whole_over_its_column() -> None:
    names = ["20261127-support-bot-0a1b2c3d", "20261127-support-bot-4e5f6a7b"]
    lines = [line.split(" | ") for line in beside(names, ["a", "b"], 51).splitlines()]
    columns = [[part.strip() for part in column] for column in zip(*lines, strict=True)]
    assert ["".join(column[:2]) for column in columns] == names
    assert [column[3] for column in columns] == ["a", "b"]


def test_columns_are_as_wide_as_the_terminal() -> None:
    lines = beside(["one", "two"], ["word " * 30, "x"], 63).splitlines()
    assert max(map(len, lines)) <= 63
    assert sum("word" in line for line in lines) > 1


def test_a_server_that_is_not_there_is_said() -> None:
    with served(lambda _: Reply({})) as server:
        url = server.url
    with pytest.raises(FetchError, match="nobody answers there") as caught:
        list(EndpointSpeaker(f"{url}#m").answer([{"role": "user", "content": "Hi"}], MANNER))
    assert "is the server started" in caught.value.hint
    with pytest.raises(FetchError, match="nobody answers there"):
        EndpointSpeaker(url)


def test_what_the_server_refuses_is_one_line() -> None:
    with served(lambda _: Reply({"error": {"message": "no such\nmodel"}}, 404)) as server:
        speaker = EndpointSpeaker(f"{server.url}#echo")
        with pytest.raises(FetchError, match="no such model"):
            list(speaker.answer([{"role": "user", "content": "Hi"}], MANNER))
