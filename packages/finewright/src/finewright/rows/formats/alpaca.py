"""Alpaca: an instruction, an optional input, and an output; with LLaMA-Factory's additions.

https://github.com/tatsu-lab/stanford_alpaca and LLaMA-Factory's data/README.md: instruction and input are
joined by a newline; `history` holds earlier pairs, whose answers are learned too; `system` stands first;
`chosen` and `rejected` make a pair, `kto_tag` a labelled answer. Stanford's prompt ("Below is an
instruction ...") is not written around it: the model's own chat template is."""

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
from finewright.rows.formats.turns import text_or_error, tools_of, with_system
from finewright.rows.notes import Json, RowNotes, kind_of_json

_OWN = ("instruction", "input", "system", "history")


def history(data: Json, notes: RowNotes) -> list[KeyedMessage]:
    """Earlier turns out of pairs of question and answer."""
    pairs = data.get("history")
    if not pairs:
        return []
    if not isinstance(pairs, list):
        notes.error("history", f"{kind_of_json(pairs)}; a list of [question, answer] is expected")
        return []
    said = []
    for i, pair in enumerate(pairs):
        if not isinstance(pair, list) or len(pair) != len(_PAIR):
            notes.error(f"history[{i}]", "a pair of question and answer is expected")
            continue
        said += [text(f"history[{i}][{j}]", role, pair[j]) for j, role in enumerate(_PAIR)]
    return said


_PAIR = ("user", "assistant")


def _prompt(data: Json, notes: RowNotes) -> Side:
    parts = [(key, text_or_error(key, data.get(key), notes)) for key in ("instruction", "input")]
    filled = [(key, part) for key, part in parts if part]
    if not filled:
        notes.error("instruction", "empty: nothing is asked", "write it, or leave the row out")
    key = filled[0][0] if filled else "instruction"
    question = text(key, "user", "\n".join(part for _, part in filled))
    return with_system([*history(data, notes), question], data, notes)


def _read_answer(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    prompt = _prompt(data, notes)
    output = data["output"]
    if isinstance(output, list) and output and all(isinstance(each, str) for each in output):
        what = "a list of texts; one answer is expected"
        mend = "of a better and a worse answer, write `chosen` and `rejected`"
        notes.error("output", what, mend)
        return
    said = [*_list(prompt), text("output", "assistant", output)]
    yield native("messages", data, {"messages": said}, tools_of(data), _OWN)


def _read_label(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    said = [*_list(_prompt(data, notes)), text("output", "assistant", data["output"])]
    key = "kto_tag" if "kto_tag" in data else "label"
    more = {**tools_of(data), "label": KeyedValue(key, data[key])}
    yield native("unpaired_preference", data, {"messages": said}, more, _OWN)


def _preference(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    sides: dict[str, Side] = {"prompt": _prompt(data, notes)}
    sides |= {name: KeyedValue(name, data[name]) for name in ("chosen", "rejected")}
    yield native("preference", data, sides, tools_of(data), _OWN)


def _list(side: Side) -> list[KeyedMessage]:
    return [] if isinstance(side, KeyedValue) else list(side)


def _is_tagged(data: Json, expected: Expected) -> bool:
    return data["kto_tag"] is not None if "kto_tag" in data else isinstance(data["label"], bool)


# fmt: off
FORMS = (
    form("alpaca", "instruction output", ("messages", "prompt_completion"), _read_answer,
         why="Alpaca: `instruction`, `input` and `output`"),
    form("alpaca", "instruction output kto_tag", ("unpaired_preference",), _read_label, _is_tagged,
         why="Alpaca with `kto_tag`: was the output liked?"),
    form("alpaca", "instruction output label", ("unpaired_preference",), _read_label, _is_tagged,
         why="Alpaca with `label`: was the output liked?"),
    form("alpaca", "instruction chosen rejected", ("preference",), _preference,
         why="Alpaca with a better and a worse output", yields_to="prompt"),
)
# fmt: on
