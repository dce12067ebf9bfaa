"""Messages and tools as requests bring them. Texts alone: nothing that a request names is ever fetched."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from finewright.errors import FinewrightError
from finewright_serve.gateway.errors import UNSUPPORTED, ApiError

MAX_TOOLS = 128
_MOST_OF_TOOLS, _MOST_OF_A_SCHEMA = 256 * 1024, 120_000
"""Characters of JSON: a megabyte of a schema takes 4 s to check. The second is OpenAI's own bound."""
_MOST_KEPT = 16 * 1024
_CHOICES = frozenset({"auto", "none", "required"})
_OF_ROLE = {
    "tool_calls": "assistant",
    "refusal": "assistant",
    "reasoning_content": "assistant",
    "tool_call_id": "tool",
}
"""Keys that messages of one role alone have."""
ToolName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,64}$")]
Item = TypeVar("Item")
Many = Annotated[list[Item], Field(fail_fast=True)]
"""A list of any length, of which the first wrong item alone is a mistake: a million of them take 20 s to
name, in which no other thread runs."""


class RequestPart(BaseModel):
    """A part of a request: unknown keys are refused, and values of another type, never read as if they were
    of the right one."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def only(why: str, *taken: object) -> BeforeValidator:
    """Of a key that is known and takes these values alone: others are refused, and the client hears why."""

    def check(given: object) -> object:
        is_taken = any(type(given) is type(each) and given == each for each in taken)
        if given is not None and not is_taken:
            raise PydanticCustomError(UNSUPPORTED, "{why}", {"why": why})
        return given

    return BeforeValidator(check)


def at_most(most: int) -> BeforeValidator:
    """Of JSON that is no longer than so many characters: what would take long to check is not begun."""

    def check(given: object) -> object:
        length = len(json.dumps(given))
        if length > most:
            raise ValueError(f"it has {length} characters of JSON, and {most} are taken")
        return given

    return BeforeValidator(check)


def _check_schema(given: Mapping[str, Any]) -> Mapping[str, Any]:
    text = json.dumps(given)
    if problem := (_known_problem if len(text) < _MOST_KEPT else _problem)(text):
        raise ValueError(problem)
    return given


def _problem(schema: str) -> str:
    """What is wrong in a JSON Schema; "" where nothing is."""
    from finewright.judge.json_schema import refuse_no_schema

    try:
        refuse_no_schema(schema)
    except FinewrightError as error:
        return f"{error}{error.hint and '; '}{error.hint}"
    return ""


_known_problem = lru_cache(maxsize=256)(_problem)  # agents send the same tools with every question


def _check_parameters(given: Mapping[str, Any]) -> Mapping[str, Any]:
    if given.get("type", "object") != "object":
        raise ValueError(f"arguments are an object: its type is {given['type']!r}; write 'object'")
    return given


SchemaObject = Annotated[
    dict[str, JsonValue], at_most(_MOST_OF_A_SCHEMA), AfterValidator(_check_schema)
]
"""A JSON Schema."""


class TextPart(RequestPart):
    """A part of a content. Images, sound and files are refused: the models read text."""

    type: Literal["text", "input_text", "output_text"]
    text: str
    annotations: list[JsonValue] | None = None
    logprobs: list[JsonValue] | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_text(cls, given: object) -> object:
        kind = given.get("type") if isinstance(given, dict) else None
        if isinstance(kind, str) and not kind.endswith("text"):
            what = f"a part of type {kind[:32]} is not taken: the models read text, no images, sound or files"
            raise ValueError(what)
        return given


class FunctionCall(RequestPart):
    """The function that an earlier answer called, with its arguments as JSON text."""

    name: ToolName
    arguments: str = "{}"


class ToolCall(RequestPart):
    """A call of an earlier answer."""

    id: Annotated[str, Field(min_length=1)]
    type: Literal["function"] = "function"
    function: FunctionCall
    index: int | None = None


class ChatMessage(RequestPart):
    """A turn of the conversation. The keys that are None alone are there for answers that are sent back, and
    so are annotations, which no model reads. A refusal is what an assistant said in place of a content."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | Many[TextPart] | None = None
    name: str | None = None
    tool_calls: Many[ToolCall] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    annotations: list[JsonValue] | None = None
    audio: None = None
    function_call: None = None

    @model_validator(mode="after")
    def _says_something(self) -> "ChatMessage":
        for key, role in _OF_ROLE.items():
            if getattr(self, key) and self.role != role:
                raise ValueError(f"only messages of the role {role} have {key}")
        if self.content and self.refusal:
            raise ValueError("content and refusal: an answer is one of them")
        if self.content is None and not self.tool_calls and not self.refusal:
            raise ValueError("content is missing")
        if self.role == "tool" and not self.tool_call_id:
            raise ValueError("tool_call_id is missing: the id of the call whose result this is")
        return self

    def as_row(self) -> dict[str, Any]:
        """As chat templates have it."""
        role = "system" if self.role == "developer" else self.role
        content = text_of(self.content) or self.refusal or ""
        given: dict[str, Any] = {"role": role, "content": content}
        if self.tool_calls:
            calls = [call.model_dump(exclude={"index"}) for call in self.tool_calls]
            given["tool_calls"] = calls
        for key in ("name", "tool_call_id", "reasoning_content"):
            value = getattr(self, key)
            given |= {key: value} if value else {}
        return given


