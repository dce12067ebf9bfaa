"""Rows that do not fit: 3 % of the labels changed at random, or of the pairs turned round."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from bars import Bar
from door_parts.real_sets import is_of_labels, real_sets, said
from finewright.lm.embedders.meaning import meaning
from finewright.rows.texts import row_texts
from finewright.schema.poison import PoisonSpec
from finewright.schema.rows import PairTexts, Row
from finewright_trust.misfits.find import Labelled, Misfits, find_reversed_pairs, wrong_labels

_RATE, _DRAWS = 0.03, 3
_RECALL, _PRECISION, _CLEAN = 0.7, 0.8, 0.005
_FEWEST = 5


class _Set(NamedTuple):
    """A set of so many rows, and what is found where those at some places are made wrong."""

    name: str
    num_rows: int
    look: Callable[[frozenset[int], random.Random], Misfits | None]


def bars(sets: Path) -> Iterator[Bar]:
    """Of each set what is found, how much of it was changed, and what is named where nothing was.

    Rows that nobody changed count as false alarms, though sets have wrong labels of their own. Where a set
    says that it cannot tell, nothing is named: a recall of 0 and no precision. Without files of yours:
    questions by their database, and the documentation of Python by its module."""
    for name, num_rows, look in _sets(sets):
        num = len(_places(look(frozenset(), random.Random(0))))  # noqa: S311 - no secrets are drawn
        on = f"{name}: {num} of {num_rows}"
        yield Bar("clean rows called misfits", num / num_rows, _CLEAN, at_most=True, on=on)
        changed = right = named = 0
        for draw in range(_DRAWS):
            rng = random.Random(f"{name} {draw}")  # noqa: S311
            wrong = frozenset(rng.sample(range(num_rows), round(_RATE * num_rows)))
            found = _places(look(wrong, rng))
            changed, named = changed + len(wrong), named + len(found)
            right += len(found & wrong)
        on = f"{name}: {right} of {changed}, {named} named" if named else f"{name} cannot tell"
        yield Bar("misfits found", right / changed, _RECALL, on=on)
        if named:
            yield Bar("precision of misfits", right / named, _PRECISION, on=on)


def _places(found: Misfits | None) -> set[int]:
    return {misfit.row for misfit in found.found} if found else set()


def _sets(folder: Path) -> Iterator[_Set]:
    has_own = any(folder.glob("*.jsonl"))
    for name, rows in real_sets(folder, ["sql", "documentation"]).items():
        if not has_own:
            yield _of_labels(name, [_by_source(row) for row in rows])
        elif all(row.rejected is not None for row in rows):
            yield _of_pairs(name, rows)
        elif is_of_labels(rows):
            yield _of_labels(name, list(dict.fromkeys(map(said, rows))))


def _by_source(row: Row) -> tuple[str, str]:
    """A question and its database, or what a function does and its module."""
    question, answer = said(row)
    first, _, rest = question.partition("\n")
    if rest:
        return rest, first.removeprefix("Database: ")
    return answer, first.removeprefix("What does ").partition(".")[0]


def _of_labels(name: str, rows: Sequence[tuple[str, str]]) -> _Set:
    """Without labels of fewer than five rows."""
    labels = [label for _, label in rows]
    own = [row for row in rows if labels.count(row[1]) >= _FEWEST]
    names = sorted({label for _, label in own})
    embed = meaning(PoisonSpec().embedder, Path.cwd())

    def look(wrong: frozenset[int], rng: random.Random) -> Misfits | None:
        other = {i: rng.choice([n for n in names if n != own[i][1]]) for i in sorted(wrong)}
        rows = [Labelled(i, text, other.get(i, label)) for i, (text, label) in enumerate(own)]
        return wrong_labels(rows, embed)

    return _Set(name, len(own), look)


def _of_pairs(name: str, rows: Sequence[Row]) -> _Set:
    texts = [row_texts(row) for row in rows]

    def look(wrong: frozenset[int], _: random.Random) -> Misfits | None:
        turned = [
            replace(one, pair=_turned(one.pair)) if i in wrong and one.pair else one
            for i, one in enumerate(texts)
        ]
        return find_reversed_pairs(turned)

    return _Set(name, len(rows), look)


def _turned(pair: PairTexts) -> PairTexts:
    return pair._replace(chosen=pair.rejected, rejected=pair.chosen)
