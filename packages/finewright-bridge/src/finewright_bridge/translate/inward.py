"""A peer's config -> a run spec: every key is mapped, without counterpart, or the import is refused."""

import json
import os.path
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from finewright.errors import SpecError
from finewright.report.columns import printable
from finewright.schema.load import load_spec
from finewright.schema.train_section import METHODS
from finewright.store.atomic import os_errors, write_text
from finewright.workbench.outputs import check_outputs
from finewright_bridge.translate.convert import CONVERTERS, Known, NotCarried, layers_of
from finewright_bridge.translate.read import Config, read_config
from finewright_bridge.translate.report import KeyFate, TranslateReport, differences
from finewright_bridge.translate.sources import SourcesRead, read_sources
from finewright_bridge.translate.tables import (
    ABSENT,
    Fate,
    KeyRule,
    Peer,
    PeerName,
    is_off,
    peer,
    show,
)

_SHOWN = 12
_MISSING = "rows.jsonl"
_OFF_WHY = "switched off"
_NO_ADAPTER = "an adapter's, and all weights are trained"


class Imported:
    """A config as values of our spec, and the fate of every key of it."""

    def __init__(self, config: Config, method: str, without: Sequence[str]) -> None:
        self.config, self.peer = config, peer(config.peer)
        self.without = without
        self.sources = self._read_sources()
        self.fates = list(self.sources.fates)
        method = method or config.method or _method_of(self.peer, config.values)
        self.known = Known(method, {}, config.values)
        self._read_keys()
        self._finish()

    @property
    def method(self) -> str:
        """The training method that the config asks for."""
        return self.known.method

    @property
    def outside(self) -> list[KeyFate]:
        """Keys of a method that is not here."""
        return [key for key in self.fates if key.fate == "outside"]

    @property
    def unknown(self) -> list[KeyFate]:
        """Keys that are in no table."""
        return [key for key in self.fates if key.fate == "unknown"]

    def _read_sources(self) -> SourcesRead:
        return read_sources(self.config.peer, self.config.values, self.config.path.parent)

    def _read_keys(self) -> None:
        given = self.config.values
        for key in given:
            rule = self.peer.rule_of(key)
            if self.peer.is_source(key):
                continue
            if rule is None:
                self.fates.append(KeyFate(key=key, value=show(given[key]), fate="unknown"))
            elif rule.fate != "mapped":
                self._note_group(key, given[key], rule)
        # What stands alone first, then what is made of several keys, then what a choice decides.
        for rule in sorted(self.peer.keys.values(), key=_order):
            if rule.fate == "mapped":
                self._read_rule(rule)

    def _note_group(self, key: str, value: Any, rule: KeyRule) -> None:
        if is_off(value) or value is False:
            self._note(key, value, "without", _OFF_WHY)
        else:
            self._note(key, value, rule.fate, rule.because, differs=rule.differs)

    def _read_rule(self, rule: KeyRule) -> None:
        given = self.config.values
        is_default = rule.key not in given
        value = given.get(rule.key, rule.default_for(self.method))
        if value is ABSENT:
            return
        if rule.only and self.method not in rule.only:
            if not is_default:
                self._note(rule.key, value, "without", f"not used by the method {self.method}")
            return
        try:
            assigned = self._assigned(rule, value)
        except NotCarried as miss:
            fate: Fate = "refused" if miss.refused else "without"
            self._note(
                rule.key, value, fate, miss.why, differs=not miss.refused, is_default=is_default
            )
            return
        if isinstance(assigned, KeyFate):
            self.fates.append(assigned.model_copy(update={"is_default": is_default}))
            return
        if is_default:
            assigned = {k: v for k, v in assigned.items() if k not in self.known.values}
        self.known.values.update(assigned)
        if assigned:
            becomes = {key: show(each) for key, each in assigned.items()}
            self._note(rule.key, value, "mapped", becomes=becomes, is_default=is_default)
        elif not is_default:
            why = rule.because if not is_off(value) and rule.because else "as it is here"
            self._note(rule.key, value, "without", why, differs=rule.differs and not is_off(value))

    def _assigned(self, rule: KeyRule, value: Any) -> Mapping[str, Any] | KeyFate:
        if rule.values is None:
            return CONVERTERS[rule.convert].read(value, self.known, rule)
        found = rule.match(value)
        if found is not None:
            return found
        why = rule.because or f"{show(value)} is not here; there are {', '.join(rule.values)}"
        if rule.otherwise == "outside":
            why = f"{show(value)}: {rule.because}" if rule.because else f"{rule.key} {show(value)}"
        return KeyFate(key=rule.key, value=show(value), fate=rule.otherwise, why=why)

    def _note(  # noqa: PLR0913 - a fate's fields
        self,
        key: str,
        value: Any,
        fate: Fate,
        why: str = "",
        *,
        differs: bool = False,
        becomes: Mapping[str, str] | None = None,
        is_default: bool = False,
    ) -> None:
        self.fates.append(
            KeyFate(
                key=key,
                value=show(value),
                fate=fate,
                why=why,
                differs=differs,
                becomes=dict(becomes or {}),
                is_default=is_default,
            )
        )

    def _finish(self) -> None:
        """What several keys make together, what is not of the method, and what the user leaves out."""
        values = self.known.values
        values["train.method"] = self.method
        values.update(self.sources.values)
        if self.known.layers:
            values["train.adapter.target_modules"] = layers_of(self.known.layers)
        fields = METHODS[self.method].model_fields
        self._drop(
            [k for k in values if k.startswith("train.") and k.split(".")[1] not in fields],
            f"not used by the method {self.method}",
        )
        if values.get("train.adapter.type") == "none":
            names = [
                k for k in values if k.startswith("train.adapter.") and k != "train.adapter.type"
            ]
            self._drop(names, _NO_ADAPTER)
        settled = [self._settled(fate) for fate in self.fates]
        self.fates = [self._left_out(fate) for fate in settled if fate is not None]

    def _drop(self, names: Sequence[str], why: str) -> None:
        for name in names:
            del self.known.values[name]
        for number, fate in enumerate(self.fates):
            left = {k: v for k, v in fate.becomes.items() if k not in names}
            if left != fate.becomes:
                changed = (
                    {"becomes": left} if left else {"becomes": {}, "fate": "without", "why": why}
                )
                self.fates[number] = fate.model_copy(update=changed)

    def _settled(self, fate: KeyFate) -> KeyFate | None:
        """A fate by the values that are written in the end; None for a default that another key replaced."""
        values, becomes = self.known.values, dict[str, str]()
        for key, value in fate.becomes.items():
            merged = self.known.merged.get(key)
            if merged in values and key not in values:
                becomes[merged] = show(values[merged])
            elif (
                key == "train.method"  # one key chooses it, and another its variant
                or not key.startswith("train.")
                or (key in values and show(values[key]) == value)
            ):
                becomes[key] = value
        if becomes or not fate.becomes:
            return fate.model_copy(update={"becomes": becomes})
        if fate.is_default:
            return None
        change = {"becomes": {}, "fate": "without", "why": "another key of the file replaces it"}
        return fate.model_copy(update=change)

    def _left_out(self, fate: KeyFate) -> KeyFate:
        if fate.fate in ("refused", "unknown") and fate.key in self.without:
            change = {"fate": "without", "why": "left out by --leave-out", "differs": True}
            return fate.model_copy(update=change)
        return fate


