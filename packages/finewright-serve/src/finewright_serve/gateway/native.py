"""finewright's own engine behind the gateway: any adapter, as it was trained and measured.

Questions to one base model are computed together, whichever of its adapters they are for: the base's weights
are there once. Tokens come from a thread of their own (see generation.py); the event loop reads them."""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from finewright.compare.local import LoadedModel
from finewright.errors import DataError
from finewright_serve.gateway.call_parts import CallParts
from finewright_serve.gateway.errors import ApiError, unsupported
from finewright_serve.gateway.generation import TokenSource, token_source
from finewright_serve.gateway.prompt_workers import PromptWorkers
from finewright_serve.gateway.prompts import (
    form_param,
    grammar_of,
    prompt_of,
    refuse_long_text,
    refuse_unknown_tokens,
)
from finewright_serve.gateway.question import (
    AnswerPiece,
    CalledTool,
    Finish,
    GatewayQuestion,
    ScoredToken,
    ServedModel,
    TextVectors,
    TokenUsage,
)
from finewright_serve.gateway.switching import Switching

if TYPE_CHECKING:
    from finewright.judge.answer import Answer
    from finewright.lm.answers.begun import BegunCall
    from finewright.lm.answers.stream import AnswerStream
    from finewright.lm.chat import Chat
    from finewright.lm.engine.requests import GenerationRequest, WrittenTokens
    from finewright.lm.engine.schemas import Grammar
    from finewright.lm.engine.stops import StopTexts
    from finewright.lm.engine.watermark import Watermark
    from finewright.lm.engine.weights import AdapterWeights

AT_ONCE = 16
_LEFT_THE_FORM = "the answer left its form: "
"""How the engine's error begins where a grammar cannot go on."""


@dataclass(frozen=True, slots=True)
class NativeModel:
    """A loaded model, and how clients know it: as it stands or, with `adapter`, with that one beside it."""

    served: ServedModel
    loaded: LoadedModel
    adapter: "AdapterWeights | None" = None
    watermark: "Watermark | None" = None


@dataclass(frozen=True, slots=True)
class _Answering:
    """A model, what writes its tokens, and the key of its adapter there."""

    model: NativeModel
    source: TokenSource
    key: str | None


