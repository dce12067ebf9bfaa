"""The bodies of requests, one model for each route: what is unknown is refused, what is known is honoured."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Protocol

from pydantic import BeforeValidator, Field, JsonValue

from finewright_serve.gateway.errors import ApiError, unsupported
from finewright_serve.gateway.guided import GuidedRequest
from finewright_serve.gateway.messages import (
    ChatMessage,
    ChatTool,
    Many,
    NamedChoice,
    RequestPart,
    SchemaObject,
    Tools,
    check_results,
    check_tools,
    only,
)
from finewright_serve.gateway.question import AnswerForm, GatewayQuestion, SamplingWish, ToolWish

Prompt = str | tuple[int, ...]
TokenId = Annotated[int, Field(ge=0)]
TokenCount = Annotated[int, Field(ge=1, lt=2**31)]
ModelId = Annotated[str, Field(min_length=1, max_length=256, description="An id of /v1/models.")]
Stops = str | Annotated[list[str], Field(max_length=16)] | None
_MOST_ANSWERS = 128
_MOST_TEXTS = 2048
MOST_LOGPROBS = 20
_SEED = 2**63
_USUAL_TOKENS = 16
"""Of a completion that says no number, as OpenAI has it."""


class QuestionLimits(Protocol):
    """What the server says where a request says nothing."""

    @property
    def temperature(self) -> float:
        """Of answers whose request names none."""

    @property
    def max_tokens(self) -> int:
        """The longest answer."""


class PassingWishes(RequestPart):
    """Keys that clients send along, for OpenAI's own records and caches: they change no answer."""

    user: str | None = None
    metadata: dict[str, str] | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, JsonValue] | None = None
    prompt_cache_retention: str | None = None
    service_tier: Literal["auto", "default"] | None = None


class StreamOptions(RequestPart):
    """Is the usage wanted as a last chunk?"""

    include_usage: bool = False
    include_obfuscation: Annotated[
        Literal[False] | None, only("nothing is added to hide how long pieces are", False)
    ] = None


class SampledRequest(PassingWishes, GuidedRequest):
    """How answers are drawn, common to chat and completions; `None` is as if it were not there."""

    model: ModelId
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: TokenCount | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1, lt=2**31)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=2)] | None = None
    n: Annotated[int, Field(ge=1, le=_MOST_ANSWERS)] | None = None
    seed: Annotated[int, Field(ge=-_SEED, lt=_SEED)] | None = None
    stop: Stops = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None

    @property
    def names(self) -> Mapping[str, str]:
        """Keys that the engines' errors call otherwise than this request."""
        return {}

    @property
    def wants_usage(self) -> bool:
        """Does a stream end with the usage?"""
        return self.stream_options is not None and self.stream_options.include_usage

    def sampling(self, temperature: float) -> SamplingWish:
        """The wish, with the server's own temperature where none is named."""
        check_stream_options(self.stream, self.stream_options)
        bias = {_token(key): value for key, value in (self.logit_bias or {}).items()}
        warmth = temperature if self.temperature is None else self.temperature
        if (self.n or 1) > 1 and warmth == 0:
            what = "answers at temperature 0 are all the same; set temperature above 0"
            raise ApiError(f"n: {self.n} {what}", param="n")
        return SamplingWish(
            temperature=warmth,
            top_p=1.0 if self.top_p is None else self.top_p,
            top_k=max(self.top_k or 0, 0),  # -1 is vLLM's none
            min_p=self.min_p or 0.0,
            repetition_penalty=self.repetition_penalty or 1.0,
            seed=self.seed,
            presence_penalty=self.presence_penalty or 0.0,
            frequency_penalty=self.frequency_penalty or 0.0,
            logit_bias=bias or None,
        )

    def stops(self) -> tuple[str, ...]:
        """The texts that end an answer."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        if not all(given):
            raise ApiError("stop: an empty text would end every answer", param="stop")
        return tuple(given)


def check_stream_options(stream: bool | None, options: RequestPart | None) -> None:
    """Raise ApiError for options of a stream where none is asked for."""
    if options is not None and not stream:
        raise ApiError("stream_options: they need stream: true", param="stream_options")


def _token(key: str) -> int:
    if not key.isascii() or not key.isdigit() or len(key) > 9:  # noqa: PLR2004 - no vocabulary is larger
        raise ApiError(f"logit_bias: {key[:20]!r} is no token id", param="logit_bias")
    return int(key)


class SchemaFormat(RequestPart):
    """A schema with its name."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    schema_: Annotated[SchemaObject | None, Field(alias="schema")] = None
    strict: bool | None = None


