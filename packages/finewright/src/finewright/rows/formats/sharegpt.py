"""ShareGPT: `conversations` whose turns have `from` and `value`; with LLaMA-Factory's additions.

LLaMA-Factory's data/README.md: `function_call` is JSON of a call and `observation` its result, `tools`
is JSON text, `system` stands first, `chosen` and `rejected` are one message each, and `kto_tag` labels the
last answer. Turns with `role` and `content` under `conversations` are taken too (Axolotl's
`field_messages`), and `conversation` of ms-swift's
{"human", "assistant"} and XTuner's {"system", "input", "output"}. Unlike LLaMA-Factory, a row of
an odd number of turns is not skipped without a word."""

from collections.abc import Iterator
from functools import partial

from finewright.rows.formats.native import (
    Expected,
    KeyedValue,
    Native,
    Side,
    form,
    native,
    text,
)
from finewright.rows.formats.turns import (
    SHAREGPT_ROLES,
    is_prompt,
    tools_of,
    turns,
    with_system,
)
from finewright.rows.notes import Json, RowNotes

_OWN = ("conversations", "conversation", "system")


def _are_turns(key: str, data: Json, expected: Expected) -> bool:
    """Whether there are objects in the list. Texts alone do not say who speaks."""
    value = data[key]
    are_texts = isinstance(value, list) and all(isinstance(said, str) for said in value)
    return not (are_texts and len(value) > 1)


def _conversation(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    said = _read_conversation(data, notes)
    if is_prompt(said, expected):
        yield native("prompt_only", data, {"prompt": said}, tools_of(data), _OWN)
    else:
        yield native("messages", data, {"messages": said}, tools_of(data), _OWN)


def _read_label(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    key = "kto_tag" if "kto_tag" in data else "label"
    more = {**tools_of(data), "label": KeyedValue(key, data[key])}
    yield native(
        "unpaired_preference", data, {"messages": _read_conversation(data, notes)}, more, _OWN
    )


def _preference(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    sides = {"prompt": _read_conversation(data, notes)}
    sides |= {name: answer(name, data[name], notes) for name in ("chosen", "rejected")}
    yield native("preference", data, sides, tools_of(data), _OWN)


def answer(key: str, value: object, notes: RowNotes) -> Side:
    """One answer: a message, a list of them, or text."""
    if not isinstance(value, dict):
        return turns(key, value, notes, SHAREGPT_ROLES)
    side = turns(key, [value], notes, SHAREGPT_ROLES)
    # A message alone stands at the key itself, not at the first place of a list.
    return side if isinstance(side, KeyedValue) else [said._replace(key=key) for said in side]


def _read_conversation(data: Json, notes: RowNotes) -> Side:
    if "conversations" in data:
        side = turns("conversations", data["conversations"], notes, SHAREGPT_ROLES)
    else:
        side = _exchanges("conversation", data["conversation"], notes)
    return with_system(side, data, notes)


# Who speaks, and the key of what is said: ms-swift's, and XTuner's.
_EXCHANGES = (
    (("user", "human"), ("assistant", "assistant")),
    (("system", "system"), ("user", "input"), ("assistant", "output")),
)


def _exchanges(key: str, exchanges: object, notes: RowNotes) -> Side:
    """A question and its answer in one object."""
    if not isinstance(exchanges, list) or not exchanges:
        return KeyedValue(key, exchanges)
    for names in _EXCHANGES:
        question = dict(names)["user"]
        if all(isinstance(each, dict) and question in each for each in exchanges):
            return [
                text(f"{key}[{i}].{name}", role, each[name])
                for i, each in enumerate(exchanges)
                for role, name in names
                if name in each and (role != "system" or each[name])
            ]
    return turns(key, exchanges, notes, SHAREGPT_ROLES)


def _is_tagged(data: Json, expected: Expected) -> bool:
    return data["kto_tag"] is not None if "kto_tag" in data else isinstance(data["label"], bool)


# fmt: off
FORMS = (
    form("sharegpt", "conversations", ("messages", "prompt_only"), _conversation,
         partial(_are_turns, "conversations"), why="ShareGPT: `conversations` of turns"),
    form("sharegpt", "conversation", ("messages", "prompt_only"), _conversation,
         partial(_are_turns, "conversation"), why="ShareGPT: `conversation` of turns"),
    form("sharegpt", "conversations kto_tag", ("unpaired_preference",), _read_label, _is_tagged,
         why="ShareGPT with `kto_tag`: was the last answer liked?"),
    form("sharegpt", "conversations label", ("unpaired_preference",), _read_label, _is_tagged,
         why="ShareGPT with `label`: was the last answer liked?"),
    form("sharegpt", "conversations chosen rejected", ("preference",), _preference,
         why="ShareGPT with a better and a worse answer"),
)
# fmt: on
