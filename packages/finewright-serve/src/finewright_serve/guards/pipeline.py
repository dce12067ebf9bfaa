"""The guards around every answer: what comes in, what others wrote, and what goes out.

A request that is blocked is 400 `content_filter`, as Azure's OpenAI has it; an answer that is blocked ends
with `finish_reason: content_filter`, after what may pass. Decisions are in `GatewayQuestion.decisions`, from
where the response, /metrics and the records of other steps take them. Checked: messages of user and assistant
as `input`, of tools as `untrusted`; answers, thoughts and arguments of calls as `output`. Not checked: the
system prompt, the definitions of tools, and the schema of an answer, which are the operator's."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from finewright.guard.privacy.replace import json_mapped
from finewright_serve.gateway.errors import UNSUPPORTED, ApiError
from finewright_serve.gateway.question import (
    AnswerPiece,
    CalledTool,
    GatewayQuestion,
    GuardDecision,
)
from finewright_serve.gateway.steps import PlainStep, QuestionCaller
from finewright_serve.guards.guard import Finding, Guard, Side, TextPlace
from finewright_serve.guards.held import (
    ArmedGuard,
    GuardedFinding,
    HeldText,
    blocks,
    look,
    replaced,
)
from finewright_serve.guards.spec import GuardSpec

_LOG = logging.getLogger(__name__)
FILTERED: Literal["content_filter"] = "content_filter"
"""OpenAI's own word, of an error's code and of a finish reason."""
_SIDES: Mapping[str, Side] = {"user": "input", "assistant": "input", "tool": "untrusted"}
_TEXT_KEYS = ("content", "reasoning_content")

Message = Mapping[str, Any]  # Any: OpenAI's form


class _Tally:
    """What was decided for one question, each kind once with its number, and which of it a client knows."""

    def __init__(self, question: GatewayQuestion) -> None:
        self._decisions = question.decisions
        self._counted = Counter(
            {
                (each.guard, each.side, each.action, each.what): each.number
                for each in self._decisions
            }
        )
        self._known: Counter[tuple[str, str, str, str]] = Counter()

    def add(self, each: GuardedFinding, side: Side) -> None:
        """One more."""
        action = "failed" if each.failed else each.by.action
        self._counted[each.by.name, side, action, each.found.what] += 1
        self._decisions[:] = [GuardDecision(*key, number) for key, number in self._counted.items()]

    def tell(self) -> tuple[GuardDecision, ...]:
        """What was decided since this was asked last."""
        fresh, self._known = self._counted - self._known, self._counted.copy()
        return tuple(GuardDecision(*key, number) for key, number in fresh.items())


class PassedText(NamedTuple):
    """A text of others as guards let it pass, and with the marks that set it apart."""

    text: str
    shown: str


class GuardStep(PlainStep):
    """All guards of a server, as a step around every answer."""

    def __init__(self, guards: Sequence[tuple[GuardSpec, Guard]]) -> None:
        self._guards = guards

    async def before(self, question: GatewayQuestion, asker: QuestionCaller) -> GatewayQuestion:
        """The question with what was redacted and marked. Raises ApiError for one that is blocked, or whose
        answer could not be guarded."""
        self._refuse_what_is_not_seen(question)
        sides: tuple[Side, ...] = ("input", "untrusted")
        if not any(self._armed(question, side) for side in (*sides, "output")):
            return question
        # A thread, because a long prompt takes some milliseconds in which streams would stand still.
        return await asyncio.to_thread(self._checked, question)

    def pieces(
        self, question: GatewayQuestion, pieces: AsyncIterator[AnswerPiece]
    ) -> AsyncIterator[AnswerPiece]:
        """The pieces as they may leave."""
        armed = self._armed(question, "output")
        return _guarded(question, armed, pieces) if armed or question.decisions else pieces

    def pass_untrusted(self, question: GatewayQuestion, text: str, where: str) -> PassedText | None:
        """A text that others wrote, which a step brings in: None where a guard blocks it, and the step is to
        go on without it. Raises ApiError where a guard failed that lets nothing pass then."""
        armed = self._armed(question, "untrusted")
        tally, place = _Tally(question), TextPlace("untrusted", "tool", system_of(question))
        marking = [each for each in armed if each.action == "mark"]
        try:
            passed = _passed([e for e in armed if e not in marking], text, place, tally, where)
        except ApiError as error:
            if error.code == FILTERED:
                return None
            raise
        return PassedText(passed, _passed(marking, passed, place, tally, where) if passed else "")

    def note_untrusted(self, question: GatewayQuestion) -> GatewayQuestion:
        """The question with what guards that mark add to the system prompt, unless it is there."""
        marking = [each for each in self._armed(question, "untrusted") if each.action == "mark"]
        known, notes = system_of(question), [each.guard.note for each in marking]
        missing = [note for note in dict.fromkeys(filter(None, notes)) if note not in known]
        messages = _with_notes(missing, list(question.messages or ()))
        return replace(question, messages=tuple(messages))

    def _armed(self, question: GatewayQuestion, side: Side) -> list[ArmedGuard]:
        return [
            ArmedGuard(spec.guard, guard, action, spec.fail == "open")  # type: ignore[arg-type]
            for spec, guard in self._guards
            if (action := spec.action(side)) and spec.is_for(question.key, question.project)
        ]

    def _refuse_what_is_not_seen(self, question: GatewayQuestion) -> None:
        output = self._armed(question, "output")
        if question.num_logprobs is not None and any(each.action != "log" for each in output):
            what = "logprobs: they spell the answer, which the guards of this key may hold back; leave it out"
            raise ApiError(what, param="logprobs", code=UNSUPPORTED)
        is_ids = question.messages is None and not isinstance(question.text, str)
        if is_ids and self._armed(question, "input"):
            what = "prompt: token ids cannot be read by the guards of this key; send text"
            raise ApiError(what, param="prompt", code=UNSUPPORTED)

    def _checked(self, question: GatewayQuestion) -> GatewayQuestion:
        tally = _Tally(question)
        if question.messages is None:
            if isinstance(question.text, str):
                armed = self._armed(question, "input")
                text = _passed(armed, question.text, TextPlace("input"), tally, "prompt")
                question = replace(question, text=text)
            return question
        system = system_of(question)
        messages = [
            self._message(question, message, f"messages.{number}", system, tally)
            for number, message in enumerate(question.messages)
        ]
        return replace(question, messages=tuple(self._noted(question, messages)))

    def _message(
        self, question: GatewayQuestion, message: Message, where: str, system: str, tally: _Tally
    ) -> Message:
        side = _SIDES.get(message["role"])
        armed = self._armed(question, side) if side else []
        if not side or not armed:
            return message
        place = TextPlace(side, message["role"], system)
        out = dict(message)
        for key in _TEXT_KEYS:
            if out.get(key):
                out[key] = _passed(armed, out[key], place, tally, f"{where}.{key}")
        if calls := out.get("tool_calls"):
            out["tool_calls"] = [
                _passed_call(armed, call, place, tally, f"{where}.tool_calls") for call in calls
            ]
        return out

    def _noted(self, question: GatewayQuestion, messages: list[Message]) -> list[Message]:
        """The messages with what the guards add to the system prompt, once each."""
        notes: list[str] = []
        has_others = any(message["role"] == "tool" for message in messages)
        sides: tuple[Side, ...] = ("untrusted", "output")
        for side in sides:
            for each in self._armed(question, side):
                is_at_work = side == "output" or (has_others and each.action == "mark")
                if each.guard.note and is_at_work and each.guard.note not in notes:
                    notes.append(each.guard.note)
        return _with_notes(notes, messages)


def _with_notes(notes: Sequence[str], messages: list[Message]) -> list[Message]:
    if not notes:
        return messages
    note = "\n\n".join(notes)
    if messages and messages[0]["role"] == "system":
        first = dict(messages[0])
        first["content"] = f"{first['content']}\n\n{note}" if first["content"] else note
        return [first, *messages[1:]]
    return [{"role": "system", "content": note}, *messages]


def system_of(question: GatewayQuestion) -> str:
    """The system prompt of the conversation."""
    rows = question.messages or ()
    return "\n".join(row["content"] for row in rows if row["role"] == "system" and row["content"])


def _report(name: str, error: Exception) -> None:
    # The message of an error may hold words of the text.
    _LOG.error("the guard %s failed: %s", name, type(error).__name__)


def _passed(
    armed: Sequence[ArmedGuard], text: str, place: TextPlace, tally: _Tally, where: str
) -> str:
    """The text as it goes on. Raises ApiError where it does not."""
    found = look([each for each in armed if each.action != "mark"], text, place, _report)
    for each in found:
        tally.add(each, place.side)
    stop = next(filter(blocks, found), None)
    if stop is not None:
        raise _refusal(stop, where)
    text = replaced(text, found)
    for guard in (each for each in armed if each.action == "mark"):
        marked = guard.guard.mark(text)
        if marked != text:
            tally.add(GuardedFinding(Finding(0, len(text), "marked"), guard), place.side)
        text = marked
    return text


def _refusal(stop: GuardedFinding, where: str) -> ApiError:
    if stop.failed:
        what = (
            f"{where}: the guard {stop.by.name} failed, and lets nothing pass that it cannot check"
        )
        return ApiError(what, status=503, code="guard_failed", param=where)
    why = stop.by.guard.reason or f"{stop.found.what.replace('_', ' ')} found"
    what = (
        f"{where}: refused by the guard {stop.by.name}: {why}; if that is wrong, tell who runs this server"
        " the x-request-id of this response"
    )
    return ApiError(what, code=FILTERED, param=where)


def _passed_call(
    armed: Sequence[ArmedGuard], call: Message, place: TextPlace, tally: _Tally, where: str
) -> Message:
    function = call["function"]
    arguments = _strings_passed(
        function["arguments"], lambda text: _passed(armed, text, place, tally, where)
    )
    return {**call, "function": {**function, "arguments": arguments}}


def _strings_passed(arguments: str, passed: Any) -> str:  # Any: text -> text
    """JSON text with each string and number in it as it may pass; of what is no JSON, the whole."""

    def change(key: str, value: str | float) -> object:
        text = value if isinstance(value, str) else json.dumps(value)
        out = passed(text)
        return value if out == text else out

    out = json_mapped("", arguments, change)
    return passed(arguments) if out is None else out


async def _guarded(
    question: GatewayQuestion, armed: Sequence[ArmedGuard], pieces: AsyncIterator[AnswerPiece]
) -> AsyncIterator[AnswerPiece]:
    tally = _Tally(question)
    place = TextPlace("output", "assistant", system_of(question))
    answers: dict[int, _GuardedAnswer] = {}
    async for piece in pieces:
        answer = answers.get(piece.choice)
        if answer is None:
            answer = answers[piece.choice] = _GuardedAnswer(armed, place, tally)
        for out in answer.let_through(piece):
            yield out


class _GuardedAnswer:
    """One answer, as its pieces come."""

    def __init__(self, armed: Sequence[ArmedGuard], place: TextPlace, tally: _Tally) -> None:
        self._armed, self._tally = armed, tally
        self._content = HeldText(armed, place, self._count, _report)
        self._beside = replace(place, is_content=False)
        self._thoughts = self._held()
        self._is_over = False

    def _held(self) -> HeldText:
        return HeldText(self._armed, self._beside, self._count, _report)

    def _count(self, each: GuardedFinding) -> None:
        self._tally.add(each, "output")

    def let_through(self, piece: AnswerPiece) -> Iterator[AnswerPiece]:
        """What of a piece, and of what was held back before it, leaves. An engine goes on behind a blocked
        answer, so that its tokens are counted."""
        if self._is_over:
            if piece.usage:
                yield AnswerPiece(piece.choice, usage=piece.usage)
            return
        thoughts = self._thoughts.add(piece.thoughts)
        content = self._content.add(piece.content)
        calls: tuple[CalledTool, ...] = ()
        is_blocked = self._thoughts.is_blocked or self._content.is_blocked
        if piece.finish and not is_blocked:
            thoughts += self._thoughts.end()
            content += self._content.end()
            calls, is_refused = self._calls(piece.calls)
            is_blocked = is_refused or self._thoughts.is_blocked or self._content.is_blocked
        finish = FILTERED if is_blocked else piece.finish
        out = replace(
            piece,
            content=content,
            thoughts=thoughts,
            calls=() if is_blocked else calls,
            call_parts=(),  # arguments are looked at whole
            num_in_parts=0,
            fault=self._fault(piece.fault),
            finish=finish,
            guards=self._tally.tell() if finish else (),
        )
        self._is_over = finish is not None
        if content or thoughts or finish or out.scores or out.fault or out.usage:
            yield out

    def _calls(self, calls: Sequence[CalledTool]) -> tuple[tuple[CalledTool, ...], bool]:
        """The calls as they may leave; True where one may not."""
        is_refused = False

        def passed(text: str) -> str:
            nonlocal is_refused
            held = self._held()
            out = held.add(text) + held.end()
            is_refused = is_refused or held.is_blocked
            return out

        out = tuple(
            replace(each, arguments=_strings_passed(each.arguments, passed)) for each in calls
        )
        return out, is_refused

    def _fault(self, fault: str) -> str:
        """What could not be read of an answer, without what must not leave."""
        held = self._held()
        return held.add(fault) + held.end()
