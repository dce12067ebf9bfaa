"""Sound turns that their owner may not mean so: calls of tools that nobody declared, text beside a call,
thoughts in two places or without a beginning. Counted while rows pass by: one problem a kind and file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from finewright.judge.answer import THINK, split_thoughts
from finewright.judge.calls import name_of_tool
from finewright.rows.first_rows import FirstRow, FirstRows
from finewright.schema.common import Problem
from finewright.schema.rows import Message, Row

_Kind = Literal["undeclared", "beside", "thoughts", "close"]


class OddTurn(NamedTuple):
    """What is odd, at which key, and the name or text that tells."""

    kind: _Kind
    key: str
    says: str


@dataclass(slots=True)
class OddTurns:
    """The odd turns of the rows so far."""

    seen: FirstRows[OddTurn] = field(default_factory=FirstRows)

    def add(self, row: Row) -> None:
        """Look at one more row."""
        self.seen.add(row, odd_turns(row))

    def problems(self) -> list[Problem]:
        """A warning where something else may be learned than is meant; an info for text beside a call."""
        return [_problem(seen) for seen in self.seen]


def told_of_turns(rows: Iterable[Row]) -> list[Problem]:
    """The problems of all of these rows."""
    found = OddTurns()
    for row in rows:
        found.add(row)
    return found.problems()


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


def _problem(seen: FirstRow[OddTurn]) -> Problem:
    kind, key, says = seen.first
    one = seen.num_rows == 1
    rows = "1 row" if one else f"{seen.num_rows} rows"
    message, hint = {
        "undeclared": (
            f"call{'s' * one} tools that the row's `tools` do not declare, this one first: {says!r}",
            "declare them in `tools`: else a model learns to call tools that nobody declared",
        ),
        "beside": (
            f"ha{'s' if one else 've'} text beside a call, this one first",
            "`finewright plan` shows how the chat template tells both",
        ),
        "thoughts": (
            f"ha{'s' if one else 've'} thoughts both in reasoning_content and in the content, this one first",
            "keep one of the two",
        ),
        "close": (
            f"ha{'s' if one else 've'} </think> without <think> before it, this one first",
            "write thoughts between <think> and </think>: a close alone ends one only where the prompt of the"
            " chat template opens it",
        ),
    }[kind]
    return Problem(
        level="info" if kind == "beside" else "warning",
        file=seen.file,
        row=seen.row,
        key=key,
        message=f"{rows} {message}",
        hint=hint,
    )
