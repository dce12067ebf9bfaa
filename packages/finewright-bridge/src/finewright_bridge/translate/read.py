"""A peer's config file as flat keys, and whose it is."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from finewright.errors import SpecError
from finewright.schema.load import spec_error
from finewright.schema.nodes import SpecNotes, ValuePlace, read
from finewright.store.atomic import os_errors
from finewright_bridge.translate.tables import PEERS, PeerName, peer

Flat = Mapping[str, Any]  # Any: a value of the config, by dotted key
_LARGEST_BYTES = 1_000_000
_REFERENCE = re.compile(r"\$\{([\w.]+)\}")
_METHOD_OF_TRL = re.compile(r"^#.*\btrl (sft|dpo|kto|reward|grpo)\b", re.MULTILINE)
"""The command in a comment: TRL's files say their method nowhere else."""
_MOST_REFERENCES = 10
_FEWEST_KNOWN = 0.5
"""Below half of the keys known, a file is taken for nobody's."""


class Config(NamedTuple):
    """A config: its file, whose it is, and its values by dotted key; `lines` are where they stand, and
    `method` is that of the command in a comment, where there is one."""

    path: Path
    peer: PeerName
    values: Flat
    lines: Mapping[str, int]
    method: str = ""

    def place(self, key: str) -> str:
        """`file:line: key`."""
        line = self.lines.get(key)
        return f"{self.path}:{line}: {key}" if line else f"{self.path}: {key}"


def read_config(path: Path, named: PeerName | None) -> Config:
    """Read a config, by its own form if nobody named whose it is.

    Raises SpecError for what is no file, no YAML or JSON, or nobody's; aliases and tags are refused, so that
    no file grows when it is read."""
    text = _text(path)
    tree, lines = _tree(path, text)
    values = dict(flatten(tree))
    if not values:
        raise SpecError(f"{path}: holds no keys", hint="give a config that trains")
    name = named or _owner(path, values)
    if peer(name).interpolates:
        values = {key: _resolve(value, values) for key, value in values.items()}
    said = set(_METHOD_OF_TRL.findall(text)) if name == "trl" else set()
    return Config(path, name, values, lines, said.pop() if len(said) == 1 else "")


def _tree(path: Path, text: str) -> tuple[dict[str, Any], Mapping[str, int]]:
    if path.suffix == ".json":
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SpecError(f"{path}: not readable JSON: {error}") from None
        lines: Mapping[str, int] = {}
    else:
        notes = SpecNotes()
        data = read(text, (), lambda line: ValuePlace(f"{path}:{line}", line), notes)
        if notes.mistakes:
            raise spec_error(notes)
        lines = {".".join(map(str, loc)): int(at.rank) for loc, at in notes.places.items()}
    if not isinstance(data, dict):
        raise SpecError(f"{path}: no config: the top level must be keys with values")
    return data, lines


def _text(path: Path) -> str:
    if not path.exists():
        raise SpecError(f"{path}: no such file", hint="give the path of a YAML or JSON config")
    if not path.is_file():
        raise SpecError(f"{path}: is no regular file", hint="give the config file itself")
    with os_errors(path), path.open("rb") as file:
        content = file.read(_LARGEST_BYTES + 1)
    if len(content) > _LARGEST_BYTES:
        raise SpecError(f"{path}: over 1 MB is no config")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SpecError(f"{path}: is not UTF-8", hint="save the file as UTF-8") from None


def flatten(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Values by dotted key; lists are values, and so is an empty mapping."""
    for key, value in tree.items():
        dotted = f"{above}{key}"
        if isinstance(value, dict) and value:
            yield from flatten(value, f"{dotted}.")
        else:
            yield dotted, value


def _owner(path: Path, values: Flat) -> PeerName:
    """The peer with most of its marks in the file; of several, the one that knows most keys."""
    found: dict[PeerName, tuple[int, float]] = {}
    for name in PEERS:
        table = peer(name)
        marks = sum(
            any(key == mark or key.startswith(f"{mark}.") for key in values) for mark in table.marks
        )
        known = sum(table.rule_of(key) is not None or table.is_source(key) for key in values)
        found[name] = (marks, known / len(values))
    best = max(PEERS, key=lambda name: (found[name][0] >= 2, found[name][1], found[name][0]))  # noqa: PLR2004 - one mark may be anybody's
    if found[best][0] and found[best][1] >= _FEWEST_KNOWN:
        return best
    raise SpecError(
        f"{path}: no config of {', '.join(PEERS)}, as far as its keys tell",
        hint="say whose it is: --peer axolotl",
    )


def _resolve(value: Any, values: Flat) -> Any:
    """OmegaConf's references to other keys, written out; one that leads nowhere stays as it is."""
    for _ in range(_MOST_REFERENCES):
        if not isinstance(value, str):
            return value
        whole = _REFERENCE.fullmatch(value)
        if whole and whole[1] in values:
            value = values[whole[1]]
            continue
        new = _REFERENCE.sub(lambda m: str(values.get(m[1], m[0])), value)
        if new == value:
            return value
        value = new
    return value