class FunctionTool(RequestPart):
    """A function that may be called."""

    name: ToolName
    description: str | None = None
    parameters: Annotated[SchemaObject, AfterValidator(_check_parameters)] | None = None
    strict: bool | None = None


def function_alone(given: object) -> object:
    """The tool that was given. Raises PydanticCustomError for one that a server would run."""
    kind = given.get("type") if isinstance(given, dict) else None
    if isinstance(kind, str) and kind != "function":
        what = "no tool of type {kind} is run here; offer a function, which the client runs"
        raise PydanticCustomError(UNSUPPORTED, what, {"kind": kind[:32]})
    return given


class ChatTool(RequestPart):
    """A tool in the form of chat completions."""

    _is_function = model_validator(mode="before")(function_alone)
    type: Literal["function"]
    function: FunctionTool

    def as_row(self) -> dict[str, Any]:
        """As chat templates have it."""
        return {"type": "function", "function": self.function.model_dump(exclude_none=True)}


Tool = TypeVar("Tool", bound=BaseModel)
Tools = Annotated[Many[Tool], at_most(_MOST_OF_TOOLS), Field(max_length=MAX_TOOLS)]
"""The tools of a request."""


class NamedFunction(RequestPart):
    """The name of a tool that is to be called: none that would be taken for a choice of its own."""

    name: ToolName

    @field_validator("name")
    @classmethod
    def _is_no_choice(cls, name: str) -> str:
        if name in _CHOICES:
            raise ValueError(f"a tool whose name is {name} cannot be forced; give it another name")
        return name


class NamedChoice(RequestPart):
    """The one tool that is to be called."""

    type: Literal["function"]
    function: NamedFunction


def text_of(content: str | Sequence[TextPart] | None) -> str:
    """The parts of a content as one text."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.text for part in content)


def check_tools(choice: str, names: Sequence[str], place: str) -> None:
    """Raise ApiError where two tools have one name, and where the one that must be called is none of them;
    `place` is where the name of number {} stands."""
    for number, name in enumerate(names):
        if name in names[:number]:
            param = place.format(number)
            raise ApiError(f"{param}: there are two tools {name!r}", param=param)
    if choice not in _CHOICES and choice not in names:
        raise ApiError(f"tool_choice: there is no tool {choice!r}", param="tool_choice")
    if choice == "required" and not names:
        raise ApiError("tool_choice: required, and no tools are given", param="tool_choice")


def answered(open_calls: dict[str, str], call: str, param: str) -> str:
    """The tool whose call a result is of, which is open no more. Raises ApiError where no call is open by
    that id."""
    if call not in open_calls:
        what = f"{param}: {call[:100]!r} is no call of a message before it that has no result yet"
        raise ApiError(what, param=param, code="invalid_value")
    return open_calls.pop(call)


def check_results(messages: Sequence[ChatMessage]) -> None:
    """Raise ApiError for the result of a tool that answers no call, or that names another tool."""
    open_calls: dict[str, str] = {}
    for number, message in enumerate(messages):
        open_calls |= {call.id: call.function.name for call in message.tool_calls or ()}
        if message.tool_call_id:
            where = f"messages.{number}"
            tool = answered(open_calls, message.tool_call_id, f"{where}.tool_call_id")
            if message.name not in (None, tool):
                param = f"{where}.name"
                what = f"{param}: {message.name[:64]!r}, and the call is of {tool!r}"
                raise ApiError(what, param=param, code="invalid_value")
