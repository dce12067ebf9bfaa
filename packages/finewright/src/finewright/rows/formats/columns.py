"""The columns that the user has named: `{our key: the file's own}`, taken before the format is told.

What is no column of the row may be a walk to what lies inside one, a JMESPath expression: `answers.text[0]`.

https://jmespath.org, with one function more: `labels(NAME, ';')`, see `write_labels`.
`{system, input, output}` is short for `{system: system, input: input, output: output}`.
What is taken for `messages` may be spelled as others spell turns: see `messages_in`."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from finewright.errors import DataError, MissingExtra
from finewright.plugins import install_command
from finewright.rows.formats.column_names import NAMES
from finewright.rows.formats.native import KeyPlace
from finewright.rows.notes import Json, RowNotes, kind_of_json

# No expression of a person is as long, and the parser calls itself for each bracket.
_LONGEST = 1000
_SHORT = re.compile(r"\{\s*(\w+(?:\s*,\s*\w+)*)\s*\}")
_SIGNS = re.compile(r"[.\[\]{}|&*`'()]")
_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)

_COMPLETE = (
    "leave the row out, or complete it; what is no turn is left out by a filter: list[?text].text"
)

SIDES = {side: NAMES[f"{side} side"] for side in ("system", "user", "assistant")}


class Walk(NamedTuple):
    """An expression that can be followed, and the row's own keys that it begins at."""

    expression: str
    parsed: Any  # Any: jmespath has no types
    roots: frozenset[str]

    def of(self, data: Json) -> Any:  # Any: free JSON
        """What the expression gives for the row; raises DataError where it cannot be followed there."""
        from jmespath.exceptions import JMESPathError

        try:
            return self.parsed.search(data, options=_with_labels())
        except (JMESPathError, ValueError, TypeError) as error:
            raise DataError(f"it cannot be followed here: {_first_line(error)}") from None

    def turns_of(self, data: Json) -> Any:  # Any: free JSON
        """As `of`; raises DataError too where an item of a list has nothing there, which JMESPath leaves out:
        of texts that take turns each later one would be said by the other speaker."""
        whole = Walk(self.expression, _Whole(self.parsed.parsed), self.roots)
        return whole.of(data)


class _Whole(NamedTuple):
    """A parsed expression whose lists keep their length."""

    tree: Mapping[str, Any]  # Any: jmespath's own tree

    def search(self, data: Json, options: Any) -> Any:  # Any: free JSON, and jmespath's own
        """What the expression gives for the row."""
        return _interpreter()(options).visit(self.tree, data)


@cache
def _interpreter() -> Any:  # Any: jmespath has no types
    from jmespath.visitor import TreeInterpreter

    class KeepingLength(TreeInterpreter):  # type: ignore[misc]
        """Follows lists and the values of objects; filters leave out what they are meant to."""

        def visit_projection(self, node: Any, value: Any) -> Any:
            base = self.visit(node["children"][0], value)
            return self._each(node, base) if isinstance(base, list) else None

        def visit_value_projection(self, node: Any, value: Any) -> Any:
            base = self.visit(node["children"][0], value)
            return self._each(node, list(base.values())) if isinstance(base, dict) else None

        def _each(self, node: Any, items: list[Any]) -> list[Any]:
            found = [self.visit(node["children"][1], item) for item in items]
            if None in found:
                what = f"item {found.index(None) + 1} of a list has nothing there, and is a turn"
                raise DataError(what, hint=_COMPLETE)
            return found

    return KeepingLength


@cache
def _with_labels() -> Any:  # Any: jmespath has no types
    from jmespath import Options
    from jmespath.functions import Functions, signature

    class WithLabels(Functions):  # type: ignore[misc]
        @signature({"types": ["array", "string", "null"], "variadic": True})  # type: ignore[untyped-decorator]
        def _func_labels(self, value: Any, sign: Any = "", *_: Any) -> str | None:
            return None if value is None else write_labels(value, sign)

    return Options(custom_functions=WithLabels())


