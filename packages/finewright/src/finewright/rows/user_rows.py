"""A row in the shape that users write it: what the data commands put into the files they make."""

from typing import Any

from finewright.rows.formats.own import is_liking
from finewright.schema.rows import Row


def to_user_json(row: Row) -> dict[str, Any]:  # Any: free JSON
    """The row as `messages`; as `chosen` and `rejected`, as `messages` and `label`, or as `prompt`.

    Read again it is the same row; keys and shape of the file it came from are not kept. A column `label`
    that would be read as a rating is called `label_column`."""
    turns = list(row.messages)
    if row.rejected is not None:
        said: dict[str, Any] = {"chosen": turns, "rejected": list(row.rejected)}
    elif row.label is not None:
        said = {"messages": turns, "label": row.label}
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
