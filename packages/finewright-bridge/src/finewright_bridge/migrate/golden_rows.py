"""The golden set: prompts that are kept out of training, with the old model's answer to each.

A row is a conversation that ends with the old model's answer; `expected`, where it is known, is the right
one. Of an answer that calls tools the calls are compared, as one JSON text that is the same for the same
calls."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from finewright.data.validate import read_validated
from finewright.errors import DataError
from finewright.judge.answer import answer_of, text_to_compare
from finewright.rows.containers.found import ReadRow
from finewright.rows.identity import prompt_key, with_expected
from finewright.rows.texts import draw_places
from finewright.schema.common import Problem, errors_of
from finewright.schema.listing import list_problems
from finewright.schema.rows import Message, Row

_EXPECTED = "expected"


@dataclass(frozen=True, slots=True)
class GoldenRow:
    """A prompt, what the old model answered, and the right answer if it is known; calls as JSON text.

    `turn` is the answer as a message where it calls tools."""

    prompt: Row
    answer: str
    expected: str | None
    turn: Message | None = None

    @property
    def message(self) -> Message:
        """The answer as a message."""
        is_it = self.turn is not None and text_of(self.turn) == self.answer
        return self.turn if self.turn and is_it else {"role": "assistant", "content": self.answer}

    def to_json(self) -> dict[str, Any]:  # Any: free JSON
        """The row as the frozen file has it."""
        turns = [*self.prompt.messages, self.message]
        tools = {"tools": list(self.prompt.tools)} if self.prompt.tools else {}
        known = {} if self.expected is None else {_EXPECTED: self.expected}
        return {"messages": turns, **tools, **known}


class RowsFound(NamedTuple):
    """Usable rows of a file, and what must be said."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]


def read_files(paths: Sequence[Path]) -> RowsFound:
    """The rows of fine-tuning files: conversations, or preference pairs, but not both."""
    rows: list[Row] = []
    problems: list[Problem] = []
    types: dict[str, str] = {}
    for path in paths:
        found = read_validated(path)
        rows += found.rows
        problems += found.problems
        types |= dict.fromkeys(found.types, str(path))
    kinds = {
        "pairs" if name == "preference" else "conversations": path for name, path in types.items()
    }
    if len(kinds) > 1:
        both = " and ".join(f"{kind} ({path})" for kind, path in kinds.items())
        raise DataError(f"both {both} are here", hint="migrate them one after the other")
    if not rows and not errors_of(problems):
        raise DataError(f"{paths[0]}: no rows to train on")
    return RowsFound(tuple(rows), tuple(problems))


def collect_expected(rows: Sequence[Row]) -> dict[str, str]:
    """Question -> the answer that a row of the files has for it, as text."""
    found: dict[str, str] = {}
    for row in rows:
        answer = row.answer
        if row.prompt and answer and (text := text_of(answer)):
            found.setdefault(prompt_key(row), text)
    return found


def text_of(turn: Message) -> str:
    """What is compared of an answer: what it says after its thoughts or, where it calls tools, the calls."""
    answer = answer_of(turn)
    return text_to_compare(answer, answer)


def golden_row(prompt: Row, turn: Message, expected: str | None) -> GoldenRow:
    """The row of a prompt and the old model's turn."""
    return GoldenRow(prompt, text_of(turn), expected, turn if turn.get("tool_calls") else None)


def prompts_of(rows: Sequence[Row], most: int, seed: int = 0) -> tuple[Row, ...]:
    """At most so many different questions of the rows, drawn by the seed, in the order of the rows."""
    distinct = {prompt_key(row): i for i, row in reversed(list(enumerate(rows))) if row.prompt}
    places = sorted(distinct.values())
    known = collect_expected(rows)
    keys = [prompt_key(rows[i]) for i in places]
    drawn = draw_places(keys, [known.get(key, "").strip() for key in keys], most, seed)
    return tuple(_alone(rows[places[i]]) for i in drawn.places)


def draw_golden(rows: Sequence[GoldenRow], most: int, seed: int = 0) -> tuple[GoldenRow, ...]:
    """At most so many of the recorded rows, drawn by the seed, in their order; each label among the old
    answers has its share."""
    keys = [prompt_key(row.prompt) for row in rows]
    drawn = draw_places(keys, [row.answer.strip() for row in rows], most, seed)
    return tuple(rows[i] for i in drawn.places)


def read_recorded(
    path: Path, known: Mapping[str, str]
) -> tuple[list[GoldenRow], tuple[Problem, ...]]:
    """The rows of a recorded file, and what must be said of it; `known` has right answers by question.

    A row has `prompt` or `messages` and the old model's `answer`; or it ends with that answer."""
    checked = read_validated(path, change=whole)
    answered = [row for row in map(with_expected, checked.rows) if row]
    found = [_read_recorded_row(row, known) for row in answered]
    rows = list({prompt_key(row.prompt): row for row in reversed(found) if row.answer}.values())
    problems = list(checked.problems)
    problems += list_problems(_no_answer(row) for row in checked.rows if with_expected(row) is None)
    if empty := sum(not row.answer for row in found):
        problems.append(_left_out(path, empty, "are empty, or calls that cannot be read"))
    if repeats := len(found) - empty - len(rows):
        problems.append(_left_out(path, repeats, "are to a prompt that was there before"))
    return rows[::-1], tuple(problems)


def golden_text(rows: Sequence[GoldenRow]) -> str:
    """The frozen file: a line a row."""
    return "".join(json.dumps(row.to_json(), ensure_ascii=False) + "\n" for row in rows)


def whole(row: ReadRow) -> ReadRow:
    """The row with its `answer` as the last turn of the conversation, where it has turns."""
    for key in ("messages", "prompt"):
        turns, answer = row.data.get(key), row.data.get("answer")
        if isinstance(turns, list) and isinstance(answer, str):
            others = {k: v for k, v in row.data.items() if k not in (key, "answer")}
            said = [*turns, {"role": "assistant", "content": answer}]
            return row._replace(data={**others, "messages": said})
    return row


def _no_answer(row: Row) -> Problem:
    return Problem(
        level="error",
        file=row.file,
        row=row.row,
        key="answer",
        message="the old model's answer is missing",
        hint="add it, or leave the row out",
    )


def _read_recorded_row(row: Row, known: Mapping[str, str]) -> GoldenRow:
    prompt = _alone(row)
    own = row.columns.get(_EXPECTED)
    if own is not None and not isinstance(own, str):
        own = json.dumps(own, ensure_ascii=False, separators=(",", ":"))
    expected = own if own is not None else known.get(prompt_key(row))
    return golden_row(prompt, row.answer or {}, expected)


def _alone(row: Row) -> Row:
    return replace(row, messages=row.prompt, rejected=None, label=None, columns={})


def _left_out(path: Path, number: int, why: str) -> Problem:
    message = f"{number} answers {why}: left out"
    return Problem(level="warning", file=str(path), message=message)


def rows_to_measure(rows: Sequence[GoldenRow]) -> Iterator[Row]:
    """The golden rows as rows that measure: each ends with the old model's answer."""
    for row in rows:
        yield replace(row.prompt, messages=(*row.prompt.messages, row.message))
