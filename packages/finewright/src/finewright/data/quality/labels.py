"""How even the labels are, and which rows contradict each other."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from finewright.data.quality.figures import MOST_NAMED, bar, bars, notice, ref
from finewright.judge.labels import labels_of
from finewright.rows.identity import prompt_key
from finewright.rows.texts import answer_text
from finewright.schema.common import Problem
from finewright.schema.data_check import Bar, Figure
from finewright.schema.rows import Message, Row

_UNEVEN = 0.9


class LabelFindings(NamedTuple):
    """A figure, and what must be said about it."""

    figure: Figure | None
    problems: tuple[Problem, ...] = ()


def label_balance(rows: Sequence[Row]) -> LabelFindings:
    """Rows by label: liked or not, or the answer itself where answers are few and short.

    No figure where rows have no labels. A warning when one label has 90 % of the rows or more."""
    groups = _labels(rows)
    if not groups:
        return LabelFindings(None)
    total = sum(map(len, groups.values()))
    figure = Figure(
        name="labels",
        title="Labels",
        about="The `label` of the rows, or their answers where they are few, short and repeated.",
        kind="bars",
        rows=total,
        bars=bars(groups),
    )
    label, largest = max(groups.items(), key=lambda item: len(item[1]))
    if len(largest) < _UNEVEN * total:
        return LabelFindings(figure)
    share = f"{100 * len(largest) / total:.0f} %"
    message = f"{share} of {total} labelled rows say {label!r}"
    hint = "a model that always says so scores as much; add rows of the other labels"
    return LabelFindings(figure, (notice(largest, "label", message, hint),))


def conflicts(rows: Sequence[Row]) -> LabelFindings:
    """Rows that ask the same and answer differently, pairs that are each other's reverse, and
    answers that are both liked and disliked. Space and weights do not count as a difference.

    Several answers to one question may be meant, as in a set of paraphrases."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if not row.is_prompt:
            groups[prompt_key(row)].append(row)
    kinds: dict[str, list[list[Row]]] = defaultdict(list)
    for same in groups.values():
        if len(same) > 1:
            for kind, found in _conflicts(same).items():
                kinds[kind].append(found)
    shown = tuple(_conflict_bar(kind, found) for kind, found in sorted(kinds.items()))
    figure = Figure(
        name="conflicts",
        title="Rows that contradict each other",
        about="The same prompt, to the letter, with another answer or the opposite preference. "
        "Rows of one prompt stand together.",
        kind="bars",
        rows=len(rows),
        bars=shown,
    )
    problems = [
        notice(
            found[0],
            "",
            f"{sum(map(len, found))} rows: {kind}; this one first",
            "keep the right one, unless several answers are meant",
        )
        for kind, found in sorted(kinds.items())
    ]
    return LabelFindings(figure, tuple(problems))


def _labels(rows: Sequence[Row]) -> Mapping[str, list[Row]]:
    labelled = [row for row in rows if row.label is not None]
    if labelled:
        return _group_rows(labelled, ["liked" if row.label else "disliked" for row in labelled])
    answers = [
        "" if row.is_prompt or row.rejected is not None else answer_text(row) for row in rows
    ]
    return _group_rows(rows, map(str.strip, answers)) if labels_of(answers) else {}


def _group_rows(rows: Sequence[Row], names: Iterable[str]) -> Mapping[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row, name in zip(rows, names, strict=True):
        groups[name].append(row)
    return groups


def _conflicts(same: Sequence[Row]) -> dict[str, list[Row]]:
    """Of rows that ask the same: kind of contradiction -> the rows in it."""
    plain = [row for row in same if row.rejected is None and row.label is None]
    found = {
        "one prompt, several answers": plain if len(set(map(_answer, plain))) > 1 else [],
        "one answer, liked and disliked": _find_liked_and_disliked(same),
        "one pair, both ways round": _both_ways(same),
    }
    return {kind: rows for kind, rows in found.items() if rows}


def _find_liked_and_disliked(same: Sequence[Row]) -> list[Row]:
    liked: dict[bool, dict[str, list[Row]]] = {True: {}, False: {}}
    for row in same:
        if row.label is not None:
            liked[row.label].setdefault(_answer(row), []).append(row)
    both = sorted(liked[True].keys() & liked[False].keys())
    return [row for answer in both for side in (True, False) for row in liked[side][answer]]


def _both_ways(same: Sequence[Row]) -> list[Row]:
    pairs = [(row, _answer(row), _rejection_of(row)) for row in same if row.rejected is not None]
    directions = {(chosen, rejected) for _, chosen, rejected in pairs if chosen != rejected}
    return [row for row, chosen, rejected in pairs if (rejected, chosen) in directions]


def _conflict_bar(kind: str, groups: Sequence[Sequence[Row]]) -> Bar:
    rows = [row for group in groups for row in group]
    named = tuple(ref(row) for row in rows[:MOST_NAMED])
    label = f"{kind} ({len(groups)} prompt{'s' if len(groups) > 1 else ''})"
    return bar(label, rows).model_copy(update={"rows": named, "is_notable": True})


def _answer(row: Row) -> str:
    return _text_of_turns(row.messages[len(row.prompt) :])


def _rejection_of(row: Row) -> str:
    return _text_of_turns((row.rejected or ())[len(row.prompt) :])


def _text_of_turns(turns: Sequence[Message]) -> str:
    plain = [
        {
            key: " ".join(value.split()) if isinstance(value, str) else value
            for key, value in turn.items()
            if key != "weight"
        }
        for turn in turns
    ]
    return json.dumps(plain, sort_keys=True, ensure_ascii=False)
