"""All that a row says, text by text: what the checks of the door read, and change.

A part of many rows, drawn by chance and a seed, that looks like the whole."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from finewright.judge.labels import labels_of
from finewright.rows.identity import renew_id
from finewright.schema.rows import (
    NUMBER,
    Message,
    PairTexts,
    Row,
    RowParts,
    RowText,
    RowTexts,
    TaughtAnswer,
    calls_of,
    number_or_text,
    number_text,
)

_TURN = re.compile(r"messages\[(\d+)\]")


def passages(row: Row) -> Iterator[RowText]:
    """Every text of the row once, in order; a pair's shared prompt is not said twice.

    Of a message: its content, its thoughts, the arguments of its calls. Of a column: the texts in it."""
    yield from _conversation("messages", row.messages)
    if row.rejected is not None:
        shared = _num_alike(row.messages, row.rejected)
        yield from _conversation("rejected", row.rejected, first=shared)
    for name, value in row.columns.items():
        for place, text in leaves(f"columns.{name}", value):
            yield RowText(place, "column", text)


def parts_of(row: Row) -> RowParts:
    """What a row says, in parts; of a pair both answers. Of its columns only a prompt's count.

    What is said after the answer is none of them: nothing is learned from it."""
    parts = RowParts([], [], [], row.label, row.tools)
    found = row.answer_at
    answer_at = len(row.messages) if found is None else found
    for key, role, text in passages(row):
        turn = _TURN.match(key)
        if role == "system":
            parts.system.append(text)
        elif turn and int(turn[1]) < answer_at:
            parts.prompt.append(text)
        elif int(turn[1]) == answer_at if turn else row.is_prompt or role != "column":
            parts.answered.append(text)
    return parts


def row_texts(row: Row) -> RowTexts:
    """What detectors read of the row."""
    texts, learned = tuple(passages(row)), row.answers_at
    is_learned = set(learned)
    before = row.messages[: row.answer_at]
    return RowTexts(
        row.file,
        row.row,
        texts,
        question=text_of(turn for i, turn in enumerate(before) if i not in is_learned),
        before=text_of(before),
        answers=tuple(_answers(texts, learned)),
        label=row.label,
        pair=_pair_texts(row),
    )


def _answers(texts: Sequence[RowText], learned: Sequence[int]) -> Iterator[TaughtAnswer]:
    """Each turn that is learned, with all its texts: what it says, and the arguments of its calls."""
    of_turn: dict[str, list[str]] = {}
    for passage in texts:
        of_turn.setdefault(passage.key.partition(".")[0], []).append(passage.text)
    for at in learned:
        yield TaughtAnswer(at, "\n".join(of_turn.get(f"messages[{at}]", ())))


def _pair_texts(row: Row) -> PairTexts | None:
    if row.rejected is None:
        return None
    prompt = row.prompt
    sides = (turns[len(prompt) :] for turns in (row.messages, row.rejected))
    return PairTexts(text_of(prompt), *map(text_of, sides))


def numbers(row: Row) -> Iterator[RowText]:
    """The long numbers of the row's columns, and of arguments of calls that are objects, as texts.

    An identity number, a phone or a card is often one; see `number_text`. Those of a pair's shared prompt
    are given once."""
    rejected = row.rejected or ()
    shared = _num_alike(row.messages, rejected)
    for name, turns, first in (("messages", row.messages, 0), ("rejected", rejected, shared)):
        for i, turn in enumerate(turns[first:], start=first):
            for j, call in enumerate(calls_of(turn)):
                arguments = call["function"].get("arguments")
                if isinstance(arguments, dict):
                    place = f"{name}[{i}].tool_calls[{j}].function.arguments"
                    yield from _numbers(place, arguments)
    for name, value in row.columns.items():
        yield from _numbers(f"columns.{name}", value)


def with_texts(row: Row, change: Callable[[RowText], str]) -> Row:
    """The row with each text changed, and the id of what it says then; itself if nothing changed.

    `change` gets what `passages` gives, and `numbers`, which stay numbers where what it gives is one. A
    pair's shared prompt is changed for both sides alike."""
    messages = _change_turns("messages", row.messages, change)
    rejected = None
    if row.rejected is not None:
        shared = _num_alike(row.messages, row.rejected)
        others = _change_turns("rejected", row.rejected, change, first=shared)
        rejected = (*messages[:shared], *others)
    columns = {
        name: _map_texts(f"columns.{name}", "column", value, change)
        for name, value in row.columns.items()
    }
    changed = replace(row, messages=messages, rejected=rejected, columns=columns)
    if changed == row:
        return row
    return renew_id(replace(changed, id_before=row.id_before or row.id, keyless=None))


def prompt_text(row: Row) -> str:
    """What the row asks (its `prompt`), joined by newlines."""
    return text_of(row.prompt)


def answer_text(row: Row) -> str:
    """What the row's answer says, or nothing."""
    return str(row.answer["content"]) if row.answer else ""


def text_of(turns: Iterable[Message]) -> str:
    """What the turns say, joined by newlines."""
    return "\n".join(turn["content"] for turn in turns if turn["content"])


_SPOKEN = ("content", "reasoning_content")


