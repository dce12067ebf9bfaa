"""How right an answer's calls of tools are, by what the row expects: scores in [0, 1].

After the Berkeley Function Calling Leaderboard (Patil et al. 2025): the right tool, the right arguments, all
calls of a turn in whatever order, and none where none is due. Arguments are equal as JSON values: 1 equals
1.0, true is not 1, texts must be the same. Where the row does not list what else is right (`judge.accepted`),
nothing is known of arguments that may be left out, so leaving one out is another call.

Calls that are as right as the expected ones: a row's `accepted`, as the Berkeley Function Calling
Leaderboard lists them (Patil et al. 2025; its `ast_checker`, for Python).

    [{"weather": {"city": ["New York", "NYC"], "days": [1, ""]}}]

For each expected call, in order, the right values of each argument; `""` among them says that the argument
may be left out, unless the tool requires it, or be an empty text or list. Texts are the same whatever their
case, blanks and `,./-_*^`. Other values are equal as JSON values are; an object's values are lists of right
ones again."""

import json
import re
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from finewright.errors import DataError
from finewright.judge.answer import Answer, Call
from finewright.judge.json_schema import load_schema, schema_of
from finewright.judge.json_text import canonical, json_at, leaves, parse_json
from finewright.judge.text import overlap_f1

COLUMN = "accepted"


_LEFT_OUT = ""


_NOT_COMPARED = re.compile(r"[ ,./\-_*^]")


class AcceptedCall(NamedTuple):
    """A tool, the right values of each of its arguments, and those that no call may leave out."""

    name: str
    values: Mapping[str, Sequence[Any]]  # Any: free JSON
    required: frozenset[str] = frozenset()


Tools = Sequence[Mapping[str, Any]]  # Any: OpenAI's form


class Due(NamedTuple):
    """What a row expects: the answer, the tools that may be called, what is as right as each call, where the
    row says so, and the row's other keys."""

    answer: Answer
    tools: Tools | None = None
    accepted: tuple[AcceptedCall, ...] = ()
    columns: Mapping[str, Any] = MappingProxyType({})  # Any: columns are JSON

    def settle(self, calls: Sequence[Call]) -> tuple[Call, ...]:
        """The calls of an answer, those that are as right as expected ones written as these."""
        return settle_calls(calls, self.answer.calls, self.accepted)


def due_of(answer: Answer, tools: Tools | None, columns: Mapping[str, Any]) -> Due:
    """What a row of these tools and other keys expects whose answer this is.

    Raises DataError where its column `accepted` is of other calls."""
    required = {
        name_of_tool(tool): frozenset(_names_of_required(function_of(tool).get("parameters")))
        for tool in tools or ()
    }
    return Due(answer, tools, read_accepted(columns, answer.calls, required), columns)


@dataclass(frozen=True, slots=True)
class AnswerScorer:
    """A scorer that sees thoughts and calls, not a text alone. None where the row is none of its business,
    which only what the row expects may decide, so that systems are compared on the same rows."""

    score: Callable[[Answer, Due], float | None]
    column: str = ""
    """The key of a row without which it has nothing to say."""

    def __call__(self, answer: Answer, due: Due) -> float | None:
        """The score of one answer."""
        return self.score(answer, due)


def column_scorer(column: str, score: Callable[[str, str], float]) -> AnswerScorer:
    """A scorer of an answer's text by the text in a column of its row, such as a test that the answer must
    pass; `score` is what a reward of that column is, too. None of rows without one."""

    def score_row(answer: Answer, due: Due) -> float | None:
        text = due.columns.get(column)
        return score(answer.content, text) if isinstance(text, str) and text else None

    return AnswerScorer(score_row, column)


@AnswerScorer
def tool_calls(answer: Answer, due: Due) -> float:
    """1 if the answer's calls are the expected ones, each as often, in whatever order; where none is due,
    1 if there is none. A call that cannot be read is a wrong one."""
    calls = due.settle(answer.calls)
    return float(not answer.fault and _count_calls(calls) == _count_calls(due.answer.calls))


@AnswerScorer
def tool_calls_in_order(answer: Answer, due: Due) -> float:
    """As `tool_calls`, with the calls in the expected order."""
    same = [*map(_key, due.settle(answer.calls))] == [*map(_key, due.answer.calls)]
    return float(same and not answer.fault)


@AnswerScorer
def tool_name(answer: Answer, due: Due) -> float:
    """1 if the tools that are called are the expected ones, whatever their arguments."""
    ours, theirs = (Counter(call.name for call in a.calls) for a in (answer, due.answer))
    return float(not answer.fault and ours == theirs)


