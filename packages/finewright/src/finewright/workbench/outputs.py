"""Where a data command may write: never over what is there, and never among what it reads."""

from collections.abc import Sequence
from pathlib import Path

from finewright.errors import DataError
from finewright.store.atomic import beside, os_errors

_ANOTHER = "name another file"
_OF_A_RUN = ("manifest.json", "spec.lock.yaml")


def check_outputs(outputs: Sequence[Path | None], reads: Sequence[Path]) -> None:
    """Raise DataError, before anything is read, where a file could not be written as a new one.

    Refused are what is there already, a place in a folder that is read or in a run, two files of one
    name, and a folder that does not exist or takes no files. Not covered: what others put there meanwhile."""
    named = [path for path in outputs if path is not None]
    for number, path in enumerate(named):
        with os_errors(path):
            if path.resolve() in {earlier.resolve() for earlier in named[:number]}:
                raise DataError(f"{path}: two files would be written there", hint=_ANOTHER)
            check_place(path, reads)
            check_parent(path)
            check_free(path)
        check_writable(path)


def check_free(path: Path) -> None:
    """Raise DataError where there is a file, a folder or a link."""
    if path.exists() or path.is_symlink():
        raise DataError(f"{path}: already there", hint=_ANOTHER)


def check_place(path: Path, reads: Sequence[Path]) -> None:
    """Raise DataError where a file or folder there would lie among what is read, or in a run."""
    place = path.resolve()
    for read in reads:
        known = read.resolve()
        if place == known or (read.is_dir() and place.is_relative_to(known)):
            part = f"this is {read}" if place == known else f"it is in {read}"
            what = f"{path}: {part}, which is read and never written to"
            raise DataError(what, hint=_ANOTHER)
    _refuse_runs(path, place)


def _refuse_runs(path: Path, place: Path) -> None:
    for folder in place.parents:
        if all((folder / name).is_file() for name in _OF_A_RUN):
            what = f"{path}: it is in the run {folder}, which only its stages write to"
            raise DataError(what, hint=_ANOTHER)


def check_parent(path: Path) -> None:
    """Raise DataError where the folder of a file is not there."""
    if not path.parent.is_dir():
        what = f"{path}: there is no folder {path.parent}"
        raise DataError(what, hint=f"make it first: mkdir -p {path.parent}")


def check_writable(path: Path) -> None:
    """Raise DataError where no file can be made in the folder."""
    probe = beside(path)
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        what = f"{path}: no file can be made there: {error.strerror}"
        hint = "choose another folder, with --out or the option that names this one"
        raise DataError(what, hint=hint) from None
