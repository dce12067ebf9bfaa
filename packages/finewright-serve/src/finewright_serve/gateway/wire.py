"""A question as another OpenAI-compatible server is asked it, and its event stream as pieces of an answer."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.question import (
    AnswerForm,
    AnswerPiece,
    CalledTool,
    CallPart,
    Finish,
    GatewayQuestion,
    ScoredToken,
    TokenUsage,
    ToolWish,
)

Json = Mapping[str, Any]  # Any: JSON
_FINISHES: Mapping[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


def path_of(question: GatewayQuestion) -> str:
    """The route that the question goes to, below /v1."""
    return "completions" if question.messages is None else "chat/completions"


def body_of(question: GatewayQuestion, model: str, max_tokens: int) -> dict[str, Any]:
    """The body of the request: always a stream, so that a client that leaves ends the work there too."""
    sampling = question.sampling
    body: dict[str, Any] = {
        "model": model,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": question.max_tokens or max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }
    given = {
        "n": question.num_answers if question.num_answers > 1 else None,
        "top_k": sampling.top_k or None,
        "min_p": sampling.min_p or None,
        "repetition_penalty": None
        if sampling.repetition_penalty == 1
        else sampling.repetition_penalty,
        "seed": sampling.seed,
        "stop": list(question.stops) or None,
        "presence_penalty": sampling.presence_penalty or None,
        "frequency_penalty": sampling.frequency_penalty or None,
        "logit_bias": {str(key): value for key, value in (sampling.logit_bias or {}).items()},
    }
    body |= {key: value for key, value in given.items() if value not in (None, {})}
    return body | (_text_part(question) if question.messages is None else _chat_part(question))


def _text_part(question: GatewayQuestion) -> dict[str, Any]:
    text = question.text
    scores = {} if question.num_logprobs is None else {"logprobs": question.num_logprobs}
    form = {} if question.form is None else _format(question.form)
    return {"prompt": text if isinstance(text, str) else list(text), **scores, **form}


def _chat_part(question: GatewayQuestion) -> dict[str, Any]:
    body: dict[str, Any] = {"messages": list(question.messages or ())}
    if question.num_logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": question.num_logprobs}
    if question.tools is not None:
        body |= _tools(question.tools)
    if question.form is not None:
        body |= _format(question.form)
    return body


def _tools(wish: ToolWish) -> dict[str, Any]:
    choice: Any = wish.choice  # Any: a word, or an object that names one
    if choice not in {"auto", "required"}:
        choice = {"type": "function", "function": {"name": choice}}
    more = {"parallel_tool_calls": False} if wish.at_most_one else {}
    return {"tools": list(wish.tools), "tool_choice": choice, **more}


def _format(form: AnswerForm) -> dict[str, Any]:
    """OpenAI's key, or where it has none vLLM's."""
    if form.kind != "json":
        value = json.loads(form.text) if form.kind == "choice" else form.text
        return {"structured_outputs": {form.kind: value}}
    if form.schema is None:
        return {"response_format": {"type": "json_object"}}
    schema = {"name": "answer", "schema": form.schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


@dataclass(slots=True)
class _Calls:
    """Calls of one answer, put together from their deltas. A call is announced once it has a first argument:
    by then its name is whole."""

    names: dict[int, str] = field(default_factory=dict)
    arguments: dict[int, str] = field(default_factory=dict)
    announced: list[int] = field(default_factory=list)

    def add(self, delta: Json) -> Iterator[CallPart]:
        """Add a delta, and give it as parts. Raises ValueError for more of a name that was announced."""
        number, function = int(delta.get("index") or 0), delta.get("function") or {}
        name, more = str(function.get("name") or ""), str(function.get("arguments") or "")
        if name and number in self.announced:
            raise ValueError
        self.names[number] = self.names.get(number, "") + name
        self.arguments[number] = self.arguments.get(number, "") + more
        if not more:
            return
        begun = list(self.names)
        for each in begun[len(self.announced) : begun.index(number) + 1]:  # in the order of `whole`
            yield CallPart(len(self.announced), self.names[each], "")
            self.announced.append(each)
        yield CallPart(self.announced.index(number), "", more)

    def rest(self) -> Iterator[CallPart]:
        """What `whole` adds to the calls that were announced."""
        for place, number in enumerate(self.announced):
            if not self.arguments[number]:
                yield CallPart(place, "", "{}")

    def whole(self, *, is_cut: bool) -> tuple[CalledTool, ...]:
        """All calls; of an answer that was cut, without a last one whose arguments do not end."""
        numbers = list(self.names)
        if is_cut and numbers and not _is_object(self.arguments[numbers[-1]]):
            numbers.pop()
        return tuple(CalledTool(self.names[i], self.arguments[i] or "{}") for i in numbers)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


async def pieces_of(
    events: AsyncIterator[Json], question: GatewayQuestion
) -> AsyncGenerator[AnswerPiece, None]:
    """The pieces that the chunks are. The last piece waits for the usage, which comes after it. Raises
    ApiError with 502 for a stream that is none, or that ends too early."""
    calls = [_Calls() for _ in range(question.num_answers)]
    held: AnswerPiece | None = None
    usage, ended = TokenUsage(cached=None), set[int]()
    async for event in events:
        try:
            usage = _usage(event) or usage
            found = [_piece(choice, calls) for choice in event.get("choices") or ()]
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            raise broken("a chunk of its answer has another form") from None
        for piece in found:
            is_end = piece.finish is not None and piece.choice not in ended
            if not is_end and not _says_something(piece):
                continue
            if held is not None:
                yield held
            held = piece if piece.finish else None
            if held is None:
                yield piece
            else:
                ended.add(piece.choice)
    if held is None or len(ended) < question.num_answers:
        raise broken("its answer ended too early")
    yield replace(held, usage=usage)


def broken(why: str) -> ApiError:
    """What the server behind did wrong is not the client's fault."""
    return ApiError(f"the model's server failed: {why}", status=502, code="upstream_error")


