"""What is learned of a conversation: of each answer, what the model writes after what it is asked.

    asked    the conversation before the answer, with the generation prompt
    answer   what follows it where the conversation is rendered through the answer, to the end of the turn

An answer that is written otherwise once the conversation goes on (Qwen 3 drops its thought, gpt-oss ends it
with another token) is a sequence of its own; the others share one. What a template leaves out of an answer,
or writes as something else, is refused: training on the rest would teach what the row does not say."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from finewright.errors import DataError
from finewright.judge.answer import has_open_thought, split_thoughts
from finewright.lm.marks import CONTENT, THOUGHT, Marks, part_mark, unwritten
from finewright.lm.messages import read_thought
from finewright.lm.template import ChatTemplate, Message
from finewright.schema.rows import calls_of, content_of

_NAME = "left-mark\ue003"
_THINK = "<think>"


class LearnedTurn(NamedTuple):
    """A conversation through message `number`, an answer: characters [start, end) of `text` are learned."""

    text: str
    start: int
    end: int
    number: int

    @property
    def learned(self) -> str:
        """What is asked, and the answer to the end of its turn."""
        return self.text[: self.end]


class Ends(NamedTuple):
    """How turns end: the texts of the tokens, and what a template that writes none goes on with after an
    answer and after a call, where that is a token at which generation stops."""

    texts: tuple[str, ...]
    after_answer: str = ""
    after_call: str = ""


@dataclass(frozen=True, slots=True)
class Turns:
    """The learned turns of one conversation, whose messages are as the template takes them."""

    template: ChatTemplate
    marks: Marks
    ends: Ends
    messages: Sequence[Message]
    tools: Sequence[Any] | None

    def sequences(self) -> list[list[LearnedTurn]]:
        """The learned turns, those together that stand in one text; each text is that of its first.

        Raises DataError where the template leaves out a part of the conversation or changes it."""
        found: list[list[LearnedTurn]] = []
        for i in reversed(self.find_learned()):
            turn = self._turn(i)
            if not found:
                self.refuse_losses(i)
            within = next((s for s in found if s[0].text.startswith(turn.learned)), None)
            if within is None:
                found.append([turn])
            else:
                within.append(turn)
        return found

    def find_learned(self) -> list[int]:
        """Where the answers stand that are learned."""
        return [
            i
            for i, message in enumerate(self.messages)
            if message["role"] == "assistant" and message.get("weight", 1)
        ]

    def _turn(self, i: int) -> LearnedTurn:
        message = self.messages[i]
        if has_open_thought(content_of(message)):
            raise DataError(
                f"messages[{i}]: a thought that never closes",
                hint="close it with </think> before what is said",
            )
        prompt = self._text(self.messages[:i], ask=True) if i else self._opening()
        answer = self._answer(i, prompt)
        self._refuse_changes(i, prompt, answer)
        end = self._end(message, answer)
        if end is None:
            after = self.ends.after_call if message.get("tool_calls") else self.ends.after_answer
            answer = answer.rstrip("\n") + after if after else answer
            end = len(answer)
        return LearnedTurn(prompt + answer, len(prompt), len(prompt) + end, i)

    def _opening(self) -> str:
        """What stands before the content of an answer with which a conversation begins."""
        first = self.messages[0]
        if not first.get("content"):
            raise DataError("messages[0]: this answers nothing, and says nothing itself")
        head, _, _ = self._text([{**first, "content": CONTENT}]).rpartition(CONTENT)
        return head.removesuffix(self.marks.unthought)

    def _end(self, message: Message, answer: str) -> int | None:
        """Characters of the answer through its end of turn; None where the template writes none.

        Some end a thought with the same token, so that it is looked for behind what is said last."""
        thought, content = read_thought(message), content_of(message).strip()
        at = answer.find(thought) + len(thought)
        lead = self.marks.closes if thought else self.marks.unthought
        at += len(lead) if answer.startswith(lead, at) else 0
        calls = calls_of(message)
        at = _behind(answer, at, (content, *(call["function"]["name"] for call in calls)))
        found = [answer.find(end, at) + len(end) for end in self.ends.texts if end in answer[at:]]
        return min(found, default=None)

    def _answer(self, i: int, prompt: str) -> str:
        """What the model is to write where it is asked for message `i`."""
        message, before = self.messages[i], self.messages[:i]
        text = self._text([*before, message])
        if text.startswith(prompt):
            is_open = prompt.rstrip().endswith(_THINK)
            return (
                self._close_thought(message, text[len(prompt) :])
                if is_open
                else text[len(prompt) :]
            )
        thought = read_thought(message)
        if self.marks.is_open and self.marks.key and not thought:
            text = self._text([*before, {**message, self.marks.key: THOUGHT}])
            if text.startswith(prompt + THOUGHT):
                return text[len(prompt) + len(THOUGHT) :]  # a thought of no words
        if self.marks.is_open and not self.marks.key:
            return self._after_opened_thought(i, prompt, text)
        written = self._after_closed_thought(i, prompt, text)
        if written is None:
            written = self._after_header(i, prompt, text)
        if written is None:
            raise _begins_otherwise(i, prompt, text)
        return written

    def _after_opened_thought(self, i: int, prompt: str, text: str) -> str:
        """The answer as it is generated where the prompt opens a thought that the template then takes out.

        That is DeepSeek-R1's, whose rendering alone would teach to give none."""
        bare = prompt[: prompt.rindex(_THINK)]
        if not text.startswith(bare):
            raise _begins_otherwise(i, prompt, text)
        return self._close_thought(self.messages[i], text[len(bare) :])

    def _close_thought(self, message: Message, answer: str) -> str:
        """The answer with a close before it, where the prompt opens a thought that the template forgets."""
        if not self.marks.is_open or self.marks.key or self.marks.unthought:
            return answer
        thought, answer = read_thought(message), answer.lstrip("\n")
        return f"{thought}{self.marks.closes}{answer}" if thought else f"</think>\n\n{answer}"

    def _after_closed_thought(self, i: int, prompt: str, text: str) -> str | None:
        """The answer, where the prompt has an empty thought before it that the rendering leaves out.

        Gemma 4's larger models are asked so when they are not to think."""
        message = self.messages[i]
        content = content_of(message)
        spoken = {"role": message["role"], "content": CONTENT}
        head = self._text([*self.messages[:i], spoken]).rpartition(CONTENT)[0]
        prompted = prompt.removeprefix(head)
        closes = {"</think>", self.marks.closes.strip() or "</think>"}
        is_closed = any(close in prompted for close in closes)
        if read_thought(message) or split_thoughts(content).thoughts or prompted == prompt:
            return None
        return text.removeprefix(head) if is_closed and text.startswith(head) else None

    def _after_header(self, i: int, prompt: str, text: str) -> str | None:
        """The answer behind its header, where the template writes what comes before it otherwise by now.

        gpt-oss forgets the thoughts before a call once there is an answer; what is asked still has them."""
        header = prompt.removeprefix(self._text(self.messages[:i]))
        if not header:
            return self._without_system(i, text)
        if header == prompt:
            return None
        before = self.messages[:i]
        head = self._before_header(before, i, header)
        # the header must be that of this turn: behind what the turn before says
        last = {**before[-1], "content": THOUGHT}
        if head is None or THOUGHT not in (
            self._before_header([*before[:-1], last], i, header) or ""
        ):
            return None
        return text[len(head) + len(header) :]

    def _before_header(self, before: Sequence[Message], i: int, header: str) -> str | None:
        """The rendering to the last header that does not depend on what message `i` says."""
        message = self.messages[i]
        texts = (
            self._text([*before, each]) for each in (message, _mark_message(message, self.marks))
        )
        head, found, _ = _common(*texts).rpartition(header)
        return head if found else None

    def _without_system(self, i: int, text: str) -> str | None:
        """The answer, where the system prompt goes into the last user's turn, and is lost behind it.

        Mistral's templates of 2024 do that; what is asked has it."""
        others = [m for m in self.messages[: i + 1] if m["role"] != "system"]
        if len(others) in (1, i + 1):
            return None
        prompt, whole = self._text(others[:-1], ask=True), self._text(others)
        answer = whole[len(prompt) :]
        return answer if whole.startswith(prompt) and text.endswith(answer) else None

    # ------------------------------------------------------------ what a template may not do

    def _refuse_changes(self, i: int, prompt: str, answer: str) -> None:
        """The answer says what the message says: its content, its thought and its calls."""
        message = self.messages[i]
        content, thought = content_of(message).strip(), read_thought(message)
        if not thought and not self.marks.thinks:
            thought, content = split_thoughts(content)
        if content not in answer:
            lost, changed = (
                "leaves out the text beside the tool call",
                "changes the text of this answer",
            )
            what = lost if message.get("tool_calls") else changed
            raise DataError(f"messages[{i}]: the chat template {what}")
        self._refuse_other_thought(i, thought, answer)
        if message.get("tool_calls"):
            self._refuse_changed_calls(i, prompt + answer, "" if thought else content)

    def _refuse_other_thought(self, i: int, thought: str, answer: str) -> None:
        if thought not in answer:
            raise self._refuse_lost_thought(i)
        empty = self.marks.unthought.strip()
        if thought and not self.marks.thinks and empty and answer.strip().startswith(empty):
            raise DataError(
                f"messages[{i}]: the chat template writes the thought after an empty one"
            )

    def _refuse_changed_calls(self, i: int, written: str, spoken: str) -> None:
        """The calls are in what is written, and what is `spoken` beside them is no thought there."""
        message = self.messages[i]
        for what, changed in _change_calls(message):
            other = self._text([*self.messages[:i], changed])
            if _NAME not in other:
                raise DataError(f"messages[{i}]: the chat template leaves out {what}")
        if spoken and self.marks.key:
            silent = {**message, "content": "", self.marks.key: spoken}
            if self._text([*self.messages[:i], silent]) == written:
                raise DataError(
                    f"messages[{i}]: the chat template writes the text beside the tool call as a thought",
                    hint="give it as reasoning_content if it is one, or leave it out",
                )

    def _refuse_lost_thought(self, i: int) -> DataError:
        if self.marks.thinks:
            hint = "leave the thought out of the row"
        else:
            hint = (
                "leave it out of the row, or write it into the content between <think> and </think>"
            )
        return DataError(
            f"messages[{i}]: the chat template leaves out the thought of the answer", hint=hint
        )

    def refuse_losses(self, i: int) -> None:
        """Nothing but thoughts may be missing of what is asked before message `i`."""
        before = self.messages[:i]
        prompt = self._text(before, ask=True) if before else ""
        for at, what, changed in self._unseen(before):
            if self._text([*before[:at], changed, *before[at + 1 :]], ask=True) == prompt:
                mend = OTHER_TEMPLATE if what.startswith("a tool call") else ""
                raise DataError(f"messages[{at}]: the chat template leaves out {what}", hint=mend)
        if self.tools:
            whole, ask = self.messages[: i + 1], i == len(self.messages)
            if self.template.text(whole, ask=ask) == self._text(whole, ask=ask):
                what = "the chat template leaves out the tools: it has no words for them"
                raise DataError(what, hint=OTHER_TEMPLATE)

    def _unseen(self, messages: Sequence[Message]) -> list[tuple[int, str, Message]]:
        """The parts that may be left out, each with its message changed.

        One rendering has a mark in place of each: a part whose mark is seen there is written, so that a long
        conversation is not rendered once for every part of it."""
        parts: list[tuple[int, str, Message]] = []
        marks, whole = dict[int, str](), list(messages)
        for at, message in enumerate(messages):
            for number, (what, changed) in enumerate(_changes(message)):
                mark = marks[len(parts)] = part_mark("part", at, number)
                whole[at] = _with_mark(whole[at], changed, mark)
                parts.append((at, what, changed))
        try:
            text = self._text(whole, ask=True) if parts else ""
        except DataError:  # the template takes no such texts together
            text = ""
        return [parts[number] for number in unwritten(marks, text)]

    def _text(self, messages: Sequence[Message], *, ask: bool = False) -> str:
        return self.template.text(messages, self.tools, ask=ask)


