"""A conversation on the terminal."""

import io
import sys
from collections.abc import Iterator
from typing import TextIO

from finewright.compare.models import LoadedModel
from finewright.workbench.chat import Manner, answer

_DIMMED = "\x1b[2m{}\x1b[0m"
_RESET = "/reset"
_HELP = f"{_RESET} begins a new conversation, Ctrl-D ends"


def talk(model: LoadedModel, manner: Manner, *, system: str, prompt: str) -> None:
    """Answer `prompt` once, or else what comes from stdin until it ends.

    In a terminal the lines are turns of one conversation. Of a pipe each line is a conversation of its own,
    so that no answer depends on the lines before it, and a blank line is answered by a blank line, so that
    answers of one line stand where their questions do; an empty line follows an answer of several lines.
    Without `system`, a tuned model is asked with the system prompt that it was trained with."""
    system_prompt = system or model.system_prompt
    opening = [{"role": "system", "content": system_prompt}] if system_prompt else []
    if prompt:
        _say(model, [*opening, {"role": "user", "content": prompt}], manner)
    elif sys.stdin.isatty():
        _converse(model, opening, manner)
    else:
        for line in _lines():
            messages = [*opening, {"role": "user", "content": line}]
            if not line.strip() or "\n" in _say(model, messages, manner):
                sys.stdout.write("\n")
                sys.stdout.flush()


def _converse(model: LoadedModel, opening: list[dict[str, str]], manner: Manner) -> None:
    sys.stderr.write(f"{model.name}: say something; {_HELP}\n")
    messages = list(opening)
    for line in _lines(prompt="> "):
        if line.strip() == _RESET:
            messages = list(opening)
            sys.stderr.write("a new conversation\n")
        elif line.strip() == "/help":
            sys.stderr.write(f"{_HELP}\n")
        elif line.strip():
            messages.append({"role": "user", "content": line})
            messages.append({"role": "assistant", "content": _say(model, messages, manner)})


def _lines(prompt: str = "") -> Iterator[str]:
    """The lines that come, each asked for with `prompt`."""
    while True:
        sys.stderr.write(prompt)
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            return
        # bytes that are no text come as lone surrogates, which no tokenizer takes
        yield line.rstrip("\n").encode("utf-8", "replace").decode("utf-8")


def _say(model: LoadedModel, messages: list[dict[str, str]], manner: Manner) -> str:
    """Show the answer, and return what is said in it after the thoughts.

    Thoughts are shown in a terminal alone, dimmed; each call stands on a line of its own."""
    content, last = [], ""
    for kind, text in answer(model, messages, manner):
        if last and (kind != last or kind == "call"):
            _stream_of(last).write("\n")
        _stream_of(kind).write(_DIMMED.format(text) if kind == "thoughts" else text)
        _stream_of(kind).flush()
        content += [text] if kind == "content" else []
        last = kind
    _stream_of(last).write("\n")
    _stream_of(last).flush()
    return "".join(content)


def _stream_of(kind: str) -> TextIO:
    """Where a piece of an answer is written: what is said and called is the command's output."""
    if kind == "thoughts":
        return sys.stderr if sys.stderr.isatty() else io.StringIO()
    return sys.stderr if kind == "fault" else sys.stdout
