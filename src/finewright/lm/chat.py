"""Chat templates: rendering a conversation, and knowing which of its characters are to be learned.

The learned spans are computed from renderings, not from `{% generation %}` marks, so any template
works: a turn starts where the generation prompt ends, and ends with its end-of-turn token.

    generation prompt of the turns before  |  the turn as rendered
    ...<|im_start|>assistant\\n             |  Paris.<|im_end|>\\n
                                              ^ learned ^^^^^^^    (the newline is not)

What a template silently leaves out (a system prompt, a tool call) is refused: training on the rest
would teach something else than the row says. Earlier turns may lose their thoughts, as they do when
the model is asked."""

import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerBase

from finewright.errors import DataError
from finewright.lm.controls import Broken, Controls, Tokens, controls_of

Message = Mapping[str, Any]

# Apart from the first character on, and written alike in JSON.
_MARKS = ("left-mark\ue003", "right-mark\ue003")
# Llama 3's templates name this day when they are told none.
_TODAY = {"%d": "26", "%m": "07", "%b": "Jul", "%B": "July", "%Y": "2024", "%y": "24"}
_FIXED_DAY = (
    "{% macro strftime_now(format) %}{{ format"
    + "".join(f" | replace('{code}', '{text}')" for code, text in _TODAY.items())
    + " }}{% endmacro %}\n"
)


class Span(NamedTuple):
    """Characters [start, end) of a rendering."""

    start: int
    end: int


