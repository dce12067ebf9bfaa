"""The peers' tables (`peers/*.yaml`): what each key of a peer's config is here.

    keys:     key -> our key, with a converter where the value is another (`as`), or value by value (`values`)
    without:  keys that have no counterpart, with the reason; `differs` where training will differ
    refused:  keys that change what is learned and cannot be carried, with the reason
    outside:  keys of a method that is not here, by its name

A pattern (`wandb_*`) stands for several keys; an exact key comes before patterns, a longer pattern before a
shorter one. What a peer shares with others (`shared`) is taken from `shared.yaml`, under its own entries."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

import yaml

Fate = Literal["mapped", "without", "refused", "outside"]
PeerName = Literal[
    "axolotl",
    "llamafactory",
    "trl",
    "torchtune",
    "litgpt",
    "unsloth",
    "ms-swift",
    "openai",
    "together",
    "vertex",
]
PEERS: Sequence[PeerName] = get_args(PeerName)
ABSENT = object()
"""No value: the key is not there, or is not to be written."""
_OFF: tuple[object, ...] = (None, False, 0, "", [], {}, "no", "none", "false")
Assigned = Mapping[str, Any]  # Any: a value of our spec


@dataclass(frozen=True, slots=True)
class KeyRule:
    """One key of a peer, or a pattern of keys.

    `to` is our key and `convert` the converter; `values`: the peer's value (a pattern) -> values of ours, and
    `otherwise` the fate of a value that is not among them. `default` is what the peer takes where the key is
    missing. `only`: the methods for which it means something. A `read_only` key is never written; `write` is
    what is written where the value does not follow from ours; with `absent` nothing is."""

    key: str
    fate: Fate = "mapped"
    because: str = ""
    to: str = ""
    convert: str = "plain"
    values: Mapping[str, Assigned] | None = None
    otherwise: Fate = "refused"
    default: Any = ABSENT  # Any: the peer's own value
    only: tuple[str, ...] = ()
    differs: bool = False
    read_only: bool = False
    absent: bool = False
    write: Any = ABSENT  # Any: the peer's own value
    stands_for: Mapping[str, str] = field(default_factory=dict)
    """Method -> the value beside which another key chooses that method."""

    def default_for(self, method: str) -> Any:  # Any: the peer's own value
        """The value that the peer takes where the key is missing."""
        if not isinstance(self.default, dict):
            return self.default
        return self.default.get(method, self.default.get("*", ABSENT))

    def match(self, value: object) -> Assigned | None:
        """What a value of the peer is here; None where it is not in the table."""
        text = show(value)
        for pattern, assigned in (self.values or {}).items():
            if fnmatchcase(text, pattern):
                return assigned
        return None

    def targets(self) -> Iterator[str]:
        """Our keys that it may set."""
        if self.to:
            yield self.to
        for assigned in (self.values or {}).values():
            yield from assigned


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer's table. `sources` are the keys that name the data, which have readers of their own."""

    name: PeerName
    title: str
    command: str
    verbs: Mapping[str, str]
    marks: tuple[str, ...]
    sources: tuple[str, ...]
    methods: tuple[str, ...]
    is_json: bool
    interpolates: bool
    keys: Mapping[str, KeyRule]
    patterns: tuple[KeyRule, ...] = field(default=())
    rows: Mapping[str, Mapping[str, dict[str, Any]]] = field(default_factory=dict)
    """Method -> form of rows -> the keys that the peer takes for them: see `rows_out`."""

    def rule_of(self, key: str) -> KeyRule | None:
        """What is known of a dotted key; None where nothing is."""
        found = self.keys.get(key)
        return found or next((r for r in self.patterns if fnmatchcase(key, r.key)), None)

    def command_for(self, method: str, adapter: str) -> str:
        """The command that trains, with `{file}` for the config.

        Its verb is that of METHOD.ADAPTER, METHOD or `*`, else the method."""
        keys = (f"{method}.{adapter}", method, "*")
        verb = next((self.verbs[key] for key in keys if key in self.verbs), method)
        return self.command.replace("{verb}", verb)

    def is_source(self, key: str) -> bool:
        """Whether the key says where the data are."""
        return any(key == name or key.startswith(f"{name}.") for name in self.sources)


@cache
def peer(name: PeerName) -> Peer:
    """The table of a peer."""
    data = _read(name)
    parts = [data, *(_read("shared")[part] for part in data.get("shared", ()))]
    keys: dict[str, dict[str, Any]] = {}  # Any: a rule's fields, not yet checked
    for part in parts:
        for key, entry in part.get("keys", {}).items():
            fields = entry if isinstance(entry, dict) else {"to": entry}
            keys[key] = {**fields, **keys.get(key, {})}
    rules = {key: _rule(key, fields) for key, fields in keys.items() if not fields.get("drop")}
    grouped = [rule for part in parts for rule in _groups(part)]
    for rule in grouped:
        if "*" not in rule.key:
            rules.setdefault(rule.key, rule)
    patterns = sorted((r for r in grouped if "*" in r.key), key=lambda r: -len(r.key))
    return Peer(
        name=name,
        title=data["title"],
        command=data["command"],
        verbs=data.get("verbs", {}),
        marks=tuple(data["marks"]),
        sources=tuple(data["sources"]),
        methods=tuple(data["methods"]),
        is_json=data.get("file") == "json",
        interpolates=data.get("interpolates", False),
        keys=rules,
        patterns=tuple(patterns),
        rows=data.get("rows", {}),
    )


def is_off(value: object) -> bool:
    """Whether a value leaves what its key is about switched off."""
    text = value.strip().lower() if isinstance(value, str) else value
    return (
        any((text == off and type(text) is type(off)) or text is off for off in _OFF) or text == 0
    )


def show(value: object) -> str:
    """A value as the tables spell it: `true`, `none`, `0.5`."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _rule(key: str, fields: Mapping[str, Any]) -> KeyRule:
    values = fields.get("values")
    return KeyRule(
        key=key,
        because=fields.get("because", ""),
        to=fields.get("to", ""),
        convert=fields.get("as", "plain"),
        values=None if values is None else {show(k): v for k, v in values.items()},
        otherwise=fields.get("otherwise", "refused"),
        default=fields.get("default", ABSENT),
        only=tuple(fields.get("only", ())),
        differs=fields.get("differs", False),
        read_only=fields.get("read_only", False),
        absent=fields.get("absent", False),
        write=fields.get("write", ABSENT),
        stands_for=fields.get("stands_for", {}),
    )


def _groups(part: Mapping[str, Any]) -> Iterator[KeyRule]:
    fates: tuple[Fate, ...] = ("without", "refused", "outside")
    for fate in fates:
        for group in part.get(fate, ()):
            because = group.get("because") or group["method"]
            for key in re.split(r"\s+", group["keys"].strip()):
                yield KeyRule(key, fate, because, differs=group.get("differs", False))


def _read(name: str) -> dict[str, Any]:  # Any: YAML
    text = files("finewright_bridge.translate.peers").joinpath(f"{name}.yaml").read_text("utf-8")
    data: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)  # noqa: TID251 - our own file
    return data
