"""The law of templates: what is trained of a row, read as generated text is read, is the row again.

Where it is not, a model that learned its rows perfectly is scored wrong and rewarded for nothing. So every
learned answer is read back before anything is trained, by the reader of scores, rewards and `chat`."""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from finewright.errors import DataError
from finewright.judge.answer import THINK, Answer, answer_of, calls_text
from finewright.judge.calls import Due, tool_calls_in_order
from finewright.lm.answers.reader import Tools, answer_of_tokens, reader_of
from finewright.lm.chat import Chat
from finewright.lm.messages import read_thought
from finewright.lm.template import Message
from finewright.schema.rows import content_of

_SHOWN = 60
_HINT = "take a base model whose chat template can be read back, or change the row"
_THOUGHT_HINT = (
    "give a thought as reasoning_content;"
    " begin the content with <think></think> where the mark is a word"
)


class LearnedAnswer(NamedTuple):
    """The tokens that are learned of message `number`, through the end of its turn, and what is asked."""

    number: int
    message: Message
    prompt: str
    ids: Sequence[int]


def refuse_other_answer(chat: Chat, learned: LearnedAnswer, tools: Tools | None) -> None:
    """Raise DataError where a model that writes exactly what is learned gives another answer than the row."""
    if chat.marks.is_open and _may_be_named(learned.message):
        what = (
            "has </think> within a line, and the prompt opens a thought: it may end one or be named"
        )
        raise DataError(f"messages[{learned.number}]: this answer {what}", hint=_THOUGHT_HINT)
    for difference in _differences(chat, learned, tools):
        raise DataError(f"messages[{learned.number}]: {difference}", hint=_HINT)


def _may_be_named(message: Message) -> bool:
    """Whether a lone close at the head of the content, which ends the prompt's thought, is written as a word
    is."""
    content = content_of(message)
    before, close, behind = content.partition(THINK.close)
    if read_thought(message) or not close or before.lstrip().startswith(THINK.open):
        return False
    return bool(before.strip()) and before[-1] != "\n" and behind[:1] not in ("", "\n")


def _differences(chat: Chat, learned: LearnedAnswer, tools: Tools | None) -> Iterator[str]:
    stops, ids = chat.stop_ids, learned.ids
    is_ended = bool(ids) and ids[-1] in stops
    before = ids[:-1] if is_ended else ids
    stop = next((token for token in before if token in stops), None)
    if stop is not None:
        text = chat.tokenizer.decode([stop])
        yield f"the chat template writes {text!r} within this answer, where generation stops"
    due = Due(answer_of(learned.message, is_open=chat.marks.is_open), tools)
    read = answer_of_tokens(
        chat,
        before,
        prompt=learned.prompt,
        tools=tools if tools or not due.answer.calls else (),
        ended=is_ended,
    )
    yield from _other_parts(chat, read, due)


def _other_parts(chat: Chat, read: Answer, due: Due) -> Iterator[str]:
    if due.answer.calls and (why := reader_of(chat).cannot_call):
        yield f"this answer calls a tool, and {why}"
    if read.fault:
        yield f"what would be learned of this answer cannot be read back: {read.fault}"
    pairs = [
        ("content", read.content.strip(), due.answer.content.strip()),
        ("thought", read.thoughts.strip(), due.answer.thoughts.strip()),
    ]
    if (read.calls or due.answer.calls) and not tool_calls_in_order.score(read, due):
        pairs.append(("call", calls_text(read.calls), calls_text(due.answer.calls)))
    for what, found, wanted in pairs:
        if found != wanted and _fold(found) != _fold(wanted):
            yield _describe(what, found, wanted)


def _fold(text: str) -> str:
    """The text with what tokenizers write otherwise, which is none of the template's: composed characters,
    and SentencePiece's mark of a blank as one."""
    return unicodedata.normalize("NFKC", text).replace("\u2581", " ").strip()


def _describe(what: str, found: str, wanted: str) -> str:
    at = next((i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), None)
    start = max(0, (min(len(found), len(wanted)) if at is None else at) - _SHOWN // 2)
    shown = (text[start : start + _SHOWN] for text in (found, wanted))
    return (
        "what would be learned of this answer is read back with another {}: {!r}, not {!r}".format(
            what, *shown
        )
    )
