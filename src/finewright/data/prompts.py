"""What a row asks, so that one question is not trained on and measured; and what it expects."""

import hashlib
import json
from dataclasses import replace
from itertools import takewhile

from finewright.schema.rows import Message, Row


def prompt_of(row: Row) -> tuple[Message, ...]:
    """The turns before the answer: all of a prompt alone, what a pair's conversations share up to
    an answer, and else what stands before the last assistant turn."""
    if is_prompt_alone(row):
        return row.messages
    num_shared = len(row.messages) - 1
    if row.rejected is not None:
        both = zip(row.messages, row.rejected, strict=False)
        num_shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))
    answers = (
        i
        for i in range(min(num_shared, len(row.messages) - 1), 0, -1)
        if _answers(row.messages[i]) and not (row.rejected and _answers(row.messages[i - 1]))
    )
    return row.messages[: next(answers, 0)]


def prompt_key(row: Row) -> str:
    """Equal for rows that ask the same; weights are no part of a question."""
    turns = [{k: v for k, v in m.items() if k != "weight"} for m in prompt_of(row)]
    canonical = json.dumps([turns, row.tools], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def is_prompt_alone(row: Row) -> bool:
    """Is it a question without an answer? A conversation has a turn that is learned."""
    return not any(_answers(m) and m.get("weight", 1) for m in row.messages)


def is_known_by_prompt(row: Row) -> bool:
    """Are rows of its type alike when they ask the same? Those that compare or sample answers are."""
    return row.rejected is not None or row.label is not None or is_prompt_alone(row)


def with_expected(row: Row) -> Row | None:
    """The row, ending with what is expected of a model; None if it does not say what that is.

    A prompt's `answer` becomes its last turn; what is not text, as JSON. A pair expects its chosen
    answer. A disliked answer is not expected, nor is one that answers nothing."""
    if is_prompt_alone(row):
        answer = row.columns.get("answer")
        if answer is None or answer == "":
            return None
        text = answer if isinstance(answer, str) else _compact(answer)
        return replace(row, messages=(*row.messages, {"role": "assistant", "content": text}))
    is_expected = row.label is not False and any(_answers(m) for m in row.messages[1:])
    return row if is_expected else None


def _answers(message: Message) -> bool:
    return bool(message["role"] == "assistant")


def _compact(answer: object) -> str:
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
