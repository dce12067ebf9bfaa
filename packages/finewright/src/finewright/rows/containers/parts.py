"""What a path stands for: one file, or the files of a folder, with what is said of their rows.

A folder is, in this order: a data set that the `datasets` library saved, LLaMA-Factory's data folder, a
data set of the hub whose card names its files, a folder of data files (of several splits, the one to train
on), a folder of texts.

A data set of the Hugging Face hub, by `hub:OWNER/NAME` or `hub:OWNER/NAME@REVISION`, as a folder on this
machine. A run keeps the digest of its files, so a change upstream is another input."""

import difflib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from finewright.errors import DataError, MissingExtra
from finewright.fetch.cache import outgoing_is_forbidden, why_not_reached
from finewright.fetch.telemetry import turn_off_telemetry
from finewright.plugins import install_command
from finewright.rows.containers.card import (
    ABOUT_DATA,
    CARD,
    MANIFEST,
    SAVED,
    SAVED_SPLITS,
    StatedFile,
    StatedSet,
    default_of,
    files_within,
    is_data,
    is_manifest,
    manifest_parts,
    read_stated_sets,
    refuse_card,
)
from finewright.rows.containers.found import file_problem
from finewright.rows.containers.json_rules import json_value
from finewright.rows.containers.kinds import (
    DATA_SUFFIXES,
    PACKED_SUFFIXES,
    TEXT_SUFFIXES,
    suffix_of,
)
from finewright.schema.common import Problem

# A spec resolves its paths against its folder, so the id may stand behind one.
_HUB_ID = re.compile(r"(?:^|/)hub:([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(?:@\w[\w.-]*)?)$")
_PATTERNS = [
    f"*{suffix}{packed}"
    for suffix in (*DATA_SUFFIXES, *TEXT_SUFFIXES)
    for packed in ("", *PACKED_SUFFIXES)
]


def hub_id(path: Path) -> str:
    """OWNER/NAME where the path is `hub:OWNER/NAME`, with its @REVISION where it has one; else nothing."""
    match = _HUB_ID.search(path.as_posix())
    return match[1] if match else ""


def hub_folder(name: str) -> Path:
    """The data set's files, fetched where they are not here; raises DataError where that cannot be.

    Only data and text files are fetched; no code of a data set is, and none is run."""
    turn_off_telemetry()
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError:
        raise MissingExtra(
            "reading hub data sets needs huggingface_hub", hint=install_command("[data]")
        ) from None
    repository, _, revision = name.partition("@")
    try:
        folder = snapshot_download(
            repository,
            repo_type="dataset",
            revision=revision or None,
            allow_patterns=_PATTERNS,
            local_files_only=outgoing_is_forbidden(),
        )
    except LocalEntryNotFoundError:
        raise DataError(
            f"it is not on this machine and {why_not_reached()}",
            hint="copy the data set's folder here and give its path",
        ) from None
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise DataError(f"the hub says: {str(error).splitlines()[0]}") from None
    return Path(folder)


# The words by which the `datasets` library tells splits, in the names of files and folders.
_SPLITS = (
    ("train", r"train|training"),
    ("validation", r"validation|valid|val|dev"),
    ("test", r"test|testing|eval|evaluation"),
)
_SHARD = re.compile(r"-\d{5}-of-\d{5}")
_MOST_NAMED = 5


def parts_of(path: Path, name: str = "") -> Iterator[StatedFile | Problem]:
    """The files that the path stands for, in order; `name` is what messages call a single one."""
    # A file name need not be UTF-8; what is printed and stored must be.
    file = name or str(path).encode(errors="replace").decode()
    try:
        if owner_and_name := hub_id(path):
            yield from _folder(hub_folder(owner_and_name), file)
        elif path.is_dir():
            yield from _folder(path, file)
        elif not path.is_file():
            yield _not_a_file(path, file)
        elif is_manifest(path):
            yield from _manifest(path, file)
        else:
            yield StatedFile(path, file)
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        yield file_problem(file, what, "check the path and its permissions")
    except DataError as error:
        yield file_problem(file, str(error), error.hint)


def refuse_missing(path: Path, name: str = "") -> None:
    """Raise DataError where nothing is at the path: who reads rows alone would go on without one."""
    if not hub_id(path) and not os.path.exists(path):  # noqa: PTH110 - false for what is no path at all
        wrong = next(part for part in parts_of(path, name) if isinstance(part, Problem))
        raise DataError(wrong.line())


def _not_a_file(path: Path, file: str) -> Problem:
    if path.exists():
        return file_problem(file, "this is not a regular file", "write the rows to a file first")
    siblings = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, siblings, n=1)
    hint = f"did you mean {close[0]}?" if close else "check the path"
    if "*" in path.name or "*" in path.parent.name:
        hint = "patterns are not read: name the folder, or each file"
    return file_problem(file, "there is no such file", hint)


