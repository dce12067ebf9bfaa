"""A conversation on the terminal, with one model or with two side by side."""

import io
import json
import re
import shutil
import signal
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TextIO

from finewright.errors import DataError, FinewrightError
from finewright.store.atomic import write_bytes
from finewright.workbench.chat import Manner
from finewright.workbench.speakers import Speaker

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_DIMMED = "\x1b[2m{}\x1b[0m"
_HELP = """/system TEXT   begin anew with this system prompt; without a text, show it
/reset         begin a new conversation
/history       show the conversation
/save FILE     write it, of a pipe all answers so far, as rows of messages, JSONL; the file must be new
a \\ at the end of a line: the next line belongs to it
Ctrl-C cuts an answer, or drops the lines begun; Ctrl-D ends
"""
_COMMANDS = "/help, /history, /reset, /save FILE and /system TEXT"
_Rows = list[dict[str, object]]
_NARROWEST = 24
_DROPPED = "cut: as if it had not been asked\n"
_ON_A_LINE = frozenset({"call", "fault", "source", "guard"})
"""Pieces that stand on a line of their own."""


@dataclass(slots=True)
class _Conversation:
    """With one speaker; `opening` are the messages that it begins with."""

    speaker: Speaker
    opening: list[dict[str, str]]
    messages: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, speaker: Speaker, system: str | None) -> "_Conversation":
        prompt = speaker.system_prompt if system is None else system
        opening = [{"role": "system", "content": prompt}] if prompt else []
        return cls(speaker, opening, list(opening))

    def begin(self, system: str | None = None) -> None:
        """Anew, with another system prompt where there is one."""
        if system is not None:
            self.opening = [{"role": "system", "content": system}]
        self.messages = list(self.opening)


@dataclass(slots=True)
class _Answer:
    """As much of one as has come: what the model said, and that with its calls, faults and sources."""

    said: str = ""
    shown: str = ""
    last: str = ""
    """The kind of the last piece."""

    def add(self, kind: str, text: str) -> None:
        self.last = kind
        self.said += text if kind == "content" else ""
        self.shown += text if kind == "content" else ""
        self.shown += f"\n{kind}: {text}" if kind in _ON_A_LINE else ""


def talk(speakers: Sequence[Speaker], manner: Manner, *, system: str | None, prompt: str) -> None:
    """Answer `prompt` once, or else what comes from stdin until it ends.

    In a terminal the lines are turns of one conversation. Of a pipe each line is a conversation of its own,
    so that no answer depends on the lines before it, and a blank line is answered by a blank line, so that
    answers of one line stand where their questions do; an empty line follows an answer of several lines.
    Commands, and lines that end with a backslash, are the same in both; a mistake ends a pipe alone.
    With `system` None a tuned model is asked with the system prompt that it was trained with, with an empty
    one without any. Each of two speakers has a conversation of its own, with the same questions."""
    conversations = [_Conversation.of(speaker, system) for speaker in speakers]
    if prompt:
        _ask(conversations, prompt, manner)
    elif sys.stdin.isatty():
        _converse(conversations, manner)
    else:
        _answer_lines(conversations, manner)


def _answer_lines(conversations: Sequence[_Conversation], manner: Manner) -> None:
    rows: _Rows = []
    for number, line in _turns():
        try:
            _check_text(line)
            if line.startswith("/"):
                sys.stderr.write(_obey(conversations, line.strip(), rows))
                continue
        except DataError as error:
            raise DataError(f"stdin, line {number}: {error}", hint=error.hint) from None
        for each in conversations:
            each.begin()
        if not line.strip() or "\n" in _ask(conversations, line, manner):
            sys.stdout.write("\n")
            sys.stdout.flush()
        rows += _rows_of_talk(conversations) if line.strip() else []


def _check_text(line: str) -> None:
    """Raise DataError for bytes that are no text, which come as lone surrogates."""
    wrong = next((ord(each) - 0xDC00 for each in line if "\udc80" <= each <= "\udcff"), None)
    if wrong is not None:
        raise DataError(f"byte 0x{wrong:02x} is no UTF-8", hint="iconv -t UTF-8 makes it so")


