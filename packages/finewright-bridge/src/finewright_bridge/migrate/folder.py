"""The folder of a migration: what is written there, and when that would cost the user a file."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from finewright.errors import DataError

TRAIN, SPEC, REPORT, PAGE = "train.jsonl", "spec.yaml", "report.json", "report.html"
GOLDEN, RECORD, LOG = "golden.jsonl", "golden.json", "asked.jsonl"
WRITTEN = (TRAIN, GOLDEN, RECORD, SPEC, REPORT, PAGE)
"""All that a migration writes into its folder, but for the log of what an endpoint said, which only grows."""

_HINT = "name another --folder"


def check_free(folder: Path, inputs: Iterable[Path]) -> None:
    """Raise DataError if a migration into the folder would overwrite an input, or a file it did not write.

    What is there was written by a migration where a golden.json of one is beside it. Covered are names and
    links to the same file; not covered is a file of another program that took the place of one of ours."""
    read = {path.resolve() for path in inputs}
    for name in (*WRITTEN, LOG):
        path = folder / name
        if path.resolve() in read:
            raise DataError(
                f"{path}: is one of the input files and would be overwritten", hint=_HINT
            )
    if _is_ours(folder / RECORD):
        return
    for name in WRITTEN:
        if os.path.lexists(folder / name):
            raise DataError(
                f"{folder / name}: is there, was not written by this migration, and would be overwritten",
                hint=_HINT,
            )


def _is_ours(record: Path) -> bool:
    """Does it look like the record of frozen answers? A damaged one of ours is told when it is read."""
    try:
        found = json.loads(record.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and {"golden", "stated"} <= found.keys()
