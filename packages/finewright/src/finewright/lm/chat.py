"""A tokenizer that chats: what the model is asked, what it is to learn, and at which tokens it stops.

The learned spans are computed from renderings, not from `{% generation %}` marks, so any template
works: a turn starts where the generation prompt ends, and ends with its end-of-turn token.

    generation prompt of the turns before  |  the turn as rendered
    ...<|im_start|>assistant\\n             |  Paris.<|im_end|>\\n
                                              ^ learned ^^^^^^^    (the newline is not)

The tokens of what is asked begin those of what is learned, also where the two would share a token.

The tokens that end a turn, found in what a template writes behind an answer and behind a call.

Where an answer ends, said to programs that do not know chat templates.

finewright stops at the template's end of turn. transformers stops at generation_config.json's eos, vLLM and
llama.cpp at the tokenizer's besides; those of a base checkpoint are often another token (Qwen's
<|endoftext|>), and an answer would go on to the limit. transformers and PEFT read an adapter's base, not the
adapter's folder, for it: there the folder's generation config is to be named (its README.md says how)."""

import copy
import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from transformers import GenerationConfig, PreTrainedTokenizerBase

from finewright.errors import DataError
from finewright.lm.controls import Broken, Controls, Quoted, TokenSpans, controls_of
from finewright.lm.example import DocumentLayout
from finewright.lm.marks import CALL, CONTENT, QUESTION, Marks, find_marks
from finewright.lm.messages import prepare_messages
from finewright.lm.rust_errors import rust_os_errors
from finewright.lm.template import ChatTemplate, Message
from finewright.lm.turns import Ends, LearnedTurn, Turns

_ANSWER = {"role": "assistant", "content": CONTENT}


_CALLS = {"role": "assistant", "content": "", "tool_calls": [CALL]}


_RESULT = {"role": "tool", "content": "12", "name": "clock", "tool_call_id": CALL["id"]}


class NextHeaders(NamedTuple):
    """The token with which a template goes on after an answer, and after a call; empty where that is none
    at which generation stops."""

    after_answer: str
    after_call: str


__all__ = ["Chat", "Message", "Rendered", "Span", "find_end_of_turn"]


class Span(NamedTuple):
    """Characters [start, end) of a rendering."""

    start: int
    end: int


class Rendered(NamedTuple):
    """A conversation as text, and the span of each assistant turn that trains.

    Where a content spells control tokens, `breaks` are places within; elsewhere there are none. `answers` are
    the numbers of the messages of which the spans are learned."""

    text: str
    spans: tuple[Span, ...]
    breaks: tuple[int, ...] | None = None
    answers: tuple[int, ...] = ()

    def until(self, end: int) -> "Rendered":
        """Its first characters, of which nothing is learned."""
        breaks = None if self.breaks is None else tuple(at for at in self.breaks if at < end)
        return Rendered(self.text[:end], (), breaks)