class NativeEngine:
    """Models in this process; `at_once` questions are computed together."""

    def __init__(
        self, models: Sequence[NativeModel], max_tokens: int, at_once: int = AT_ONCE
    ) -> None:
        self.at_once, self._max_tokens = at_once, max_tokens
        self._sources: dict[int, TokenSource] = {}
        self._models: dict[str, _Answering] = {}
        self._switching = Switching()
        self._num_answering: Counter[str] = Counter()
        self._prompts = PromptWorkers()
        for model in models:
            asyncio.run(self.load(model))

    def models(self) -> Sequence[ServedModel]:
        """What is loaded."""
        return [each.model.served for each in self._models.values()]

    async def is_ready(self) -> bool:
        """Always, once something is loaded."""
        return bool(self._models)

    async def close(self) -> None:
        """End its threads."""
        self._prompts.close()
        for source in self._sources.values():
            await asyncio.to_thread(source.close)

    async def load(self, model: NativeModel) -> None:
        """Serve one more, at any time. Raises ModelError where its adapter does not fit the model."""
        await self._switching.whole(self._load(model))

    async def unload(self, name: str) -> None:
        """Serve it no more. Raises ApiError where it is unknown, or where it is answering."""
        await self._switching.whole(self._unload(name))

    async def _load(self, model: NativeModel) -> None:
        lm, chat = model.loaded.lm, model.loaded.chat
        source = self._sources.get(id(lm))
        if source is None:
            context = model.served.context
            taken = sum(each.cache_bytes for each in self._sources.values())
            source = await asyncio.to_thread(
                token_source,
                lm,
                chat,
                at_once=self.at_once,
                context=context,
                taken=taken,
                draft=model.loaded.draft,
            )
            self._sources[id(lm)] = source
        key = source.own
        if model.adapter is not None:
            key = model.served.id
            try:
                await source.load(key, model.adapter)
            except Exception:
                await self._close_unused(id(lm))
                raise
        self._models[model.served.id] = _Answering(model, source, key)

    async def _unload(self, name: str) -> None:
        found = self._models.get(name)
        if found is None:
            raise ApiError(f"the model {name[:100]!r} is not loaded", status=404, param="model")
        if self._num_answering[name]:
            what = f"the model {name!r} is answering"
            raise ApiError(what, status=409, param="model", retry_after=1)
        del self._models[name]  # before anything is waited for: a question that comes is refused
        if found.model.adapter is not None:
            assert found.key is not None
            try:
                await found.source.unload(found.key)
            except Exception as error:
                self._models[name] = found
                if isinstance(error, DataError):
                    raise ApiError(str(error), status=409, param="model") from None
                raise
        await self._close_unused(id(found.model.loaded.lm))

    async def _close_unused(self, lm: int) -> None:
        """Let go what writes the tokens of a model, with its cache, where nobody answers by it."""
        source = self._sources[lm]
        if all(each.source is not source for each in self._models.values()):
            del self._sources[lm]
            await asyncio.to_thread(source.close)

    async def embed(self, model: str, texts: Sequence[str]) -> TextVectors:
        """Models that answer give no vectors."""
        raise ApiError(f"the model {model!r} gives answers, no vectors", param="model")

    async def answer(self, question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
        """See ModelEngine. As long as it lasts, nobody unloads the model."""
        with self._answering(question.model) as found:
            prompted = await self._prompting(found, question)
            num_read, num_written, num_found = len(prompted.request.prompt), 0, 0
            num_open = question.num_answers
            async with aclosing(found.source.written(prompted.request)) as parts:
                async for written in parts:
                    for part in _joined(written):
                        writing = prompted.answers[part.answer]
                        piece = writing.piece(part)
                        if piece is not None:
                            yield piece
                        if part.end is None:
                            continue
                        last = writing.last(part)
                        num_open -= 1
                        num_written += len(writing.stream.ids)
                        num_found = max(num_found, part.num_found)
                        used = TokenUsage(num_read, num_written, num_found)
                        usage = None if num_open else used
                        yield replace(last, usage=usage)

    async def _prompting(self, found: _Answering, question: GatewayQuestion) -> "_Prompted":
        refuse_long_text(question, self._room(found))
        found.source.num_awaited += 1
        try:
            work = partial(self._prompted, found, question)
            return await self._prompts.make(question.key, work)
        finally:
            found.source.num_awaited -= 1

    @contextmanager
    def _answering(self, name: str) -> Iterator[_Answering]:
        """The model, which nobody unloads as long as the block lasts."""
        found = self._models.get(name)
        if found is None:  # it was unloaded while the question waited for its slot
            what = f"the model {name!r} was unloaded"
            raise ApiError(what, status=404, param="model", code="model_not_found")
        self._num_answering[name] += 1
        try:
            yield found
        finally:
            self._num_answering[name] -= 1

    def _prompted(self, found: _Answering, question: GatewayQuestion) -> "_Prompted":
        lm, chat = found.model.loaded.lm, found.model.loaded.chat
        refuse_unknown_tokens(question, lm.model.get_output_embeddings().weight.shape[0])
        prompt, ids = prompt_of(chat, question, self._room(found))
        most = self._most(found, question, len(ids))
        grammar = grammar_of(chat, question, prompt)
        if grammar is not None:
            try:
                found.source.compile(grammar, question.salt)
            except DataError as error:
                param = "tool_choice" if grammar.kind == "calls" else form_param(question)
                raise unsupported(param, str(error)) from None
        request = _request(found, question, ids, most, grammar)
        return _Prompted(request, [*_writings(chat, question, prompt)])

    def _most(self, found: _Answering, question: GatewayQuestion, length: int) -> int:
        """The longest answer that there is room for. Raises ApiError where that is too short."""
        most, wanted = self._room(found), question.max_tokens
        if question.most_prompt is not None and length > question.most_prompt:
            what = f"the prompt has {length} tokens, and this key's limit leaves {question.most_prompt}"
            raise ApiError(what, code="tokens_over_limit")
        if most - length < (wanted or 1):
            more = f", and the answer may have {wanted}" if wanted else ""
            made = "the prompt with its passages" if question.sources else "the prompt"
            raise ApiError(
                f"{made} has {length} tokens{more}; this model reads and writes {most} together",
                param="messages" if question.messages is not None else "prompt",
                code="context_length_exceeded",
            )
        return min(wanted or self._max_tokens, most - length)

    def _room(self, found: _Answering) -> int:
        """The most tokens of a prompt and its answer together."""
        room, context = found.source.room, found.model.served.context
        room = room if context is None else min(room, context)
        return room - found.source.num_virtual(found.key)


@dataclass(frozen=True, slots=True)
class _Prompted:
    """A question as the engine is asked it, and its answers as they are written."""

    request: "GenerationRequest"
    answers: "list[_Writing]"


@dataclass(slots=True)
class _Writing:
    """An answer as it is written: tokens in, pieces out."""

    question: GatewayQuestion
    number: int
    stream: "AnswerStream"
    scores: list[ScoredToken] = field(default_factory=list)
    parts: CallParts = field(default_factory=CallParts)

    def piece(self, part: "WrittenTokens") -> AnswerPiece | None:
        """What the next tokens add, but for the last piece. Raises ApiError where the answer broke off."""
        if part.end is not None and part.end.reason == "error":
            raise self._broken(part.end.error)
        if part.logprobs:
            tokenizer = self.stream.chat.tokenizer
            self.scores += [
                _score(tokenizer, token, *logprob)
                for token, logprob in zip(part.tokens, part.logprobs, strict=True)
            ]
        shown = part.tokens[:-1] if _completes_stop(part) else part.tokens
        thoughts, content = self.stream.add(shown) if shown else ("", "")
        parts = self.parts.added(self._begun())
        if not content and not thoughts and not parts:
            return None
        return AnswerPiece(self.number, content, thoughts, scores=self._scores(), call_parts=parts)

    def _broken(self, why: str) -> ApiError:
        if self.question.form is not None and why.startswith(_LEFT_THE_FORM):
            # the schema is the client's, and beyond what the engine can hold an answer to
            return unsupported(self.question.form.param, why.partition(" <state>")[0])
        what = f"the answer broke off: {why}"
        return ApiError(what, status=500, code="generation_failed")

    def last(self, part: "WrittenTokens") -> AnswerPiece:
        """The last piece, after that of the last tokens."""
        assert part.end is not None
        is_cut = part.end.reason == "length"
        tokens = part.tokens[-1:] if _completes_stop(part) else ()
        whole = self.stream.end(tokens, ended=not is_cut)
        calls = _calls(whole, self.question)
        finish: Finish = "tool_calls" if calls else "length" if is_cut else "stop"
        said = (whole.content, whole.thoughts, calls, self._scores())
        parts, num = self.parts.ended(self._begun(), whole.calls)
        last = AnswerPiece(self.number, *said, finish, whole.fault)
        return replace(last, call_parts=parts, num_in_parts=num)

    def _begun(self) -> "Sequence[BegunCall]":
        return self.stream.begun[:1] if _is_one(self.question) else self.stream.begun

    def _scores(self) -> tuple[ScoredToken, ...]:
        found, self.scores = tuple(self.scores), []
        return found


def _completes_stop(part: "WrittenTokens") -> bool:
    """Does the last token complete a stop, of which nothing is shown?"""
    return part.end is not None and bool(part.end.stop)


def _joined(parts: "Sequence[WrittenTokens]") -> "Sequence[WrittenTokens]":
    """The parts of each answer as one: who is behind shows several tokens at once."""
    if len(parts) == 1:
        return parts
    found: dict[int, WrittenTokens] = {}
    for part in parts:
        if before := found.get(part.answer):
            tokens, logprobs = before.tokens + part.tokens, before.logprobs + part.logprobs
            found[part.answer] = part._replace(tokens=tokens, logprobs=logprobs)
        else:
            found[part.answer] = part
    return [*found.values()]


def _request(
    found: _Answering,
    question: GatewayQuestion,
    ids: tuple[int, ...],
    most: int,
    grammar: "Grammar | None",
) -> "GenerationRequest":
    from finewright.lm.engine.requests import GenerationRequest, TokenSampling

    wish = question.sampling
    seed = secrets.randbits(62) if wish.seed is None else wish.seed
    sampling = TokenSampling(
        temperature=wish.temperature,
        top_p=wish.top_p,
        top_k=wish.top_k,
        min_p=wish.min_p,
        repetition_penalty=wish.repetition_penalty,
        presence_penalty=wish.presence_penalty,
        frequency_penalty=wish.frequency_penalty,
        logit_bias=wish.logit_bias or {},
        seed=seed,
        watermark=found.model.watermark,
    )
    return GenerationRequest(
        ids,
        most,
        sampling,
        found.key,
        question.num_answers,
        found.model.loaded.chat.stop_ids,
        _stops(found.model.loaded.chat, question),
        num_logprobs=question.num_logprobs,
        grammar=grammar,
        owner=question.key,
        salt=question.salt,
    )


def _stops(chat: "Chat", question: GatewayQuestion) -> "StopTexts | None":
    from finewright.lm.answers.reader import reader_of
    from finewright.lm.answers.window import plain_text
    from finewright.lm.engine.stops import StopTexts

    if not question.stops:
        return None
    dropped = frozenset[int]() if question.messages is None else reader_of(chat).dropped_ids
    return StopTexts(question.stops, partial(plain_text, chat.tokenizer), dropped)


def _writings(chat: "Chat", question: GatewayQuestion, prompt: str) -> Iterator[_Writing]:
    from finewright.lm.answers.reader import reader_of
    from finewright.lm.answers.stream import AnswerStream

    reader = None if question.messages is None else reader_of(chat)
    tools = list(question.tools.tools) if question.tools else None
    for number in range(question.num_answers):
        yield _Writing(question, number, AnswerStream(chat, reader, prompt, tools, question.stops))


def _calls(whole: "Answer", question: GatewayQuestion) -> tuple[CalledTool, ...]:
    most = 1 if _is_one(question) else None
    return tuple(
        CalledTool(call.name, json.dumps(call.arguments, ensure_ascii=False))
        for call in whole.calls[:most]
    )


def _is_one(question: GatewayQuestion) -> bool:
    return question.tools is not None and question.tools.at_most_one


def _score(
    tokenizer: object, token: int, logp: float, likeliest: Sequence[tuple[int, float]]
) -> ScoredToken:
    from finewright_serve.answers.token_bytes import token_bytes

    def scored(which: int, how: float) -> ScoredToken:
        raw = token_bytes(tokenizer, which)
        return ScoredToken(raw.decode("utf-8", "replace"), raw, how)

    return replace(scored(token, logp), others=tuple(scored(*each) for each in likeliest))
