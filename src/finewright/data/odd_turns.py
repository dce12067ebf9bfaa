"""Sound turns that their owner may not mean so: calls of tools that nobody declared, text beside a call,
thoughts in two places or without a beginning."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from finewright.judge.answer import THINK, split_thoughts
from finewright.judge.calls import name_of_tool
from finewright.schema.rows import Message, Row

_Kind = Literal["undeclared", "beside", "thoughts", "close"]


class OddTurn(NamedTuple):
    """What is odd, at which key, and the name or text that tells."""

    kind: _Kind
    key: str
    says: str


def odd_turns(row: Row) -> Iterator[OddTurn]:
    """The odd turns of a row, in order; those of a pair's other side too."""
    declared = {name_of_tool(tool) for tool in row.tools or ()}
    for name, turns in (("messages", row.messages), ("rejected", row.rejected or ())):
        for i, turn in enumerate(turns):
            if turn["role"] == "assistant":
                yield from _of_turn(f"{name}[{i}]", turn, declared)


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
