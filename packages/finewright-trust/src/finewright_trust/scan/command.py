"""`finewright scan`: the one call that it is."""

from pathlib import Path
from typing import Annotated

from finewright.sdk import CommandOptions, ModelError, Session, argument, option
from finewright_trust.scan.report import ScanReport


class ScanOptions(CommandOptions):
    """What to look at."""

    target: Annotated[str, argument("MODEL")] = option(
        ..., "A model's folder, a run folder, one file of a model, or a hub id: org/model."
    )


def scan(options: ScanOptions, session: Session) -> ScanReport:
    """Every file is held against what is only data; nothing is run or loaded."""
    from finewright_trust.scan.folder import scan_file, scan_folder
    from finewright_trust.scan.templates import scan_template_file

    path = Path(options.target).expanduser()
    if not path.exists():
        path = _fetched(options.target)
    session.on_event("scan", {"what": str(path)})
    if path.is_dir():
        found = scan_folder(path)
        if not found.files:
            raise ModelError(f"{path}: there is no file in it", hint="was it downloaded?")
        return ScanReport(target=path, **found._asdict())
    if not path.is_file():
        raise ModelError(f"{path}: no regular file or folder")
    problems = (*scan_file(path), *scan_template_file(path))
    size = path.stat().st_size
    return ScanReport(target=path, files=1, bytes=size, templates={}, problems=problems)


def _fetched(name: str) -> Path:
    from finewright.lm.hub import commit_of, hub_folder, hub_name

    found = hub_name(name)
    if found is None:
        raise ModelError(
            f"{name}: there is no such file or folder, and it is no hub id",
            hint="give a folder, a file, or org/model",
        )
    return hub_folder(found, commit_of(found))
