"""Content that is a list of typed parts with a `value` each, as LLaMA-Factory's v1 writes messages.

https://github.com/hiyouga/LLaMA-Factory, src/llamafactory/v1/utils/types.py: a part's `type` is `text`,
`reasoning` or `tool_call` (whose value is JSON of one call); pictures, videos and sounds are refused, as
only text is trained."""

from typing import Any, NamedTuple

from finewright.rows.notes import Json, RowNotes, kind_of_json, shown

_TEXTS = ("text", "reasoning")
_CALLS = ("tool_call", "tool_calls")


class SpokenParts(NamedTuple):
    """What the parts say: text, a thought, and calls that are not parsed yet, each with its place."""

    text: str
    thought: str
    calls: list[tuple[str, Any]]  # Any: free JSON


def has_values(content: object) -> bool:
    """Is it a list of parts that say something under `value`?"""
    return isinstance(content, list) and any(
        isinstance(part, dict) and "value" in part and "type" in part for part in content
    )


def spoken(place: str, parts: list[Any], notes: RowNotes) -> SpokenParts:
    """What the parts at that place say; what is no such part is an error."""
    said: dict[str, list[str]] = {kind: [] for kind in _TEXTS}
    calls: list[tuple[str, Any]] = []
    for i, part in enumerate(parts):
        kind, value = _kind_and_value(part)
        if kind in _CALLS:
            calls.append((f"{place}[{i}].value", value))
        elif kind not in _TEXTS:
            found = f"a part of type {shown(kind)}" if kind else kind_of_json(part)
            what = f"{found}; parts are of type text, reasoning or tool_call"
            notes.error(f"{place}[{i}]", what)
        elif isinstance(value, str):
            said[str(kind)].append(value)
        else:
            notes.error(f"{place}[{i}].value", f"{kind_of_json(value)}; text is expected")
    return SpokenParts("".join(said["text"]), "".join(said["reasoning"]), calls)


def _kind_and_value(part: object) -> tuple[object, object]:
    if not isinstance(part, dict):
        return None, None
    given: Json = part
    return given.get("type"), given.get("value", given.get("text"))
