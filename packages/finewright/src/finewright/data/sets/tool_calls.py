"""Conversations with tools: a request, the tools at hand, and the calls that answer it, or none.

Made from the Berkeley Function Calling Leaderboard (Patil et al. 2025, gorilla.cs.berkeley.edu), of
its single-turn categories. It is a benchmark: training is on what its users sent (`live_*`), testing
on the rest, and a score on what was trained on is worth nothing. Of the answers that count as right
the first is taken; every call holds to the JSON Schema of its tool.

Arguments of a tool out of those that count as right, and the tool's parameters as JSON Schema.

The Berkeley Function Calling Leaderboard gives for each parameter the list of its right values, where
`""` says that it may be left out, and names types as Python does."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, TypeAdapter

from finewright.catalog.sets import PackagedSet, read_sets
from finewright.data.sets.build import (
    Content,
    DataSet,
    Fetched,
    JsonRow,
    SetContent,
    add_source,
    digest,
    name_files,
)
from finewright.judge.json_schema import json_schema as holds_to
from finewright.rows.notes import Json
from finewright.schema.common import Model, default, without

_TYPES = {"dict": "object", "float": "number", "tuple": "array"}


_LEFT_OUT = ""


NO_CALL = "None of my tools can be called for this request."

_CATEGORIES: Mapping[str, Literal["train", "test"]] = {
    "live_simple": "train",
    "live_multiple": "train",
    "live_parallel": "train",
    "live_parallel_multiple": "train",
    "live_irrelevance": "train",
    "simple_python": "test",
    "multiple": "test",
    "parallel": "test",
    "parallel_multiple": "test",
    "irrelevance": "test",
}
_FILE = re.compile(r"(possible_answer/)?BFCL_v4_(\w+)\.json$")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")
_MOST_OF_A_NAME = 64


class ToolSettings(Model):
    """The order of the rows; the split is by category."""

    seed: int = default(0, "Seed of the order", "any fixed number repeats the set")


class _Request(BaseModel):
    id: str
    question: tuple[tuple[Json, ...], ...]
    function: tuple[Json, ...]


class _Answer(BaseModel):
    id: str
    ground_truth: tuple[dict[str, Json], ...]


class _Tool(NamedTuple):
    """A tool by the name that OpenAI's format allows, and its parameters as JSON Schema."""

    name: str
    description: str
    parameters: Json

    def declare(self) -> Json:
        """The tool as a row's `tools` has it."""
        return {"type": "function", "function": self._asdict()}


class _RequestError(Exception):
    """Why a request is of no use."""


def data_set() -> DataSet:
    """`tool-calls` as the catalog has it."""
    return DataSet(read_sets("finewright.catalog")["tool-calls"], content)


def _read(package: Fetched) -> tuple[dict[str, tuple[str, list[Json]]], dict[str, _Answer]]:
    """Category -> its file and requests; id of a request -> its answer."""
    requests: dict[str, tuple[str, list[Json]]] = {}
    answers: dict[str, _Answer] = {}
    for path, text in package.texts():
        found = _FILE.search(path)
        if found and found[2] in _CATEGORIES:
            lines = [json.loads(line) for line in text.splitlines() if line.strip()]
            if found[1]:
                answers |= {line["id"]: _Answer.model_validate(line) for line in lines}
            else:
                requests[found[2]] = path, lines
    return requests, answers


def content(fetched: Sequence[Fetched], packaged: PackagedSet) -> SetContent:
    """The requests of the categories above, each asked once with the same tools."""
    package, settings = fetched[0], ToolSettings()
    requests, answers = _read(package)
    dropped: Counter[str] = Counter()
    seen: set[str] = set()
    rows: dict[str, list[JsonRow]] = {"train": [], "test": []}
    for category, split in _CATEGORIES.items():
        path, lines = requests.get(category, ("", []))
        for request in TypeAdapter(list[_Request]).validate_python(lines):
            try:
                row = _make_tool_row(request, answers.get(request.id), seen)
            except _RequestError as fault:
                dropped[str(fault)] += 1
            else:
                row = {**row, "category": category, "id": request.id}
                rows[split].append(add_source(row, packaged.license, package.source, path))
    for of_split in rows.values():
        of_split.sort(key=lambda row: digest(f"{settings.seed}:{row['id']}"))
    return SetContent(Content(name_files(rows), settings, dict(dropped)))