@dataclass(frozen=True, slots=True)
class Chat:
    """A tokenizer with its chat template and that template's switches.

    `end_of_turn` are the tokens that end an answer or a call; `declared` those at which the model's files
    say that generation ends. `layout` is that of raw text."""

    tokenizer: PreTrainedTokenizerBase
    end_of_turn: frozenset[int]
    options: Mapping[str, Any] = field(default_factory=dict)  # Any: free JSON
    declared: frozenset[int] = frozenset()
    layout: DocumentLayout = field(default_factory=DocumentLayout)

    @property
    def template(self) -> ChatTemplate:
        """What renders, with the switches set."""
        return ChatTemplate(self.tokenizer, self.options)

    @property
    def marks(self) -> Marks:
        """How the template writes a thought, a content and their end."""
        return _marks(
            self.tokenizer, self.template.source, json.dumps(self.options, sort_keys=True)
        )

    @property
    def stop_ids(self) -> frozenset[int]:
        """Tokens at which generation ends."""
        eos = self.tokenizer.eos_token_id
        return self.end_of_turn | self.declared | ({eos} if isinstance(eos, int) else frozenset())

    def render(
        self, messages: Sequence[Message], *, tools: Sequence[Any] | None = None, ask: bool = False
    ) -> str:
        """The conversation as the model reads it; `ask` adds the generation prompt.

        The day is that of the template's switch (`DAY`), or 26 July 2024. Raises DataError
        with the template's own complaint (roles out of order, and so on). For people: what its contents
        spell cannot be told from what the template wrote, so `tokens` and `encode_prompt` make tokens."""
        return self.render_with_spellings(messages, tools, ask).text

    def prompt(self, messages: Sequence[Message], tools: Sequence[Any] | None = None) -> Rendered:
        """What the model is asked: the conversation with the generation prompt, nothing of it learned."""
        return self.render_with_spellings(messages, tools, True)

    def whole_prompt(
        self, messages: Sequence[Message], tools: Sequence[Any] | None = None
    ) -> Rendered:
        """`prompt`, of which the template leaves out no system prompt, no tool, no call and no result of one.

        Raises DataError where it does: the model would be asked something else than the row says."""
        spoken = ("user", "assistant")
        if tools or any(m["role"] not in spoken or m.get("tool_calls") for m in messages):
            given = prepare_messages(messages, self.marks)
            turns = Turns(self.template, self.marks, self._ends, given, tools)
            turns.refuse_losses(len(given))
        return self.prompt(messages, tools)

    def encode_prompt(
        self, messages: Sequence[Message], *, tools: Sequence[Any] | None = None
    ) -> tuple[int, ...]:
        """The token ids of what the model is asked; no content becomes a control token."""
        return tuple(self.tokens(self.prompt(messages, tools)).ids)

    def encode_text(self, text: str) -> Sequence[int]:
        """The token ids of raw text; what it spells of control tokens is read as text."""
        quoted = self._controls.quote([{"content": text}], None)
        if quoted is None:
            found: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
            return found
        return self._controls.encode(quoted.read(quoted.messages[0]["content"])).ids

    def prompt_ids(self, rendered: Rendered) -> tuple[int, ...]:
        """The token ids of what a model is asked, made anew each time: nothing of a stranger's text is kept,
        and time tells nobody whether it was asked before."""
        if rendered.breaks is not None:
            return tuple(self._tokens(rendered, ()).ids)
        return tuple(self.tokenizer(rendered.text, add_special_tokens=False)["input_ids"])

    def tokens(self, rendered: Rendered) -> TokenSpans:
        """The rendering's tokens. What its contents spell is read as text, never as a control token.

        Those before each span are the tokens of that part alone, as the model is asked."""
        found = self._tokens(rendered, ())
        cuts: list[int] = []
        for start, _ in rendered.spans:
            prompt_ids = self._tokens(rendered.until(start), ()).ids
            if list(found.ids[: len(prompt_ids)]) != list(prompt_ids):
                cuts.append(start)
                found = self._tokens(rendered, cuts)
        return found

    def _tokens(self, rendered: Rendered, cuts: Sequence[int]) -> TokenSpans:
        if rendered.breaks is not None or cuts:
            broken = Broken(rendered.text, rendered.breaks or (), tuple(cuts))
            return self._controls.encode(broken)
        return _tokens_of(self.tokenizer, rendered.text)

    @property
    def _controls(self) -> Controls:
        return controls_of(self.tokenizer, str(self.tokenizer.chat_template))

    def render_with_spellings(
        self, messages: Sequence[Message], tools: Sequence[Any] | None = None, ask: bool = False
    ) -> Rendered:
        """`text`, with the places where what its contents spell must not be read as a control token."""
        messages = prepare_messages(messages, self.marks)
        quoted = self._controls.quote(messages, tools)
        if quoted is None:
            return Rendered(self.template.text(messages, tools, ask=ask), ())
        text = self.template.text(quoted.messages, quoted.tools, ask=ask)
        text, breaks, _ = quoted.read(text)
        return Rendered(text, (), breaks)

    def render_learned(
        self, messages: Sequence[Message], tools: Sequence[Any] | None = None
    ) -> Rendered:
        """The conversation through its last learned turn, with the spans of all that are learned.

        A turn with `weight: 0` is read, not learned. Raises DataError as `sequences` does, and where that
        takes more than one sequence."""
        found = self.sequences(messages, tools)
        if len(found) > 1:
            raise DataError(
                f"its answers are learned in {len(found)} sequences, as the chat template writes an answer "
                "otherwise once the conversation goes on",
                hint="give the earlier answers `weight: 0`",
            )
        return found[0] if found else self.render_with_spellings(messages, tools, False)

    def sequences(
        self, messages: Sequence[Message], tools: Sequence[Any] | None = None
    ) -> tuple[Rendered, ...]:
        """The texts from which the learned turns are learned, each beginning as the model is asked.

        One, unless the template writes an earlier turn otherwise than it was to be written when asked. None
        without a learned turn. Raises DataError where the template leaves out a part of the conversation,
        or writes a learned turn as something else."""
        messages = prepare_messages(messages, self.marks)
        quoted = self._controls.quote(messages, tools)
        if quoted is not None:
            messages, tools = quoted.messages, quoted.tools
        found = Turns(self.template, self.marks, self._ends, messages, tools).sequences()
        return tuple(one for turns in reversed(found) for one in self._render_turns(turns, quoted))

    def _render_turns(self, turns: Sequence[LearnedTurn], quoted: Quoted | None) -> list[Rendered]:
        """The turns of one text, those apart whose prompt's tokens do not begin the text's.

        Only in the last one may a token be cut where the answer begins: what follows would be asked uncut."""
        last, *earlier = turns
        ids = self._tokens(_render_spans([last], quoted), ()).ids
        apart, together = [], [last]
        for turn in earlier:
            alone = _render_spans([turn], quoted)
            prompt_ids = self._tokens(alone.until(alone.spans[0].start), ()).ids
            if list(ids[: len(prompt_ids)]) == list(prompt_ids):
                together.append(turn)
            else:
                apart.append(alone)
        return [*reversed(apart), _render_spans(together, quoted)]

    @property
    def _ends(self) -> Ends:
        options = json.dumps(self.options, sort_keys=True)
        return _ends(self.tokenizer, self.template.source, options, self.end_of_turn, self.declared)


