"""Where a peer's rows are, as sources of a spec."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from finewright.errors import SpecError
from finewright_bridge.translate.report import KeyFate
from finewright_bridge.translate.tables import Fate, Peer, PeerName, is_off, peer, show

Json = dict[str, Any]
T = TypeVar("T")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SLICE = re.compile(r"(\w+)\[:(\d+)%\]")
_PERCENT = 100
_FORMATS = {"alpaca": "alpaca", "sharegpt": "sharegpt", "input_output": "axolotl"}
_TUNE_FORMATS = {
    "alpaca_cleaned_dataset": ("alpaca", "yahma/alpaca-cleaned"),
    "alpaca_dataset": ("alpaca", "tatsu-lab/alpaca"),
    "instruct_dataset": ("auto", ""),
    "chat_dataset": ("auto", ""),
    "preference_dataset": ("auto", ""),
    "stack_exchange_paired_dataset": ("auto", "lvwerra/stack-exchange-paired"),
    "hh_rlhf_helpful_dataset": ("hh", "RLHFlow/HH-RLHF-Helpful-standard"),
    "slimorca_dataset": ("sharegpt", "Open-Orca/SlimOrca-Dedup"),
    "text_completion_dataset": ("text", ""),
    "grammar_dataset": ("auto", "liweili/c4_200m"),
    "samsum_dataset": ("auto", "Samsung/samsum"),
}
_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "alpaca": {"prompt": "instruction", "query": "input", "response": "output"},
    "sharegpt": {"messages": "conversations"},
    "openai": {},
}
"""LLaMA-Factory's names of columns, by formatting -> those of its rows where none is stated."""
_LITGPT_SETS = {
    "Alpaca2k": "mhenrichsen/alpaca_2k_test",
    "Alpaca": "tatsu-lab/alpaca",
    "AlpacaGPT4": "vicgalle/alpaca-gpt4",
    "Dolly": "databricks/databricks-dolly-15k",
    "Deita": "HuggingFaceH4/deita-10k-v0-sft",
    "LIMA": "GAIR/lima",
}
_BY_ROWS = "told by the rows themselves"
_ALPACA_PROMPT = (
    "the base model's chat template is written around the rows here, and not Alpaca's prompt"
)
_OTHER_SPLIT = "all of the set is read here; name the files of that split to take it alone"


@dataclass(slots=True)
class SourcesRead:
    """The sources that were found, other values of our keys, and the fate of each key."""

    folder: Path
    peer: Peer
    sources: list[Json] = field(default_factory=list)
    values: Json = field(default_factory=dict)
    fates: list[KeyFate] = field(default_factory=list)
    is_text: bool = False
    """Whether the rows are whole documents, by another key of the config."""

    def note(
        self, key: str, value: object, fate: Fate, why: str = "", *, differs: bool = False
    ) -> None:
        """Say what became of a key."""
        becomes = {"data.sources": show(value)} if fate == "mapped" else {}
        self.fates.append(
            KeyFate(
                key=key, value=show(value), fate=fate, why=why, differs=differs, becomes=becomes
            )
        )

    def items(self, key: str, value: object, kind: type[T]) -> list[T]:
        """What a list holds, or the one value in place of a list; a value of another kind is refused."""
        items = value if isinstance(value, list) else [] if value in (None, "", {}) else [value]
        fitting = [item for item in items if isinstance(item, kind) and item]
        if len(fitting) < len(items):
            self.note(key, value, "refused", "names no rows")
        return fitting

    def rest(self, key: str, value: object) -> None:
        """A key that says nothing of where the rows are: what the peer's table has of it."""
        rule = self.peer.rule_of(key)
        if rule is None:
            self.fates.append(KeyFate(key=key, value=show(value), fate="unknown"))
        elif is_off(value):
            self.note(key, value, "without", "switched off")
        else:
            self.note(key, value, rule.fate, rule.because, differs=rule.differs)

    def path(self, name: object, *, is_file: bool = False) -> str:
        """A file here, or a set of the hub."""
        text = str(name)
        for folder in (Path(), self.folder):
            if (folder / text).exists():
                return str((folder / text).resolve())
        is_hub = _HUB_ID.fullmatch(text) and not is_file and not Path(text).suffix[1:].isalpha()
        return f"hub:{text}" if is_hub else text


def read_sources(name: PeerName, values: Mapping[str, Any], folder: Path) -> SourcesRead:
    """The sources of a config, from the keys that say where the rows are; `folder` is the config's."""
    found = SourcesRead(folder, peer(name), is_text=values.get("stage") == "pt")
    own = {key: value for key, value in values.items() if found.peer.is_source(key)}
    _READERS[name](own, found)
    return found