class Rendered(NamedTuple):
    """A conversation as text, and the span of each assistant turn that trains.

    Where a content spells control tokens, `breaks` are places within; elsewhere there are none."""

    text: str
    spans: tuple[Span, ...]
    breaks: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Chat:
    """A tokenizer with its chat template and the tokens that end a turn."""

    tokenizer: PreTrainedTokenizerBase
    end_of_turn: frozenset[int]

    @property
    def stop_ids(self) -> frozenset[int]:
        """Tokens at which generation ends."""
        eos = self.tokenizer.eos_token_id
        return self.end_of_turn | ({eos} if isinstance(eos, int) else frozenset())

    def render(
        self, messages: Sequence[Message], *, tools: Sequence[Any] | None = None, ask: bool = False
    ) -> str:
        """The conversation as the model reads it; `ask` adds the generation prompt.

        The same every day: a template that asks for today's date is told 26 July 2024. Raises DataError
        with the template's own complaint (roles out of order, and so on). For people: what its contents
        spell cannot be told from what the template wrote, so `tokens` and `encode_prompt` make tokens."""
        return self._shown(messages, tools, ask).text

    def prompt(self, messages: Sequence[Message], tools: Sequence[Any] | None = None) -> Rendered:
        """What the model is asked: the conversation with the generation prompt, nothing of it learned."""
        return self._shown(messages, tools, True)

    def encode_prompt(
        self, messages: Sequence[Message], *, tools: Sequence[Any] | None = None
    ) -> tuple[int, ...]:
        """The token ids of what the model is asked; no content becomes a control token."""
        return tuple(self.tokens(self.prompt(messages, tools)).ids)

    def tokens(self, rendered: Rendered) -> Tokens:
        """The rendering's tokens. What its contents spell is read as text, never as a control token."""
        if rendered.breaks is not None:
            return self._controls.encode(Broken(rendered.text, rendered.breaks))
        batch = self.tokenizer(rendered.text, add_special_tokens=False, return_offsets_mapping=True)
        return Tokens(batch["input_ids"], batch["offset_mapping"])

    @property
    def _controls(self) -> Controls:
        return controls_of(self.tokenizer, str(self.tokenizer.chat_template))

    def _shown(
        self, messages: Sequence[Message], tools: Sequence[Any] | None, ask: bool
    ) -> Rendered:
        messages = _parsed(messages)
        quoted = self._controls.quoted(messages, tools)
        if quoted is None:
            return Rendered(self._render(messages, tools=tools, ask=ask), ())
        text = self._render(quoted.messages, tools=quoted.tools, ask=ask)
        text, breaks = quoted.read(text)
        return Rendered(text, (), breaks)

    def _render(
        self, messages: Sequence[Message], *, tools: Sequence[Any] | None = None, ask: bool = False
    ) -> str:
        try:
            return self._rendering([_for_template(m) for m in messages], tools, ask)
        except (TemplateError, TypeError, ValueError, KeyError) as error:
            raise _refused(error) from None

    def _rendering(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[Any] | None, ask: bool
    ) -> str:
        tools = list(tools) if tools else None
        template = self.tokenizer.get_chat_template(tools=tools)
        options = {
            "tools": tools,
            "tokenize": False,
            "add_generation_prompt": ask,
            "chat_template": _FIXED_DAY + template if "strftime_now" in template else template,
        }
        try:
            return str(self.tokenizer.apply_chat_template(list(messages), **options))
        except TypeError:
            # DeepSeek's templates append the arguments to text; the others print them as JSON
            texts = [_with_argument_texts(message) for message in messages]
            return str(self.tokenizer.apply_chat_template(texts, **options))

    def rendered(self, messages: Sequence[Message], tools: Sequence[Any] | None = None) -> Rendered:
        """The whole conversation with the spans of its learned turns.

        A turn with `weight: 0` is read, not learned. Raises DataError when the template leaves out a part
        of the conversation, or when a turn cannot be found in the rendering, rather than train on the
        wrong characters."""
        messages = _parsed(messages)
        quoted = self._controls.quoted(messages, tools)
        if quoted is None:
            return self._rendered(messages, tools)
        marked = self._rendered(quoted.messages, quoted.tools)
        text, breaks = quoted.read(marked.text)
        at = [place + i for i, place in enumerate(breaks)]
        spans = (Span(*(place - bisect_left(at, place) for place in s)) for s in marked.spans)
        return Rendered(text, tuple(spans), breaks)

    def _rendered(self, messages: Sequence[Message], tools: Sequence[Any] | None) -> Rendered:
        text = self._render(messages, tools=tools)
        self._refuse_losses(text, messages, tools)
        spans = []
        for i, message in enumerate(messages):
            if message["role"] == "assistant" and message.get("weight", 1):
                spans.append(self._turn(text, messages, i, tools))
        rendered = Rendered(text, tuple(spans))
        if messages[-1]["role"] == "assistant" and messages[-1].get("weight", 1):
            rendered = self._after_opened_thought(rendered, messages, tools)
            if _thought(messages[-1]) not in rendered.text:
                raise DataError(
                    f"messages[{len(messages) - 1}]: the chat template leaves out the thought of the answer"
                )
        return rendered

    def _refuse_losses(
        self, text: str, messages: Sequence[Message], tools: Sequence[Any] | None
    ) -> None:
        """Nothing but thoughts may be missing. User turns and plain answers are not looked at."""
        for i, message in enumerate(messages):
            for what, changed in _changes(message):
                if self._render([*messages[:i], changed, *messages[i + 1 :]], tools=tools) == text:
                    raise DataError(f"messages[{i}]: the chat template leaves out {what}")
        if tools and self._render(messages) == text:
            raise DataError("the chat template leaves out the tools: it has no words for them")

    def _after_opened_thought(
        self, rendered: Rendered, messages: Sequence[Message], tools: Sequence[Any] | None
    ) -> Rendered:
        """The last answer as it is generated where the generation prompt opens a thought (DeepSeek-R1).

        Such templates take thoughts out of answers, so the rendering alone would teach to give none."""
        text, (*spans, last), _ = rendered
        prompt = self._render(messages[:-1], tools=tools, ask=True) if messages[:-1] else ""
        opened = prompt.startswith(text[: last.start]) and prompt[last.start :].strip() == "<think>"
        if not opened:
            return rendered
        answer, rest = text[last.start : last.end].lstrip("\n"), text[last.end :]
        thought = _thought(messages[-1])
        # no blank line for no thought: its newline would be one token with that of the prompt
        closed = f"{thought}\n</think>" if thought else "</think>"
        turn = f"{prompt}{closed}\n\n{answer}"
        return Rendered(turn + rest, (*spans, Span(len(prompt), len(turn))))

    def _turn(
        self, text: str, messages: Sequence[Message], i: int, tools: Sequence[Any] | None
    ) -> Span:
        before = self._render(messages[:i], tools=tools, ask=True) if i else ""
        until = self._render(messages[: i + 1], tools=tools)
        if i and text.startswith(before) and text.startswith(until):
            return Span(len(before), len(until))
        return self._marked_turn(text, messages, i, tools)

    def _marked_turn(
        self, text: str, messages: Sequence[Message], i: int, tools: Sequence[Any] | None
    ) -> Span:
        """Find the turn by what two different contents leave unchanged around them.

        For templates that rewrite earlier turns (Qwen 3 drops old thoughts), where prefixes differ."""
        turns = [_marked(messages[i], mark) for mark in _MARKS]
        texts = [
            self._render([*messages[:i], turn, *messages[i + 1 :]], tools=tools) for turn in turns
        ]
        at = next((k for k, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), 0)
        head, tail = texts[0][:at], texts[0][at + len(_MARKS[0]) :]
        found = texts == [head + mark + tail for mark in _MARKS]
        alone = self._render([*messages[:i], turns[0]], tools=tools)
        lead, _, after = alone.rpartition(_MARKS[0])
        start = self._start(head, lead, messages[: i + 1], tools)
        if not found or start is None or not (text.startswith(head) and text.endswith(tail)):
            raise DataError(
                f"messages[{i}]: the chat template changes this turn so that it cannot be found again"
            )
        end_of_turn = after[: self._end_of_turn_length(after)]
        ends = len(end_of_turn) if tail.startswith(end_of_turn) else 0
        return Span(start, len(text) - len(tail) + ends)

    def _start(
        self, head: str, lead: str, messages: Sequence[Message], tools: Sequence[Any] | None
    ) -> int | None:
        """Where the last turn begins, of which `head` goes to its content or to its first tool's name.

        `lead` is what goes there when nothing follows the turn."""
        *earlier, turn = messages
        asked = self._render(earlier, tools=tools, ask=True) if earlier else ""
        for prompt in (asked, re.sub(r"<think>\n*\Z", "", asked)):  # earlier turns lose thoughts
            if earlier and lead.startswith(prompt):
                written = lead.removeprefix(prompt)  # by the template, before the content
                opening = prompt.removeprefix(self._render(earlier, tools=tools))
                header, _, rest = head.rpartition(opening) if opening else ("", "", head)
                if head.startswith(prompt):
                    return len(prompt)
                if head.endswith(written):  # what came before is written otherwise
                    return len(head) - len(written)
                if header and written.endswith(rest):  # and so is this turn
                    return len(head) - len(rest)
        return len(head) if _has_content(turn) else None

    def _end_of_turn_length(self, tail: str) -> int:
        """Characters from the start of `tail` through the first end-of-turn token in it."""
        ends = [
            tail.find(token) + len(token)
            for token in map(self.tokenizer.decode, self.end_of_turn)
            if token in tail
        ]
        return min(ends, default=0)


