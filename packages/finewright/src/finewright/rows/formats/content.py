"""Content that is a list of typed parts with a `value` each, as LLaMA-Factory's v1 writes messages.

https://github.com/hiyouga/LLaMA-Factory, src/llamafactory/v1/utils/types.py: a part's `type` is `text`,
`reasoning` or `tool_call` (whose value is JSON of one call); pictures, videos and sounds are refused, as
only text is trained.

Text that a chat template wrote, taken apart into its turns again: the usual families, told by their marks.

ChatML (Qwen, SmolLM), Llama 3, Gemma, Zephyr and Phi, and Mistral's and Llama 2's `[INST]`. A text is a
family's only if it is so from its beginning to its end."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from finewright.rows.notes import Json, RowNotes, kind_of_json, show_value

_TEXTS = ("text", "reasoning")
_CALLS = ("tool_call", "tool_calls")


class SpokenParts(NamedTuple):
    """What the parts say: text, a thought, and calls that are not parsed yet, each with its place."""

    text: str
    thought: str
    calls: list[tuple[str, Any]]  # Any: free JSON


def has_values(content: object) -> bool:
    """Whether it is a list of parts that say something under `value`."""
    return isinstance(content, list) and any(
        isinstance(part, dict) and "value" in part and "type" in part for part in content
    )


def read_parts(place: str, parts: list[Any], notes: RowNotes) -> SpokenParts:
    """What the parts at that place say; what is no such part is an error."""
    said: dict[str, list[str]] = {kind: [] for kind in _TEXTS}
    calls: list[tuple[str, Any]] = []
    for i, part in enumerate(parts):
        kind, value = _kind_and_value(part)
        if kind in _CALLS:
            calls.append((f"{place}[{i}].value", value))
        elif kind not in _TEXTS:
            found = f"a part of type {show_value(kind)}" if kind else kind_of_json(part)
            what = f"{found}; parts are of type text, reasoning or tool_call"
            notes.error(f"{place}[{i}]", what)
        elif isinstance(value, str):
            said[str(kind)].append(value)
        else:
            notes.error(f"{place}[{i}].value", f"{kind_of_json(value)}; text is expected")
    return SpokenParts("".join(said["text"]), "".join(said["reasoning"]), calls)


def _kind_and_value(part: object) -> tuple[object, object]:
    if not isinstance(part, dict):
        return None, None
    given: Json = part
    return given.get("type"), given.get("value", given.get("text"))


MARKS = r"<\|[^|<>]*\|>|</?s>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>"
_ROLES = {"model": "assistant", "ipython": "tool"}
_SPOKEN = ("system", "user", "assistant")
# What stands before and after what is said.
_TURNS = (
    (r"<\|im_start\|>(?P<role>\w+)\n", r"<\|im_end\|>\n?"),
    (r"<\|start_header_id\|>(?P<role>\w+)<\|end_header_id\|>\n\n", r"<\|eot_id\|>"),
    (r"<start_of_turn>(?P<role>\w+)\n", r"<end_of_turn>\n?"),
    (r"<\|(?P<role>system|user|assistant)\|>\n", r"(?:<\|end\|>|</s>|<\|endoftext\|>)\n?"),
)
# Atomic groups: an end that is not there is looked for once, and not from each beginning.
_EXCHANGE = (
    r"(?:<s>)? ?\[INST\] (?>(?:<<SYS>>\n(?P<system>.*?)\n<</SYS>>\n\n)?)"
    r"(?>(?P<user>.*?) ?\[/INST\]) ?(?P<assistant>.*?) ?</s>"
)
_OPEN_EXCHANGE = r"(?:<s>)?\s*\[INST\]\s?(?P<user>.*?)\s?\[/INST\]\s?(?P<assistant>.*?)(?:</s>|\Z)"


def _families(patterns: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.DOTALL) for pattern in patterns)


_WHOLE = _families((*(rf"{begin}(?P<said>.*?){end}" for begin, end in _TURNS), _EXCHANGE))
_OPEN = _families(
    (*(rf"{begin}(?P<said>.*?)(?:{end}|\Z)" for begin, end in _TURNS), _OPEN_EXCHANGE)
)
_MARK = re.compile(MARKS)
_BEGINS = re.compile(r"<s>|<\|begin_of_text\|>|<bos>|<\|startoftext\|>")
_END = r"(?:</s>|<\|endoftext\|>|<\|end_of_text\|>|<eos>)"
_ENDS = re.compile(rf"{_END}\s*\Z")
_REST = re.compile(rf"{_END}?\n?")


class RenderedTurn(NamedTuple):
    """Who speaks, and from where to where in the text."""

    role: str
    start: int
    end: int


def turns_in(text: str) -> list[RenderedTurn]:
    """The turns of the text, of which the last may be open; none where no family has written it whole."""
    begin, end = bare(text)
    for family in _OPEN:
        found, at = _split_by_family(family, text, begin, end)
        if found and not text[at:end].strip():
            return [turn for turn in found if turn.start < turn.end or turn.role != "assistant"]
    return []


def whole_turns_in(text: str) -> list[RenderedTurn]:
    """The turns of the text where a family has written each of its characters, each turn is closed, and none
    says a mark; none where that is not so, or nobody asks or answers."""
    begins = _BEGINS.match(text)
    for family in _WHOLE:
        found, at = _split_by_family(family, text, begins.end() if begins else 0, len(text))
        if found and _REST.fullmatch(text, at):
            return found if _are_spoken(text, found) else []
    return []


def _are_spoken(text: str, turns: list[RenderedTurn]) -> bool:
    roles = {turn.role for turn in turns}
    is_answered = {"user", "assistant"} <= roles <= set(_SPOKEN)
    return is_answered and not any(_MARK.search(text, turn.start, turn.end) for turn in turns)


def _split_by_family(
    family: re.Pattern[str], text: str, begin: int, end: int
) -> tuple[list[RenderedTurn], int]:
    """The turns that the family has written, and where they end."""
    found, at = [], begin
    while at < end and (match := family.match(text, at)):
        groups = [name for name, said in match.groupdict().items() if said is not None]
        found += [_turn(match, name) for name in groups if name != "role"]
        at = match.end()
    return found, at


def bare(text: str) -> tuple[int, int]:
    """Where the text begins after a mark of its beginning, and where it ends before one of its end."""
    begins, ends = _BEGINS.match(text), _ENDS.search(text)
    begin = begins.end() if begins else 0
    return begin, max(begin, ends.start()) if ends else len(text)


def _turn(match: re.Match[str], group: str) -> RenderedTurn:
    name = match["role"] if group == "said" else group
    return RenderedTurn(_ROLES.get(name, name), *match.span(group))