def _axolotl(values: Mapping[str, Any], found: SourcesRead) -> None:
    if "datasets" in values and not values["datasets"]:
        found.note("datasets", values["datasets"], "without", "names no rows")
    for number, item in enumerate(found.items("datasets", values.get("datasets"), dict)):
        at = f"datasets.{number}"
        if not isinstance(item.get("path"), str):
            found.note(at, item, "refused", "names no path")
            continue
        source: Json = {}
        files = item.get("data_files")
        paths = found.items(f"{at}.data_files", files, str)
        for key, value in item.items():
            _axolotl_key(f"{at}.{key}", key, value, item, source, found)
        named = (
            paths if paths and item["path"] in ("json", "csv", "parquet", "arrow", "text") else None
        )
        is_file = bool(item.get("ds_type"))
        for path in named or [item["path"]]:
            there = found.path(path, is_file=bool(named) or is_file)
            revision = f"@{item['revision']}" if item.get("revision") else ""
            found.sources.append({"path": there + revision, **source})

    _axolotl_texts(values, found)


def _axolotl_texts(values: Mapping[str, Any], found: SourcesRead) -> None:
    """`pretraining_dataset`: a set of the hub, its settings, or a list of either."""
    whole = values.get("pretraining_dataset")
    if not whole:
        whole = {
            key.partition(".")[2]: value
            for key, value in values.items()
            if key.startswith("pretraining_dataset.")
        }
    items = whole if isinstance(whole, list) else [whole] if whole else []
    for number, item in enumerate(items):
        at = f"pretraining_dataset.{number}"
        settings = {"path": item} if isinstance(item, str) else item
        if not isinstance(settings, dict) or not isinstance(settings.get("path"), str):
            found.note(at, item, "refused", "names no path")
            continue
        source: Json = {"type": "text"}
        for key, value in settings.items():
            if key == "text_column":
                source |= {"columns": {"text": value}} if value not in (None, "text") else {}
                found.note(f"{at}.{key}", value, "mapped")
            elif key != "type":
                _axolotl_key(f"{at}.{key}", key, value, settings, source, found)
            else:
                found.note(f"{at}.{key}", value, "mapped")
        found.sources.append({"path": found.path(settings["path"]), **source})


def _axolotl_key(  # noqa: C901, PLR0912 - a table of keys
    at: str, key: str, value: Any, item: Json, source: Json, found: SourcesRead
) -> None:
    if key in ("path", "revision"):
        found.note(at, value, "mapped")
    elif key == "type" and isinstance(value, dict):
        _axolotl_columns(at, value, source, found)
    elif key == "field" and item.get("type") == "completion":
        source["columns"] = {"text": value} if value != "text" else {}
        found.note(at, value, "mapped")
    elif key == "type":
        kind = show(value).partition(".")[0].partition(":")[0]
        if kind == "completion":
            source["type"] = "text"
            found.note(at, value, "mapped")
        elif kind.startswith("ebft") or "transform" in show(value):
            found.note(at, value, "refused", "rows are not made by code here")
        elif kind in _FORMATS:
            source["format"] = _FORMATS[kind]
            why = _ALPACA_PROMPT if kind == "alpaca" else ""
            found.note(at, value, "mapped", why, differs=bool(why))
        else:
            found.note(at, value, "without", _BY_ROWS)
    elif key == "split":
        _split(at, value, source, found)
    elif key == "name":
        found.note(at, value, "without", _OTHER_SPLIT, differs=value not in (None, "default"))
    elif key == "data_files":
        is_list = item["path"] in ("json", "csv", "parquet", "arrow", "text")
        if is_list:
            found.note(at, value, "mapped")
        else:
            found.note(at, value, "without", _OTHER_SPLIT, differs=True)
    else:
        found.rest(at, value)


def _axolotl_columns(at: str, value: Json, source: Json, found: SourcesRead) -> None:
    names = {"field_instruction": "prompt", "field_output": "completion", "field_system": "system"}
    columns = {ours: value[theirs] for theirs, ours in names.items() if value.get(theirs)}
    if {"prompt", "completion"} <= columns.keys():
        source["columns"] = {k: v for k, v in columns.items() if k not in (v, "system")}
    for key, each in value.items():
        if key in names and names[key] in columns:
            found.note(f"{at}.{key}", each, "mapped")
        else:
            why = "the base model's own chat template is written around the columns"
            found.note(f"{at}.{key}", each, "without", why, differs=bool(each))


