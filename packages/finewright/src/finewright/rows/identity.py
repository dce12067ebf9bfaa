"""What names a row: the digest of what it says, whatever file it came from."""

import hashlib
import json
from dataclasses import replace

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


def named_anew(row: Row) -> Row:
    """The row with the id of what it says now."""
    return replace(row, id=row_id(row))
