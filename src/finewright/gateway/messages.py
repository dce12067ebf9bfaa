"""Messages and tools as requests bring them. Texts alone: nothing that a request names is ever fetched."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from finewright.gateway.errors import UNSUPPORTED, ApiError

MAX_TOOLS = 128
_CHOICES = frozenset({"auto", "none", "required"})
ToolName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,64}$")]


class RequestPart(BaseModel):
    """A part of a request: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def only(why: str, *taken: object) -> BeforeValidator:
    """Of a key that is known and takes these values alone: others are refused, and the client hears why."""

    def check(given: object) -> object:
        if given is not None and not any(given is each or given == each for each in taken):
            raise PydanticCustomError(UNSUPPORTED, "{why}", {"why": why})
        return given

    return BeforeValidator(check)


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

    id: str = ""
    type: Literal["function"] = "function"
    function: FunctionCall
    index: int | None = None


class ChatMessage(RequestPart):
    """A turn of the conversation. The keys that are None alone are there for answers that are sent back."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    annotations: list[JsonValue] | None = None
    audio: None = None
    function_call: None = None

    @model_validator(mode="after")
    def _says_something(self) -> "ChatMessage":
        if self.content is None and not (self.role == "assistant" and self.tool_calls):
            raise ValueError("content is missing")
        if self.tool_calls and self.role != "assistant":
            raise ValueError("only an assistant's message has tool_calls")
        return self

    def as_row(self) -> dict[str, Any]:
        """As chat templates have it."""
        role = "system" if self.role == "developer" else self.role
        given: dict[str, Any] = {"role": role, "content": text_of(self.content)}
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
    parameters: dict[str, JsonValue] | None = None
    strict: bool | None = None


class ChatTool(RequestPart):
    """A tool in the form of chat completions."""

    type: Literal["function"]
    function: FunctionTool

    def as_row(self) -> dict[str, Any]:
        """As chat templates have it."""
        return {"type": "function", "function": self.function.model_dump(exclude_none=True)}


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


def check_choice(choice: str, names: Sequence[str]) -> None:
    """Raise ApiError where the tool that must be called is not among those that are given."""
    if choice not in _CHOICES and choice not in names:
        raise ApiError(f"tool_choice: there is no tool {choice!r}", param="tool_choice")
    if choice == "required" and not names:
        raise ApiError("tool_choice: required, and no tools are given", param="tool_choice")


def schema_of(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """A JSON Schema that can be held to. Raises ApiError with what is wrong in it."""
    import json

    from finewright.errors import FinewrightError
    from finewright.judge.json_schema import JsonSchema

    try:
        JsonSchema(json.dumps(given))
    except FinewrightError as error:
        raise ApiError(f"response_format: {error}", param="response_format") from None
    return given
