"""What a template writes around the parts of an answer, learned from it by rendering: no list of models.

Cohere 2         | <|START_RESPONSE|> content <|END_RESPONSE|> | <|END_OF_TURN_TOKEN|>
MiniMax M3       | <mm:think> thought </mm:think> content | [e~[
functionary 3.1  | <function= name > {"city": "Paris"} </function> | <|eom_id|>
                 after what is asked                         where generation stops"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from finewright.errors import DataError
from finewright.judge.answer import Call, MarkPair
from finewright.judge.json_text import json_at
from finewright.lm.answers.calls import NamedCalls
from finewright.lm.answers.syntaxes import THOUGHTS
from finewright.lm.chat import Chat
from finewright.lm.marks import CALL, QUESTION, THOUGHT

_NO_NAME = r"[^\s\"'<>{}()\[\]]+"
_TAG = re.compile(r"<[^<>\s]+>|\[[A-Z_/]+\]")
_ID = re.compile(r"callabc0\d")


class Frame(NamedTuple):
    """The marks around a thought where they are none of the known ones, and those around a content."""

    thoughts: tuple[MarkPair, ...]
    said: MarkPair


def find_frame(chat: Chat) -> Frame:
    """The frame of this chat's answers; marks that are not there are empty."""
    marks = chat.marks
    closes, opens = marks.closes, marks.unthought
    closed = _end_of_thought(chat) if marks.thinks else ""
    if opens.startswith(closed) and closed:  # a thought of no words stands before each content
        opens = opens.removeprefix(closed)
    said = MarkPair(opens.lstrip(), _until_stop(chat, marks.ends).rstrip())
    if not marks.thinks or any(pair.close in closes for pair in THOUGHTS):
        return Frame((), said)
    opened = _prompt_mark(chat) if marks.is_open else marks.opens
    pair = MarkPair(opened.strip(), (closed or closes).strip())
    # where the prompt closes the thought, what opens one is not seen apart from the question
    is_known = all(pair) and str(QUESTION["content"]) not in pair.open
    return Frame((pair,) if is_known else (), said)


def _end_of_thought(chat: Chat) -> str:
    """What ends a thought, without what begins a content behind it: what a call has behind one as well."""
    marks = chat.marks
    if marks.unthought and marks.closes != marks.unthought:
        return marks.closes.removesuffix(marks.unthought)
    called = {"role": "assistant", "content": "", "tool_calls": [CALL]}
    try:
        text = chat.template.text([QUESTION, {**called, marks.key: THOUGHT}] if marks.key else [])
    except DataError:
        return marks.closes
    _, found, behind = text.partition(THOUGHT)
    if not found:
        return marks.closes
    ids = [chat.tokenizer(t, add_special_tokens=False)["input_ids"] for t in (marks.closes, behind)]
    same = next((i for i, (a, b) in enumerate(zip(*ids, strict=False)) if a != b), None)
    return str(chat.tokenizer.decode(ids[0][:same]))


def _prompt_mark(chat: Chat) -> str:
    """What the generation prompt has behind the question."""
    return chat.template.text([QUESTION], ask=True).rpartition(str(QUESTION["content"]))[2]


def _until_stop(chat: Chat, text: str) -> str:
    """The text before the first token at which generation stops; nothing where there is none."""
    found = [text.find(chat.tokenizer.decode([stop])) for stop in chat.stop_ids]
    return text[: min((at for at in found if at >= 0), default=0)]


def learn_call_syntax(turns: Sequence[tuple[str, Sequence[Call]]]) -> NamedCalls | None:
    """The syntax of answers of one call and of two, whose arguments are one JSON object behind the name.

    None where they are written otherwise; whether it reads all answers back is for the caller to try."""
    one = next((_around(text, calls) for text, calls in turns if len(calls) == 1), None)
    if one is None or not one[0].strip():
        return None
    two = next((_around(text, calls) for text, calls in turns if len(calls) > 1), None)
    before, middle, after = one
    between = two[2] if two else ""
    begins = "|".join(_pattern(text) for text in (before.lstrip(), between.lstrip()) if text)
    ends = [rf"{_pattern(after.rstrip())}"] if after.strip() else [r"\Z"]
    ends += [rf"(?={_pattern(between)})"] if between else []
    mark = _TAG.search(before)
    return NamedCalls(
        marks=(mark[0],) if mark else (),
        head=re.compile(rf"(?:{begins})(?P<name>{_NO_NAME}){_pattern(middle)}"),
        tail=re.compile("|".join(ends)),
    )


def _around(text: str, calls: Sequence[Call]) -> list[str] | None:
    """What stands before the first name, between names and arguments, and behind the last of these."""
    parts, at = [], 0
    for call in calls:
        named = text.find(call.name, at)
        brace = text.find("{", named + len(call.name))
        found = json_at(text, brace) if named >= 0 <= brace else None
        if found is None or found.value != call.arguments:
            return None
        parts += [text[at:named], text[named + len(call.name) : brace]]
        at = found.end
    return [*parts, text[at:]]


def _pattern(text: str) -> str:
    """The text as a pattern, with any id for the probe's."""
    return r"[\w.:-]+".join(re.escape(part) for part in _ID.split(text))