def import_config(
    path: Path, out: Path | None, *, named: PeerName | None, method: str, without: Sequence[str]
) -> TranslateReport:
    """Write the spec that a peer's config is, and say what became of every key.

    Raises SpecError, a line a key, before anything is written, for keys that are refused or that no table
    has, unless `without` names them, and for a method that is not here."""
    target = out or Path(f"{path.stem}.spec.yaml")
    config = read_config(path, named)
    check_outputs([target], [path])
    imported = Imported(config, method, without)
    if absent := set(without) - {fate.key for fate in imported.fates}:
        raise SpecError(f"--leave-out {min(absent)}: {path} has no such key")
    refuse_keys(imported)
    text = spec_text(imported, target)
    check_draft(text, target, imported)
    with os_errors(target):
        write_text(target, text)
    return TranslateReport(
        to="finewright",
        peer=imported.peer.title,
        file=str(path),
        out=str(target),
        keys=tuple(imported.fates),
        use=f"finewright check {target}",
        problems=tuple(differences(imported.fates, str(path))),
    )


def refuse_keys(imported: Imported) -> None:
    """Raise SpecError where the config cannot be imported, with a line for every key that says so."""
    config = imported.config
    if imported.outside:
        first = imported.outside[0]
        raise SpecError(
            f"{config.place(first.key)}: {imported.peer.title} trains by a method that is not here:"
            f" {first.why}",
            hint=f"the methods here are {', '.join(METHODS)}",
        )
    lines = [
        f"{config.place(key.key)}: cannot be carried: {key.why}"
        for key in imported.fates
        if key.fate == "refused"
    ]
    lines += [
        f"{config.place(key.key)}: no key of {imported.peer.title} that is known here"
        for key in imported.unknown
    ]
    if lines:
        more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
        raise SpecError(
            "\n".join(lines[:_SHOWN]),
            hint=f"--leave-out KEY imports the rest without it{more}",
        )


