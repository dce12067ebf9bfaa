"""The card of a data set, README.md: which files are of which configuration and split, where it says so.

https://huggingface.co/docs/hub/datasets-manual-configuration: `configs` of its front matter, each with a
`config_name` and `data_files`: a pattern, a list of them, or a list of {split, path}; or a `data_dir` alone,
whose files tell their splits by their names. What cannot be followed is refused: a file that the card
calls a test must not be trained. Where there is no card, the names of files tell which hold rows.

LLaMA-Factory's dataset_info.json says which files there are, and what their keys mean, as in its
data/README.md: `file_name`, `formatting` (alpaca, sharegpt or openai), `columns` (its key -> the file's own)
and `tags` (what turns and their roles are called)."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import yaml

from finewright.errors import DataError
from finewright.rows.containers.found import ReadRow, file_problem
from finewright.rows.containers.kinds import DATA_SUFFIXES, TEXT_SUFFIXES, suffix_of
from finewright.rows.notes import show_value
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
    """Whether this is LLaMA-Factory's dataset_info.json. The `datasets` library has another of that name."""
    return path.name == MANIFEST and bool(_entries(path))


def manifest_parts(path: Path, file: str) -> Iterator[StatedFile | Problem]:
    """The files that the manifest names; what it names that is not here is said."""
    for name, entry in _entries(path).items():
        target = entry.get("file_name")
        if not isinstance(target, str):
            where = next((str(entry[key]) for key in _FILES if entry.get(key)), "")
            what = f"{name}: its rows are not in this folder but at {where}"
            yield file_problem(
                file, what, f"name hub:{where} as a source of its own", level="warning"
            )
            continue
        found = (path.parent / target).resolve()
        if not found.is_relative_to(path.parent.resolve()):
            yield file_problem(file, f"{name}: {target} leads out of this folder", "copy it here")
        elif not found.exists():
            what = f"there is no such file, and {MANIFEST} names it for {name}"
            yield file_problem(str(path.parent / target), what, f"put it there, or take {name} out")
        else:
            if entry.get("formatting") == "openai":
                yield file_problem(file, f"{name}: {_THINKING_OFF}", _AS_WRITTEN, level="info")
            if num := entry.get("num_samples"):
                what = f"{name}: LLaMA-Factory draws {num} of its rows, and here all are read"
                yield file_problem(file, what, "keep as many in the file", level="info")
            yield _part(name, entry, path.parent / target, file)


def _part(name: str, entry: Mapping[str, Any], path: Path, file: str) -> StatedFile | Problem:
    formatting = entry.get("formatting", "alpaca")
    columns, tags = entry.get("columns") or {}, entry.get("tags") or {}
    if formatting not in _KEYS or not _are_texts(columns) or not _are_texts(tags):
        what = f"{name}: formatting, columns or tags are not LLaMA-Factory's"
        return file_problem(
            file, what, f"formatting is one of {', '.join(_KEYS)}; columns and tags name keys"
        )
    return StatedFile(
        path,
        str(path),
        format="auto" if formatting == "openai" else formatting,
        columns=_map_columns(columns, _KEYS[formatting]),
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


def _map_columns(columns: Mapping[str, str], keys: Mapping[str, str]) -> dict[str, str]:
    """Our key -> the file's, where they differ."""
    own = {keys.get(key, key): theirs for key, theirs in columns.items() if theirs}
    return {key: theirs for key, theirs in own.items() if key != theirs}


# The `datasets` library writes them beside the rows it saves.
SAVED, SAVED_SPLITS = "state.json", "dataset_dict.json"
ABOUT_DATA = {MANIFEST, "dataset_infos.json", SAVED, SAVED_SPLITS}
# What finewright itself writes beside rows: their provenance, what was found in them, and rows set aside.
_OURS = re.compile(
    r"(?:provenance(?:_\w+)?|card|report|personal_data)\.json|ledger\.jsonl|(?:.*\.)?rejected\.jsonl"
)


def is_data(name: str) -> bool:
    """Whether a file of this name holds rows, and not what is said of them."""
    is_about_data = name in ABOUT_DATA or _OURS.fullmatch(name)
    return suffix_of(name) in DATA_SUFFIXES and not is_about_data


def files_within(folder: Path) -> list[Path]:
    """The files in the folder and below, in order, but for hidden ones."""
    return [
        inner
        for inner in sorted(folder.rglob("*"))
        if inner.is_file() and not any(p.startswith(".") for p in inner.relative_to(folder).parts)
    ]


CARD = "README.md"
_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?\n)---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_HAS_CONFIGS = re.compile(r"\bconfigs['\"]?\s*:.*\bdata_files\b", re.DOTALL)
# What an entry of `configs` has on the hub; other programs have lists of that name too.
_OF_THE_HUB = {"data_files", "data_dir", "config_name"}
# A split to measure on, by its name.
_TESTS = re.compile(
    r"(?<!la)test|valid|eval|hold-?_?out|held-?_?out|(?<![a-z])(?:val|dev)(?![a-z])", re.IGNORECASE
)
_LONGEST_CARD = 10_000_000
_MOST_DEPTHS = 4
# What PyYAML raises for a text that is no YAML, and for a tag that its value does not fit.
_NO_YAML = (yaml.YAMLError, ValueError, RecursionError, LookupError, AttributeError, TypeError)


