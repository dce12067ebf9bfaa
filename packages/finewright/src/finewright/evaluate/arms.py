"""The ways of asking one question: as it is, after examples, or with passages before it."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from finewright.errors import DataError
from finewright.judge.answer import answer_of as read_message
from finewright.judge.answer import text_to_compare
from finewright.judge.quotes import messages_with
from finewright.schema.passages import Passage
from finewright.schema.rows import Message, Row

if TYPE_CHECKING:
    from finewright.lm.chat import Chat  # which imports transformers

_QUOTE_LINE = re.compile(
    r'^[ \t]*\[[0-9]{1,3}\][ \t]*(?:[:-][ \t]*)?["“].*["”][ \t]*$', re.MULTILINE
)


def with_examples(row: Row, examples: Sequence[Row]) -> Row:
    """The row with whole conversations before its own, after its system prompt; theirs are left out."""
    first = next((i for i, m in enumerate(row.messages) if m["role"] != "system"), 0)
    before = [m for example in examples for m in example.messages if m["role"] != "system"]
    return replace(row, messages=(*row.messages[:first], *before, *row.messages[first:]))


def with_task(chat: "Chat", row: Row, task: str, parts: Sequence[str]) -> Row:
    """The row with a task in the system prompt, after the row's own; in the first turn of the user where the
    chat template does not show each of the task's `parts` there."""
    as_system = _in_system_prompt(row.messages, task)
    has_system = _reads(chat, as_system[: row.answer_at or 0], parts)
    return replace(row, messages=as_system if has_system else _in_question(row.messages, task))


def _in_system_prompt(messages: Sequence[Message], task: str) -> tuple[Message, ...]:
    first, *others = messages
    if first["role"] != "system":
        return ({"role": "system", "content": task}, *messages)
    return ({**first, "content": f"{first['content']}\n\n{task}"}, *others)


def _in_question(messages: Sequence[Message], task: str) -> tuple[Message, ...]:
    at = next((i for i, turn in enumerate(messages) if turn["role"] == "user"), 0)
    turn = {**messages[at], "content": f"{task}\n\n{messages[at].get('content') or ''}"}
    return (*messages[:at], turn, *messages[at + 1 :])


def _reads(chat: "Chat", messages: Sequence[Message], parts: Sequence[str]) -> bool:
    """Some templates refuse a system prompt, and some leave it out."""
    try:
        text = chat.prompt(messages).text
    except DataError:
        return False
    return all(part in text for part in parts)


def with_passages(row: Row, passages: Sequence[Passage]) -> Row:
    """The row with passages before its question, as `rag.prompt` puts them; what is expected stays."""
    prompt, expected = _split_at_answer(row)
    return replace(row, messages=(*messages_with(passages, prompt), *expected))


def question_of(row: Row) -> str:
    """What the row asks and is searched for: the text of the user's last turn before the answer."""
    prompt, _ = _split_at_answer(row)
    said = [str(m["content"] or "") for m in prompt if m["role"] == "user"]
    return said[-1] if said else ""


def answer_of(row: Row) -> str:
    """What the row expects as text: the content of its answer, or the calls."""
    _, expected = _split_at_answer(row)
    due = read_message(expected[0])
    return text_to_compare(due, due)


def gold_of(row: Row) -> tuple[str, ...]:
    """The ids of the documents that hold the answer, from the row's own column `gold`, if it has one."""
    gold = row.columns.get("gold")
    named = [gold] if isinstance(gold, str) else gold if isinstance(gold, list) else []
    return tuple(id for id in named if isinstance(id, str))


def without_quotes(answer: str) -> str:
    """The answer without its lines of quotes, which are asked for only where there are passages.

    One that is nothing but quotes stays as it is."""
    return _QUOTE_LINE.sub("", answer).strip() or answer


def order_by_chance(rows: Sequence[Row], seed: int, purpose: str) -> list[Row]:
    """The rows in an order of chance, the same for a seed and a purpose, whatever other rows there are and
    wherever their file lies."""

    def place(row: Row) -> str:
        return _place(f"{seed}:{purpose}:{row.id}:{PurePath(row.file).name}:{row.row}")

    return sorted(rows, key=place)


def _place(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _split_at_answer(row: Row) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """What comes before the answer, and that turn with what follows."""
    last = row.answer_at or 0
    return row.messages[:last], row.messages[last:]
