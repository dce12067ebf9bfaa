"""A run spec -> a peer's config. What the peer would read from it is compared with the spec, key by key: a
key that does not come back the same is without counterpart, or the export is refused."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from finewright.catalog.models import read_packaged_models
from finewright.errors import SpecError
from finewright.lm.sources import num_parameters
from finewright.schema.common import Problem
from finewright.schema.data import DataSpec, SourceSpec
from finewright.schema.load import LoadedSpec, load_spec
from finewright.schema.rewards import RewardSpec
from finewright.schema.run import RunSpec
from finewright.store.atomic import os_errors, write_json, write_text
from finewright.train.defaults import learning_rate
from finewright.workbench.outputs import check_outputs
from finewright_bridge.translate.convert import CONVERTERS, NotCarried
from finewright_bridge.translate.inward import Imported
from finewright_bridge.translate.read import Config, flatten
from finewright_bridge.translate.report import KeyFate, TranslateReport, differences
from finewright_bridge.translate.rows_out import SourcesWritten, seen_from, write_sources
from finewright_bridge.translate.sources import Json
from finewright_bridge.translate.tables import ABSENT, KeyRule, Peer, PeerName, peer, show

_OURS = {
    **dict.fromkeys(
        ("train.threads", "train.micro_batch_tokens", "train.memory", "train.dtype", "data.engine"),
        "says how it is computed, and not what is learned",
    ),
    **dict.fromkeys(
        ("train.save_steps", "train.eval_steps", "train.prove_elsewhere", "train.keep"),
        "says what is kept and looked at, and not what is learned",
    ),
    "train.backend": "says who trains",
    **dict.fromkeys(
        ("data.licenses", "data.canaries", "data.type"), "finewright's own check of the rows"
    ),
}
"""Keys that may be left out without a word of the user's, and why; every other one is asked about."""
_OF_ROWS = ("data.", "train.on_overlong", "train.max_length")
"""Keys that are done with once rows are tokens."""
_RECORDS = ("license", "owner", "collected_at", "synthetic_by")
_NOT_SEEN = "the rows are not here, so nobody looked whether they have the form that is read there"
_NO_COUNTERPART = "has no counterpart there"
_TOLERANCE = 1e-9


def export_config(
    path: Path, to: PeerName, out: Path | None, overrides: Sequence[str], left_out: Sequence[str]
) -> TranslateReport:
    """Write a peer's config for a spec, and say what became of every key of it.

    Raises SpecError, a line a key, before anything is written, where what is learned would be another and
    `left_out` does not name the key."""
    loaded, table = load_spec(path, overrides), peer(to)
    spec = loaded.spec
    target = out or Path(f"{spec.name}.{to}.{'json' if table.is_json else 'yaml'}")
    if spec.train.method not in table.methods:
        raise SpecError(
            f"{path}: train.method: {table.title} has no {spec.train.method} that is known here",
            hint=f"it has {', '.join(table.methods)}",
        )
    exported = Exported(loaded, table, target)
    files = {target.parent / name: content for name, content in exported.rows.files.items()}
    check_outputs([target, *files], [path])
    fates = [*exported.fates(left_out), *_records(exported.rows, spec.data.sources)]
    fates += _sections(loaded)
    if problems := [_refusal(key, loaded, table) for key in fates if key.fate == "refused"]:
        raise SpecError(
            "\n".join(problem.line() for problem in problems),
            hint="--leave-out KEY writes the rest without it",
        )
    if absent := set(left_out) - {fate.key for fate in fates}:
        raise SpecError(f"--leave-out {min(absent)}: {path} sets no such key")
    use = f"{table.command_for(spec.train.method, spec.train.adapter.type)}".format(
        file=target.name
    )
    text = _text(exported.tree, table, path, use)
    _write(target, text, files)
    return TranslateReport(
        to="peer",
        peer=table.title,
        file=str(path),
        out=str(target),
        keys=tuple(fates),
        use=use,
        problems=tuple(differences(fates, str(path))),
    )


