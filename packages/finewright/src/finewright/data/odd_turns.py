"""Sound turns that their owner may not mean so: calls of tools that nobody declared, or with arguments
that the tool's own schema does not take, text beside a call,
thoughts in two places, without a beginning or in a column, `{{name}}` that nobody filled in, empty questions,
and text that goes on after its prompt instead of answering it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from finewright.errors import MissingExtra, SpecError
from finewright.judge.answer import THINK, split_thoughts
from finewright.judge.calls import misfit, name_of_tool
from finewright.rows.formats.propose import rivals_of
from finewright.schema.rows import Message, Row, calls_of, content_of

OddKind = Literal[
    "undeclared",
    "misfit",
    "unread",
    "unchecked",
    "beside",
    "thoughts",
    "close",
    "unfilled",
    "unasked",
    "column",
    "reply",
    "rivals",
    "goes_on",
]
_UNFILLED = re.compile(r"(?<![\\\w{}$])\{\{ ?[A-Za-z_][\w.]{0,40} ?\}\}(?!\})")
_REPLY_COLUMNS = frozenset(
    ("response", "generation", "reply", "output", "canonical_solution", "best_answer", "summary")
)
_THOUGHT_COLUMNS = frozenset(
    (
        "thinking",
        "thought",
        "thoughts",
        "reasoning",
        "reasoning_content",
        "rationale",
        "cot",
        "think",
    )
)


class OddTurn(NamedTuple):
    """What is odd, at which key, and the name or text that tells."""

    kind: OddKind
    key: str
    says: str


def odd_turns(row: Row) -> Iterator[OddTurn]:
    """The odd turns of a row, in order; those of a pair's other side too, but for arguments that it may well
    have wrong, as a turn of weight 0 may."""
    declared = {name_of_tool(tool): tool for tool in row.tools or ()}
    for name, turns in (("messages", row.messages), ("rejected", row.rejected or ())):
        for i, turn in enumerate(turns):
            key = f"{name}[{i}]"
            yield from _of_turn(key, turn, declared)
            if name == "messages" and turn["role"] == "assistant" and turn.get("weight", 1):
                yield from _of_arguments(key, calls_of(turn), declared)
    if row.columns:
        yield from _of_columns(row)
    if len(row.messages) == len(("asked", "answered")) and _goes_on(*row.messages):
        yield OddTurn("goes_on", "messages[1].content", "")


def _of_columns(row: Row) -> Iterator[OddTurn]:
    named: tuple[tuple[OddKind, frozenset[str]], ...] = (
        ("column", _THOUGHT_COLUMNS),
        ("reply", _REPLY_COLUMNS if row.is_prompt else frozenset()),
    )
    for kind, names in named:
        for key in sorted(row.columns.keys() & names):
            if isinstance(text := row.columns[key], str) and text.strip():
                yield OddTurn(kind, key, key)
    if row.is_prompt and (rivals := rivals_of(dict(row.columns))):
        yield OddTurn("rivals", rivals[0], f"`{rivals[0]}` and `{rivals[1]}`")


def _goes_on(asking: Message, answering: Message) -> bool:
    """Whether they are one text cut in two, as `The sky is` and ` blue.`"""
    question, answer = asking["content"], answering["content"]
    is_closed = question.rstrip()[-1:] in (".", "!", "?")
    if is_closed or (answer[:1] != " " and not (answer[:1].islower() and question[-1:].isalnum())):
        return False
    is_pair = (asking["role"], answering["role"]) == ("user", "assistant")
    return is_pair and (answer[0] == " " or answer.rstrip()[-1:] in (".", "!", "?"))


Declared = Mapping[str, Mapping[str, Any]]  # Any: free JSON


def _of_turn(key: str, turn: Message, declared: Declared) -> Iterator[OddTurn]:
    content = turn["content"]
    if turn["role"] == "assistant":
        yield from _of_answer(key, turn, declared)
    elif turn["role"] == "user" and (not content or content.isspace()):
        yield OddTurn("unasked", f"{key}.content", "")
    if "{{" in content and (found := _UNFILLED.search(content)):
        yield OddTurn("unfilled", f"{key}.content", found[0])


def _of_answer(key: str, turn: Message, declared: Declared) -> Iterator[OddTurn]:
    content, calls = content_of(turn), calls_of(turn)
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


def _of_arguments(
    key: str, calls: Sequence[Mapping[str, Any]], declared: Declared
) -> Iterator[OddTurn]:
    """The first call whose arguments its tool does not take, and those before it of which nobody can tell."""
    for j, call in enumerate(calls):
        name, given = call["function"]["name"], call["function"].get("arguments") or {}
        if name not in declared:
            continue
        what = ""
        place = f"{key}.tool_calls[{j}].function.arguments"
        try:
            what = misfit(declared[name], json.loads(given) if isinstance(given, str) else given)
        except MissingExtra:
            yield OddTurn("unchecked", place, "")
            return
        except SpecError as error:
            yield OddTurn("unread", place, f"{name}: {error}")
        if what:
            yield OddTurn("misfit", place, f"{name}: {what}")
            return
