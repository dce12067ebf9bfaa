"""Our own shapes, which are TRL's: prompt and completion, pairs, labelled answers, prompts.

https://huggingface.co/docs/trl/dataset_formats. A `system` text beside a `prompt` is its first turn, as
in Axolotl and LLaMA-Factory; TRL has no such key and would leave it unread."""

from collections.abc import Iterator, Mapping
from typing import Any

from finewright.rows.containers.json_rules import is_turn
from finewright.rows.formats.native import (
    Expected,
    KeyedMessage,
    KeyPlace,
    Native,
    form,
    native,
    text,
)
from finewright.rows.formats.propose import rivals_of
from finewright.rows.formats.sharegpt import answer
from finewright.rows.formats.turns import are_ours, tools_of, turns
from finewright.rows.notes import Json, RowNotes
from finewright.schema.common import without
from finewright.schema.data import DataType

_SIDES = ("prompt", "completion", "chosen", "rejected")


_RATINGS = {"true": True, "false": False, "1": True, "0": False}


def is_liking(label: object) -> bool:
    """Whether it is a boolean, or meant as one. Other labels, such as a class, are columns."""
    return label in (0, 1) or (isinstance(label, str) and label.strip().lower() in _RATINGS)


def read_rating(label: object, expected: Expected) -> object:
    """The label; where rated answers are asked for, 1 is liked and 0 is not, as text as well."""
    is_meant = expected == "unpaired_preference" and label is not None
    return _RATINGS.get(str(label).strip().lower(), label) if is_meant else label


def _as(type: DataType, data: Json, own: tuple[str, ...], notes: RowNotes) -> Iterator[Native]:
    row = _split_columns(type, data, own)
    for name in own:
        value = row.data[name]
        is_other = not are_ours(value) if isinstance(value, list) else is_turn(value)
        if name in _SIDES and is_other:
            row = _respell(row, name, notes)
    yield _after_system(row, notes) if isinstance(row.columns.get("system"), str) else row


def _split_columns(type: DataType, data: Json, own: tuple[str, ...]) -> Native:
    """Our own keys, and the columns beside them."""
    columns = {k: v for k, v in data.items() if k not in own and k != "tools"}
    if columns.get("system", "") is None:
        del columns["system"]
    made = without(data, columns)
    made.update({name: found.value for name, found in tools_of(data).items()})
    if "functions" in columns and "tools" in made:
        del columns["functions"]
    return Native(type, made, columns)


def _respell(row: Native, name: str, notes: RowNotes) -> Native:
    value = row.data[name]
    said = turns(name, value, notes) if isinstance(value, list) else answer(name, value, notes)
    fresh = native(row.type, row.data, {name: said})
    return Native(row.type, {**row.data, **fresh.data}, row.columns, {**row.places, **fresh.places})


def _after_system(row: Native, notes: RowNotes) -> Native:
    """The row with `system` as the first turn of its prompt, if it has one and none of its own."""
    system, prompt = row.columns["system"], row.data.get("prompt")
    columns = without(row.columns, ("system",))
    if not isinstance(prompt, str | list) or not prompt:
        return row
    shift = _shift_places(prompt, row.places)
    if isinstance(prompt, str):
        prompt = [{"role": "user", "content": prompt}]
    first = prompt[0]
    if not system.strip():
        return row._replace(columns=columns)
    if isinstance(first, dict) and first.get("role") == "system":
        if first.get("content") != system:
            what = "the prompt begins with a system turn of its own, which is taken"
            notes.warning("system", what, "leave one of the two out")
        return row._replace(columns=columns)
    said: KeyedMessage = text("system", "system", system)
    places = {**row.places, **shift, "prompt[0]": KeyPlace("system", _TEXT)}
    data = {**row.data, "prompt": [said.message, *prompt]}
    return Native(row.type, data, columns, places)


_TEXT = {"role": "", "content": ""}


def _prompt_completion(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    return _as("prompt_completion", data, ("prompt", "completion"), notes)


def _preference(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    prompt = ("prompt",) if "prompt" in data else ()
    return _as("preference", data, (*prompt, "chosen", "rejected"), notes)


def _read_unpaired(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    made = {**data, "label": read_rating(data["label"], expected)}
    return _as("unpaired_preference", made, ("prompt", "completion", "label"), notes)


def _prompt_only(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    return _as("prompt_only", data, ("prompt",), notes)


def _is_labelled(data: Json, expected: Expected) -> bool:
    return expected == "unpaired_preference" or is_liking(data["label"])


def _has_no_answer(data: Json, expected: Expected) -> bool:
    """With two answers beside it, such as `response_1` and `response_2`, it is a pair: which is better?"""
    return expected != "auto" or not (any(k in data for k in _SIDES[1:]) or rivals_of(data))


# fmt: off
FORMS = (
    form("prompt_completion", "prompt completion", ("prompt_completion",), _prompt_completion,
         why="TRL's and Together's prompt and completion"),
    form("preference", "chosen rejected", ("preference",), _preference,
         why="TRL's preference pair: a better and a worse answer"),
    form("unpaired_preference", "prompt completion label", ("unpaired_preference",), _read_unpaired,
         _is_labelled, why="TRL's unpaired preference: an answer that was liked or not",
         mark="`prompt` with `completion`"),
    form("prompt_only", "prompt", ("prompt_only",), _prompt_only, _has_no_answer,
         why="TRL's prompt alone; its other keys are columns for rewards", weak=1),
)
# fmt: on


def _shift_places(prompt: str | list[Any], places: Mapping[str, KeyPlace]) -> dict[str, KeyPlace]:
    """Where the prompt's turns stand when one is put before them."""
    if isinstance(prompt, str):
        return {"prompt[1]": KeyPlace("prompt", _TEXT)}
    shift = {f"prompt[{i + 1}]": KeyPlace(f"prompt[{i}]") for i in range(len(prompt))}
    return shift | {f"prompt[{int(k[7:-1]) + 1}]": v for k, v in places.items() if k[6:7] == "["}
