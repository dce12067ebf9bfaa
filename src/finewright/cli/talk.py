"""A conversation on the terminal, with one model or with two side by side."""

import io
import json
import shutil
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TextIO

from finewright.errors import DataError, FinewrightError, Interrupted
from finewright.store.atomic import write_bytes
from finewright.workbench.chat import Manner
from finewright.workbench.signals import stop_requests
from finewright.workbench.speakers import Speaker

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
_BY_CTRL_C = 128 + signal.SIGINT
_ON_A_LINE = frozenset({"call", "fault", "source"})
"""Pieces that stand on a line of their own."""


@dataclass(slots=True)
class _Conversation:
    """With one speaker; `opening` are the messages that it begins with."""

    speaker: Speaker
    opening: list[dict[str, str]]
    messages: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, speaker: Speaker, system: str) -> "_Conversation":
        prompt = system or speaker.system_prompt
        opening = [{"role": "system", "content": prompt}] if prompt else []
        return cls(speaker, opening, list(opening))

    def begin(self, system: str | None = None) -> None:
        """Anew, with another system prompt where there is one."""
        if system is not None:
            self.opening = [{"role": "system", "content": system}]
        self.messages = list(self.opening)


def talk(speakers: Sequence[Speaker], manner: Manner, *, system: str, prompt: str) -> None:
    """Answer `prompt` once, or else what comes from stdin until it ends.

    In a terminal the lines are turns of one conversation. Of a pipe each line is a conversation of its own,
    so that no answer depends on the lines before it, and a blank line is answered by a blank line, so that
    answers of one line stand where their questions do; an empty line follows an answer of several lines.
    Commands, and lines that end with a backslash, are the same in both; a mistake ends a pipe alone.
    Without `system`, a tuned model is asked with the system prompt that it was trained with. Each of two
    speakers has a conversation of its own, with the same questions."""
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
        rows += _rows(conversations) if line.strip() else []


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
                sys.stderr.write(_obey(conversations, line.strip(), _rows(conversations)))
            elif line.strip():
                _ask_again(conversations, line, manner)
        except Interrupted:
            raise
        except FinewrightError as error:
            sys.stderr.write(f"{error}\n")


def _ask_again(conversations: Sequence[_Conversation], line: str, manner: Manner) -> None:
    """`_ask`; a question that cannot be answered is as if it had not been asked.

    Ctrl-C cuts an answer, of which what was said is kept; a second one does not wait for the next piece."""
    before = [len(each.messages) for each in conversations]
    is_kept = False
    try:
        with stop_requests("cut") as stop:
            _ask(conversations, line, manner, stop)
        is_kept = True
    except (Interrupted, KeyboardInterrupt) as cut:
        if isinstance(cut, Interrupted) and cut.exit_code != _BY_CTRL_C:
            raise
        last = [each.messages[-1] for each in conversations]
        is_kept = all(each["role"] == "assistant" and each["content"] for each in last)
        sys.stderr.write("cut\n" if is_kept else "cut: as if it had not been asked\n")
    finally:
        if not is_kept:
            for each, count in zip(conversations, before, strict=True):
                del each.messages[count:]


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
    lines = [f"{row['role']}: {row['content']}\n" for row in conversation.messages]
    return "".join([f"{conversation.speaker.name}\n", *lines, "\n"])


def _rows(conversations: Sequence[_Conversation]) -> _Rows:
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


def _ask(
    conversations: Sequence[_Conversation],
    line: str,
    manner: Manner,
    stop: Callable[[], int] = lambda: 0,
) -> str:
    """Ask all of them, show the answers, and remember them, each up to the piece after which somebody asked
    to stop; the answers as one text."""
    for each in conversations:
        each.messages.append({"role": "user", "content": line})
    is_alone = len(conversations) == 1
    answers = [_said(each, manner, stop, is_shown=is_alone) for each in conversations]
    for each, said in zip(conversations, answers, strict=True):
        each.messages.append({"role": "assistant", "content": said})
    if not is_alone:
        names = [each.speaker.name for each in conversations]
        sys.stdout.write(beside(names, answers, shutil.get_terminal_size().columns))
        sys.stdout.flush()
    return "\n".join(answers)


def beside(names: Sequence[str], texts: Sequence[str], width: int) -> str:
    """The texts in columns under their names, of which a long one takes several lines."""
    each = max((width - 3 * (len(names) - 1)) // len(names), _NARROWEST)
    heads = [textwrap.wrap(name, each) or [""] for name in names]
    height = max(map(len, heads))
    columns = [
        [*head, *[""] * (height - len(head)), "-" * max(map(len, head)), *_wrapped(text, each)]
        for head, text in zip(heads, texts, strict=True)
    ]
    rows = zip_longest(*columns, fillvalue="")
    return "".join(" | ".join(c.ljust(each) for c in row).rstrip() + "\n" for row in rows)


def _wrapped(text: str, width: int) -> Iterator[str]:
    for line in text.splitlines():
        yield from textwrap.wrap(line, width, drop_whitespace=False) or [""]


def _said(
    conversation: _Conversation, manner: Manner, stop: Callable[[], int], *, is_shown: bool
) -> str:
    """The next answer, what is said in it after the thoughts; `is_shown` while it comes.

    Thoughts are shown in a terminal alone, dimmed; each call and source stands on a line of its own."""
    content, last = [], ""
    for kind, text in conversation.speaker.answer(conversation.messages, manner):
        if stop():
            break
        content += [text] if kind == "content" else []
        if not is_shown:
            content += [f"\n{kind}: {text}"] if kind in _ON_A_LINE else []
            continue
        if last and (kind != last or kind in _ON_A_LINE):
            _stream_of(last).write("\n")
        _show(kind, _DIMMED.format(text) if kind == "thoughts" else text)
        last = kind
    if is_shown:
        _show(last, "\n")
    return "".join(content)


def _show(kind: str, text: str) -> None:
    stream = _stream_of(kind)
    stream.write(text)
    stream.flush()


def _stream_of(kind: str) -> TextIO:
    """Where a piece of an answer is written: what is said and called is the command's output."""
    if kind == "thoughts":
        return sys.stderr if sys.stderr.isatty() else io.StringIO()
    return sys.stderr if kind in ("fault", "source") else sys.stdout
