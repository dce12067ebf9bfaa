"""Sound turns that their owner may not mean so: calls of tools that nobody declared, text beside a call,
thoughts in two places, without a beginning or in a column, `{{name}}` that nobody filled in, empty questions,
and text that goes on after its prompt instead of answering it."""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from finewright.judge.answer import THINK, split_thoughts
from finewright.judge.calls import name_of_tool
from finewright.schema.rows import Message, Row

OddKind = Literal[
    "undeclared", "beside", "thoughts", "close", "unfilled", "unasked", "column", "goes_on"
]
_UNFILLED = re.compile(r"(?<![\\\w{}$])\{\{ ?[A-Za-z_][\w.]{0,40} ?\}\}(?!\})")
_THOUGHT_COLUMNS = (
    *("thinking", "thought", "thoughts", "reasoning", "reasoning_content", "rationale"),
    *("cot", "chain_of_thought", "think"),
)


class OddTurn(NamedTuple):
    """What is odd, at which key, and the name or text that tells."""

    kind: OddKind
    key: str
    says: str


def odd_turns(row: Row) -> Iterator[OddTurn]:
    """The odd turns of a row, in order; those of a pair's other side too."""
    declared = {name_of_tool(tool) for tool in row.tools or ()}
    for name, turns in (("messages", row.messages), ("rejected", row.rejected or ())):
        for i, turn in enumerate(turns):
            if turn["role"] == "assistant":
                yield from _of_turn(f"{name}[{i}]", turn, declared)
            yield from _of_any_turn(f"{name}[{i}].content", turn)
    for name in _THOUGHT_COLUMNS:
        if isinstance(thought := row.columns.get(name), str) and thought.strip():
            yield OddTurn("column", name, name)
    if _goes_on(row):
        yield OddTurn("goes_on", f"messages[{len(row.messages) - 1}].content", "")


def _of_any_turn(key: str, turn: Message) -> Iterator[OddTurn]:
    content = turn["content"]
    if turn["role"] == "user" and not content.strip():
        yield OddTurn("unasked", key, "")
    if "{{" in content and (found := _UNFILLED.search(content)):
        yield OddTurn("unfilled", key, found[0])


def _goes_on(row: Row) -> bool:
    """Is it one text cut in two, as `The sky is` and ` blue.`?"""
    if len(row.messages) != len(("asked", "answered")) or row.is_prompt:
        return False
    asked, answered = (str(turn["content"]) for turn in row.messages)
    is_cut = asked[-1:].isalnum() and answered[:1].islower()
    return answered[:1] == " " or (is_cut and answered.rstrip()[-1:] in (".", "!", "?"))


def _of_turn(key: str, turn: Message, declared: set[str]) -> Iterator[OddTurn]:
    content, calls = str(turn.get("content") or ""), turn.get("tool_calls") or ()
    for j, call in enumerate(calls):
        name = call["function"]["name"]
        if name not in declared:
            yield OddTurn("undeclared", f"{key}.tool_calls[{j}].function.name", name)
            break
    if turn.get("reasoning_content") and split_thoughts(content).thoughts:
        yield OddTurn("thoughts", f"{key}.content", "")
    elif calls and split_thoughts(content).content.strip():
        yield OddTurn("beside", f"{key}.content", "")
    if not turn.get("reasoning_content") and split_thoughts(content, is_open=True).thoughts:
        before, _, _ = content.partition(THINK.close)
        if THINK.open not in before:
            yield OddTurn("close", f"{key}.content", "")