def _converse(conversations: Sequence[_Conversation], manner: Manner) -> None:
    names = " and ".join(each.speaker.name for each in conversations)
    sys.stderr.write(f"{names}: say something; /help shows the commands, Ctrl-D ends\n")
    for _, line in _turns(prompt="> "):
        try:
            _check_text(line)
            if line.startswith("/"):
                sys.stderr.write(_obey(conversations, line.strip(), _rows_of_talk(conversations)))
            elif line.strip():
                _ask_again(conversations, line, manner)
        except FinewrightError as error:
            sys.stderr.write(f"{error}\n")
        except KeyboardInterrupt:  # a second one, before the first was acted on
            sys.stderr.write(_DROPPED)


def _ask_again(conversations: Sequence[_Conversation], line: str, manner: Manner) -> None:
    """`_ask`; a question that cannot be answered is as if it had not been asked.

    Ctrl-C cuts an answer at once, also where nothing of it has come, and asks nobody else. What was said is
    kept where each said something: of two, one with a question that has no answer could not go on."""
    answers = [_Answer() for _ in conversations]
    try:
        _hear(conversations, line, manner, answers)
        cut = ""
    except KeyboardInterrupt:
        cut = "cut\n"
    with _ignore_interrupts():
        _show_end(conversations, answers)
        if not cut or all(each.said for each in answers):
            _remember(conversations, line, answers)
        else:
            cut = _DROPPED
        sys.stderr.write(cut)


@contextmanager
def _ignore_interrupts() -> Iterator[None]:
    """Ctrl-C does nothing meanwhile, so that what is kept and what is said of it are the same."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _system(conversation: _Conversation) -> str:
    prompt = conversation.opening[0]["content"] if conversation.opening else ""
    return f"{prompt or 'no system prompt'}\n"


def _obey(conversations: Sequence[_Conversation], line: str, rows: _Rows) -> str:
    """Do what a line that begins with / says, to save these rows; what is to be shown. Raises
    FinewrightError."""
    command, _, rest = line.partition(" ")
    rest = rest.strip()
    if command == "/help":
        return _HELP
    if command == "/history":
        return "".join(map(_history, conversations))
    if command == "/save" and rest:
        return _save(rows, Path(rest).expanduser())
    if command == "/system" and not rest:
        return "".join(dict.fromkeys(map(_system, conversations)))
    if command in ("/reset", "/system"):
        for each in conversations:
            each.begin(rest or None)
        return "a new conversation\n"
    if command == "/save":
        raise DataError("/save: it lacks its file", hint="/save FILE")
    raise DataError(
        f"{command}: there is no such command",
        hint=f"{_COMMANDS}; before a question that begins with / write a space",
    )


def _history(conversation: _Conversation) -> str:
    lines = [f"{row['role']}: {_harmless(row['content'])}\n" for row in conversation.messages]
    return "".join([f"{conversation.speaker.name}\n", *lines, "\n"])


def _rows_of_talk(conversations: Sequence[_Conversation]) -> _Rows:
    return [{"messages": list(each.messages), "model": each.speaker.name} for each in conversations]


def _save(rows: _Rows, path: Path) -> str:
    if path.exists():
        raise DataError(f"{path}: there is such a file already")
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_bytes(path, text.encode())
    return f"saved to {path}\n"


def _turns(prompt: str = "") -> Iterator[tuple[int, str]]:
    """What comes with the number of its last line, lines that end with a backslash with those after them."""
    begun: list[str] = []
    number = 0
    for number, line in enumerate(_lines(prompt), start=1):
        if line is None:
            begun = []
            continue
        begun.append(line.removesuffix("\\"))
        if not line.endswith("\\"):
            yield number, "\n".join(begun)
            begun = []
    if begun:
        yield number, "\n".join(begun)


def _lines(prompt: str) -> Iterator[str | None]:
    """The lines that come, each asked for with `prompt`; arrows recall earlier ones. None where Ctrl-C drops
    those that were begun."""
    if prompt and sys.stdin is sys.__stdin__:
        import readline  # noqa: F401 - input() lets lines be edited once it is there
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    while True:
        try:
            line = _line(prompt)
        except KeyboardInterrupt:
            if not prompt:
                raise
            sys.stderr.write("\nCtrl-D ends\n")
            yield None
            continue
        if line is None:
            return
        yield line.rstrip("\r\n")


def _line(prompt: str) -> str | None:
    if prompt and sys.stdin is sys.__stdin__ and sys.stdout.isatty():
        try:
            return input(prompt)
        except EOFError:
            return None
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return sys.stdin.readline() or None


def _ask(conversations: Sequence[_Conversation], line: str, manner: Manner) -> str:
    """Ask all of them, show the answers, and remember them; the answers as one text."""
    answers = [_Answer() for _ in conversations]
    _hear(conversations, line, manner, answers)
    _show_end(conversations, answers)
    _remember(conversations, line, answers)
    return "\n".join(each.said for each in answers)


def _hear(
    conversations: Sequence[_Conversation], line: str, manner: Manner, answers: Sequence[_Answer]
) -> None:
    """Ask one after the other, and add to the answers what comes. The only one is shown while it comes."""
    question = {"role": "user", "content": line}
    for conversation, answer in zip(conversations, answers, strict=True):
        for kind, text in conversation.speaker.answer([*conversation.messages, question], manner):
            if len(answers) == 1:
                _show_piece(kind, text, after=answer.last)
            answer.add(kind, text)


def _show_end(conversations: Sequence[_Conversation], answers: Sequence[_Answer]) -> None:
    """The end of the only one's last line; of several all that has come, side by side."""
    if len(answers) == 1:
        _show(answers[0].last, "\n")
    else:
        names = [each.speaker.name for each in conversations]
        texts = [each.shown for each in answers]
        _show("content", beside(names, texts, shutil.get_terminal_size().columns))