class StatedSet(NamedTuple):
    """A configuration: its name, is it the one that is read by default, its folder, the files of each split
    where these are stated, and what of it cannot be followed."""

    name: str
    is_default: bool
    folder: Path
    splits: Mapping[str, list[Path]] = {}
    wrong: str = ""


def read_stated_sets(folder: Path) -> list[StatedSet]:
    """The configurations that the folder's card states, with the files that are here; none where it states
    no files.

    Raises DataError where nobody can tell which they are."""
    sets = [_read_stated_set(folder, entry) for entry in _configs(folder)]
    return sets if any(each.splits or each.wrong or each.folder != folder for each in sets) else []


def default_of(sets: list[StatedSet]) -> StatedSet | None:
    """The one that is read where nobody says which; None where that is not clear."""
    if len(sets) == 1:
        return sets[0]
    named = [stated for stated in sets if stated.is_default]
    named = named or [stated for stated in sets if stated.name == "default"]
    return named[0] if len(named) == 1 else None


def refuse_card(folder: Path, wrong: str) -> DataError:
    """What a reader of the folder is refused for."""
    what = f"{CARD} says which files train, and cannot be followed: {wrong}"
    return DataError(what, hint=f"fix it, or name the files to train on, in {folder}")


def _configs(folder: Path) -> list[dict[str, Any]]:  # Any: free YAML
    if not (folder / CARD).is_file():
        return []
    with (folder / CARD).open(encoding="utf-8", errors="replace") as card:
        front = _FRONT.match(card.read(_LONGEST_CARD))
    try:
        about = yaml.load(front[1], Loader=yaml.CSafeLoader) if front else None  # noqa: TID251 - no spec
    except _NO_YAML:
        if not front or not _HAS_CONFIGS.search(front[1]):
            return []
        raise refuse_card(folder, "its front matter cannot be read as YAML") from None
    entries = (about.get("configs") if isinstance(about, dict) else None) or []
    each = [entries, *entries.values()] if isinstance(entries, dict) else entries
    if not isinstance(each, list) or not any(map(_is_of_the_hub, each)):
        return []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise refuse_card(folder, "`configs` is no list of objects")
    return entries


def _is_of_the_hub(entry: object) -> bool:
    return isinstance(entry, dict) and not _OF_THE_HUB.isdisjoint(entry)


def _read_stated_set(folder: Path, entry: dict[str, Any]) -> StatedSet:  # Any: free YAML
    name, is_default = str(entry.get("config_name", "default")), entry.get("default") is True
    try:
        root = _root(folder, entry.get("data_dir"))
        return StatedSet(name, is_default, root, _splits(root, entry.get("data_files")))
    except DataError as error:
        return StatedSet(name, is_default, folder, wrong=str(error))