def _split(at: str, value: object, source: Json, found: SourcesRead) -> None:
    part = _SLICE.fullmatch(str(value))
    if value in (None, "train", "train[:100%]"):
        found.note(at, value, "mapped")
    elif part and part[1] == "train" and 0 < int(part[2]) < _PERCENT:
        source["weight"] = int(part[2]) / _PERCENT
        why = "the same share of the rows, sampled by data.shuffle_seed and not the first ones"
        found.note(at, value, "mapped", why, differs=True)
    else:
        found.note(at, value, "without", _OTHER_SPLIT, differs=True)


def _llamafactory(values: Mapping[str, Any], found: SourcesRead) -> None:
    folder = str(values.get("dataset_dir") or "data")
    infos = [
        base / folder / "dataset_info.json"
        for base in (Path(), found.folder, *found.folder.parents)
    ]
    info = next((path for path in infos if path.is_file()), None)
    stated = _read_info(info) if info else {}
    for key in ("dataset", "eval_dataset"):
        names = values.get(key)
        listed = [each for item in found.items(key, names, str) for each in item.split(",")]
        for name in map(str.strip, listed):
            known = stated.get(name, {})
            if cut := sorted({"num_samples", "subset", "split", "folder"} & known.keys()):
                why = f"{', '.join(cut)} of dataset_info.json: {_OTHER_SPLIT}"
                found.note(f"{key}.{name}", name, "without", why, differs=True)
            source = _stated(name, known, info, folder)
            if found.is_text:
                column = source.pop("columns", {}).get("instruction", "text")
                source.pop("format", None)
                source |= {"columns": {"text": column}} if column != "text" else {}
            found.sources.append({**source, "held_out": True} if key == "eval_dataset" else source)
        if names:
            why = "" if info else f"no {folder}/dataset_info.json is here: say where these rows are"
            found.note(key, names, "mapped", why, differs=not info)
    if "dataset_dir" in values:
        found.note("dataset_dir", folder, "mapped")


def _read_info(path: Path) -> Mapping[str, Json]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise SpecError(f"{path}: not readable JSON: {error}") from None
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        raise SpecError(f"{path}: holds no sets by name")
    return found


def _stated(name: str, stated: Json, info: Path | None, folder: str) -> Json:
    """A set of dataset_info.json: where its rows are, their format, and their columns by our names."""
    if stated.get("hf_hub_url") and not stated.get("file_name"):
        source: Json = {"path": f"hub:{stated['hf_hub_url']}"}
    else:
        file = str(stated.get("file_name") or f"{name}.json")
        source = {"path": str((info.parent / file).resolve()) if info else f"{folder}/{file}"}
    formatting, tags = stated.get("formatting"), stated.get("tags")
    if isinstance(tags, dict) and tags.get("role_tag") == "role":
        formatting = "openai"
    if formatting in ("alpaca", "sharegpt"):
        source["format"] = formatting
    if isinstance(columns := stated.get("columns"), dict):
        names = _COLUMNS.get(str(formatting), _COLUMNS["alpaca"])
        ours = {names.get(key, key): theirs for key, theirs in columns.items()}
        renamed = {k: v for k, v in ours.items() if k != v and isinstance(v, str)}
        source |= {"columns": renamed} if renamed else {}
    return source


def _trl(values: Mapping[str, Any], found: SourcesRead) -> None:
    for name in found.items("dataset_name", values.get("dataset_name"), str):
        found.sources.append({"path": found.path(name)})
        found.note("dataset_name", name, "mapped")
    for number, item in enumerate(found.items("datasets", values.get("datasets"), dict)):
        at = f"datasets.{number}"
        files = found.items(f"{at}.data_files", item.get("data_files"), str)
        paths = files or found.items(f"{at}.path", item.get("path"), str)
        found.sources += [{"path": found.path(path, is_file=bool(files))} for path in paths]
        for key, value in item.items():
            if key in ("path", "data_files"):
                found.note(f"{at}.{key}", value, "mapped")
            elif key == "split":
                _split(f"{at}.{key}", value, {}, found)
            else:
                found.rest(f"{at}.{key}", value)
    for key in ("dataset_name", "datasets"):
        if key in values and not values[key]:
            found.note(key, values[key], "without", "names no rows")
    for key in ("dataset_config", "dataset_train_split", "dataset_test_split"):
        if key in values:
            differs = values[key] not in (None, "default", "train", "test")
            found.note(key, values[key], "without", _OTHER_SPLIT, differs=differs)


