"""LLaMA-Factory's dataset_info.json: which files there are, and what their keys mean.

As in LLaMA-Factory's data/README.md: `file_name`, `formatting` (alpaca, sharegpt or openai), `columns`
(its key -> the file's own) and `tags` (what turns and their roles are called)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finewright.rows.containers.found import ReadRow, said
from finewright.schema.common import Problem, without

MANIFEST = "dataset_info.json"
_FILES = ("file_name", "hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name")
# LLaMA-Factory's key -> the one that rows of that formatting have.
_KEYS = {
    "alpaca": {"prompt": "instruction", "query": "input", "response": "output"},
    "sharegpt": {"messages": "conversations"},
    "openai": {"messages": "messages"},
}
_ROLES = {
    "user_tag": "human",
    "assistant_tag": "gpt",
    "system_tag": "system",
    "observation_tag": "observation",
    "function_tag": "function_call",
}

_THINKING_OFF = (
    "LLaMA-Factory adds `detailed thinking off` to the system prompt of each row without tools; here it"
    " stays as it is written"
)
_AS_WRITTEN = "write it into the system prompts yourself, if the base model knows this switch"


@dataclass(frozen=True, slots=True)
class StatedFile:
    """A file of rows, and what is stated of them; `name` is what messages call it, `root` its folder.

    `columns` are our key -> the file's own; `tags` what the file calls ShareGPT's keys and roles.
    `encoding` is that of its text, empty where its bytes tell."""

    path: Path
    name: str
    root: Path | None = None
    format: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    encoding: str = ""


def is_manifest(path: Path) -> bool:
    """Is this LLaMA-Factory's dataset_info.json? The `datasets` library has another of that name."""
    return path.name == MANIFEST and bool(_entries(path))


def manifest_parts(path: Path, file: str) -> Iterator[StatedFile | Problem]:
    """The files that the manifest names; what it names that is not here is said."""
    for name, entry in _entries(path).items():
        target = entry.get("file_name")
        if not isinstance(target, str):
            where = next((str(entry[key]) for key in _FILES if entry.get(key)), "")
            what = f"{name}: its rows are not in this folder but at {where}"
            yield said(file, what, f"name hub:{where} as a source of its own", level="warning")
            continue
        found = (path.parent / target).resolve()
        if not found.is_relative_to(path.parent.resolve()):
            yield said(file, f"{name}: {target} leads out of this folder", "copy it here")
        elif not found.exists():
            what = f"there is no such file, and {MANIFEST} names it for {name}"
            yield said(str(path.parent / target), what, f"put it there, or take {name} out")
        else:
            if entry.get("formatting") == "openai":
                yield said(file, f"{name}: {_THINKING_OFF}", _AS_WRITTEN, level="info")
            if num := entry.get("num_samples"):
                what = f"{name}: LLaMA-Factory draws {num} of its rows, and here all are read"
                yield said(file, what, "keep as many in the file", level="info")
            yield _part(name, entry, path.parent / target, file)


def _part(name: str, entry: Mapping[str, Any], path: Path, file: str) -> StatedFile | Problem:
    formatting = entry.get("formatting", "alpaca")
    columns, tags = entry.get("columns") or {}, entry.get("tags") or {}
    if formatting not in _KEYS or not _are_texts(columns) or not _are_texts(tags):
        what = f"{name}: formatting, columns or tags are not LLaMA-Factory's"
        return said(
            file, what, f"formatting is one of {', '.join(_KEYS)}; columns and tags name keys"
        )
    return StatedFile(
        path,
        str(path),
        format="auto" if formatting == "openai" else formatting,
        columns=_renamed(columns, _KEYS[formatting]),
        tags=tags if formatting == "sharegpt" else {},
    )


def _are_texts(names: object) -> bool:
    return isinstance(names, dict) and all(isinstance(n, str | None) for n in names.values())


def with_usual_tags(row: ReadRow, part: StatedFile) -> ReadRow:
    """The row with its turns in ShareGPT's own words, `from` and `value`, `human` and `gpt`."""
    if not part.tags:
        return row
    data = dict(row.data)
    for key in ("conversations", "chosen", "rejected"):
        name = part.columns.get(key, key)
        turns = data.get(name)
        if isinstance(turns, list):
            data[name] = [_usual(turn, part.tags) for turn in turns]
        elif isinstance(turns, dict):
            data[name] = _usual(turns, part.tags)
    return row._replace(data=data)


def _usual(turn: Any, tags: Mapping[str, str]) -> Any:  # Any: free JSON
    role_tag, content_tag = tags.get("role_tag") or "from", tags.get("content_tag") or "value"
    if not isinstance(turn, dict) or not {role_tag, content_tag} <= set(turn):
        return turn
    roles = {theirs: _ROLES[tag] for tag, theirs in tags.items() if tag in _ROLES}
    role = turn[role_tag]
    others = without(turn, (role_tag, content_tag))
    usual = roles.get(role, role) if isinstance(role, str) else role
    return {"from": usual, "value": turn[content_tag], **others}


def _entries(path: Path) -> dict[str, dict[str, Any]]:  # Any: free JSON
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(data, dict):
        return {}
    entries = {
        name: entry
        for name, entry in data.items()
        if isinstance(entry, dict) and any(key in entry for key in _FILES)
    }
    return entries if len(entries) == len(data) else {}


def _renamed(columns: Mapping[str, str], keys: Mapping[str, str]) -> dict[str, str]:
    """Our key -> the file's, where they differ."""
    own = {keys.get(key, key): theirs for key, theirs in columns.items() if theirs}
    return {key: theirs for key, theirs in own.items() if key != theirs}