def spec_text(imported: Imported, target: Path) -> str:
    """The spec as YAML, with the peer's keys beside ours; paths as seen from the folder of `target`."""
    values = dict(imported.known.values)
    name = values.pop("name", "") or _slug(imported.config.path.stem)
    models = [_seen(str(name), imported, target) for name in values.pop("base_models", [])]
    because: dict[str, str] = {}
    for fate in imported.fates:
        note = f"{fate.key}, by default" if fate.is_default else fate.key
        because |= dict.fromkeys(fate.becomes, note)
    lines = [
        f"# Written by `finewright import` from {printable(imported.config.path.name)},"
        f" a config of {imported.peer.title}.",
        "version: 1",
        f"name: {name}",
        f"base_models: {json.dumps(models)}",
        "data:",
        "  sources:",
    ]
    for source in imported.sources.sources or [{"path": _MISSING}]:
        shown = {**source, "path": _seen(source["path"], imported, target)}
        lines.append(f"    - {json.dumps(shown, ensure_ascii=False)}")
    lines += _section("data.", values, because, "  ")
    lines.append("train:")
    adapter = {k: v for k, v in values.items() if k.startswith("train.adapter.")}
    train = {k: v for k, v in values.items() if k not in adapter}
    lines += _section("train.", train, because, "  ")
    if adapter:
        lines.append("  adapter:")
        lines += _section("train.adapter.", adapter, because, "    ")
    return "\n".join(lines) + "\n"


def _section(
    prefix: str, values: Mapping[str, Any], because: Mapping[str, str], indent: str
) -> Iterator[str]:
    for key, value in values.items():
        if key.startswith(prefix):
            note = f"  # {printable(because[key])}" if key in because else ""
            yield f"{indent}{key.removeprefix(prefix)}: {json.dumps(value)}{note}"


def _seen(name: str, imported: Imported, target: Path) -> str:
    """A path that is there, as seen from the spec's folder; every other name as it is."""
    for folder in (Path(), imported.config.path.parent):
        path = folder / name
        if path.exists() and not name.startswith("hub:"):
            return Path(os.path.relpath(path.resolve(), target.parent.resolve())).as_posix()
    return name


def check_draft(text: str, target: Path, imported: Imported) -> None:
    """Raise SpecError, naming the peer's keys, where a value is none that our spec takes."""
    with tempfile.TemporaryDirectory(prefix="finewright-") as folder:
        draft = Path(folder) / target.name
        draft.write_text(text, encoding="utf-8")
        try:
            load_spec(draft)
        except SpecError as error:
            lines = [_in_their_words(line, imported) for line in str(error).splitlines()]
            raise SpecError(
                "\n".join(lines), hint="change the config, or --leave-out the key"
            ) from None


def _in_their_words(line: str, imported: Imported) -> str:
    found = re.match(r".*?:\d+: ([\w.-]+): (.*)", line)
    if not found:
        return f"{imported.config.path}: {line.rpartition(': ')[2]}"
    key, what = found[1], found[2]
    theirs = next((f.key for f in imported.fates if any(k.startswith(key) for k in f.becomes)), "")
    place = imported.config.place(theirs) if theirs else str(imported.config.path)
    return f"{place}: as {key}: {what}"


def _order(rule: KeyRule) -> int:
    if rule.values is not None:
        return 0 if any("train.method" in each for each in rule.values.values()) else 3
    if rule.convert.startswith("warmup"):
        return 4
    return 1 if rule.to and rule.convert in ("plain", "number") else 2


def _method_of(table: Peer, values: Mapping[str, Any]) -> str:
    """The method that a choice names, or that alone has the keys that are given; else SFT.

    Raises SpecError where the keys are those of several methods."""
    for rule in table.keys.values():
        if rule.key in values or rule.default is not ABSENT:
            value = values.get(rule.key, rule.default)
            assigned = rule.match(value) if rule.values else None
            if assigned and "train.method" in assigned and not rule.only:
                return _refined(table, values, str(assigned["train.method"]))
    names_method = any(
        "train.method" in each
        for rule in table.keys.values()
        for each in (rule.values or {}).values()
    )
    fitting: list[str] = list(table.methods)
    for key, value in values.items():
        found = table.keys.get(key)
        if found and found.only and not is_off(value):
            fitting = [name for name in fitting if name in found.only]
    if names_method:
        return "sft"
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(fitting) or "no method alone"
    raise SpecError(
        f"the file does not say its method, and its keys fit {names}",
        hint="say it: --method dpo",
    )


def _refined(table: Peer, values: Mapping[str, Any], method: str) -> str:
    """The method after a choice of its loss, such as LLaMA-Factory's `pref_loss: orpo`."""
    for rule in table.keys.values():
        if rule.only and method in rule.only and rule.values:
            assigned = rule.match(values.get(rule.key, rule.default))
            if assigned and "train.method" in assigned:
                return str(assigned["train.method"])
    return method


def _slug(text: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-")
    return slug or "imported"