def _refused(error: Exception) -> DataError:
    return DataError(f"the chat template refuses this conversation: {error}")


def _for_template(message: Message) -> dict[str, Any]:
    kept = {key: value for key, value in message.items() if key not in ("weight", "tool_calls")}
    if kept.get("content") is None:
        kept["content"] = ""  # templates print "None" otherwise
    if message.get("tool_calls"):  # a null or an empty list is a call to some templates
        kept["tool_calls"] = list(message["tool_calls"])
    return kept


def _parsed(messages: Sequence[Message]) -> Sequence[Message]:
    """With the arguments of tool calls as objects: OpenAI's JSON text would be quoted once more."""
    try:
        return [_with_argument_objects(m) if m.get("tool_calls") else m for m in messages]
    except (TypeError, ValueError, KeyError) as error:
        raise _refused(error) from None


def _with_argument_objects(message: Message) -> dict[str, Any]:
    calls = []
    for call in message["tool_calls"]:
        arguments = call["function"].get("arguments", {})
        if isinstance(arguments, str):
            arguments = json.loads(arguments)
        function = {**call["function"], "arguments": arguments}
        calls.append({"type": "function", **call, "function": function})
    return {**message, "tool_calls": calls}


def _with_argument_texts(message: Message) -> dict[str, Any]:
    if "tool_calls" not in message:
        return dict(message)
    calls = []
    for call in message["tool_calls"]:
        text = json.dumps(call["function"]["arguments"], ensure_ascii=False)
        calls.append({**call, "function": {**call["function"], "arguments": text}})
    return {**message, "tool_calls": calls}


def _has_content(message: Message) -> bool:
    return bool(message.get("content")) or not message.get("tool_calls")


def _marked(message: Message, mark: str) -> Message:
    """The message with another content, or with another first tool where it has no content."""
    return {**message, "content": mark} if _has_content(message) else _renamed(message, 0, mark)


def _renamed(message: Message, number: int, name: str) -> Message:
    calls = list(message["tool_calls"])
    calls[number] = {**calls[number], "function": {**calls[number]["function"], "name": name}}
    return {**message, "tool_calls": calls}


def _changes(message: Message) -> Iterator[tuple[str, Message]]:
    """The parts of a message that templates are known to leave out, each with another text in it."""
    role, calls = message["role"], message.get("tool_calls") or ()
    if message.get("content") and (calls or role not in ("user", "assistant")):
        what = "the text beside the tool call" if calls else f"this {role} message"
        if role == "system":
            what += "; begin the first user turn with its text instead"
        yield what, {**message, "content": _MARKS[0]}
    for number in range(len(calls)):
        yield "a tool call: it has no words for them", _renamed(message, number, _MARKS[0])


def _thought(message: Message) -> str:
    """What an answer thinks before it speaks, or nothing."""
    thought = message.get("reasoning_content")
    if not isinstance(thought, str):
        said = message.get("content") or ""
        thought = said.rpartition("</think>")[0].rpartition("<think>")[2]
    return thought.strip()


def find_end_of_turn(tokenizer: PreTrainedTokenizerBase, eos_ids: Sequence[int]) -> frozenset[int]:
    """The special token that the template writes after an assistant's answer.

    `eos_ids` are the model's declared end tokens; where the template writes none, those serve."""
    chat = Chat(tokenizer, frozenset())
    mark = "\x02end-mark\x03"
    turn = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": mark}]
    tail = chat.render(turn).rpartition(mark)[2]
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    for token in tokenizer(tail, add_special_tokens=False)["input_ids"]:
        if token in special:
            return frozenset({token})
    return frozenset(eos_ids)