def training_config(to: PeerName, spec: RunSpec, rows: SourcesWritten, target: Path) -> Json:
    """The peer's keys for a run whose rows are read already and written as `rows`, as seen from `target`.

    Raises SpecError, a line a key, where what is learned would be another."""
    loaded = LoadedSpec(spec, "", target, frozenset(), {})
    exported = Exported(loaded, peer(to), target, rows)
    problems = [
        _refusal(key, loaded, exported.table)
        for key in exported.fates(())
        if key.fate == "refused" and not key.key.startswith(_OF_ROWS)
    ]
    if problems:
        raise SpecError("\n".join(problem.line() for problem in problems))
    return exported.tree


def _write(target: Path, text: str, files: Mapping[Path, Any]) -> None:
    """The config last, and none of the others without it."""
    try:
        for file, content in files.items():
            with os_errors(file):
                write_json(file, content)
        with os_errors(target):
            write_text(target, text)
    except BaseException:
        for file in files:
            file.unlink(missing_ok=True)
        raise


class Exported:
    """The peer's config as a tree, and why keys of ours could not be written."""

    def __init__(
        self, loaded: LoadedSpec, table: Peer, target: Path, rows: SourcesWritten | None = None
    ) -> None:
        self.loaded, self.table, self.target = loaded, table, target
        self.values = dict(_values(loaded))
        self.reasons: dict[str, str] = {}
        self.tree: Json = {}
        self._fill()
        for rule in table.keys.values():
            written = self._written(rule)
            if written is not ABSENT:
                _put(self.tree, rule.key, written)
        self.rows = self._sources() if rows is None else rows
        for key, value in self.rows.keys.items():
            _merge(self.tree, key, value)

    def fates(self, left_out: Sequence[str]) -> Iterator[KeyFate]:
        """What the peer reads for each of our keys, where either of the two says anything of it."""
        flat = dict(flatten(self.tree))
        config = Config(self.target, self.table.name, flat, {})
        back = Imported(config, self.loaded.spec.train.method, ())
        theirs: dict[str, dict[str, str]] = {}
        for fate in back.fates:
            for ours in fate.becomes:
                theirs.setdefault(ours, {})[fate.key] = fate.value
        usual = _usual(self.loaded)
        for key, value in _values(self.loaded):
            comes = back.known.values.get(key, usual.get(key))
            is_usual = key in usual and _is_same(value, usual[key])
            if key == "base_models":
                yield self._model_fate(theirs.get(key, {}))
            elif self._is_carried(key, self.values.get(key, value), comes):
                if not is_usual or key in self.loaded.set_keys:
                    yield KeyFate(
                        key=key, value=show(value), fate="mapped", becomes=theirs.get(key, {})
                    )
            elif key == "train.batch_size" and self.loaded.spec.train.batch_tokens:
                continue  # the peer's counts packed rows, of which the tokens are batch_tokens
            else:
                yield self._lost(key, value, comes, is_usual, left_out)

    def _is_carried(self, key: str, value: Any, comes: Any) -> bool:
        """Whether the value comes back the same; of a warm-up that the steps are."""
        steps = self.loaded.spec.train.max_steps
        if key == "train.warmup_ratio" and steps and comes is not None:
            return bool(math.ceil(value * steps) == math.ceil(comes * steps))
        return _is_same(value, comes)

    def _lost(
        self, key: str, value: Any, comes: Any, is_usual: bool, left_out: Sequence[str]
    ) -> KeyFate:
        why = self.reasons.get(key, _NO_COUNTERPART)
        is_optional = key in _usual(self.loaded)
        if is_usual and comes is not None:
            why = (
                f"{why}; {self.table.title} takes {show(comes)}"
                if key in self.reasons
                else (f"{self.table.title} takes {show(comes)}")
            )
        base = KeyFate(key=key, value=show(value), fate="refused", why=why)
        if key in left_out and is_optional:
            return base.model_copy(update={"fate": "without", "differs": True})
        if key in _OURS:
            return base.model_copy(update={"fate": "without", "why": f"{why}: {_OURS[key]}"})
        return base

    def _model_fate(self, becomes: Mapping[str, str]) -> KeyFate:
        name = self.loaded.spec.base_models[0]
        packaged = read_packaged_models().get(name)
        why = f"the whole weights there; here {packaged.source}" if packaged else ""
        return KeyFate(
            key="base_models",
            value=name,
            fate="mapped",
            becomes=dict(becomes),
            why=why,
            differs=bool(packaged),
        )

    def _fill(self) -> None:
        """What finewright chooses by itself and a peer would choose otherwise: the learning rate, the model's
        name, and the rows of a batch of packed ones."""
        values, train = self.values, self.loaded.spec.train
        values["base_models"] = [self._model(name) for name in values["base_models"]]
        takes_rate = any(
            "train.learning_rate" in rule.targets() for rule in self.table.keys.values()
        )
        if train.learning_rate is None and takes_rate:
            values["train.learning_rate"] = self._rate()
        if train.batch_tokens:
            rows, rest = divmod(train.batch_tokens, train.max_length)
            values["train.batch_size"] = max(rows, 1)
            if rest:
                self.reasons["train.batch_tokens"] = (
                    f"packed rows of max_length {train.max_length} do not make just so many"
                )

    def _model(self, name: str) -> str:
        if packaged := read_packaged_models().get(name):
            return packaged.source.partition(",")[0]
        if name.startswith("runs/") or name.endswith(".gguf"):
            raise SpecError(
                f"{self.loaded.path}: base_models: {name} is no model that {self.table.title} loads",
                hint="write it with `finewright export --to merged`, and name that folder",
            )
        folder = self.loaded.resolve(name)
        if "@" in name and not any(r.convert == "revision" for r in self.table.keys.values()):
            self.reasons["base_models"] = "takes no revision of a model"
        return seen_from(folder, self.target.parent) if folder.exists() else name

    def _rate(self) -> float:
        name, train = self.loaded.spec.base_models[0], self.loaded.spec.train
        packaged, folder = read_packaged_models().get(name), self.loaded.resolve(name)
        if packaged:
            count = packaged.parameters
        elif folder.is_dir() and list(folder.glob("*.safetensors")):
            count = num_parameters(folder)
        else:
            raise SpecError(
                f"{self.loaded.path}: train.learning_rate: finewright chooses it by the size of {name},"
                " which is not here",
                hint="say it: --set train.learning_rate=2e-4",
            )
        return learning_rate(count, train.adapter, train.method)[0]

    def _written(self, rule: KeyRule) -> Any:
        method = self.loaded.spec.train.method
        if rule.fate != "mapped" or rule.read_only or (rule.only and method not in rule.only):
            return ABSENT
        try:
            if rule.values is not None:
                return _choice(rule, self.values)
            if rule.to and rule.to not in self.values:
                return ABSENT
            return CONVERTERS[rule.convert].write(self.values, rule)
        except NotCarried as miss:
            for key in rule.targets() or ():
                self.reasons[key] = miss.why
            if rule.convert in ("component", "one"):
                raise SpecError(
                    f"{self.loaded.path}: base_models: {miss.why}",
                ) from None
            if rule.convert.startswith("warmup"):
                self.reasons["train.warmup_ratio"] = miss.why
            if "rewards" in rule.convert or rule.convert == "reward_model":
                self.reasons["train.rewards"] = miss.why
            if "targets" in rule.convert or rule.convert.startswith("torchtune"):
                self.reasons["train.adapter.target_modules"] = miss.why
            return ABSENT

    def _sources(self) -> SourcesWritten:
        try:
            return write_sources(self.table.name, self.loaded, self.target)
        except NotCarried as miss:
            raise SpecError(f"{self.loaded.path}: data.sources: {miss.why}") from None


