"""Queries over a run's records: what they hold, where that stands, and its digest.

A query is one of
  `FILE`, `FILE#a.*.b`   a file of the run (wildcards allowed), and what it must hold there: JSON or YAML
  `answer:KEY`           a key of what people wrote: docs/comply.md
  `dossier:FILE#a.b`     a file that the dossier itself holds
  `human`                a person's own evidence, under the control's id"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from finewright.report.cells import number
from finewright.store.manifest import CARD, ManifestRow
from finewright_trust.comply.report import FoundEvidence
from finewright_trust.comply.spec import ComplySpec, WrittenEvidence

_LONGEST = 160
"""Characters of a value: as many as a cell of a table bears."""
_NEVER_ZERO = ("candidates.*.tokens",)
"""A linear model sees no tokens: 0 would be a size of data that nobody counted."""
_LARGE = 1e6
"""Floats from here on are FLOP and the like, whose digits say nothing."""
_NOTHING: tuple[object, ...] = ("", "unknown", "not stated", None, [], {})
_BRINGS = {
    "evaluate/": "finewright up SPEC --set 'evaluate.data=[{path: FILE}]'",
    "redteam/": "finewright up SPEC --set 'redteam={}'",
    "release/": "finewright release RUN",
    "data/report.json#poison": "finewright up SPEC --set data.poison.action=report",
    "data/report.json#personal_data": "finewright up SPEC --set data.personal_data.action=report",
    "train/report.json#candidates.*.privacy": "finewright up SPEC --set train.privacy.epsilon=8",
}
"""How a query begins -> the command after which the run has what answers it."""
_ASKS_TEXT = ("redteam/", "train/report.json#candidates.*.privacy")
"""What only a model that writes text can have."""
MOVING = ("manifest.json", "events.jsonl")
"""Files of a run that go on changing, as cards do: the dossier keeps them as they were."""
KEPT = "evidence/"
"""Where in the dossier such copies lie."""


@dataclass(frozen=True, slots=True)
class Records:
    """A run, what people wrote, and the dossier: its folder, and its own files so far with their content.

    `rows` are the manifest's by path; `answers` is the file with what people wrote, if there is one; `up` is
    the way from the dossier's folder to the run; `textless` is why its models write no text, if none does."""

    root: Path
    rows: Mapping[str, ManifestRow]
    spec: ComplySpec
    own: Mapping[str, Any]  # Any: JSON
    digests: Mapping[str, str]
    up: str
    textless: str = ""

    def find(self, query: str, control: str = "") -> FoundEvidence:
        """What answers the query of a control."""
        if query == "human":
            return self._written(control)
        name, _, path = query.partition("#")
        if name.startswith("answer:"):
            return self._answered(query, name.removeprefix("answer:"))
        if name.startswith("dossier:"):
            return self._of_dossier(query, name.removeprefix("dossier:"), path)
        return self._of_run(query, control)

    def _written(self, control: str) -> FoundEvidence:
        found = self.spec.evidence.get(control, ())
        if not found:
            hint = f"a person writes it, as evidence.{control} in the answers"
            return FoundEvidence(query="human", kind="missing", hint=hint)
        value = _short("; ".join(map(_say_written, found)))
        file = next(
            (written_name(control, each.file) for each in found if each.file), "comply.yaml"
        )
        return self._kept("human", file, value, "human")

    def _answered(self, query: str, key: str) -> FoundEvidence:
        value: Any = self.spec  # Any: walks down the keys
        for part in key.split("."):
            value = getattr(value, part)
        if value in _NOTHING or value == ():
            return FoundEvidence(
                query=query, kind="missing", hint=f"a person writes {key} in the answers"
            )
        return self._kept(query, "comply.yaml", _short(_say([value])), "human")

    def _of_dossier(self, query: str, name: str, path: str) -> FoundEvidence:
        values = [each for each in _at(self.own.get(name), path) if each not in _NOTHING]
        if not values:
            return FoundEvidence(
                query=query, kind="missing", hint="the records of the run do not say it"
            )
        return self._kept(query, name, _short(_say(values)), "auto")

    def _kept(self, query: str, name: str, value: str, kind: str) -> FoundEvidence:
        digest = self.digests.get(name, "")
        return FoundEvidence(
            query=query, kind=kind, value=value, link=name if digest else "", sha256=digest
        )

    def _of_run(self, query: str, control: str) -> FoundEvidence:
        pattern, _, path = query.partition("#")
        rows = [self.rows[name] for name in sorted(self.rows) if fnmatchcase(name, pattern)]
        values = [value for row in rows for value in self._values(row.path, path)]
        if not rows or (path and not values):
            return self._lacking(query, control, rows[0].path if rows else "")
        value = _short(_say(values)) if path else ", ".join(row.path for row in rows[:3])
        first = rows[0]
        link = f"{KEPT}{first.path}" if _is_moving(first) else f"{self.up}/{first.path}"
        return FoundEvidence(query=query, kind="auto", value=value, link=link, sha256=first.sha256)

    def _lacking(self, query: str, control: str, file: str) -> FoundEvidence:
        """The command that brings the record; where none does, what a person gave for the control instead."""
        key = next((each for each in _BRINGS if query.startswith(each)), "")
        if self.textless and key in _ASKS_TEXT:
            why = f"{self.textless}, which this asks for"
        elif key and not (file and key.endswith("/")):
            return FoundEvidence(query=query, kind="missing", hint=_BRINGS[key])
        else:
            field = query.partition("#")[2]
            why = f"{file} says nothing of {field}" if file else "this run has no such file"
        if not control:
            return FoundEvidence(query=query, kind="missing", hint=why)
        written = self._written(control)
        hint = f"{why}: {written.hint}" if written.hint else ""
        return written.model_copy(update={"query": query, "hint": hint})

    def _values(self, name: str, path: str) -> list[Any]:  # Any: JSON
        if not path:
            return []
        text = (self.root / name).read_text(encoding="utf-8")
        tree = (
            yaml.load(text, Loader=yaml.CSafeLoader)  # noqa: TID251 - a run's own file, safe loader
            if name.endswith(".yaml")
            else json.loads(text)
        )
        found = [each for each in _at(tree, path) if each not in _NOTHING]
        return [each for each in found if each or path not in _NEVER_ZERO]


