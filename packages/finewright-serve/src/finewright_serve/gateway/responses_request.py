"""The body of POST /v1/responses: items in, a question out. To go on from an earlier answer needs a server
that keeps them (`serve.responses`)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, TypeAdapter, model_validator

from finewright_serve.gateway.errors import UNSUPPORTED, unsupported
from finewright_serve.gateway.messages import (
    FunctionTool,
    Many,
    NamedFunction,
    RequestPart,
    TextPart,
    ToolName,
    Tools,
    answered,
    check_tools,
    function_alone,
    only,
    text_of,
)
from finewright_serve.gateway.question import AnswerForm, GatewayQuestion, SamplingWish, ToolWish
from finewright_serve.gateway.requests import (
    MOST_LOGPROBS,
    JsonFormat,
    ModelId,
    PassingWishes,
    QuestionLimits,
    SchemaFormat,
    TextFormat,
    TokenCount,
    check_stream_options,
)

_SCORES = "message.output_text.logprobs"
_HERE = "no answers are kept here"


class MessageItem(RequestPart):
    """A turn of the conversation."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: str | Many[TextPart]
    id: str | None = None
    status: str | None = None
    phase: str | None = None


class CallItem(RequestPart):
    """A call of an earlier answer."""

    type: Literal["function_call"]
    call_id: str
    name: ToolName
    arguments: str = "{}"
    id: str | None = None
    status: str | None = None


class CallOutputItem(RequestPart):
    """What a called function gave."""

    type: Literal["function_call_output"]
    call_id: str
    output: str | Many[TextPart]
    id: str | None = None
    status: str | None = None


class ThoughtPart(RequestPart):
    """A stretch of a thought."""

    type: Literal["reasoning_text", "summary_text"]
    text: str


class ThoughtItem(RequestPart):
    """The thoughts before an earlier answer, as it was sent."""

    type: Literal["reasoning"]
    summary: Annotated[Many[ThoughtPart], Field(default_factory=list)]
    content: Many[ThoughtPart] | None = None
    id: str | None = None
    status: str | None = None
    encrypted_content: None = None


def _kind(item: Any) -> str:  # Any: not yet validated
    """Of a message `type` may be left out."""
    kind = item.get("type", "message") if isinstance(item, dict) else getattr(item, "type", "")
    return kind if isinstance(kind, str) else ""


InputItem = Annotated[
    Annotated[MessageItem, Tag("message")]
    | Annotated[CallItem, Tag("function_call")]
    | Annotated[CallOutputItem, Tag("function_call_output")]
    | Annotated[ThoughtItem, Tag("reasoning")],
    Discriminator(
        _kind,
        custom_error_type=UNSUPPORTED,
        custom_error_message="an item is a message, a function_call, a function_call_output or reasoning",
    ),
]


_ITEMS: TypeAdapter[list[Any]] = TypeAdapter(list[InputItem])


class ResponseTool(FunctionTool):
    """A function, in the form of responses. Tools that the server would run are refused."""

    _is_function = model_validator(mode="before")(function_alone)
    type: Literal["function"]

    def as_row(self) -> dict[str, Any]:
        """As chat templates have it."""
        return {
            "type": "function",
            "function": self.model_dump(exclude={"type"}, exclude_none=True),
        }


class ResponseChoice(NamedFunction):
    """The one tool that is to be called."""

    type: Literal["function"]


class ResponseSchemaFormat(SchemaFormat):
    """One JSON text that a schema accepts, in the form of responses."""

    type: Literal["json_schema"]


class ResponseText(RequestPart):
    """What the text of the answer must be."""

    format: Annotated[
        TextFormat | JsonFormat | ResponseSchemaFormat | None, Field(discriminator="type")
    ] = None
    verbosity: Annotated[
        Literal["medium"] | None, only("say in the input how long answers are", "medium")
    ] = None


class ResponseStreamOptions(RequestPart):
    """Of a stream, which ends with the usage always."""

    include_obfuscation: Annotated[
        Literal[False] | None, only("nothing is added to hide how long pieces are", False)
    ] = None


