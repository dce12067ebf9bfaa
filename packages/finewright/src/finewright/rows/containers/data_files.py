"""Which files of a folder hold rows, by their names."""

import re
from pathlib import Path

from finewright.rows.containers.kinds import DATA_SUFFIXES, suffix_of
from finewright.rows.containers.manifest import MANIFEST

# The `datasets` library writes them beside the rows it saves.
SAVED, SAVED_SPLITS = "state.json", "dataset_dict.json"
ABOUT_DATA = {MANIFEST, "dataset_infos.json", SAVED, SAVED_SPLITS}
# What finewright itself writes beside rows: their provenance, what was found in them, and rows set aside.
_OURS = re.compile(
    r"(?:provenance(?:_\w+)?|card|report|personal_data)\.json|ledger\.jsonl|(?:.*\.)?rejected\.jsonl"
)


def is_data(name: str) -> bool:
    """Does a file of this name hold rows, and not what is said of them?"""
    is_about_data = name in ABOUT_DATA or _OURS.fullmatch(name)
    return suffix_of(name) in DATA_SUFFIXES and not is_about_data


def files_within(folder: Path) -> list[Path]:
    """The files in the folder and below, in order, but for hidden ones."""
    return [
        inner
        for inner in sorted(folder.rglob("*"))
        if inner.is_file() and not any(p.startswith(".") for p in inner.relative_to(folder).parts)
    ]