def _remember(
    conversations: Sequence[_Conversation], line: str, answers: Sequence[_Answer]
) -> None:
    for conversation, answer in zip(conversations, answers, strict=True):
        said = {"role": "assistant", "content": answer.said}
        conversation.messages += [{"role": "user", "content": line}, said]


def beside(names: Sequence[str], texts: Sequence[str], width: int) -> str:
    """The texts in columns under their names, of which a long one takes several lines."""
    each = max((width - 3 * (len(names) - 1)) // len(names), _NARROWEST)
    heads = [textwrap.wrap(name, each) or [""] for name in names]
    height = max(map(len, heads))
    columns = [
        [*head, *[""] * (height - len(head)), "-" * max(map(len, head)), *_wrap_lines(text, each)]
        for head, text in zip(heads, texts, strict=True)
    ]
    rows = zip_longest(*columns, fillvalue="")
    return "".join(" | ".join(c.ljust(each) for c in row).rstrip() + "\n" for row in rows)


def _wrap_lines(text: str, width: int) -> Iterator[str]:
    for line in text.splitlines():
        yield from textwrap.wrap(line, width, drop_whitespace=False) or [""]


def _show_piece(kind: str, text: str, *, after: str) -> None:
    """A piece as it comes, after one of that kind.

    Thoughts are shown in a terminal alone, dimmed; each call and source stands on a line of its own."""
    if after and (kind != after or kind in _ON_A_LINE):
        _stream_of(after).write("\n")
    if kind == "thoughts" and sys.stderr.isatty():
        sys.stderr.write(_DIMMED.format(_harmless(text)))
        sys.stderr.flush()
    elif kind != "thoughts":
        _show(kind, text)


def _harmless(text: str) -> str:
    """Without the characters by which a text moves a terminal's cursor, or makes it do more."""
    return _CONTROLS.sub("", text)


def _show(kind: str, text: str) -> None:
    stream = _stream_of(kind)
    stream.write(_harmless(text) if stream.isatty() else text)
    stream.flush()


def _stream_of(kind: str) -> TextIO:
    """Where a piece of an answer is written: what is said and called is the command's output."""
    if kind == "thoughts":
        return sys.stderr if sys.stderr.isatty() else io.StringIO()
    return sys.stderr if kind in ("fault", "source", "guard") else sys.stdout
