"""The card of a data set, README.md: which files are of which configuration and split, where it says so.

https://huggingface.co/docs/hub/datasets-manual-configuration: `configs` of its front matter, each with a
`config_name` and `data_files`: a pattern, a list of them, or a list of {split, path}; or a `data_dir` alone,
whose files tell their splits by their names."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import yaml

CARD = "README.md"
_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?\n)---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_LONGEST_CARD = 10_000_000


class StatedSet(NamedTuple):
    """A configuration: its name, is it the one that is read by default, its folder, and the files of each
    split where these are stated."""

    name: str
    is_default: bool
    folder: Path
    splits: Mapping[str, list[Path]]


def stated_sets(folder: Path) -> list[StatedSet]:
    """The configurations that the folder's card states, with the files that are here; none without a card."""
    sets = [_stated(folder, entry) for entry in _configs(folder / CARD)]
    are_here = all(stated.splits or stated.folder.is_dir() for stated in sets)
    return sets if are_here and not any(_is_all(folder, stated) for stated in sets) else []


def _is_all(folder: Path, stated: StatedSet) -> bool:
    """Does it state nothing but the whole folder?"""
    return stated.folder == folder and not stated.splits


def default_of(sets: list[StatedSet]) -> StatedSet | None:
    """The one that is read where nobody says which; None where that is not clear."""
    if len(sets) == 1:
        return sets[0]
    named = [stated for stated in sets if stated.is_default]
    named = named or [stated for stated in sets if stated.name == "default"]
    return named[0] if len(named) == 1 else None


def _configs(card: Path) -> list[dict[str, Any]]:  # Any: free YAML
    if not card.is_file() or card.stat().st_size > _LONGEST_CARD:
        return []
    front = _FRONT.match(card.read_text(encoding="utf-8", errors="replace"))
    try:
        about = yaml.load(front[1], Loader=yaml.CSafeLoader) if front else None  # noqa: TID251 - no spec
    except (yaml.YAMLError, ValueError, RecursionError):
        return []
    configs = about.get("configs") if isinstance(about, dict) else None
    entries = configs if isinstance(configs, list) else []
    return entries if all(isinstance(entry, dict) for entry in entries) else []


def _stated(folder: Path, entry: dict[str, Any]) -> StatedSet:  # Any: free YAML
    inner = entry.get("data_dir")
    root = folder / inner if isinstance(inner, str) and _is_inside(inner) else folder
    splits: dict[str, list[Path]] = {}
    for split, pattern in _patterns(entry.get("data_files")):
        found = sorted(_matching(root, pattern))
        if found:
            splits.setdefault(split, []).extend(f for f in found if f not in splits.get(split, ()))
    name = str(entry.get("config_name", "default"))
    return StatedSet(name, entry.get("default") is True, root, splits)


def _patterns(files: object) -> Iterator[tuple[str, str]]:
    """Each pattern with its split; what names no split is to train on."""
    for given in files if isinstance(files, list) else [files]:
        split, paths = "train", given
        if isinstance(given, dict):
            split, paths = str(given.get("split", "train")), given.get("path")
        for path in paths if isinstance(paths, list) else [paths]:
            if isinstance(path, str):
                yield split, path


def _matching(folder: Path, pattern: str) -> Iterator[Path]:
    """The files in the folder that a pattern names; none where it leads elsewhere."""
    if _is_inside(pattern):
        named = folder.glob("/".join(PurePosixPath(pattern).parts))
        yield from (found for found in named if found.is_file())


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and ".." not in parts and not path.startswith("/")