def _choice(rule: KeyRule, values: Mapping[str, Any]) -> Any:
    """The peer's value that says the most of what our values are."""
    method = values["train.method"]
    if method in rule.stands_for:
        return rule.stands_for[method]
    fitting = [
        (len(assigned), text)
        for text, assigned in (rule.values or {}).items()
        if all(_is_same(values.get(key), value) for key, value in assigned.items())
    ]
    if not fitting:
        return ABSENT
    most = max(count for count, _ in fitting)
    text = next(text for count, text in fitting if count == most)
    assumed = None if rule.default is ABSENT else rule.match(rule.default_for(method))
    if not most:
        if rule.write is not ABSENT:
            return rule.write
        return ABSENT if rule.absent or not assumed else _parse(text)
    if text == "none" and rule.default in (ABSENT, None):
        return ABSENT
    return rule.write if "*" in text else _parse(text)


def _parse(text: str) -> Any:
    return text if text == "none" else yaml.load(text, Loader=yaml.CSafeLoader)  # noqa: TID251 - our own table


def _values(loaded: LoadedSpec) -> Iterator[tuple[str, Any]]:
    """Our keys that say what is trained, with defaults; sources stand apart."""
    spec = loaded.spec
    yield "base_models", list(spec.base_models)
    train = spec.train.model_dump(mode="json")
    adapter = train.pop("adapter")
    train.setdefault("batch_size", None)
    yield from ((f"train.{key}", value) for key, value in train.items())
    yield from ((f"train.adapter.{key}", value) for key, value in adapter.items())
    data = spec.data.model_dump(mode="json")
    yield from ((f"data.{key}", value) for key, value in data.items() if key != "sources")


