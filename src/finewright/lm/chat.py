"""Chat templates: rendering a conversation, and knowing which of its characters are to be learned.

The learned spans are computed from renderings, not from `{% generation %}` marks, so any template
works: a turn starts where the generation prompt ends, and ends with its end-of-turn token.

    generation prompt of the turns before  |  the turn as rendered
    ...<|im_start|>assistant\\n             |  Paris.<|im_end|>\\n
                                              ^ learned ^^^^^^^    (the newline is not)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerBase

from finewright.errors import DataError

Message = Mapping[str, Any]


class Span(NamedTuple):
    """Characters [start, end) of a rendering."""

    start: int
    end: int


class Rendered(NamedTuple):
    """A conversation as text, and the span of each assistant turn that trains."""

    text: str
    spans: tuple[Span, ...]


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

        Raises DataError with the template's own complaint (roles out of order, and so on)."""
        try:
            text = self.tokenizer.apply_chat_template(
                [_for_template(m) for m in messages],
                tools=list(tools) if tools else None,
                tokenize=False,
                add_generation_prompt=ask,
            )
        except (TemplateError, TypeError, ValueError, KeyError) as error:
            raise DataError(f"the chat template refuses this conversation: {error}") from None
        return str(text)

    def rendered(self, messages: Sequence[Message], tools: Sequence[Any] | None = None) -> Rendered:
        """The whole conversation with the spans of its learned turns.

        A turn with `weight: 0` is read, not learned. Raises DataError when a turn cannot be found
        in the rendering, rather than train on the wrong characters."""
        text = self.render(messages, tools=tools)
        spans = []
        for i, message in enumerate(messages):
            if message["role"] == "assistant" and message.get("weight", 1):
                spans.append(self._turn(text, messages, i, tools))
        return Rendered(text, tuple(spans))

    def _turn(
        self, text: str, messages: Sequence[Message], i: int, tools: Sequence[Any] | None
    ) -> Span:
        before = self.render(messages[:i], tools=tools, ask=True) if i else ""
        until = self.render(messages[: i + 1], tools=tools)
        if i and text.startswith(before) and text.startswith(until):
            return Span(len(before), len(until))
        return self._marked_turn(text, messages, i, tools)

    def _marked_turn(
        self, text: str, messages: Sequence[Message], i: int, tools: Sequence[Any] | None
    ) -> Span:
        """Find the turn by what two different contents leave unchanged around them.

        For templates that rewrite earlier turns (Qwen 3 drops old thoughts), where prefixes differ."""
        marks = ("left-mark\x03", "right-mark\x03")  # apart from the first character on
        texts = []
        for mark in marks:
            marked = [*messages[:i], {**messages[i], "content": mark}, *messages[i + 1 :]]
            texts.append(self.render(marked, tools=tools))
        at = next((k for k, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), 0)
        head, tail = texts[0][:at], texts[0][at + len(marks[0]) :]
        found = texts == [head + mark + tail for mark in marks]
        if not found or not (text.startswith(head) and text.endswith(tail)):
            raise DataError(
                f"messages[{i}]: the chat template changes this turn so that it cannot be found again"
            )
        turn_end = len(text) - len(tail)
        return Span(len(head), turn_end + self._end_of_turn_length(tail))

    def _end_of_turn_length(self, tail: str) -> int:
        """Characters from the start of `tail` through the first end-of-turn token in it."""
        ends = [
            tail.find(token) + len(token)
            for token in map(self.tokenizer.decode, self.end_of_turn)
            if token in tail
        ]
        return min(ends, default=0)


def _for_template(message: Message) -> dict[str, Any]:
    kept = {key: value for key, value in message.items() if key != "weight"}
    if kept.get("content") is None:
        kept["content"] = ""  # templates print "None" otherwise
    return kept


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
