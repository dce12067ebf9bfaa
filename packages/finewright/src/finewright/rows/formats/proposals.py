"""Rows of no known format: what could be made of them, by all that a sample of them holds.

One reading is proposed where names and values agree; where two fit, or nothing says who speaks, each is a
choice that the user takes. What is the same in every row answers nothing, and of two texts of one kind
neither is guessed to be the answer. Texts and numbers inside columns could be columns, too: they are named
as walks."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from statistics import median
from typing import Any, NamedTuple

from finewright.errors import DataError, MissingExtra
from finewright.judge.labels import is_like_label
from finewright.rows.formats.column_names import NAMES, best_named, choices_in, has_word
from finewright.rows.formats.columns import quote_key, walk_named
from finewright.rows.formats.conversation_walks import exchanges, taking_turns
from finewright.rows.formats.propose import (
    Proposal,
    Proposals,
    find_numbered_pair,
    is_by_names,
    kind_of,
    proposal_of,
    reads_like_context,
)
from finewright.rows.notes import Json
from finewright.schema.common import without

_DEEPEST = 3
# Of a rank the first is best.
_FIRST_IS_BEST = "rank"


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
                    (n, i)
                    for n, i in _walks_inside(key, quote_key(key), value, 1)
                    if n not in found
                )
            else:
                found.setdefault(key, Inner(key, key))
    return found


def _walks_inside(name: str, path: str, value: object, depth: int) -> Iterator[tuple[str, Inner]]:
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        for key, held in value.items():
            yield from _walks_inside(
                f"{_of_one(name)} {key}", f"{path}.{quote_key(key)}", held, depth + 1
            )
    elif isinstance(value, list) and value:
        if any(word in name for word in NAMES["passages"]):
            if nesting := _nesting(value):
                yield _of_one(name), Inner(f'join(`"\\n"`, {path}{"[]" * nesting})')
        elif not _are_graded(value):
            yield from _walks_inside(_of_one(name), f"{path}[0]", value[0], depth + 1)
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
        answer = next((k for name in NAMES["graded"] for k in value[0] if k == name), "")
        question = proposal_of({k: v for k, v in first.items() if isinstance(v, str)})
        if grade and answer and question and question.columns.keys() == {"prompt"}:
            best, worst = ("min", "max") if _FIRST_IS_BEST in grade else ("max", "min")
            ways = (
                f"{each}_by({quote_key(key)}, &{quote_key(grade)}).{answer}"
                for each in (best, worst)
            )
            columns = {**question.columns, **dict(zip(("chosen", "rejected"), ways, strict=True))}
            return Proposal(columns, f"`{grade}` grades the answers in `{key}`")
    return None


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(isinstance(v, dict) for v in value)


def _are_graded(value: list[Any]) -> bool:  # Any: free JSON
    """Whether they are several objects with a grade. Then the first is not the one to learn."""
    return _are_objects(value) and any(_is_called_grade(key) for key in value[0])


def _is_called_grade(key: str) -> bool:
    return any(key.lower().endswith(word) for word in NAMES["grade"])


def _is_grade(key: str, values: Sequence[object]) -> bool:
    return _is_called_grade(key) and all(type(value) in (int, float) for value in values)


# So many rows of one value are no accident: of fewer, classes may be all the same.
_ENOUGH = 6
# Of texts that are answered this share ends with a question mark, of answers nearly none.
_ASKING, _NOT_ASKING = 0.6, 0.2
_MARKS = ("?", "\uff1f", "\u061f")
# Labels come again: at most half as many values as rows.
_LABELS = 0.5
# So many values tell what a column usually holds; an odd number, for two kinds are the usual doubt.
_LOOKED_AT = 9
_TWO = len(("asked", "answered"))
_QUESTIONS = ("prompt", "instruction")


def proposals_of(rows: Sequence[Json]) -> Proposals:
    """What could be made of rows that have the same keys, some of them at least."""
    whole = _usual_values(rows)
    if not whole or ("chosen" in whole) != ("rejected" in whole):
        return Proposals()
    found = _by_names(rows, whole)
    if found and not _is_weak(found):
        return Proposals(found)
    if choices_in(whole):
        # A part of the question that no column can be put into it.
        return Proposals()
    ways: tuple[Callable[[], Proposals], ...] = (
        lambda: Proposals(best_of_lists(rows)),
        lambda: Proposals() if _has_question_beside(whole) else exchanges(rows),
        lambda: _rivals(rows, whole),
        lambda: Proposals(_labels_beside(whole)),
        lambda: Proposals(_inside(rows)),
        lambda: taking_turns(rows),
        lambda: _two_texts(rows, whole),
    )
    every = (way() for way in ways)
    return next((way for way in every if way.one or way.choices), Proposals(found))


def _labels_beside(whole: Json) -> Proposal | None:
    """The row's only text, and its only list of short texts, which is not called otherwise: its labels."""
    texts = [key for key, value in whole.items() if kind_of(value) == "text"]
    lists = [
        key
        for key, value in whole.items()
        if isinstance(value, list) and value and all(isinstance(v, str) for v in value)
        if all(map(is_like_label, value)) and not has_word("beside", key)
        if not best_named([key], "answered", "conversation", "context")
    ]
    if len(texts) != 1 or len(lists) != 1:
        return None
    columns = {"prompt": texts[0], "completion": f"labels({quote_key(lists[0])})"}
    return Proposal(columns, f"`{texts[0]}` is a text, and `{lists[0]}` reads like its labels")