def _usual(loaded: LoadedSpec) -> dict[str, Any]:
    """Our defaults by dotted key, of the method and the adapter of the spec."""
    spec = loaded.spec
    found = {}
    for prefix, model in (
        ("train.", type(spec.train)),
        ("train.adapter.", type(spec.train.adapter)),
        ("data.", DataSpec),
    ):
        for name, field in model.model_fields.items():
            if not field.is_required():
                value = field.default
                is_model = hasattr(value, "model_dump")
                found[prefix + name] = value.model_dump(mode="json") if is_model else value
    return found


def _is_same(one: Any, other: Any) -> bool:
    is_number = all(
        isinstance(each, int | float) and not isinstance(each, bool) for each in (one, other)
    )
    if is_number:
        return math.isclose(one, other, rel_tol=_TOLERANCE)
    if isinstance(one, list) and one and isinstance(one[0], dict) and isinstance(other, list):
        return [_reward(each) for each in one] == [_reward(each) for each in other]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return list(one) == list(other)
    return bool(one == other)


def _reward(value: Mapping[str, Any]) -> dict[str, Any]:
    """A reward with its defaults; consent to code is this user's, and in no config."""
    return RewardSpec.model_validate(value).model_dump(exclude={"consent"})


def _records(rows: SourcesWritten, sources: Sequence[SourceSpec]) -> Iterator[KeyFate]:
    """The sources, why their rows are learned otherwise there, and what is said of them beside."""
    for number, (source, written) in enumerate(zip(sources, rows.sources, strict=True)):
        at = f"data.sources.{number}"
        why = written.differs if written.is_seen else _NOT_SEEN
        yield KeyFate(
            key=f"{at}.path",
            value=source.path,
            fate="mapped",
            why=why,
            differs=bool(why),
            becomes={"the rows": source.path},
        )
        for name in _RECORDS:
            if name in source.model_fields_set:
                because = "said of the rows in finewright's own records"
                yield KeyFate(
                    key=f"{at}.{name}",
                    value=show(getattr(source, name)),
                    fate="without",
                    why=because,
                )


def _sections(loaded: LoadedSpec) -> Iterator[KeyFate]:
    for key in loaded.data:
        if key not in ("version", "name", "base_models", "data", "train"):
            why = "read by finewright alone, before or after training"
            yield KeyFate(key=key, value="", fate="without", why=why)


def _refusal(key: KeyFate, loaded: LoadedSpec, table: Peer) -> Problem:
    message = f"{key.value} cannot be carried to {table.title}: {key.why}"
    return loaded.locate(Problem(level="error", key=key.key, message=message))


def _put(tree: Json, key: str, value: Any) -> None:
    *above, last = key.split(".")
    for part in above:
        tree = tree.setdefault(part, {})
    tree[last] = value


def _merge(tree: Json, key: str, value: Any) -> None:
    if isinstance(value, dict) and isinstance(tree.get(key), dict):
        for each, below in value.items():
            _merge(tree[key], each, below)
    else:
        tree[key] = value


def _text(tree: Json, table: Peer, path: Path, use: str) -> str:
    if table.is_json:
        return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
    body = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    return f"# Written by `finewright export-config` from {path.name}. In this folder:\n#   {use}\n{body}"
