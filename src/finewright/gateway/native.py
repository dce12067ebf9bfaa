"""finewright's own engine behind the gateway: any adapter, exactly as it was trained and measured.

Tokens are made in a worker thread: the event loop hears of each, and the thread of a client that left."""

import asyncio
import json
import secrets
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from finewright.compare.models import LoadedModel
from finewright.errors import DataError
from finewright.gateway.errors import ApiError, unsupported
from finewright.gateway.question import (
    AnswerPiece,
    CalledTool,
    Finish,
    GatewayQuestion,
    ServedModel,
    TextVectors,
    TokenUsage,
)

if TYPE_CHECKING:
    from finewright.judge.answer import Answer
    from finewright.lm.answers.stream import AnswerStream


@dataclass(frozen=True, slots=True)
class NativeModel:
    """A loaded model, and how clients know it."""

    served: ServedModel
    loaded: LoadedModel


@dataclass(frozen=True, slots=True)
class _PromptedQuestion:
    """A question as tokens, with the most tokens of each answer."""

    model: LoadedModel
    question: GatewayQuestion
    prompt: str
    ids: tuple[int, ...]
    most: int
    seed: int


class NativeEngine:
    """Models in this process; questions to it are answered one after the other."""

    at_once = 1

    def __init__(self, models: Sequence[NativeModel], max_tokens: int) -> None:
        self._models = {model.served.id: model for model in models}
        self._max_tokens = max_tokens
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="native-engine")

    def models(self) -> Sequence[ServedModel]:
        """What is loaded."""
        return [model.served for model in self._models.values()]

    async def is_ready(self) -> bool:
        """Always, once it is loaded."""
        return bool(self._models)

    async def close(self) -> None:
        """End its thread."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def answer(self, question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
        """See ModelEngine."""
        _check(question)
        loop, left = asyncio.get_running_loop(), threading.Event()
        pieces: asyncio.Queue[AnswerPiece | BaseException | None] = asyncio.Queue()

        def work() -> None:
            try:
                for piece in self._pieces(question, left):
                    loop.call_soon_threadsafe(pieces.put_nowait, piece)
                loop.call_soon_threadsafe(pieces.put_nowait, None)
            except BaseException as error:
                loop.call_soon_threadsafe(pieces.put_nowait, error)

        running = self._worker.submit(work)
        try:
            while (piece := await pieces.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            left.set()
            running.cancel()

    async def embed(self, model: str, texts: Sequence[str]) -> TextVectors:
        """Models that answer give no vectors."""
        raise ApiError(f"the model {model!r} gives answers, no vectors", param="model")

    def _pieces(self, question: GatewayQuestion, left: threading.Event) -> Iterator[AnswerPiece]:
        prompted = self._prompted(question)
        num_written = 0
        for number in range(question.num_answers):
            for piece in _answer(prompted, number, left):
                num_written += piece.usage.answer if piece.usage else 0
                is_last = piece.finish is not None and number + 1 == question.num_answers
                usage = TokenUsage(len(prompted.ids), num_written) if is_last else None
                yield _with_usage(piece, usage)

    def _prompted(self, question: GatewayQuestion) -> _PromptedQuestion:
        model = self._models[question.model]
        prompt, ids = _tokens(model.loaded, question)
        context = model.served.context
        room = self._max_tokens if context is None else context - len(ids)
        if room < (question.max_tokens or 1):
            what = f"the prompt has {len(ids)} tokens"
            more = f" and max_tokens is {question.max_tokens}" if question.max_tokens else ""
            raise ApiError(
                f"{what}{more}, and this model reads and writes {context} together",
                param="messages" if question.messages is not None else "prompt",
                code="context_length_exceeded",
            )
        most = min(question.max_tokens or self._max_tokens, room)
        seed = question.sampling.seed
        seed = secrets.randbits(62) if seed is None else seed
        return _PromptedQuestion(model.loaded, question, prompt, ids, most, seed)


def _check(question: GatewayQuestion) -> None:
    """Refuse what this engine cannot honour."""
    sampling, tools = question.sampling, question.tools
    for name in ("presence_penalty", "frequency_penalty", "logit_bias"):
        if getattr(sampling, name):
            raise unsupported(name, "the native engine does not weigh tokens")
    if question.num_logprobs is not None:
        raise unsupported("logprobs", "the native engine gives none")
    if question.form is not None:
        raise unsupported("response_format", "the native engine holds to no schema")
    if tools is not None and tools.choice != "auto":
        raise unsupported("tool_choice", "the native engine can force no call; take auto or none")


def _tokens(model: LoadedModel, question: GatewayQuestion) -> tuple[str, tuple[int, ...]]:
    """The prompt as text and as tokens. Raises ApiError with the chat template's own complaint."""
    chat = model.chat
    if question.messages is None:
        if isinstance(question.text, str):
            text = question.text
            return text, tuple(chat.tokenizer(text, add_special_tokens=True)["input_ids"])
        if max(question.text) >= len(chat.tokenizer):
            raise ApiError("prompt: a token id beyond the vocabulary", param="prompt")
        return "", question.text
    tools = list(question.tools.tools) if question.tools else None
    try:
        rendered = chat.whole_prompt(list(question.messages), tools)
    except DataError as error:
        raise ApiError(str(error), param="messages") from None
    return rendered.text, tuple(chat.tokens(rendered).ids)


def _answer(
    prompted: _PromptedQuestion, number: int, left: threading.Event
) -> Iterator[AnswerPiece]:
    """One answer; the usage of its last piece counts its own tokens."""
    from finewright.lm.answers.reader import reader_of
    from finewright.lm.answers.stream import AnswerStream
    from finewright.lm.generate import Sampling, stream

    question, chat = prompted.question, prompted.model.chat
    reader = None if question.messages is None else reader_of(chat)
    tools = list(question.tools.tools) if question.tools else None
    answer = AnswerStream(chat, reader, prompted.prompt, tools, question.stops)
    wish = question.sampling
    seed = (prompted.seed + number) % 2**63
    sampling = Sampling(prompted.most, wish.temperature, wish.top_p, seed)
    tokens = stream(prompted.model.lm, prompted.ids, stop_ids=chat.stop_ids, sampling=sampling)
    for token in tokens:
        if left.is_set():
            return
        found = answer.add([token])
        if found.content or found.thoughts:
            yield AnswerPiece(number, found.content, found.thoughts)
        if answer.is_stopped:
            break
    yield _last(question, number, answer, is_cut=len(answer.ids) >= prompted.most)


def _last(
    question: GatewayQuestion, number: int, answer: "AnswerStream", *, is_cut: bool
) -> AnswerPiece:
    is_cut = is_cut and not answer.is_stopped
    whole = answer.end(ended=not is_cut)
    calls = _calls(whole, question)
    finish: Finish = "tool_calls" if calls else "length" if is_cut else "stop"
    usage = TokenUsage(0, len(answer.ids))
    return AnswerPiece(number, whole.content, whole.thoughts, calls, (), finish, whole.fault, usage)


def _calls(whole: "Answer", question: GatewayQuestion) -> tuple[CalledTool, ...]:
    most = 1 if question.tools and question.tools.at_most_one else None
    return tuple(
        CalledTool(call.name, json.dumps(call.arguments, ensure_ascii=False))
        for call in whole.calls[:most]
    )


def _with_usage(piece: AnswerPiece, usage: TokenUsage | None) -> AnswerPiece:
    return replace(piece, usage=usage)