def _torchtune(values: Mapping[str, Any], found: SourcesRead) -> None:
    source: Json = {}
    path = ""
    for key, value in values.items():
        last = key.rpartition(".")[2]
        if key.startswith("dataset_val"):
            found.rest(key, value)
        elif last == "_component_":
            kind, usual = _TUNE_FORMATS.get(str(value).rpartition(".")[2], ("", ""))
            path = path or usual
            if kind == "text":
                source["type"] = "text"
            elif kind and kind != "auto":
                source["format"] = kind
            why = "" if kind else "say where the rows of this builder are: data.sources"
            found.note(key, value, "mapped", why, differs=not kind)
            path = path or (f"rows-of-{str(value).rpartition('.')[2]}.jsonl" if not kind else "")
        elif last in ("source", "data_files"):
            if not (last == "source" and value in ("json", "csv", "parquet", "text")):
                path = str(value)
            found.note(key, value, "mapped")
        elif last == "split":
            _split(key, value, source, found)
        else:
            found.rest(key, value)
    if path:
        found.sources.append({"path": found.path(path), **source})


def _litgpt(values: Mapping[str, Any], found: SourcesRead) -> None:
    kind = str(values.get("data.class_path", values.get("data", ""))).rpartition(".")[2]
    path = values.get("data.init_args.json_path") or _LITGPT_SETS.get(kind)
    if path:
        source = {"path": found.path(path)}
        found.sources.append(
            source if kind in ("JSON", "Deita", "LIMA") else {**source, "format": "alpaca"}
        )
    for key, value in values.items():
        last = key.rpartition(".")[2]
        if last in ("class_path", "data") and path:
            found.note(key, value, "mapped")
        elif last in ("class_path", "data"):
            found.note(key, value, "outside", "pretraining, or rows of a builder that is not known")
        elif last == "json_path":
            found.note(key, value, "mapped")
        elif last == "val_split_fraction":
            found.values["data.eval_fraction"] = value
            found.note(key, value, "mapped")
        elif last in ("seed",):
            found.values["data.shuffle_seed"] = value
            found.note(key, value, "mapped")
        elif last == "mask_prompt":
            why = "the answers alone are learned here, and never the prompts"
            found.note(key, value, "without", why, differs=value is not True)
        else:
            found.rest(key, value)


def _unsloth(values: Mapping[str, Any], found: SourcesRead) -> None:
    for key, value in values.items():
        last = key.rpartition(".")[2]
        if last in ("dataset", "local_dataset"):
            items = found.items(key, value, str)
            found.sources += [{"path": found.path(item, is_file=last[0] == "l")} for item in items]
            found.note(key, value, "mapped")
        else:
            found.rest(key, value)


def _swift(values: Mapping[str, Any], found: SourcesRead) -> None:
    for key in ("dataset", "val_dataset"):
        named = found.items(key, values.get(key), str)
        if key in values and not named:
            found.note(key, values[key], "without", "names no rows")
        for item in (each for text in named for each in text.split()):
            name, _, limit = item.partition("#")
            why = f"{limit} rows were drawn; every row is used here" if limit else ""
            found.note(key, item, "mapped", why, differs=bool(limit))
            path = found.path(name.removeprefix("hf::"))
            held_out = {"held_out": True} if key == "val_dataset" else {}
            found.sources.append({"path": path, **held_out})


def _hosted(values: Mapping[str, Any], found: SourcesRead) -> None:
    """Files of a host, by id or address: the same names here, of rows that were downloaded."""
    for key, value in values.items():
        if not value or not isinstance(value, str):
            found.note(key, value, "refused" if value else "without", "names no file")
            continue
        is_held_out = "valid" in key.lower()
        path = found.path(value, is_file=True)
        found.sources.append({"path": path, "held_out": True} if is_held_out else {"path": path})
        is_here = Path(path).is_file()
        why = "" if is_here else "download the file, and name it here"
        found.note(key, value, "mapped", why, differs=not is_here)


_READERS: Mapping[PeerName, Callable[[Mapping[str, Any], SourcesRead], None]] = {
    "axolotl": _axolotl,
    "llamafactory": _llamafactory,
    "trl": _trl,
    "torchtune": _torchtune,
    "litgpt": _litgpt,
    "unsloth": _unsloth,
    "ms-swift": _swift,
    "openai": _hosted,
    "together": _hosted,
    "vertex": _hosted,
}
