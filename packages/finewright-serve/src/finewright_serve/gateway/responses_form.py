"""Pieces of an answer -> the object of /v1/responses, whole and as events.

    created, in_progress, per item: output_item.added, its deltas, output_item.done; completed or incomplete

An answer is up to three kinds of items, in this order: reasoning, a message, calls."""

import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from finewright.schema.passages import Citation
from finewright_serve.gateway.annotations import annotation_of
from finewright_serve.gateway.chat_form import WholeAnswer, WholeAnswers, guards_of, score_of
from finewright_serve.gateway.connected import Event
from finewright_serve.gateway.question import (
    AnswerPiece,
    CalledTool,
    ScoredToken,
    ServedModel,
    TokenUsage,
)
from finewright_serve.gateway.responses_request import ResponsesRequest

Json = dict[str, Any]  # Any: JSON
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""A finish -> why a response is incomplete."""


@dataclass(slots=True)
class _OpenItem:
    """The item that is being written: reasoning, or a message."""

    number: int
    id: str
    is_message: bool
    text: str = ""
    scores: list[ScoredToken] = field(default_factory=list)
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class ResponsesForm:
    """The form of one response."""

    model: ServedModel
    posted: ResponsesRequest
    id: str = field(default_factory=lambda: "resp_" + secrets.token_hex(20))
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, found: WholeAnswers) -> Json:
        """The one object."""
        (answer,) = found.answers
        return self._ended(answer, list(_items(answer)), found)

    async def chunks(
        self, pieces: AsyncIterator[AnswerPiece], wants_usage: bool
    ) -> AsyncGenerator[Event, None]:
        """The same as events, numbered. The first ones wait for the first piece."""
        number, writing = 0, _Writing()
        found = WholeAnswers([answer := WholeAnswer()])
        async for piece in pieces:
            found.usage = piece.usage or found.usage
            found.guards += piece.guards
            answer.add(piece)
            opening = () if number else self._opening()
            for event in (*opening, *writing.added(piece)):
                yield event["type"], {**event, "sequence_number": number}
                number += 1
        response = self._ended(answer, writing.items, found)
        kind = f"response.{response['status']}"
        yield kind, {"type": kind, "response": response, "sequence_number": number}

    def _opening(self) -> list[Json]:
        response = {**self._head("in_progress"), "output": [], "usage": None}
        return [
            {"type": f"response.{kind}", "response": response}
            for kind in ("created", "in_progress")
        ]

    def _ended(self, answer: WholeAnswer, items: list[Json], found: WholeAnswers) -> Json:
        reason = _INCOMPLETE.get(answer.finish)
        details = {"reason": reason} if reason else None
        more = {"fault": answer.fault} if answer.fault else {}
        head = self._head("incomplete" if reason else "completed")
        used = _usage(found.usage, has_thoughts=bool(answer.thoughts))
        more |= guards_of(found.guards)
        return {**head, "incomplete_details": details, "output": items, "usage": used, **more}

    def _head(self, status: str) -> Json:
        posted = self.posted.model_dump(mode="json", by_alias=True, exclude_none=True)
        echoed = ("instructions", "max_output_tokens", "metadata", "temperature", "top_p", "user")
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "model": self.model.id,
            "parallel_tool_calls": self.posted.parallel_tool_calls is not False,
            "previous_response_id": self.posted.previous_response_id,
            "store": False,
            "text": posted.get("text") or {"format": {"type": "text"}},
            "tool_choice": posted.get("tool_choice", "auto"),
            "tools": posted.get("tools", []),
            "truncation": "disabled",
            **{key: posted.get(key) for key in echoed},
        }


class _Writing:
    """Items as they are written."""

    def __init__(self) -> None:
        self.items: list[Json] = []
        self._open: _OpenItem | None = None

    def added(self, piece: AnswerPiece) -> Iterator[Json]:
        """The events of the next piece."""
        if piece.thoughts:
            yield from self._more(piece.thoughts, (), is_message=False)
        if piece.content or piece.scores:
            yield from self._more(piece.content, piece.scores, is_message=True)
        if piece.finish:
            has_message = any(item["type"] == "message" for item in self.items)
            is_bare = not (piece.calls or has_message or (self._open and self._open.is_message))
            if is_bare:
                yield from self._more("", (), is_message=True)
            yield from self._annotate(piece.citations)
            yield from self._close("incomplete" if piece.finish in _INCOMPLETE else "completed")
            for call in piece.calls:
                yield from self._call(call)

    def _more(
        self, text: str, scores: tuple[ScoredToken, ...], *, is_message: bool
    ) -> Iterator[Json]:
        if self._open is None or self._open.is_message != is_message:
            yield from self._close()
            number = len(self.items)
            item_id = ("msg_" if is_message else "rs_") + secrets.token_hex(16)
            self._open = _OpenItem(number, item_id, is_message)
            empty = _item(self._open, "in_progress")
            yield {"type": "response.output_item.added", "output_index": number, "item": empty}
            if is_message:
                part = _text_part(_OpenItem(number, item_id, is_message))
                yield {"type": "response.content_part.added", **_at(self._open), "part": part}
        here = self._open
        here.text += text
        here.scores += scores
        kind = "output_text" if is_message else "reasoning_text"
        more = {"logprobs": [score_of(each) for each in scores]} if is_message else {}
        if text or scores:
            yield {"type": f"response.{kind}.delta", **_at(here), "delta": text, **more}

    def _annotate(self, citations: tuple[Citation, ...]) -> Iterator[Json]:
        if self._open is None or not self._open.is_message:
            return
        self._open.citations = citations
        for number, annotation in enumerate(_annotations(citations)):
            what = {"annotation_index": number, "annotation": annotation}
            yield {"type": "response.output_text.annotation.added", **_at(self._open), **what}

    def _close(self, status: str = "completed") -> Iterator[Json]:
        here, self._open = self._open, None
        if here is None:
            return
        item = _item(here, status)
        self.items.append(item)
        if here.is_message:
            (part,) = item["content"]
            done = {"text": here.text, "logprobs": part["logprobs"]}
            yield {"type": "response.output_text.done", **_at(here), **done}
            yield {"type": "response.content_part.done", **_at(here), "part": part}
        else:
            yield {"type": "response.reasoning_text.done", **_at(here), "text": here.text}
        yield {"type": "response.output_item.done", "output_index": here.number, "item": item}

    def _call(self, call: CalledTool) -> Iterator[Json]:
        number, item = len(self.items), _call_item(call)
        self.items.append(item)
        place = {"item_id": item["id"], "output_index": number}
        begun = {**item, "arguments": "", "status": "in_progress"}
        arguments = "response.function_call_arguments"
        yield {"type": "response.output_item.added", "output_index": number, "item": begun}
        yield {"type": f"{arguments}.delta", **place, "delta": call.arguments}
        done = {"name": call.name, "arguments": call.arguments}
        yield {"type": f"{arguments}.done", **place, **done}
        yield {"type": "response.output_item.done", "output_index": number, "item": item}


def _items(answer: WholeAnswer) -> Iterator[Json]:
    if answer.thoughts:
        yield _item(
            _OpenItem(0, "rs_" + secrets.token_hex(16), False, answer.thoughts), "completed"
        )
    if answer.content or not answer.calls:
        item_id = "msg_" + secrets.token_hex(16)
        status = "incomplete" if answer.finish in _INCOMPLETE else "completed"
        said = (answer.content, answer.scores, answer.citations)
        yield _item(_OpenItem(0, item_id, True, *said), status)
    for call in answer.calls:
        yield _call_item(call)


def _item(item: _OpenItem, status: str) -> Json:
    head: Json = {"id": item.id, "status": status}
    if not item.is_message:
        part = {"type": "reasoning_text", "text": item.text}
        return {**head, "type": "reasoning", "summary": [], "content": [part] if item.text else []}
    parts = [_text_part(item)] if status != "in_progress" else []
    return {**head, "type": "message", "role": "assistant", "content": parts}


def _text_part(item: _OpenItem) -> Json:
    found = [score_of(each) for each in item.scores]
    more = {"annotations": _annotations(item.citations), "logprobs": found}
    return {"type": "output_text", "text": item.text, **more}


def _annotations(citations: tuple[Citation, ...]) -> list[Json]:
    """As responses have them: flat."""
    return [{"type": "url_citation", **annotation_of(each)} for each in citations]


def _call_item(call: CalledTool) -> Json:
    return {
        "id": "fc_" + secrets.token_hex(16),
        "type": "function_call",
        "status": "completed",
        "call_id": "call_" + secrets.token_hex(12),
        "name": call.name,
        "arguments": call.arguments,
    }


def _at(item: _OpenItem) -> Json:
    return {"item_id": item.id, "output_index": item.number, "content_index": 0}


def _usage(usage: TokenUsage, *, has_thoughts: bool) -> Json:
    """How many of the tokens were thoughts is not counted: null where there were any, as is what nobody
    says."""
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.answer,
        "output_tokens_details": {"reasoning_tokens": None if has_thoughts else 0},
        "total_tokens": usage.prompt + usage.answer,
    }
