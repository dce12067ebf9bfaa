"""What lies inside the columns of rows, as walks: the texts and numbers that could be columns themselves."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from finewright.errors import DataError, MissingExtra
from finewright.rows.formats.columns import quoted, walk_named
from finewright.rows.formats.propose import Proposal, proposal_of
from finewright.rows.notes import Json

_DEEPEST = 3
# What says how good an answer is; of a rank the first is best.
_GRADES = ("rank", "score", "rating", "grade", "votes", "likes")
_FIRST_IS_BEST = "rank"
_CONTEXT = ("context", "contexts", "passages", "paragraphs", "documents")
_ANSWERS = ("answer", "response", "completion", "output", "text", "content")


class Inner(NamedTuple):
    """A walk, and whether it is the row's own key."""

    expression: str
    key: str = ""

    def first(self, row: Json) -> object:
        """What it leads to in the row; nothing where it cannot be followed there, or by what is installed."""
        if self.key:
            return row.get(self.key)
        with suppress(DataError, MissingExtra):
            return walk_named(self.expression).of(row)
        return None


def flat(rows: Sequence[Json]) -> dict[str, Inner]:
    """A name for each text, number and class of the rows, own or inside, and the way to it.

    Of a list of texts the first; of passages all, joined."""
    found: dict[str, Inner] = {}
    for row in rows:
        for key, value in row.items():
            if isinstance(value, (dict, list)):
                found.update(
                    (n, i) for n, i in _inside(key, quoted(key), value, 1) if n not in found
                )
            else:
                found.setdefault(key, Inner(key, key))
    return found


def _inside(name: str, path: str, value: object, depth: int) -> Iterator[tuple[str, Inner]]:
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        for key, held in value.items():
            yield from _inside(f"{_of_one(name)} {key}", f"{path}.{quoted(key)}", held, depth + 1)
    elif isinstance(value, list) and value:
        if any(word in name for word in _CONTEXT):
            if nesting := _nesting(value):
                yield _of_one(name), Inner(f'join(`"\\n"`, {path}{"[]" * nesting})')
        elif not _are_graded(value):
            yield from _inside(_of_one(name), f"{path}[0]", value[0], depth + 1)
    elif value is not None and not isinstance(value, list):
        yield name, Inner(path)


def _of_one(name: str) -> str:
    """`answer text` of `answers text`."""
    return re.sub(r"s\b", "", name)


def _nesting(value: object) -> int:
    """How deep lists of nothing but texts lie in each other; 0 where there is anything else."""
    if not isinstance(value, list) or not value:
        return 0
    inner = [item for item in value if not isinstance(item, str)]
    depths = [_nesting(item) for item in inner]
    return 0 if 0 in depths else 1 + max(depths, default=0)


def best_of_lists(rows: Sequence[Json]) -> Proposal | None:
    """A pair, the best and the worst of a list of answers that are graded."""
    first = rows[0]
    for key, value in first.items():
        if not _are_objects(value):
            continue
        grade = next((k for k in value[0] if _is_grade(k, [v.get(k) for v in value])), "")
        answer = next((k for name in _ANSWERS for k in value[0] if k == name), "")
        question = proposal_of({k: v for k, v in first.items() if isinstance(v, str)})
        if grade and answer and question and question.columns.keys() == {"prompt"}:
            best, worst = ("min", "max") if _FIRST_IS_BEST in grade else ("max", "min")
            ways = (
                f"{each}_by({quoted(key)}, &{quoted(grade)}).{answer}" for each in (best, worst)
            )
            columns = {**question.columns, **dict(zip(("chosen", "rejected"), ways, strict=True))}
            return Proposal(columns, f"`{grade}` grades the answers in `{key}`")
    return None


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(isinstance(v, dict) for v in value)


def _are_graded(value: list[Any]) -> bool:  # Any: free JSON
    """Are they several objects with a grade? Then the first is not the one to learn."""
    return _are_objects(value) and any(_is_called_grade(key) for key in value[0])


def _is_called_grade(key: str) -> bool:
    return any(key.lower().endswith(word) for word in _GRADES)


def _is_grade(key: str, values: Sequence[object]) -> bool:
    return _is_called_grade(key) and all(type(value) in (int, float) for value in values)
