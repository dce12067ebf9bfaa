"""Answers of several messages, each with a header: gpt-oss's channels, and Muse's recipients.

<|channel|>analysis<|message|>thoughts<|end|><|start|>assistant<|channel|>final<|message|>content
<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{"city": "Paris"}<|call|>"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from finewright.judge.answer import Answer, Call
from finewright.judge.json_text import json_at
from finewright.lm.answers.calls import (
    ArgumentTypes,
    CallSyntax,
    call_of,
    unreadable,
)

_START, _MESSAGE = "<|start|>", "<|message|>"
_END = re.compile(r"<\|(?:end|call|return|eom|eot)\|>")
_TO = re.compile(r"(?:^|\s)to=(?P<to>[^\s<]+)")
_CHANNEL = re.compile(r"<\|channel\|>\s*(?P<channel>\w+)")


class Message(NamedTuple):
    """One message: its channel, to whom it is, what it says, and whether its end was written."""

    channel: str
    to: str
    body: str
    is_closed: bool


@dataclass(frozen=True, slots=True)
class Channels:
    """Reads messages. `calls` reads those to tools where they are more than JSON arguments."""

    calls: CallSyntax | None = None

    marks: tuple[str, ...] = (
        *("<|start|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|end|>"),
        *("<|call|>", "<|return|>", "<|eom|>", "<|eot|>"),
    )

    def read(self, text: str, prompt: str, types: ArgumentTypes, *, is_whole: bool) -> Answer:
        """The answer that continues the prompt, whose end may open a message. Of one that is not whole,
        what is said so far counts."""
        said, thoughts, calls, fault = [], [], [], ""
        *_, opened = prompt.rpartition(f"{_START}assistant")
        for message in _messages(opened + text):
            if self._is_thought(message):
                thoughts.append(message.body.strip())
                if not message.is_closed:
                    fault = "a thought that never closes"
            elif self._tool(message):
                found = self._call(message, types)
                calls += [found] if found else []
                fault = fault if found else unreadable(message.body)
            else:
                said.append(message.body)
        if not any((said, thoughts, calls, fault)) and text.strip():
            fault = "an answer outside of all channels"
        content = "\n".join(filter(None, said))
        return Answer(content, "\n\n".join(thoughts), tuple(calls), fault=fault if is_whole else "")

    def _is_thought(self, message: Message) -> bool:
        return message.to == "self" or (message.channel == "analysis" and not message.to)

    def _tool(self, message: Message) -> str:
        to = "" if message.to in ("user", "self", "all") else message.to
        return to.removeprefix("functions.")

    def _call(self, message: Message, types: ArgumentTypes) -> Call | None:
        if self.calls is not None:
            read = self.calls.read(message.body, types)
            return read.calls[0] if len(read.calls) == 1 and not read.content else None
        found = json_at(message.body, 0)
        if found is None or message.body[found.end :].strip():
            return None
        return call_of(self._tool(message), found.value)


def _messages(text: str) -> Iterator[Message]:
    """The messages that have begun; a header that has not ended is none yet."""
    for part in text.split(_START):
        header, mark, rest = part.partition(_MESSAGE)
        if not mark:
            continue
        body, *after = _END.split(rest, maxsplit=1)
        header = header.removeprefix("assistant")
        channel, to = _CHANNEL.search(header), _TO.search(_CHANNEL.sub(" ", header))
        yield Message(
            channel["channel"] if channel else "", to["to"] if to else "", body, bool(after)
        )
