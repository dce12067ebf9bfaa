"""A conversation on the terminal."""

import sys
from collections.abc import Iterator

from finewright.workbench.chat import Manner, answer
from finewright.workbench.systems import System


def talk(model: System, manner: Manner, *, system: str, prompt: str) -> None:
    """Answer `prompt` once, or else line after line from stdin until it ends.

    Without `system`, a tuned model is asked with the system prompt that it was trained with."""
    asked_with = system or model.system_prompt
    messages = [{"role": "system", "content": asked_with}] if asked_with else []
    if prompt:
        _say(model, [*messages, {"role": "user", "content": prompt}], manner)
        return
    if sys.stdin.isatty():
        sys.stderr.write(f"{model.name}: say something; Ctrl-D ends\n")
    for line in _lines():
        messages.append({"role": "user", "content": line})
        messages.append({"role": "assistant", "content": _say(model, messages, manner)})


def _lines() -> Iterator[str]:
    while True:
        if sys.stdin.isatty():
            sys.stderr.write("> ")
            sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.rstrip("\n")


def _say(model: System, messages: list[dict[str, str]], manner: Manner) -> str:
    pieces = []
    for piece in answer(model, messages, manner):
        sys.stdout.write(piece)
        sys.stdout.flush()
        pieces.append(piece)
    sys.stdout.write("\n")
    return "".join(pieces)
