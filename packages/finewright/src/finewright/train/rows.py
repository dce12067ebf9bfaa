"""What each training method takes: rows of other types become such rows, or it is said why not."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

from finewright.judge.answer import Answer, answer_of, text_to_compare
from finewright.schema.common import Problem
from finewright.schema.rewards import CALLS_COLUMN
from finewright.schema.rows import Row
from finewright.schema.train import Takes
from finewright.schema.train_section import METHODS, methods_that_take


class MethodRows(NamedTuple):
    """The rows as the method takes them, and an error for each file and reason with those it does not."""

    rows: list[Row]
    problems: list[Problem]


def rows_for(method: str, rows: Iterable[Row]) -> MethodRows:
    """Bring rows to what the method takes; what it cannot take is never left out without an error.

    Rows keep their ids, which say where they came from: two judged answers are made of one pair."""
    takes = METHODS[method].takes
    way = _WAYS[takes]
    taken: list[Row] = []
    refused: dict[tuple[str, _Refusal], list[Row]] = {}
    for row in rows:
        made = way.take(row)
        if isinstance(made, _Refusal):
            refused.setdefault((row.file, made), []).append(row)
        else:
            taken += made
    problems = [
        _problem(f"{method} takes {way.what}", refusal, found)
        for (_, refusal), found in refused.items()
    ]
    if takes == "judged answers" and taken and len({row.label for row in taken}) == 1:
        problems.append(_one_sided(method, taken))
    return MethodRows(taken, problems)


class _Refusal(NamedTuple):
    """What the rows are, and how to mend it."""

    what: str
    hint: str


_Taken = tuple[Row, ...] | _Refusal

_DEMONSTRATED = methods_that_take("conversations", "conversations or prompts")
_JUDGED = methods_that_take("judged answers")
_SAMPLING = methods_that_take("prompts")
_PAIRS = _Refusal(
    "preference pairs",
    f"train.method {methods_that_take('pairs', 'judged answers')} learns from them",
)
_LABELLED = _Refusal("answers with a `label`", f"train.method {_JUDGED} learns from them")
_PROMPTS = _Refusal(
    "prompts without an answer",
    f"name the answer `completion`, or let train.method {_SAMPLING} sample answers",
)
_CONVERSATIONS = _Refusal(
    "conversations with one answer",
    f"train.method {_DEMONSTRATED} learns from them; a pair has a `chosen` and a `rejected` answer",
)
_NOT_JUDGED = _Refusal(
    "conversations without a `label`",
    f"say with `label` whether the answer was liked; train.method {_DEMONSTRATED} learns from all of them",
)
_DOCUMENTS = _Refusal("raw text", "train.method sft or distill learns from it")
_UNASKED = _Refusal("answers to nothing", "add the question before the answer")


def _for_conversations(row: Row) -> _Taken:
    if fault := _fault_beside_pairs(row) or (_PAIRS if row.rejected is not None else None):
        return fault
    # A turn after the answer changes no earlier token and is not learned: it only costs time.
    return (replace(row, messages=row.messages[: (row.answer_at or 0) + 1]),)


def _for_either(row: Row) -> _Taken:
    if row.is_text:
        return _DOCUMENTS
    return (row,) if row.is_prompt else _for_conversations(row)


def _for_pairs(row: Row) -> _Taken:
    if row.rejected is not None:
        return (row,)
    return _fault_beside_pairs(row) or (_DOCUMENTS if row.is_text else _CONVERSATIONS)


def _for_judged(row: Row) -> _Taken:
    if row.rejected is not None:
        liked = replace(row, rejected=None, label=True)
        return liked, replace(liked, messages=row.rejected, label=False)
    if row.label is not None:
        return (row,)
    if "label" in row.columns:
        return _Refusal(
            f"answers whose `label` is {json.dumps(row.columns['label'])[:40]}",
            "write true (liked) or false (disliked), without quotes",
        )
    return _PROMPTS if row.is_prompt else _NOT_JUDGED


def _for_sampling(row: Row) -> _Taken:
    if row.is_prompt:
        return (row,)
    if row.label is not None:
        return _LABELLED
    if row.is_text:
        return _DOCUMENTS
    if not row.answer_at or not row.answer:
        return _UNASKED
    before = row.messages[: row.answer_at]
    prompt = tuple({**m, "weight": 0} if m["role"] == "assistant" else m for m in before)
    due = answer_of(row.answer)
    if due.fault:
        return _Refusal(f"rows whose answer has {due.fault}", "fix the answer, or leave it out")
    columns = {**_columns_of_expected(due), **row.columns}
    return (replace(row, messages=prompt, rejected=None, columns=columns),)


def _columns_of_expected(due: Answer) -> dict[str, Any]:
    """The columns that a reward compares answers with."""
    calls = [{"name": call.name, "arguments": call.arguments} for call in due.calls]
    expected = {"answer": text_to_compare(due, due), CALLS_COLUMN: calls}
    return {key: value for key, value in expected.items() if value}


class _Way(NamedTuple):
    """How a method that takes such rows comes by them, and what they are called to the user."""

    what: str
    take: Callable[[Row], _Taken]


_PROMPTED = "prompts, or conversations and pairs whose answers are taken for the expected ones"
_WAYS: Mapping[Takes, _Way] = {
    "conversations": _Way(
        "conversations (`messages`, or `prompt` and `completion`)", _for_conversations
    ),
    "pairs": _Way("preference pairs (`chosen` and `rejected`)", _for_pairs),
    "judged answers": _Way("answers with a `label`, or preference pairs", _for_judged),
    "prompts": _Way(_PROMPTED, _for_sampling),
    "conversations or prompts": _Way("conversations, or prompts alone", _for_either),
}


def _fault_beside_pairs(row: Row) -> _Refusal | None:
    if row.label is not None:
        return _LABELLED
    return _PROMPTS if row.is_prompt else None


def _problem(takes: str, refusal: _Refusal, rows: list[Row]) -> Problem:
    # A misspelled key makes a prompt of what was meant as more, so the other keys are told.
    keys = dict.fromkeys(chain.from_iterable(row.columns for row in rows))
    found = ", ".join(f"`{key}`" for key in list(keys)[:8])
    beside = f"; found beside `prompt`: {found}" if refusal is _PROMPTS and found else ""
    many = f"{len(rows)} rows are" if len(rows) > 1 else "1 row is of the"
    return Problem(
        level="error",
        file=rows[0].file,
        row=rows[0].row,
        key="train.method",
        message=f"{many} {refusal.what}, this one first; {takes}",
        hint=f"{refusal.hint}{beside}",
    )


def _one_sided(method: str, rows: list[Row]) -> Problem:
    which = "liked" if rows[0].label else "disliked"
    return Problem(
        level="warning",
        key="data.sources",
        message=f"all {len(rows)} answers are {which}: {method} learns from the difference",
        hint=f"add rows whose `label` is {str(not rows[0].label).lower()}",
    )