def _say_written(each: WrittenEvidence) -> str:
    by = [f"by {each.by}"] * bool(each.by) + [f"on {each.day}"] * bool(each.day)
    text = each.text or Path(each.file).name
    return f"{text} ({', '.join(by)})" if by else text


def _is_moving(row: ManifestRow) -> bool:
    """Whether the file is written anew as more is known, so that the dossier keeps a copy."""
    return row.kind == CARD or row.path in MOVING


def written_name(control: str, file: str) -> str:
    """Where in the dossier the copy of a file lies that a person gave as evidence."""
    return f"written/{control}/{Path(file).name}"


def _at(tree: Any, path: str) -> Iterator[Any]:  # Any: JSON
    """What stands at a dotted path; `*` are all items of a list or an object."""
    if not path:
        yield tree
        return
    key, _, rest = path.partition(".")
    if key == "*":
        items = (
            tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list) else ()
        )
        for item in items:
            yield from _at(item, rest)
    elif isinstance(tree, Mapping) and key in tree:
        yield from _at(tree[key], rest)


def _say(values: list[Any]) -> str:  # Any: JSON
    texts = dict.fromkeys(map(_text, values))
    return ", ".join(texts)


def _text(value: Any) -> str:  # Any: JSON
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) >= _LARGE else number(value)
    if isinstance(value, Mapping):
        there = ((key, each) for key, each in value.items() if each not in _NOTHING)
        return ", ".join(f"{key} {_text(each)}" for key, each in there) or "nothing found"
    if isinstance(value, list | tuple):
        return (
            f"{len(value)} entries" if value and isinstance(value[0], Mapping) else _say([*value])
        )
    return str(value)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."
