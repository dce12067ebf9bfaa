"""HH-RLHF: whole conversations as text, "\\n\\nHuman: ...\\n\\nAssistant: ...", a pair or an answer.

https://github.com/anthropics/hh-rlhf. Nothing in such a text escapes its own marks: an answer that quotes
"\\n\\nHuman:" reads as two turns, here as for everyone."""

import re
from collections.abc import Iterator

from finewright.rows.formats.native import (
    Expected,
    KeyedMessage,
    KeyedValue,
    Native,
    Side,
    form,
    native,
    text,
)
from finewright.rows.notes import Json, RowNotes

_MARK = re.compile(r"(?:^|\n\n)(Human|Assistant):(?: |(?=\n|$))")
_ROLES = {"Human": "user", "Assistant": "assistant"}


def _pair(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    if "prompt" in data:
        sides: dict[str, Side] = {"prompt": prompt_turns("prompt", data["prompt"])}
        sides |= {key: KeyedValue(key, data[key].strip()) for key in ("chosen", "rejected")}
    else:
        sides = {key: _turns(key, data[key]) for key in ("chosen", "rejected")}
    yield native("preference", data, sides)


def _read_label(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    sides: dict[str, Side] = {
        "prompt": prompt_turns("prompt", data["prompt"]),
        "completion": KeyedValue("completion", data["completion"].strip()),
    }
    if "label" in data:
        more = {"label": KeyedValue("label", data["label"])}
        yield native("unpaired_preference", data, sides, more)
    else:
        yield native("prompt_completion", data, sides)


def _prompt(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    yield native("prompt_only", data, {"prompt": prompt_turns("prompt", data["prompt"])})


def _whole(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    yield native("messages", data, {"messages": _turns("text", data["text"])})


def _turns(key: str, conversation: str) -> list[KeyedMessage]:
    _, *parts = _MARK.split(conversation.lstrip())
    return [
        text(key, _ROLES[name], content.strip())
        for name, content in zip(parts[::2], parts[1::2], strict=True)
    ]


def prompt_turns(key: str, conversation: str) -> list[KeyedMessage]:
    """A prompt's turns; it may end with the mark of the answer."""
    said = _turns(key, conversation)
    is_open = said[-1].message["role"] == "assistant" and not said[-1].message["content"]
    return said[:-1] if is_open else said


def is_dialogue(value: object) -> bool:
    """Whether it is a text that begins with a turn of its own."""
    return isinstance(value, str) and value.lstrip().startswith("Human:")


def _are_dialogues(data: Json, expected: Expected) -> bool:
    both = (data["chosen"], data["rejected"])
    if not all(isinstance(side, str) for side in both):
        return False
    return is_dialogue(data["prompt"]) if "prompt" in data else all(map(is_dialogue, both))


def _is_prompt(data: Json, expected: Expected) -> bool:
    return is_dialogue(data["prompt"]) and isinstance(data.get("completion", ""), str)


def _is_answered(data: Json, expected: Expected) -> bool:
    return is_dialogue(data["text"]) and "\n\nAssistant:" in data["text"]


def _is_judged(data: Json, expected: Expected) -> bool:
    return isinstance(data["label"], bool) and _is_prompt(data, expected)


def _is_not_judged(data: Json, expected: Expected) -> bool:
    return "label" not in data and _is_prompt(data, expected)


def _is_alone(data: Json, expected: Expected) -> bool:
    has_answer = not {"completion", "chosen", "rejected"}.isdisjoint(data)
    return _is_prompt(data, expected) and (expected == "prompt_only" or not has_answer)


_WHY = 'HH-RLHF: text that begins with "Human:"'
# fmt: off
FORMS = (
    form("hh_rlhf", "chosen rejected", ("preference",), _pair, _are_dialogues, why=_WHY, is_close=True),
    form("hh_rlhf", "prompt completion", ("prompt_completion",), _read_label, _is_not_judged,
         why=_WHY, is_close=True),
    form("hh_rlhf", "prompt label completion", ("unpaired_preference",), _read_label, _is_judged,
         why=_WHY, is_close=True, mark="`prompt` with `label` with `completion`"),
    form("hh_rlhf", "prompt", ("prompt_only",), _prompt, _is_alone, why=_WHY, weak=1, is_close=True),
    form("hh_rlhf", "text", ("messages",), _whole, _is_answered, why=_WHY, is_close=True),
)
# fmt: on