@AnswerScorer
def tool_arguments(answer: Answer, due: Due) -> float:
    """F1 of the arguments' leaves, each with its tool's name: part of the credit for part of a call.

    As `json_f1`; a tool that is called without arguments is a leaf of its own."""
    if answer.fault and not due.answer.calls:
        return 0.0
    return overlap_f1(_leaves(due.settle(answer.calls)), _leaves(due.answer.calls))


@AnswerScorer
def tool_schema(answer: Answer, due: Due) -> float:
    """1 if every call is of a declared tool and holds to its schema, and one is made where one is due."""
    if answer.fault or bool(answer.calls) < bool(due.answer.calls):
        return 0.0
    named = [(name_of_tool(tool), function_of(tool)) for tool in due.tools or ()]
    schemas = {name: function.get("parameters") for name, function in named if name}
    return float(all(_holds(call, schemas) for call in answer.calls))


@AnswerScorer
def no_call(answer: Answer, due: Due) -> float | None:
    """Of rows where no call is due: 1 if none is made or begun. BFCL's irrelevance."""
    return None if due.answer.calls else float(not answer.calls and not answer.fault)


def find_undeclared(calls: Sequence[Call], tools: Tools | None) -> list[str]:
    """The names that are called and that no tool has."""
    declared = set(map(name_of_tool, tools or ()))
    return [call.name for call in calls if call.name not in declared]


def name_of_tool(tool: Mapping[str, Any]) -> str:
    """What calls name it by, in OpenAI's form or as the function alone; empty where it has no name."""
    return str(function_of(tool).get("name") or "")


def misfit(tool: Mapping[str, Any], arguments: object) -> str:  # Any: free JSON
    """What a tool's schema has against the arguments of a call; nothing where they fit.

    Raises SpecError where the schema cannot be held to, MissingExtra without the library that reads it."""
    text = json.dumps(function_of(tool).get("parameters") or {}, sort_keys=True)
    return load_schema(text).complaint(arguments)


def function_of(tool: Mapping[str, Any]) -> Mapping[str, Any]:  # Any: free JSON
    """A tool's name, description and parameters, in OpenAI's form or as the function alone."""
    function = tool.get("function")
    return function if isinstance(function, Mapping) else tool


def _names_of_required(parameters: object) -> Sequence[str]:
    found = parameters.get("required") if isinstance(parameters, Mapping) else None
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _count_calls(calls: Sequence[Call]) -> Counter[Hashable]:
    return Counter(map(_key, calls))


def _key(call: Call) -> Hashable:
    return call.name, canonical(_exact(call.arguments))


def _leaves(calls: Sequence[Call]) -> Counter[Hashable]:
    return Counter((call.name, leaf) for call in calls for leaf in leaves(_exact(call.arguments)))


def _exact(value: object) -> object:
    """With Decimals for numbers, so that 1 is 1.0; what JSON does not hold is equal to nothing."""
    parsed = parse_json(json.dumps(value))
    return object() if parsed is None else parsed.value


def _holds(call: Call, schemas: Mapping[str, Any]) -> bool:
    if call.name not in schemas:
        return False
    schema = schema_of(json.dumps(schemas[call.name] or {}, sort_keys=True))
    return schema is not None and bool(schema(json.dumps(call.arguments)))


def read_accepted(
    columns: Mapping[str, Any], calls: Sequence[Call], required: Mapping[str, frozenset[str]]
) -> tuple[AcceptedCall, ...]:
    """What a row's column accepts for each of its calls; nothing where the column is of another form.

    `required` are the arguments that each tool demands. Raises DataError where the column has the form and
    is of other calls than the row's."""
    parts = _read_column(columns.get(COLUMN))
    if parts is None:
        return ()
    if [name for name, _ in parts] != [call.name for call in calls]:
        raise DataError(
            f"`{COLUMN}` is of other calls than the answer",
            hint=f"give it one object a call, in the order of the calls, or rename the column {COLUMN}",
        )
    return tuple(
        AcceptedCall(name, values, required.get(name, frozenset())) for name, values in parts
    )


def settle_calls(
    said: Sequence[Call], due: Sequence[Call], accepted: Sequence[AcceptedCall]
) -> tuple[Call, ...]:
    """The calls that were said, each that is as right as an expected one written as that one.

    No expected call stands for two. Of calls that are right in part, the right arguments are written as
    expected, by the first expected call of the tool that is left."""
    found = list(said)
    if not accepted:
        return tuple(found)
    pairs = _match_calls(said, accepted)
    left = [i for i in range(len(due)) if i not in pairs.values()]
    for place, call in enumerate(said):
        if place in pairs:
            found[place] = due[pairs[place]]
        elif (i := next((i for i in left if due[i].name == call.name), None)) is not None:
            left.remove(i)
            found[place] = _nearest(call, due[i], accepted[i])
    return tuple(found)