def _common(one: str, other: str) -> str:
    """What both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return one[: next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))]


def _begins_otherwise(i: int, prompt: str, text: str) -> DataError:
    at = len(_common(prompt, text))
    return DataError(
        f"messages[{i}]: the chat template begins this answer otherwise than the model is asked for it: "
        f"it is asked {prompt[at:][:40]!r} and would learn {text[at:][:40]!r}",
        hint="set the template's switches under chat_template, as enable_thinking, or change the row",
    )


def _mark_message(message: Message, marks: Marks) -> Message:
    """The message with another thought, another content and another first tool."""
    found = {**message}
    if message.get("content") or not message.get("tool_calls"):
        found["content"] = CONTENT
    if marks.key and message.get(marks.key):
        found[marks.key] = THOUGHT
    return _rename_call(found, 0) if message.get("tool_calls") else found


def _rename_call(message: Message, number: int) -> dict[str, Any]:
    return _with_function(message, number, name=_NAME)


def _with_function(message: Message, number: int, **changed: object) -> dict[str, Any]:
    calls = list(message["tool_calls"])
    calls[number] = {**calls[number], "function": {**calls[number]["function"], **changed}}
    return {**message, "tool_calls": calls}


def _change_calls(message: Message) -> Iterator[tuple[str, Message]]:
    """Each call under another name, and with another argument."""
    for number in range(len(message["tool_calls"])):
        yield _left_out(number), _rename_call(message, number)
        argued = _with_function(message, number, arguments={"text": _NAME})
        yield "the arguments of a tool call", argued


def _behind(answer: str, at: int, parts: Iterable[str]) -> int:
    """The place behind the last of the parts, as far as they are found one behind the other."""
    for part in parts:
        found_at = answer.find(part, at)
        at = found_at + len(part) if found_at >= 0 else at
    return at


def _changes(message: Message) -> Iterator[tuple[str, Message]]:
    """The parts of a message that templates are known to leave out, each with another text in it."""
    role, calls = message["role"], calls_of(message)
    if message.get("content") and (calls or role not in ("user", "assistant")):
        what = "the text beside the tool call" if calls else f"this {role} message"
        if role == "system":
            what += "; begin the first user turn with its text instead"
        yield what, {**message, "content": CONTENT}
    for number in range(len(calls)):
        yield _left_out(number), _rename_call(message, number)


def _with_mark(message: Message, changed: Message, mark: str) -> Message:
    """The message with this mark where `change` has another text than it was given."""
    if changed.get("content") == CONTENT:
        return {**message, "content": mark}
    calls = changed["tool_calls"]
    number = next(i for i, call in enumerate(calls) if call["function"]["name"] == _NAME)
    return _with_function(message, number, name=mark)


OTHER_TEMPLATE = "take a base model whose chat template knows tools, or rows without calls"
"""The mend where a template has no words for a call or for the tools."""


def _left_out(number: int) -> str:
    """A call that the template does not write; where it writes those before it, it has words for calls."""
    return (
        f"tool call {number + 1} of this turn"
        if number
        else "a tool call: it has no words for them"
    )
