"""`data prepare`: large files to checked, scanned and deduplicated rows, by many processes, and resumable."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from finewright.errors import DataError
from finewright.features.data.rows import read_options
from finewright.guard.privacy.pseudonyms import key_of
from finewright.schema.scale import PrepareReport, PrepareSpec
from finewright.workbench.outputs import check_place


def prepare(
    paths: Sequence[Path],
    *,
    out: Path,
    spec: PrepareSpec | None = None,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    on_event: Callable[[str, Mapping[str, Any]], None] = lambda *_: None,  # Any: an event's fields
) -> PrepareReport:
    """Rows of files, folders or `hub:OWNER/NAME` into the folder `out`, new or begun by the same call.

    By default repeats are left out; near repeats, personal data and secrets are told of. `workers`
    are as many as the machine has processors. Run again after a kill, it goes on where it was. Raises
    DataError where the format is not known, and where `out` lies in a folder that is read."""
    # numpy is loaded here, not where the command line begins.
    from finewright.data.scale.prepare import PrepareSettings, prepare_rows

    if not paths:
        raise DataError("no file is named", hint="name the files to prepare")
    check_place(out, paths)
    chosen = spec or PrepareSpec()
    read_options(chosen.type, chosen.format, encoding=chosen.encoding)
    key_file = chosen.personal_data.key_file
    keys = (key_of(Path(key_file)) if key_file else b"", key_of(None))
    how = PrepareSettings(engine, workers or os.cpu_count() or 1)
    return prepare_rows(paths, out, chosen, how, keys, on_event)