class ResponsesRequest(PassingWishes):
    """POST /v1/responses."""

    model: ModelId
    input: str | Annotated[Many[InputItem], Field(min_length=1)]
    instructions: str | None = None
    stream: bool | None = False
    stream_options: ResponseStreamOptions | None = None
    max_output_tokens: TokenCount | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    text: ResponseText | None = None
    tools: Tools[ResponseTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | ResponseChoice | None = None
    parallel_tool_calls: bool | None = None
    include: Many[Literal["message.output_text.logprobs"]] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MOST_LOGPROBS)] | None = None
    truncation: Annotated[
        Literal["disabled"] | None, only("nothing is left out of a conversation", "disabled")
    ] = None
    previous_response_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    conversation: Annotated[None, only("no conversations are kept here; send it as input")] = None
    prompt: Annotated[
        None, only("no prompts are kept here; send them as instructions and input")
    ] = None
    background: Annotated[
        Literal[False] | None, only("an answer lasts as long as its request", False)
    ] = None
    background_options: Annotated[None, only("an answer lasts as long as its request")] = None
    store: bool | None = None
    reasoning: Annotated[None, only("how long a model thinks is not set here; leave it out")] = None
    max_tool_calls: Annotated[None, only("tools are called by the client, which may count")] = None
    context_management: Annotated[None, only("nothing is left out of a conversation")] = None
    access_programs: Annotated[None, only("there are none here; leave it out")] = None
    image: Annotated[None, only("the models write text, no images")] = None
    moderation: Annotated[None, only("nothing is moderated here; leave it out")] = None
    _before: tuple[Any, ...] = ()  # Any: items, of the responses that it goes on from

    @property
    def names(self) -> Mapping[str, str]:
        """Keys that the engines' errors call otherwise than this request."""
        return {
            "messages": "input",
            "max_tokens": "max_output_tokens",
            "response_format": "text.format",
            "logprobs": "top_logprobs",
        }

    @property
    def wants_usage(self) -> bool:
        """The last event has it always."""
        return True

    def refuse_kept(self) -> None:
        """Raise ApiError for what a server that keeps no answers cannot do."""
        if self.store:
            raise unsupported("store", f"{_HERE}; leave it out, and send the conversation as input")
        if self.previous_response_id is not None:
            raise unsupported("previous_response_id", f"{_HERE}; send the conversation as input")

    def after(self, items: Sequence[dict[str, Any]]) -> "ResponsesRequest":
        """The request as it goes on from these items; an error names the place in its own input."""
        found = self.model_copy()
        found._before = tuple(_ITEMS.validate_python(items))
        return found

    @property
    def own_items(self) -> list[dict[str, Any]]:
        """Its own input, as items."""
        if isinstance(self.input, str):
            return [{"type": "message", "role": "user", "content": self.input}]
        return [item.model_dump(mode="json", exclude_none=True) for item in self.input]

    def questions(self, limits: QuestionLimits) -> list[GatewayQuestion]:
        """What the engine answers: one. Raises ApiError for what cannot be honoured."""
        check_stream_options(self.stream, self.stream_options)
        warmth = limits.temperature if self.temperature is None else self.temperature
        top_p = 1.0 if self.top_p is None else self.top_p
        wants_scores = self.top_logprobs is not None or _SCORES in (self.include or ())
        question = GatewayQuestion(
            model=self.model,
            messages=tuple(self._messages()),
            max_tokens=self.max_output_tokens,
            sampling=SamplingWish(temperature=warmth, top_p=top_p),
            num_logprobs=(self.top_logprobs or 0) if wants_scores else None,
            tools=self._tools(),
            form=self._form(),
        )
        return [question]

    def _messages(self) -> list[dict[str, Any]]:
        opening = [{"role": "system", "content": self.instructions}] if self.instructions else []
        own = _ITEMS.validate_python(self.own_items) if isinstance(self.input, str) else self.input
        return opening + rows_of([*self._before, *own], len(self._before))

    def _tools(self) -> ToolWish | None:
        given = self.tool_choice
        choice = given.name if isinstance(given, ResponseChoice) else given or "auto"
        tools = self.tools or []
        check_tools(choice, [tool.name for tool in tools], "tools.{}.name")
        if not tools or choice == "none":
            return None
        rows = tuple(tool.as_row() for tool in tools)
        return ToolWish(rows, choice, at_most_one=self.parallel_tool_calls is False)

    def _form(self) -> AnswerForm | None:
        given = self.text.format if self.text else None
        if isinstance(given, ResponseSchemaFormat):
            return AnswerForm(given.schema_ or {})
        return AnswerForm() if isinstance(given, JsonFormat) else None


def rows_of(
    items: Sequence[MessageItem | CallItem | CallOutputItem | ThoughtItem], num_before: int = 0
) -> list[dict[str, Any]]:
    """The items as messages. An answer's thoughts, text and calls, which are items of their own, are one.
    Raises ApiError for an output that no call before it has; the input begins after `num_before` items."""
    rows: list[dict[str, Any]] = []
    is_open, calls = False, dict[str, str]()
    for number, item in enumerate(items):
        if isinstance(item, CallOutputItem):
            answered(calls, item.call_id, f"input.{number - num_before}.call_id")
            output = text_of(item.output)
            rows.append({"role": "tool", "tool_call_id": item.call_id, "content": output})
            is_open = False
        elif isinstance(item, MessageItem) and item.role != "assistant":
            role = "system" if item.role == "developer" else item.role
            rows.append({"role": role, "content": text_of(item.content)})
            is_open = False
        else:
            if not is_open or (isinstance(item, MessageItem) and rows[-1]["content"]):
                rows.append({"role": "assistant", "content": ""})
            is_open = True
            calls |= {item.call_id: item.name} if isinstance(item, CallItem) else {}
            _add(rows[-1], item)
    return rows


def _add(row: dict[str, Any], item: MessageItem | CallItem | ThoughtItem) -> None:
    if isinstance(item, MessageItem):
        row["content"] = text_of(item.content)
    elif isinstance(item, CallItem):
        function = {"name": item.name, "arguments": item.arguments}
        call = {"id": item.call_id, "type": "function", "function": function}
        row["tool_calls"] = [*row.get("tool_calls", ()), call]
    else:
        row["reasoning_content"] = "".join(part.text for part in item.content or item.summary)