def write_labels(value: str | list[Any], sign: str = "") -> str:
    """A list of labels as the JSON text that several labels a row are; of a text the parts between `sign`.

    Space around labels and parts without any are left out, so that an empty text or list is no label. Raises
    ValueError for what is neither."""
    if isinstance(value, str):
        if not sign or not isinstance(sign, str):
            raise ValueError("a text, and nothing says what parts its labels: labels(NAME, ';')")
        value = value.split(sign)
    if not all(isinstance(each, str) for each in value):
        raise ValueError("a list of labels holds texts alone")
    return json.dumps([each.strip() for each in value if each.strip()], ensure_ascii=False)


def quote_key(key: str) -> str:
    """The key as an expression names it."""
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return key if _PLAIN.fullmatch(key) else f'"{escaped}"'


def is_walk(name: str) -> bool:
    """Whether it may be more than a column's name."""
    return bool(_SIGNS.search(name))


@lru_cache(maxsize=256)
def walk_named(expression: str) -> Walk:
    """The expression, parsed; raises DataError where it is none."""
    try:
        import jmespath
        from jmespath.exceptions import JMESPathError
    except ModuleNotFoundError:
        raise MissingExtra(
            "columns that lie deeper than a row's own keys need jmespath",
            hint=install_command("[data]"),
        ) from None
    if len(expression) > _LONGEST:
        raise DataError(f"an expression of more than {_LONGEST} characters")
    written = _SHORT.sub(lambda found: _write_out(found[1]), expression)
    try:
        parsed = jmespath.compile(written)
    except (JMESPathError, RecursionError) as error:
        raise DataError(f"no JMESPath expression: {_first_line(error)}") from None
    return Walk(expression, parsed, frozenset(_roots(parsed.parsed)))


def _write_out(names: str) -> str:
    return "{" + ", ".join(f"{name}: {name}" for name in re.findall(r"\w+", names)) + "}"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].strip() or type(error).__name__


def _roots(node: Mapping[str, Any]) -> Iterator[str]:  # Any: jmespath's own tree
    """The keys of the row itself: of steps and projections only the first part begins there."""
    if node["type"] == "field":
        yield node["value"]
    begins_once = node["type"] in (
        "subexpression",
        "index_expression",
        "projection",
        "value_projection",
        "filter_projection",
        "flatten",
        "pipe",
    )
    for child in node["children"][: 1 if begins_once else None]:
        if node["type"] != "expref":
            yield from _roots(child)


def messages_in(value: object) -> list[Json]:
    """The messages of a conversation that is written otherwise; raises DataError, with the mend.

    Texts take turns, the user first. An object of a speaker and a text is a turn; one of a question and its
    answer, by the names of `SIDES`, two. An object of lists is an exchange an item. `system` as a speaker
    after the user, where no other answers, is the system that people talked to."""
    if isinstance(value, dict):
        value = _side_by_side(value)
    if not isinstance(value, list) or not value:
        raise DataError(f"{kind_of_json(value)}, and a conversation is a list of turns")
    if all(isinstance(item, str) for item in value):
        return [_turn("assistant" if i % 2 else "user", text) for i, text in enumerate(value)]
    said = [turn for i, item in enumerate(value) for turn in _turns_of(item, i)]
    roles = [str(turn.get("role", "")).lower() for turn in said]
    if "system" in roles[1:] and set(roles) == {"user", "system"}:
        return [
            {**turn, "role": _speaker_of_role(role)} for turn, role in zip(said, roles, strict=True)
        ]
    return said


def _turn(role: str, content: object) -> Json:
    return {"role": role, "content": content}


def _speaker_of_role(role: str) -> str:
    return "assistant" if role == "system" else role


def _turns_of(item: object, number: int) -> Iterator[Json]:
    if not isinstance(item, dict):
        what = f"turn {number + 1} is {kind_of_json(item)}"
        raise DataError(what, hint="write [].{role: ..., content: ...} after the list's name")
    if {"role", "content"} <= item.keys() or {"from", "value"} <= item.keys():
        yield item
        return
    speaker, said = find_key(item, NAMES["speaker"]), find_key(item, NAMES["said"])
    if speaker and said:
        yield _turn(item[speaker], item[said])
        return
    sides = {side: find_key(item, names) for side, names in SIDES.items()}
    if not sides["user"] or not sides["assistant"]:
        names = ", ".join(f"`{key}`" for key in list(item)[:8])
        hint = "write {role: ..., content: ...} or {user: ..., assistant: ...} with those keys"
        raise DataError(f"nothing says who speaks in {names}", hint=hint)
    for side, key in sides.items():
        if key and (side != "system" or item[key]):
            yield _turn(side, item[key])


