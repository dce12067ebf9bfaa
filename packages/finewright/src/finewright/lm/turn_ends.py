"""The tokens that end a turn, found in what a template writes behind an answer and behind a call."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from transformers import PreTrainedTokenizerBase

from finewright.errors import DataError
from finewright.lm.marks import CALL, CONTENT, QUESTION
from finewright.lm.template import ChatTemplate, Message

_ANSWER = {"role": "assistant", "content": CONTENT}
_CALLS = {"role": "assistant", "content": "", "tool_calls": [CALL]}
_RESULT = {"role": "tool", "content": "12", "name": "clock", "tool_call_id": CALL["id"]}


class NextHeaders(NamedTuple):
    """The token with which a template goes on after an answer, and after a call; empty where that is none
    at which generation stops."""

    after_answer: str
    after_call: str


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