def _make_tool_row(request: _Request, answer: _Answer | None, seen: set[str]) -> JsonRow:
    """The conversation with its tools; _RequestError if it cannot be one."""
    conversation = _conversation(request)
    if not request.function:
        raise _RequestError("request without tools")
    tools = {function["name"]: _tool(function) for function in request.function}
    if len({tool.name for tool in tools.values()}) < len(request.function):
        raise _RequestError("tools of the same name")
    said = "\n".join(turn["content"] for turn in conversation)
    truth = answer.ground_truth if answer else ()
    calls = [_call(name, right, tools, said) for part in truth for name, right in part.items()]
    declared = [tool.declare() for tool in tools.values()]
    key = json.dumps([conversation, declared])
    if key in seen:
        raise _RequestError("request that repeats")
    seen.add(key)
    accepted = [{tools[name].name: right for name, right in part.items()} for part in truth]
    return {
        "messages": [*conversation, _reply(calls)],
        "tools": declared,
        "accepted": json.dumps(accepted, ensure_ascii=False),
    }


def _conversation(request: _Request) -> list[Json]:
    """The turns up to the user's last; what an assistant said among them is read, not learned."""
    turns = [{**turn, "content": str(turn["content"]).strip()} for turn in request.question[0]]
    if not _alternate([turn["role"] for turn in turns]):
        raise _RequestError("turns of user and assistant that do not alternate")
    if not turns[-1]["content"]:
        raise _RequestError("request without text")
    return [{**turn, "weight": 0} if turn["role"] == "assistant" else turn for turn in turns]


def _tool(function: Json) -> _Tool:
    name = _NOT_IN_A_NAME.sub("_", function["name"])
    return _Tool(
        name[-_MOST_OF_A_NAME:], function["description"], json_schema(function["parameters"])
    )


def _call(name: str, right: Json, tools: Mapping[str, _Tool], said: str) -> Json:
    if name not in tools:
        raise _RequestError("call of a tool that is not there")
    tool = tools[name]
    arguments = choose_arguments(right, tool.parameters, said)
    text = json.dumps(arguments, ensure_ascii=False)
    if not arguments.keys() <= tool.parameters.get("properties", {}).keys():
        raise _RequestError("call with an argument that its tool does not have")
    if not holds_to(text, json.dumps(tool.parameters)):
        raise _RequestError("call that its tool's schema refuses")
    return {"type": "function", "function": {"name": tool.name, "arguments": text}}


def _reply(calls: Sequence[Json]) -> Json:
    if not calls:
        return {"role": "assistant", "content": NO_CALL}
    numbered = [{"id": f"call_{i}", **call} for i, call in enumerate(calls, start=1)]
    return {"role": "assistant", "content": None, "tool_calls": numbered}


def _alternate(roles: Sequence[str]) -> bool:
    """User and assistant in turns, from a user to a user; a system may stand before them."""
    spoken = roles[1:] if roles[0] == "system" else roles
    expected = ["user" if i % 2 == 0 else "assistant" for i in range(len(spoken))]
    return len(spoken) % 2 == 1 and list(spoken) == expected


def json_schema(part: Json) -> Json:
    """The parameters with the types of JSON Schema; one of type `any` has none.

    `optional` goes: JSON Schema has no such key, and `required` says it."""
    schema = without(part, {"type", "optional"})
    if (type_ := part.get("type", "any")) != "any":
        schema = {"type": _TYPES.get(type_, type_), **schema}
    if isinstance(properties := part.get("properties"), dict):
        schema["properties"] = {name: json_schema(of) for name, of in properties.items()}
    for key in ("items", "additionalProperties"):
        if isinstance(part.get(key), dict):
            schema[key] = json_schema(part[key])
    return schema


def choose_arguments(accepted: Mapping[str, Sequence[object]], schema: Json, said: str) -> Json:
    """One right value for each parameter that is given: the first.

    What may be left out is given only if the request has its first value in words: so that a model
    learns to fill in what it was told, not the defaults."""
    required = schema.get("required", ())
    properties = schema.get("properties", {})
    chosen = {}
    for name, values in accepted.items():
        real = [value for value in values if value != _LEFT_OUT]
        may_be_left_out = len(real) < len(values) and name not in required
        if may_be_left_out and not (real and _is_said(real[0], said)):
            continue
        value = real[0] if real else _LEFT_OUT
        chosen[name] = _concrete(value, properties.get(name, {}), said)
    return chosen


def _concrete(value: object, schema: Json, said: str) -> object:
    """The value, where the right values of an object's parameters are listed in turn."""
    if isinstance(value, list):
        return [_concrete(item, schema.get("items", {}), said) for item in value]
    if isinstance(value, dict) and all(isinstance(inner, list) for inner in value.values()):
        return choose_arguments(value, schema, said)
    return value


def _is_said(value: object, said: str) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is_said(item, said) for item in value)
    if isinstance(value, bool | dict):
        return False
    pattern = rf"(?<!\w){re.escape(str(value))}(?!\w)"
    return re.search(pattern, said, re.I) is not None
