"""The syntaxes of calls and the marks of thoughts that models are known to write.

Calls whose arguments are literals of neither JSON nor text: Python's (LFM2, Llama 4) and Gemma 4's."""

# ruff: noqa: RUF001 - DeepSeek writes its marks with a wide bar
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from finewright.judge.answer import THINK, Call, MarkPair
from finewright.lm.answers.calls import (
    ArgumentTypes,
    Block,
    CallsRead,
    CallSyntax,
    JsonCalls,
    NamedCalls,
    collect_calls,
)
from finewright.lm.answers.channels import Channels
from finewright.lm.answers.tagged import TaggedCalls

_NAME = re.compile(r"[^\s()\[\]{}=:,'\"<>]+")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_CLOSING = re.compile(r".\s*(?:[,)\]}:=]|\Z)")
_BLANKS = re.compile(r"\s*")
_WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_GEMMA_QUOTE = '<|"|>'


@dataclass(frozen=True, slots=True)
class PythonCalls:
    """`[name(key='text', other=4), name()]` between marks, or, without any, as the whole answer."""

    open: str = ""
    close: str = ""

    @property
    def marks(self) -> tuple[str, ...]:
        """What begins a call."""
        return (self.open,) if self.open else ()

    def read(self, text: str, types: ArgumentTypes) -> CallsRead:
        """The calls in a text; what stands beside bare ones makes them text."""
        if self.open:
            return collect_calls(text, _blocks(text, self.open, self.close, Literals.python_calls))
        try:
            literals = Literals(text.strip())
            calls = literals.python_calls()
        except (ValueError, RecursionError):
            return CallsRead(text)
        return CallsRead("", tuple(calls)) if literals.is_done else CallsRead(text)


@dataclass(frozen=True, slots=True)
class GemmaCalls:
    """`call:name{key:<|"|>text<|"|>,other:4}` between marks."""

    open: str
    close: str

    @property
    def marks(self) -> tuple[str, ...]:
        """What begins a call."""
        return (self.open, self.close, _GEMMA_QUOTE)

    def read(self, text: str, types: ArgumentTypes) -> CallsRead:
        """The calls in a text."""
        return collect_calls(text, _blocks(text, self.open, self.close, Literals.gemma_calls))


def _blocks(text: str, open_: str, close: str, read: Any) -> Iterator[Block]:
    # Any: a method of Literals, unbound
    start = text.find(open_)
    while start >= 0:
        literals = Literals(text, start + len(open_))
        try:
            calls = read(literals)
            literals.expect(close)
            block = Block(start, literals.at, calls)
        except (ValueError, RecursionError):
            at = text.find(close, start)
            block = Block(start, len(text) if at < 0 else at + len(close), None)
        yield block
        start = text.find(open_, block.end)


@dataclass(slots=True)
class Literals:
    """A text that is read from a place on. All raise ValueError where it reads otherwise."""

    text: str
    at: int = 0

    @property
    def is_done(self) -> bool:
        """Whether nothing is left but blanks."""
        return not self.text[self.at :].strip()

    def python_calls(self) -> Sequence[Call]:
        """A list of calls in Python's syntax, at least one."""
        self.expect("[")
        calls = [self._python_call()]
        while self._skips(","):
            calls.append(self._python_call())
        self.expect("]")
        return calls

    def gemma_calls(self) -> Sequence[Call]:
        """The one call in Gemma's syntax."""
        self.expect("call:")
        name = self._name()
        return [Call(name, self.value())]

    def value(self) -> Any:  # Any: free JSON
        """A literal: text in any of the quotes, number, true, null, list, or object."""
        self.at = self._next()
        if self._skips("{"):
            return self._object()
        if self._skips("["):
            return self._list()
        for quote in (_GEMMA_QUOTE, '"', "'"):
            if self._skips(quote):
                return self._string(quote)
        if number := _NUMBER.match(self.text, self.at):
            self.at = number.end()
            return _parse_literal_number(number[0])
        word = self._name()
        if word not in _WORDS:
            raise ValueError(f"{word!r} is no literal")
        return _WORDS[word]

    def expect(self, mark: str) -> None:
        """Go past the mark, and blanks before it."""
        if not self._skips(mark):
            raise ValueError(f"{mark!r} is missing")

    def _python_call(self) -> Call:
        name = self._name()
        self.expect("(")
        arguments: dict[str, Any] = {}
        while not self._skips(")"):
            if arguments:
                self.expect(",")
            self._put(arguments, self._name(), "=")
        return Call(name, arguments)

    def _object(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not self._skips("}"):
            if found:
                self.expect(",")
            self._put(found, self._key(), ":")
        return found

    def _put(self, into: dict[str, Any], key: str, sign: str) -> None:
        self.expect(sign)
        if key in into:
            raise ValueError(f"{key!r} stands twice")
        into[key] = self.value()

    def _key(self) -> str:
        for quote in (_GEMMA_QUOTE, '"', "'"):
            if self._skips(quote):
                return self._string(quote)
        return self._name()

    def _list(self) -> list[Any]:
        found: list[Any] = []
        while not self._skips("]"):
            if found:
                self.expect(",")
            found.append(self.value())
        return found

    def _string(self, quote: str) -> str:
        if quote == _GEMMA_QUOTE:
            start, end = self.at, self.text.index(quote, self.at)
            self.at = end + len(quote)
            return self.text[start:end]
        said: list[str] = []
        while self.at < len(self.text) and not self._closes(quote):
            if self.text[self.at] == "\\":
                said.append(self._read_escape())
            else:
                said.append(self.text[self.at])
                self.at += 1
        self.expect(quote)
        # two escapes that are one character, as JSON writes those beyond 16 bits
        return "".join(said).encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _closes(self, quote: str) -> bool:
        """Whether the next character is the string's last. LFM 2.5's template writes quotes within without
        escape."""
        return self.text[self.at] == quote and _CLOSING.match(self.text, self.at) is not None

    def _read_escape(self) -> str:
        code = self.text[self.at + 1 : self.at + 2]
        if code == "u":
            digits = self.text[self.at + 2 : self.at + 6]
            self.at += 6
            return chr(int(digits, 16))
        self.at += 2
        return _ESCAPED.get(code, code)

    def _name(self) -> str:
        self.at = self._next()
        found = _NAME.match(self.text, self.at)
        if found is None:
            raise ValueError("a name is missing")
        self.at = found.end()
        return found[0]

    def _skips(self, mark: str) -> bool:
        """Go past the mark if it is next, after blanks."""
        place = self._next()
        if not self.text.startswith(mark, place):
            return False
        self.at = place + len(mark)
        return True

    def _next(self) -> int:
        """The place after blanks."""
        found = _BLANKS.match(self.text, self.at)
        return found.end() if found else self.at


def _parse_literal_number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)