class TextFormat(RequestPart):
    """Free text."""

    type: Literal["text"]


class JsonFormat(RequestPart):
    """One JSON object."""

    type: Literal["json_object"]


class JsonSchemaFormat(RequestPart):
    """One JSON text that a schema accepts."""

    type: Literal["json_schema"]
    json_schema: SchemaFormat


class ChatRequest(SampledRequest):
    """POST /v1/chat/completions."""

    messages: Annotated[Many[ChatMessage], Field(min_length=1)]
    max_completion_tokens: TokenCount | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MOST_LOGPROBS)] | None = None
    tools: Tools[ChatTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: Annotated[
        TextFormat | JsonFormat | JsonSchemaFormat | None, Field(discriminator="type")
    ] = None
    modalities: Many[Literal["text"]] | None = None
    store: Annotated[Literal[False] | None, only("no answers are kept here", False)] = None
    audio: Annotated[None, only("the models write text, no sound")] = None
    functions: Annotated[None, only("OpenAI's old name; send them as tools")] = None
    function_call: Annotated[None, only("OpenAI's old name; send tool_choice")] = None
    moderation: Annotated[None, only("nothing is moderated here; leave it out")] = None
    prediction: Annotated[None, only("no text is taken for a guess; leave it out")] = None
    reasoning_effort: Annotated[
        None, only("how long a model thinks is not set here; leave it out")
    ] = None
    verbosity: Annotated[
        Literal["medium"] | None, only("say in the messages how long answers are", "medium")
    ] = None
    web_search_options: Annotated[
        None, only("nothing is searched here; offer a function that does")
    ] = None

    @property
    def names(self) -> Mapping[str, str]:
        """See SampledRequest."""
        is_new = self.max_completion_tokens is not None
        return {"max_tokens": "max_completion_tokens"} if is_new else {}

    def questions(self, limits: QuestionLimits) -> list[GatewayQuestion]:
        """What the engine answers: one. Raises ApiError where the keys contradict each other."""
        most = {self.max_tokens, self.max_completion_tokens} - {None}
        if len(most) > 1:
            what = "max_tokens and max_completion_tokens differ; give the second alone"
            raise ApiError(what, param="max_tokens")
        if self.parallel_tool_calls is not None and not self.tools:
            what = "parallel_tool_calls: it says how tools are called, and no tools are given"
            raise ApiError(what, param="parallel_tool_calls")
        check_results(self.messages)
        if self.top_logprobs is not None and not self.logprobs:
            raise ApiError("top_logprobs: it needs logprobs: true", param="top_logprobs")
        question = GatewayQuestion(
            model=self.model,
            messages=tuple(message.as_row() for message in self.messages),
            max_tokens=next(iter(most), None),
            num_answers=self.n or 1,
            sampling=self.sampling(limits.temperature),
            stops=self.stops(),
            num_logprobs=(self.top_logprobs or 0) if self.logprobs else None,
            tools=self._tools(),
            form=self._form(),
        )
        return [question]

    def _tools(self) -> ToolWish | None:
        given = self.tool_choice
        if given is not None and not self.tools:
            what = "tool_choice: it says which tools are called, and no tools are given"
            raise ApiError(what, param="tool_choice")
        choice = given.function.name if isinstance(given, NamedChoice) else given or "auto"
        tools = self.tools or []
        check_tools(choice, [tool.function.name for tool in tools], "tools.{}.function.name")
        if not tools or choice == "none":
            return None
        rows = tuple(tool.as_row() for tool in tools)
        return ToolWish(rows, choice, at_most_one=self.parallel_tool_calls is False)

    def _form(self) -> AnswerForm | None:
        plain, guided = form_of(self.response_format), self.guided_form()
        if plain is not None and guided is not None:
            what = f"{guided.param}: response_format is given too; an answer has one form"
            raise ApiError(what, param=guided.param)
        return plain or guided


def form_of(given: TextFormat | JsonFormat | JsonSchemaFormat | None) -> AnswerForm | None:
    """What an answer must be."""
    if isinstance(given, JsonSchemaFormat):
        return AnswerForm(given.json_schema.schema_ or {})
    return AnswerForm() if isinstance(given, JsonFormat) else None


class CompletionRequest(SampledRequest):
    """POST /v1/completions: a text goes on, without a chat template."""

    prompt: (
        str
        | Annotated[Many[TokenId], Field(min_length=1)]
        | Annotated[Many[str] | Many[Many[TokenId]], Field(min_length=1, max_length=_MOST_ANSWERS)]
    )
    logprobs: Annotated[int, Field(ge=0, le=MOST_LOGPROBS)] | None = None
    echo: Annotated[
        Literal[False] | None, only("the answer comes alone; put the prompt before it", False)
    ] = None
    best_of: Annotated[
        Literal[1] | None, only("every answer is given; ask for n and choose among them", 1)
    ] = None
    suffix: Annotated[None, only("models here go on from a text, and fill no gap in one")] = None

    def questions(self, limits: QuestionLimits) -> list[GatewayQuestion]:
        """What the engine answers: a question for each prompt."""
        prompts = self._prompts()
        if len(prompts) * (self.n or 1) > _MOST_ANSWERS:
            what = f"{len(prompts)} prompts with n: {self.n or 1} are more than {_MOST_ANSWERS} answers"
            raise ApiError(f"prompt: {what}; send several requests", param="prompt")
        first = self._question(limits, prompts[0])
        return [replace(first, text=prompt) for prompt in prompts]

    def _question(self, limits: QuestionLimits, prompt: Prompt) -> GatewayQuestion:
        return GatewayQuestion(
            model=self.model,
            text=prompt,
            max_tokens=self.max_tokens or min(_USUAL_TOKENS, limits.max_tokens),
            num_answers=self.n or 1,
            sampling=self.sampling(limits.temperature),
            stops=self.stops(),
            num_logprobs=self.logprobs,
            form=self.guided_form(),
        )

    def _prompts(self) -> list[Prompt]:
        given: Any = self.prompt  # Any: one of four forms, which the next line tells apart
        is_one = isinstance(given, str) or isinstance(given[0], int)
        found = [
            each if isinstance(each, str) else tuple(each)
            for each in ([given] if is_one else given)
        ]
        if not all(found):
            raise ApiError("prompt: there is nothing to go on from", param="prompt")
        return found


def _check_texts(given: object) -> object:
    if not isinstance(given, str | list):
        raise ValueError("a text or a list of texts is expected")
    if isinstance(given, list) and not 0 < len(given) <= _MOST_TEXTS:
        what = (
            f"{len(given)} texts are given, and a request takes {_MOST_TEXTS} at most"
            if given
            else "there is no text"
        )
        raise ValueError(what)
    if isinstance(given, list) and any(isinstance(each, int | list) for each in given):
        raise ValueError("token ids are not taken; send texts")
    return given


Texts = Annotated[
    str | Annotated[list[str], Field(min_length=1, max_length=_MOST_TEXTS)],
    BeforeValidator(_check_texts),
]


class DecisionRequest(PassingWishes):
    """POST /v1/decisions."""

    model: ModelId
    input: Texts

    def texts(self) -> list[str]:
        """The texts that are decided."""
        return [self.input] if isinstance(self.input, str) else self.input


class EmbeddingRequest(PassingWishes):
    """POST /v1/embeddings."""

    model: ModelId
    input: Texts
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1)] | None = None

    def texts(self) -> list[str]:
        """The texts that become vectors."""
        if self.dimensions is not None:
            raise unsupported("dimensions", "vectors are given whole")
        texts = [self.input] if isinstance(self.input, str) else self.input
        if not all(texts):
            raise ApiError("input: an empty text has no vector", param="input")
        return texts