def _render_spans(turns: Sequence[LearnedTurn], quoted: Quoted | None) -> Rendered:
    text = turns[0].text
    turns = sorted(turns, key=lambda turn: turn.start)
    spans = [Span(turn.start, turn.end) for turn in turns]
    answers = tuple(turn.number for turn in turns)
    if quoted is None:
        return Rendered(text, tuple(spans), answers=answers)
    text, breaks, _ = quoted.read(text)
    at = [place + i for i, place in enumerate(breaks)]
    moved = (Span(*(place - bisect_left(at, place) for place in span)) for span in spans)
    return Rendered(text, tuple(moved), breaks, answers)


# What is asked at each turn of a conversation is looked at twice: when turns are put together, and as tokens.
@lru_cache(maxsize=64)
def _tokens_of(tokenizer: PreTrainedTokenizerBase, text: str) -> TokenSpans:
    batch = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    return TokenSpans(batch["input_ids"], batch["offset_mapping"])


@lru_cache(maxsize=64)
def _marks(tokenizer: PreTrainedTokenizerBase, _template: str, options: str) -> Marks:
    return find_marks(ChatTemplate(tokenizer, json.loads(options)))


@lru_cache(maxsize=64)
def _ends(
    tokenizer: PreTrainedTokenizerBase,
    _template: str,
    options: str,
    end_of_turn: frozenset[int],
    declared: frozenset[int],
) -> Ends:
    texts = tuple(tokenizer.decode(token) for token in sorted(end_of_turn))
    headers = next_headers(ChatTemplate(tokenizer, json.loads(options)), declared | end_of_turn)
    return Ends(texts, *headers)