THOUGHTS: tuple[MarkPair, ...] = (
    THINK,
    MarkPair("[THINK]", "[/THINK]"),
    MarkPair("<|channel>thought", "<channel|>"),
    MarkPair("<|START_THINKING|>", "<|END_THINKING|>"),
    MarkPair("<seed:think>", "</seed:think>"),
    MarkPair("◁think▷", "◁/think▷"),
)

_QWEN_CODER = TaggedCalls(
    marks=("<tool_call>", "<function="),
    block=re.compile(
        r"(?:<tool_call>\s*)?<function=(?P<name>[^>\n]+)>(?P<body>.*?)</function>\s*</tool_call>",
        re.DOTALL,
    ),
    argument=re.compile(
        r"<parameter=(?P<key>[^>\n]+)>\n?(?P<value>.*?)\n?</parameter>(?=\s*(?:<parameter=|\Z))",
        re.DOTALL,
    ),
)
_GLM = TaggedCalls(
    marks=("<tool_call>",),
    block=re.compile(
        r"<tool_call>\s*(?P<name>[\w.:-]+)\s*(?P<body>(?:<arg_key>.*?)?)\s*</tool_call>", re.DOTALL
    ),
    argument=re.compile(
        r"<arg_key>(?P<key>.*?)</arg_key>\s*<arg_value>(?P<value>.*?)</arg_value>"
        r"(?=\s*(?:<arg_key>|\Z))",
        re.DOTALL,
    ),
)
_INVOKE = TaggedCalls(
    marks=("invoke name=", "function_calls>", "<minimax:tool_call>"),
    block=re.compile(
        r'<(?P<space>[^<>/\s]*?)invoke name="(?P<name>[^"\n]+)">(?P<body>.*?)</(?P=space)invoke>',
        re.DOTALL,
    ),
    argument=re.compile(
        r'<(?P<space>[^<>/\s]*?)parameter name="(?P<key>[^"\n]+)"[^>\n]*>(?P<value>.*?)'
        r"</(?P=space)parameter>(?=\s*(?:<[^<>/\s]*?parameter name=|\Z))",
        re.DOTALL,
    ),
    around=re.compile(r"</?[^<>/\s]*(?:function_calls|tool_calls?)>"),
)
_MISTRAL_NAMED = NamedCalls(
    marks=("[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"),
    head=re.compile(
        r"\[TOOL_CALLS\]\s*(?P<name>[\w.:-]+)\s*(?:\[CALL_ID\][^\[]*)?(?:\[ARGS\]|(?=\{))"
    ),
    tail=re.compile(r"\s*"),
)
_DEEPSEEK = NamedCalls(
    marks=("<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>"),
    head=re.compile(r"<｜tool▁call▁begin｜>(?:function<｜tool▁sep｜>(?P<name>[^\n<]+)\n```json\n)"),
    tail=re.compile(r"\s*```\s*<｜tool▁call▁end｜>\s*"),
    around=("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"),
)
_DEEPSEEK_LATER = NamedCalls(
    marks=_DEEPSEEK.marks,
    head=re.compile(r"<｜tool▁call▁begin｜>(?P<name>[^\n<]+)<｜tool▁sep｜>"),
    tail=re.compile(r"\s*<｜tool▁call▁end｜>\s*"),
    around=_DEEPSEEK.around,
)
_KIMI = NamedCalls(
    marks=("<|tool_calls_section_begin|>", "<|tool_call_begin|>"),
    head=re.compile(
        r"<\|tool_call_begin\|>\s*(?:functions\.)?(?P<name>[^\n<:]+)(?::[0-9]+)?\s*"
        r"<\|tool_call_argument_begin\|>"
    ),
    tail=re.compile(r"\s*<\|tool_call_end\|>\s*"),
    around=("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
)

CALLS: tuple[CallSyntax, ...] = (
    JsonCalls("<tool_call>", "</tool_call>"),
    _QWEN_CODER,
    _GLM,
    _INVOKE,
    JsonCalls("[TOOL_CALLS]"),
    _MISTRAL_NAMED,
    _DEEPSEEK,
    _DEEPSEEK_LATER,
    _KIMI,
    GemmaCalls("<|tool_call>", "<tool_call|>"),
    PythonCalls("<|tool_call_start|>", "<|tool_call_end|>"),
    JsonCalls("<|tool_call|>", "<|/tool_call|>"),
    JsonCalls("<|START_ACTION|>", "<|END_ACTION|>", "tool_name", "parameters"),
    JsonCalls("", "", "name", "parameters"),
    JsonCalls(""),
    PythonCalls(),
)
"""Marked ones first: without marks, much reads as a call."""

CHANNELS: tuple[Channels, ...] = (Channels(), Channels(_INVOKE))