def accepts(accepted: AcceptedCall, call: Call) -> bool:
    """Whether the call is as right as the expected one."""
    arguments = call.arguments
    if call.name != accepted.name or not isinstance(arguments, Mapping):
        return False
    may_go = {name for name in accepted.values if _may_be_left_out(accepted, name)}
    return accepted.values.keys() - may_go <= arguments.keys() and all(
        _is_one_of(value, accepted.values.get(name, ())) for name, value in arguments.items()
    )


def _as_due(
    said: Mapping[str, Any], due: Mapping[str, Any], accepted: AcceptedCall
) -> dict[str, Any]:  # Any: free JSON
    """The arguments that were said, the right ones as they are expected or left out."""
    found = {}
    for name, value in said.items():
        is_right = _is_one_of(value, accepted.values.get(name, ()))
        if not is_right:
            found[name] = value
        elif name in due:
            found[name] = due[name]
    return found


def _nearest(call: Call, due: Call, accepted: AcceptedCall) -> Call:
    """The call with its right arguments written as the expected ones."""
    if not isinstance(call.arguments, Mapping) or not isinstance(due.arguments, Mapping):
        return call
    found = _as_due(call.arguments, due.arguments, accepted)
    left_out = {
        name: value
        for name, value in due.arguments.items()
        if name not in call.arguments and _may_be_left_out(accepted, name)
    }
    return Call(call.name, {**found, **left_out})


def _may_be_left_out(accepted: AcceptedCall, name: str) -> bool:
    return _LEFT_OUT in accepted.values.get(name, ()) and name not in accepted.required


def _match_calls(said: Sequence[Call], accepted: Sequence[AcceptedCall]) -> dict[int, int]:
    """Place of a said call -> that of an expected one that it is as right as: as many as can be.

    By augmenting paths (Kuhn 1955)."""
    of_due: dict[int, int] = {}

    def place(i: int, seen: set[int]) -> bool:
        for j, each in enumerate(accepted):
            if j not in seen and accepts(each, said[i]):
                seen.add(j)
                if j not in of_due or place(of_due[j], seen):
                    of_due[j] = i
                    return True
        return False

    for i in range(len(said)):
        place(i, set())
    return {i: j for j, i in of_due.items()}


def _is_one_of(value: object, right: Sequence[object]) -> bool:
    real = [each for each in right if each != _LEFT_OUT]
    if len(real) < len(right) and value in ("", []):  # written, and left out all the same
        return all(each is None or isinstance(each, type(value)) for each in real)
    return any(_is_right(value, each) for each in real)


def _is_right(value: object, right: object) -> bool:
    if isinstance(value, str) and isinstance(right, str):
        return _normalize(value) == _normalize(right)
    if isinstance(value, list) and isinstance(right, list):
        pairs = zip(value, right, strict=False)
        return len(value) == len(right) and all(_is_right(*pair) for pair in pairs)
    if isinstance(value, dict) and isinstance(right, dict) and _lists_values(right):
        return _is_right_object(value, right)
    return _same(value, right)


def _is_right_object(value: Mapping[str, object], right: Mapping[str, Sequence[Any]]) -> bool:
    may_go = {key for key, values in right.items() if _LEFT_OUT in values}
    has_all = right.keys() - may_go <= value.keys()
    return has_all and all(_is_one_of(value[key], right.get(key, ())) for key in value)


def _same(value: object, right: object) -> bool:
    ours, theirs = parse_json(json.dumps(value)), parse_json(json.dumps(right))
    if ours is None or theirs is None:
        return False
    return canonical(ours.value) == canonical(theirs.value)


def _lists_values(right: Mapping[str, object]) -> bool:
    return all(isinstance(values, list) for values in right.values())


def _normalize(text: str) -> str:
    return _NOT_COMPARED.sub("", text).lower().replace("'", '"')


def _as_json(text: str) -> object:
    """The JSON that the whole text is, or None."""
    found = json_at(text, 0)
    return found.value if found and not text[found.end :].strip() else None


def _read_column(column: object) -> list[tuple[str, Mapping[str, Sequence[Any]]]] | None:
    """The tools and values that the column lists; None where it is of another form, or lists nothing."""
    column = _as_json(column) if isinstance(column, str) else column
    if not isinstance(column, list) or not column:
        return None
    parts: list[tuple[str, Mapping[str, Sequence[Any]]]] = []
    for part in column:
        if not isinstance(part, Mapping) or not all(map(_is_of_tool, part.values())):
            return None
        parts += part.items()
    return parts


def _is_of_tool(values: object) -> bool:
    return isinstance(values, Mapping) and _lists_values(values)