def find_key(keys: Mapping[str, Any], names: Sequence[str]) -> str:
    """The key that is called by one of the names, in any case; the earlier name first."""
    plain = {key.lower(): key for key in reversed(list(keys))}
    return next((plain[name] for name in names if name in plain), "")


def _side_by_side(value: Json) -> list[Json]:
    """The exchanges of an object that holds the questions in one list and the answers in another."""
    question, answer, system = (find_key(value, SIDES[s]) for s in ("user", "assistant", "system"))
    lists = [value.get(key) for key in (question, answer)]
    if not all(isinstance(each, list) and each for each in lists):
        raise DataError("an object, and a conversation is a list of turns")
    questions, answers = lists
    if len(questions or ()) != len(answers or ()):
        what = f"{len(questions or ())} questions and {len(answers or ())} answers"
        raise DataError(what, hint="leave the row out, or complete it")
    pairs = zip(questions or (), answers or (), strict=True)
    said = [_turn(role, text) for pair in pairs for role, text in zip(_ASK, pair, strict=True)]
    return [*([_turn("system", value[system])] if system and value[system] else []), *said]


_ASK = ("user", "assistant")


_ANSWERS = ("completion", "output")
_MESSAGES = "messages"
# What a row may lack, as one that has nothing to say there.
_OPTIONAL = frozenset(("input", "history", "system", "tools"))


def rename_columns(data: Json, columns: Mapping[str, str], notes: RowNotes) -> Json:
    """The row under our keys. A column that bears our name already changes places with the named one.

    A column that is not there is an error, told with the one that is meant, unless a row may lack it. A whole
    number or a boolean that is named as an answer is its text: classes are often numbered."""
    row = dict(data)
    walked: Json = {}
    for ours, theirs in columns.items():
        if theirs not in data and is_walk(theirs):
            _walk(data, ours, theirs, row, walked, notes)
        elif theirs not in data:
            if ours in _OPTIONAL:
                continue
            what = f"there is no such column, and `columns` takes it for `{ours}`"
            notes.error(theirs, what, _hint(theirs, data))
        elif ours != theirs:
            row.pop(theirs, None)
            row[ours] = _as_ours(ours, data[theirs])
            if ours in data and ours not in columns.values():
                row[theirs] = data[ours]
    return {**row, **walked}


def has_column(data: Json, theirs: str) -> bool:
    """Whether the row has the column, or anything where the walk leads."""
    if theirs in data or not is_walk(theirs):
        return theirs in data
    try:
        return walk_named(theirs).of(data) is not None
    except DataError:
        return False


def _walk(data: Json, ours: str, theirs: str, row: Json, walked: Json, notes: RowNotes) -> None:
    """Take what the walk leads to; the keys that it begins at are used by it, and no columns of the row."""
    try:
        walk = walk_named(theirs)
        value = walk.turns_of(data) if ours == _MESSAGES else walk.of(data)
        if value is None and ours not in _OPTIONAL:
            raise DataError(f"it leads to nothing, and `columns` takes it for `{ours}`")
        if value is not None:
            walked[ours] = messages_in(value) if ours == _MESSAGES else _as_ours(ours, value)
    except DataError as error:
        notes.error(theirs, str(error), error.hint or _hint(theirs, data))
        return
    for key in walk.roots:
        row.pop(key, None)


def _as_ours(ours: str, value: Any) -> Any:  # Any: free JSON
    if ours == _MESSAGES and isinstance(value, list) and value and isinstance(value[0], str):
        return messages_in(value)
    return json.dumps(value) if ours in _ANSWERS and isinstance(value, int) else value


def places(columns: Mapping[str, str]) -> dict[str, KeyPlace]:
    """Where our keys stand in the file, to name a mistake by the file's own key."""
    return {ours: KeyPlace(theirs) for ours, theirs in columns.items() if ours != theirs}


def _hint(named: str, data: Json) -> str:
    if close := difflib.get_close_matches(named, data, n=1):
        return f"did you mean {close[0]!r}?"
    found = ", ".join(f"`{key}`" for key in list(data)[:8]) or "none"
    return f"the row has: {found}; where its file has other columns, make it a source of its own"