def find_end_of_turn(
    tokenizer: PreTrainedTokenizerBase,
    eos_ids: Sequence[int],
    options: Mapping[str, Any] | None = None,
) -> frozenset[int]:
    """The tokens that the template writes after an assistant's answer and after its calls.

    Of an answer: the first of the model's declared end tokens `eos_ids`, or else the first control token
    (so Cohere 2's `<|END_RESPONSE|>`, behind which the declared end comes, is none). Where the template
    writes none, the declared ones serve."""
    template = ChatTemplate(tokenizer, options or {})
    tail = template.text([QUESTION, _ANSWER]).rpartition(CONTENT)[2]
    controls = _controls_in(tokenizer, tail)
    declared = [token for token in controls if token in eos_ids]
    found = (declared or controls)[:1]
    return frozenset(found or eos_ids) | _end_of_call(template, found, eos_ids)


def next_headers(template: ChatTemplate, stops: frozenset[int]) -> NextHeaders:
    """Where turns end by the beginning of the next one, as GLM's do: that beginning."""
    return NextHeaders(
        _header(template, [QUESTION, _ANSWER], QUESTION, stops),
        _header(template, [QUESTION, _CALLS], _RESULT, stops),
    )


def _header(
    template: ChatTemplate, turns: Sequence[Message], following: Message, stops: frozenset[int]
) -> str:
    try:
        text = template.text(turns)
        longer = template.text([*turns, following])
    except DataError:
        return ""
    rest = longer.removeprefix(text)
    return next(
        (t for t in map(template.tokenizer.decode, sorted(stops)) if rest.startswith(t)), ""
    )


def _end_of_call(
    template: ChatTemplate, ends: Sequence[int], eos_ids: Sequence[int]
) -> frozenset[int]:
    """The token that ends a turn with a call where that is another one, as gpt-oss's `<|call|>`."""
    try:
        prompt = template.text([QUESTION], ask=True)
        once = template.text([QUESTION, _CALLS])
        twice = template.text([QUESTION, {**_CALLS, "tool_calls": [CALL, CALL]}])
    except DataError:  # it has no words for calls, or none for two
        return frozenset()
    written = once.removeprefix(prompt)
    controls = _controls_in(template.tokenizer, written.rpartition(CALL["function"]["name"])[2])
    if not once.startswith(prompt) or CALL["function"]["name"] not in written or not controls:
        return frozenset()
    if known := [token for token in controls if token in {*ends, *eos_ids}]:
        return frozenset(known[:1])
    last = template.tokenizer.decode(controls[-1])
    alone = twice.removeprefix(prompt).count(last) == 1
    return frozenset(controls[-1:] if alone and written.rstrip().endswith(last) else ())


def _controls_in(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    controls = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return [token for token in ids if token in controls]


# How a tokenizer was loaded here is no business of who loads it elsewhere.
_OF_THIS_MACHINE = ("is_local", "local_files_only", "name_or_path")


def ends_of(chat: Chat) -> list[int]:
    """Every token that ends an answer; the template's own ends first."""
    return [*sorted(chat.end_of_turn), *sorted(chat.stop_ids - chat.end_of_turn)]


def save_with_ends(folder: Path, chat: Chat) -> None:
    """Write the tokenizer, whose eos ends a turn, and generation_config.json, which says nothing of sampling.

    A tokenizer whose eos ends a turn already is stored as it is. Raises OSError."""
    tokenizer, ends = copy.deepcopy(chat.tokenizer), ends_of(chat)
    eos = tokenizer.eos_token
    for key in _OF_THIS_MACHINE:
        tokenizer.init_kwargs.pop(key, None)
    if ends and tokenizer.eos_token_id not in chat.end_of_turn:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(ends[0])
    if tokenizer.pad_token is None:
        tokenizer.pad_token = eos or tokenizer.eos_token
    with rust_os_errors():
        tokenizer.save_pretrained(folder)
    config = GenerationConfig(
        eos_token_id=ends or None,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    config.save_pretrained(folder)