def _folder(path: Path, file: str) -> Iterator[StatedFile | Problem]:
    if (path / SAVED_SPLITS).is_file():
        yield from _find_saved_splits(path, file)
    elif (path / SAVED).is_file():
        yield from _find_saved_files(path, file)
    elif is_manifest(path / MANIFEST):
        yield from _manifest(path / MANIFEST, str(path / MANIFEST))
    else:
        yield from _check_manifest(path / MANIFEST)
        sets = read_stated_sets(path)
        yield from _of_card(path, file, sets) if sets else _files(path, file)


def _check_manifest(path: Path) -> Iterator[Problem]:
    if not path.is_file():
        return
    try:
        json_value(path.read_text(encoding="utf-8"))
    except (DataError, UnicodeDecodeError) as error:
        what = f"it cannot be read, so the files are read without it: {error}"
        yield file_problem(str(path), what, "fix it", level="warning")


def _manifest(path: Path, file: str) -> Iterator[StatedFile | Problem]:
    parts = list(manifest_parts(path, file))
    if left := _find_unlisted(
        path.parent, [part for part in parts if isinstance(part, StatedFile)]
    ):
        names = _first([str(inner.relative_to(path.parent)) for inner in left])
        what = f"not read, for {MANIFEST} does not list them: {names}"
        yield file_problem(
            file, what, "list them there, or name them as sources of their own", None, "warning"
        )
    for part in parts:
        if isinstance(part, Problem) or part.path.is_file():
            yield part
        else:
            yield from _read_stated_folder(part)


def _read_stated_folder(part: StatedFile) -> Iterator[StatedFile | Problem]:
    for inner in _folder(part.path, part.name):
        yield _as_stated(inner, part) if isinstance(inner, StatedFile) else inner


def _of_card(path: Path, file: str, sets: list[StatedSet]) -> Iterator[StatedFile | Problem]:
    """The files to train on of a data set whose card says which they are."""
    chosen = default_of(sets)
    if chosen is None:
        names = ", ".join(stated.name for stated in sets)
        mend = f"name the folder or the files of one, in {path}"
        yield file_problem(file, f"{CARD} names several data sets: {names}", mend)
        return
    if others := [stated.name for stated in sets if stated is not chosen]:
        what = f"of the data sets in {CARD} only {chosen.name} is read, not {', '.join(others)}"
        yield file_problem(file, what, "name their files as sources of their own", level="info")
    if chosen.wrong:
        raise refuse_card(path, chosen.wrong)
    yield from _of_stated(path, file, chosen) if chosen.splits else _files(chosen.folder, file)
    listed = [StatedFile(f, "") for stated in sets for f in _list_stated_files(stated)]
    if left := _find_unlisted(path, listed):
        names = _first([str(inner.relative_to(path)) for inner in left])
        what = f"not read, for {CARD} does not list them: {names}"
        yield file_problem(file, what, "name them as sources of their own", None, "warning")


def _list_stated_files(stated: StatedSet) -> list[Path]:
    return [f for files in stated.splits.values() for f in files] or [stated.folder]


def _of_stated(path: Path, file: str, chosen: StatedSet) -> Iterator[StatedFile | Problem]:
    splits = list(chosen.splits)
    split = "train" if "train" in splits else splits[0]
    if len(splits) > 1 and split != "train":
        mend = f"name the files of one, in {path}"
        yield file_problem(file, f"which split? {CARD} names {', '.join(splits)}", mend)
        return
    if others := [other for other in splits if other != split]:
        yield _not_read(file, split, others)
    for inner in chosen.splits[split]:
        yield StatedFile(inner, str(inner).encode(errors="replace").decode(), root=chosen.folder)


def _find_unlisted(folder: Path, parts: Sequence[StatedFile]) -> list[Path]:
    """Data files of the folder that are none of the listed files, nor in a listed folder."""
    listed = {each for part in parts for each in (part.path, part.path.resolve())}
    data = (inner for inner in files_within(folder) if is_data(inner.name))
    return [inner for inner in data if listed.isdisjoint(_with_folders(inner))]


def _with_folders(path: Path) -> tuple[Path, ...]:
    """The file, the folders it is in, and what these lead to where it is a link, as in the hub's cache."""
    real = path.resolve()
    return (path, *path.parents, real, *real.parents)


def _links_not_read(path: Path) -> Iterator[Problem]:
    """Links in the folder that lead nowhere, or to other folders."""
    for inner in sorted(path.rglob("*")):
        if not inner.is_symlink() or inner.name.startswith("."):
            continue
        if inner.is_dir():
            what = "a link to a folder, which is not read"
            yield file_problem(str(inner), what, "name it as a source of its own", level="warning")
        elif is_data(inner.name) and not inner.exists():
            yield file_problem(str(inner), "a link that leads nowhere", "fix it, or take it out")


