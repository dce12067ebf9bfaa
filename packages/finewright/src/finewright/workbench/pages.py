"""Where a report's page may be written: a new file, or over a page that finewright wrote."""

import re
from collections.abc import Sequence
from pathlib import Path

from finewright.errors import DataError
from finewright.store.atomic import os_errors
from finewright.workbench.outputs import check_free, check_parent, check_place

# How every page of ours begins.
_OURS = re.compile(
    rb"<!DOCTYPE html>\n<!-- A page about [a-z ]{1,40}, made by finewright\. -->\n", re.ASCII
)
_HEAD_BYTES = 200


def check_page(path: Path | None, reads: Sequence[Path], names: Sequence[Path] = ()) -> None:
    """Raise DataError, before any work is done, where a page could not or may not be written.

    Refused are a folder, a file that is read, any of `names`, a place in a run, a folder that is not there,
    and any file but a page made by finewright. None is no page. Not covered: what others put there
    meanwhile."""
    if path is None:
        return
    with os_errors(path):
        if path.is_dir():
            raise DataError(
                f"{path}: is a folder, and a page is a file",
                hint=f"name the file, such as {path / 'report.html'}",
            )
        check_place(path, reads)
        if path.resolve() in {name.resolve() for name in names}:
            what = f"{path}: another option of this command names it too"
            raise DataError(what, hint="name another file")
        check_parent(path)
        if not (path.is_file() and _is_ours(path)):
            check_free(path)


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return _OURS.match(file.read(_HEAD_BYTES)) is not None
