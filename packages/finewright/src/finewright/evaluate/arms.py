"""The ways of asking one question: as it is, after examples, or with passages before it."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from finewright.judge.answer import answer_of as read_message
from finewright.judge.answer import text_to_compare
from finewright.judge.quotes import messages_with
from finewright.schema.passages import Passage
from finewright.schema.rows import Message, Row

_QUOTE_LINE = re.compile(
    r'^[ \t]*\[[0-9]{1,3}\][ \t]*(?:[:-][ \t]*)?["“].*["”][ \t]*$', re.MULTILINE
)


def with_examples(row: Row, examples: Sequence[Row]) -> Row:
    """The row with whole conversations before its own, after its system prompt; theirs are left out."""
    first = next((i for i, m in enumerate(row.messages) if m["role"] != "system"), 0)
    before = [m for example in examples for m in example.messages if m["role"] != "system"]
    return replace(row, messages=(*row.messages[:first], *before, *row.messages[first:]))


def with_instructions(row: Row, instructions: str) -> Row:
    """The row with instructions before its own system prompt; as it is where there are none."""
    if not instructions:
        return row
    own = [m for m in row.messages[:1] if m["role"] == "system"]
    text = "\n\n".join([instructions, *(str(m["content"] or "") for m in own)])
    system: Message = {"role": "system", "content": text}
    return replace(row, messages=(system, *row.messages[len(own) :]))


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
