"""What a row is known by: the digest of what it says, whatever file it came from, and that of what it asks,
so that one question is not trained on and measured; what it expects; and the shape that users write it in."""

import hashlib
import json
from dataclasses import replace
from typing import Any

from finewright.rows.formats.own import is_liking
from finewright.schema.common import without
from finewright.schema.rows import Row

# Made once: it is called several times a row.
_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def canonical(data: object) -> bytes:
    """JSON that is equal for equal data: sorted keys, no spaces, UTF-8."""
    return _ENCODER.encode(data).encode("utf-8", "surrogatepass")


def row_id(row: Row) -> str:
    """The start of the sha256 of what the row says.

    Only a prompt's columns are part of what it is: a `meta` that is added to a conversation must not
    move it to the other side of the split, nor a repeat become two rows."""
    said: dict[str, object] = {"messages": row.messages, "tools": row.tools}
    if row.rejected is not None:
        said["rejected"] = row.rejected
    if row.label is not None:
        said["label"] = row.label
    if row.columns and row.is_prompt:
        said["columns"] = dict(row.columns)
    return hashlib.sha256(canonical(said)).hexdigest()[:16]


def renew_id(row: Row) -> Row:
    """The row with the id of what it says now."""
    return replace(row, id=row_id(row))


def prompt_key(row: Row) -> str:
    """Equal for rows that ask the same; weights are no part of a question."""
    turns = [without(m, ("weight",)) for m in row.prompt]
    canonical = json.dumps([turns, row.tools], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def is_known_by_prompt(row: Row) -> bool:
    """Whether rows of its type are alike when they ask the same. Those that compare or sample answers are."""
    return row.rejected is not None or row.label is not None or row.is_prompt


def with_expected(row: Row) -> Row | None:
    """The row, ending with what is expected of a model; None if it does not say what that is.

    A prompt's `answer` becomes its last turn; what is not text, as JSON. A pair expects its chosen
    answer. What is said after the answer is cut off. A disliked answer is not expected, nor is one that
    answers nothing."""
    if row.keyless:
        row = replace(row, keyless=with_expected(row.keyless))
    if row.is_prompt:
        answer = row.columns.get("answer")
        if answer is None or answer == "":
            return None
        text = answer if isinstance(answer, str) else _compact(answer)
        return replace(row, messages=(*row.messages, {"role": "assistant", "content": text}))
    if row.is_text:
        return row
    if row.label is False or not row.answer_at:
        return None
    return replace(row, messages=row.messages[: row.answer_at + 1])


def _compact(answer: object) -> str:
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def to_user_json(row: Row) -> dict[str, Any]:  # Any: free JSON
    """The row as `messages`; as `chosen` and `rejected`, as `messages` and `label`, or as `prompt`.

    Read again it is the same row; keys and shape of the file it came from are not kept. A column `label`
    that would be read as a rating is called `label_column`."""
    turns = list(row.messages)
    if row.rejected is not None:
        said: dict[str, Any] = {"chosen": turns, "rejected": list(row.rejected)}
    elif row.label is not None:
        said = {"messages": turns, "label": row.label}
    elif row.is_text:
        said = {"text": row.messages[0]["content"]}
    else:
        said = {"prompt" if row.is_prompt else "messages": turns}
    tools = {"tools": list(row.tools)} if row.tools else {}
    columns = dict(row.columns)
    if "messages" in said and row.label is None and is_liking(columns.get("label")):
        name = "label_column"
        while name in columns:
            name += "_"
        columns[name] = columns.pop("label")
    return {**said, **tools, **columns}
