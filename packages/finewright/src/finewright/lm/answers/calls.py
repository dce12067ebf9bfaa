"""Calls of tools as templates write them, read back into values: those whose arguments are JSON.

A syntax never guesses: what has its marks and cannot be read is a fault, and no part of the answer."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from finewright.judge.answer import Call
from finewright.judge.json_text import json_at

ArgumentTypes = Mapping[str, Mapping[str, frozenset[str]]]
"""tool -> argument -> the JSON types that its schema allows."""

_SHOWN = 60


class CallsRead(NamedTuple):
    """What an answer says beside its calls, the calls, and what could not be read of them."""

    content: str
    calls: tuple[Call, ...] = ()
    fault: str = ""


class CallSyntax(Protocol):
    """How calls are written. `marks` begin one; without any, a whole answer is a call or is not."""

    @property
    def marks(self) -> tuple[str, ...]:
        """What begins a call."""

    def read(self, text: str, types: ArgumentTypes) -> CallsRead:
        """The calls in a text."""


@dataclass(frozen=True, slots=True)
class JsonCalls:
    """Objects of name and arguments between marks, one or a list of them: Hermes and Qwen, Mistral's first
    form, Granite, Phi-4-mini, Cohere. With no marks the whole answer is one, as Llama 3 has it."""

    open: str
    close: str = ""
    name: str = "name"
    arguments: str = "arguments"

    @property
    def marks(self) -> tuple[str, ...]:
        """What begins a call."""
        return (self.open,) if self.open else ()

    def read(self, text: str, types: ArgumentTypes) -> CallsRead:
        """The calls in a text; what stands beside a bare one makes it text."""
        if self.open:
            return collect_calls(text, self._blocks(text))
        found = json_at(text, 0)
        is_call = found is not None and isinstance(found.value, dict)
        if found is None or not is_call or not {self.name, self.arguments} <= found.value.keys():
            return CallsRead(text)
        return collect_calls(text, iter([self._block(text, 0, 0)]))

    def _blocks(self, text: str) -> Iterator["Block"]:
        start = text.find(self.open)
        while start >= 0:
            block = self._block(text, start, start + len(self.open))
            yield block
            start = text.find(self.open, block.end)

    def _block(self, text: str, start: int, begin: int) -> "Block":
        found = json_at(text, begin)
        if found is None:
            return Block(start, _after(text, self.close, begin), None)
        end = len(text) - len(text[found.end :].lstrip())
        if self.close and text.startswith(self.close, end):
            end += len(self.close)
        listed = found.value if isinstance(found.value, list) else [found.value]
        return Block(start, end, _all_or_none(map(self._call, listed)))

    def _call(self, value: object) -> Call | None:
        if not isinstance(value, dict) or not isinstance(value.get(self.name), str):
            return None
        return call_of(value[self.name], value.get(self.arguments, {}))


@dataclass(frozen=True, slots=True)
class NamedCalls:
    """A name, then the arguments as JSON: DeepSeek, Mistral since Small 3.1, Kimi.

    `head` finds a call's beginning through the name, `tail` what ends it, `around` what stands around all."""

    marks: tuple[str, ...]
    head: re.Pattern[str]
    tail: re.Pattern[str]
    around: tuple[str, ...] = ()

    def read(self, text: str, types: ArgumentTypes) -> CallsRead:
        """The calls in a text."""
        blocks = list(self._blocks(text))
        if blocks:
            # blocks are places in the text, so what stands around goes from what is left of it
            read = collect_calls(text, iter(blocks))
            content = read.content
            for mark in self.around:
                content = content.replace(mark, "")
            return read._replace(content=content.strip())
        return CallsRead(text)

    def _blocks(self, text: str) -> Iterator["Block"]:
        at = 0
        while head := self.head.search(text, at):
            found = json_at(text, head.end())
            tail = self.tail.match(text, found.end) if found else None
            if found is None or tail is None:
                again = self.head.search(text, head.end())
                yield Block(head.start(), again.start() if again else len(text), None)
                at = again.start() if again else len(text)
            else:
                yield Block(
                    head.start(), tail.end(), _all_or_none([call_of(head["name"], found.value)])
                )
                at = tail.end()


class Block(NamedTuple):
    """The characters [start, end) of an answer that call tools; `calls` are None if they cannot be read."""

    start: int
    end: int
    calls: Sequence[Call] | None


def collect_calls(text: str, blocks: Iterator[Block]) -> CallsRead:
    """The text without the blocks, and what they hold. Where there are some, the text is stripped."""
    said: list[str] = []
    calls: list[Call] = []
    fault, at = "", 0
    for block in blocks:
        said.append(text[at : block.start])
        if block.calls is None:
            fault = fault or unreadable(text[block.start : block.end])
        else:
            calls += block.calls
        at = block.end
    content = "".join([*said, text[at:]])
    return CallsRead(content.strip() if said else content, tuple(calls), fault)


def unreadable(text: str) -> str:
    """The fault of a call that cannot be read."""
    return f"a call that cannot be read: {' '.join(text.split())[:_SHOWN]}"


def call_of(name: str, arguments: object) -> Call | None:
    """A call, or None where the arguments are no object, nor JSON text of one."""
    if isinstance(arguments, str):
        found = json_at(arguments, 0)
        arguments = found.value if found and not arguments[found.end :].strip() else None
    return Call(name, arguments) if name and isinstance(arguments, dict) else None


def _all_or_none(calls: Iterable[Call | None]) -> list[Call] | None:
    every = list(calls)
    sound = [call for call in every if call is not None]
    return sound if sound and len(sound) == len(every) else None


def _after(text: str, mark: str, start: int) -> int:
    """The place after the mark, or the text's end."""
    at = text.find(mark, start) if mark else -1
    return len(text) if at < 0 else at + len(mark)
