"""Pieces of an answer -> chat completions and text completions, whole and in chunks."""

import base64
import json
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field
from json.encoder import encode_basestring
from typing import Any

from finewright.schema.passages import Citation
from finewright_serve.gateway.annotations import annotation_of
from finewright_serve.gateway.connected import Event
from finewright_serve.gateway.deciding import DecidedTexts
from finewright_serve.gateway.question import (
    AnswerPiece,
    CalledTool,
    CallPart,
    GuardDecision,
    ScoredToken,
    ServedModel,
    TokenUsage,
)

DONE: Event = ("", "[DONE]")


@dataclass(slots=True)
class WholeAnswer:
    """One answer put together."""

    content: str = ""
    thoughts: str = ""
    calls: list[CalledTool] = field(default_factory=list)
    scores: list[ScoredToken] = field(default_factory=list)
    finish: str = "stop"
    fault: str = ""
    citations: tuple[Citation, ...] = ()

    def add(self, piece: AnswerPiece) -> None:
        """The next piece of it."""
        self.content += piece.content
        self.thoughts += piece.thoughts
        self.calls += piece.calls
        self.scores += piece.scores
        self.finish = piece.finish or self.finish
        self.fault = self.fault or piece.fault
        self.citations += piece.citations


@dataclass(slots=True)
class WholeAnswers:
    """All answers to a question, what they took, and what the guards decided."""

    answers: list[WholeAnswer]
    usage: TokenUsage = field(default_factory=TokenUsage)
    guards: tuple[GuardDecision, ...] = ()


async def gathered(pieces: AsyncIterator[AnswerPiece], number: int) -> WholeAnswers:
    """Every answer, whole."""
    found = WholeAnswers([WholeAnswer() for _ in range(number)])
    async for piece in pieces:
        found.answers[piece.choice].add(piece)
        found.usage = piece.usage or found.usage
        found.guards += piece.guards
    return found


@dataclass(frozen=True, slots=True)
class ChatForm:
    """The form of /v1/chat/completions."""

    model: ServedModel
    has_logprobs: bool
    id: str = field(default_factory=lambda: "chatcmpl-" + secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))
    kind: str = "chat.completion"

    def whole(self, found: WholeAnswers) -> dict[str, Any]:
        """The one object."""
        choices = [self._choice(number, each) for number, each in enumerate(found.answers)]
        used = {"usage": usage_of(found.usage), **guards_of(found.guards)}
        return {**_head(self, self.kind), "choices": choices, **used}

    def _choice(self, number: int, answer: WholeAnswer) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": answer.content, "refusal": None}
        message |= {"reasoning_content": answer.thoughts} if answer.thoughts else {}
        if answer.calls:
            message["content"] = answer.content or None
            message["tool_calls"] = [_call(call) for call in answer.calls]
        message |= {"fault": answer.fault} if answer.fault else {}
        message |= _annotations(answer.citations)
        scores = {"content": [score_of(s) for s in answer.scores]} if self.has_logprobs else None
        reason = {"finish_reason": answer.finish}
        return {"index": number, "message": message, "logprobs": scores, **reason}

    async def chunks(
        self, pieces: AsyncIterator[AnswerPiece], wants_usage: bool
    ) -> AsyncGenerator[Event, None]:
        """The same as events."""
        usage, num_begun = TokenUsage(), dict[int, int]()
        around: dict[int, tuple[str, str]] = {}
        async for piece in pieces:
            if piece.choice in around and piece.is_text and not self.has_logprobs:
                before, after = around[piece.choice]
                yield "", f"{before}{encode_basestring(piece.content)}{after}"
                continue
            usage = piece.usage or usage
            delta: dict[str, Any] = {} if piece.choice in around else {"role": "assistant"}
            if piece.choice not in around and not piece.calls and not piece.call_parts:
                delta["content"] = ""
            around[piece.choice] = self._around_content(piece.choice, wants_usage)
            delta |= {"content": piece.content} if piece.content else {}
            delta |= {"reasoning_content": piece.thoughts} if piece.thoughts else {}
            calls = [_call_part(part) for part in piece.call_parts]
            num_begun.setdefault(piece.choice, 0)
            num_begun[piece.choice] += sum(bool(part.name) for part in piece.call_parts)
            for call in piece.calls[piece.num_in_parts :]:
                calls.append({"index": num_begun[piece.choice], **_call(call)})
                num_begun[piece.choice] += 1
            delta |= {"tool_calls": calls} if calls else {}
            delta |= {"fault": piece.fault} if piece.fault else {}
            delta |= _annotations(piece.citations)
            if delta or piece.scores:
                yield "", self._chunk([self._delta(piece, delta)], wants_usage)
            if piece.finish:  # alone in its chunk, as OpenAI has it
                last = {"index": piece.choice, "delta": {}, "logprobs": None}
                chunk = self._chunk([last | {"finish_reason": piece.finish}], wants_usage)
                yield "", {**chunk, **guards_of(piece.guards)}
        if wants_usage:
            yield "", {**self._chunk([], True), "usage": usage_of(usage)}
        yield DONE

    def _delta(self, piece: AnswerPiece, delta: dict[str, Any]) -> dict[str, Any]:
        scores = {"content": [score_of(s) for s in piece.scores]} if self.has_logprobs else None
        return {
            "index": piece.choice,
            "delta": delta,
            "logprobs": scores,
            "finish_reason": None,
        }

    def _around_content(self, number: int, wants_usage: bool) -> tuple[str, str]:
        """The JSON of a chunk with nothing but content, which nearly all are, before it and after it."""
        choice = {
            "index": number,
            "delta": {"content": ""},
            "logprobs": None,
            "finish_reason": None,
        }
        text = json.dumps(self._chunk([choice], wants_usage), ensure_ascii=False)
        before, name, after = text.partition('"content": ')
        return before + name, after.removeprefix('""')

    def _chunk(self, choices: list[dict[str, Any]], wants_usage: bool) -> dict[str, Any]:
        usage = {"usage": None} if wants_usage else {}
        return {**_head(self, f"{self.kind}.chunk"), "choices": choices, **usage}