def _has_question_beside(whole: Json) -> bool:
    """Whether something is asked outside of the lists, which their turns alone would lose."""
    found = proposal_of({key: value for key, value in whole.items() if isinstance(value, str)})
    return found is not None and found.columns.keys() == {"prompt"}


def _usual_values(rows: Sequence[Json]) -> Json:
    """What the keys hold where they hold something, of the kind that most of it is."""
    held: dict[str, list[Any]] = {}  # Any: free JSON
    for row in rows:
        for key, value in row.items():
            held.setdefault(key, []).append(value)
    return {key: _usual([value for value in each if value] or each) for key, each in held.items()}


def _usual(values: Sequence[Any]) -> Any:
    kinds = [kind_of(value) for value in values[:_LOOKED_AT]]
    return values[kinds.index(Counter(kinds).most_common(1)[0][0])]


def _is_weak(found: Proposal) -> bool:
    """Whether it is a prompt alone, or two texts in their order."""
    return found.columns.keys() == {"prompt"} or not is_by_names(found)


def _by_names(rows: Sequence[Json], whole: Json) -> Proposal | None:
    """What names propose, but for answers that are the same in every row."""
    left = dict(whole)
    while found := proposal_of(left):
        answer = next(
            (found.columns[k] for k in ("completion", "output") if k in found.columns), ""
        )
        if not answer or not _is_constant(rows, answer):
            return found
        del left[answer]
    return None


def _is_constant(rows: Sequence[Json], key: str) -> bool:
    values = [row[key] for row in rows if row.get(key) not in (None, "")]
    return len(values) >= _ENOUGH and all(value == values[0] for value in values)


def _inside(rows: Sequence[Json]) -> Proposal | None:
    """By names, where one of the texts lies inside a column."""
    names = flat(rows)
    flattened = [
        {name: value for name, walk in names.items() if (value := walk.first(row)) is not None}
        for row in rows
    ]
    found = _by_names(flattened, _usual_values(flattened))
    if found is None or _is_weak(found):
        return None
    columns = {ours: names[name].expression for ours, name in found.columns.items()}
    if any("[0]" in columns.get(ours, "") for ours in _QUESTIONS):
        # Of several right answers the first will do; of several questions it would lose the others.
        return None
    why = found.why
    for name in found.columns.values():
        why = why.replace(f"`{name}`", f"`{names[name].expression}`")
    return Proposal(columns, why)


def _rivals(rows: Sequence[Json], whole: Json) -> Proposals:
    """Two texts of one name but for a number or letter, where another column says which of them is better."""
    texts = {key: value for key, value in whole.items() if kind_of(value) == "text"}
    rivals = find_numbered_pair(texts)
    if rivals is None:
        return Proposals()
    left = without(texts, rivals)
    found = proposal_of(left)
    prompt = found.columns.get("prompt", "") if found else ""
    prompt = prompt or (next(iter(left)) if len(left) == 1 else "")
    decided = _find_deciding_column(rows, rivals)
    if not prompt or not decided:
        return Proposals()
    one, other = map(quote_key, rivals)
    ways = [
        Proposal(
            {
                "prompt": prompt,
                "chosen": f"{decided} && {first} || {second}",
                "rejected": f"{decided} && {second} || {first}",
            },
            f"`{decided}` says which is better",
        )
        for first, second in ((one, other), (other, one))
    ]
    question = f"which of `{one}` and `{other}` is better where {decided}"
    return Proposals(choices=tuple(ways), question=question)


