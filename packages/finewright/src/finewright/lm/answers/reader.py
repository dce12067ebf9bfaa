"""What a chat's template makes of answers, found by asking it: no list of models, no guess.

A template is told a conversation whose answer calls tools with arguments of every JSON type; the syntax that
reads exactly these calls back from what the template wrote is the model's. Where none does, calls of that
model cannot be read, which `cannot_call` says; the answer's text is not scored in their place."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, NamedTuple

from transformers import PreTrainedTokenizerBase

from finewright.errors import DataError
from finewright.judge.answer import THINK, Answer, Call, MarkPair, has_open_thought, split_thoughts
from finewright.judge.json_text import json_at
from finewright.lm.answers.begun import BegunCall, CallForm, begun_calls
from finewright.lm.answers.calls import ArgumentTypes, CallsRead, CallSyntax, unreadable
from finewright.lm.answers.channels import Channels
from finewright.lm.answers.frames import find_frame, learn_call_syntax
from finewright.lm.answers.spelled import decode_with_marks, unbroken
from finewright.lm.answers.syntaxes import CALLS, CHANNELS, THOUGHTS
from finewright.lm.answers.tagged import argument_types
from finewright.lm.chat import Chat

Tools = Sequence[Mapping[str, Any]]  # Any: OpenAI's form

_UNMARKED = MarkPair("", "")
_SAID = "said-before-calls"
_QUESTION = {"role": "user", "content": "Which is the weather?"}
_SYSTEM = {"role": "system", "content": "Be brief."}
_TYPES = {"text": "string", "count": "integer", "share": "number", "is_open": "boolean"}
_SCHEMA = {
    **{key: {"type": name} for key, name in _TYPES.items()},
    "places": {"type": "array", "items": {}},
    "deep": {"type": "object"},
}
_PROBED: tuple[tuple[Call, ...], ...] = (
    (
        Call(
            "first_tool",
            {
                **{"text": "Paris, 4", "count": 4, "share": 0.5, "is_open": True},
                **{"places": ["a", 2], "deep": {"key": [1, None, False]}},
            },
        ),
    ),
    (Call("first_tool", {"text": "4"}), Call("second_tool", {"count": 4})),
)
_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "A tool.",
            "parameters": {"type": "object", "properties": _SCHEMA, "required": []},
        },
    }
    for name in ("first_tool", "second_tool")
]


@dataclass(frozen=True, slots=True)
class AnswerReader:
    """Reads generated text. `cannot_call` says why calls cannot be read, where they cannot; `form` is there
    where their arguments are written as one JSON object. `said` are the marks around a content."""

    thoughts: tuple[MarkPair, ...] = (THINK,)
    calls: CallSyntax | None = None
    channels: Channels | None = None
    cannot_call: str = ""
    dropped_ids: frozenset[int] = frozenset()
    form: CallForm | None = None
    said: MarkPair = _UNMARKED

    @property
    def marks(self) -> frozenset[str]:
        """What tokens must spell for an answer to be read, special or not."""
        if self.channels is not None:
            return frozenset(self.channels.marks)
        marks = frozenset(mark for pair in (*self.thoughts, self.said) for mark in pair if mark)
        return marks | frozenset(self.calls.marks if self.calls else ())

    def text(self, chat: Chat, ids: Sequence[int]) -> str:
        """Generated tokens as text, with the special ones that mark something.

        A mark that ordinary tokens spell is broken by `spelled.BREAK`, so that it marks nothing."""
        kept = [token for token in ids if token not in self.dropped_ids]
        foreign = self.marks if self.channels is not None else frozenset[str]()
        return decode_with_marks(chat.tokenizer, kept, self.marks, foreign)

    def read(
        self, text: str, prompt: str = "", tools: Tools | None = None, *, ended: bool = True
    ) -> Answer:
        """The answer that continues the prompt. Calls without marks of their own are read only where there
        are tools, and what looks like a call of theirs is text elsewhere."""
        return unbroken(self._read(text, prompt, tools, ended=ended))

    def _read(self, text: str, prompt: str, tools: Tools | None, *, ended: bool) -> Answer:
        types = argument_types(tools or ())
        if self.channels is not None:
            read = self.channels.read(text, prompt, types, is_whole=True)
            return Answer(read.content, read.thoughts, read.calls, ended, read.fault)
        thoughts, rest, fault = self._split_thoughts(text, prompt)
        if fault or self.calls is None or (tools is None and not self.calls.marks):
            return Answer(self._strip_frame(rest), thoughts, (), ended, fault)
        content, calls, fault = _read_calls(self.calls, rest, types)
        return Answer(self._strip_frame(content), thoughts, calls, ended, fault)

    def _strip_frame(self, text: str) -> str:
        """A content without what the template writes around it."""
        if self.said.open and text.lstrip().startswith(self.said.open):
            text = text.lstrip().removeprefix(self.said.open)
        if self.said.close and text.rstrip().endswith(self.said.close):
            text = text.rstrip().removesuffix(self.said.close)
        return text

    def so_far(self, text: str, prompt: str = "") -> Answer:
        """The thoughts and the content of an answer that goes on; what may yet become a mark is left out."""
        return unbroken(self._so_far(text, prompt))

    def calls_so_far(self, text: str, prompt: str = "") -> tuple[BegunCall, ...]:
        """The calls of an answer that goes on, the last of them as far as it is written; none where they have
        no marks, or arguments that are no JSON: then they are known at the end alone."""
        if self.form is None or self.calls is None or self.channels is not None:
            return ()
        rest, fault = self._split_thoughts(_unbegun(text, self.marks), prompt)[1:]
        return () if fault else begun_calls(self.form, self.calls.marks, rest)

    def _so_far(self, text: str, prompt: str) -> Answer:
        if self.channels is not None:
            return self.channels.read(_unbegun(text, self.marks), prompt, {}, is_whole=False)
        text = _unbegun(text, self.marks)
        thoughts, rest, fault = self._split_thoughts(text, prompt)
        if fault:
            opened = text.lstrip()
            for pair in self.thoughts:
                opened = opened.removeprefix(pair.open)
            return Answer("", opened.strip())
        rest = self._strip_frame(rest)
        ends = (*(self.calls.marks if self.calls else ()), self.said.close)
        starts = [rest.find(mark) for mark in ends if mark]
        return Answer(rest[: min([at for at in starts if at >= 0], default=len(rest))], thoughts)

    def _split_thoughts(self, text: str, prompt: str) -> "_Parted":
        if self.said.open and text.lstrip().startswith(self.said.open):
            text = text.lstrip().removeprefix(self.said.open)
        for pair in self.thoughts:
            opened = (
                "" if text.lstrip().startswith(pair.open) else _open_mark_of_prompt(prompt, pair)
            )
            whole = opened + text
            if has_open_thought(whole, pair):
                return _Parted("", "", "a thought that never closes")
            split = split_thoughts(whole, pair)
            if split.content != whole:
                return _Parted(split.thoughts, split.content, "")
        return _Parted("", text, "")


class _Parted(NamedTuple):
    thoughts: str
    rest: str
    fault: str


class _Turn(NamedTuple):
    """What is learned of an answer, without its end, and what is asked; `is_cut` where generation would stop
    within it."""

    prompt: str
    text: str
    calls: tuple[Call, ...]
    is_cut: bool


def answer_of_tokens(
    chat: Chat, ids: Sequence[int], *, prompt: str, tools: Tools | None, ended: bool
) -> Answer:
    """The answer that generated tokens are, without the stop token. `prompt` is what was asked, as text."""
    reader = reader_of(chat)
    return reader.read(reader.text(chat, ids), prompt, tools, ended=ended)


@dataclass(frozen=True, slots=True)
class _Known:
    """A chat as a key: by its tokenizer, its template, and whatever else it is made of."""

    tokenizer: PreTrainedTokenizerBase
    template: str
    others: str
    chat: Chat = field(compare=False)


def reader_of(chat: Chat) -> AnswerReader:
    """What reads the answers to prompts of this chat; found once."""
    others = [getattr(chat, each.name) for each in fields(chat) if each.name != "tokenizer"]
    template = str(chat.tokenizer.chat_template)
    return _reader_of(_Known(chat.tokenizer, template, repr(others), chat))


@lru_cache(maxsize=16)
def _reader_of(known: _Known) -> AnswerReader:
    chat, template = known.chat, known.template
    plain, turns = _plain_turn(chat), list(_turns_with_calls(chat))
    has_channels = plain is not None and "<|message|>" in plain.text
    found = _channel_reader(plain, turns) if plain and has_channels else None
    found = found or _make_reader(chat, template, turns)
    written = "".join(turn.text for turn in (plain, *turns) if turn)
    return replace(found, dropped_ids=_find_dropped_tokens(chat, found, written), form=_form(turns))


def _channel_reader(plain: _Turn, turns: Sequence[_Turn]) -> AnswerReader | None:
    """The one that reads calls as well; else the first that reads what is said."""
    found: AnswerReader | None = None
    for channels in CHANNELS:
        reader = AnswerReader(channels=channels)
        if reader.read(plain.text, plain.prompt).content != _SAID:
            continue
        if _reads(reader, turns):
            return reader
        found = found or replace(reader, cannot_call=_why(turns))
    return found


def _form(turns: Sequence[_Turn]) -> CallForm | None:
    """From the one call of the probe: what stands around its arguments."""
    call = _PROBED[0][0]
    for turn in turns:
        if turn.calls == _PROBED[0] and _SAID not in turn.text:
            for brace in re.finditer("{", turn.text):
                found = json_at(turn.text, brace.start())
                if found is not None and found.value == call.arguments:
                    before, after = turn.text[: brace.start()], turn.text[found.end :]
                    form = CallForm(call.name, before, after)
                    return form._replace(between=_between(turns, form))
    return None


def _between(turns: Sequence[_Turn], form: CallForm) -> str:
    """From the two calls of the probe, where they begin and end as the one does."""
    probed = (turn.text for turn in turns if turn.calls == _PROBED[1])
    found = (_between_calls(text, form) for text in probed if text.startswith(form.before))
    return next(filter(None, found), "")


def _between_calls(text: str, form: CallForm) -> str:
    first, second = _PROBED[1]
    begun = json_at(text, len(form.before))
    if begun is None or begun.value != first.arguments:
        return ""
    at = text.find("{", text.find(second.name, begun.end))
    ended = json_at(text, at) if at >= 0 else None
    if ended and ended.value == second.arguments and text[ended.end :] == form.after:
        return text[begun.end : at].replace(second.name, form.name)
    return ""


def _make_reader(chat: Chat, template: str, turns: Sequence[_Turn]) -> AnswerReader:
    frame = find_frame(chat)
    known = (pair for pair in (*THOUGHTS, THINK) if pair.close in template or pair == THINK)
    thoughts = tuple(dict.fromkeys([*frame.thoughts, *known]))
    plain = AnswerReader(thoughts, said=frame.said)
    whole = (turn for turn in turns if not turn.is_cut)
    rests = [(plain._split_thoughts(turn.text, turn.prompt).rest, turn.calls) for turn in whole]
    learned = learn_call_syntax(rests)
    for syntax in (*CALLS, *([learned] if learned else [])):
        reader = AnswerReader(thoughts, syntax, said=frame.said)
        if _reads(reader, turns):
            return reader
    return replace(plain, cannot_call=_why(turns))


def _reads(reader: AnswerReader, turns: Sequence[_Turn]) -> bool:
    whole = [turn for turn in turns if not turn.is_cut]
    return bool(whole) and all(_is_read(reader, turn) for turn in whole)


def _is_read(reader: AnswerReader, turn: _Turn) -> bool:
    read = reader.read(turn.text, turn.prompt, _TOOLS)
    said = _SAID if _SAID in turn.text else ""
    return (
        read.content.strip() == said
        and not read.thoughts
        and not read.fault
        and read.calls == turn.calls
    )


def _why(turns: Sequence[_Turn]) -> str:
    if not turns:
        return "the chat template has no words for tool calls"
    if all(turn.is_cut for turn in turns):
        return "the chat template writes tool calls behind a token at which generation stops"
    return "the chat template writes tool calls in a syntax that is not known here"


def _turns_with_calls(chat: Chat) -> Iterator[_Turn]:
    """The answers of the probe that the template has words for: one call, one beside a text, two."""
    for content, calls in (("", _PROBED[0]), (_SAID, _PROBED[0]), ("", _PROBED[1])):
        answer = {"content": content, "tool_calls": _openai(calls)}
        # where it has no words for tools, a system prompt may name them
        turn = _turn(chat, answer, calls, tools=_TOOLS) or _turn(chat, answer, calls)
        if turn is not None and all(call.name in turn.text for call in calls):
            yield turn


def _plain_turn(chat: Chat) -> _Turn | None:
    """An answer that calls nothing; behind a system prompt where the template wants one."""
    opening = (_SYSTEM, _QUESTION)
    return _turn(chat, {"content": _SAID}) or _turn(chat, {"content": _SAID}, before=opening)


def _turn(
    chat: Chat,
    answer: Mapping[str, Any],
    calls: tuple[Call, ...] = (),
    *,
    tools: Tools | None = None,
    before: Sequence[Mapping[str, Any]] = (_QUESTION,),
) -> _Turn | None:
    """What is learned of such an answer, without its end; None where the template cannot write it."""
    try:
        (found,) = chat.sequences([*before, {"role": "assistant", **answer}], tools)
    except DataError:
        return None
    (start, end), text = found.spans[0], found.text
    answered, stops = text[start:end], [*map(chat.tokenizer.decode, chat.stop_ids)]
    for stop in stops:
        answered = answered.removesuffix(stop)
    is_cut = any(stop in answered for stop in stops)
    return _Turn(text[:start], answered, calls, is_cut)


def _openai(calls: Sequence[Call]) -> list[dict[str, Any]]:
    return [
        {
            "id": f"callabc0{number}",
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for number, call in enumerate(calls)
    ]


def _find_dropped_tokens(chat: Chat, reader: AnswerReader, written: str) -> frozenset[int]:
    """The special tokens that an answer's text goes without: all that mark nothing in it."""
    marks = reader.marks
    return frozenset(
        number
        for number, token in chat.tokenizer.added_tokens_decoder.items()
        if token.special
        and token.content not in written
        and not any(token.content in mark for mark in marks)
    )


def _open_mark_of_prompt(prompt: str, pair: MarkPair) -> str:
    """The mark of a thought that the prompt ends with, or nothing."""
    return pair.open if prompt.rstrip().endswith(pair.open) else ""


def _read_calls(syntax: CallSyntax, text: str, types: ArgumentTypes) -> CallsRead:
    """The calls in the text; a mark that is left over began one that cannot be read."""
    content, calls, fault = syntax.read(text, types)
    starts = [at for at in map(content.find, syntax.marks) if at >= 0]
    if starts:
        content, rest = content[: min(starts)].strip(), content[min(starts) :]
        fault = fault or unreadable(rest)
    return CallsRead(content, calls, fault)


def _unbegun(text: str, marks: frozenset[str]) -> str:
    """The text without an end that may become a mark."""
    longest = max(map(len, marks), default=1) - 1
    end = text[-longest:] if longest else ""
    if not any(mark[0] in end for mark in marks):
        return text  # as nearly every piece of an answer
    for length in range(len(end), 0, -1):
        if any(mark.startswith(end[-length:]) and mark != end[-length:] for mark in marks):
            return text[:-length]
    return text