def _conversation(name: str, turns: Sequence[Message], first: int = 0) -> Iterator[RowText]:
    for i, turn in enumerate(turns[first:], start=first):
        for key in _SPOKEN:
            if isinstance(turn.get(key), str) and turn[key]:
                yield RowText(f"{name}[{i}].{key}", turn["role"], turn[key])
        for j, call in enumerate(calls_of(turn)):
            place = f"{name}[{i}].tool_calls[{j}].function.arguments"
            for leaf, text in leaves(place, call["function"].get("arguments")):
                yield RowText(leaf, turn["role"], text)


def _change_turns(
    name: str, turns: Sequence[Message], change: Callable[[RowText], str], first: int = 0
) -> tuple[Message, ...]:
    later = enumerate(turns[first:], start=first)
    return tuple(_change_turn(f"{name}[{i}]", turn, change) for i, turn in later)


def _change_turn(place: str, turn: Message, change: Callable[[RowText], str]) -> Message:
    changed = dict(turn)
    for key in _SPOKEN:
        if isinstance(turn.get(key), str) and turn[key]:
            changed[key] = change(RowText(f"{place}.{key}", turn["role"], turn[key]))
    if turn.get("tool_calls"):
        changed["tool_calls"] = [
            _change_call(f"{place}.tool_calls[{j}]", turn["role"], call, change)
            for j, call in enumerate(turn["tool_calls"])
        ]
    return changed


def _change_call(
    place: str, role: str, call: dict[str, Any], change: Callable[[RowText], str]
) -> dict[str, Any]:
    function = call["function"]
    if "arguments" not in function:
        return call
    arguments = _map_texts(f"{place}.function.arguments", role, function["arguments"], change)
    return {**call, "function": {**function, "arguments": arguments}}


def leaves(place: str, value: object) -> Iterator[tuple[str, str]]:
    """(place, text) of every text in free JSON that is not empty; keys of objects are none of them."""
    if isinstance(value, str):
        if value:
            yield place, value
    else:
        for key, item in _items(place, value):
            yield from leaves(key, item)


def _items(place: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        yield from ((f"{place}.{key}", item) for key, item in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f"{place}[{i}]", item) for i, item in enumerate(value))


def _numbers(place: str, value: object) -> Iterator[RowText]:
    if text := number_text(value):
        yield RowText(place, NUMBER, text)
    else:
        for key, item in _items(place, value):
            yield from _numbers(key, item)


def _map_texts(place: str, role: str, value: Any, change: Callable[[RowText], str]) -> Any:
    # Any: free JSON
    if isinstance(value, str):
        return change(RowText(place, role, value)) if value else value
    if isinstance(value, dict):
        return {k: _map_texts(f"{place}.{k}", role, item, change) for k, item in value.items()}
    if isinstance(value, list | tuple):
        return [_map_texts(f"{place}[{i}]", role, item, change) for i, item in enumerate(value)]
    if said := number_text(value):
        changed = change(RowText(place, NUMBER, said))
        return value if changed == said else number_or_text(changed)
    return value


def _num_alike(one: Sequence[Message], other: Sequence[Message]) -> int:
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


_STEPS = 2**64


class DrawnRows(NamedTuple):
    """The rows in the order of the file, and whether each label among the answers has its share of them."""

    rows: tuple[Row, ...]
    is_stratified: bool


class DrawnPlaces(NamedTuple):
    """The places in rising order, and whether each label has its share of them."""

    places: tuple[int, ...]
    is_stratified: bool


def draw_rows(rows: Sequence[Row], count: int, seed: int) -> DrawnRows:
    """`count` of the rows, as `draw_places` draws them by their answers; all where there are no more."""
    answers = [answer_text(row).strip() for row in rows]
    drawn = draw_places([row.id for row in rows], answers, count, seed)
    return DrawnRows(tuple(rows[i] for i in drawn.places), drawn.is_stratified)


def draw_places(keys: Sequence[str], answers: Sequence[str], count: int, seed: int) -> DrawnPlaces:
    """Places of `count` items, each drawn with the same chance; all where there are no more.

    Where the answers are labels, every label gets its share, rounded up or down: systematic sampling of the
    items in the order of their labels (Madow and Madow 1944), so a mean over what is drawn is unbiased, and
    no label is lost whose share is one item or more. The same keys and seed draw the same, wherever a file
    lies."""
    if len(keys) <= count:
        return DrawnPlaces(tuple(range(len(keys))), is_stratified=False)
    chances = [_chance(f"{seed}:{key}:{i}") for i, key in enumerate(keys)]
    order = sorted(range(len(keys)), key=chances.__getitem__)
    if not labels_of(answers):
        return DrawnPlaces(tuple(sorted(order[:count])), is_stratified=False)
    # Labels too stand in an order of chance, so that the file's order decides over none of them.
    label_order = {label: _chance(f"{seed}:label:{label}") for label in set(answers)}
    order.sort(key=lambda i: label_order[answers[i]])
    step = len(order) / count
    start = step * _chance(f"{seed}:start")
    chosen = {order[min(int(start + k * step), len(order) - 1)] for k in range(count)}
    return DrawnPlaces(tuple(sorted(chosen)), is_stratified=True)


def _chance(text: str) -> float:
    """A number in [0, 1) that is even over texts."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / _STEPS