def _says_something(piece: AnswerPiece) -> bool:
    said = piece.content or piece.thoughts or piece.scores or piece.fault
    return bool(said or piece.call_parts)


def _piece(choice: Json, calls: Sequence[_Calls]) -> AnswerPiece:
    number, delta = int(choice.get("index") or 0), choice.get("delta") or {}
    parts = [part for each in delta.get("tool_calls") or () for part in calls[number].add(each)]
    given = choice.get("finish_reason")
    finish = None if given is None else _FINISHES.get(str(given), "stop")
    fault = str(delta.get("fault") or "")
    if given is not None and given not in _FINISHES:
        fault = fault or f"the model's server ended the answer: {str(given)[:64]}"
    called = calls[number].whole(is_cut=finish == "length") if finish else ()
    parts += calls[number].rest() if finish else ()
    if number < 0 or number >= len(calls):
        raise IndexError
    return AnswerPiece(
        choice=number,
        content=str(delta.get("content") or choice.get("text") or ""),
        thoughts=str(delta.get("reasoning_content") or delta.get("reasoning") or ""),
        calls=called,
        scores=_scores(choice.get("logprobs")),
        finish="tool_calls" if called and finish != "length" else finish,
        fault=fault,
        call_parts=tuple(parts),
        num_in_parts=min(len(called), len(calls[number].announced)),
    )


def _usage(event: Json) -> TokenUsage | None:
    given = event.get("usage")
    if not given:
        return None
    cached = (given.get("prompt_tokens_details") or {}).get("cached_tokens")
    return TokenUsage(
        int(given["prompt_tokens"]),
        int(given.get("completion_tokens") or 0),
        None if cached is None else int(cached),
    )


def _scores(given: Json | None) -> tuple[ScoredToken, ...]:
    if not given:
        return ()
    if given.get("content") is not None:
        return tuple(_score(row) for row in given["content"])
    texts, logps = given.get("tokens") or (), given.get("token_logprobs") or ()
    others = given.get("top_logprobs") or [None] * len(texts)
    return tuple(
        ScoredToken(text, text.encode(), float(logp), _likeliest(row))
        for text, logp, row in zip(texts, logps, others, strict=True)
    )


def _likeliest(row: Json | None) -> tuple[ScoredToken, ...]:
    return tuple(ScoredToken(t, t.encode(), float(p)) for t, p in (row or {}).items())


def _score(row: Json) -> ScoredToken:
    text, raw = str(row["token"]), row.get("bytes")
    content = text.encode() if raw is None else bytes(raw)
    others = tuple(_score({**each, "top_logprobs": ()}) for each in row.get("top_logprobs") or ())
    return ScoredToken(text, content, float(row["logprob"]), others)


async def events_of(
    parts: AsyncIterator[bytes], most_bytes: int = 2**24
) -> AsyncGenerator[dict[str, Any], None]:
    """The JSON objects of an event stream up to `[DONE]`; lines end with line feeds alone, as the standard
    has it, so that a content may hold other line separators. Raises ApiError for what is none."""
    rest = b""
    async for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        if len(rest) > most_bytes:
            raise broken(f"a line of its answer is longer than {most_bytes} bytes")
        for line in lines:
            name, _, data = line.partition(b":")
            data = data.strip()
            if name != b"data" or not data:
                continue
            if data == b"[DONE]":
                return
            yield _event(data)


def _event(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise broken("a chunk of its answer is no JSON") from None
    if not isinstance(found, dict):
        raise broken("a chunk of its answer is no object")
    if error := found.get("error"):
        said = error.get("message", "") if isinstance(error, dict) else error
        raise broken(one_line(str(said)))
    return found


def one_line(text: str, most: int = 300) -> str:
    """The text without what moves a cursor, cut where it gets long."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(plain.split())[:most]
