"""A data set of the Hugging Face hub, by `hub:OWNER/NAME` or `hub:OWNER/NAME@REVISION`, as a folder on this
machine. A run keeps the digest of its files, so a change upstream is another input."""

import re
from pathlib import Path

from finewright.errors import DataError, MissingExtra
from finewright.fetch.cache import outgoing_is_forbidden, why_not_reached
from finewright.fetch.telemetry import turn_off_telemetry
from finewright.rows.containers.kinds import DATA_SUFFIXES, PACKED_SUFFIXES, TEXT_SUFFIXES

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
            "reading hub data sets needs huggingface_hub", hint='pip install "finewright[data]"'
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