def _root(folder: Path, inner: object) -> Path:
    if inner is None:
        return folder
    if not isinstance(inner, str) or not _is_inside(inner) or not (folder / inner).is_dir():
        raise DataError(f"its data_dir {show_value(inner)} is no folder here")
    return folder / inner


def _splits(root: Path, files: object) -> dict[str, list[Path]]:
    splits: dict[str, list[Path]] = {}
    missing: dict[str, str] = {}
    for split, pattern in _patterns(files) if files is not None else ():
        found = sorted(_matching(root, pattern))
        if found:
            splits[split] = list(dict.fromkeys([*splits.get(split, ()), *found]))
        else:
            missing.setdefault(split, pattern)
    # Who has the files that train need not have the others.
    if missing and ("train" in missing or "train" not in splits):
        split, pattern = next(iter(missing.items()))
        raise DataError(f"no data file here is {show_value(pattern)}, of the split {split}")
    for split, held in splits.items():
        if (
            split != "train"
            and _TESTS.search(split)
            and (both := set(held).intersection(splits.get("train", ())))
        ):
            raise DataError(f"{min(both).name} is of the splits train and {split}")
    return splits


def _patterns(files: object) -> Iterator[tuple[str, str]]:
    """Each pattern with its split; what names no split is to train on."""
    for given in _several(files):
        split, paths = "train", given
        if isinstance(given, dict):
            split, paths = str(given.get("split", "train")), given.get("path")
        for path in _several(paths):
            if not isinstance(path, str):
                raise DataError(f"a path of its data_files is {show_value(path)}")
            yield split, path


def _several(given: object) -> list[Any]:  # Any: free YAML
    if given == []:
        raise DataError("its data_files name no file")
    return given if isinstance(given, list) else [given]


def _matching(folder: Path, pattern: str) -> set[Path]:
    """The files in the folder that a pattern names: where it has wildcards none hidden, and data files, or
    else texts, or else what may be rows."""
    parts = PurePosixPath(pattern).parts
    if not parts or not _is_inside(pattern):
        return set()
    if pattern.count("**") > _MOST_DEPTHS:
        raise DataError(f"{show_value(pattern)} has more than {_MOST_DEPTHS} `**`")
    found = {f for each in _globs(parts) for f in folder.glob(each) if f.is_file()}
    if not re.search(r"[*?[]", pattern):
        return found
    found = {f for f in found if not _is_hidden(f.relative_to(folder), parts)}
    texts = {f for f in found if suffix_of(f.name) in TEXT_SUFFIXES and f.name != CARD}
    data = {f for f in found if is_data(f.name)}
    return data or texts or {f for f in found if _may_be_rows(f.name, pattern)}


def _may_be_rows(name: str, pattern: str) -> bool:
    """`part-00000`, and not LICENSE; `report.json`, where the pattern names that ending."""
    if suffix_of(name) in DATA_SUFFIXES:
        return name not in ABOUT_DATA and not pattern.endswith("*")
    return not PurePosixPath(name).suffix and not name.isupper()


def _is_hidden(path: Path, wanted: tuple[str, ...]) -> bool:
    return any(part.startswith(".") and part not in wanted for part in path.parts)


def _globs(parts: tuple[str, ...]) -> Iterator[str]:
    """The pattern as `pathlib` reads it, whose `**` is a part of its own and names folders alone."""
    for at, part in enumerate(parts):
        if "**" in part and part != "**":
            before, after = part.split("**", 1)
            yield from _globs((*parts[:at], f"{before}*{after}", *parts[at + 1 :]))
            parts = (*parts[:at], f"{before}*", "**", f"*{after}", *parts[at + 1 :])
            yield from _globs(parts)
            return
    yield "/".join(parts) + ("/*" if parts[-1] == "**" else "")


def _is_inside(path: str) -> bool:
    return ".." not in PurePosixPath(path).parts and not path.startswith("/")