def _find_deciding_column(rows: Sequence[Json], rivals: Sequence[str]) -> str:
    """The condition by which one of two answers is the better: a column of two values, or of both signs."""
    for key in rows[0]:
        values = {row.get(key) for row in rows if not isinstance(row.get(key), (list, dict))}
        if key in rivals or not any(word in key.lower() for word in NAMES["decides"]):
            continue
        numbers = {value for value in values if isinstance(value, int)}
        if values == numbers == {0, 1}:
            return f"{quote_key(key)} == `1`"
        if numbers and values == numbers and min(numbers) < 0 < max(numbers):
            return f"{quote_key(key)} > `0`"
    return ""


def _two_texts(rows: Sequence[Json], whole: Json) -> Proposals:
    """Two texts: which of them answers is told by their values, or asked."""
    pair = _last_two(rows, whole)
    if not pair:
        return Proposals()
    labels = [key for key in whole if key not in pair and _is_label(rows, key)]
    if labels:
        columns = {"instruction": pair[0], "input": pair[1], "output": labels[0]}
        about = Proposal(columns, f"`{labels[0]}` reads like the class of both")
        question = f"is `{labels[0]}` what is learned of `{pair[0]}` and `{pair[1]}`"
        return Proposals(choices=(about,), question=question)
    ways = [Proposal({"prompt": a, "completion": b}, "") for a, b in (pair, pair[::-1])]
    likely = (way for way in ways if not reads_like_context(way.columns["completion"]))
    if found := next((way for way in likely if _answers(rows, *way.columns.values())), None):
        asks, answer = found.columns.values()
        why = f"`{asks}` reads like what is asked or sorted, `{answer}` like what is answered"
        return Proposals(found._replace(why=why))
    question = f"`{pair[0]}` and `{pair[1]}` are two texts of one kind; which is learned"
    return Proposals(choices=tuple(ways), question=question)


def _is_label(rows: Sequence[Json], key: str) -> bool:
    """Whether it is called a class, and comes again."""
    values = [
        str(row.get(key)) for row in rows if not isinstance(row.get(key), (list, dict, float))
    ]
    are_again = len(rows) < _ENOUGH or len(set(values)) < len(values)
    return (
        bool(values) and are_again and any(word in key.lower() for word in NAMES["class of both"])
    )


def _last_two(rows: Sequence[Json], whole: Json) -> tuple[str, str] | None:
    found = proposal_of(whole)
    if found and not is_by_names(found) and "completion" in found.columns:
        return found.columns["prompt"], found.columns["completion"]
    names = flat([whole])
    texts = [k for k, walk in names.items() if kind_of(walk.first(whole)) == "text"]
    if len(texts) > _TWO:
        texts = [text for text in texts if _is_prose(rows, names[text])]
    if len(texts) != _TWO:
        return None
    one, other = (names[text].expression for text in texts)
    # The first of a list would lose the others.
    return None if "[0]" in one + other else (one, other)


def _is_prose(rows: Sequence[Json], walk: Inner) -> bool:
    """Whether its values are texts that seldom come again, and no names of what a row is sorted under."""
    texts = [value for row in rows if isinstance(value := walk.first(row), str) and value]
    is_text = 2 * sum(kind_of(text) == "text" for text in texts) > len(texts)
    return is_text and len(texts) >= _ENOUGH and _distinct(texts) > _LABELS


def _answers(rows: Sequence[Json], question: str, answer: str) -> bool:
    """Whether values tell that the second answers the first: labels that come again, or questions before."""
    pairs = [(row.get(question), row.get(answer)) for row in rows]
    texts = [(a, b) for a, b in pairs if isinstance(a, str) and isinstance(b, str) and a and b]
    if len(texts) < _ENOUGH:
        return False
    questions, answers = zip(*texts, strict=True)
    is_labelled = _distinct(answers) <= _LABELS < _distinct(questions) and _is_shorter(texts)
    return is_labelled or (_asking(questions) >= _ASKING and _asking(answers) <= _NOT_ASKING)


def _distinct(texts: Sequence[str]) -> float:
    return len(set(texts)) / len(texts)


def _is_shorter(texts: Sequence[tuple[str, str]]) -> bool:
    return median(len(b) for _, b in texts) < median(len(a) for a, _ in texts)


def _asking(texts: Sequence[str]) -> float:
    return sum(text.rstrip().endswith(_MARKS) for text in texts) / len(texts)
