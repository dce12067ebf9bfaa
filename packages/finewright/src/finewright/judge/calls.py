"""How right an answer's calls of tools are, by what the row expects: scores in [0, 1].

After the Berkeley Function Calling Leaderboard (Patil et al. 2025): the right tool, the right arguments, all
calls of a turn in whatever order, and none where none is due. Arguments are equal as JSON values: 1 equals
1.0, true is not 1, texts must be the same. Where the row does not list what else is right (`judge.accepted`),
nothing is known of arguments that may be left out, so leaving one out is another call."""

import json
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from finewright.judge.accepted import AcceptedCall, accepted_of, settled
from finewright.judge.answer import Answer, Call
from finewright.judge.json_schema import held_schema, schema_of
from finewright.judge.json_text import canonical, leaves, parse_json
from finewright.judge.text import overlap_f1

Tools = Sequence[Mapping[str, Any]]  # Any: OpenAI's form


class Due(NamedTuple):
    """What a row expects: the answer, the tools that may be called, and what is as right as each call,
    where the row says so."""

    answer: Answer
    tools: Tools | None = None
    accepted: tuple[AcceptedCall, ...] = ()

    def settled(self, calls: Sequence[Call]) -> tuple[Call, ...]:
        """The calls of an answer, those that are as right as expected ones written as these."""
        return settled(calls, self.answer.calls, self.accepted)


def due_of(answer: Answer, tools: Tools | None, columns: Mapping[str, Any]) -> Due:
    """What a row of these tools and other keys expects whose answer this is.

    Raises DataError where its column `accepted` is of other calls."""
    required = {
        name_of_tool(tool): frozenset(_required(function_of(tool).get("parameters")))
        for tool in tools or ()
    }
    return Due(answer, tools, accepted_of(columns, answer.calls, required))


@dataclass(frozen=True, slots=True)
class AnswerScorer:
    """A scorer that sees thoughts and calls, not a text alone. None where the row is none of its business,
    which only what the row expects may decide, so that systems are compared on the same rows."""

    score: Callable[[Answer, Due], float | None]

    def __call__(self, answer: Answer, due: Due) -> float | None:
        """The score of one answer."""
        return self.score(answer, due)


@AnswerScorer
def tool_calls(answer: Answer, due: Due) -> float:
    """1 if the answer's calls are the expected ones, each as often, in whatever order; where none is due,
    1 if there is none. A call that cannot be read is a wrong one."""
    calls = due.settled(answer.calls)
    return float(not answer.fault and _counted(calls) == _counted(due.answer.calls))


@AnswerScorer
def tool_calls_in_order(answer: Answer, due: Due) -> float:
    """As `tool_calls`, with the calls in the expected order."""
    same = [*map(_key, due.settled(answer.calls))] == [*map(_key, due.answer.calls)]
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
    return overlap_f1(_leaves(due.settled(answer.calls)), _leaves(due.answer.calls))


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


def undeclared(calls: Sequence[Call], tools: Tools | None) -> list[str]:
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
    return held_schema(text).complaint(arguments)


def function_of(tool: Mapping[str, Any]) -> Mapping[str, Any]:  # Any: free JSON
    """A tool's name, description and parameters, in OpenAI's form or as the function alone."""
    function = tool.get("function")
    return function if isinstance(function, Mapping) else tool


def _required(parameters: object) -> Sequence[str]:
    found = parameters.get("required") if isinstance(parameters, Mapping) else None
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _counted(calls: Sequence[Call]) -> Counter[Hashable]:
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