def _find_saved_splits(path: Path, file: str) -> Iterator[StatedFile | Problem]:
    about = _about(path / SAVED_SPLITS)
    splits = [str(split) for split in _list(about, "splits")]
    chosen = "train" if "train" in splits else next(iter(splits), "")
    if not chosen or (len(splits) > 1 and chosen != "train"):
        yield file_problem(
            file, f"which split? It has {', '.join(splits) or 'none'}", "name its folder"
        )
        return
    if others := [split for split in splits if split != chosen]:
        yield _not_read(file, chosen, others)
    yield from _find_saved_files(path / chosen, str(path / chosen))


def _find_saved_files(path: Path, file: str) -> Iterator[StatedFile | Problem]:
    about = _about(path / SAVED) if (path / SAVED).is_file() else {}
    names = [
        entry["filename"]
        for entry in _list(about, "_data_files")
        if isinstance(entry, dict) and isinstance(entry.get("filename"), str)
    ]
    for name in names:
        # A name, not a path: it must not lead elsewhere.
        target = path / Path(name).name
        if target.is_file():
            yield StatedFile(target, str(target))
        else:
            yield file_problem(
                file, f"there is no {name} here, which {SAVED} names", "save it anew"
            )
    if not names:
        yield file_problem(file, f"{SAVED} names no data files", "save it anew with save_to_disk")


def _about(path: Path) -> dict[str, object]:
    try:
        about = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        raise DataError(f"{path.name} is damaged", hint="save the data set anew")
    return about


def _list(about: dict[str, object], key: str) -> list[object]:
    value = about.get(key)
    return value if isinstance(value, list) else []


def _of_splits(
    path: Path, file: str, data: Sequence[Path], read: Sequence[Path]
) -> Iterator[Problem]:
    """Which splits are not read, and which files are read though they may be of one."""
    others = (_split(path, f) for f in data if f not in read)
    splits = list(dict.fromkeys(filter(None, others)))
    if not splits:
        return
    yield _not_read(file, "train", splits)
    if of_none := [f.name for f in read if not _split(path, f)]:
        what = f"read beside train, for their names tell no split: {_first(of_none)}"
        hint = "name the files one by one if they hold the same rows"
        yield file_problem(file, what, hint, None, "warning")


def _files(path: Path, file: str) -> Iterator[StatedFile | Problem]:
    found = files_within(path)
    data = [f for f in found if is_data(f.name)]
    texts = [f for f in found if suffix_of(f.name) in TEXT_SUFFIXES]
    if not data and not texts:
        endings = ", ".join((*DATA_SUFFIXES, *TEXT_SUFFIXES))
        what = "there is no data file in this folder"
        yield file_problem(file, what, f"put files that end with {endings} there, or name a file")
        return
    _check_one_set(path, data)
    read = _of_one_split(path, data)
    yield from _of_splits(path, file, data, read)
    yield from _links_not_read(path)
    left = [f.name for f in found if data and f not in data and f.name not in ABOUT_DATA]
    if left:
        yield file_problem(file, f"not read, being no data files: {_first(left)}", level="info")
    for inner in read or texts:
        yield StatedFile(inner, str(inner).encode(errors="replace").decode(), root=path)


def _first(names: Sequence[str]) -> str:
    """The first names, each once, and how many files there are more."""
    first = list(dict.fromkeys(names))[:_MOST_NAMED]
    num_more = sum(name not in first for name in names)
    return ", ".join(first) + (f" and {num_more} more" if num_more else "")


def _check_one_set(path: Path, data: Sequence[Path]) -> None:
    """Raise DataError where the folder holds several data sets beside each other, as on the hub."""
    shards = [f for f in data if _SHARD.search(f.name)]
    folders = list(dict.fromkeys(f.parent for f in shards if _split(path, f) == "train"))
    if len(folders) > 1:
        names = ", ".join(str(folder.relative_to(path)) for folder in folders)
        raise DataError(f"it holds several data sets: {names}", hint="name the folder of one")


def _of_one_split(path: Path, data: Sequence[Path]) -> Sequence[Path]:
    splits = {f: _split(path, f) for f in data}
    if "train" in splits.values():
        return [f for f in data if splits[f] in ("train", "")]
    return data


def _split(path: Path, file: Path) -> str:
    """The split that the name of the file tells, or that of a folder it is in."""
    for part in reversed(file.relative_to(path).parts):
        for split, words in _SPLITS:
            if re.search(rf"(?:^|[-._ ])(?:{words})(?:[-._ \d]|$)", part.lower()):
                return split
    return ""


def _not_read(file: str, chosen: str, others: Sequence[str]) -> Problem:
    what = f"of its splits only {chosen} is read, not {', '.join(others)}"
    return file_problem(
        file, what, "name their files under evaluate.data to measure on them", level="info"
    )


def _as_stated(part: StatedFile, by: StatedFile) -> StatedFile:
    return replace(part, format=by.format, columns=by.columns, tags=by.tags)
