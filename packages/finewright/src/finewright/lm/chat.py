"""A tokenizer that chats: what the model is asked, what it is to learn, and at which tokens it stops.

The learned spans are computed from renderings, not from `{% generation %}` marks, so any template
works: a turn starts where the generation prompt ends, and ends with its end-of-turn token.

    generation prompt of the turns before  |  the turn as rendered
    ...<|im_start|>assistant\\n             |  Paris.<|im_end|>\\n
                                              ^ learned ^^^^^^^    (the newline is not)

The tokens of what is asked begin those of what is learned, also where the two would share a token."""

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from transformers import PreTrainedTokenizerBase

from finewright.errors import DataError
from finewright.lm.controls import Broken, Controls, Quoted, TokenSpans, controls_of
from finewright.lm.marks import Marks, find_marks
from finewright.lm.messages import prepared
from finewright.lm.template import ChatTemplate, Message
from finewright.lm.turn_ends import find_end_of_turn, next_headers
from finewright.lm.turns import Ends, LearnedTurn, Turns

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
    say that generation ends."""

    tokenizer: PreTrainedTokenizerBase
    end_of_turn: frozenset[int]
    options: Mapping[str, Any] = field(default_factory=dict)  # Any: free JSON
    declared: frozenset[int] = frozenset()

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
        return self.shown(messages, tools, ask).text

    def prompt(self, messages: Sequence[Message], tools: Sequence[Any] | None = None) -> Rendered:
        """What the model is asked: the conversation with the generation prompt, nothing of it learned."""
        return self.shown(messages, tools, True)

    def whole_prompt(
        self, messages: Sequence[Message], tools: Sequence[Any] | None = None
    ) -> Rendered:
        """`prompt`, of which the template leaves out no system prompt, no tool, no call and no result of one.

        Raises DataError where it does: the model would be asked something else than the row says."""
        spoken = ("user", "assistant")
        if tools or any(m["role"] not in spoken or m.get("tool_calls") for m in messages):
            given = prepared(messages, self.marks)
            turns = Turns(self.template, self.marks, self._ends, given, tools)
            turns.refuse_losses(len(given))
        return self.prompt(messages, tools)

    def encode_prompt(
        self, messages: Sequence[Message], *, tools: Sequence[Any] | None = None
    ) -> tuple[int, ...]:
        """The token ids of what the model is asked; no content becomes a control token."""
        return tuple(self.tokens(self.prompt(messages, tools)).ids)

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

    def shown(
        self, messages: Sequence[Message], tools: Sequence[Any] | None = None, ask: bool = False
    ) -> Rendered:
        """`text`, with the places where what its contents spell must not be read as a control token."""
        messages = prepared(messages, self.marks)
        quoted = self._controls.quoted(messages, tools)
        if quoted is None:
            return Rendered(self.template.text(messages, tools, ask=ask), ())
        text = self.template.text(quoted.messages, quoted.tools, ask=ask)
        text, breaks, _ = quoted.read(text)
        return Rendered(text, (), breaks)

    def rendered(self, messages: Sequence[Message], tools: Sequence[Any] | None = None) -> Rendered:
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
        return found[0] if found else self.shown(messages, tools, False)

    def sequences(
        self, messages: Sequence[Message], tools: Sequence[Any] | None = None
    ) -> tuple[Rendered, ...]:
        """The texts from which the learned turns are learned, each beginning as the model is asked.

        One, unless the template writes an earlier turn otherwise than it was to be written when asked. None
        without a learned turn. Raises DataError where the template leaves out a part of the conversation,
        or writes a learned turn as something else."""
        messages = prepared(messages, self.marks)
        quoted = self._controls.quoted(messages, tools)
        if quoted is not None:
            messages, tools = quoted.messages, quoted.tools
        found = Turns(self.template, self.marks, self._ends, messages, tools).sequences()
        return tuple(one for turns in reversed(found) for one in self._parted(turns, quoted))

    def _parted(self, turns: Sequence[LearnedTurn], quoted: Quoted | None) -> list[Rendered]:
        """The turns of one text, those apart whose prompt's tokens do not begin the text's.

        Only in the last one may a token be cut where the answer begins: what follows would be asked uncut."""
        last, *earlier = turns
        ids = self._tokens(_rendered([last], quoted), ()).ids
        apart, together = [], [last]
        for turn in earlier:
            alone = _rendered([turn], quoted)
            prompt_ids = self._tokens(alone.until(alone.spans[0].start), ()).ids
            if list(ids[: len(prompt_ids)]) == list(prompt_ids):
                together.append(turn)
            else:
                apart.append(alone)
        return [*reversed(apart), _rendered(together, quoted)]

    @property
    def _ends(self) -> Ends:
        options = json.dumps(self.options, sort_keys=True)
        return _ends(self.tokenizer, self.template.source, options, self.end_of_turn, self.declared)


def _rendered(turns: Sequence[LearnedTurn], quoted: Quoted | None) -> Rendered:
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