@dataclass(frozen=True, slots=True)
class TextForm:
    """The form of /v1/completions."""

    model: ServedModel
    has_logprobs: bool
    id: str = field(default_factory=lambda: "cmpl-" + secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, found: WholeAnswers) -> dict[str, Any]:
        """The one object."""
        choices = [
            self._choice(number, each.content, each.scores, each.finish, 0)
            for number, each in enumerate(found.answers)
        ]
        return {
            **_head(self, "text_completion"),
            "choices": choices,
            "usage": usage_of(found.usage),
            **guards_of(found.guards),
        }

    async def chunks(
        self, pieces: AsyncIterator[AnswerPiece], wants_usage: bool
    ) -> AsyncGenerator[Event, None]:
        """The same as events."""
        usage, lengths = TokenUsage(), dict[int, int]()
        more = {"usage": None} if wants_usage else {}
        async for piece in pieces:
            usage = piece.usage or usage
            at = lengths.get(piece.choice, 0)
            lengths[piece.choice] = at + sum(len(score.text) for score in piece.scores)
            parts = (piece.choice, piece.content, piece.scores, piece.finish, at)
            also = {**more, **guards_of(piece.guards)}
            yield "", {**_head(self, "text_completion"), "choices": [self._choice(*parts)], **also}
        if wants_usage:
            yield "", {**_head(self, "text_completion"), "choices": [], "usage": usage_of(usage)}
        yield DONE

    def _choice(
        self, number: int, text: str, scores: Sequence[ScoredToken], finish: str | None, at: int
    ) -> dict[str, Any]:
        found = _legacy_scores(scores, at) if self.has_logprobs else None
        return {"index": number, "text": text, "logprobs": found, "finish_reason": finish}


def _head(form: ChatForm | TextForm, kind: str) -> dict[str, Any]:
    return {
        "id": form.id,
        "object": kind,
        "created": form.created,
        "model": form.model.id,
        "system_fingerprint": form.model.fingerprint or None,
    }


def usage_of(usage: TokenUsage) -> dict[str, Any]:
    """OpenAI's usage."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.answer,
        "total_tokens": usage.prompt + usage.answer,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    }


def guards_of(decisions: Sequence[GuardDecision]) -> dict[str, Any]:
    """What the guards decided, as a key of the response; none where they decided nothing."""
    return {"guards": [asdict(each) for each in decisions]} if decisions else {}


def vectors_of(rows: Sequence[Sequence[float]], as_base64: bool) -> list[dict[str, Any]]:
    """OpenAI's embeddings; base64 is of little-endian float32, which the official client asks for."""
    import struct

    def form(row: Sequence[float]) -> object:
        packed = struct.pack(f"<{len(row)}f", *row)
        return base64.b64encode(packed).decode() if as_base64 else list(row)

    return [{"object": "embedding", "index": i, "embedding": form(r)} for i, r in enumerate(rows)]


def decisions_form(model: str, found: DecidedTexts) -> dict[str, Any]:
    """A decision for each text, what was promised of them, and the last test for drift."""
    rows = [
        {"object": "decision", "index": i, **decision.model_dump(mode="json")}
        for i, decision in enumerate(found.decisions)
    ]
    said = found.calibration.model_dump(include={"coverage", "threshold", "thresholds", "cutoff"})
    if "thresholds" in said:
        said["thresholds"] = dict(zip(rows[0]["probabilities"], said["thresholds"], strict=True))
    return {
        "object": "list",
        "data": rows,
        "model": model,
        **said,
        "drift": found.drift.model_dump(mode="json") if found.drift else None,
    }


def _annotations(citations: Sequence[Citation]) -> dict[str, Any]:
    """As chat completions have them: under the name of their type."""
    if not citations:
        return {}
    rows = [{"type": "url_citation", "url_citation": annotation_of(each)} for each in citations]
    return {"annotations": rows}


def _call(call: CalledTool) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": "call_" + secrets.token_hex(12), "type": "function", "function": function}


def _call_part(part: CallPart) -> dict[str, Any]:
    if not part.name:
        return {"index": part.number, "function": {"arguments": part.arguments}}
    return {"index": part.number, **_call(CalledTool(part.name, part.arguments))}


def score_of(score: ScoredToken) -> dict[str, Any]:
    """OpenAI's log-probability of a token."""
    return {**_token(score), "top_logprobs": [_token(other) for other in score.others]}


def _token(score: ScoredToken) -> dict[str, Any]:
    return {"token": score.text, "bytes": list(score.raw), "logprob": score.logp}


def _legacy_scores(scores: Sequence[ScoredToken], at: int) -> dict[str, Any]:
    offsets = []
    for score in scores:
        offsets.append(at)
        at += len(score.text)
    return {
        "tokens": [score.text for score in scores],
        "token_logprobs": [score.logp for score in scores],
        "top_logprobs": [{o.text: o.logp for o in score.others} for score in scores],
        "text_offset": offsets,
    }
